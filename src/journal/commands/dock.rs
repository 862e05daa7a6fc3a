//! Docking a conversation to a group. The table of legal moves stands in `decide::serve`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::ConversationStatus;
use crate::domain::member::Role;
use crate::domain::permission::{Operation, Relation};
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, GroupId, Result};

/// Let a whole group serve a conversation: the serving agent may, who is in it by the group that serves it, everybody
/// who may claim it while it waits, and supervisors. Errors: `group_empty`, `invalid_transition`.
#[derive(Debug, Clone)]
pub struct Dock {
    /// Which.
    pub conversation: ConversationId,
    /// To which group.
    pub group: GroupId,
    /// Why, for the staff; may be empty.
    pub note: String,
}

impl JournalCommand for Dock {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.groups.insert(self.group);
        wants.staffed.insert(self.group);
        wants.assignments = true;
        wants.restarts = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, group, actor) = (self.conversation, self.group, context.actor_member()?);
        context.support(front)?;
        // Who docked it to a group of others is no longer in it; saying it again finds that it is done.
        let done = context.conversation(front)?.docked_to() == Some(group);
        let served = context.participant(front, actor).is_some();
        if done && served && context.actor.role().is_some_and(Role::is_staff) {
            return Ok(Reply::about(front));
        }
        let relation = context.require(front, Operation::Dock)?;
        context.require_group(group, "/group_id")?;
        if done {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        let row = context.conversation(front)?;
        if row.status == Some(ConversationStatus::Closed) {
            return Err(wrong_state(row, "a closed conversation cannot be docked: reopen it"));
        }
        let own = match row.status {
            Some(ConversationStatus::Pending) if row.agent_id.is_some() => row.agent_id == Some(actor),
            Some(ConversationStatus::Pending) => relation == Relation::Insider,
            _ => true,
        };
        if !own && !context.oversees(Operation::Dock) {
            return Err(wrong_state(row, "only who serves it or a supervisor can dock it"));
        }
        context.require_somebody(group, None)?;
        context.dock(front, group, &self.note)?;
        Ok(Reply::about(front))
    }
}
