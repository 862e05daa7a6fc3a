//! The content of a template as requests and answers show it: a field for each channel, of which one is there.

use crate::domain::centre::account::Channel;
use crate::domain::centre::template::{Content, EmailContent, RobotContent, SmsContent, WebhookContent};
use crate::kernel::{Error, Result};

/// The fields of the channels.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub webhook: Option<WebhookContent>,
    pub robot: Option<RobotContent>,
    pub email: Option<EmailContent>,
    pub sms: Option<SmsContent>,
}

impl Parts {
    /// The content of this channel. Errors: `validation_failed` unless there is its field and no other.
    pub(super) fn of(self, channel: Channel) -> Result<Content> {
        match self.any()? {
            Some(content) if content.channel() == channel => Ok(content),
            Some(content) => {
                let field = format!("/{}", content.channel());
                Err(Error::field(field, "invalid", format!("the channel is {channel}")))
            }
            None => Err(Error::field(format!("/{channel}"), "required", "what the message says")),
        }
    }

    /// The only content that is there. Errors: `validation_failed` when there are several.
    pub(super) fn any(self) -> Result<Option<Content>> {
        let found = [
            self.webhook.map(Content::Webhook),
            self.robot.map(Content::Robot),
            self.email.map(Content::Email),
            self.sms.map(Content::Sms),
        ];
        let mut found = found.into_iter().flatten();
        let content = found.next();
        match found.next() {
            Some(other) => {
                let field = format!("/{}", other.channel());
                Err(Error::field(field, "invalid", "a template has the content of one channel"))
            }
            None => Ok(content),
        }
    }
}

impl From<Content> for Parts {
    fn from(content: Content) -> Self {
        match content {
            Content::Webhook(content) => Self { webhook: Some(content), ..Self::default() },
            Content::Robot(content) => Self { robot: Some(content), ..Self::default() },
            Content::Email(content) => Self { email: Some(content), ..Self::default() },
            Content::Sms(content) => Self { sms: Some(content), ..Self::default() },
        }
    }
}
