//! What a conversation is: its kinds, states, legal moves, and the rows that the journal keeps. No I/O.

use diesel::prelude::*;

use crate::db::schema::{assignment, conversation, conversation_member};
use crate::kernel::{AssignmentId, ConversationId, GroupId, MemberId, TenantId};
use crate::{text_enum, words_of};

text_enum! {
    /// What a conversation is for.
    ConversationKind {
        /// A visitor's conversation with the tenant's staff.
        Support = "support",
        /// The staff's side of a support conversation: notes, tags, reasons. No visitor ever reads it.
        Backstage = "backstage",
        /// A room of the staff: a standing group's, or a free one. Only who is in it sees it.
        Group = "group",
        /// A room of two members of the staff.
        Direct = "direct",
    }
}

impl ConversationKind {
    /// Whether this is a room of the staff, which has no customer and no state.
    pub const fn is_room(self) -> bool {
        matches!(self, Self::Group | Self::Direct)
    }
}

text_enum! {
    /// Where a support conversation stands (the second source's words).
    ConversationStatus {
        /// It waits, or a bot answers: nobody of the staff serves it.
        Open = "open",
        /// An agent serves it, or a whole group.
        Pending = "pending",
        /// It is over.
        Closed = "closed",
    }
}

text_enum! {
    /// How urgent the staff think it is.
    Priority {
        /// Below the rest.
        Low = "low",
        /// The default.
        Normal = "normal",
        /// Above the rest.
        High = "high",
        /// Before everything.
        Urgent = "urgent",
    }
}

text_enum! {
    /// Why a conversation was closed; the visitor sees it.
    CloseReason {
        /// The matter is settled.
        Resolved = "resolved",
        /// The visitor ended it.
        CustomerLeft = "customer_left",
        /// The visitor no longer answered.
        Inactive = "inactive",
        /// Unwanted.
        Spam = "spam",
        /// The visitor was recognised and had another open conversation.
        Merged = "merged",
        /// The customer's account was deleted.
        CustomerDeleted = "customer_deleted",
        /// The visitor did not answer for as long as the tenant waits: the service closed it.
        TimedOut = "timed_out",
    }
}

impl CloseReason {
    /// Whether a member may give this reason; the others are the server's own.
    pub const fn may_be_given(self) -> bool {
        !matches!(self, Self::Merged | Self::CustomerDeleted | Self::TimedOut)
    }
}

words_of! {
    /// The reasons that a request may give.
    GivenCloseReason: CloseReason, CloseReason::may_be_given
}

text_enum! {
    /// What a member is in a conversation (the first source: 1 manager, 2 member).
    MemberType {
        /// The visitor.
        Customer = "customer",
        /// The agent who serves it; of a room, who manages it.
        Manager = "manager",
        /// Other staff who joined.
        Member = "member",
        /// A bot that answers, or answered.
        Bot = "bot",
    }
}

text_enum! {
    /// How an assignment came about.
    AssignmentReason {
        /// The agent took it.
        Claim = "claim",
        /// Somebody gave it to the agent.
        Assign = "assign",
        /// Routing chose the agent.
        Routing = "routing",
        /// The agent accepted an offer.
        Offer = "offer",
        /// The agent who served it before, or a supervisor, handed it over.
        Transfer = "transfer",
        /// A supervisor took it from the agent who served it.
        TakeOver = "take_over",
    }
}

text_enum! {
    /// Why a bot answers no more, though nobody of the staff took the conversation from it.
    HandOffReason {
        /// The bot, or somebody of the staff, handed it over.
        Requested = "requested",
        /// The customer waited too long for the bot's answer.
        Silent = "silent",
        /// The bot's account was disabled or deleted, or came to its end.
        BotGone = "bot_gone",
        /// Somebody of the staff answered who cannot serve one more.
        StaffAnswered = "staff_answered",
    }
}

