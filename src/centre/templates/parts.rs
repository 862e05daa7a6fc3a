//! The content of a template as requests and answers show it: a field for each channel, of which one is there.

use crate::domain::centre::account::Channel;
use crate::domain::centre::template::{
    Content, EmailContent, InAppContent, RobotContent, SmsContent, WebhookContent, WechatContent,
};
use crate::kernel::{Error, Result};

/// The fields of the channels.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub webhook: Option<WebhookContent>,
    pub robot: Option<RobotContent>,
    pub email: Option<EmailContent>,
    pub sms: Option<SmsContent>,
    pub in_app: Option<InAppContent>,
    pub wechat: Option<WechatContent>,
}

impl Parts {
    /// The content of this channel. Errors: `validation_failed` unless there is its field and no other.
    pub(super) fn of(self, channel: Channel) -> Result<Content> {
        let (own, others): (Vec<Content>, Vec<Content>) =
            self.contents().partition(|content| content.channel() == channel);
        match (own.into_iter().next(), others.first()) {
            (Some(content), None) => Ok(content),
            (Some(_), Some(other)) => {
                let detail = format!("the channel is {channel}");
                Err(Error::field(format!("/{}", other.channel()), "invalid", detail))
            }
            (None, _) => Err(Error::field(format!("/{channel}"), "required", "what the message says")),
        }
    }

    /// The only content that is there. Errors: `validation_failed` when there are several.
    pub(super) fn any(self) -> Result<Option<Content>> {
        let mut contents = self.contents();
        let content = contents.next();
        match contents.next() {
            Some(other) => {
                let detail = "a template has the content of one channel";
                Err(Error::field(format!("/{}", other.channel()), "invalid", detail))
            }
            None => Ok(content),
        }
    }

    fn contents(self) -> impl Iterator<Item = Content> {
        let each = [
            self.webhook.map(Content::Webhook),
            self.robot.map(Content::Robot),
            self.email.map(Content::Email),
            self.sms.map(Content::Sms),
            self.in_app.map(Content::InApp),
            self.wechat.map(Content::Wechat),
        ];
        each.into_iter().flatten()
    }
}

impl From<Content> for Parts {
    fn from(content: Content) -> Self {
        match content {
            Content::Webhook(content) => Self { webhook: Some(content), ..Self::default() },
            Content::Robot(content) => Self { robot: Some(content), ..Self::default() },
            Content::Email(content) => Self { email: Some(content), ..Self::default() },
            Content::Sms(content) => Self { sms: Some(content), ..Self::default() },
            Content::InApp(content) => Self { in_app: Some(content), ..Self::default() },
            Content::Wechat(content) => Self { wechat: Some(content), ..Self::default() },
        }
    }
}
