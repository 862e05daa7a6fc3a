//! Ending a conversation. The table of legal moves stands in `decide::serve`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{CloseReason, ConversationStatus};
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// End a conversation.
#[derive(Debug, Clone)]
pub struct Close {
    /// Which.
    pub conversation: ConversationId,
    /// Why; the visitor sees it. A customer may say that the matter is settled or that it left.
    pub reason: CloseReason,
    /// Why, for the staff; may be empty.
    pub note: String,
}

impl JournalCommand for Close {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.assignments = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let front = self.conversation;
        context.support(front)?;
        context.require(front, Operation::Close)?;
        if context.conversation(front)?.status == Some(ConversationStatus::Closed) {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        let customer = context.actor.role() == Some(Role::Customer);
        let reason = match self.reason {
            CloseReason::Resolved => CloseReason::Resolved,
            _ if customer => CloseReason::CustomerLeft,
            reason => reason,
        };
        let note = if customer { "" } else { self.note.as_str() };
        if !note.is_empty() {
            context.backstage(front)?;
        }
        context.end(front, reason)?;
        context.remark(front, EntryKind::Closed, note)?;
        Ok(Reply::about(front))
    }
}
