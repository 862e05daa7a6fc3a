//! The routes of rules.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::given::Given;
use super::recipients::{RuleRecipient, recipients};
use super::service;

use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::domain::centre::digest::RuleDigest;
use crate::domain::centre::fallback::RuleFallback;
use crate::domain::centre::recipient::QuietHoursPolicy;
use crate::domain::centre::rule::{Condition, RuleRow, RuleStatus};
use crate::domain::centre::schedule::RuleSchedule;
use crate::domain::centre::send::MessagePriority;
use crate::domain::centre::throttle::RuleThrottle;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::json::given;
use crate::kernel::{ChannelAccountId, Error, MessageRuleId, MessageTemplateId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_message_rule);
    config.service(list_message_rules);
    config.service(super::simulate::simulate_message_rules);
    config.service(get_message_rule);
    config.service(update_message_rule);
    config.service(delete_message_rule);
}

/// What is sent when something happens.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageRule {
    /// The rule.
    id: MessageRuleId,
    /// What the merchant calls it.
    title: String,
    /// For which events.
    key: String,
    /// What is said.
    template_id: MessageTemplateId,
    /// Where it goes.
    account_id: ChannelAccountId,
    /// Whether it is applied.
    status: RuleStatus,
    /// How urgent its sends are.
    priority: MessagePriority,
    /// What must hold of a payload, all of it.
    conditions: Vec<Condition>,
    /// How long a send waits, in seconds.
    delay_seconds: i64,
    /// How long a send may go out after that, in seconds; 0: for ever.
    ttl_seconds: i64,
    /// How long the same is not sent again, in seconds; 0: it is.
    dedupe_seconds: i64,
    /// The template that tells what is the same; empty: the whole payload.
    dedupe_key: String,
    /// Whom its messages are for; empty of webhooks and robots.
    recipients: Vec<RuleRecipient>,
    /// What becomes of a message in its receiver's quiet hours.
    quiet_hours: QuietHoursPolicy,
    /// What is sent instead when a message does not reach its person; null: nothing.
    #[schema(required)]
    fallback: Option<RuleFallback>,
    /// How many messages it sends within a time; null: as many as there are.
    #[schema(required)]
    throttle: Option<RuleThrottle>,
    /// After how many seconds in the queue it is told of a conversation (`conversation.waiting_long`); null with any other
    /// key.
    #[schema(required)]
    waiting_seconds: Option<i64>,
    /// When it sends by itself, instead of waiting for events; null: it waits for them.
    #[schema(required)]
    schedule: Option<RuleSchedule>,
    /// How it collects events and sends them as one message; null: it sends one for each.
    #[schema(required)]
    digest: Option<RuleDigest>,
    /// The next time of its schedule; null while it is disabled or has none.
    #[schema(required)]
    next_at: Option<Millis>,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
}

impl TryFrom<RuleRow> for MessageRule {
    type Error = Error;

