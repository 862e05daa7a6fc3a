//! The route of replays.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Asked};
use crate::app::App;
use crate::auth::Admin;
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Body;
use crate::kernel::{Error, MessageEventId, MessageRuleId, Millis, Result};

/// Most events that one request asks for.
pub const LIMIT_MAX: u32 = 1_000;
/// How many it asks for when it does not say.
pub const LIMIT_DEFAULT: u32 = 500;
/// Longest cursor that it takes, in characters.
pub const CURSOR_MAX: usize = 64;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(replay_message_rule);
}

/// What is applied to the rule again: either `from` or `cursor` is needed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayMessageRule {
    /// What happened at this time or later.
    from: Option<Millis>,
    /// What happened before this time. Absent: until now.
    before: Option<Millis>,
    /// `next_cursor` of the answer before. Of rules whose key is an entry of the log also one of `GET /entries`: what happened
    /// after it.
    cursor: Option<String>,
    /// `true`: nothing is made, and the answer says how many events would be. `false` when absent.
    dry_run: Option<bool>,
    /// About how many events to make, 1 to 1000; 500 when absent. The log is read in pieces, so there may be up to 199 more,
    /// or fewer although there are more later.
    limit: Option<u32>,
}

/// What was made, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayedMessageEvents {
    /// Whether nothing was made.
    dry_run: bool,
    /// How many events were made, or would be.
    count: usize,
    /// The new events, in the order in which it happened; empty of a dry run.
    event_ids: Vec<MessageEventId>,
    /// Where the next request goes on; null: there is no more.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Replay events to a rule
///
/// For a receiver that lost messages, or for a new rule: what happened with the rule's key makes new events that are for this
/// rule only (`rule_id`), and the rule is applied to them as it is now, with its conditions, dedupe, throttle and digest. What
/// is an entry of the log (`conversation.opened`, `message.received` …) is read from the log, also from before the rule was
/// made; everything else from the events that are kept. Begin with `dry_run`, and repeat the request with `next_cursor` until
/// it is null. With an `Idempotency-Key` a request whose answer was lost is safe to repeat.
#[utoipa::path(
    tag = "message-centre",
    params(("id" = MessageRuleId, Path, description = "The rule."), IdempotencyKey),
    request_body = ReplayMessageRule,
    responses((status = 200, description = "What was made, or would be.", body = ReplayedMessageEvents)),
)]
#[post("/message-rules/{id}/replay")]
pub async fn replay_message_rule(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageRuleId>,
    key: IdempotencyKey,
    input: Body<ReplayMessageRule>,
) -> Result<web::Json<ReplayedMessageEvents>> {
    let (id, input) = (id.into_inner(), input.into_inner());
    let once = key.once(caller.actor, "replay_message_rule", &(id, &input));
    let dry_run = input.dry_run.unwrap_or(false);
    let limit = input.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Error::field("/limit", "out_of_range", format!("1 to {LIMIT_MAX}")));
    }
    match (&input.from, &input.cursor) {
        (None, None) => return Err(Error::field("/from", "required", "one of from and cursor")),
        (Some(_), Some(_)) => return Err(Error::field("/cursor", "invalid", "one of from and cursor")),
        (_, Some(cursor)) if cursor.len() > CURSOR_MAX => return Err(service::unknown_cursor()),
        _ => {}
    }
    let asked = Asked {
        from: input.from.map_or(0, |from| from.0),
        before: input.before.map(|before| before.0),
        cursor: input.cursor,
        limit: limit as usize,
    };
    let made = match dry_run {
        true => service::counted(&app, caller.actor, id, asked).await?,
        false => service::replay(&app, caller.actor, id, asked, once).await?,
    };
    let service::Replayed { count, event_ids, next_cursor } = made;
    Ok(web::Json(ReplayedMessageEvents { dry_run, count, event_ids, next_cursor }))
}
