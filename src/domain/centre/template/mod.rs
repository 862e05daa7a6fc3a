//! Templates: what is said on a channel, with the variables that an event's payload fills.
//!
//! Owns the form of a template's content, its translations, its check before it is saved, and its rendering. Invariants: rendering ends
//! after so much work and so much output, whatever the template says; a variable that is not declared, or not there, is
//! an error and never an empty text; a string that is one expression keeps the type of its value; in HTML what variables
//! hold is escaped.

mod render;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;
mod translations;
mod wechat;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use render::{render_text, samples};
pub use translations::{Contents, Published, Said, Translated, Translation};
pub use wechat::{
    FIELD_NAME_MAX, FIELDS_MAX, LIBRARY_ID_MAX, LINK_MAX, OPENED_PATH_MAX, WECHAT_TEMPLATE_ID_MAX,
    WechatContent, WechatField, WechatMiniProgram,
};

use super::account::{Channel, Provider};
use crate::db::schema::{message_template, message_template_version};
use crate::kernel::{MessageTemplateId, TenantId};
use crate::text_enum;

/// Most templates of a tenant.
pub const TEMPLATES_MAX: i64 = 1_000;
/// Most translations of a template.
pub const TRANSLATIONS_MAX: usize = 20;
/// Most variables of a template.
pub const VARIABLES_MAX: usize = 50;
/// Longest name of a variable, in characters.
pub const VARIABLE_NAME_MAX: usize = 64;
/// Largest sample of a variable, in bytes of JSON.
pub const SAMPLE_MAX: usize = 4_096;
/// Longest text of a robot's message before it is rendered, in characters.
pub const TEXT_MAX: usize = 10_000;
/// Longest title of a robot's message before it is rendered, in characters.
pub const TITLE_MAX: usize = 500;
/// Longest type of a webhook, in characters.
pub const TYPE_MAX: usize = 64;
/// Largest data of a webhook before it is rendered, in bytes of JSON.
pub const DATA_MAX: usize = 16_384;
/// Longest text or HTML of an e-mail before it is rendered, in characters.
pub const EMAIL_MAX: usize = 100_000;
/// Longest subject of an e-mail, rendered, in characters.
pub const SUBJECT_MAX: usize = 250;
/// Longest text of a text message, rendered, in characters: Twilio takes no more.
pub const SMS_MAX: usize = 1_600;
/// Longest code of a provider's template, in characters.
pub const SMS_CODE_MAX: usize = 64;
/// Most values of a provider's template.
pub const SMS_PARAMS_MAX: usize = 20;
/// Longest value of a provider's template, rendered, in characters.
pub const SMS_VALUE_MAX: usize = 200;
/// Largest message, rendered, in bytes: Standard Webhooks asks for less than 20 KB.
pub const BODY_MAX: usize = 20_000;
/// Largest e-mail, rendered, in bytes.
pub const EMAIL_BODY_MAX: usize = 262_144;
/// How many steps the rendering of one text may take.
const FUEL: u64 = 50_000;

text_enum! {
    /// What kind of value a variable has.
    VariableType {
        /// A text.
        String = "string",
        /// A number.
        Number = "number",
        /// True or false.
        Boolean = "boolean",
        /// A list.
        Array = "array",
        /// An object.
        Object = "object",
    }
}

impl VariableType {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// A field of the payload that a template uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name: the field of the payload. A letter or `_`, then letters, digits and `_`.
    pub name: String,
    /// What kind of value it has.
    #[serde(rename = "type")]
    pub variable_type: VariableType,
    /// Whether every payload has it. A template must get along without the others (`{{ name|default("") }}`).
    #[serde(default)]
    pub required: bool,
    /// A value for previews and for the check of the template.
    pub sample: Value,
}

text_enum! {
    /// How a robot shows its text.
    RobotFormat {
        /// As it is.
        Text = "text",
        /// With the marks of Markdown that the messenger knows.
        Markdown = "markdown",
    }
}

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookContent {
    /// The `type` of the body, such as `order.paid`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The `data` of the body: any JSON, whose strings are templates. A string that is nothing but one expression, such as
    /// `"{{ total }}"`, becomes the value with its type. Absent or null: the whole payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// What a robot says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RobotContent {
    /// How it is shown.
    pub format: RobotFormat,
    /// A template for the title; DingTalk shows it in the list of conversations. Absent: the first line of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A template for the text.
    pub text: String,
}

/// What an e-mail says: a text, HTML, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailContent {
    /// A template for the subject: one line.
    pub subject: String,
    /// A template for the plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A template for the HTML. What variables hold is escaped; `{{ value|safe }}` is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// A value for a provider's own template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsParameter {
    /// Its name in the provider's template; a provider that counts them takes them in their order.
    pub name: String,
    /// A template for the value.
    pub value: String,
}

