//! What goes in and out of the message routes. The handlers stand in [`super::routes`].

use serde::{Deserialize, Serialize};

use crate::kernel::{ConversationId, MemberId, Millis};

use crate::domain::attachment::AttachmentReference;
use crate::domain::content::{CardContent, CustomContent, MessageKind, TextContent};
use crate::domain::entry::{Entry, EntryKind, EntryRow, RevisionRow};

/// What a message says, by its `kind`.
// Has a schema only: bodies are checked by `Body::parse`, which says where exactly one is wrong.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum MessageContent {
    /// Of kind `text`.
    Text(TextContent),
    /// Of kind `card`.
    Card(CardContent),
    /// Of kind `custom`.
    Custom(CustomContent),
    /// Of kind `image`, `file`, `voice` or `video`; cannot be edited.
    Attachment(AttachmentReference),
}

/// A message that is to be sent.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// The client's own key for this message, 1 to 64 of `A-Z a-z 0-9 . _ : -`: one entry per conversation, sender
    /// and key, for ever. Repeat a request that was not answered with the same key.
    pub client_msg_id: String,
    /// What kind of message it is.
    #[schema(value_type = MessageKind)]
    pub kind: EntryKind,
    /// By kind.
    #[schema(value_type = MessageContent, example = json!({"text": "hello"}))]
    pub content: serde_json::Value,
    /// The entry of the same log that this message answers.
    #[serde(default)]
    pub reply_to_seq: Option<i64>,
    /// How far this device has displayed the log. Answering alone marks nothing as read.
    #[serde(default)]
    pub read_seq: Option<i64>,
    /// Bots must give it with messages to a customer, others need not: the `version` of the conversation on which the answer
    /// is based. When that moved since, as it does when somebody of the staff takes the conversation, the message is refused
    /// with `not_in_control`.
    #[serde(default)]
    pub version: Option<i64>,
}

/// New words for an own message.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditMessage {
    /// The kind of the message; an edit keeps it.
    #[schema(value_type = MessageKind)]
    pub kind: EntryKind,
    /// By kind.
    #[schema(value_type = MessageContent, example = json!({"text": "hello!"}))]
    pub content: serde_json::Value,
    /// `edited_at` of the message that these words are to replace; null: it was never edited. When the message was
    /// edited since, the answer is `stale_edit`. Absent: the last edit wins.
    #[serde(default, deserialize_with = "crate::kernel::json::given")]
    #[schema(value_type = Option<Millis>)]
    pub base_edited_at: Option<Option<Millis>>,
}

/// The answer to a message that was sent.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SentMessage {
    /// The position in the log.
    pub seq: i64,
    /// The tenant's rev under which it was committed.
    pub rev: i64,
    /// When it was committed.
    pub created_at: Millis,
    /// This is the answer of an earlier request with the same `client_msg_id`.
    pub duplicate: bool,
    /// The message as every reader sees it.
    pub entry: Entry,
}

impl SentMessage {
    /// The answer for an entry.
    pub fn new(row: &EntryRow, duplicate: bool) -> Self {
        Self {
            seq: row.seq,
            rev: row.rev,
            created_at: Millis(row.created_at),
            duplicate,
            entry: Entry::from(row.clone()),
        }
    }
}

/// Which part of a log is asked for.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Entries after this seq, the nearest first. 0 starts at the beginning.
    pub after_seq: Option<i64>,
    /// Entries before this seq, the nearest ones. Without either parameter: the newest.
    pub before_seq: Option<i64>,
    /// Most entries to return, 1 to 200; 50 when absent. A page ends at 256 KiB too, so there may be fewer.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
}

/// A piece of a log, always in order of seq.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LogPage {
    /// The conversation; null for the notes of a conversation that has none yet.
    #[schema(required)]
    pub conversation_id: Option<ConversationId>,
    /// The entries, in order of seq.
    pub data: Vec<Entry>,
    /// The head of the log when it was read.
    pub head_seq: i64,
    /// There are more entries in the direction that was asked for.
    pub more: bool,
}

impl LogPage {
    /// A page of rows in order of seq; `more` says whether there are more in the direction that was asked for.
    pub fn new(id: ConversationId, head: i64, rows: Vec<EntryRow>, more: bool) -> Self {
        // The head was read first; entries that came in between are handed out all the same.
        let head_seq = rows.last().map_or(head, |last| last.seq.max(head));
        Self { conversation_id: Some(id), data: rows.into_iter().map(Entry::from).collect(), head_seq, more }
    }

    /// The notes of a conversation without notes.
    pub fn empty() -> Self {
        Self { conversation_id: None, data: Vec::new(), head_seq: 0, more: false }
    }
}

/// Words of a message that were replaced by an edit or taken back.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Revision {
    /// The seq of the notice that announced the change.
    pub notice_seq: i64,
    /// The kind of the message.
    pub kind: EntryKind,
    /// The content that was replaced, in the form of its kind.
    #[schema(value_type = Object)]
    pub content: serde_json::Value,
    /// Who replaced them.
    pub replaced_by: MemberId,
    /// When.
    pub replaced_at: Millis,
}

impl From<RevisionRow> for Revision {
    fn from(row: RevisionRow) -> Self {
        Self {
            notice_seq: row.revision,
            kind: row.kind,
            content: serde_json::from_str(&row.content).unwrap_or_default(),
            replaced_by: row.replaced_by,
            replaced_at: Millis(row.replaced_at),
        }
    }
}

/// All earlier words of a message, the oldest first.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Revisions {
    /// The earlier words.
    pub data: Vec<Revision>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::MESSAGE;
    use crate::kernel::TenantId;

    fn rows(seqs: std::ops::RangeInclusive<i64>) -> Vec<EntryRow> {
        seqs.map(|seq| EntryRow {
            conversation_id: ConversationId(1),
            seq,
            tenant_id: TenantId(1),
            rev: seq,
            message_type: MESSAGE,
            kind: EntryKind::Text,
            sender_id: None,
            sender_role: None,
            sender_name: String::new(),
            sender_avatar: String::new(),
            client_msg_id: None,
            body_hash: None,
            content: "{}".to_owned(),
            ref_seq: None,
            msg_count: seq,
            recall_count: 0,
            created_at: 0,
            edited_at: None,
            recalled_at: None,
            erased_at: None,
        })
        .collect()
    }

    #[test]
    fn the_head_of_a_page_is_never_below_its_entries() {
        let page = LogPage::new(ConversationId(1), 9, rows(8..=10), false);
        assert_eq!((page.data.len(), page.head_seq), (3, 10));
        assert_eq!(LogPage::new(ConversationId(1), 9, rows(4..=7), true).head_seq, 9);
    }
}
