//! What an entry is: its kinds, the row that the journal keeps and the one JSON shape that REST, sockets and webhooks
//! share. What a message may say stands in `body`. No I/O.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::db::schema::{group_message, message_revision};
use crate::domain::member::Role;
use crate::kernel::{ConversationId, MemberId, Millis, TenantId};
use crate::text_enum;

text_enum! {
    /// What an entry is. On read this list may grow.
    EntryKind {
        /// Message: plain text.
        Text = "text",
        /// Message: a title with text, picture, link and buttons.
        Card = "card",
        /// Message: the tenant's own JSON.
        Custom = "custom",
        /// Message: a picture.
        Image = "image",
        /// Message: a file of any type that is allowed.
        File = "file",
        /// Message: a voice recording.
        Voice = "voice",
        /// Message: a video.
        Video = "video",
        /// The conversation was opened.
        Opened = "opened",
        /// A member joined.
        Joined = "joined",
        /// A member left or was removed.
        Left = "left",
        /// An agent serves the conversation now.
        Assigned = "assigned",
        /// A whole group serves the conversation now.
        Docked = "docked",
        /// A bot answers now, before the staff do.
        BotAssigned = "bot_assigned",
        /// The bot answers no more: the conversation waits for the staff.
        HandedOff = "handed_off",
        /// The conversation waits again.
        Released = "released",
        /// It is over.
        Closed = "closed",
        /// It was opened again.
        Reopened = "reopened",
        /// The message `ref_seq` has new content.
        Edited = "edited",
        /// The message `ref_seq` has no content any more.
        Recalled = "recalled",
        /// The subject changed.
        SubjectChanged = "subject_changed",
        /// The visitor was recognised: the conversation has another customer now.
        CustomerChanged = "customer_changed",
        /// The customer's other open conversation, `conversation_id`, was closed as merged: its log comes before.
        Merged = "merged",
        /// The customer has not answered the message `ref_seq` for as long as the tenant's reminder waits.
        CustomerIdle = "customer_idle",
        /// Another system wrote this before its history was imported.
        Imported = "imported",
        /// What the log said up to the entry `through_seq` was erased.
        Erased = "erased",
        /// Backstage: priority changed.
        PriorityChanged = "priority_changed",
        /// Backstage: tags changed.
        TagsChanged = "tags_changed",
        /// Backstage: custom attributes changed.
        AttributesChanged = "attributes_changed",
        /// Backstage: the conversation is another group's matter now, or no group's.
        GroupChanged = "group_changed",
        /// Backstage: what the conversation asks of its agent changed.
        SkillsChanged = "skills_changed",
        /// Backstage: the conversation was offered to an agent.
        Offered = "offered",
        /// Backstage: an agent declined an offer.
        Declined = "declined",
        /// Backstage: an agent let an offer pass.
        OfferMissed = "offer_missed",
        /// Backstage: an offer to take the conversation over was withdrawn, or holds no longer.
        OfferWithdrawn = "offer_withdrawn",
        /// Backstage: the customer waits for the agent's answer for as long as the tenant's reminder waits.
        AgentIdle = "agent_idle",
        /// Backstage: the customer rated the conversation, or changed its rating.
        Rated = "rated",
        /// Backstage: the target of an SLA clock is near.
        SlaWarned = "sla_warned",
        /// Backstage: the target of an SLA clock was missed.
        SlaBreached = "sla_breached",
        /// Backstage: why an agent was assigned, asked or relieved, or the conversation closed.
        Remark = "remark",
    }
}

impl EntryKind {
    /// Whether this is a message (counted, readable, editable) and not a notice.
    pub const fn is_message(self) -> bool {
        matches!(self, Self::Text | Self::Card | Self::Custom) || self.has_attachment()
    }

    /// Whether this is a message that carries an attachment.
    pub const fn has_attachment(self) -> bool {
        matches!(self, Self::Image | Self::File | Self::Voice | Self::Video)
    }

    /// Whether an entry of this kind may change which conversations wait, or their order. Every kind has to decide, so
    /// that none is forgotten where the queue is told.
    pub const fn moves_queue(self) -> bool {
        match self {
            Self::Opened
            | Self::Assigned
            | Self::Docked
            | Self::BotAssigned
            | Self::HandedOff
            | Self::Released
            | Self::Closed
            | Self::Reopened
            | Self::PriorityChanged
            | Self::GroupChanged => true,
            Self::Text
            | Self::Card
            | Self::Custom
            | Self::Image
            | Self::File
            | Self::Voice
            | Self::Video
            | Self::Joined
            | Self::Left
            | Self::Edited
            | Self::Recalled
            | Self::SubjectChanged
            | Self::CustomerChanged
            | Self::Merged
            | Self::TagsChanged
            | Self::AttributesChanged
            | Self::SkillsChanged
            | Self::Offered
            | Self::Declined
            | Self::OfferMissed
            | Self::OfferWithdrawn
            | Self::CustomerIdle
            | Self::Imported
            | Self::Erased
            | Self::AgentIdle
            | Self::Rated
            | Self::SlaWarned
            | Self::SlaBreached
            | Self::Remark => false,
        }
    }
}

