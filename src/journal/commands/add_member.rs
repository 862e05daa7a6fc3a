//! Bringing staff into a conversation or a free room.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{ConversationStatus, MemberType, ParticipantRow};
use crate::domain::entry::EntryKind;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, MEMBERS_MAX, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

/// Add a staff member to a conversation (the actor itself: join).
#[derive(Debug, Clone)]
pub struct AddMember {
    /// Where.
    pub conversation: ConversationId,
    /// Whom.
    pub member: MemberId,
}

impl JournalCommand for AddMember {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.members.insert(self.member);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, member) = (self.conversation, self.member);
        let is_room = context.is_room(front)?;
        match is_room {
            true => context.require_free_room(front)?,
            false => context.support(front)?,
        }
        context.require(front, Operation::AddMember)?;
        context.require_staff(member, "/member_id")?;
        if context.is_in(front, member) {
            return Ok(Reply::about(front));
        }
        let row = context.conversation(front)?;
        if row.status == Some(ConversationStatus::Closed) {
            return Err(wrong_state(row, "a closed conversation takes no new members"));
        }
        let others = |row: &&ParticipantRow| row.is_in() && row.member_type != MemberType::Customer;
        let staff = context.set.participants_of(front).filter(others).count();
        if staff >= MEMBERS_MAX {
            let detail = format!("at most {MEMBERS_MAX} staff in a conversation");
            return Err(Error::new(Code::LimitReached, detail));
        }
        let card = context.public_card(member);
        context.append_notice(front, EntryKind::Joined, &card, None)?;
        context.enter(front, member, MemberType::Member)?;
        context.bump_version(front)?;
        Ok(Reply::about(front))
    }
}
