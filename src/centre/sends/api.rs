//! The routes of sends.

use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Resolution, Traced};
use super::store::Filter;
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::centre::receipts::api::MessageReceipt;
use crate::centre::templates::model::RenderedMessage;
use crate::domain::centre::send::{
    AttemptRow, MessagePriority, Outcome, Phase, RecipientType, SendReason, SendRow, SendStatus,
};
use crate::domain::centre::template::Rendered;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{
    ChannelAccountId, Error, MessageEventId, MessageRuleId, MessageSendId, MessageTemplateId, Millis,
    PersonId, Result,
};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_message_sends);
    config.service(get_message_send);
    config.service(cancel_message_send);
    config.service(retry_message_send);
    config.service(resolve_message_send);
}

/// One message to one receiver.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageSend {
    /// The send.
    id: MessageSendId,
    /// Of what happened.
    event_id: MessageEventId,
    /// The rule that made it.
    rule_id: MessageRuleId,
    /// The template.
    template_id: MessageTemplateId,
    /// Which version of it.
    template_version: i64,
    /// Where it goes.
    account_id: ChannelAccountId,
    /// How urgent it is.
    priority: MessagePriority,
    /// Where it stands.
    status: SendStatus,
    /// Why it failed, or was not sent to this person.
    #[schema(required)]
    reason: Option<SendReason>,
    /// What its receiver is; null of webhooks and robots.
    #[schema(required)]
    recipient_type: Option<RecipientType>,
    /// The receiver: a member, or a message recipient.
    #[schema(required)]
    recipient_id: Option<PersonId>,
    /// The receiver's address on the channel.
    #[schema(required)]
    address: Option<String>,
    /// What is said; null when nothing can be.
    #[schema(required)]
    message: Option<RenderedMessage>,
    /// How many attempts count; the provider's wish to slow down and a wrong account cost none.
    attempts: i64,
    /// Whether it was sent again although it may have arrived before.
    may_duplicate: bool,
    /// When it may be sent next.
    next_at: Millis,
    /// Until when it may be sent; null: for ever.
    #[schema(required)]
    expires_at: Option<Millis>,
    /// The provider's name for the message.
    #[schema(required)]
    provider_message_id: Option<String>,
    /// The provider's last code.
    #[schema(required)]
    last_code: Option<String>,
    /// What went wrong last.
    #[schema(required)]
    last_error: Option<String>,
    /// When it was made.
    created_at: Millis,
    /// When it last changed.
    updated_at: Millis,
    /// When the provider took it.
    #[schema(required)]
    sent_at: Option<Millis>,
    /// The send of the same event and person whose fallback this one is; null: it is none.
    #[schema(required)]
    fallback_of: Option<MessageSendId>,
}

impl TryFrom<SendRow> for MessageSend {
    type Error = Error;

    fn try_from(row: SendRow) -> Result<Self> {
        let message: Option<Rendered> = serde_json::from_str(&row.body)
            .map_err(|cause| Error::internal("a stored message cannot be read").caused_by(cause))?;
        Ok(Self {
            id: row.id,
            event_id: row.event_id,
            rule_id: row.rule_id,
            template_id: row.template_id,
            template_version: row.template_version,
            account_id: row.account_id,
            priority: MessagePriority::from_rank(row.priority),
            status: row.status,
            reason: row.reason,
            recipient_type: row.recipient_type,
            recipient_id: row.recipient_id,
            address: row.address,
            message: message.map(|rendered| RenderedMessage::of(rendered, row.locale)),
            attempts: row.attempts,
            may_duplicate: row.may_duplicate,
            next_at: Millis(row.next_at),
            expires_at: row.expires_at.map(Millis),
            provider_message_id: row.provider_message_id,
            last_code: row.last_code,
            last_error: row.last_error,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
            sent_at: row.sent_at.map(Millis),
            fallback_of: row.fallback_of,
        })
    }
}

/// One attempt to send a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageAttempt {
    /// The how manieth, from 1; also those that do not count.
    number: i64,
    /// How far it came.
    phase: Phase,
    /// What came of it; null while it is under way.
    #[schema(required)]
    outcome: Option<Outcome>,
    /// The status of the provider's HTTP answer.
    #[schema(required)]
    http_status: Option<i64>,
    /// The provider's code.
    #[schema(required)]
    code: Option<String>,
    /// What the provider said, or what kept it from saying anything.
    #[schema(required)]
    message: Option<String>,
    /// When it began.
    started_at: Millis,
    /// When it ended.
    #[schema(required)]
    ended_at: Option<Millis>,
}

