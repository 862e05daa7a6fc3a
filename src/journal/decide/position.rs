//! Positions: how far a log is read and delivered.
//!
//! Invariants: `read` only moves forward within its version; `mark_unread` starts a new version; both stay within
//! what the member may read and the head. A position that does not move writes nothing.

use super::CommandContext;
use crate::domain::member::Role;
use crate::domain::permission::{Operation, Relation};
use crate::kernel::{Code, ConversationId, Error, Result};

impl CommandContext<'_> {
    pub(crate) fn require_position(&self, front: ConversationId) -> Result<()> {
        match self.relation(front)? {
            Relation::Stranger => Err(Error::not_found()),
            Relation::Viewer => Err(Error::new(Code::NotAMember, Code::NotAMember.meaning())),
            Relation::Insider => Ok(()),
        }
    }

    pub(crate) fn require_notes_position(&self, front: ConversationId) -> Result<()> {
        if self.require(front, Operation::ReadNotes).is_err() {
            return Err(Error::not_found());
        }
        self.require_position(front)
    }

    /// Moves the actor's read position forward, and the side's position on the conversation. The two are apart when
    /// the actor joined at the head: then nothing is new to itself, but its side has only now read what was there.
    pub(crate) fn advance_read(&mut self, front: ConversationId, seq: i64) -> Result<bool> {
        let member = self.actor_member()?;
        let seq = seq.min(self.conversation(front)?.seq);
        let Some(own) = self.participant(front, member).map(|row| row.read_seq) else { return Ok(false) };
        let staff = self.actor.role().is_some_and(Role::is_staff);
        let conversation = self.conversation(front)?;
        let side = if staff { conversation.staff_read_seq } else { conversation.customer_read_seq };
        if own >= seq && side >= seq {
            return Ok(false);
        }
        let rev = self.rev();
        if let Some(row) = self.participant_mut(front, member) {
            row.read_seq = own.max(seq);
            row.rev = rev;
        }
        let conversation = self.conversation_mut(front)?;
        let position =
            if staff { &mut conversation.staff_read_seq } else { &mut conversation.customer_read_seq };
        *position = side.max(seq);
        conversation.rev = rev;
        Ok(true)
    }

    /// Moves the actor's position in the notes forward.
    pub(crate) fn advance_note_read(&mut self, front: ConversationId, seq: i64) -> Result<bool> {
        let member = self.actor_member()?;
        if self.participant(front, member).is_none_or(|row| row.note_read_seq >= seq) {
            return Ok(false);
        }
        let rev = self.rev();
        if let Some(row) = self.participant_mut(front, member) {
            row.note_read_seq = seq;
            row.rev = rev;
        }
        Ok(true)
    }
}
