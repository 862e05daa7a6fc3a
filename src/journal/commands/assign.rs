//! Giving a conversation to an agent. The table of legal moves stands in `decide::serve`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentReason, ConversationStatus};
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, MemberId, Result};

/// Give a conversation to an agent.
#[derive(Debug, Clone)]
pub struct Assign {
    /// Which.
    pub conversation: ConversationId,
    /// To whom.
    pub agent: MemberId,
    /// Why, for the staff; may be empty.
    pub note: String,
}

impl JournalCommand for Assign {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.members.insert(self.agent);
        wants.assignments = true;
        wants.agents.insert(self.agent);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, agent) = (self.conversation, self.agent);
        context.support(front)?;
        context.require(front, Operation::Assign)?;
        context.require_staff(agent, "/agent_id")?;
        let row = context.conversation(front)?;
        if row.status == Some(ConversationStatus::Pending) && row.agent_id == Some(agent) {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        if row.status == Some(ConversationStatus::Closed) {
            return Err(wrong_state(row, "a closed conversation cannot be assigned: reopen it"));
        }
        context.hand_to(front, agent, AssignmentReason::Assign, &self.note)?;
        Ok(Reply::about(front))
    }
}
