//! The route of test sends.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, TestSend, Tested};
use crate::app::App;
use crate::auth::Admin;
use crate::centre::channels::transport::Transport;
use crate::centre::templates::model::RenderedMessage;
use crate::domain::centre::send::Outcome;
use crate::http::json::Body;
use crate::kernel::{ChannelAccountId, MessageSendId, MessageTemplateId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(test_send_message_template);
}

/// How a template is tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestMessageTemplate {
    /// Where it goes: an account of the template's channel that is not disabled.
    account_id: ChannelAccountId,
    /// Whom it goes to: needed where the channel reaches persons (an e-mail address, a phone with its country, of `in_app`
    /// the id of a member), refused elsewhere.
    #[serde(default)]
    address: Option<String>,
    /// The payload of an event. Absent: the samples of the variables.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    payload: Option<Map<String, Value>>,
    /// Which version was published that is to be tried. Absent: the draft.
    #[serde(default)]
    version: Option<i64>,
    /// As for whoever reads this language: a tag of BCP 47. Absent: as for somebody of whom that is not known.
    #[serde(default)]
    locale: Option<String>,
}

/// What came of a test send.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageTest {
    /// The id under which it went out, where a send's own stands otherwise. No send has it.
    id: MessageSendId,
    /// What came of it. `uncertain`: no answer came, and it may have arrived.
    outcome: Outcome,
    /// The status of the provider's HTTP answer.
    #[schema(required)]
    http_status: Option<i64>,
    /// The provider's code.
    #[schema(required)]
    code: Option<String>,
    /// What the provider said, or what kept it from saying anything; the account's secrets are left out.
    #[schema(required)]
    message: Option<String>,
    /// The provider's name for the message.
    #[schema(required)]
    provider_message_id: Option<String>,
    /// What was sent.
    rendered: RenderedMessage,
    /// Whom it went to, as the address is written.
    #[schema(required)]
    address: Option<String>,
    /// Whether somebody with this address has an opt-out on this channel. A test is sent all the same; what a rule makes
    /// may not be.
    opted_out: bool,
    /// Whether this address has a suppression on this channel. A test is sent all the same, to see whether the provider
    /// still refuses it; what a rule makes is not.
    suppressed: bool,
    /// How long the provider took, in milliseconds.
    duration_ms: i64,
}

impl From<Tested> for MessageTest {
    fn from(tested: Tested) -> Self {
        let Tested { id, answer, rendered, locale, address, opted_out, suppressed, duration } = tested;
        Self {
            id,
            outcome: answer.outcome,
            http_status: answer.http_status.map(i64::from),
            code: answer.code,
            message: answer.message,
            provider_message_id: answer.provider_message_id,
            rendered: RenderedMessage::of(rendered, locale),
            address,
            opted_out,
            suppressed,
            duration_ms: i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// Send a test
///
/// Renders the draft, or a version, and sends it through the account's real provider: once, at once, outside of the queue.
/// The answer says what the provider said, within 45 seconds, and is `200` whatever that was: `outcome` tells. A disabled
/// account is refused with `409 invalid_transition`, one that takes no more at present with `429 rate_limited`; a paused one
/// is tried. Opt-outs, suppressions and quiet hours do not apply. Every call sends: who repeats one may be heard twice.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageTemplateId, Path, description = "The template.")),
    request_body = TestMessageTemplate,
    responses((status = 200, description = "What came of it.", body = MessageTest)),
)]
#[post("/message-templates/{id}/test_send")]
pub async fn test_send_message_template(
    app: web::Data<App>,
    transport: web::Data<Transport>,
    caller: Admin,
    id: web::Path<MessageTemplateId>,
    input: Body<TestMessageTemplate>,
) -> Result<web::Json<MessageTest>> {
    let TestMessageTemplate { account_id, address, payload, version, locale } = input.into_inner();
    let payload = payload.map(Value::Object);
    let wanted = TestSend { account: account_id, address, payload, version, locale };
    let tested = service::test(&app, &transport, caller.actor, id.into_inner(), wanted).await?;
    Ok(web::Json(tested.into()))
}
