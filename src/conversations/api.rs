//! What goes in and out of the conversation routes. The handlers stand in [`super::routes`].

use serde::{Deserialize, Serialize};

use crate::domain::attribute::GivenValues;
use crate::domain::attribute_value::AttributeChanges;
use crate::domain::content::MessageKind;
use crate::domain::entry::{Entry, EntryKind};
use crate::http::page::PageQuery;
use crate::kernel::json::given;
use crate::kernel::{AssignmentId, ConversationId, GroupId, MemberId, Millis};
use crate::messages::api::MessageContent;

use crate::text_enum;

use super::view::Opened;
use super::view::{Card, Cards, View};
use crate::domain::conversation::{
    AssignmentEnd, AssignmentReason, AssignmentRow, CloseReason, ConversationStatus, GivenCloseReason,
    MemberType, ParticipantRow, Priority,
};

/// A conversation that is to be opened.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenConversation {
    /// What it is about; at most 200 characters. Ignored when an open conversation is found.
    #[serde(default)]
    pub subject: Option<String>,
    /// Staff: for which customer. A customer opens its own and leaves this out.
    #[serde(default)]
    pub customer_id: Option<MemberId>,
    /// The group whose matter it is; one that serves as a whole (`serving`) serves it at once. Ignored when an open
    /// conversation is found.
    #[serde(default)]
    pub group_id: Option<GroupId>,
    /// Skills without which no agent is chosen by routing, such as `refunds`, `de` or `refunds:3` (at least level 3, of 9);
    /// at most 20 of 1 to 50 characters. Ignored when an open conversation is found.
    #[serde(default)]
    pub required_skills: Option<Vec<String>>,
    /// Skills that routing prefers, written in the same way. Ignored when an open conversation is found.
    #[serde(default)]
    pub preferred_skills: Option<Vec<String>>,
    /// The first message; it is sent also when an open conversation is found.
    #[serde(default)]
    pub message: Option<FirstMessage>,
}

/// The first message of a conversation.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstMessage {
    /// The client's own key for this message; makes opening safe to repeat.
    pub client_msg_id: String,
    /// What kind of message it is.
    #[schema(value_type = MessageKind)]
    pub kind: EntryKind,
    /// By kind.
    #[schema(value_type = MessageContent, example = json!({"text": "hello"}))]
    pub content: serde_json::Value,
    /// The entry of the open conversation that this message answers.
    #[serde(default)]
    pub reply_to_seq: Option<i64>,
}

/// A conversation that was opened or found.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct OpenedConversation {
    /// The conversation.
    pub conversation: View,
    /// It was made now.
    pub created: bool,
    /// The first message, when one was given.
    #[schema(required)]
    pub entry: Option<Entry>,
    /// The message had been sent before under the same `client_msg_id`.
    pub duplicate: bool,
}

impl From<Opened> for OpenedConversation {
    fn from(opened: Opened) -> Self {
        Self {
            conversation: opened.conversation,
            created: opened.created,
            entry: opened.entry.map(|row| Entry::from(row.as_ref().clone())),
            duplicate: opened.duplicate,
        }
    }
}

text_enum! {
    /// In which order conversations are listed.
    Sort {
        /// The newest first.
        Newest = "newest",
        /// Open ones only: the longest waiting first.
        Waiting = "waiting",
    }
}

/// Which conversations are asked for.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListConversations {
    /// Only in this state.
    pub status: Option<ConversationStatus>,
    /// Only those that this agent serves.
    pub agent_id: Option<MemberId>,
    /// Only those of this customer.
    pub customer_id: Option<MemberId>,
    /// Only those of this group. Ignored for customers.
    pub group_id: Option<GroupId>,
    /// `true`: only those that no agent has, and no group serves.
    pub unassigned: Option<bool>,
    /// Only of this urgency. Ignored for customers.
    pub priority: Option<Priority>,
    /// `newest` (default), or `waiting`: open ones only, the longest waiting first. A conversation waits since it was
    /// opened, released or reopened.
    #[param(inline)]
    pub sort: Option<Sort>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before, which had the same `sort`; absent for the first page.
    pub cursor: Option<String>,
}

impl ListConversations {
    /// Which page.
    pub fn page(&self) -> PageQuery {
        PageQuery { limit: self.limit, cursor: self.cursor.clone() }
    }
}

