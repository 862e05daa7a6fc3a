//! Notifications: messages that stay inside the product. They go through the journal, and no network.

use crate::centre::channels::{Answer, Message};
use crate::domain::actor::Principal;
use crate::domain::centre::send::Outcome;
use crate::journal::commands::Notify;
use crate::journal::{Command, Journal};
use crate::kernel::{Code, Error, MemberId, Result, TenantId};

/// How long is waited when the journal is busy, in milliseconds.
const BUSY_MS: i64 = 1_000;

/// What the journal is asked for. Fails when the address is no member.
pub fn notify(
    message: Message<'_>,
    title: &str,
    body: &str,
    link: Option<&str>,
    data: Option<String>,
) -> Result<Notify> {
    let member: MemberId =
        message.address.parse().map_err(|_| Error::internal("the address of a notification is no member"))?;
    Ok(Notify {
        send: message.id,
        member,
        title: title.to_owned(),
        body: body.to_owned(),
        link: link.map(str::to_owned),
        data,
    })
}

/// Has the journal make it, and gives what came of it. The journal knows repeats: one message makes one notification.
pub async fn carry(journal: &Journal, tenant: TenantId, notify: Notify) -> Answer {
    match journal.submit(Command::new(Principal::System(tenant), notify)).await {
        Ok(reply) => Answer {
            outcome: Outcome::Accepted,
            http_status: None,
            code: None,
            message: None,
            provider_message_id: reply.notification.map(|id| id.to_string()),
            retry_after_ms: None,
        },
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> Answer {
    let outcome = match error.code {
        Code::NotFound => Outcome::Recipient,
        // It may have been made all the same: the next attempt finds it.
        Code::Busy | Code::TenantBusy | Code::StorageUnavailable => Outcome::Slow,
        _ => Outcome::Retry,
    };
    let words = match error.code {
        Code::NotFound => "the member is gone, or may not use its account",
        code => code.meaning(),
    };
    let retry_after_ms = (outcome == Outcome::Slow).then_some(BUSY_MS);
    Answer {
        code: Some(error.code.name().to_owned()),
        retry_after_ms,
        ..Answer::without_reply(outcome, words)
    }
}