    fn try_from(row: RuleRow) -> Result<Self> {
        Ok(Self {
            conditions: row.read_conditions()?,
            recipients: row.read_recipients()?.into_iter().map(RuleRecipient::from).collect(),
            fallback: row.fallback(),
            throttle: row.throttle(),
            waiting_seconds: row.waiting_seconds,
            schedule: row.schedule(),
            digest: row.digest(),
            next_at: row.schedule_next_at.filter(|_| row.status == RuleStatus::Active).map(Millis),
            id: row.id,
            title: row.title,
            key: row.key,
            template_id: row.template_id,
            account_id: row.account_id,
            status: row.status,
            priority: MessagePriority::from_rank(row.priority),
            delay_seconds: row.delay_seconds,
            ttl_seconds: row.ttl_seconds,
            dedupe_seconds: row.dedupe_seconds,
            dedupe_key: row.dedupe_key,
            quiet_hours: row.quiet_hours,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

/// A rule that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageRule {
    /// What it is called, at most 100 characters.
    title: String,
    /// For which events: those with the same key.
    key: String,
    /// What is said.
    template_id: MessageTemplateId,
    /// Where it goes: an account of the template's channel.
    account_id: ChannelAccountId,
    /// Whether it is applied. Absent: it is.
    #[serde(default)]
    status: Option<RuleStatus>,
    /// How urgent its sends are. Absent: a notice.
    #[serde(default)]
    priority: Option<MessagePriority>,
    /// What must hold of a payload, all of it; at most 20. Absent: nothing.
    #[serde(default)]
    conditions: Option<Vec<Condition>>,
    /// How long a send waits, in seconds, at most 30 days. Absent: 0.
    #[serde(default)]
    delay_seconds: Option<i64>,
    /// How long a send may go out after that, in seconds, at most 30 days. Absent or 0: for ever.
    #[serde(default)]
    ttl_seconds: Option<i64>,
    /// How long the same is not sent again, in seconds, at most 30 days. Absent or 0: it is.
    #[serde(default)]
    dedupe_seconds: Option<i64>,
    /// A template over the payload that tells what is the same, such as `{{ order_id }}`. Absent or empty: the whole
    /// payload.
    #[serde(default)]
    dedupe_key: Option<String>,
    /// Whom its messages are for, at most 20: needed where the channel reaches persons (`email`, `sms`), refused elsewhere.
    #[serde(default)]
    recipients: Option<Vec<RuleRecipient>>,
    /// What becomes of a message in its receiver's quiet hours; a `code` goes out at all hours. Absent: it is deferred.
    #[serde(default)]
    quiet_hours: Option<QuietHoursPolicy>,
    /// What is sent instead when a message does not reach its person. Absent or null: nothing.
    #[serde(default)]
    fallback: Option<RuleFallback>,
    /// How many messages it sends within a time. Absent or null: as many as there are.
    #[serde(default)]
    throttle: Option<RuleThrottle>,
    /// After how many seconds in the queue it is told of a conversation, at most 30 days: needed with the key
    /// `conversation.waiting_long`, refused with any other.
    #[serde(default)]
    waiting_seconds: Option<i64>,
    /// When it sends by itself: it makes an event of its key at each of these times, and hears of no other. Absent or null: it
    /// waits for events.
    #[serde(default)]
    schedule: Option<RuleSchedule>,
    /// How it collects events and sends them as one message; not with a `schedule`, nor with the priority `code`. Absent or null:
    /// it sends one for each.
    #[serde(default)]
    digest: Option<RuleDigest>,
}

/// A change of a rule. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMessageRule {
    /// What it is called, at most 100 characters.
    #[serde(default)]
    title: Option<String>,
    /// For which events.
    #[serde(default)]
    key: Option<String>,
    /// What is said.
    #[serde(default)]
    template_id: Option<MessageTemplateId>,
    /// Where it goes.
    #[serde(default)]
    account_id: Option<ChannelAccountId>,
    /// Whether it is applied.
    #[serde(default)]
    status: Option<RuleStatus>,
    /// How urgent its sends are.
    #[serde(default)]
    priority: Option<MessagePriority>,
    /// What must hold of a payload, all of it.
    #[serde(default)]
    conditions: Option<Vec<Condition>>,
    /// How long a send waits, in seconds.
    #[serde(default)]
    delay_seconds: Option<i64>,
    /// How long a send may go out after that, in seconds; 0: for ever.
    #[serde(default)]
    ttl_seconds: Option<i64>,
    /// How long the same is not sent again, in seconds; 0: it is.
    #[serde(default)]
    dedupe_seconds: Option<i64>,
    /// The template that tells what is the same; empty: the whole payload.
    #[serde(default)]
    dedupe_key: Option<String>,
    /// Whom its messages are for.
    #[serde(default)]
    recipients: Option<Vec<RuleRecipient>>,
    /// What becomes of a message in its receiver's quiet hours.
    #[serde(default)]
    quiet_hours: Option<QuietHoursPolicy>,
    /// What is sent instead when a message does not reach its person; null: nothing.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<RuleFallback>)]
    fallback: Option<Option<RuleFallback>>,
    /// How many messages it sends within a time; null: as many as there are.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<RuleThrottle>)]
    throttle: Option<Option<RuleThrottle>>,
    /// After how many seconds in the queue it is told of a conversation; null when its key becomes another one.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    waiting_seconds: Option<Option<i64>>,
    /// When it sends by itself, from now on; null: it waits for events.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<RuleSchedule>)]
    schedule: Option<Option<RuleSchedule>>,
    /// How it collects events from now on; null: it sends a message for each.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<RuleDigest>)]
    digest: Option<Option<RuleDigest>>,
}

/// Which rules are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessageRules {
    /// Only those with this key.
    key: Option<String>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Create a rule
///
/// Every active rule whose key an event has is applied to it: several may send. A tenant has at most 1,000 rules, and at
/// most 50 with one key.
#[utoipa::path(tag = "message-centre", request_body = CreateMessageRule, responses(
    (status = 201, description = "Made.", body = MessageRule),
))]
#[post("/message-rules")]
pub async fn create_message_rule(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateMessageRule>,
) -> Result<HttpResponse> {
    let input = input.into_inner();
    let new = Given {
        title: Some(input.title),
        key: Some(input.key),
        template_id: Some(input.template_id),
        account_id: Some(input.account_id),
        status: input.status,
        priority: input.priority,
        conditions: input.conditions,
        delay_seconds: input.delay_seconds,
        ttl_seconds: input.ttl_seconds,
        dedupe_seconds: input.dedupe_seconds,
        dedupe_key: input.dedupe_key,
        recipients: input.recipients.map(recipients).transpose()?,
        quiet_hours: input.quiet_hours,
        fallback: Some(input.fallback),
        throttle: Some(input.throttle),
        waiting_seconds: Some(input.waiting_seconds),
        schedule: Some(input.schedule),
        digest: Some(input.digest),
    };
    let row = service::create(&app, caller.actor, new).await?;
    Ok(HttpResponse::Created().json(MessageRule::try_from(row)?))
}

