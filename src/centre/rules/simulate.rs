//! The route that tries rules: what they would make of an event, and why.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::recipients::SimulatedReceiver;
use super::service::{self, Simulated};
use crate::app::App;
use crate::auth::Staff;
use crate::centre::events::reach::Delivery;
use crate::centre::fallbacks::plan::Plan;
use crate::centre::recipients::resolve::Receiver;
use crate::centre::templates::model::RenderedMessage;
use crate::domain::centre::event::DecisionKind;
use crate::http::json::Body;
use crate::kernel::{ChannelAccountId, MemberId, MessageRuleId, MessageTemplateId, Millis, Result};

/// An event that is only tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulateMessageRules {
    /// What kind of thing would happen.
    key: String,
    /// What would be known of it.
    #[schema(value_type = Object)]
    payload: Map<String, Value>,
    /// The customer whom it would be about. Absent or null: nobody.
    #[serde(default)]
    customer_id: Option<MemberId>,
}

/// What one rule would make of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulatedDecision {
    /// The rule.
    rule_id: MessageRuleId,
    /// What it would make of it. `duplicate` is never said here: nothing is looked up.
    decision: DecisionKind,
    /// Which condition does not hold, or what is wrong with the template; empty otherwise.
    detail: String,
    /// What would be sent.
    #[schema(required)]
    message: Option<RenderedMessage>,
    /// Whom it would be sent to; empty of webhooks and robots.
    receivers: Vec<SimulatedReceiver>,
    /// What would be sent instead; null: nothing.
    #[schema(required)]
    fallback: Option<SimulatedFallback>,
    /// The next times of the rule's schedule, at most 5; it is tried with the first of them instead of with the event. Empty of a
    /// rule that waits for events.
    next_times: Vec<Millis>,
}

/// What would be sent instead when a message does not reach its person.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulatedFallback {
    /// The template.
    template_id: MessageTemplateId,
    /// Where it would go.
    account_id: ChannelAccountId,
    /// What would be sent.
    #[schema(required)]
    message: Option<RenderedMessage>,
    /// What is wrong with the template; empty otherwise.
    detail: String,
    /// Whom it would be sent to of those whom the message would be sent to, and when, if it were at once; empty of webhooks
    /// and robots.
    receivers: Vec<SimulatedReceiver>,
}

impl From<(Plan, Vec<(Receiver, Delivery)>)> for SimulatedFallback {
    fn from((plan, receivers): (Plan, Vec<(Receiver, Delivery)>)) -> Self {
        Self {
            template_id: plan.fallback.template_id,
            account_id: plan.fallback.account_id,
            message: plan.rendered.map(|rendered| RenderedMessage::of(rendered, plan.locale)),
            detail: plan.fault,
            receivers: receivers.into_iter().map(SimulatedReceiver::from).collect(),
        }
    }
}

/// What every active rule with the key would make of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulatedDecisions {
    /// In the order of the rules' ids.
    data: Vec<SimulatedDecision>,
}

/// Simulate an event
///
/// Tells what every active rule with the key would make of it, and why. Nothing is stored or sent.
#[utoipa::path(tag = "message-centre", request_body = SimulateMessageRules, responses(
    (status = 200, description = "What each rule would do.", body = SimulatedDecisions),
))]
#[post("/message-rules/simulate")]
pub async fn simulate_message_rules(
    app: web::Data<App>,
    caller: Staff,
    input: Body<SimulateMessageRules>,
) -> Result<web::Json<SimulatedDecisions>> {
    let SimulateMessageRules { key, payload, customer_id } = input.into_inner();
    let found = service::simulate(&app, caller.actor, key, Value::Object(payload), customer_id).await?;
    let each = found.into_iter().map(|Simulated { rule, applied, locale, receivers, fallback, coming }| {
        SimulatedDecision {
            rule_id: rule.id,
            decision: applied.decision,
            detail: applied.detail,
            message: applied.rendered.map(|rendered| RenderedMessage::of(rendered, locale)),
            receivers: receivers.into_iter().map(SimulatedReceiver::from).collect(),
            fallback: fallback.map(SimulatedFallback::from),
            next_times: coming.into_iter().map(Millis).collect(),
        }
    });
    Ok(web::Json(SimulatedDecisions { data: each.collect() }))
}
