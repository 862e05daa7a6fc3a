//! Who is in a conversation: entering, leaving, and the commands that add and remove staff.

use super::{CommandContext, MEMBERS_MAX, about, wrong_state};
use crate::domain::conversation::{ConversationStatus, MemberType, ParticipantRow};
use crate::domain::entry::EntryKind;
use crate::domain::permission::{self, Operation, Scope};
use crate::journal::command::Reply;
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

impl CommandContext<'_> {
    /// Puts a member into a room: with a new row, or with the row of an earlier stay. Reading starts at the head.
    pub(super) fn enter(
        &mut self,
        front: ConversationId,
        member: MemberId,
        member_type: MemberType,
    ) -> Result<()> {
        let (rev, now, head) = (self.rev(), self.set.now, self.room(front)?.seq);
        let active = self.room(front)?.status != Some(ConversationStatus::Closed);
        let last_rev = self.room(front)?.last_rev;
        if let Some(row) = self.participant_mut(front, member) {
            if !row.is_in() {
                row.joined_seq = head;
                row.read_seq = head;
                row.read_ver += 1;
                row.left_seq = None;
            }
            row.member_type = member_type;
            row.active = active;
            row.last_rev = last_rev;
            row.rev = rev;
            return Ok(());
        }
        let row = ParticipantRow {
            conversation_id: front,
            member_id: member,
            tenant_id: self.tenant,
            member_type,
            active,
            joined_seq: head,
            left_seq: None,
            read_seq: head,
            read_ver: 1,
            last_sent_seq: 0,
            delivered_seq: head,
            note_read_seq: 0,
            last_rev,
            rev,
            created_at: now,
        };
        self.set.participants.insert((front, member), row);
        self.set.created_participants.insert((front, member));
        Ok(())
    }

    /// Takes a member out of a room; the present head is the last entry that it may have.
    pub(super) fn leave(&mut self, front: ConversationId, member: MemberId) -> Result<()> {
        let (rev, head, last_rev) = (self.rev(), self.room(front)?.seq, self.room(front)?.last_rev);
        if let Some(row) = self.participant_mut(front, member) {
            row.left_seq = Some(head);
            row.active = false;
            row.last_rev = last_rev;
            row.rev = rev;
        }
        Ok(())
    }

    /// Whether the member is in the room.
    pub(super) fn is_in(&self, front: ConversationId, member: MemberId) -> bool {
        self.participant(front, member).is_some_and(ParticipantRow::is_in)
    }

    /// A usable member of the staff, named in a request.
    pub(super) fn require_staff(&self, member: MemberId, pointer: &'static str) -> Result<()> {
        let now = self.set.now;
        let usable = self.facts(member).is_some_and(|facts| facts.role.is_staff() && facts.is_usable(now));
        if usable {
            Ok(())
        } else {
            Err(Error::field(pointer, "invalid", "there is no such member of the staff"))
        }
    }

    pub(super) fn add_member(&mut self, front: ConversationId, member: MemberId) -> Result<Reply> {
        self.support(front)?;
        self.require(front, Operation::AddMember)?;
        self.require_staff(member, "/member_id")?;
        if self.is_in(front, member) {
            return Ok(about(front));
        }
        let room = self.room(front)?;
        if room.status == Some(ConversationStatus::Closed) {
            return Err(wrong_state(room, "a closed conversation takes no new members"));
        }
        let staff = self.set.participants_of(front).filter(|row| row.is_in()).count();
        if staff > MEMBERS_MAX {
            return Err(Error::new(
                Code::LimitReached,
                format!("at most {MEMBERS_MAX} staff in a conversation"),
            ));
        }
        let card = self.public_card(member);
        self.append_notice(front, EntryKind::Joined, &card, None)?;
        self.enter(front, member, MemberType::Member)?;
        self.bump_version(front)?;
        Ok(about(front))
    }

    pub(super) fn remove_member(&mut self, front: ConversationId, member: MemberId) -> Result<Reply> {
        self.support(front)?;
        let operation = match member == self.actor.member {
            true => Operation::ReadConversation,
            false => Operation::RemoveMember,
        };
        self.require(front, operation)?;
        let Some(row) = self.participant(front, member) else {
            return Err(Error::not_found());
        };
        if row.member_type == MemberType::Customer {
            return Err(Error::new(
                Code::Forbidden,
                "the customer cannot leave its own conversation: close it",
            ));
        }
        if !row.is_in() {
            return Ok(about(front));
        }
        let room = self.room(front)?;
        if room.agent_id == Some(member) && room.status == Some(ConversationStatus::Pending) {
            return Err(wrong_state(room, "the serving agent leaves by release"));
        }
        let card = self.public_card(member);
        self.append_notice(front, EntryKind::Left, &card, None)?;
        self.leave(front, member)?;
        self.bump_version(front)?;
        Ok(about(front))
    }

    /// Fails for rooms that are no support conversations, as if they were not there.
    pub(super) fn support(&self, front: ConversationId) -> Result<()> {
        match self.room(front)?.status {
            Some(_) => Ok(()),
            // A backstage id in the place of a conversation: only who reads the front may learn that it is one.
            None => {
                self.require_log(front)?;
                Err(Error::new(Code::Forbidden, "this is a backstage room: use the conversation's id"))
            }
        }
    }

    pub(super) fn bump_version(&mut self, front: ConversationId) -> Result<()> {
        self.room_mut(front)?.version += 1;
        Ok(())
    }

    /// Whether the actor's right on this operation reaches the whole tenant.
    pub(super) fn oversees(&self, operation: Operation) -> bool {
        permission::scope(self.actor.role, operation) == Scope::Tenant
    }
}