/// List rules
///
/// In the order of their ids. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(ListMessageRules), responses(
    (status = 200, description = "A page of rules.", body = Page<MessageRule>),
))]
#[get("/message-rules")]
pub async fn list_message_rules(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMessageRules>,
) -> Result<web::Json<Page<MessageRule>>> {
    let ListMessageRules { key, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, key, PageQuery { limit, cursor }).await?;
    let Page { data, next_cursor } = page;
    let data = data.into_iter().map(MessageRule::try_from).collect::<Result<_>>()?;
    Ok(web::Json(Page { data, next_cursor }))
}

/// Read a rule
///
/// One that was deleted is `404`.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageRuleId, Path, description = "The rule.")),
    responses((status = 200, description = "The rule.", body = MessageRule)),
)]
#[get("/message-rules/{id}")]
pub async fn get_message_rule(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MessageRuleId>,
) -> Result<web::Json<MessageRule>> {
    let row = service::get(&app, caller.actor, id.into_inner()).await?;
    MessageRule::try_from(row).map(web::Json)
}

/// Update a rule
///
/// An absent field stays. What the rule made already is sent as it was made.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageRuleId, Path, description = "The rule.")),
    request_body = UpdateMessageRule,
    responses((status = 200, description = "The rule as it is now.", body = MessageRule)),
)]
#[patch("/message-rules/{id}")]
pub async fn update_message_rule(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageRuleId>,
    input: Body<UpdateMessageRule>,
) -> Result<web::Json<MessageRule>> {
    let input = input.into_inner();
    let change = Given {
        title: input.title,
        key: input.key,
        template_id: input.template_id,
        account_id: input.account_id,
        status: input.status,
        priority: input.priority,
        conditions: input.conditions,
        delay_seconds: input.delay_seconds,
        ttl_seconds: input.ttl_seconds,
        dedupe_seconds: input.dedupe_seconds,
        dedupe_key: input.dedupe_key,
        recipients: input.recipients.map(recipients).transpose()?,
        quiet_hours: input.quiet_hours,
        fallback: input.fallback,
        throttle: input.throttle,
        waiting_seconds: input.waiting_seconds,
        schedule: input.schedule,
        digest: input.digest,
    };
    let row = service::update(&app, caller.actor, id.into_inner(), change).await?;
    MessageRule::try_from(row).map(web::Json)
}

/// Delete a rule
///
/// What it made already is sent all the same.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageRuleId, Path, description = "The rule.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/message-rules/{id}")]
pub async fn delete_message_rule(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageRuleId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
