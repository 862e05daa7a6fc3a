//! What the product tells the message centre itself: which entries of a log are events, which messages were missed, which
//! conversations wait too long, and what is known of them.

use serde_json::{Value, json};

use crate::domain::conversation::{ConversationKind, ConversationRow};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::member::Role;
use crate::kernel::{MemberId, Millis};
use crate::text_enum;

/// The name of the follower that tells what entries are.
pub const PRODUCT_EVENTS: &str = "message_events";
/// The name of the follower that tells which messages were missed.
pub const MISSED_MESSAGES: &str = "message_missed";
/// How long a message waits for its addressee at least before it is missed, in milliseconds. Nobody has a live socket for
/// longer than that after the process died that had it, and devices report what was delivered every five seconds.
const MISSED_AFTER_MS: i64 = 30_000;
/// What is added for those who look and write it down, in milliseconds.
const SLACK_MS: i64 = 10_000;
/// Until how long after it became too long a wait is told, in milliseconds: a day. Events are kept for longer, so that the
/// event that was made of it is there as long as it is looked for.
pub const TOLD_FOR_MS: i64 = 86_400_000;

text_enum! {
    /// The key of an event that the product tells itself.
    ProductEvent {
        /// A customer's conversation was opened.
        ConversationOpened = "conversation.opened",
        /// An agent serves it now.
        ConversationAssigned = "conversation.assigned",
        /// A whole group serves it now.
        ConversationDocked = "conversation.docked",
        /// A bot answers now, before the staff do.
        ConversationBotAssigned = "conversation.bot_assigned",
        /// The bot answers no more: it waits for the staff.
        ConversationHandedOff = "conversation.handed_off",
        /// It waits again.
        ConversationReleased = "conversation.released",
        /// It is over.
        ConversationClosed = "conversation.closed",
        /// It was opened again.
        ConversationReopened = "conversation.reopened",
        /// The customer has not answered for as long as the tenant's reminder waits.
        ConversationCustomerIdle = "conversation.customer_idle",
        /// The customer waits for an answer for as long as the tenant's reminder waits.
        ConversationAgentIdle = "conversation.agent_idle",
        /// The customer rated it, or changed its rating.
        ConversationRated = "conversation.rated",
        /// The target of one of its SLA clocks is near.
        ConversationSlaWarned = "conversation.sla_warned",
        /// The target of one of its SLA clocks was missed.
        ConversationSlaBreached = "conversation.sla_breached",
        /// The customer wrote.
        MessageReceived = "message.received",
        /// One of the staff wrote to the customer.
        MessageSent = "message.sent",
        /// The customer wrote, and the agent who serves it was not there.
        MessageMissedByAgent = "message.missed_by_agent",
        /// The staff wrote, and the customer was not there.
        MessageMissedByCustomer = "message.missed_by_customer",
        /// It waits in the queue for longer than a rule allows.
        ConversationWaitingLong = "conversation.waiting_long",
    }
}

/// How the product finds out that something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It is an entry of the log.
    Log,
    /// It is a message of the log whose addressee was not there some time later.
    Absence,
    /// It is a state of the queue that lasts.
    Queue,
}

impl ProductEvent {
    /// How it is found out.
    pub const fn source(self) -> Source {
        match self {
            Self::MessageMissedByAgent | Self::MessageMissedByCustomer => Source::Absence,
            Self::ConversationWaitingLong => Source::Queue,
            _ => Source::Log,
        }
    }

