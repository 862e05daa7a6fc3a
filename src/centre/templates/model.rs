//! Templates as requests and answers show them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::parts::Parts;
use super::service;
use crate::domain::centre::account::Channel;
use crate::domain::centre::template::{
    EmailContent, InAppContent, Rendered, RobotContent, RobotFormat, SmsContent, SmsParameter, TemplateRow,
    Translation, Variable, VersionRow, WebhookContent, WechatContent, WechatMiniProgram,
};
use crate::kernel::json::given;
use crate::kernel::{Error, MessageTemplateId, Millis, Result};

/// What is said on a channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageTemplate {
    /// The template.
    pub(super) id: MessageTemplateId,
    /// What the merchant calls it.
    pub(super) name: String,
    /// For which channel.
    pub(super) channel: Channel,
    /// What the draft says, of the channel `webhook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) webhook: Option<WebhookContent>,
    /// What the draft says, of the channel `robot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) robot: Option<RobotContent>,
    /// What the draft says, of the channel `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<EmailContent>,
    /// What the draft says, of the channel `sms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sms: Option<SmsContent>,
    /// What the draft says, of the channel `in_app`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) in_app: Option<InAppContent>,
    /// What the draft says, of the channel `wechat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wechat: Option<WechatContent>,
    /// The language of what the draft says: a tag of BCP 47 such as `zh-CN`; null: not told.
    #[schema(required)]
    pub(super) locale: Option<String>,
    /// The same in other languages.
    pub(super) translations: Vec<MessageTranslation>,
    /// The fields of payloads that the draft uses.
    pub(super) variables: Vec<Variable>,
    /// The version that is published and that rules send; null: none yet.
    #[schema(required)]
    pub(super) version: Option<i64>,
    /// Whether the draft differs from what is published.
    pub(super) changed: bool,
    /// When it was made.
    pub(super) created_at: Millis,
    /// When it was last changed or published.
    pub(super) updated_at: Millis,
}

impl TryFrom<TemplateRow> for MessageTemplate {
    type Error = Error;