/// A change of what the staff keep about a conversation. An absent field stays; null puts back what a new
/// conversation has.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateConversation {
    /// What it is about, at most 200 characters; the customer sees it. null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub subject: Option<Option<String>>,
    /// How urgent it is. null: normal.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Priority>)]
    pub priority: Option<Option<Priority>>,
    /// All its labels: at most 20 different ones of 1 to 64 characters. null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Option<Option<Vec<String>>>,
    /// Custom attributes by their keys; null removes one, and what is not named stays. null instead of an object: all are
    /// removed.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<AttributeChanges>)]
    pub attributes: Option<Option<GivenValues>>,
    /// The group whose matter it is; one that serves as a whole (`serving`) serves at once what waits. null: no group's.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<GroupId>)]
    pub group_id: Option<Option<GroupId>>,
    /// All skills without which no agent is chosen by routing, such as `refunds` or `refunds:3` (at least level 3, of 9); at
    /// most 20 of 1 to 50 characters. null: none. `GET …/routing/explain` shows them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    pub required_skills: Option<Option<Vec<String>>>,
    /// All skills that routing prefers, written in the same way. null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    pub preferred_skills: Option<Option<Vec<String>>>,
}

/// To whom a conversation is given.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignConversation {
    /// A member of the staff.
    pub agent_id: MemberId,
    /// Why, for the staff; at most 2,000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Why a conversation is taken over.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeOverConversation {
    /// Why, for the staff; at most 2,000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Which group is to serve a conversation.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DockConversation {
    /// The group.
    pub group_id: GroupId,
    /// Why, for the staff; at most 2,000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Where a conversation goes that a bot hands off.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOffConversation {
    /// The group whose matter it becomes; absent: it stays whose it is.
    #[serde(default)]
    pub group_id: Option<GroupId>,
    /// What the staff should know, such as a summary; at most 2,000 characters. The customer does not see it.
    #[serde(default)]
    pub note: Option<String>,
}

/// Why a conversation is to wait again.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseConversation {
    /// Why, for the staff; at most 2,000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Why a conversation ends.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseConversation {
    /// Why; the customer sees it. Staff: resolved (default), customer_left, inactive, spam. Customers: customer_left
    /// (default), resolved.
    #[serde(default)]
    #[schema(value_type = Option<GivenCloseReason>)]
    pub reason: Option<CloseReason>,
    /// Why, for the staff only; at most 2,000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Whom to bring into a conversation.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMember {
    /// A member of the staff; oneself to join.
    pub member_id: MemberId,
}

/// Somebody who is in a conversation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Participant {
    /// Who.
    pub member: Card,
    /// As what.
    pub member_type: MemberType,
    /// The head of the log when the member joined.
    pub joined_seq: i64,
    /// The last entry that the member has read.
    pub read_seq: i64,
    /// The last entry that reached a device of the member.
    pub delivered_seq: i64,
    /// When the member first joined.
    pub created_at: Millis,
}

impl Participant {
    /// The view of a row.
    pub fn new(row: &ParticipantRow, cards: &Cards) -> Self {
        Self {
            member: cards.get(row.member_id),
            member_type: row.member_type,
            joined_seq: row.joined_seq,
            read_seq: row.read_seq,
            delivered_seq: row.delivered_seq,
            created_at: Millis(row.created_at),
        }
    }
}

/// Everybody who is in a conversation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Participants {
    /// In order of joining.
    pub data: Vec<Participant>,
}

/// One assignment of an agent to a conversation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Assignment {
    /// The assignment.
    pub id: AssignmentId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// To whom.
    pub agent: Card,
    /// How it came about.
    pub reason: AssignmentReason,
    /// Who served the conversation until then; null when it had waited.
    #[schema(required)]
    pub from_agent: Option<Card>,
    /// Why; may be empty.
    pub note: String,
    /// By whom; null when routing chose the agent.
    #[schema(required)]
    pub assigned_by: Option<Card>,
    /// When it began.
    pub started_at: Millis,
    /// When it ended; null while it holds.
    #[schema(required)]
    pub ended_at: Option<Millis>,
    /// How it ended.
    #[schema(required)]
    pub end_reason: Option<AssignmentEnd>,
}

impl Assignment {
    /// The view of a row.
    pub fn new(row: &AssignmentRow, cards: &Cards) -> Self {
        Self {
            id: row.id,
            conversation_id: row.conversation_id,
            agent: cards.get(row.agent_id),
            reason: row.reason,
            from_agent: row.from_agent_id.map(|agent| cards.get(agent)),
            note: row.note.clone(),
            assigned_by: row.assigned_by.map(|member| cards.get(member)),
            started_at: Millis(row.started_at),
            ended_at: row.ended_at.map(Millis),
            end_reason: row.end_reason,
        }
    }
}

/// Every assignment of a conversation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Assignments {
    /// The oldest first; at most 1,000.
    pub data: Vec<Assignment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_tells_absent_from_null() -> Result<(), serde_json::Error> {
        let change: UpdateConversation = serde_json::from_str(r#"{"subject":null,"tags":["a"]}"#)?;
        assert_eq!(change.subject, Some(None));
        assert_eq!(change.priority, None);
        assert_eq!(change.tags, Some(Some(vec!["a".to_owned()])));
        assert!(serde_json::from_str::<UpdateConversation>(r#"{"status":"open"}"#).is_err());
        Ok(())
    }
}
