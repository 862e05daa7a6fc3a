//! The routes of message events.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, New, Trace};
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::centre::sends::api::MessageSendWithAttempts;
use crate::domain::centre::event::{Decision, EventRow};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Error, MemberId, MessageEventId, MessageRuleId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_message_event);
    config.service(create_message_events);
    config.service(list_message_events);
    config.service(get_message_event);
}

/// Something that happened.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageEvent {
    /// What kind of thing, such as `order.paid`: rules are found by it.
    key: String,
    /// What is known of it, for the conditions of rules and the variables of templates; at most 65,536 bytes.
    #[schema(value_type = Object)]
    payload: Map<String, Value>,
    /// The customer whom it is about: recipients of the type `customer` are this one. Absent or null: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_id: Option<MemberId>,
    /// The same by your own id for the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_external_id: Option<String>,
}

impl From<CreateMessageEvent> for New {
    fn from(event: CreateMessageEvent) -> Self {
        let CreateMessageEvent { key, payload, customer_id, customer_external_id } = event;
        Self { key, payload, customer_id, customer_external_id }
    }
}

/// Several things that happened.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageEvents {
    /// 1 to 100; all are stored or none.
    events: Vec<CreateMessageEvent>,
}

/// An event, as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageEvent {
    /// The event.
    id: MessageEventId,
    /// What kind of thing happened.
    key: String,
    /// What is known of it.
    #[schema(value_type = Object)]
    payload: Value,
    /// The customer whom it is about.
    #[schema(required)]
    customer_id: Option<MemberId>,
    /// The agent who served the conversation, of what the product tells itself.
    #[schema(required)]
    agent_id: Option<MemberId>,
    /// The only rule that it is for, of `conversation.waiting_long`, schedules and digests; null: every active rule with its key.
    #[schema(required)]
    rule_id: Option<MessageRuleId>,
    /// Who told it; null: the product itself.
    #[schema(required)]
    created_by: Option<MemberId>,
    /// When it was told.
    created_at: Millis,
    /// When its rules were applied; null: they will be in a moment.
    #[schema(required)]
    expanded_at: Option<Millis>,
    /// What each active rule with its key made of it, in the order of the rules' ids.
    decisions: Vec<Decision>,
}

impl TryFrom<EventRow> for MessageEvent {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self> {
        let refused =
            |cause: serde_json::Error| Error::internal("a stored event cannot be read").caused_by(cause);
        let decisions = row.decisions.as_deref().map(serde_json::from_str).transpose().map_err(refused)?;
        Ok(Self {
            id: row.id,
            key: row.key,
            payload: serde_json::from_str(&row.payload).map_err(refused)?,
            customer_id: row.customer_id,
            agent_id: row.agent_id,
            rule_id: row.rule_id,
            created_by: row.created_by,
            created_at: Millis(row.created_at),
            expanded_at: row.expanded_at.map(Millis),
            decisions: decisions.unwrap_or_default(),
        })
    }
}

/// Several events.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageEvents {
    /// In the order of the request.
    data: Vec<MessageEvent>,
}

/// An event with all that came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageEventTrace {
    /// The event, and what each rule made of it.
    event: MessageEvent,
    /// Its messages, each with its attempts and receipts; the first 200 of them (`GET /message-sends?event_id=` has all).
    sends: Vec<MessageSendWithAttempts>,
    /// The events that it stands for, when it is the event of a digest.
    digest_of: Vec<MessageEventId>,
    /// The events of the digests that it is in; a digest has none before it ends.
    digested_as: Vec<MessageEventId>,
}

impl TryFrom<Trace> for MessageEventTrace {
    type Error = Error;

    fn try_from(trace: Trace) -> Result<Self> {
        let sends = trace.sends.into_iter().map(MessageSendWithAttempts::try_from).collect::<Result<_>>()?;
        Ok(Self {
            event: trace.event.try_into()?,
            sends,
            digest_of: trace.digest_of,
            digested_as: trace.digested_as,
        })
    }
}

/// Which events are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessageEvents {
    /// Only those with this key.
    key: Option<String>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Tell that something happened
///
/// The event is stored; then every active rule with its key is applied to it, and may send a message. An event without a
/// rule is stored all the same. Give an `Idempotency-Key`, and repeat the request when no answer comes.
#[utoipa::path(
    tag = "message-centre", params(IdempotencyKey), request_body = CreateMessageEvent,
    responses((status = 202, description = "Stored; its rules are applied in a moment.", body = MessageEvent)),
)]
#[post("/message-events")]
pub async fn create_message_event(
    app: web::Data<App>,
    caller: Admin,
    key: IdempotencyKey,
    input: Body<CreateMessageEvent>,
) -> Result<HttpResponse> {
    let input = input.into_inner();
    let once = key.once(caller.actor, "create_message_event", &input);
    let mut rows = service::create(&app, caller.actor, vec![input.into()], |_| String::new(), once).await?;
    let row = rows.pop().ok_or_else(Error::not_found)?;
    Ok(HttpResponse::Accepted().json(MessageEvent::try_from(row)?))
}

/// Tell that several things happened
///
/// All are stored or none. The `Idempotency-Key` stands for the whole request.
#[utoipa::path(
    tag = "message-centre", params(IdempotencyKey), request_body = CreateMessageEvents,
    responses((status = 202, description = "Stored; their rules are applied in a moment.", body = MessageEvents)),
)]
#[post("/message-events/batch")]
pub async fn create_message_events(
    app: web::Data<App>,
    caller: Admin,
    key: IdempotencyKey,
    input: Body<CreateMessageEvents>,
) -> Result<HttpResponse> {
    let input = input.into_inner();
    let once = key.once(caller.actor, "create_message_events", &input);
    let events = input.events.into_iter().map(New::from).collect();
    let rows = service::create(&app, caller.actor, events, |index| format!("/events/{index}"), once).await?;
    let data = rows.into_iter().map(MessageEvent::try_from).collect::<Result<_>>()?;
    Ok(HttpResponse::Accepted().json(MessageEvents { data }))
}

/// List message events
///
/// The newest first. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(ListMessageEvents), responses(
    (status = 200, description = "A page of events.", body = Page<MessageEvent>),
))]
#[get("/message-events")]
pub async fn list_message_events(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMessageEvents>,
) -> Result<web::Json<Page<MessageEvent>>> {
    let ListMessageEvents { key, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, key, PageQuery { limit, cursor }).await?;
    let Page { data, next_cursor } = page;
    let data = data.into_iter().map(MessageEvent::try_from).collect::<Result<_>>()?;
    Ok(web::Json(Page { data, next_cursor }))
}

/// Trace a message event
///
/// The event, what each rule made of it and why, and its messages with every attempt and what the provider said.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageEventId, Path, description = "The event.")),
    responses((status = 200, description = "All that came of the event.", body = MessageEventTrace)),
)]
#[get("/message-events/{id}")]
pub async fn get_message_event(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MessageEventId>,
) -> Result<web::Json<MessageEventTrace>> {
    let trace = service::trace(&app, caller.actor, id.into_inner()).await?;
    MessageEventTrace::try_from(trace).map(web::Json)
}