    fn try_from(row: TemplateRow) -> Result<Self> {
        let (contents, variables) = row.read()?;
        let Parts { webhook, robot, email, sms, in_app, wechat } = contents.content.into();
        Ok(Self {
            id: row.id,
            name: row.name,
            channel: row.channel,
            webhook,
            robot,
            email,
            sms,
            in_app,
            wechat,
            locale: contents.locale,
            translations: contents.translations.into_iter().map(MessageTranslation::from).collect(),
            variables,
            version: (row.version > 0).then_some(row.version),
            changed: row.changed,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

/// What is said in another language. It has the field of the template's channel, and no other one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageTranslation {
    /// The language: a tag of BCP 47 such as `en`.
    locale: String,
    /// What it says, of the channel `email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<EmailContent>,
    /// What it says, of the channel `sms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sms: Option<SmsContent>,
    /// What it says, of the channel `in_app`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_app: Option<InAppContent>,
    /// What it says, of the channel `wechat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wechat: Option<WechatContent>,
}

impl From<Translation> for MessageTranslation {
    fn from(one: Translation) -> Self {
        let Parts { email, sms, in_app, wechat, .. } = one.content.into();
        Self { locale: one.locale, email, sms, in_app, wechat }
    }
}

impl MessageTranslation {
    /// What is asked for, as number `index` of a list. Errors: `validation_failed` unless there is one content.
    pub(super) fn asked(self, index: usize) -> Result<Translation> {
        let Self { locale, email, sms, in_app, wechat } = self;
        let pointer = format!("/translations/{index}");
        let parts = Parts { email, sms, in_app, wechat, ..Parts::default() };
        let content = parts.any().ok().flatten();
        let content = content.ok_or_else(|| {
            Error::field(&pointer, "invalid", "has what is said on the template's channel, once")
        })?;
        Ok(Translation { locale: service::locale(&format!("{pointer}/locale"), &locale)?, content })
    }
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageTemplateVersion {
    /// The version, from 1.
    pub(super) version: i64,
    /// What it says, of the channel `webhook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) webhook: Option<WebhookContent>,
    /// What it says, of the channel `robot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) robot: Option<RobotContent>,
    /// What it says, of the channel `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<EmailContent>,
    /// What it says, of the channel `sms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sms: Option<SmsContent>,
    /// What it says, of the channel `in_app`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) in_app: Option<InAppContent>,
    /// What it says, of the channel `wechat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wechat: Option<WechatContent>,
    /// The language of what it says; null: not told.
    #[schema(required)]
    pub(super) locale: Option<String>,
    /// The same in other languages.
    pub(super) translations: Vec<MessageTranslation>,
    /// The fields of payloads that it uses.
    pub(super) variables: Vec<Variable>,
    /// When it was published.
    pub(super) created_at: Millis,
}

impl TryFrom<VersionRow> for MessageTemplateVersion {
    type Error = Error;

    fn try_from(row: VersionRow) -> Result<Self> {
        let (contents, variables) = row.read()?;
        let Parts { webhook, robot, email, sms, in_app, wechat } = contents.content.into();
        Ok(Self {
            version: row.version,
            webhook,
            robot,
            email,
            sms,
            in_app,
            wechat,
            locale: contents.locale,
            translations: contents.translations.into_iter().map(MessageTranslation::from).collect(),
            variables,
            created_at: Millis(row.created_at),
        })
    }
}

/// A template that is to be made. It has the field of its channel, and no other one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageTemplate {
    /// What it is called, at most 100 characters.
    pub(super) name: String,
    /// For which channel; it stays.
    pub(super) channel: Channel,
    /// What it says, of the channel `webhook`.
    #[serde(default)]
    pub(super) webhook: Option<WebhookContent>,
    /// What it says, of the channel `robot`.
    #[serde(default)]
    pub(super) robot: Option<RobotContent>,
    /// What it says, of the channel `email`: a text, HTML, or both.
    #[serde(default)]
    pub(super) email: Option<EmailContent>,
    /// What it says, of the channel `sms`: a text, the code of the provider's template, or both.
    #[serde(default)]
    pub(super) sms: Option<SmsContent>,
    /// What it says, of the channel `in_app`.
    #[serde(default)]
    pub(super) in_app: Option<InAppContent>,
    /// What it says, of the channel `wechat`.
    #[serde(default)]
    pub(super) wechat: Option<WechatContent>,
    /// The language of what it says: a tag of BCP 47 such as `zh-CN`. Absent: not told.
    #[serde(default)]
    pub(super) locale: Option<String>,
    /// The same in other languages, at most 20, on channels whose messages go to persons. Each person is told the nearest to
    /// the language that it reads, and who reads none of them what stands above. Absent: none.
    #[serde(default)]
    pub(super) translations: Vec<MessageTranslation>,
    /// The fields of payloads that it uses. Absent: none.
    #[serde(default)]
    pub(super) variables: Vec<Variable>,
}

/// A change of a template's draft. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMessageTemplate {
    /// What it is called, at most 100 characters.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// What it says, of the channel `webhook`.
    #[serde(default)]
    pub(super) webhook: Option<WebhookContent>,
    /// What it says, of the channel `robot`.
    #[serde(default)]
    pub(super) robot: Option<RobotContent>,
    /// What it says, of the channel `email`: a text, HTML, or both.
    #[serde(default)]
    pub(super) email: Option<EmailContent>,
    /// What it says, of the channel `sms`: a text, the code of the provider's template, or both.
    #[serde(default)]
    pub(super) sms: Option<SmsContent>,
    /// What it says, of the channel `in_app`.
    #[serde(default)]
    pub(super) in_app: Option<InAppContent>,
    /// What it says, of the channel `wechat`.
    #[serde(default)]
    pub(super) wechat: Option<WechatContent>,
    /// The language of what it says; null: not told.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(super) locale: Option<Option<String>>,
    /// The same in other languages: the whole list.
    #[serde(default)]
    pub(super) translations: Option<Vec<MessageTranslation>>,
    /// The fields of payloads that it uses.
    #[serde(default)]
    pub(super) variables: Option<Vec<Variable>>,
}

/// With what a template is tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewMessageTemplate {
    /// The payload of an event. Absent: the samples of the variables.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(super) payload: Option<Map<String, Value>>,
    /// As for whoever reads this language: a tag of BCP 47. Absent: as for somebody of whom that is not known.
    #[serde(default)]
    pub(super) locale: Option<String>,
}

/// What is sent: of the channel `webhook` the fields `type` and `data`, of the channel `robot` `format`, `title` and `text`,
/// of the channel `email` `subject`, `text` and `html`, of the channel `sms` `text`, `code` and `params`, of the channel
/// `in_app` `title`, `body`, `link` and `data`, of the channel `wechat` `template_id`, `data`, `url` and `mini_program`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct RenderedMessage {
    /// In which language; absent: the template does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    /// The `type` of the body.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) event_type: Option<String>,
    /// The `data` of the body, or of a notification: any JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Value>,
    /// How the text is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<RobotFormat>,
    /// The title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// The HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) html: Option<String>,
    /// The code of the provider's template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// The text of a notification; may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    /// Where a notification leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    /// The values of the provider's template, in its order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) params: Option<Vec<SmsParameter>>,
    /// The template of the official account.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    /// The page that the message opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The mini program that the message opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    mini_program: Option<WechatMiniProgram>,
}

impl RenderedMessage {
    /// In this language, as far as the template tells.
    pub fn of(rendered: Rendered, locale: Option<String>) -> Self {
        Self { locale, ..Self::from(rendered) }
    }
}

impl From<Rendered> for RenderedMessage {
    fn from(rendered: Rendered) -> Self {
        match rendered {
            Rendered::Webhook { event_type, data } => {
                Self { event_type: Some(event_type), data: Some(data), ..Self::default() }
            }
            Rendered::Robot { format, title, text } => {
                Self { format: Some(format), title: Some(title), text: Some(text), ..Self::default() }
            }
            Rendered::Email { subject, text, html } => {
                Self { subject: Some(subject), text, html, ..Self::default() }
            }
            Rendered::Wechat(content) => Self {
                template_id: Some(content.template_id),
                data: serde_json::to_value(content.data).ok(),
                url: content.url,
                mini_program: content.mini_program,
                ..Self::default()
            },
            Rendered::Sms { text, code, params } => {
                Self { text, code, params: Some(params), ..Self::default() }
            }
            Rendered::InApp { title, body, link, data } => {
                Self { title: Some(title), body: Some(body), link, data, ..Self::default() }
            }
        }
    }
}
