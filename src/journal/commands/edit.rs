//! Replacing the words of an own message.

use std::sync::Arc;

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::content::Body;
use crate::domain::entry::EntryKind;
use crate::domain::notice::EmptyContent;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, Millis, Result};

/// Replace the content of an own message.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The log.
    pub conversation: ConversationId,
    /// The message.
    pub seq: i64,
    /// The new words.
    pub body: Body,
    /// `edited_at` of the version that the edit is based on (`Some(None)`: never edited); absent: the last edit wins.
    pub base_edited_at: Option<Option<i64>>,
}

impl JournalCommand for Edit {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.entries.insert((self.conversation, self.seq));
    }

    fn bytes(&self) -> usize {
        self.body.content.len()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (log, body) = (self.conversation, &self.body);
        let front = context.require_log(log)?;
        let entry = context.own_message(log, self.seq)?;
        if entry.is_wordless() {
            return Err(Error::new(Code::MessageRecalled, Code::MessageRecalled.meaning()));
        }
        if entry.content == body.content && entry.kind == body.kind {
            return Ok(Reply { entry: Some(Arc::new(entry)), ..Reply::about(log) });
        }
        context.require_insider(front, log)?;
        if self.base_edited_at.is_some_and(|base| base != entry.edited_at) {
            let error = Error::new(Code::StaleEdit, Code::StaleEdit.meaning());
            return Err(error.with("edited_at", entry.edited_at.map(Millis)));
        }
        if entry.kind != body.kind {
            return Err(Error::field("/kind", "invalid", "an edit keeps the kind of the message"));
        }
        context.require_window(&entry, |settings| settings.edit_window_seconds, "edited")?;
        let notice = context.append_notice(log, EntryKind::Edited, &EmptyContent {}, Some(self.seq))?;
        let entry = context.rewrite(entry, notice.seq, body.content.clone(), false)?;
        Ok(Reply { entry: Some(Arc::new(entry)), ..Reply::about(log) })
    }
}
