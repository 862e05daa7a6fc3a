//! Requests with an API key: what a key must allow for each route, and the check of it before any handler runs.
//!
//! Owns the table of routes that keys may use. Invariant: a route that is not in the table refuses every key, so that a
//! new one is closed to keys until somebody says what it needs; the handlers check the same rights of the actor again, as
//! they do for members.

use std::net::IpAddr;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;

use crate::app::App;
use crate::domain::operation::Operation::{self, *};
use crate::domain::operation::OperationSet;
use crate::kernel::network::AddressBlock;
use crate::kernel::{Code, Error, Result};
use crate::limits::{Key, Verdict};
use crate::security::Verified;

/// What a key must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: every key may.
    Nothing,
    /// This.
    One(Operation),
    /// Both.
    Both(Operation, Operation),
    /// One of both; which one, the handler decides.
    Either(Operation, Operation),
}

impl Needs {
    /// Whether these operations are enough.
    pub fn are_met(self, operations: OperationSet) -> bool {
        match self {
            Self::Nothing => true,
            Self::One(one) => operations.has(one),
            Self::Both(one, other) => operations.has(one) && operations.has(other),
            Self::Either(one, other) => operations.has(one) || operations.has(other),
        }
    }

    /// The operations that it speaks of.
    pub fn operations(self) -> Vec<Operation> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(one) => vec![one],
            Self::Both(one, other) | Self::Either(one, other) => vec![one, other],
        }
    }
}

impl std::fmt::Display for Needs {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => out.write_str("nothing"),
            Self::One(one) => write!(out, "{one}"),
            Self::Both(one, other) => write!(out, "{one} and {other}"),
            Self::Either(one, other) => write!(out, "{one} or {other}"),
        }
    }
}

const fn one(operation: Operation) -> Needs {
    Needs::One(operation)
}

