//! Conversations of an agent who is not there.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentEnd, ConversationStatus, MemberType};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::{PIECE, Wants};
use crate::kernel::{ConversationId, MemberId, Result};

/// Let the conversations of an agent who is offline or away for longer than its tenant allows wait again. Each one stays
/// at least that long after it was assigned. At most [`PIECE`] go in one command: while the answer says `more`, the
/// command is repeated. Only the service itself may.
#[derive(Debug, Clone)]
pub struct RequeueAbsent {
    /// Whose.
    pub agent: MemberId,
}

impl JournalCommand for RequeueAbsent {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.agents.insert(self.agent);
        wants.served.insert(self.agent);
        wants.members.insert(self.agent);
        wants.assignments = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        let row = context.agent(self.agent)?;
        let Some(before) = row.loses_before(&context.settings(), context.set.now) else {
            return Ok(Reply::default());
        };
        let due: Vec<ConversationId> = {
            let served = context.set.participants.values().filter(|row| {
                row.member_id == self.agent && row.active && row.member_type == MemberType::Manager
            });
            let fronts = served.map(|row| row.conversation_id);
            let is_due = |front: &ConversationId| {
                context.conversation(*front).is_ok_and(|row| {
                    row.agent_id == Some(self.agent)
                        && row.status == Some(ConversationStatus::Pending)
                        && row.assigned_at.is_none_or(|at| at <= before)
                })
            };
            fronts.filter(is_due).take(PIECE + 1).collect()
        };
        for front in due.iter().take(PIECE) {
            context.free(*front, AssignmentEnd::AgentAbsent, "")?;
        }
        Ok(Reply { more: due.len() > PIECE, ..Reply::default() })
    }
}
