//! Channels: the providers' protocols.
//!
//! Owns what goes out of a message ([`carriage`]), how it is carried ([`carry`]) and what the answer means. The first and the
//! last are pure, one file for each provider; with mail servers there is a conversation instead ([`smtp`]). Invariants: an
//! answer counts as acceptance only if the provider says so in its own words, whatever the HTTP status; secrets stand in no
//! error.

pub mod aliyun;
pub mod dingtalk;
pub mod feishu;
pub mod hidden;
pub mod in_app;
pub mod reports;
pub mod slack;
mod sms;
pub mod smtp;
pub mod tencent;
pub mod transport;
pub mod twilio;
pub mod webhook;
pub mod wechat;
pub mod wechat_callback;
pub mod wechat_follow;
pub mod wechat_qr;
pub mod wecom;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::domain::centre::account::{Config, Provider, Settings};
use crate::domain::centre::send::Outcome;
use crate::domain::centre::template::Rendered;
use crate::journal::Journal;
use crate::journal::commands::Notify;
use crate::kernel::secret::random_key;
use crate::kernel::{Error, MessageSendId, Millis, Result, TenantId};
use transport::Transport;

/// A message on its way.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Which one.
    pub id: MessageSendId,
    /// When it was made.
    pub created_at: Millis,
    /// The receiver's address; empty where the account has the only one.
    pub address: &'a str,
    /// What it says.
    pub rendered: &'a Rendered,
    /// Where its receiver says that it wants no more of the kind.
    pub unsubscribe_at: Option<&'a str>,
    /// The present time.
    pub now: Millis,
}

/// An HTTP request to a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Where to.
    pub url: String,
    /// The type of the body.
    pub content_type: &'static str,
    /// Headers beside it.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// With a JSON body.
    pub fn json(url: impl Into<String>, body: String) -> Self {
        Self { url: url.into(), content_type: JSON, headers: Vec::new(), body }
    }
}

/// The type of a JSON body.
pub const JSON: &str = "application/json";

/// The provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status of the answer.
    pub status: u16,
    /// The `Retry-After` of the answer, in milliseconds.
    pub retry_after_ms: Option<i64>,
    /// The beginning of the body.
    pub body: String,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The class.
    pub outcome: Outcome,
    /// The status of the answer, if there was one.
    pub http_status: Option<u16>,
    /// The provider's code.
    pub code: Option<String>,
    /// What the provider said, or what kept it from saying anything.
    pub message: Option<String>,
    /// The provider's name for the message.
    pub provider_message_id: Option<String>,
    /// How long the provider wishes to be left alone, in milliseconds.
    pub retry_after_ms: Option<i64>,
}

impl Answer {
    /// An attempt that ended without an answer of the provider's.
    pub fn without_reply(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            http_status: None,
            code: None,
            message: Some(message.into()),
            provider_message_id: None,
            retry_after_ms: None,
        }
    }

    /// What a reply means.
    fn of(reply: &Reply, outcome: Outcome, code: Option<String>, message: Option<String>) -> Self {
        Self {
            outcome,
            http_status: Some(reply.status),
            code,
            message,
            provider_message_id: None,
            retry_after_ms: reply.retry_after_ms,
        }
    }
}

/// What goes out of a message.
#[derive(Clone)]
pub enum Carriage {
    /// A request.
    Http(Request),
    /// A request that needs an access token of the account's (`centre::tokens`).
    Tokened(Request),
    /// A message to a mail server.
    Mail(Box<smtp::Envelope>),
    /// A notification inside the product.
    InApp(Notify),
    /// Nothing: what came of it is known without asking.
    Nothing(Answer),
}

impl From<std::result::Result<Request, Answer>> for Carriage {
    fn from(made: std::result::Result<Request, Answer>) -> Self {
        made.map_or_else(Self::Nothing, Self::Http)
    }
}

