//! Ending a group.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::audit::Act;
use crate::domain::conversation::{AssignmentEnd, ConversationRow, ConversationStatus};
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::{PIECE, Wants};
use crate::kernel::{ConversationId, GroupId, MemberId, Result};

/// End a group. First its conversations that are not closed become no group's (those that it serves wait again), about [`PIECE`] in one command: while
/// the answer says `more`, the group lives and the command is repeated. The last one takes its members out, and its
/// name is free. Closed conversations keep it.
#[derive(Debug, Clone)]
pub struct DeleteGroup {
    /// Which.
    pub group: GroupId,
}

impl JournalCommand for DeleteGroup {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.groups.insert(self.group);
        wants.ending_groups.insert(self.group);
        wants.rosters.insert(self.group);
        wants.assignments = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.allow(Operation::ManageGroups)?;
        let group = self.group;
        context.group(group)?;
        // Also what came to the group earlier in this batch.
        let runs = |row: &&ConversationRow| {
            row.group_id == Some(group) && row.status.is_some_and(|status| status != ConversationStatus::Closed)
        };
        let left: Vec<ConversationId> =
            context.set.conversations.values().filter(runs).map(|row| row.id).collect();
        for front in left {
            if context.conversation(front)?.docked_to().is_some() {
                context.free(front, AssignmentEnd::GroupEmpty, "")?;
            }
            context.move_to_group(front, None)?;
            context.bump_version(front)?;
        }
        let more = context.set.of_groups.get(&group).is_some_and(|found| found.len() > PIECE);
        if !more {
            context.empty_room(group)?;
            let members: Vec<MemberId> = context.roster(group).map(|row| row.member_id).collect();
            members.into_iter().for_each(|member| context.displace(group, member));
            let (rev, now) = (context.rev(), context.set.now);
            let row = context.group_mut(group)?;
            let act = Act::deleted(row);
            row.name_key = None;
            row.deleted_at = Some(now);
            row.updated_at = now;
            row.rev = rev;
            context.note(act);
        }
        Ok(Reply { group: Some(group), more, ..Reply::default() })
    }
}
