//! Conversations that follow their group: who came into it enters them, who left it leaves them.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentEnd, ConversationStatus};
use crate::domain::entry::EntryKind;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::{PIECE, Wants};
use crate::kernel::{ConversationId, GroupId, MemberId, Result};

/// Let a member come into the conversations that are docked to a group, or leave those where it is by the group,
/// whichever fits its place now. When nobody is in the group any more, what is docked to it waits again. About
/// [`PIECE`] conversations in one command: while the answer says `more`, the command is repeated. Only the service
/// itself may.
#[derive(Debug, Clone)]
pub struct FollowGroup {
    /// The group.
    pub group: GroupId,
    /// Who came or went.
    pub member: MemberId,
}

impl JournalCommand for FollowGroup {
    // Also a suspended tenant's conversations follow.
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.follows.insert((self.group, self.member));
        wants.members.insert(self.member);
        wants.assignments = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        let (group, member) = (self.group, self.member);
        let inside = context.stands_as(group, member).is_some();
        // What was loaded for the place that it had before this batch says nothing about this one.
        let loaded = context.set.follows.loaded(group, member).filter(|loaded| loaded.inside == inside);
        let Some(loaded) = loaded else {
            return Ok(Reply { group: Some(group), more: true, ..Reply::default() });
        };
        match inside {
            true => self.come(context)?,
            false => self.go(context)?,
        }
        // Whoever left last in this batch begins a following of its own, which finds what is docked.
        if loaded.is_empty && context.roster(group).next().is_none() {
            for front in context.docked(group) {
                context.free(front, AssignmentEnd::GroupEmpty, "")?;
            }
        }
        if !loaded.more {
            context.set.follows.finish(group, member);
        }
        Ok(Reply { group: Some(group), more: loaded.more, ..Reply::default() })
    }
}

impl FollowGroup {
    fn come(&self, context: &mut CommandContext<'_>) -> Result<()> {
        let (group, member) = (self.group, self.member);
        let mut missing = context.docked(group);
        missing.retain(|front| !context.is_in(*front, member));
        for front in missing.into_iter().take(PIECE) {
            let card = context.public_card(member);
            context.append_notice(front, EntryKind::Joined, &card, None)?;
            context.enter_by_group(front, member, group)?;
            context.bump_version(front)?;
        }
        Ok(())
    }

    fn go(&self, context: &mut CommandContext<'_>) -> Result<()> {
        let (group, member) = (self.group, self.member);
        let rows = context.set.participants.values();
        let here = rows.filter(|row| row.member_id == member && row.group_id == Some(group) && row.is_in());
        let here: Vec<ConversationId> = here.map(|row| row.conversation_id).take(PIECE).collect();
        for front in here {
            match context.conversation(front)?.status {
                // Of what is over nobody is told any more.
                Some(ConversationStatus::Closed) => context.leave(front, member)?,
                _ => context.go(front, member)?,
            }
        }
        Ok(())
    }
}
