//! Which problems each operation may answer, and with which headers an answer comes. Owns the one table of both; a
//! test holds every answer of the whole suite against it (`tests/api/harness/documented.rs`).
//!
//! To add an operation: give its `operationId` a line in [`own`], or in `conversation_problems`. What all operations share is added by itself: the
//! refusals of tokens, parameters, bodies, rates and the store.

use serde_json::{Map, Value, json};

use super::conversation_problems;
use crate::kernel::Code::{self, *};

/// The codes that this operation answers beside the shared ones; `None` for an operation without a line.
pub fn own(operation: &str) -> Option<&'static [Code]> {
    Some(match operation {
        "healthz" | "metrics" | "get_openapi" | "get_asyncapi" => &[],
        "readyz" => &[Busy, StorageUnavailable, Draining, Unready],
        "open_socket" => &[OriginRefused, RateLimited, Draining],

        "login" => &[InvalidCredentials, AccountLocked, AccountDisabled, Banned, TenantSuspended],
        "refresh_tokens" => &[TokenInvalid, SessionRevoked, AccountDisabled, Banned, TenantSuspended],
        "logout" | "list_sessions" | "revoke_sessions" => &[],
        "revoke_session" => &[NotFound],
        "change_password" => &[Forbidden, AccountLocked],
        "get_me" | "update_me" | "get_tenant" | "list_inbox" | "list_notifications" => &[],

        "create_tenant" => &[Unauthenticated, TokenInvalid, Forbidden, NameTaken],
        "create_identity_key" => &[Forbidden, NameTaken, LimitReached],
        "create_visitor" => &[NotFound, Banned, TenantSuspended],
        "identify_visitor" => &[Forbidden],

        "create_member" => &[Forbidden, NameTaken],
        "get_member"
        | "unlock_member"
        | "set_member_password"
        | "get_api_key"
        | "revoke_api_key"
        | "delete_identity_key" => &[Forbidden, NotFound],
        "update_member" => &[Forbidden, NotFound, NameTaken, LastAdmin],
        "delete_member" => &[Forbidden, NotFound, LastAdmin],

        "create_api_key" => &[Forbidden, LimitReached],
        "update_api_key" => &[Forbidden, NotFound, InvalidTransition],
        "list_presence"
        | "set_presence"
        | "list_api_keys"
        | "list_audit_events"
        | "get_current_api_key"
        | "list_members"
        | "list_ratings"
        | "get_report" => &[Forbidden],
        "list_presence_history" => &[Forbidden, NotFound],

        "make_room" => &[Forbidden, LimitReached],
        "open_direct_room" => &[Forbidden, ValidationFailed],
        "get_conversation_rating" => &[NotFound],
        "rate_conversation" => &[Forbidden, NotFound, InvalidTransition, NotAnswered, RatingEnded],
        "create_rating_link" => &[Forbidden, NotFound, InvalidTransition, NotAnswered, RatingEnded],
        "get_rating_link" => &[NotFound, RatingEnded, Banned, TenantSuspended],
        "rate_by_link" => {
            &[NotFound, InvalidTransition, NotAnswered, RatingEnded, AccountDisabled, Banned, TenantSuspended]
        }
        "list_saved_filters" => &[Forbidden],
        "create_saved_filter" => &[Forbidden, LimitReached],
        "update_saved_filter" => &[Forbidden, NotFound, LimitReached],
        "get_saved_filter"
        | "delete_saved_filter"
        | "search_conversations_by_filter"
        | "list_met_filters" => &[Forbidden, NotFound],
        "create_attribute" => &[Forbidden, NameTaken, LimitReached],
        "update_attribute" => &[Forbidden, NotFound, InUse],
        "get_attribute" | "delete_attribute" | "get_member_attributes" | "update_member_attributes" => {
            &[Forbidden, NotFound]
        }
        "list_attributes"
        | "list_business_hours"
        | "list_sla_policies"
        | "list_bans"
        | "list_canned_replies"
        | "list_groups"
        | "search_members" => &[Forbidden],
        "get_business_hours" | "get_business_hours_status" | "delete_business_hours" => {
            &[Forbidden, NotFound]
        }
        "create_business_hours" | "create_sla_policy" | "create_ban" => &[Forbidden, NameTaken, LimitReached],
        "update_business_hours" | "update_sla_policy" => &[Forbidden, NotFound, NameTaken],
        "get_sla_policy" | "delete_sla_policy" | "list_sla_clocks" => &[Forbidden, NotFound],
        "get_ban" | "update_ban" | "delete_ban" | "get_erasure" => &[Forbidden, NotFound],
        "create_erasure" | "list_erasures" | "list_exports" => &[Forbidden],
        "create_export" => &[Forbidden, AttachmentsOff, ExportUnfinished],
        "get_export" => &[Forbidden, NotFound],
        "cancel_export" => &[Forbidden, NotFound, InvalidTransition],
        "read_export" => &[Forbidden, NotFound, AttachmentsOff, ExportNotReady, ExportEnded],
        "search_messages" => &[NotFound],
        "search_conversations" | "get_desk_status" => &[],
        "get_canned_reply" | "delete_canned_reply" | "render_canned_reply" => &[Forbidden, NotFound],
        "create_canned_reply" | "create_group" => &[Forbidden, NameTaken, LimitReached],
        "update_canned_reply" | "update_group" => &[Forbidden, NotFound, NameTaken],
        "get_group" | "list_group_members" | "get_group_member" => &[Forbidden, NotFound],
        "delete_group" | "dock_conversations" => &[Forbidden, NotFound],
        "set_group_member" => &[Forbidden, NotFound, LimitReached],
        "remove_group_member" => &[Forbidden, NotFound, LastManager],

        "verify_receipt_address" => &[NotFound, Forbidden],
        "unsubscribe" => &[NotFound, MalformedJson, PayloadTooLarge],
        "receive_message_receipts" => &[NotFound, Forbidden, MalformedJson, PayloadTooLarge],
        "list_channel_accounts"
        | "list_message_recipients"
        | "list_message_opt_outs"
        | "list_message_suppressions"
        | "list_message_identities"
        | "list_message_templates"
        | "list_message_rules"
        | "simulate_message_rules"
        | "list_message_events"
        | "list_message_sends"
        | "list_message_bindings"
        | "retry_message_sends"
        | "update_tenant"
        | "list_identity_keys"
        | "create_message_identity"
        | "create_message_suppression" => &[Forbidden],
        "create_channel_account"
        | "create_message_recipient"
        | "create_message_opt_out"
        | "create_message_template"
        | "create_message_rule" => &[Forbidden, LimitReached],
        "get_channel_account"
        | "update_channel_account"
        | "get_message_recipient"
        | "update_message_recipient"
        | "delete_message_recipient"
        | "delete_message_opt_out"
        | "delete_message_suppression"
        | "delete_message_identity"
        | "get_message_template"
        | "update_message_template"
        | "publish_message_template"
        | "list_message_template_versions"
        | "preview_message_template"
        | "get_message_rule"
        | "delete_message_rule"
        | "get_message_event"
        | "get_message_send" => &[Forbidden, NotFound],
        "test_send_message_template" => &[Forbidden, NotFound, InvalidTransition],
        "create_message_binding" => &[Forbidden, InvalidTransition, ProviderFailed],
        "get_message_binding" | "show_unsubscribe" => &[NotFound],
        "cancel_message_binding" | "get_message_binding_svg" | "get_message_binding_png" => {
            &[NotFound, InvalidTransition]
        }
        "rotate_channel_account_secret" => &[Forbidden, NotFound, ValidationFailed],
        "delete_channel_account" | "delete_message_template" => &[Forbidden, NotFound, InUse],
        "update_message_rule" => &[Forbidden, NotFound, LimitReached],
        "create_message_event" | "create_message_events" => &[Forbidden, IdempotencyConflict],
        "replay_message_rule" => &[Forbidden, NotFound, InvalidTransition, IdempotencyConflict, CursorReset],
        "cancel_message_send" | "retry_message_send" | "resolve_message_send" => {
            &[Forbidden, NotFound, InvalidTransition]
        }
        _ => return conversation_problems::own(operation),
    })
}

