//! Rooms of the staff: direct ones, free ones, and those of standing groups.
//!
//! Invariants: who is in a standing group's room is who is in the group; a direct room is between the same two for ever;
//! a free room in which somebody is has a manager; no customer is in any.

use super::CommandContext;
use super::log::new_conversation;
use crate::domain::conversation::{ConversationKind, ConversationRow, MemberType, ParticipantRow};
use crate::domain::entry::EntryKind;
use crate::domain::group::GroupMemberType;
use crate::domain::notice::EmptyContent;
use crate::domain::permission::Relation;
use crate::kernel::{Code, ConversationId, Error, GroupId, MemberId, Result};

/// As what a member of a group is in its room.
const fn in_room(kind: GroupMemberType) -> MemberType {
    match kind {
        GroupMemberType::Manager => MemberType::Manager,
        GroupMemberType::Member => MemberType::Member,
    }
}

impl CommandContext<'_> {
    /// Whether this is a room of the staff.
    pub(crate) fn is_room(&self, id: ConversationId) -> Result<bool> {
        Ok(self.conversation(id)?.kind.is_room())
    }

    /// Makes a room with a first notice in it, and nobody.
    pub(crate) fn make_room(
        &mut self,
        kind: ConversationKind,
        subject: String,
        open_key: Option<String>,
    ) -> Result<ConversationId> {
        let id = ConversationId(self.set.ids.next()?);
        let row = ConversationRow { subject, open_key: open_key.clone(), ..new_conversation(self, id, kind) };
        self.set.conversations.create(id, row);
        if let Some(key) = open_key {
            self.set.open.insert((self.tenant, key), id);
        }
        self.append_notice(id, EntryKind::Opened, &EmptyContent {}, None)?;
        Ok(id)
    }

    /// Fails unless the actor is in this room, and its members and name are the room's own affair.
    pub(crate) fn require_free_room(&self, room: ConversationId) -> Result<()> {
        if self.relation(room)? == Relation::Stranger {
            return Err(Error::not_found());
        }
        let row = self.conversation(room)?;
        if row.kind == ConversationKind::Direct {
            return Err(Error::new(Code::Forbidden, "a direct room is between the same two for ever"));
        }
        match row.group_id {
            Some(_) => Err(Error::new(Code::Forbidden, "the room follows its group: change the group")),
            None => Ok(()),
        }
    }

    /// Lets a member into a room, with a notice.
    pub(crate) fn enter_room(
        &mut self,
        room: ConversationId,
        member: MemberId,
        kind: MemberType,
    ) -> Result<()> {
        let card = self.public_card(member);
        self.append_notice(room, EntryKind::Joined, &card, None)?;
        self.enter(room, member, kind)?;
        self.bump_version(room)
    }

    /// Takes a member out of a room, with a notice. When no manager is left in a free one, who has been there longest
    /// becomes it.
    pub(crate) fn leave_room(&mut self, room: ConversationId, member: MemberId) -> Result<()> {
        self.go(room, member)?;
        let row = self.conversation(room)?;
        if row.kind == ConversationKind::Direct || row.group_id.is_some() {
            return Ok(());
        }
        let inside = || self.set.participants_of(room).filter(|row| row.is_in());
        if inside().any(|row| row.member_type == MemberType::Manager) {
            return Ok(());
        }
        let next = inside().min_by_key(|row| (row.created_at, row.member_id)).map(|row| row.member_id);
        let rev = self.rev();
        if let Some(row) = next.and_then(|next| self.participant_mut(room, next)) {
            row.member_type = MemberType::Manager;
            row.rev = rev;
        }
        Ok(())
    }

    /// The room of a group; made with all who are in the group when there is none.
    fn group_room(&mut self, group: GroupId) -> Result<ConversationId> {
        let row = self.group(group)?;
        if let Some(room) = row.room_id {
            return Ok(room);
        }
        let room = self.make_room(ConversationKind::Group, row.name.clone(), None)?;
        self.conversation_mut(room)?.group_id = Some(group);
        let roster: Vec<_> =
            self.roster(group).map(|row| (row.member_id, in_room(row.member_type))).collect();
        for (member, kind) in roster {
            self.enter(room, member, kind)?;
        }
        let rev = self.rev();
        let row = self.group_mut(group)?;
        row.room_id = Some(room);
        row.rev = rev;
        Ok(room)
    }

    /// A member came into a group, or is something else there: its room follows.
    pub(crate) fn follow_into_room(&mut self, group: GroupId, member: MemberId) -> Result<()> {
        let room = self.group_room(group)?;
        let Some(kind) = self.stands_as(group, member).map(in_room) else { return Ok(()) };
        match self.participant(room, member).filter(|row| row.is_in()).map(|row| row.member_type) {
            None => self.enter_room(room, member, kind),
            Some(present) if present == kind => Ok(()),
            Some(_) => self.enter(room, member, kind),
        }
    }

    /// A member left a group: its room follows.
    pub(crate) fn follow_out_of_room(&mut self, group: GroupId, member: MemberId) -> Result<()> {
        match self.group(group)?.room_id.filter(|room| self.is_in(*room, member)) {
            Some(room) => self.go(room, member),
            None => Ok(()),
        }
    }

    /// A group ends: nobody is in its room any more.
    pub(crate) fn empty_room(&mut self, group: GroupId) -> Result<()> {
        let Some(room) = self.group(group)?.room_id else { return Ok(()) };
        let inside = self.set.participants_of(room).filter(|row| ParticipantRow::is_in(row));
        let inside: Vec<MemberId> = inside.map(|row| row.member_id).collect();
        inside.into_iter().try_for_each(|member| self.leave(room, member))
    }

    /// Gives a room another name.
    pub(crate) fn rename_room(&mut self, room: ConversationId, subject: &str) -> Result<()> {
        self.append_notice(room, EntryKind::SubjectChanged, &EmptyContent {}, None)?;
        subject.clone_into(&mut self.conversation_mut(room)?.subject);
        self.bump_version(room)
    }
}
