//! Ending a bot's answering, so that the staff go on. The rules stand in `decide::bots`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::HandOffReason;
use crate::domain::member::Role;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, GroupId, Result};

/// Let a conversation that a bot answers wait for the staff: the bot may, whoever of the staff is in it, and supervisors.
#[derive(Debug, Clone)]
pub struct HandOff {
    /// Which.
    pub conversation: ConversationId,
    /// The group whose matter it becomes; `None`: it stays whose it is.
    pub group: Option<GroupId>,
    /// What the staff should know; may be empty.
    pub note: String,
}

impl JournalCommand for HandOff {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.groups.extend(self.group);
        wants.dockers.extend(self.group);
        wants.staffed.extend(self.group);
        wants.restarts = true;
        wants.bots = true;
    }

    fn bytes(&self) -> usize {
        self.note.len()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let front = self.conversation;
        // A bot that handed it over is no longer in it; saying it again finds that it is done.
        let was_in = context.actor.member().and_then(|actor| context.participant(front, actor)).is_some();
        let answered = context.answering_bot(front)?.is_some();
        if !answered && was_in && context.actor.role() == Some(Role::Bot) {
            return Ok(Reply::about(front));
        }
        context.support(front)?;
        context.require(front, Operation::HandOff)?;
        if let Some(group) = self.group {
            context.require_group(group, "/group_id")?;
        }
        context.require_version(front)?;
        if !answered {
            let row = context.conversation(front)?;
            return Err(wrong_state(row, "no bot answers the conversation"));
        }
        if let Some(group) = self.group {
            context.require_somebody(group, None)?;
            if context.conversation(front)?.group_id != Some(group) {
                context.move_to_group(front, Some(group))?;
            }
        }
        context.hand_off(front, HandOffReason::Requested, &self.note)?;
        Ok(Reply::about(front))
    }
}
