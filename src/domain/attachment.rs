//! Attachments: the files that members send, what a message says of one, and which kinds of messages may carry which
//! types. No I/O.
//!
//! An attachment is announced, receives its content once, and is carried by one message. Its id is no key to the content:
//! whoever reads the message may read it, and as long as no message carries it, its uploader only.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::entry::{EntryKind, EntryRow};
use crate::db::schema::{attachment, stored_file};
use crate::kernel::{AttachmentId, ConversationId, Error, MemberId, Result, StoredFileId, TenantId, text};
use crate::text_enum;

/// Longest name of a file, in characters.
pub const FILE_NAME_MAX: usize = 255;
/// Largest attachment that an operator can allow, in bytes: 1 GiB.
pub const ATTACHMENT_LIMIT_MAX: i64 = 1_073_741_824;
/// Longest recording that a message may claim, in milliseconds: a day.
pub const DURATION_MAX: i64 = 86_400_000;
/// Most attachments of one member that no message carries.
pub const UNUSED_MAX: i64 = 100;
/// How long an attachment may stay without a message, in milliseconds: a day.
pub const UNUSED_MS: i64 = 86_400_000;

text_enum! {
    /// How far an attachment is.
    AttachmentState {
        /// Its content has not come yet.
        Pending = "pending",
        /// Its content is there.
        Ready = "ready",
        /// Its content is gone: the message was recalled, or none carried it in time.
        Erased = "erased",
    }
}

text_enum! {
    /// How far a stored file is.
    StoredFileState {
        /// Its bytes come.
        Uploading = "uploading",
        /// It is whole.
        Ready = "ready",
        /// Its bytes are being removed.
        Deleting = "deleting",
    }
}

/// A row of `attachment`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = attachment, treat_none_as_default_value = false)]
pub struct AttachmentRow {
    /// The attachment.
    pub id: AttachmentId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who announced it.
    pub uploader_id: MemberId,
    /// The name of the file, without a path; empty after the message was recalled.
    pub name: String,
    /// Bytes, as announced; the content has exactly so many.
    pub size: i64,
    /// How far it is.
    pub state: AttachmentState,
    /// Where its content is kept.
    pub stored_file_id: Option<StoredFileId>,
    /// The type, as the content says.
    pub media_type: Option<String>,
    /// Of a picture: as it is shown, in pixels.
    pub width: Option<i64>,
    /// Of a picture: as it is shown, in pixels.
    pub height: Option<i64>,
    /// Whether there is a small picture of it.
    pub has_thumbnail: bool,
    /// The log whose message carries it.
    pub conversation_id: Option<ConversationId>,
    /// The message that carries it.
    pub seq: Option<i64>,
    /// When it was announced, unix milliseconds.
    pub created_at: i64,
    /// When it last changed, unix milliseconds.
    pub updated_at: i64,
    /// When it is to be cleaned up, unix milliseconds; `None`: a message carries it, or nothing is left.
    pub sweep_at: Option<i64>,
}

/// A row of `stored_file`: bytes in the folder of files.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = stored_file, treat_none_as_default_value = false)]
pub struct StoredFileRow {
    /// The file; its name in the tenant's folder.
    pub id: StoredFileId,
    /// Whose.
    pub tenant_id: TenantId,
    /// How far it is.
    pub state: StoredFileState,
    /// Of a whole one: SHA-256 of its bytes in lower-case hexadecimal, once in a tenant.
    pub sha256: Option<String>,
    /// Bytes.
    pub size: i64,
    /// The type, as the content says.
    pub media_type: Option<String>,
    /// Of a picture: as it is shown, in pixels.
    pub width: Option<i64>,
    /// Of a picture: as it is shown, in pixels.
    pub height: Option<i64>,
    /// The type of its thumbnail, when it has one.
    pub thumbnail_type: Option<String>,
    /// When its first byte was expected, unix milliseconds.
    pub created_at: i64,
    /// When it is to be removed, unix milliseconds; `None`: it is whole.
    pub sweep_at: Option<i64>,
}

/// Content of an image, file, voice or video message that is to be sent: an attachment of one's own that is ready and that no
/// message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachmentReference {
    /// The attachment.
    pub attachment_id: AttachmentId,
    /// Of voice and video: how long it plays, in milliseconds, as the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

impl AttachmentReference {
    /// Checks what is said for this kind of message.
    pub fn check(&self, kind: EntryKind, pointer: &str) -> Result<()> {
        let Some(duration) = self.duration_ms else { return Ok(()) };
        let pointer = format!("{pointer}/duration_ms");
        if !matches!(kind, EntryKind::Voice | EntryKind::Video) {
            return Err(Error::field(pointer, "invalid", "goes with voice and video only"));
        }
        match (1..=DURATION_MAX).contains(&duration) {
            true => Ok(()),
            false => Err(Error::field(pointer, "out_of_range", format!("1 to {DURATION_MAX}"))),
        }
    }
}

