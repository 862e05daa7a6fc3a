//! Taking back a message's words.

use std::sync::Arc;

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::entry::EntryKind;
use crate::domain::notice::EmptyContent;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, Result};

/// Remove a message's content.
#[derive(Debug, Clone)]
pub struct Recall {
    /// The log.
    pub conversation: ConversationId,
    /// The message.
    pub seq: i64,
}

impl JournalCommand for Recall {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.entries.insert((self.conversation, self.seq));
        wants.recalled.insert((self.conversation, self.seq));
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let log = self.conversation;
        let front = context.require_log(log)?;
        let entry = context.message(log, self.seq)?;
        let own = entry.sender_id.is_some_and(|sender| context.selves().contains(&sender));
        let any = context.oversees(Operation::RecallAny);
        if !own && !any {
            return Err(Error::new(Code::Forbidden, "only the sender or a supervisor may recall a message"));
        }
        if entry.is_wordless() {
            return Ok(Reply { entry: Some(Arc::new(entry)), ..Reply::about(log) });
        }
        if !any {
            context.require_insider(front, log)?;
            context.require_window(&entry, |settings| settings.recall_window_seconds, "recalled")?;
        }
        let notice = context.append_notice(log, EntryKind::Recalled, &EmptyContent {}, Some(self.seq))?;
        context.erase_attachment(&entry);
        let entry = context.rewrite(entry, notice.seq, "{}".to_owned(), true)?;
        Ok(Reply { entry: Some(Arc::new(entry)), ..Reply::about(log) })
    }
}
