//! Taking staff out of a conversation or a free room; leaving it.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{ConversationStatus, MemberType, ParticipantRow};
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

/// Remove a staff member from a conversation (the actor itself: leave).
#[derive(Debug, Clone)]
pub struct RemoveMember {
    /// Where.
    pub conversation: ConversationId,
    /// Whom.
    pub member: MemberId,
}

impl JournalCommand for RemoveMember {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.members.insert(self.member);
        wants.sights.insert(self.member);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, member) = (self.conversation, self.member);
        let is_room = context.is_room(front)?;
        if !is_room {
            context.support(front)?;
        }
        // Who has left may no longer see the conversation, but leaving again finds that it is out.
        let left = |row: &ParticipantRow| !row.is_in() && row.member_type != MemberType::Customer;
        if context.actor.member() == Some(member) && context.participant(front, member).is_some_and(left) {
            return Ok(Reply::about(front));
        }
        if is_room {
            return self.leave_room(context);
        }
        let operation = match context.actor.member() == Some(member) {
            true => Operation::ReadConversation,
            false => Operation::RemoveMember,
        };
        context.require(front, operation)?;
        let Some(row) = context.participant(front, member) else {
            return Err(Error::not_found());
        };
        if row.member_type == MemberType::Customer {
            let detail = "the customer cannot leave its own conversation: close it";
            return Err(Error::new(Code::Forbidden, detail));
        }
        if !row.is_in() {
            return Ok(Reply::about(front));
        }
        let row = context.conversation(front)?;
        if row.agent_id == Some(member) && row.status == Some(ConversationStatus::Pending) {
            return Err(wrong_state(row, "the serving agent leaves by release"));
        }
        if row.bot() == Some(member) {
            return Err(wrong_state(row, "the bot that answers hands off, or is handed off"));
        }
        // Who came by itself is in it by the group as well, once that serves the conversation.
        let serves = row.docked_to().is_some_and(|group| context.stands_as(group, member).is_some());
        if serves || context.participant(front, member).is_some_and(|row| row.group_id.is_some()) {
            return Err(wrong_state(row, "a group serves the conversation: leave the group, or take it from the group"));
        }
        context.go(front, member)?;
        Ok(Reply::about(front))
    }
}

impl RemoveMember {
    /// Of a free room everybody may leave; who manages it, and who oversees, may take others out.
    fn leave_room(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (room, member) = (self.conversation, self.member);
        context.require_free_room(room)?;
        let actor = context.actor_member()?;
        let manages =
            context.participant(room, actor).is_some_and(|row| row.member_type == MemberType::Manager);
        if member != actor && !manages && !context.oversees(Operation::RemoveMember) {
            return Err(Error::new(Code::Forbidden, "only who manages the room takes others out"));
        }
        if context.participant(room, member).is_none() {
            return Err(Error::not_found());
        }
        if context.is_in(room, member) {
            context.leave_room(room, member)?;
        }
        Ok(Reply::about(room))
    }
}