/// Content of an image, file, voice or video message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttachmentContent {
    /// The attachment: its content is read through `/attachments/{id}/url`.
    pub attachment_id: AttachmentId,
    /// The name of the file, without a path.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// The type, as the content says.
    pub media_type: String,
    /// Of a picture: as it is shown, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub width: Option<i64>,
    /// Of a picture: as it is shown, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub height: Option<i64>,
    /// Whether there is a small picture of it.
    pub has_thumbnail: bool,
    /// Of voice and video: how long it plays, in milliseconds, as the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub duration_ms: Option<i64>,
}

impl AttachmentContent {
    /// The attachment that a message carries; `None` for other kinds and after a recall.
    pub fn carried_by(entry: &EntryRow) -> Option<AttachmentId> {
        let parsed = || serde_json::from_str::<Self>(&entry.content).ok();
        entry.kind.has_attachment().then(parsed).flatten().map(|content| content.attachment_id)
    }
}

impl AttachmentRow {
    /// What a message that carries it says.
    pub fn content(&self, reference: &AttachmentReference) -> AttachmentContent {
        AttachmentContent {
            attachment_id: self.id,
            name: self.name.clone(),
            size: self.size,
            media_type: self.media_type.clone().unwrap_or_default(),
            width: self.width,
            height: self.height,
            has_thumbnail: self.has_thumbnail,
            duration_ms: reference.duration_ms,
        }
    }
}

/// Why a message of this kind may not carry content of this type; `None` when it may.
pub fn kind_fault(kind: EntryKind, media_type: &str) -> Option<&'static str> {
    // Browsers record voice into containers whose first bytes are those of a video.
    const RECORDINGS: [&str; 2] = ["video/webm", "video/mp4"];
    let fault = match kind {
        EntryKind::Image => (!media_type.starts_with("image/")).then_some("the content is no picture"),
        EntryKind::Video => (!media_type.starts_with("video/")).then_some("the content is no video"),
        EntryKind::Voice => {
            let fits = media_type.starts_with("audio/") || RECORDINGS.contains(&media_type);
            (!fits).then_some("the content is no recording")
        }
        _ => None,
    };
    fault.filter(|_| kind.has_attachment())
}

/// Checks the name of a file: one line that shows something, without a path.
pub fn check_file_name(name: &str, pointer: &str) -> Result<()> {
    if text::is_blank(name) {
        return Err(Error::field(pointer, "too_short", "the name is empty or invisible"));
    }
    if name.chars().count() > FILE_NAME_MAX {
        return Err(Error::field(pointer, "too_long", format!("at most {FILE_NAME_MAX} characters")));
    }
    if let Some(fault) = text::line_fault(name) {
        return Err(Error::field(pointer, "invalid", fault));
    }
    match name.contains(['/', '\\']) || name.chars().all(|one| one == '.') {
        true => Err(Error::field(pointer, "invalid", "a name of a file without a path")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lines_without_a_path() {
        for good in ["a.png", "发票 2026.pdf", "…", ".env", "a..b"] {
            assert!(check_file_name(good, "/name").is_ok(), "{good}");
        }
        let long = "n".repeat(FILE_NAME_MAX + 1);
        for bad in ["", " ", ".", "..", "../a", "a/b", "C:\\a", "a\nb", "a\0b", "a\u{202e}gpj.exe", &long] {
            assert!(check_file_name(bad, "/name").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kinds_take_the_types_that_they_show() {
        for (kind, good, bad) in [
            (EntryKind::Image, "image/png", "application/pdf"),
            (EntryKind::Video, "video/mp4", "audio/mpeg"),
            (EntryKind::Voice, "video/webm", "image/png"),
            (EntryKind::Voice, "audio/amr", "video/quicktime"),
        ] {
            assert_eq!(kind_fault(kind, good), None, "{kind} {good}");
            assert!(kind_fault(kind, bad).is_some(), "{kind} {bad}");
        }
        assert_eq!(kind_fault(EntryKind::File, "application/zip"), None);
    }

    #[test]
    fn only_what_plays_has_a_duration() {
        let reference = |duration_ms| AttachmentReference { attachment_id: AttachmentId(1), duration_ms };
        assert!(reference(Some(1)).check(EntryKind::Voice, "").is_ok());
        assert!(reference(Some(0)).check(EntryKind::Video, "").is_err());
        assert!(reference(Some(DURATION_MAX + 1)).check(EntryKind::Video, "").is_err());
        assert!(reference(Some(1)).check(EntryKind::Image, "").is_err());
        assert!(reference(None).check(EntryKind::Image, "").is_ok());
    }
}
