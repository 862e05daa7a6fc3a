//! Saying how far a log has reached a device.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::member::Role;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// Say how far the log has reached a device. Takes no rev and has no reply that matters.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The log.
    pub conversation: ConversationId,
    /// The last entry received.
    pub seq: i64,
}

impl JournalCommand for Delivered {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (log, actor) = (self.conversation, context.actor_member()?);
        let front = context.front(log)?;
        if front != log {
            context.require_notes_position(front)?;
            return Ok(Reply::about(log));
        }
        context.require_position(front)?;
        let seq = self.seq.min(context.conversation(front)?.seq);
        if context.participant(front, actor).is_some_and(|row| row.delivered_seq < seq) {
            if let Some(row) = context.participant_mut(front, actor) {
                row.delivered_seq = seq;
            }
            let staff = context.actor.role().is_some_and(Role::is_staff);
            let row = context.conversation_mut(front)?;
            let position = match staff {
                true => &mut row.staff_delivered_seq,
                false => &mut row.customer_delivered_seq,
            };
            *position = (*position).max(seq);
            context.set.delivered.push((front, actor, seq));
        }
        Ok(Reply::about(front))
    }
}
