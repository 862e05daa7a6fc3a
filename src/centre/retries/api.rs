//! The route of retries of many sends.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use super::store::Selection;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::centre::send::{SendReason, SendStatus};
use crate::http::json::Body;
use crate::http::page::{decode, encode};
use crate::kernel::{
    ChannelAccountId, Error, MessageEventId, MessageRuleId, MessageSendId, Millis, PersonId, Result,
};

/// Most sends that one request looks at.
pub const LIMIT_MAX: u32 = 1_000;
/// How many it looks at when it does not say.
pub const LIMIT_DEFAULT: u32 = 500;

/// Most states that one request names.
pub const STATES_MAX: usize = 5;
/// Longest cursor that it takes, in characters.
pub const CURSOR_MAX: usize = 64;
const NARROWING: &str = "one of rule_id, event_id, account_id, recipient_id and created_from";

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(retry_message_sends);
}

/// Which sends are retried: those that fit everything that is given. At least one of `rule_id`, `event_id`, `account_id`,
/// `recipient_id` and `created_from` is needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryMessageSends {
    /// Those in one of these states, of `failed`, `undelivered`, `expired`, `cancelled` and `uncertain`; `failed`,
    /// `undelivered` and `expired` when absent. What is `uncertain` may arrive twice.
    status: Option<Vec<SendStatus>>,
    /// Only of this rule.
    rule_id: Option<MessageRuleId>,
    /// Only of this event.
    event_id: Option<MessageEventId>,
    /// Only of this channel account.
    account_id: Option<ChannelAccountId>,
    /// Only to this member or message recipient.
    recipient_id: Option<PersonId>,
    /// Only made at this time or later.
    created_from: Option<Millis>,
    /// Only made before this time.
    created_before: Option<Millis>,
    /// `true`: nothing changes, and the answer names what would be retried. `false` when absent.
    dry_run: Option<bool>,
    /// Most sends to retry, 1 to 1000; 500 when absent.
    limit: Option<u32>,
    /// `next_cursor` of the answer before; absent at first.
    cursor: Option<String>,
}

/// A send that was retried, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetriedMessageSend {
    /// The send.
    id: MessageSendId,
    /// Where it stood before.
    status: SendStatus,
    /// Why it had failed.
    #[schema(required)]
    reason: Option<SendReason>,
    /// The provider's last code.
    #[schema(required)]
    last_code: Option<String>,
}

/// What was retried, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetriedMessageSends {
    /// Whether nothing was changed.
    dry_run: bool,
    /// The sends, the oldest first.
    data: Vec<RetriedMessageSend>,
    /// Where the next request goes on; null: there are no more.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Retry many sends
///
/// After an outage, or when an account or a template was wrong: each is retried as by `POST /message-sends/{id}/retry`.
/// Begin with `dry_run`. Repeat the request with `next_cursor` until it is null. A request whose answer was lost is safe to
/// repeat: what it retried is on its way, and is found again only when it ended badly once more. The account's `limit`
/// holds for what is sent again.
#[utoipa::path(tag = "message-centre", request_body = RetryMessageSends, responses(
    (status = 200, description = "What was retried, or would be.", body = RetriedMessageSends),
))]
#[post("/message-sends/retry")]
pub async fn retry_message_sends(
    app: web::Data<App>,
    caller: Admin,
    input: Body<RetryMessageSends>,
) -> Result<web::Json<RetriedMessageSends>> {
    let input = input.into_inner();
    let dry_run = input.dry_run.unwrap_or(false);
    let limit = i64::from(input.limit.unwrap_or(LIMIT_DEFAULT));
    if !(1..=i64::from(LIMIT_MAX)).contains(&limit) {
        return Err(Error::field("/limit", "out_of_range", format!("1 to {LIMIT_MAX}")));
    }
    let after = match &input.cursor {
        Some(cursor) if cursor.len() <= CURSOR_MAX => decode(cursor).map_err(|_| unknown_cursor())?,
        Some(_) => return Err(unknown_cursor()),
        None => MessageSendId(0),
    };
    let retried = service::retry(&app, caller.actor, selection(input)?, after, limit, dry_run).await?;
    let data = retried.sends.into_iter().map(|row| RetriedMessageSend {
        id: row.id,
        status: row.status,
        reason: row.reason,
        last_code: row.last_code,
    });
    let next_cursor = retried.next.map(|id| encode(&id));
    Ok(web::Json(RetriedMessageSends { dry_run, data: data.collect(), next_cursor }))
}

fn unknown_cursor() -> Error {
    Error::field("/cursor", "invalid", "not one that this operation gave")
}

fn selection(input: RetryMessageSends) -> Result<Selection> {
    use SendStatus as S;
    let status = input.status.unwrap_or_else(|| vec![S::Failed, S::Undelivered, S::Expired]);
    if !(1..=STATES_MAX).contains(&status.len()) {
        return Err(Error::field("/status", "out_of_range", format!("1 to {STATES_MAX} states")));
    }
    let ended = |one: &SendStatus| {
        matches!(one, S::Failed | S::Undelivered | S::Expired | S::Cancelled | S::Uncertain)
    };
    if let Some(at) = status.iter().position(|one| !ended(one)) {
        return Err(Error::field(
            format!("/status/{at}"),
            "invalid",
            "what is in this state cannot be retried",
        ));
    }
    let selection = Selection {
        status,
        rule_id: input.rule_id,
        event_id: input.event_id,
        account_id: input.account_id,
        recipient_id: input.recipient_id,
        created_from: input.created_from,
        created_before: input.created_before,
    };
    let is_narrow = selection.rule_id.is_some()
        || selection.event_id.is_some()
        || selection.account_id.is_some()
        || selection.recipient_id.is_some()
        || selection.created_from.is_some();
    match is_narrow {
        true => Ok(selection),
        false => Err(Error::field("/rule_id", "required", NARROWING)),
    }
}