text_enum! {
    /// How an assignment ended.
    AssignmentEnd {
        /// The agent gave it back, or was relieved.
        Release = "release",
        /// Another agent got it.
        Reassign = "reassign",
        /// The conversation was closed.
        Close = "close",
        /// The agent was disabled or deleted, or its account came to its end.
        AgentGone = "agent_gone",
        /// The whole group serves it from then on.
        Docked = "docked",
        /// Nobody is in the group any more that served it.
        GroupEmpty = "group_empty",
        /// The agent was offline or away for longer than the tenant lets it keep conversations.
        AgentAbsent = "agent_absent",
        /// The conversation was handed over to a group, in whose queue it waits.
        GroupTransfer = "group_transfer",
        /// The service closed the conversation, since the customer did not answer for as long as the tenant waits.
        TimedOut = "timed_out",
    }
}

impl AssignmentEnd {
    /// Those by which the agent gave the conversation back: routing passes it over.
    pub const GIVEN_BACK: [Self; 2] = [Self::Release, Self::GroupTransfer];
}

/// A row of `conversation`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, Identifiable)]
#[diesel(table_name = conversation, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are explained in the migration and in design terms below")]
pub struct ConversationRow {
    pub id: ConversationId,
    pub tenant_id: TenantId,
    pub kind: ConversationKind,
    /// Backstage only: the conversation that it stands behind.
    pub parent_id: Option<ConversationId>,
    /// Support only: its backstage conversation, once there is one.
    pub backstage_id: Option<ConversationId>,
    pub customer_id: Option<MemberId>,
    /// Who serves it, or served it until it was closed; while open the bot that answers.
    pub agent_id: Option<MemberId>,
    /// Support only.
    pub status: Option<ConversationStatus>,
    pub priority: Priority,
    pub subject: String,
    /// A JSON list of strings; seen by staff only.
    pub tags: String,
    /// The head of the log.
    pub seq: i64,
    /// Messages in the log; never falls.
    pub msg_count: i64,
    /// Messages that were recalled.
    pub recall_count: i64,
    /// The tenant's rev of the last change of any kind.
    pub rev: i64,
    /// The tenant's rev of the last entry; inboxes are ordered by it.
    pub last_rev: i64,
    /// Moves with every command that is no message.
    pub version: i64,
    pub customer_read_seq: i64,
    pub staff_read_seq: i64,
    pub customer_delivered_seq: i64,
    pub staff_delivered_seq: i64,
    /// Unique while open: `s:<customer>` for support; `d:<lower id>:<higher id>` for direct rooms, for ever.
    pub open_key: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    /// When the last entry was written.
    pub last_at: i64,
    pub assigned_at: Option<i64>,
    pub closed_at: Option<i64>,
    pub close_reason: Option<CloseReason>,
    /// Closed as merged: the conversation in which the customer goes on.
    pub merged_into_id: Option<ConversationId>,
    /// While open: since it was opened, released or reopened.
    pub waiting_since: Option<i64>,
    /// The group whose matter it is; of a room of the staff, the standing group whose room it is.
    pub group_id: Option<GroupId>,
    /// While open: its place in the queue; see [`queue_key`].
    pub queue_key: Option<i64>,
}

/// Conversations of one rank in the queue differ by less than this: milliseconds beyond the year 5000.
const RANK: i64 = 100_000_000_000_000;

/// The place of a waiting conversation in the queue; smaller comes first. The more urgent come before the less urgent;
/// of equals those that came back from an agent, then the longest waiting.
pub const fn queue_key(priority: Priority, returned: bool, waiting_since: i64) -> i64 {
    let priority = match priority {
        Priority::Urgent => 0,
        Priority::High => 1,
        Priority::Normal => 2,
        Priority::Low => 3,
    };
    let rank = 2 * priority + if returned { 0 } else { 1 };
    rank * RANK + waiting_since
}

impl ConversationRow {
    /// Lets it wait since this time; `returned` when it came back from an agent.
    pub fn wait(&mut self, since: i64, returned: bool) {
        self.waiting_since = Some(since);
        self.queue_key = Some(queue_key(self.priority, returned, since));
    }

    /// Lets a bot answer before the staff.
    pub fn answer_by(&mut self, bot: MemberId) {
        self.stop_waiting();
        self.agent_id = Some(bot);
    }

    /// While open: the bot that answers. Then it is in no queue.
    pub fn bot(&self) -> Option<MemberId> {
        self.agent_id.filter(|_| self.status == Some(ConversationStatus::Open))
    }

