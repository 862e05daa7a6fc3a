//! Whether a member of the staff is connected.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Error, MemberId, Result};

/// Find out whether a member of the staff is connected, and keep it. It is decided by the leases of all processes, read
/// in the same transaction under the tenant's lock, and not by what the asking process believes: a process writes its
/// lease before it asks, so whichever of two processes comes last sees both leases. Asking again changes nothing. Only
/// the service itself may ask.
#[derive(Debug, Clone)]
pub struct SetConnected {
    /// Who.
    pub member: MemberId,
}

impl JournalCommand for SetConnected {
    /// Sockets also end because the account or the tenant may not be used any more.
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.members.insert(self.member);
        wants.agents.insert(self.member);
        wants.sightings.insert(self.member);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        if !context.facts(self.member).is_some_and(|facts| facts.role.is_staff()) {
            return Err(Error::not_found());
        }
        let row = context.agent(self.member)?;
        let grace_ms = context.settings().presence_grace_seconds * 1_000;
        let next = row.clone().seen(context.sighting(self.member)?, grace_ms, context.set.now);
        if next.connected == row.connected {
            return Ok(Reply::default());
        }
        context.change_presence(next)?;
        Ok(Reply::default())
    }
}
