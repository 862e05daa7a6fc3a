//! What an entry is: kinds, bodies and their limits, the row that the journal keeps and the one JSON shape that
//! REST, sockets and webhooks share. No I/O.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::db::schema::{group_message, message_revision};
use crate::kernel::{ConversationId, Error, MemberId, Millis, Result, TenantId, text};
use crate::members::model::Role;
use crate::text_enum;

/// Longest text of a message, in bytes of UTF-8.
pub const TEXT_MAX: usize = 16_384;
/// Longest JSON of a custom body, in bytes.
pub const CUSTOM_MAX: usize = 16_384;

text_enum! {
    /// What an entry is. On read this list may grow.
    EntryKind {
        /// Message: plain text.
        Text = "text",
        /// Message: a title with text, picture, link and buttons.
        Card = "card",
        /// Message: the tenant's own JSON.
        Custom = "custom",
        /// The conversation was opened.
        Opened = "opened",
        /// A member joined.
        Joined = "joined",
        /// A member left or was removed.
        Left = "left",
        /// An agent serves the conversation now.
        Assigned = "assigned",
        /// The conversation waits again.
        Released = "released",
        /// It is over.
        Closed = "closed",
        /// It was opened again.
        Reopened = "reopened",
        /// The message `ref_seq` has new words.
        Edited = "edited",
        /// The message `ref_seq` has no words any more.
        Recalled = "recalled",
        /// The subject changed.
        SubjectChanged = "subject_changed",
        /// The visitor was recognised: the conversation has another customer now.
        CustomerChanged = "customer_changed",
        /// Backstage: priority changed.
        PriorityChanged = "priority_changed",
        /// Backstage: tags changed.
        TagsChanged = "tags_changed",
        /// Backstage: why an agent was assigned or relieved, or the conversation closed.
        Remark = "remark",
    }
}

impl EntryKind {
    /// Whether this is a message (counted, readable, editable) and not a notice.
    pub const fn is_message(self) -> bool {
        matches!(self, Self::Text | Self::Card | Self::Custom)
    }
}

/// The sources' number for a message in `group_message.message_type`.
pub const MESSAGE: i16 = 1;
/// The sources' number for a notice in `group_message.message_type`.
pub const NOTICE: i16 = 2;

/// What is said, checked: the kind and its content as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// One of the message kinds.
    pub kind: EntryKind,
    /// The content as canonical JSON text.
    pub content: String,
}

/// Content of a text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TextContent {
    /// 1 to 16,384 bytes of UTF-8, not only white space.
    pub text: String,
}

/// Content of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardContent {
    /// 1 to 200 characters.
    pub title: String,
    /// At most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `https` only, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// `https` only, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// At most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<CardButton>,
}

/// A button of a card: a link, or a value that the client sends back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardButton {
    /// 1 to 80 characters.
    pub label: String,
    /// `https` only, at most 2,000 characters. Exactly one of `url` and `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// At most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Content of a custom message: named by its type so that clients can tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomContent {
    /// The tenant's own name for this shape: a key of 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Any JSON; the whole content is at most 16,384 bytes.
    pub data: serde_json::Value,
}

impl Body {
    /// Checks a body that came from outside. `pointer` is where the content stands in the request.
    pub fn parse(kind: EntryKind, content: &serde_json::Value, pointer: &str) -> Result<Self> {
        if text::json_has_nul(content) {
            return Err(Error::field(pointer, "invalid", "U+0000 is not allowed in text"));
        }
        let content = match kind {
            EntryKind::Text => canonical(&check_text(shape(content, pointer)?, pointer)?),
            EntryKind::Card => canonical(&check_card(shape(content, pointer)?, pointer)?),
            EntryKind::Custom => canonical(&check_custom(shape(content, pointer)?, pointer)?),
            _ => return Err(Error::field("/kind", "invalid", "kind must be text, card or custom")),
        };
        if content.len() > CUSTOM_MAX + 256 && kind != EntryKind::Text {
            return Err(Error::field(
                pointer,
                "too_long",
                format!("content is longer than {CUSTOM_MAX} bytes"),
            ));
        }
        Ok(Self { kind, content })
    }

    /// A text body; for callers of our own.
    pub fn text(text: &str) -> Result<Self> {
        Self::parse(EntryKind::Text, &serde_json::json!({ "text": text }), "/content")
    }

    /// The first 63 bits of SHA-256 over kind, content and reply target: tells a retry from another message under
    /// the same client_msg_id, also after an edit.
    pub fn hash(&self, reply_to_seq: Option<i64>) -> i64 {
        let mut digest = Sha256::new();
        digest.update(self.kind.as_str());
        digest.update([0]);
        digest.update(&self.content);
        digest.update(reply_to_seq.unwrap_or(0).to_be_bytes());
        let mut first = [0u8; 8];
        first.copy_from_slice(&digest.finalize()[..8]);
        i64::from_be_bytes(first) & i64::MAX
    }
}

fn canonical<T: Serialize>(content: &T) -> String {
    crate::db::types::json_text(content)
}

