//! What the product tells the message centre itself: which entries of a log are events, and what is known of them.

use serde_json::{Value, json};

use crate::domain::conversation::{ConversationKind, ConversationRow};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::member::Role;
use crate::kernel::{MemberId, Millis};
use crate::text_enum;

/// The name of the follower that tells them.
pub const PRODUCT_EVENTS: &str = "message_events";

text_enum! {
    /// The key of an event that the product tells itself.
    ProductEvent {
        /// A customer's conversation was opened.
        ConversationOpened = "conversation.opened",
        /// An agent serves it now.
        ConversationAssigned = "conversation.assigned",
        /// A whole group serves it now.
        ConversationDocked = "conversation.docked",
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
        /// The customer wrote.
        MessageReceived = "message.received",
        /// One of the staff wrote to the customer.
        MessageSent = "message.sent",
    }
}

impl ProductEvent {
    /// What an entry of this kind is, by such a sender and in such a conversation; `None`: nothing that is told.
    pub fn of(kind: EntryKind, sender: Option<Role>, conversation: ConversationKind) -> Option<Self> {
        Some(match (conversation, kind) {
            (ConversationKind::Backstage, EntryKind::AgentIdle) => Self::ConversationAgentIdle,
            (ConversationKind::Support, EntryKind::Opened) => Self::ConversationOpened,
            (ConversationKind::Support, EntryKind::Assigned) => Self::ConversationAssigned,
            (ConversationKind::Support, EntryKind::Docked) => Self::ConversationDocked,
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

/// What is known of such an event: who and where, not what was said. Supervisors see events of all groups, and providers
/// get what templates say.
pub fn payload(
    entry: &EntryRow,
    conversation: &ConversationRow,
    customer: Option<&Named>,
    agent: Option<&Named>,
) -> Value {
    let sender =
        entry.sender_id.map(|id| json!({"id": id, "nickname": entry.sender_name, "role": entry.sender_role}));
    let content: Value = serde_json::from_str(&entry.content).unwrap_or_default();
    let mut payload = json!({
        "at": Millis(entry.created_at),
        "conversation": {
            "id": conversation.id, "seq": entry.seq, "status": conversation.status,
            "priority": conversation.priority, "group_id": conversation.group_id,
        },
        "customer": customer.map(Named::json),
        "agent": agent.map(Named::json),
        "sender": sender,
    });
    if entry.kind == EntryKind::Closed {
        payload["reason"] = content["reason"].clone();
    }
    if entry.kind.is_message() {
        payload["message_kind"] = json!(entry.kind);
    }
    payload
}

/// The agent whom an entry names, or who serves the conversation.
pub fn agent(entry: &EntryRow, conversation: &ConversationRow) -> Option<MemberId> {
    let content: Value = serde_json::from_str(&entry.content).unwrap_or_default();
    let named = || content["member_id"].as_str()?.parse().ok();
    match entry.kind {
        EntryKind::Assigned | EntryKind::Released | EntryKind::AgentIdle => named().or(conversation.agent_id),
        _ => conversation.agent_id,
    }
}