/// Whether the operation is part of the interface proper, which is counted and needs the store.
fn is_counted(operation: &Value) -> bool {
    !matches!(operation["tags"][0].as_str(), Some("service" | "socket"))
}

fn is_secured(operation: &Value) -> bool {
    operation["security"].as_array().is_some_and(|all| !all.is_empty() && !all.contains(&json!({})))
}

/// Every code that an operation may answer, in the order of the table of codes.
fn codes(operation: &Value) -> Vec<Code> {
    let mut all = vec![InvalidParameter, Internal];
    all.extend(own(operation["operationId"].as_str().unwrap_or("")).unwrap_or_default());
    if is_counted(operation) {
        all.extend([RateLimited, TenantBusy, Busy, StorageUnavailable, Draining]);
    }
    if is_secured(operation) {
        all.extend([Unauthenticated, TokenInvalid, TokenExpired, SessionRevoked]);
        all.extend([AccountDisabled, Banned, TenantSuspended]);
        all.extend([ApiKeyInvalid, ApiKeyExpired, AddressNotAllowed, Forbidden]);
    }
    if operation["requestBody"].is_object() {
        all.extend([MalformedJson, RequestTimeout, PayloadTooLarge, UnsupportedMediaType, ValidationFailed]);
    }
    Code::ALL.iter().copied().filter(|code| all.contains(code)).collect()
}

