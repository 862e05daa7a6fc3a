//! Letting a conversation wait again. The table of legal moves stands in `decide::serve`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentEnd, ConversationStatus};
use crate::domain::member::Role;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// Let a conversation wait again.
#[derive(Debug, Clone)]
pub struct Release {
    /// Which.
    pub conversation: ConversationId,
    /// Why, for the staff; may be empty.
    pub note: String,
}

impl JournalCommand for Release {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.assignments = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let front = self.conversation;
        context.support(front)?;
        // Who released it is no longer in it; saying it again finds that it waits.
        let served = context.actor.member().and_then(|actor| context.participant(front, actor)).is_some();
        let row = context.conversation(front)?;
        if row.status == Some(ConversationStatus::Open)
            && context.actor.role().is_some_and(Role::is_staff)
            && served
        {
            return Ok(Reply::about(front));
        }
        context.require(front, Operation::Release)?;
        let row = context.conversation(front)?;
        if row.status == Some(ConversationStatus::Open) {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        if row.status == Some(ConversationStatus::Closed) {
            return Err(wrong_state(row, "a closed conversation cannot be released"));
        }
        let own = row.docked_to().is_some() || row.agent_id == context.actor.member();
        if !own && !context.oversees(Operation::Release) {
            return Err(wrong_state(row, "only the serving agent or a supervisor can release"));
        }
        context.free(front, AssignmentEnd::Release, &self.note)?;
        Ok(Reply::about(front))
    }
}
