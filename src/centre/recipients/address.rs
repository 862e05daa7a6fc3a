//! Addresses as somebody writes them.

use crate::domain::centre::account::Channel;
use crate::domain::centre::mailbox::mailbox;
use crate::domain::centre::recipient::{e164, openid};
use crate::kernel::{MemberId, Result};
use crate::members::profile::Checker;

/// An address of a channel in the form in which it is used. Errors: `validation_failed` at `/address`.
pub fn usable(channel: Channel, given: &str) -> Result<String> {
    let mut check = Checker::default();
    let address = match channel {
        Channel::Email => {
            let address = check.email("/address", given);
            if let Err(fault) = mailbox(&address) {
                check.wrong("/address", "invalid", fault);
            }
            address
        }
        Channel::Sms => e164(given).unwrap_or_else(|| {
            check.wrong("/address", "invalid", "expected a number with its country, such as +8613800138000");
            String::new()
        }),
        Channel::InApp => {
            if given.parse::<MemberId>().is_err() {
                check.wrong("/address", "invalid", "expected the id of a member");
            }
            given.to_owned()
        }
        Channel::Wechat => openid(given).unwrap_or_else(|detail| {
            check.wrong("/address", "invalid", detail);
            String::new()
        }),
        Channel::Webhook | Channel::Robot => {
            check.wrong("/address", "invalid", format!("what goes to a {channel} has no address of its own"));
            String::new()
        }
    };
    check.finish().map(|()| address)
}