fn shape<T: serde::de::DeserializeOwned>(content: &serde_json::Value, pointer: &str) -> Result<T> {
    T::deserialize(content).map_err(|cause| Error::field(pointer, "invalid", cause.to_string()))
}

fn check_text(content: TextContent, pointer: &str) -> Result<TextContent> {
    let pointer = format!("{pointer}/text");
    if content.text.trim().is_empty() {
        return Err(Error::field(pointer, "too_short", "text is empty"));
    }
    if content.text.len() > TEXT_MAX {
        return Err(Error::field(
            pointer,
            "too_long",
            format!("text is longer than {TEXT_MAX} bytes of UTF-8"),
        ));
    }
    Ok(content)
}

fn check_card(content: CardContent, pointer: &str) -> Result<CardContent> {
    length(&format!("{pointer}/title"), &content.title, 1, 200)?;
    if let Some(text) = &content.text {
        length(&format!("{pointer}/text"), text, 0, 2_000)?;
    }
    https(&format!("{pointer}/image_url"), content.image_url.as_deref())?;
    https(&format!("{pointer}/url"), content.url.as_deref())?;
    if content.buttons.len() > 10 {
        return Err(Error::field(format!("{pointer}/buttons"), "too_long", "at most 10 buttons"));
    }
    for (index, button) in content.buttons.iter().enumerate() {
        let pointer = format!("{pointer}/buttons/{index}");
        length(&format!("{pointer}/label"), &button.label, 1, 80)?;
        https(&format!("{pointer}/url"), button.url.as_deref())?;
        if let Some(value) = &button.value {
            length(&format!("{pointer}/value"), value, 1, 500)?;
        }
        if button.url.is_some() == button.value.is_some() {
            return Err(Error::field(pointer, "invalid", "a button has either url or value"));
        }
    }
    Ok(content)
}

fn check_custom(content: CustomContent, pointer: &str) -> Result<CustomContent> {
    if !text::is_key(&content.kind) {
        return Err(Error::field(
            format!("{pointer}/type"),
            "invalid",
            "type is 1 to 64 of A-Z a-z 0-9 . _ : -",
        ));
    }
    Ok(content)
}

fn length(pointer: &str, text: &str, least: usize, most: usize) -> Result<()> {
    let count = text.chars().count();
    if count < least || text.trim().len() < least {
        return Err(Error::field(pointer, "too_short", format!("at least {least} characters")));
    }
    if count > most {
        return Err(Error::field(pointer, "too_long", format!("at most {most} characters")));
    }
    Ok(())
}

fn https(pointer: &str, url: Option<&str>) -> Result<()> {
    match url {
        Some(url) if !url.starts_with("https://") => {
            Err(Error::field(pointer, "invalid", "only https:// URLs"))
        }
        Some(url) => length(pointer, url, 9, 2_000),
        None => Ok(()),
    }
}

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
    /// JSON text; `{}` after a recall.
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
}

/// A row of `message_revision`: words that were replaced.
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
    /// The room.
    pub conversation_id: ConversationId,
    /// The position in the room's log: dense, from 1.
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
    /// By kind: text, card, custom; notices carry what changed; `{}` after a recall.
    #[schema(value_type = Object)]
    pub content: Box<RawValue>,
    /// Message: the entry that it answers. Notice: the entry that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ref_seq: Option<i64>,
    /// Messages in the log up to and including this entry.
    pub msg_count: i64,
    /// When it was committed. Order never depends on it.
    pub created_at: Millis,
    /// When its words were last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Millis>,
    /// When its words were taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recalled_at: Option<Millis>,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_are_checked_by_kind() {
        assert!(Body::text("hello").is_ok());
        assert!(Body::text(" \n").is_err());
        assert!(Body::text("a\0b").is_err());
        assert!(Body::text(&"字".repeat(5_461)).is_ok());
        assert!(Body::text(&"字".repeat(5_462)).is_err());
        let parse = |kind, content| Body::parse(kind, &content, "/content");
        assert!(parse(EntryKind::Text, json!({"text": "x", "more": 1})).is_err());
        assert!(parse(EntryKind::Card, json!({"title": "t", "url": "http://x"})).is_err());
        assert!(parse(EntryKind::Card, json!({"title": "t", "buttons": [{"label": "b"}]})).is_err());
        assert!(
            parse(EntryKind::Card, json!({"title": "t", "buttons": [{"label": "b", "value": "v"}]})).is_ok()
        );
        assert!(parse(EntryKind::Custom, json!({"type": "order.v1", "data": {"n": 1}})).is_ok());
        assert!(parse(EntryKind::Custom, json!({"type": "bad key", "data": 1})).is_err());
        assert!(parse(EntryKind::Closed, json!({})).is_err());
    }

    #[test]
    fn the_hash_tells_kind_content_and_reply_apart() -> Result<()> {
        let body = Body::text("hello")?;
        assert_eq!(body.hash(None), Body::text("hello")?.hash(None));
        assert_ne!(body.hash(None), body.hash(Some(1)));
        assert_ne!(body.hash(None), Body::text("hello ")?.hash(None));
        Ok(())
    }
}
