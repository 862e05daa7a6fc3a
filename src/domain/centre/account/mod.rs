//! Channel accounts: where messages go.
//!
//! Owns the providers with what each allows, the row of an account and what is sealed of it. Invariant: what is sealed is
//! shown by no `Debug`.

mod sms;
mod smtp;
mod wechat;

use std::time::Duration;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::send::MessagePriority;
use crate::db::schema::channel_account;
use crate::kernel::{ChannelAccountId, TenantId};
use crate::text_enum;

pub use sms::{
    APP_ID_MAX, AliyunSmsSettings, KEY_ID_MAX, REGION_MAX, SECRET_KEY_MAX, SIGN_NAME_MAX, TencentSmsSettings,
    TwilioSmsSettings,
};
pub use smtp::{FROM_NAME_MAX, HOST_MAX, PASSWORD_MAX, PORTS, SmtpSecurity, SmtpSettings, USERNAME_MAX};
pub use wechat::{AES_KEY_LEN, CALLBACK_TOKEN_MAX, OFFICIAL_APP_ID_MAX, WechatSettings};

/// Most channel accounts of a tenant.
pub const ACCOUNTS_MAX: i64 = 200;
/// Longest name of an account, template or rule, in characters.
pub const NAME_MAX: usize = 100;
/// Longest address of an account, in characters.
pub const URL_MAX: usize = 1_000;
/// Longest secret of a robot, in characters.
pub const SECRET_MAX: usize = 200;
/// How many failures in a row open the breaker of an account.
pub const BREAKER_FAILURES: i64 = 5;
/// How long the breaker is open at first, in milliseconds; each further failure doubles it.
pub const BREAKER_MS: i64 = 60_000;
/// How long the breaker is open at most, in milliseconds.
pub const BREAKER_MAX_MS: i64 = 30 * 60_000;

text_enum! {
    /// A kind of way to a receiver; a template is written for one.
    Channel {
        /// An HTTP request to an address of the merchant, signed as Standard Webhooks says.
        Webhook = "webhook",
        /// A robot in a group of another messenger.
        Robot = "robot",
        /// An e-mail to a person.
        Email = "email",
        /// A text message to a person's phone.
        Sms = "sms",
        /// A notification to a member inside the product (the source's EC).
        InApp = "in_app",
        /// A template message to a follower of an official account of WeChat (微信模板消息).
        Wechat = "wechat",
    }
}

impl Channel {
    /// Whether its messages go to persons: each has an address of its own. The others go to the address of their account.
    pub const fn has_recipients(self) -> bool {
        matches!(self, Self::Email | Self::Sms | Self::InApp | Self::Wechat)
    }
}

text_enum! {
    /// Whose protocol an account speaks.
    Provider {
        /// The merchant's own address, by Standard Webhooks.
        Webhook = "webhook",
        /// A group robot of WeCom (企业微信).
        WecomRobot = "wecom_robot",
        /// A group robot of DingTalk (钉钉).
        DingtalkRobot = "dingtalk_robot",
        /// A group robot of Feishu or Lark (飞书).
        FeishuRobot = "feishu_robot",
        /// An incoming webhook of Slack.
        SlackRobot = "slack_robot",
        /// A mail server of the merchant's (SMTP).
        Smtp = "smtp",
        /// Text messages by Aliyun (阿里云短信服务).
        AliyunSms = "aliyun_sms",
        /// Text messages by Tencent Cloud (腾讯云短信).
        TencentSms = "tencent_sms",
        /// Text messages by Twilio.
        TwilioSms = "twilio_sms",
        /// This service itself: notifications to its members.
        InApp = "in_app",
        /// An official account of WeChat (微信服务号).
        Wechat = "wechat",
    }
}

impl Provider {
    /// The channel that it belongs to.
    pub const fn channel(self) -> Channel {
        match self {
            Self::Webhook => Channel::Webhook,
            Self::WecomRobot | Self::DingtalkRobot | Self::FeishuRobot | Self::SlackRobot => Channel::Robot,
            Self::Smtp => Channel::Email,
            Self::AliyunSms | Self::TencentSms | Self::TwilioSms => Channel::Sms,
            Self::InApp => Channel::InApp,
            Self::Wechat => Channel::Wechat,
        }
    }

    /// Whether an account is a `url`. The others have settings of their own, in the field that is named as the provider.
    pub const fn has_url(self) -> bool {
        matches!(self.channel(), Channel::Webhook | Channel::Robot)
    }

    /// Whether an account with settings may have a `url` as well, which stands for the provider's own.
    pub const fn may_have_url(self) -> bool {
        matches!(self.channel(), Channel::Sms | Channel::Wechat)
    }

