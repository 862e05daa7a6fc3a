//! Saying how far a log is read.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// Say how far the log is read. Moves forward only; beyond the head means the head.
#[derive(Debug, Clone)]
pub struct Read {
    /// The log; a backstage log's position is kept apart.
    pub conversation: ConversationId,
    /// The last entry read.
    pub seq: i64,
    /// The version of the position that the device knows; absent means the present one.
    pub read_ver: Option<i64>,
}

impl JournalCommand for Read {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (log, actor) = (self.conversation, context.actor_member()?);
        let front = context.front(log)?;
        if front != log {
            context.require_notes_position(front)?;
            let head = context.conversation(log)?.seq;
            context.advance_note_read(front, self.seq.min(head))?;
            let read = context.participant(front, actor).map(|row| (row.note_read_seq, row.read_ver));
            return Ok(Reply { read, ..Reply::about(log) });
        }
        context.require_position(front)?;
        let current = context.participant(front, actor).map(|row| row.read_ver);
        // A read of another version was sent before somebody marked the conversation unread: it is outdated.
        if self.read_ver.is_none() || self.read_ver == current {
            context.advance_read(front, self.seq)?;
        }
        let read = context.participant(front, actor).map(|row| (row.read_seq, row.read_ver));
        Ok(Reply { read, ..Reply::about(front) })
    }
}
