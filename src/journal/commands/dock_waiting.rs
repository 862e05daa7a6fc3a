//! Docking what waits for a group that serves as a whole: what was there before it did, and what came back since.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{ConversationRow, ConversationStatus};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::{Wants, docked_at_once};
use crate::kernel::{ConversationId, GroupId, Result};

/// Dock what waits for a group to it, if the whole group serves and somebody in it can; nothing otherwise. As many
/// conversations as [`docked_at_once`] allows in one command: while the answer says `more`, the command is repeated. Only
/// the service itself may.
#[derive(Debug, Clone)]
pub struct DockWaiting {
    /// The group.
    pub group: GroupId,
}

impl JournalCommand for DockWaiting {
    // Nobody has to be let in for it, and what is left is looked for again and again.
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.groups.insert(self.group);
        wants.dockers.insert(self.group);
        wants.waiting_for.insert(self.group);
        wants.restarts = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        let group = self.group;
        let reply = Reply { group: Some(group), ..Reply::default() };
        if !context.docks(group) {
            return Ok(reply);
        }
        let most = docked_at_once(context.roster(group).count());
        let waits = |row: &&ConversationRow| {
            row.group_id == Some(group) && row.status == Some(ConversationStatus::Open)
        };
        let waiting: Vec<ConversationId> =
            context.set.conversations.values().filter(waits).map(|row| row.id).take(most).collect();
        for front in waiting {
            context.dock(front, group, "")?;
        }
        Ok(Reply { more: context.set.more_waits_for.contains(&group), ..reply })
    }
}