    /// The hosts that its addresses have, the usual one first; empty: any.
    pub const fn hosts(self) -> &'static [&'static str] {
        match self {
            Self::Webhook | Self::Smtp | Self::InApp => &[],
            Self::WecomRobot => &["qyapi.weixin.qq.com"],
            Self::DingtalkRobot => &["oapi.dingtalk.com"],
            Self::FeishuRobot => &["open.feishu.cn", "open.larksuite.com"],
            Self::SlackRobot => &["hooks.slack.com"],
            Self::AliyunSms => &["dysmsapi.aliyuncs.com", "dysmsapi.ap-southeast-1.aliyuncs.com"],
            Self::TencentSms => &["sms.tencentcloudapi.com"],
            Self::TwilioSms => &["api.twilio.com"],
            Self::Wechat => &[
                "api.weixin.qq.com",
                "api2.weixin.qq.com",
                "sh.api.weixin.qq.com",
                "sz.api.weixin.qq.com",
                "hk.api.weixin.qq.com",
            ],
        }
    }

    /// Whether a receiver knows a message that it gets twice by its id, so that one whose fate is unknown can be sent
    /// again. Robots, mail servers and phones show whatever they get.
    pub const fn is_replay_safe(self) -> bool {
        matches!(self, Self::Webhook | Self::InApp)
    }

    /// For how long after an attempt that may have arrived a receiver knows a repeat by its id, in milliseconds. WeChat
    /// delivers one message for each `client_msg_id` and openid within ten minutes (发送模板消息); one of them is kept for
    /// clocks and the way.
    pub const fn knows_repeats_ms(self) -> i64 {
        match self {
            Self::Webhook | Self::InApp => i64::MAX,
            Self::Wechat => 9 * 60_000,
            _ => 0,
        }
    }

    /// Whether it says later whether messages arrived.
    pub const fn has_receipts(self) -> bool {
        matches!(self.channel(), Channel::Sms | Channel::Wechat)
    }

    /// How many messages an account takes within how many seconds; 0: no limit of the provider's. WeCom and DingTalk
    /// take 20 a minute (DingTalk blocks a robot for ten minutes beyond that), Feishu 100 a minute, Slack about one a
    /// second. Of text messages Aliyun takes 5 000 and Tencent Cloud 3 000 a second, which are many more than go out.
    pub const fn limit(self) -> (i64, i64) {
        match self {
            Self::Webhook | Self::Smtp | Self::InApp => (0, 0),
            Self::AliyunSms | Self::TencentSms | Self::TwilioSms => (0, 0),
            Self::WecomRobot | Self::DingtalkRobot => (20, 60),
            Self::FeishuRobot => (100, 60),
            Self::SlackRobot => (1, 1),
            // What bursts it bears WeChat does not say; beyond some hundreds at once it answers -1.
            Self::Wechat => (50, 1),
        }
    }

    /// How many requests of one process to an account may be under way.
    pub const fn concurrency(self) -> usize {
        match self {
            Self::Webhook => 50,
            Self::WecomRobot | Self::DingtalkRobot | Self::FeishuRobot | Self::Smtp => 5,
            Self::SlackRobot => 1,
            Self::AliyunSms | Self::TencentSms | Self::TwilioSms | Self::InApp | Self::Wechat => 20,
        }
    }

    /// How long an attempt may take in all. A mail server may think long about the last reply.
    pub const fn attempt_limit(self) -> Duration {
        match self {
            Self::Smtp => Duration::from_secs(430),
            // A message that comes back because its token is stale goes out again with another one.
            Self::Wechat => Duration::from_secs(60),
            _ => Duration::from_secs(20),
        }
    }

    /// Whether an attempt may take minutes. Such accounts have workers of their own.
    pub const fn is_patient(self) -> bool {
        self.attempt_limit().as_secs() > 60
    }

    /// How long is waited before the second, third … attempt, in seconds; after the last one the send has failed. Of
    /// webhooks these are the ten attempts of Standard Webhooks. A code is of use for minutes only.
    pub const fn backoff(self, priority: MessagePriority) -> &'static [i64] {
        match self {
            Self::Webhook => &[5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
            // Where a server that does not know the sender yet puts it off (greylisting), hours must pass.
            Self::Smtp => &[5, 30, 120, 600, 3_600, 21_600],
            Self::AliyunSms | Self::TencentSms | Self::TwilioSms | Self::Wechat => match priority {
                MessagePriority::Code => &[2, 5, 15],
                _ => &[5, 30, 120, 600, 3_600, 21_600],
            },
            _ => &[15, 60, 660],
        }
    }
}