/// What answers of this status have in common.
fn lead(status: u16) -> &'static str {
    match status {
        400 => "A parameter, a header or the JSON itself has a wrong form",
        401 => "Nobody who may come in",
        403 => "You may not do this",
        404 => "There is nothing here that you may see",
        408 => "The body took too long",
        409 => "The present state does not allow this; `context` says more",
        410 => "The cursor is of no use any more: start without one",
        412 => {
            "The conversation is at another version: `context` has its `version` (staff only), `status` and `agent_id`"
        }
        413 => "The body is too large",
        415 => "The body is of a type that is not taken",
        416 => "There is no such part",
        422 => "A field is missing, unknown or wrong; `errors` says which",
        429 => "Too many requests: wait for `Retry-After`",
        502 => "The provider did not do what it was asked",
        503 => "Busy, shutting down, or without its database: repeat after `Retry-After`",
        _ => "The server failed; the request id leads to its log",
    }
}

/// The name under which operations share a refusal of this status; `None` for what is no refusal.
pub fn name_of(status: &str) -> Option<&'static str> {
    Some(match status {
        "400" => "BadRequest",
        "401" => "Unauthorized",
        "403" => "Forbidden",
        "404" => "NotFound",
        "408" => "RequestTimeout",
        "409" => "Conflict",
        "410" => "Gone",
        "412" => "PreconditionFailed",
        "413" => "PayloadTooLarge",
        "415" => "UnsupportedMediaType",
        "422" => "UnprocessableContent",
        "429" => "TooManyRequests",
        "500" => "InternalServerError",
        "502" => "BadGateway",
        "503" => "ServiceUnavailable",
        "default" => "OtherProblem",
        _ => return None,
    })
}

/// Whether the operation answers one conversation, with its tag.
fn is_tagged(operation: &Value) -> bool {
    let mut parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.any(|one| one["name"] == "If-Match") || operation["operationId"] == "get_conversation"
}

fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// The headers of an answer of this status.
fn headers(status: &str, operation: &Value) -> Value {
    let mut all = json!({"X-Request-Id": header("RequestId")});
    if is_counted(operation) {
        for name in ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"] {
            all[name] = header(&name.replace('-', ""));
        }
    }
    if status == "200" && is_tagged(operation) {
        all["ETag"] = header("ETag");
    }
    match status {
        "401" => all["WWW-Authenticate"] = header("WwwAuthenticate"),
        "429" | "503" => all["Retry-After"] = header("RetryAfter"),
        _ => {}
    }
    all
}

/// Says in an operation what it may answer.
pub fn complete(operation: &mut Value) {
    let codes = codes(operation);
    let mut problems = Map::new();
    for code in &codes {
        let status = code.status().to_string();
        if problems.contains_key(&status) {
            continue;
        }
        let names: Vec<_> =
            codes.iter().filter(|one| one.status() == code.status()).map(|one| one.name()).collect();
        let listed: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let description = format!("{}: {}.", lead(code.status()), listed.join(", "));
        problems.insert(status, problem(&description, &names));
    }
    problems.insert("default".to_owned(), problem("Any other problem; `code` says which.", &[]));
    if let Some(responses) = operation["responses"].as_object_mut() {
        responses.append(&mut problems);
    }
    let statuses: Vec<String> =
        operation["responses"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
    for status in statuses {
        let headers = headers(&status, operation);
        operation["responses"][&status]["headers"] = headers;
    }
}

fn problem(description: &str, codes: &[&str]) -> Value {
    let mut answer = json!({
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    if !codes.is_empty() {
        answer["x-problem-codes"] = json!(codes);
    }
    answer
}

/// The headers that answers refer to.
pub fn header_components() -> Value {
    let number = |text: &str| json!({"description": text, "schema": {"type": "integer", "format": "int64", "minimum": 0}});
    let text = |text: &str| json!({"description": text, "schema": {"type": "string"}});
    json!({
        "RequestId": text("The request's own id, or one that was made; the log and problems name it too."),
        "RateLimitLimit": number("How many requests may come at once."),
        "RateLimitRemaining": number("How many of them are left."),
        "RateLimitReset": number("In how many seconds all of them are back."),
        "RetryAfter": number("When to repeat the request, in seconds; absent when the server does not know."),
        "ETag": text(
            "The conversation's `version` in quotes, such as `\"7\"`, for `If-Match`. Absent for customers, who are not \
             shown the version, and for backstage conversations, which no command changes."
        ),
        "WwwAuthenticate": text("How to authenticate: `Bearer`."),
    })
}
