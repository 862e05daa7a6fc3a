//! Attachments of messages: which one a message may carry, and what becomes of it when the message is recalled.

use super::CommandContext;
use crate::db::types::json_text;
use crate::domain::attachment::{AttachmentContent, AttachmentState, kind_fault};
use crate::domain::content::Body;
use crate::domain::entry::EntryRow;
use crate::kernel::{AttachmentId, Code, ConversationId, Error, Result};

impl CommandContext<'_> {
    /// The attachment that a message of the actor may carry, with what the log will say of it; `None` for kinds without one.
    pub(crate) fn attachable(&self, body: &Body) -> Result<Option<(AttachmentId, String)>> {
        const POINTER: &str = "/content/attachment_id";
        let Some(reference) = body.attachment() else { return Ok(None) };
        let id = reference.attachment_id;
        let selves = self.selves();
        let row = self.set.attachments.get(&id);
        let own = row.filter(|row| row.tenant_id == self.tenant && selves.contains(&row.uploader_id));
        let unknown = || Error::field(POINTER, "invalid", "there is no such attachment of yours");
        let row = own.filter(|row| row.state != AttachmentState::Erased).ok_or_else(unknown)?;
        if row.conversation_id.is_some() {
            return Err(Error::field(POINTER, "used", "a message carries this attachment already"));
        }
        let Some(media_type) = row.media_type.as_deref().filter(|_| row.state == AttachmentState::Ready)
        else {
            return Err(Error::new(Code::AttachmentNotReady, Code::AttachmentNotReady.meaning()));
        };
        if let Some(fault) = kind_fault(body.kind, media_type) {
            return Err(Error::field("/kind", "invalid", fault));
        }
        Ok(Some((id, json_text(&row.content(&reference)))))
    }

    /// Lets a message carry an attachment.
    pub(crate) fn attach(&mut self, id: AttachmentId, log: ConversationId, seq: i64) {
        let now = self.set.now;
        if let Some(row) = self.set.attachments.get_mut(&id) {
            row.conversation_id = Some(log);
            row.seq = Some(seq);
            row.updated_at = now;
            row.sweep_at = None;
        }
    }

    /// Erases the attachment that a message carries, when it carries one; its content is removed after the commit.
    pub(crate) fn erase_attachment(&mut self, entry: &EntryRow) {
        let now = self.set.now;
        let carried = AttachmentContent::carried_by(entry);
        if let Some(row) = carried.and_then(|id| self.set.attachments.get_mut(&id)) {
            row.state = AttachmentState::Erased;
            row.name = String::new();
            row.updated_at = now;
            row.sweep_at = Some(now);
        }
    }
}
