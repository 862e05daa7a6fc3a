//! Whom a rule's message reaches, and when: shared by events that are expanded and those that are only tried.

use crate::centre::recipients::resolve::{Receiver, Wanted, receivers};
use crate::db::AnyConnection;
use crate::domain::centre::apply::Applied;
use crate::domain::centre::event::DecisionKind;
use crate::domain::centre::recipient::{PERSONS_MAX, QuietHoursPolicy};
use crate::domain::centre::rule::RuleRow;
use crate::domain::centre::send::{MessagePriority, SendReason, SendStatus};
use crate::domain::centre::template::Said;
use crate::kernel::{MemberId, Result};

/// What becomes of a message for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// `unsent` or `suppressed`.
    pub status: SendStatus,
    /// Why it is suppressed.
    pub reason: Option<SendReason>,
    /// When it may be sent, unix milliseconds.
    pub next_at: i64,
}

impl Delivery {
    /// For this person, when it would be sent at this time.
    pub fn to(receiver: &Receiver, (priority, policy): (MessagePriority, QuietHoursPolicy), at: i64) -> Self {
        let suppressed = |reason| Self { status: SendStatus::Suppressed, reason: Some(reason), next_at: at };
        let unsent = |next_at| Self { status: SendStatus::Unsent, reason: None, next_at };
        if receiver.address.is_none() {
            return suppressed(SendReason::NoAddress);
        }
        if receiver.opted_out {
            return suppressed(SendReason::OptedOut);
        }
        // After what the person wants: who has opted out is not told otherwise instead.
        if receiver.suppressed {
            return suppressed(SendReason::AddressSuppressed);
        }
        let is_code = priority == MessagePriority::Code;
        let end = receiver.quiet_hours.as_ref().filter(|_| !is_code).and_then(|hours| hours.end(at));
        match (end, policy) {
            (None, _) | (_, QuietHoursPolicy::Ignore) => unsent(at),
            (Some(end), QuietHoursPolicy::Defer) => unsent(end),
            (Some(_), QuietHoursPolicy::Drop) => suppressed(SendReason::QuietHours),
        }
    }
}

impl Delivery {
    /// The same, of a message that is said so in the person's language: what cannot be said fails.
    pub fn of_said(self, said: Option<&Said>) -> Self {
        match self.status == SendStatus::Unsent && said.is_some_and(|said| said.rendered.is_err()) {
            true => Self { status: SendStatus::Failed, reason: Some(SendReason::Template), ..self },
            false => self,
        }
    }
}

/// The persons whom a rule reaches with what it makes of an event about a customer, whom an agent served. When there is
/// nobody, it sends nothing.
pub fn reach(
    connection: &mut AnyConnection,
    rule: &RuleRow,
    (customer, agent): (Option<MemberId>, Option<MemberId>),
    applied: Applied,
    now: i64,
) -> Result<(Applied, Vec<Receiver>)> {
    let Some(channel) = applied.rendered.as_ref().map(|rendered| rendered.channel()) else {
        return Ok((applied, Vec::new()));
    };
    if !channel.has_recipients() {
        return Ok((applied, Vec::new()));
    }
    let recipients = match rule.read_recipients() {
        Ok(recipients) => recipients,
        Err(error) => return Ok((Applied::unreadable(rule, &error), Vec::new())),
    };
    let priority = MessagePriority::from_rank(rule.priority);
    let account = rule.account_id;
    let wanted = Wanted { recipients: &recipients, customer, agent, channel, account, priority };
    let (found, has_more) = receivers(connection, rule.tenant_id, wanted, now)?;
    if found.is_empty() {
        let nobody = Applied { decision: DecisionKind::NoRecipient, rendered: None, dedupe: None, ..applied };
        return Ok((nobody, found));
    }
    let detail = match has_more {
        true => format!("more than {PERSONS_MAX} persons: the others are not reached"),
        false => applied.detail,
    };
    Ok((Applied { detail, ..applied }, found))
}