    /// What an entry of this kind is, by such a sender and in such a conversation; `None`: nothing that is told.
    pub fn of(kind: EntryKind, sender: Option<Role>, conversation: ConversationKind) -> Option<Self> {
        Some(match (conversation, kind) {
            (ConversationKind::Backstage, EntryKind::AgentIdle) => Self::ConversationAgentIdle,
            (ConversationKind::Backstage, EntryKind::Rated) => Self::ConversationRated,
            (ConversationKind::Backstage, EntryKind::SlaWarned) => Self::ConversationSlaWarned,
            (ConversationKind::Backstage, EntryKind::SlaBreached) => Self::ConversationSlaBreached,
            (ConversationKind::Support, EntryKind::Opened) => Self::ConversationOpened,
            (ConversationKind::Support, EntryKind::Assigned) => Self::ConversationAssigned,
            (ConversationKind::Support, EntryKind::Docked) => Self::ConversationDocked,
            (ConversationKind::Support, EntryKind::BotAssigned) => Self::ConversationBotAssigned,
            (ConversationKind::Support, EntryKind::HandedOff) => Self::ConversationHandedOff,
            (ConversationKind::Support, EntryKind::Released) => Self::ConversationReleased,
            (ConversationKind::Support, EntryKind::Closed) => Self::ConversationClosed,
            (ConversationKind::Support, EntryKind::Reopened) => Self::ConversationReopened,
            (ConversationKind::Support, EntryKind::CustomerIdle) => Self::ConversationCustomerIdle,
            (ConversationKind::Support, kind) if kind.is_message() => match sender?.is_staff() {
                true => Self::MessageSent,
                false => Self::MessageReceived,
            },
            _ => return None,
        })
    }

    /// The kinds of entries that may be such events.
    pub fn kinds() -> Vec<EntryKind> {
        let is_told = |kind: EntryKind| {
            [ConversationKind::Support, ConversationKind::Backstage]
                .iter()
                .any(|conversation| Self::of(kind, Some(Role::Agent), *conversation).is_some())
        };
        EntryKind::ALL.iter().copied().filter(|kind| is_told(*kind)).collect()
    }
}

/// How long after a message it is looked whether its addressee was there, in milliseconds, where members count as connected
/// for so many seconds after their last socket.
pub fn missed_after_ms(presence_grace_seconds: i64) -> i64 {
    MISSED_AFTER_MS.max(presence_grace_seconds.saturating_mul(1_000)).saturating_add(SLACK_MS)
}

/// Under which rev the first entry stands that is too young to look whether its addressee was there, of entries given by rev
/// and time of writing in the order of revs. What seems to come from the future was written before the clock was set back.
pub fn first_young(entries: impl Iterator<Item = (i64, i64)>, now: i64, after_ms: i64) -> Option<i64> {
    let mut young = entries.filter(|(_, written)| (now - after_ms + 1..=now).contains(written));
    young.next().map(|(rev, _)| rev)
}

/// Which event a message of a customer's conversation is when its addressee was not there, and who that is: the agent who
/// serves it now, or the customer. `None` when nobody was addressed, or when it was read or, of a customer, delivered.
pub fn addressee(entry: &EntryRow, conversation: &ConversationRow) -> Option<(ProductEvent, MemberId)> {
    let is_told =
        conversation.kind == ConversationKind::Support && entry.kind.is_message() && !entry.is_wordless();
    if !is_told {
        return None;
    }
    match entry.sender_role?.is_staff() {
        true => {
            let seen = conversation.customer_delivered_seq.max(conversation.customer_read_seq);
            let customer = conversation.customer_id.filter(|_| seen < entry.seq)?;
            Some((ProductEvent::MessageMissedByCustomer, customer))
        }
        false => {
            let agent = conversation.agent().filter(|_| conversation.staff_read_seq < entry.seq)?;
            Some((ProductEvent::MessageMissedByAgent, agent))
        }
    }
}

/// When the wait of a conversation became too long, unix milliseconds, if it did and is still to be told. `not_before` is the
/// time before which no waiting counts, since the clock jumped then.
pub fn too_long_since(waiting_since: i64, seconds: i64, (not_before, now): (i64, i64)) -> Option<i64> {
    let since = waiting_since.max(not_before).saturating_add(seconds.saturating_mul(1_000));
    (since <= now && now - since < TOLD_FOR_MS).then_some(since)
}

/// A member as events name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The member.
    pub id: MemberId,
    /// Its name.
    pub nickname: String,
    /// The merchant's own id of a customer.
    pub external_id: Option<String>,
}

impl Named {
    fn json(&self) -> Value {
        json!({"id": self.id, "nickname": self.nickname, "external_id": self.external_id})
    }
}

