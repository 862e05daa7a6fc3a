//! Positions: how far a log is read and delivered.
//!
//! Invariants: `read` only moves forward within its version; `mark_unread` starts a new version; both stay within
//! what the member was there for and the head. A position that does not move writes nothing.

use super::{CommandContext, about};
use crate::domain::permission::{Operation, Relation};
use crate::journal::command::Reply;
use crate::kernel::{Code, ConversationId, Error, Result};

impl CommandContext<'_> {
    pub(super) fn read(&mut self, log: ConversationId, seq: i64, read_ver: Option<i64>) -> Result<Reply> {
        let front = self.front(log)?;
        if front != log {
            self.require_notes_position(front)?;
            let head = self.room(log)?.seq;
            self.advance_note_read(front, seq.min(head))?;
            let read =
                self.participant(front, self.actor.member).map(|row| (row.note_read_seq, row.read_ver));
            return Ok(Reply { read, ..about(log) });
        }
        self.require_position(front)?;
        let current = self.participant(front, self.actor.member).map(|row| row.read_ver);
        // A read of another version was sent before somebody marked the conversation unread: it is outdated.
        if read_ver.is_none() || read_ver == current {
            self.advance_read(front, seq)?;
        }
        let read = self.participant(front, self.actor.member).map(|row| (row.read_seq, row.read_ver));
        Ok(Reply { read, ..about(front) })
    }

    pub(super) fn mark_unread(&mut self, front: ConversationId, seq: i64) -> Result<Reply> {
        self.support(front)?;
        self.require_position(front)?;
        let (rev, head) = (self.rev(), self.room(front)?.seq);
        let member = self.actor.member;
        let mut read = None;
        if let Some(row) = self.participant_mut(front, member) {
            row.read_seq = seq.clamp(row.joined_seq.min(head), head);
            row.read_ver += 1;
            row.rev = rev;
            read = Some((row.read_seq, row.read_ver));
        }
        Ok(Reply { read, ..about(front) })
    }

    pub(super) fn delivered(&mut self, log: ConversationId, seq: i64) -> Result<Reply> {
        let front = self.front(log)?;
        if front != log {
            self.require_notes_position(front)?;
            return Ok(about(log));
        }
        self.require_position(front)?;
        let seq = seq.min(self.room(front)?.seq);
        let member = self.actor.member;
        if self.participant(front, member).is_some_and(|row| row.delivered_seq < seq) {
            if let Some(row) = self.participant_mut(front, member) {
                row.delivered_seq = seq;
            }
            let staff = self.actor.role.is_staff();
            let room = self.room_mut(front)?;
            let position = match staff {
                true => &mut room.staff_delivered_seq,
                false => &mut room.customer_delivered_seq,
            };
            *position = (*position).max(seq);
            self.set.delivered.push((front, member, seq));
        }
        Ok(about(front))
    }

    fn require_position(&self, front: ConversationId) -> Result<()> {
        match self.relation(front)? {
            Relation::Stranger => Err(Error::not_found()),
            Relation::Viewer => Err(Error::new(Code::NotAMember, Code::NotAMember.meaning())),
            Relation::Insider => Ok(()),
        }
    }

    fn require_notes_position(&self, front: ConversationId) -> Result<()> {
        if self.require(front, Operation::ReadNotes).is_err() {
            return Err(Error::not_found());
        }
        self.require_position(front)
    }

    /// Moves the actor's read position forward, and the side's position on the conversation. The two are apart when
    /// the actor joined at the head: then nothing is new to itself, but its side has only now read what was there.
    pub(super) fn advance_read(&mut self, front: ConversationId, seq: i64) -> Result<bool> {
        let member = self.actor.member;
        let seq = seq.min(self.room(front)?.seq);
        let Some(own) = self.participant(front, member).map(|row| row.read_seq) else { return Ok(false) };
        let staff = self.actor.role.is_staff();
        let room = self.room(front)?;
        let side = if staff { room.staff_read_seq } else { room.customer_read_seq };
        if own >= seq && side >= seq {
            return Ok(false);
        }
        let rev = self.rev();
        if let Some(row) = self.participant_mut(front, member) {
            row.read_seq = own.max(seq);
            row.rev = rev;
        }
        let room = self.room_mut(front)?;
        let position = if staff { &mut room.staff_read_seq } else { &mut room.customer_read_seq };
        *position = side.max(seq);
        room.rev = rev;
        Ok(true)
    }

    /// Moves the actor's position in the notes forward.
    pub(super) fn advance_note_read(&mut self, front: ConversationId, seq: i64) -> Result<bool> {
        let member = self.actor.member;
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