/// What a text message says: a text, a template that the provider knows, or both for accounts of either kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsContent {
    /// A template for the text, of accounts that take texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The code of the template that the provider has approved, of accounts that take those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The values of the provider's template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<SmsParameter>,
}

/// What a notification inside the product says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InAppContent {
    /// A template for the title: one line.
    pub title: String,
    /// A template for the text. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// A template for where it leads: an http or https URL, or a path of the client's own that begins with `/`. Rendered
    /// to nothing or absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Whatever the client is given beside it: any JSON, whose strings are templates, as in a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// What a template says on its channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// To a webhook.
    Webhook(WebhookContent),
    /// To a robot.
    Robot(RobotContent),
    /// By e-mail.
    Email(EmailContent),
    /// By text message.
    Sms(SmsContent),
    /// Inside the product.
    InApp(InAppContent),
    /// To a follower of an official account of WeChat.
    Wechat(WechatContent),
}

impl Content {
    /// What a provider needs that is not here; `None`: it can send this.
    pub fn lacks(&self, provider: Provider) -> Option<&'static str> {
        match (self, provider) {
            (Self::Sms(sms), Provider::AliyunSms | Provider::TencentSms) if sms.code.is_none() => {
                Some("code")
            }
            (Self::Sms(sms), Provider::TwilioSms) if sms.text.is_none() => Some("text"),
            _ => None,
        }
    }

    /// The channel that it is for.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Webhook(_) => Channel::Webhook,
            Self::Robot(_) => Channel::Robot,
            Self::Email(_) => Channel::Email,
            Self::Sms(_) => Channel::Sms,
            Self::InApp(_) => Channel::InApp,
            Self::Wechat(_) => Channel::Wechat,
        }
    }
}

/// What is sent: a rendered content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rendered {
    /// To a webhook: `type` and `data`.
    Webhook {
        /// The `type` of the body.
        #[serde(rename = "type")]
        event_type: String,
        /// The `data` of the body.
        data: Value,
    },
    /// To a robot.
    Robot {
        /// How it is shown.
        format: RobotFormat,
        /// The title.
        title: String,
        /// The text.
        text: String,
    },
    /// By e-mail.
    Email {
        /// The subject.
        subject: String,
        /// The plain text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The HTML.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        html: Option<String>,
    },
    /// By text message.
    Sms {
        /// The text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The code of the provider's template.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// The values of the provider's template, in its order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        params: Vec<SmsParameter>,
    },
    /// Inside the product.
    InApp {
        /// The title.
        title: String,
        /// The text; may be empty.
        body: String,
        /// Where it leads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
        /// What the client is given beside it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
    },
    /// To a follower of an official account of WeChat: the content with everything in it rendered.
    Wechat(WechatContent),
}

impl Rendered {
    /// The channel that it is for.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Webhook { .. } => Channel::Webhook,
            Self::Robot { .. } => Channel::Robot,
            Self::Email { .. } => Channel::Email,
            Self::Sms { .. } => Channel::Sms,
            Self::InApp { .. } => Channel::InApp,
            Self::Wechat(_) => Channel::Wechat,
        }
    }
}

/// Why a template cannot be used: in which field, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer from the template's root.
    pub pointer: String,
    /// One sentence.
    pub detail: String,
}

impl Fault {
    fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// A row of `message_template`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_template, treat_none_as_default_value = false)]
pub struct TemplateRow {
    /// The template.
    pub id: MessageTemplateId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What the merchant calls it.
    pub name: String,
    /// For which channel.
    pub channel: Channel,
    /// The draft: JSON of [`Content`].
    pub content: String,
    /// The draft's variables: a JSON list of [`Variable`].
    pub variables: String,
    /// The version that is published; 0: none.
    pub version: i64,
    /// Whether the draft differs from it.
    pub changed: bool,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it last changed, unix milliseconds.
    pub updated_at: i64,
    /// When it was deleted, unix milliseconds.
    pub deleted_at: Option<i64>,
    /// The language of the draft; `None`: not told.
    pub locale: Option<String>,
    /// The draft in other languages: a JSON list of [`Translation`]; `None`: there is none.
    pub translations: Option<String>,
}

/// A row of `message_template_version`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_template_version, treat_none_as_default_value = false)]
pub struct VersionRow {
    /// Of which template.
    pub template_id: MessageTemplateId,
    /// The version, from 1.
    pub version: i64,
    /// Whose.
    pub tenant_id: TenantId,
    /// JSON of [`Content`].
    pub content: String,
    /// A JSON list of [`Variable`].
    pub variables: String,
    /// When it was published, unix milliseconds.
    pub created_at: i64,
    /// The language of `content`; `None`: not told.
    pub locale: Option<String>,
    /// The same in other languages: a JSON list of [`Translation`]; `None`: there is none.
    pub translations: Option<String>,
}
