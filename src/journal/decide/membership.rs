//! Who is in a conversation: entering and leaving.

use super::CommandContext;
use crate::domain::conversation::{ConversationStatus, MemberType, ParticipantRow};
use crate::domain::entry::EntryKind;
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

impl CommandContext<'_> {
    /// Puts a member into a conversation: with a new row, or with the row of an earlier stay. Reading starts at the head.
    pub(crate) fn enter(
        &mut self,
        front: ConversationId,
        member: MemberId,
        member_type: MemberType,
    ) -> Result<()> {
        let (rev, now, head) = (self.rev(), self.set.now, self.conversation(front)?.seq);
        let active = self.conversation(front)?.status != Some(ConversationStatus::Closed);
        let last_rev = self.conversation(front)?.last_rev;
        if let Some(row) = self.participant_mut(front, member) {
            if !row.is_in() {
                row.joined_seq = head;
                row.read_seq = head;
                row.read_ver += 1;
                row.left_seq = None;
            }
            row.member_type = member_type;
            row.group_id = None;
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
            group_id: None,
        };
        self.set.participants.create((front, member), row);
        Ok(())
    }

    /// Takes a member out of a conversation; the present head is the last entry that it may have.
    pub(crate) fn leave(&mut self, front: ConversationId, member: MemberId) -> Result<()> {
        let (rev, head, last_rev) =
            (self.rev(), self.conversation(front)?.seq, self.conversation(front)?.last_rev);
        if let Some(row) = self.participant_mut(front, member) {
            row.left_seq = Some(head);
            row.active = false;
            row.last_rev = last_rev;
            row.rev = rev;
        }
        Ok(())
    }

    /// Whether the member is in the conversation.
    pub(crate) fn is_in(&self, front: ConversationId, member: MemberId) -> bool {
        self.participant(front, member).is_some_and(ParticipantRow::is_in)
    }

    /// A usable member of the staff, named in a request; no bot.
    pub(crate) fn require_staff(&self, member: MemberId, pointer: &'static str) -> Result<()> {
        let now = self.set.now;
        let usable = self.facts(member).is_some_and(|facts| facts.role.is_person() && facts.is_usable(now));
        if usable {
            Ok(())
        } else {
            Err(Error::field(pointer, "invalid", "there is no such member of the staff"))
        }
    }

    /// Takes a member of the staff out of a conversation, with a notice.
    pub(crate) fn go(&mut self, front: ConversationId, member: MemberId) -> Result<()> {
        let card = self.public_card(member);
        self.append_notice(front, EntryKind::Left, &card, None)?;
        self.leave(front, member)?;
        self.bump_version(front)
    }

    /// Fails for logs that are no support conversation, as if they were not there.
    pub(crate) fn support(&self, front: ConversationId) -> Result<()> {
        match self.conversation(front)?.status {
            Some(_) => Ok(()),
            // Only who reads the front, or is in the room, may learn what this id is.
            None => {
                self.require_log(front)?;
                let detail = match self.conversation(front)?.kind.is_room() {
                    true => "this is a room of the staff: nobody is served there",
                    false => "this is a backstage log: use the conversation's id",
                };
                Err(Error::new(Code::Forbidden, detail))
            }
        }
    }

    /// Marks the conversation as changed, also when its own log has no new entry.
    pub(crate) fn bump_version(&mut self, front: ConversationId) -> Result<()> {
        let now = self.set.now;
        let row = self.conversation_mut(front)?;
        row.version += 1;
        row.updated_at = now;
        Ok(())
    }
}