/// What is known of such an event: who and where, not what was said. `open` is whether the desk was open then. Supervisors see events of all groups, and providers
/// get what templates say.
pub fn payload(
    entry: &EntryRow,
    conversation: &ConversationRow,
    customer: Option<&Named>,
    agent: Option<&Named>,
    open: bool,
) -> Value {
    let sender =
        entry.sender_id.map(|id| json!({"id": id, "nickname": entry.sender_name, "role": entry.sender_role}));
    let content: Value = serde_json::from_str(&entry.content).unwrap_or_default();
    let mut payload = json!({
        "at": Millis(entry.created_at),
        "conversation": place(conversation, entry.seq),
        "customer": customer.map(Named::json),
        "agent": agent.map(Named::json),
        "sender": sender,
        "business_hours": {"open": open},
    });
    if entry.kind == EntryKind::Closed {
        payload["reason"] = content["reason"].clone();
    }
    if entry.kind == EntryKind::Rated {
        payload["score"] = content["score"].clone();
    }
    if matches!(entry.kind, EntryKind::SlaWarned | EntryKind::SlaBreached) {
        payload["sla"] = content;
    }
    if entry.kind.is_message() {
        payload["message_kind"] = json!(entry.kind);
    }
    payload
}

/// What is known of a conversation that waits too long since this time, by a rule that allows so many seconds.
pub fn waiting(
    conversation: &ConversationRow,
    customer: Option<&Named>,
    (since, seconds): (i64, i64),
    open: bool,
) -> Value {
    json!({
        "at": Millis(since),
        "conversation": place(conversation, conversation.seq),
        "customer": customer.map(Named::json),
        "agent": null,
        "sender": null,
        "waiting_since": conversation.waiting_since.map(Millis),
        "waiting_seconds": seconds,
        "business_hours": {"open": open},
    })
}

fn place(conversation: &ConversationRow, seq: i64) -> Value {
    json!({
        "id": conversation.id, "seq": seq, "status": conversation.status,
        "priority": conversation.priority, "group_id": conversation.group_id, "bot_id": conversation.bot(),
    })
}

/// The agent whom an entry names, or who serves the conversation.
pub fn agent(entry: &EntryRow, conversation: &ConversationRow) -> Option<MemberId> {
    let content: Value = serde_json::from_str(&entry.content).unwrap_or_default();
    let named = || content["member_id"].as_str()?.parse().ok();
    match entry.kind {
        EntryKind::Assigned | EntryKind::Released | EntryKind::AgentIdle => named().or(conversation.agent()),
        _ => conversation.agent(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ripens_for_as_long_as_absence_may_be_unknown() {
        assert_eq!(missed_after_ms(0), 40_000);
        assert_eq!(missed_after_ms(30), 40_000);
        assert_eq!(missed_after_ms(600), 610_000);
        let young = |entries: &[(i64, i64)]| first_young(entries.iter().copied(), 100_000, 40_000);
        assert_eq!(young(&[(1, 10_000), (2, 60_000)]), None);
        assert_eq!(young(&[(1, 10_000), (2, 60_001), (3, 20_000)]), Some(2));
        assert_eq!(young(&[(1, 100_000)]), Some(1));
        assert_eq!(young(&[(1, 100_001)]), None, "the clock was set back");
    }

    #[test]
    fn a_wait_is_too_long_from_its_end_on_and_for_a_day() {
        let since = |times| too_long_since(1_000, 60, times);
        assert_eq!(since((i64::MIN, 60_999)), None);
        assert_eq!(since((i64::MIN, 61_000)), Some(61_000));
        assert_eq!(since((i64::MIN, 61_000 + TOLD_FOR_MS - 1)), Some(61_000));
        assert_eq!(since((i64::MIN, 61_000 + TOLD_FOR_MS)), None);
        // The clock jumped at 50,000: only what passed since then counts.
        assert_eq!(since((50_000, 109_999)), None);
        assert_eq!(since((50_000, 110_000)), Some(110_000));
    }
}
