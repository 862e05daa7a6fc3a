//! Taking a waiting conversation. The table of legal moves stands in `decide::serve`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentReason, ConversationStatus};
use crate::domain::permission::{Operation, Relation};
use crate::domain::member::Role;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, Result};

/// For so long after an assignment, who may not see the conversation any more is told who holds it.
const RACE_MS: i64 = 10_000;

/// Take a waiting conversation, or one that the own group serves.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which.
    pub conversation: ConversationId,
}

impl JournalCommand for Claim {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.assignments = true;
        wants.agents.extend(actor.member());
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, actor) = (self.conversation, context.actor_member()?);
        context.support(front)?;
        let row = context.conversation(front)?;
        let staff = context.actor.role().is_some_and(Role::is_staff);
        if let (Some(holder), true, Some(ConversationStatus::Pending)) = (row.agent_id, staff, row.status) {
            if holder == actor {
                return Ok(Reply::about(front));
            }
            // Who lost a race learns the holder instead of a bare 404. Later, who may not see the conversation learns
            // nothing of it.
            let lost = row.assigned_at.is_some_and(|at| context.set.now - at <= RACE_MS);
            if lost || context.relation(front)? != Relation::Stranger {
                let error = Error::new(Code::AlreadyAssigned, "another agent holds the conversation");
                return Err(error.with("agent_id", holder).with("status", ConversationStatus::Pending));
            }
        }
        context.require(front, Operation::Claim)?;
        context.require_version(front)?;
        let row = context.conversation(front)?;
        if row.status != Some(ConversationStatus::Open) && row.docked_to().is_none() {
            return Err(wrong_state(row, "only a waiting conversation can be claimed"));
        }
        context.hand_to(front, actor, AssignmentReason::Claim, "")?;
        Ok(Reply::about(front))
    }
}