/// The routes that API keys may use, below `/api/v1`, and what a key must allow for each.
pub const ROUTES: &[(&str, &str, Needs)] = &[
    ("GET", "/me", Needs::Nothing),
    ("GET", "/tenant", Needs::Nothing),
    ("PATCH", "/tenant", one(ManageTenant)),
    ("GET", "/identity-keys", one(ManageTenant)),
    ("POST", "/identity-keys", one(ManageTenant)),
    ("DELETE", "/identity-keys/{id}", one(ManageTenant)),
    ("GET", "/api-keys/current", Needs::Nothing),
    ("GET", "/audit-events", one(ReadAudit)),
    ("GET", "/members", one(ReadMembers)),
    ("POST", "/members", one(ManageMembers)),
    ("GET", "/members/{id}", one(ReadMembers)),
    ("PATCH", "/members/{id}", one(ManageMembers)),
    ("DELETE", "/members/{id}", one(ManageMembers)),
    ("POST", "/members/{id}/unlock", one(ManageMembers)),
    ("PUT", "/members/{id}/password", one(ManageMembers)),
    ("GET", "/presence", one(ReadPresence)),
    ("PUT", "/presence", one(SetPresence)),
    ("GET", "/presence/{member_id}/history", one(ReadPresenceHistory)),
    ("GET", "/groups", one(ReadGroups)),
    ("POST", "/groups", one(ManageGroups)),
    ("GET", "/groups/{id}", one(ReadGroups)),
    ("PATCH", "/groups/{id}", one(ManageGroups)),
    ("DELETE", "/groups/{id}", one(ManageGroups)),
    ("GET", "/groups/{id}/members", one(ReadGroups)),
    ("GET", "/groups/{id}/members/{member_id}", one(ReadGroups)),
    ("PUT", "/groups/{id}/members/{member_id}", one(ManageGroupMembers)),
    ("DELETE", "/groups/{id}/members/{member_id}", one(ManageGroupMembers)),
    ("POST", "/groups/{id}/dock", one(Dock)),
    ("POST", "/rooms", one(OpenRoom)),
    ("PUT", "/rooms/direct/{member_id}", one(OpenRoom)),
    ("GET", "/attributes", one(ReadAttributes)),
    ("POST", "/attributes", one(ManageAttributes)),
    ("GET", "/attributes/{id}", one(ReadAttributes)),
    ("PATCH", "/attributes/{id}", one(ManageAttributes)),
    ("DELETE", "/attributes/{id}", one(ManageAttributes)),
    ("GET", "/members/{id}/attributes", one(ReadCustomerAttributes)),
    ("PATCH", "/members/{id}/attributes", one(UpdateCustomerAttributes)),
    ("GET", "/saved-filters", one(UseSavedFilters)),
    ("POST", "/saved-filters", one(UseSavedFilters)),
    ("GET", "/saved-filters/{id}", one(UseSavedFilters)),
    ("PATCH", "/saved-filters/{id}", one(UseSavedFilters)),
    ("DELETE", "/saved-filters/{id}", one(UseSavedFilters)),
    ("POST", "/conversations/search", Needs::Both(UseSavedFilters, ReadConversation)),
    ("GET", "/conversations/{id}/saved-filters", Needs::Both(UseSavedFilters, ReadConversation)),
    ("GET", "/business-hours/status", one(ReadBusinessHours)),
    ("GET", "/business-hours", one(ReadBusinessHours)),
    ("POST", "/business-hours", one(ManageBusinessHours)),
    ("GET", "/business-hours/{id}", one(ReadBusinessHours)),
    ("PATCH", "/business-hours/{id}", one(ManageBusinessHours)),
    ("DELETE", "/business-hours/{id}", one(ManageBusinessHours)),
    ("GET", "/business-hours/{id}/status", one(ReadBusinessHours)),
    ("GET", "/sla-policies", one(ReadSlaPolicies)),
    ("POST", "/sla-policies", one(ManageSlaPolicies)),
    ("GET", "/sla-policies/{id}", one(ReadSlaPolicies)),
    ("PATCH", "/sla-policies/{id}", one(ManageSlaPolicies)),
    ("DELETE", "/sla-policies/{id}", one(ManageSlaPolicies)),
    ("GET", "/conversations/{id}/sla-clocks", one(ReadNotes)),
    ("GET", "/bans", one(ReadBans)),
    ("POST", "/bans", one(ManageBans)),
    ("GET", "/bans/{id}", one(ReadBans)),
    ("PATCH", "/bans/{id}", one(ManageBans)),
    ("DELETE", "/bans/{id}", one(ManageBans)),
    ("GET", "/erasures", one(EraseMembers)),
    ("POST", "/erasures", one(EraseMembers)),
    ("GET", "/erasures/{id}", one(EraseMembers)),
    ("GET", "/exports", one(ExportData)),
    ("POST", "/exports", one(ExportData)),
    ("GET", "/exports/{id}", one(ExportData)),
    ("POST", "/exports/{id}/cancel", one(ExportData)),
    ("GET", "/exports/{id}/content", one(ExportData)),
    ("GET", "/canned-replies", one(UseCannedReplies)),
    ("POST", "/canned-replies", one(ManageCannedReplies)),
    ("GET", "/canned-replies/{id}", one(UseCannedReplies)),
    ("PATCH", "/canned-replies/{id}", one(ManageCannedReplies)),
    ("DELETE", "/canned-replies/{id}", one(ManageCannedReplies)),
    ("POST", "/canned-replies/{id}/render", one(UseCannedReplies)),
    ("GET", "/ratings", one(ReadRatings)),
    ("GET", "/reports", one(ReadReports)),
    ("GET", "/conversations/{id}/rating", one(ReadConversation)),
    ("POST", "/conversations/{id}/rating-links", one(MakeRatingLink)),
    ("GET", "/search/messages", Needs::Both(ReadConversation, ReadNotes)),
    ("GET", "/search/members", one(ReadMembers)),
    ("GET", "/search/conversations", one(ReadConversation)),
    ("GET", "/queue", one(ReadQueue)),
    ("GET", "/conversations/{id}/queue", one(ReadConversation)),
    ("GET", "/offers", one(AnswerOffer)),
    ("POST", "/conversations/{id}/accept", one(AnswerOffer)),
    ("POST", "/conversations/{id}/decline", one(AnswerOffer)),
    ("GET", "/conversations/{id}/routing/explain", one(ExplainRouting)),
    ("POST", "/conversations", one(OpenConversation)),
    ("GET", "/conversations", one(ReadConversation)),
    ("GET", "/conversations/{id}", one(ReadConversation)),
    ("PATCH", "/conversations/{id}", one(UpdateConversation)),
    ("POST", "/conversations/{id}/claim", one(Claim)),
    ("POST", "/conversations/{id}/assign", one(Assign)),
    ("POST", "/conversations/{id}/transfer", one(Transfer)),
    ("DELETE", "/conversations/{id}/transfer", one(Transfer)),
    ("GET", "/conversations/{id}/transfers", one(ReadRevisions)),
    ("POST", "/conversations/{id}/dock", one(Dock)),
    ("POST", "/conversations/{id}/take_over", one(TakeOver)),
    ("POST", "/conversations/{id}/hand_off", one(HandOff)),
    ("POST", "/conversations/{id}/release", one(Release)),
    ("POST", "/conversations/{id}/close", one(Close)),
    ("POST", "/conversations/{id}/reopen", one(Reopen)),
    ("GET", "/conversations/{id}/members", one(ReadConversation)),
    ("POST", "/conversations/{id}/members", one(AddMember)),
    ("DELETE", "/conversations/{id}/members/{member_id}", one(RemoveMember)),
    ("GET", "/conversations/{id}/assignments", one(ReadRevisions)),
    ("POST", "/conversations/{id}/messages", one(SendMessage)),
    ("GET", "/conversations/{id}/messages", one(ReadConversation)),
    ("GET", "/conversations/{id}/entries", one(ReadConversation)),
    ("GET", "/conversations/{id}/messages/{seq}", one(ReadConversation)),
    ("PATCH", "/conversations/{id}/messages/{seq}", one(SendMessage)),
    ("DELETE", "/conversations/{id}/messages/{seq}", Needs::Either(SendMessage, RecallAny)),
    ("GET", "/conversations/{id}/messages/{seq}/revisions", one(ReadRevisions)),
    ("POST", "/conversations/{id}/notes", one(WriteNote)),
    ("GET", "/conversations/{id}/notes", one(ReadNotes)),
    ("POST", "/conversations/{id}/read", one(SendMessage)),
    ("POST", "/conversations/{id}/mark_unread", one(SendMessage)),
    ("POST", "/conversations/{id}/delivered", one(SendMessage)),
    ("POST", "/attachments", one(UploadAttachment)),
    ("GET", "/attachments/{id}", Needs::Either(ReadConversation, UploadAttachment)),
    ("DELETE", "/attachments/{id}", one(UploadAttachment)),
    ("PUT", "/attachments/{id}/content", one(UploadAttachment)),
    ("GET", "/attachments/{id}/url", Needs::Either(ReadConversation, UploadAttachment)),
    ("GET", "/inbox", Needs::Both(ReadConversation, ReadNotes)),
    ("GET", "/sync", Needs::Both(ReadConversation, ReadNotes)),
    ("GET", "/entries", one(ReadFeed)),
    ("GET", "/notifications", one(ReadNotifications)),
    ("POST", "/notifications/read", one(ReadNotifications)),
    ("GET", "/channel-accounts", one(ReadMessageCentre)),
    ("POST", "/channel-accounts", one(ManageMessageCentre)),
    ("GET", "/channel-accounts/{id}", one(ReadMessageCentre)),
    ("PATCH", "/channel-accounts/{id}", one(ManageMessageCentre)),
    ("DELETE", "/channel-accounts/{id}", one(ManageMessageCentre)),
    ("POST", "/channel-accounts/{id}/rotate_secret", one(ManageMessageCentre)),
    ("GET", "/message-templates", one(ReadMessageCentre)),
    ("POST", "/message-templates", one(ManageMessageCentre)),
    ("GET", "/message-templates/{id}", one(ReadMessageCentre)),
    ("PATCH", "/message-templates/{id}", one(ManageMessageCentre)),
    ("DELETE", "/message-templates/{id}", one(ManageMessageCentre)),
    ("POST", "/message-templates/{id}/publish", one(ManageMessageCentre)),
    ("POST", "/message-templates/{id}/preview", one(ReadMessageCentre)),
    ("POST", "/message-templates/{id}/test_send", one(SendMessages)),
    ("GET", "/message-templates/{id}/versions", one(ReadMessageCentre)),
    ("GET", "/message-recipients", one(ReadMessageCentre)),
    ("POST", "/message-recipients", one(ManageMessageCentre)),
    ("GET", "/message-recipients/{id}", one(ReadMessageCentre)),
    ("PATCH", "/message-recipients/{id}", one(ManageMessageCentre)),
    ("DELETE", "/message-recipients/{id}", one(ManageMessageCentre)),
    ("GET", "/message-opt-outs", one(ReadMessageCentre)),
    ("POST", "/message-opt-outs", one(ManageMessageCentre)),
    ("DELETE", "/message-opt-outs/{id}", one(ManageMessageCentre)),
    ("GET", "/message-suppressions", one(ReadMessageCentre)),
    ("POST", "/message-suppressions", one(ManageMessageCentre)),
    ("DELETE", "/message-suppressions/{id}", one(ManageMessageCentre)),
    ("GET", "/message-identities", one(ReadMessageCentre)),
    ("POST", "/message-identities", one(ManageMessageCentre)),
    ("DELETE", "/message-identities/{id}", one(ManageMessageCentre)),
    ("GET", "/message-bindings", one(ReadMessageCentre)),
    ("POST", "/message-bindings", one(BindIdentity)),
    ("GET", "/message-bindings/{id}", one(BindIdentity)),
    ("POST", "/message-bindings/{id}/cancel", one(BindIdentity)),
    ("GET", "/message-bindings/{id}/qr.svg", one(BindIdentity)),
    ("GET", "/message-bindings/{id}/qr.png", one(BindIdentity)),
    ("GET", "/message-rules", one(ReadMessageCentre)),
    ("POST", "/message-rules", one(ManageMessageCentre)),
    ("POST", "/message-rules/simulate", one(ReadMessageCentre)),
    ("GET", "/message-rules/{id}", one(ReadMessageCentre)),
    ("PATCH", "/message-rules/{id}", one(ManageMessageCentre)),
    ("DELETE", "/message-rules/{id}", one(ManageMessageCentre)),
    ("POST", "/message-rules/{id}/replay", one(SendMessages)),
    ("GET", "/message-events", one(ReadMessageCentre)),
    ("POST", "/message-events", one(SendMessages)),
    ("POST", "/message-events/batch", one(SendMessages)),
    ("GET", "/message-events/{id}", one(ReadMessageCentre)),
    ("GET", "/message-sends", one(ReadMessageCentre)),
    ("GET", "/message-sends/{id}", one(ReadMessageCentre)),
    ("POST", "/message-sends/retry", one(SendMessages)),
    ("POST", "/message-sends/{id}/cancel", one(SendMessages)),
    ("POST", "/message-sends/{id}/retry", one(SendMessages)),
    ("POST", "/message-sends/{id}/resolve", one(SendMessages)),
];