    /// Who of the staff serves it, or served it until it was closed.
    pub fn agent(&self) -> Option<MemberId> {
        self.agent_id.filter(|_| self.status != Some(ConversationStatus::Open))
    }

    /// The group that serves it as a whole, instead of one agent.
    pub fn docked_to(&self) -> Option<GroupId> {
        let served = self.status == Some(ConversationStatus::Pending);
        self.group_id.filter(|_| served && self.agent_id.is_none())
    }

    /// It waits no longer.
    pub fn stop_waiting(&mut self) {
        self.waiting_since = None;
        self.queue_key = None;
    }

    /// Changes how urgent it is, and with that its place in the queue.
    pub fn set_priority(&mut self, priority: Priority) {
        self.priority = priority;
        if let (Some(key), Some(since)) = (self.queue_key, self.waiting_since) {
            let returned = key / RANK % 2 == 0;
            self.queue_key = Some(queue_key(priority, returned, since));
        }
    }
}

/// The versions of a conversation on which a command may be based; of these the present one must be one. An empty
/// list fits no version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfVersion(pub Vec<i64>);

impl IfVersion {
    /// Whether a command that was based on one of these may be done at this version.
    pub fn fits(&self, version: i64) -> bool {
        self.0.contains(&version)
    }
}

/// The `open_key` of a customer's open support conversation.
pub fn support_open_key(customer: MemberId) -> String {
    format!("s:{customer}")
}

/// The `open_key` of the direct room of two members of the staff.
pub fn direct_open_key(one: MemberId, other: MemberId) -> String {
    format!("d:{}:{}", one.min(other), one.max(other))
}

/// Between whom a direct room is.
pub fn direct_between(row: &ConversationRow) -> Option<[MemberId; 2]> {
    let (one, other) = row.open_key.as_deref()?.strip_prefix("d:")?.split_once(':')?;
    Some([one.parse().ok()?, other.parse().ok()?])
}

/// A row of `conversation_member`: what the journal and the inbox call a participant.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, Identifiable)]
#[diesel(table_name = conversation_member, treat_none_as_default_value = false)]
#[diesel(primary_key(conversation_id, member_id))]
#[allow(missing_docs, reason = "the columns are explained in the migration and in design terms below")]
pub struct ParticipantRow {
    pub conversation_id: ConversationId,
    pub member_id: MemberId,
    pub tenant_id: TenantId,
    pub member_type: MemberType,
    /// In the conversation, and the conversation is not closed.
    pub active: bool,
    /// The head when the member last joined; counts for unread only.
    pub joined_seq: i64,
    /// The last entry that a removed member may have.
    pub left_seq: Option<i64>,
    pub read_seq: i64,
    /// Rises with every mark_unread and every join; a `read` of an older version is ignored.
    pub read_ver: i64,
    pub last_sent_seq: i64,
    pub delivered_seq: i64,
    /// Staff only: how far the backstage conversation is read.
    pub note_read_seq: i64,
    /// While not active: the conversation's `last_rev`, frozen.
    pub last_rev: i64,
    /// The tenant's rev of the last change of this row.
    pub rev: i64,
    pub created_at: i64,
    /// The group by which it is in a conversation that is docked to it; `None`: it is in by itself.
    pub group_id: Option<GroupId>,
}

impl ParticipantRow {
    /// Whether the member is in the conversation (which may be closed).
    pub fn is_in(&self) -> bool {
        self.left_seq.is_none()
    }
}

/// A row of `assignment`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, Identifiable)]
#[diesel(table_name = assignment, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are explained in the migration")]
pub struct AssignmentRow {
    pub id: AssignmentId,
    pub tenant_id: TenantId,
    pub conversation_id: ConversationId,
    pub agent_id: MemberId,
    pub reason: AssignmentReason,
    pub note: String,
    /// `None`: the service chose the agent.
    pub assigned_by: Option<MemberId>,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub end_reason: Option<AssignmentEnd>,
    /// Who served the conversation until then.
    pub from_agent_id: Option<MemberId>,
    /// Messages in the log when it began.
    pub msg_count: i64,
}