/// The sources' number for a message in `group_message.message_type`.
pub const MESSAGE: i16 = 1;
/// The sources' number for a notice in `group_message.message_type`.
pub const NOTICE: i16 = 2;

/// A row of `group_message`: one entry of a log.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, QueryableByName, Selectable, Insertable, Identifiable)]
#[diesel(table_name = group_message, treat_none_as_default_value = false)]
#[diesel(primary_key(conversation_id, seq))]
#[allow(missing_docs, reason = "the columns are explained in the migration and in design terms below")]
pub struct EntryRow {
    pub conversation_id: ConversationId,
    pub seq: i64,
    pub tenant_id: TenantId,
    pub rev: i64,
    /// [`MESSAGE`] or [`NOTICE`].
    pub message_type: i16,
    pub kind: EntryKind,
    pub sender_id: Option<MemberId>,
    pub sender_role: Option<Role>,
    /// The sender's name of that day.
    pub sender_name: String,
    /// The sender's avatar of that day.
    pub sender_avatar: String,
    pub client_msg_id: Option<String>,
    pub body_hash: Option<i64>,
    /// JSON text; `{}` after a recall or an erasure.
    pub content: String,
    /// Message: the entry that it answers. Notice: the entry that it is about.
    pub ref_seq: Option<i64>,
    /// Messages up to and including this entry.
    pub msg_count: i64,
    /// Recalls up to and including this entry.
    pub recall_count: i64,
    pub created_at: i64,
    pub edited_at: Option<i64>,
    pub recalled_at: Option<i64>,
    /// When what it said was erased.
    pub erased_at: Option<i64>,
}

impl EntryRow {
    /// Whether it came from another system with its history, and is news to nobody: it has a key, and no fingerprint of a
    /// request.
    pub const fn is_imported(&self) -> bool {
        self.client_msg_id.is_some() && self.body_hash.is_none()
    }

    /// Whether its words were taken away, by its sender or for good.
    pub const fn is_wordless(&self) -> bool {
        self.recalled_at.is_some() || self.erased_at.is_some()
    }
}

/// A row of `message_revision`: content that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_revision)]
#[allow(missing_docs, reason = "the columns are explained in the migration")]
pub struct RevisionRow {
    pub conversation_id: ConversationId,
    pub seq: i64,
    /// The seq of the notice that announced the replacement.
    pub revision: i64,
    pub tenant_id: TenantId,
    pub kind: EntryKind,
    pub content: String,
    pub replaced_by: MemberId,
    pub replaced_at: i64,
}

/// Whether an entry counts as a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageType {
    /// Somebody said something.
    Message,
    /// Something happened.
    Notice,
}

/// Who wrote an entry, as of that day.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Sender {
    /// The member.
    pub id: MemberId,
    /// The role on that day.
    pub role: Role,
    /// The name on that day.
    pub nickname: String,
    /// The avatar's URL on that day; may be empty.
    pub avatar: String,
}

/// An entry of a log as every reader sees it. It has no field that depends on the reader.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Entry {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The position in the conversation's log: dense, from 1.
    pub seq: i64,
    /// The tenant's rev under which it was committed.
    pub rev: i64,
    /// Message or notice.
    pub message_type: MessageType,
    /// What it is; the list may grow.
    pub kind: EntryKind,
    /// Who wrote it; null for the system.
    #[schema(required)]
    pub sender: Option<Sender>,
    /// The sender's own key for this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<String>,
    /// By kind: text, card, custom, attachment; notices carry what changed; `{}` after a recall or an erasure.
    #[schema(value_type = Object)]
    pub content: Box<RawValue>,
    /// Message: the entry that it answers. Notice: the entry that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ref_seq: Option<i64>,
    /// Messages in the log up to and including this entry.
    pub msg_count: i64,
    /// When it was committed. Order never depends on it.
    pub created_at: Millis,
    /// When its content was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Millis>,
    /// When its content was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recalled_at: Option<Millis>,
    /// When it was erased: its content, its key and the names in it are gone for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Millis>,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let sender = row.sender_id.zip(row.sender_role).map(|(id, role)| Sender {
            id,
            role,
            nickname: row.sender_name,
            avatar: row.sender_avatar,
        });
        Self {
            conversation_id: row.conversation_id,
            seq: row.seq,
            rev: row.rev,
            message_type: if row.message_type == MESSAGE {
                MessageType::Message
            } else {
                MessageType::Notice
            },
            kind: row.kind,
            sender,
            client_msg_id: row.client_msg_id,
            content: RawValue::from_string(row.content).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            ref_seq: row.ref_seq,
            msg_count: row.msg_count,
            created_at: Millis(row.created_at),
            edited_at: row.edited_at.map(Millis),
            recalled_at: row.recalled_at.map(Millis),
            erased_at: row.erased_at.map(Millis),
        }
    }
}