/// What a key must allow for this path, below `/api/v1`; `None` when keys may not use it. Of two routes that a path could
/// be meant for, the one with more words of its own is, as `/message-sends/retry` is no message.
pub fn needs(method: &str, path: &str) -> Option<Needs> {
    let fits = ROUTES.iter().filter(|(verb, ..)| *verb == method);
    let fits = fits.filter_map(|(_, pattern, needs)| Some((words(pattern, path)?, *needs)));
    fits.max_by_key(|(words, _)| *words).map(|(_, needs)| needs)
}

/// How many words of its own the pattern of a route has; `None` when the path is not meant for it.
fn words(pattern: &str, path: &str) -> Option<usize> {
    let (mut words, mut parts) = (0, path.split('/'));
    for own in pattern.split('/') {
        let part = parts.next()?;
        if own == part {
            words += 1;
        } else if !own.starts_with('{') {
            return None;
        }
    }
    parts.next().is_none().then_some(words)
}

/// Admits a request with an API key: counts it, verifies the key, and checks that the key may use the route. Gives what
/// the counter said, and the refusal if there is one. An address that brings too many wrong keys is refused before the
/// store is asked.
pub async fn admit(
    request: &ServiceRequest,
    app: &App,
    text: &str,
    address: IpAddr,
) -> (Option<Verdict>, Result<()>) {
    let verified = match verify(app, text, address).await {
        Ok(verified) => verified,
        Err((verdict, error)) => return (verdict, Err(error)),
    };
    let verdict = app.limiter.member(&verified.actor, AddressBlock::of(address));
    request.extensions_mut().insert(verified);
    let admitted = match verdict.map(|verdict| verdict.check()) {
        Some(Err(error)) => Err(error),
        _ => check(request, verified.actor.operations),
    };
    (verdict, admitted)
}

