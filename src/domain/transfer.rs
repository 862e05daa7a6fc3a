//! Transfers: why a conversation is handed over, to whom, and the row that is kept of it. No I/O.
//!
//! Invariant: a transfer goes to an agent or to a group, never to both; its row never changes.

use diesel::prelude::*;

use crate::db::schema::transfer;
use crate::kernel::{ConversationId, GroupId, MemberId, TenantId, TransferId};
use crate::text_enum;

text_enum! {
    /// Why a conversation is handed over.
    TransferReason {
        /// It is another department's matter.
        WrongDepartment = "wrong_department",
        /// Somebody with more experience or more rights must decide.
        Escalation = "escalation",
        /// The customer speaks another language.
        Language = "language",
        /// The agent goes home.
        ShiftEnd = "shift_end",
        /// The customer asked for it.
        CustomerRequest = "customer_request",
        /// Something else: the note may say what.
        Other = "other",
    }
}

text_enum! {
    /// How a conversation is handed over.
    TransferMode {
        /// At once.
        Push = "push",
        /// When the agent accepts. Until then who serves it keeps it.
        Offer = "offer",
    }
}

/// To whom a conversation is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// A member of the staff, who serves it from then on.
    Agent(MemberId),
    /// A group, in whose queue it waits.
    Group(GroupId),
}

/// A row of `transfer`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = transfer)]
pub struct TransferRow {
    /// The transfer; later ones are higher.
    pub id: TransferId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What was handed over.
    pub conversation_id: ConversationId,
    /// Who served it until then.
    pub from_agent_id: Option<MemberId>,
    /// To which agent; `None`: to a group.
    pub to_agent_id: Option<MemberId>,
    /// The group whose matter it was, where that was written down.
    pub from_group_id: Option<GroupId>,
    /// To which group; `None`: to an agent.
    pub to_group_id: Option<GroupId>,
    /// Why, in one word.
    pub reason: Option<TransferReason>,
    /// Why, for the staff; may be empty.
    pub note: String,
    /// By whose hand.
    pub transferred_by: Option<MemberId>,
    /// When, unix milliseconds.
    pub at: i64,
    /// Messages in the log at that time.
    pub msg_count: i64,
}

impl TransferRow {
    /// Whether it went to this receiver.
    pub fn went_to(&self, receiver: Receiver) -> bool {
        match receiver {
            Receiver::Agent(agent) => self.to_agent_id == Some(agent),
            Receiver::Group(group) => self.to_group_id == Some(group),
        }
    }

    /// Whether this receiver had it before: the agent who served it or, of what went to a group, the group before.
    pub fn came_from(&self, receiver: Receiver) -> bool {
        match receiver {
            Receiver::Agent(agent) => self.from_agent_id == Some(agent),
            Receiver::Group(group) => self.to_group_id.is_some() && self.from_group_id == Some(group),
        }
    }
}
