//! Saying what one is: online, busy, away or offline.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::permission::Operation;
use crate::domain::presence::{AgentStatusRow, PresenceStatus};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::Result;

/// Say what one is. Repeating it changes nothing, and `since` stays.
#[derive(Debug, Clone)]
pub struct SetPresence {
    /// What.
    pub status: PresenceStatus,
    /// Why, for the staff; may be empty.
    pub reason: String,
}

impl JournalCommand for SetPresence {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.agents.extend(actor.member());
    }

    fn bytes(&self) -> usize {
        self.reason.len()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let actor = context.actor_member()?;
        context.allow(Operation::SetPresence)?;
        let row = context.agent(actor)?;
        let stays = row.since.is_some() && row.status == self.status;
        if stays && row.reason == self.reason {
            return Ok(Reply::default());
        }
        let since = if stays { row.since } else { Some(context.set.now) };
        let (status, reason) = (self.status, self.reason.clone());
        // Who says what it is has not merely overlooked its offers.
        context.change_presence(AgentStatusRow { status, reason, since, misses: 0, ..row })?;
        Ok(Reply::default())
    }
}
