//! Taking a conversation from the agent who serves it. The table of legal moves stands in `decide::serve`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentReason, ConversationStatus};
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// Take a conversation from the agent who serves it. Whose limit it counts against is the one who takes it, as for a
/// claim.
#[derive(Debug, Clone)]
pub struct TakeOver {
    /// Which.
    pub conversation: ConversationId,
    /// Why, for the staff; may be empty.
    pub note: String,
}

impl JournalCommand for TakeOver {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.assignments = true;
        wants.agents.extend(actor.member());
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, actor) = (self.conversation, context.actor_member()?);
        context.support(front)?;
        context.require(front, Operation::TakeOver)?;
        let row = context.conversation(front)?;
        if row.status == Some(ConversationStatus::Pending) && row.agent_id == Some(actor) {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        if row.status != Some(ConversationStatus::Pending) {
            return Err(wrong_state(row, "only a conversation that an agent serves can be taken over"));
        }
        context.hand_to(front, actor, AssignmentReason::TakeOver, &self.note)?;
        Ok(Reply::about(front))
    }
}