/// What goes out of a message by this account; `receipts_at` is the address at which the account takes receipts, if the
/// world knows one. Fails when the message is not for this channel.
pub fn carriage(
    provider: Provider,
    config: &Config,
    message: Message<'_>,
    receipts_at: Option<&str>,
) -> Result<Carriage> {
    let own = config.url.as_str();
    let request = match (provider, message.rendered, &config.settings) {
        (Provider::Webhook, Rendered::Webhook { event_type, data }, _) => {
            webhook::request(config, message, event_type, data)?
        }
        (Provider::WecomRobot, Rendered::Robot { format, title, text }, _) => {
            wecom::request(config, *format, title, text)
        }
        (Provider::DingtalkRobot, Rendered::Robot { format, title, text }, _) => {
            dingtalk::request(config, message.now, *format, title, text)?
        }
        (Provider::FeishuRobot, Rendered::Robot { format, title, text }, _) => {
            feishu::request(config, message.now, *format, title, text)?
        }
        (Provider::SlackRobot, Rendered::Robot { title, text, .. }, _) => slack::request(config, title, text),
        (_, Rendered::Sms { .. }, Some(Settings::AliyunSms(settings))) => {
            return Ok(aliyun::request(own, settings, message, &random_key(16)).into());
        }
        (_, Rendered::Sms { .. }, Some(Settings::TencentSms(settings))) => {
            return Ok(tencent::request(own, settings, message).into());
        }
        (_, Rendered::Sms { .. }, Some(Settings::TwilioSms(settings))) => {
            let callback = receipts_at.map(|url| format!("{url}?{}={}", reports::SEND, message.id));
            return Ok(twilio::request(own, settings, message, callback.as_deref()).into());
        }
        (Provider::Wechat, Rendered::Wechat(content), _) => {
            let made = wechat::request(own, message, content);
            return Ok(made.map_or_else(Carriage::Nothing, Carriage::Tokened));
        }
        (Provider::Smtp, Rendered::Email { .. }, _) => {
            return Ok(Carriage::Mail(Box::new(smtp::envelope(config, message)?)));
        }
        (Provider::InApp, Rendered::InApp { title, body, link, data }, _) => {
            let data = data.as_ref().map(Value::to_string);
            return Ok(Carriage::InApp(in_app::notify(message, title, body, link.as_deref(), data)?));
        }
        _ => return Err(Error::internal("the message is of another channel than the account")),
    };
    Ok(Carriage::Http(request))
}

/// Carries what goes out of a message of this tenant, and gives what came of it. What needs an access
/// token goes by `centre::tokens`.
pub async fn carry(
    (transport, journal): (&Transport, &Journal),
    (tenant, provider): (TenantId, Provider),
    carriage: Carriage,
) -> Answer {
    match carriage {
        Carriage::Http(request) => match transport.carry(request).await {
            Ok(reply) => judge(provider, &reply),
            Err(answer) => answer,
        },
        Carriage::Mail(envelope) => transport.mail().carry(&envelope).await,
        Carriage::InApp(notify) => in_app::carry(journal, tenant, notify).await,
        Carriage::Tokened(_) => Answer::without_reply(Outcome::NoToken, "the request has no access token"),
        Carriage::Nothing(answer) => answer,
    }
}

/// What an answer means.
fn judge(provider: Provider, reply: &Reply) -> Answer {
    match provider {
        Provider::Webhook => webhook::judge(reply),
        Provider::WecomRobot => coded(reply, "errcode", "errmsg", wecom::outcome),
        Provider::DingtalkRobot => coded(reply, "errcode", "errmsg", dingtalk::outcome),
        Provider::FeishuRobot => coded(reply, "code", "msg", feishu::outcome),
        Provider::SlackRobot => slack::judge(reply),
        // Neither a mail server nor the journal speaks HTTP; what needs a token is judged where it is carried.
        Provider::Smtp | Provider::InApp | Provider::Wechat => {
            Answer::of(reply, Outcome::Uncertain, None, said(reply))
        }
        Provider::AliyunSms => aliyun::judge(reply),
        Provider::TencentSms => tencent::judge(reply),
        Provider::TwilioSms => twilio::judge(reply),
    }
}

/// What an answer of a provider means that tells its own code in a JSON body: 0 is success, and nothing else is.
fn coded(
    reply: &Reply,
    code_field: &str,
    text_field: &str,
    outcome: fn(i64) -> (Outcome, Option<i64>),
) -> Answer {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let code = body[code_field].as_i64();
    let text = body[text_field].as_str().map(str::to_owned);
    let (class, wish) = match (code, reply.status) {
        (Some(0), 200..=299) => (Outcome::Accepted, None),
        (Some(code), _) if code != 0 => outcome(code),
        (_, 429) => (Outcome::Slow, None),
        // A gateway that gave up does not know what happened behind it.
        (_, 504) => (Outcome::Uncertain, None),
        (_, 500..) => (Outcome::Retry, None),
        (_, 400..=499) => (Outcome::Configuration, None),
        // Success without the provider's word for it.
        _ => (Outcome::Uncertain, None),
    };
    let answer = Answer::of(reply, class, code.map(|code| code.to_string()), text.or_else(|| said(reply)));
    Answer { retry_after_ms: answer.retry_after_ms.or(wish), ..answer }
}

/// The beginning of what was said.
fn said(reply: &Reply) -> Option<String> {
    let text: String = reply.body.chars().take(500).collect();
    (!text.trim().is_empty()).then_some(text)
}

/// HMAC-SHA256 as base64.
fn signed(key: &[u8], text: &[u8]) -> Result<String> {
    let code = hmac_sha256(key, text);
    code.map(|code| STANDARD.encode(code))
        .ok_or_else(|| Error::internal("a message cannot be signed with this key"))
}

/// HMAC-SHA256. `None` never happens: it takes keys of every length.
fn hmac_sha256(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac.finalize().into_bytes().to_vec())
}