text_enum! {
    /// Whether an account is used.
    AccountStatus {
        /// Sends go out.
        Active = "active",
        /// Nothing goes out; what is queued waits.
        Disabled = "disabled",
    }
}

text_enum! {
    /// Why nothing is sent to an account for a while.
    PauseReason {
        /// So many attempts failed in a row that the next one is put off.
        Failures = "failures",
        /// The provider refused what the account is set to: its address, its secret or its rights.
        Configuration = "configuration",
        /// The provider asked to slow down.
        Slow = "slow",
    }
}

/// A row of `channel_account`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = channel_account, treat_none_as_default_value = false)]
pub struct AccountRow {
    /// The account.
    pub id: ChannelAccountId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What the merchant calls it.
    pub name: String,
    /// Whose protocol it speaks.
    pub provider: Provider,
    /// Whether it is used.
    pub status: AccountStatus,
    /// The sealed JSON of [`Config`].
    pub sealed_config: String,
    /// The host of its address, which may be shown.
    pub host: String,
    /// How many messages it takes within `limit_seconds`; 0: no limit.
    pub limit_count: i64,
    /// The length of the window of its limit, in seconds.
    pub limit_seconds: i64,
    /// How many attempts failed in a row.
    pub fail_streak: i64,
    /// Nothing is sent before this, unix milliseconds.
    pub paused_until: i64,
    /// Why.
    pub pause_reason: Option<PauseReason>,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it last changed, unix milliseconds.
    pub updated_at: i64,
    /// When it was deleted, unix milliseconds.
    pub deleted_at: Option<i64>,
}

/// What an account of a provider without a plain address is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settings {
    /// A mail server.
    Smtp(SmtpSettings),
    /// An account for text messages with Aliyun.
    AliyunSms(AliyunSmsSettings),
    /// An account for text messages with Tencent Cloud.
    TencentSms(TencentSmsSettings),
    /// An account for text messages with Twilio.
    TwilioSms(TwilioSmsSettings),
    /// An official account of WeChat.
    Wechat(WechatSettings),
}

impl Settings {
    /// Whose they are; the field of a request is named so.
    pub const fn provider(&self) -> Provider {
        match self {
            Self::Smtp(_) => Provider::Smtp,
            Self::AliyunSms(_) => Provider::AliyunSms,
            Self::TencentSms(_) => Provider::TencentSms,
            Self::TwilioSms(_) => Provider::TwilioSms,
            Self::Wechat(_) => Provider::Wechat,
        }
    }

    /// In the form in which they are stored.
    pub fn in_form(self) -> Self {
        match self {
            Self::Smtp(settings) => Self::Smtp(settings.in_form()),
            Self::AliyunSms(settings) => Self::AliyunSms(settings.in_form()),
            Self::TencentSms(settings) => Self::TencentSms(settings.in_form()),
            Self::TwilioSms(settings) => Self::TwilioSms(settings.in_form()),
            Self::Wechat(settings) => Self::Wechat(settings.in_form()),
        }
    }

    /// What is wrong with them: the pointer inside the object, and one sentence.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Smtp(settings) => settings.fault(),
            Self::AliyunSms(settings) => settings.fault(),
            Self::TencentSms(settings) => settings.fault(),
            Self::TwilioSms(settings) => settings.fault(),
            Self::Wechat(settings) => settings.fault(),
        }
    }

    /// With the secrets of the settings before, where none are given.
    pub fn keeping(self, before: &Self) -> Self {
        match (self, before) {
            (Self::Smtp(settings), Self::Smtp(before)) => Self::Smtp(settings.keeping(before)),
            (Self::AliyunSms(settings), Self::AliyunSms(before)) => Self::AliyunSms(settings.keeping(before)),
            (Self::TencentSms(settings), Self::TencentSms(before)) => {
                Self::TencentSms(settings.keeping(before))
            }
            (Self::TwilioSms(settings), Self::TwilioSms(before)) => Self::TwilioSms(settings.keeping(before)),
            (Self::Wechat(settings), Self::Wechat(before)) => Self::Wechat(settings.keeping(before)),
            (settings, _) => settings,
        }
    }
}

/// What is sealed: how the account is reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The address. Those of robots are secrets. Empty where there is none.
    pub url: String,
    /// What signs, if the account has it: of webhooks `whsec_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The secret before, of a webhook whose secret was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret: Option<String>,
    /// Until when the one before signs too, unix milliseconds.
    #[serde(default)]
    pub previous_until: i64,
    /// What the account is set to, of a provider that has more than an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// What the address for its receipts ends with: who knows it may report what it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_key: Option<String>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Config(…)")
    }
}