impl From<AttemptRow> for MessageAttempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            number: row.number,
            phase: row.phase,
            outcome: row.outcome,
            http_status: row.http_status,
            code: row.code,
            message: row.message,
            started_at: Millis(row.started_at),
            ended_at: row.ended_at.map(Millis),
        }
    }
}

/// A message with its attempts and receipts.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageSendWithAttempts {
    /// The message.
    send: MessageSend,
    /// Its newest attempts, at most 100, the oldest first.
    attempts: Vec<MessageAttempt>,
    /// What its provider said later of whether it arrived, the oldest first.
    receipts: Vec<MessageReceipt>,
}

impl TryFrom<Traced> for MessageSendWithAttempts {
    type Error = Error;

    fn try_from(traced: Traced) -> Result<Self> {
        let Traced { send, attempts, receipts } = traced;
        let attempts = attempts.into_iter().map(MessageAttempt::from).collect();
        let receipts = receipts.into_iter().map(MessageReceipt::from).collect();
        Ok(Self { send: send.try_into()?, attempts, receipts })
    }
}

/// What somebody found out about a message whose fate was unknown.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveMessageSend {
    /// Whether it arrived.
    resolution: Resolution,
}

/// Which sends are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessageSends {
    /// Only in this state.
    status: Option<SendStatus>,
    /// Only of this rule.
    rule_id: Option<MessageRuleId>,
    /// Only of this event.
    event_id: Option<MessageEventId>,
    /// Only to this member or message recipient.
    recipient_id: Option<PersonId>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// List sends
///
/// The newest first. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(ListMessageSends), responses(
    (status = 200, description = "A page of sends.", body = Page<MessageSend>),
))]
#[get("/message-sends")]
pub async fn list_message_sends(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMessageSends>,
) -> Result<web::Json<Page<MessageSend>>> {
    let ListMessageSends { status, rule_id, event_id, recipient_id, limit, cursor } = query.into_inner();
    let filter = Filter { status, rule_id, event_id, recipient_id };
    let page = PageQuery { limit, cursor };
    let Page { data, next_cursor } = service::list(&app, caller.actor, filter, page).await?;
    let data = data.into_iter().map(MessageSend::try_from).collect::<Result<_>>()?;
    Ok(web::Json(Page { data, next_cursor }))
}

/// Read a send
///
/// With its attempts, its receipts and what the provider said.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageSendId, Path, description = "The send.")),
    responses((status = 200, description = "The send, its attempts and its receipts.", body = MessageSendWithAttempts)),
)]
#[get("/message-sends/{id}")]
pub async fn get_message_send(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MessageSendId>,
) -> Result<web::Json<MessageSendWithAttempts>> {
    let found = service::get(&app, caller.actor, id.into_inner()).await?;
    MessageSendWithAttempts::try_from(found).map(web::Json)
}

/// Cancel a send
///
/// One that is `unsent`. Cancelling what is cancelled changes nothing; what is on its way, or gone, is refused with
/// `409 invalid_transition`.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageSendId, Path, description = "The send.")),
    responses((status = 200, description = "The send as it is now.", body = MessageSend)),
)]
#[post("/message-sends/{id}/cancel")]
pub async fn cancel_message_send(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageSendId>,
) -> Result<web::Json<MessageSend>> {
    let row = service::cancel(&app, caller.actor, id.into_inner()).await?;
    MessageSend::try_from(row).map(web::Json)
}

/// Retry a send
///
/// One that `failed`, is `undelivered`, `expired`, was `cancelled` or is `uncertain`: it is sent again at once, with all its attempts before
/// it and without an end. An uncertain one may arrive twice (`may_duplicate`).
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageSendId, Path, description = "The send.")),
    responses((status = 200, description = "The send as it is now.", body = MessageSend)),
)]
#[post("/message-sends/{id}/retry")]
pub async fn retry_message_send(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageSendId>,
) -> Result<web::Json<MessageSend>> {
    let row = service::retry(&app, caller.actor, id.into_inner()).await?;
    MessageSend::try_from(row).map(web::Json)
}

/// Resolve an uncertain send
///
/// Somebody looked and says whether it arrived: then it is a `success`, or it is sent again.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageSendId, Path, description = "The send.")),
    request_body = ResolveMessageSend,
    responses((status = 200, description = "The send as it is now.", body = MessageSend)),
)]
#[post("/message-sends/{id}/resolve")]
pub async fn resolve_message_send(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageSendId>,
    input: Body<ResolveMessageSend>,
) -> Result<web::Json<MessageSend>> {
    let resolution = input.into_inner().resolution;
    let row = service::resolve(&app, caller.actor, id.into_inner(), resolution).await?;
    MessageSend::try_from(row).map(web::Json)
}