/// Verifies an API key. An address that brings too many wrong ones is refused before the store is asked; with the refusal comes
/// what the counter said.
pub async fn verify(
    app: &App,
    text: &str,
    address: IpAddr,
) -> std::result::Result<Verified, (Option<Verdict>, Error)> {
    let wrong = app.limiter.look(Key::address(address));
    if let Some(Err(error)) = wrong.map(|verdict| verdict.check()) {
        return Err((wrong, error));
    }
    app.auth.verify_api_key(&app.db, text, address).await.map_err(|error| {
        let verdict = app.limiter.take(Key::address(address));
        // Of many at once, all may have been let through before the first was found to be wrong.
        let limited = verdict.and_then(|verdict| verdict.check().err());
        (verdict, limited.unwrap_or(error))
    })
}

fn check(request: &ServiceRequest, operations: OperationSet) -> Result<()> {
    // Where no route is, whoever answers that asks for no rights.
    if request.match_pattern().is_none() {
        return Ok(());
    }
    // The path as the routes see it: the raw one may hide what it is behind %-escapes.
    let path = request.match_info().as_str().trim_start_matches("/api/v1");
    match needs(request.method().as_str(), path) {
        None => Err(Error::new(Code::Forbidden, "API keys may not do this: sign in")),
        Some(needs) if needs.are_met(operations) => Ok(()),
        Some(needs) => Err(Error::new(Code::Forbidden, format!("the API key does not allow {needs}"))
            .with("operations", needs.operations())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_meant_for_one_route() {
        assert_eq!(needs("POST", "/message-sends/retry"), Some(Needs::One(SendMessages)));
        assert_eq!(needs("GET", "/api-keys/current"), Some(Needs::Nothing));
        assert_eq!(needs("GET", "/bans/7"), Some(Needs::One(ReadBans)));
        assert_eq!(needs("GET", "/conversations/7/messages/3"), Some(Needs::One(ReadConversation)));
        for (method, path) in [
            ("GET", "/api-keys/7"),
            ("GET", "/bans/7/"),
            ("GET", "/bans/7/more"),
            ("GET", "bans"),
            ("GET", "/"),
            ("POST", "/bans/7"),
            ("get", "/bans"),
        ] {
            assert_eq!(needs(method, path), None, "{method} {path}");
        }
    }
}
