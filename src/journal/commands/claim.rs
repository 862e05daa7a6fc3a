//! Taking a waiting conversation. The table of legal moves stands in `decide::serve`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentReason, ConversationStatus};
use crate::domain::permission::Operation;
use crate::domain::member::Role;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, Result};

/// Take a waiting conversation.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which.
    pub conversation: ConversationId,
}

impl JournalCommand for Claim {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, actor) = (self.conversation, context.actor_member()?);
        context.support(front)?;
        // Who lost a race sees the holder instead of a bare 404: the conversation was visible while it waited.
        if let (Some(holder), true) =
            (context.conversation(front)?.agent_id, context.actor.role().is_some_and(Role::is_staff))
            && context.conversation(front)?.status == Some(ConversationStatus::Pending)
        {
            if holder == actor {
                return Ok(Reply::about(front));
            }
            let error = Error::new(Code::AlreadyAssigned, "another agent holds the conversation");
            return Err(error.with("agent_id", holder).with("status", ConversationStatus::Pending));
        }
        context.require(front, Operation::Claim)?;
        let row = context.conversation(front)?;
        if row.status != Some(ConversationStatus::Open) {
            return Err(wrong_state(row, "only a waiting conversation can be claimed"));
        }
        context.hand_to(front, actor, AssignmentReason::Claim, "")?;
        Ok(Reply::about(front))
    }
}
