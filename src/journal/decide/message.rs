//! Sending, editing and recalling.

use std::sync::Arc;

use serde_json::json;

use super::log::NewMessage;
use super::{CommandContext, about};
use crate::domain::content::Body;
use crate::domain::conversation::{ConversationStatus, support_open_key};
use crate::domain::entry::{EntryKind, EntryRow, MESSAGE, RevisionRow};
use crate::domain::permission::{Operation, Relation};
use crate::journal::command::{Draft, Reply, Room};
use crate::kernel::{Code, ConversationId, Error, Result};

impl CommandContext<'_> {
    pub(super) fn send(&mut self, room: Room, draft: &Draft, read_seq: Option<i64>) -> Result<Reply> {
        let (front, log) = self.resolve(room)?;
        if let Some(log) = log
            && let Some(reply) = self.duplicate(log, draft)?
        {
            return Ok(reply);
        }
        let backstage = log != Some(front);
        if backstage {
            if let Room::Log(log) = room {
                self.require_log(log)?;
            }
            self.require(front, Operation::WriteNote)?;
        } else {
            self.require(front, Operation::SendMessage)?;
            self.refuse_closed(front)?;
        }
        let head = match log {
            Some(log) => self.room(log)?.seq,
            None => 0,
        };
        if draft.reply_to_seq.is_some_and(|seq| seq < 1 || seq > head) {
            return Err(Error::field("/reply_to_seq", "out_of_range", "there is no such entry in this log"));
        }
        let log = if backstage { self.backstage(front)? } else { front };
        let words = NewMessage {
            body: &draft.body,
            client_msg_id: &draft.client_msg_id,
            reply_to_seq: draft.reply_to_seq,
        };
        let entry = self.append_message(log, &words)?;
        self.note_own_position(front, backstage, entry.seq, read_seq)?;
        Ok(Reply { entry: Some(entry), ..about(log) })
    }

    /// The front room and the log that a room means; a backstage log may not exist yet.
    fn resolve(&self, room: Room) -> Result<(ConversationId, Option<ConversationId>)> {
        match room {
            Room::Log(log) => Ok((self.front(log)?, Some(log))),
            Room::BackstageOf(front) => {
                let row = self.room(front)?;
                if row.status.is_none() {
                    return Err(Error::not_found());
                }
                Ok((front, row.backstage_id))
            }
        }
    }

    /// The first answer to a message that was sent before under the same key.
    pub(super) fn duplicate(&self, log: ConversationId, draft: &Draft) -> Result<Option<Reply>> {
        for sender in self.selves() {
            let key = (log, sender, draft.client_msg_id.clone());
            let Some(entry) = self.set.keys.get(&key).and_then(|seq| self.set.entries.get(&(log, *seq)))
            else {
                continue;
            };
            if entry.body_hash != Some(draft.body.hash(draft.reply_to_seq)) {
                let detail = "this client_msg_id was used for another body";
                return Err(Error::new(Code::IdempotencyConflict, detail).with("seq", entry.seq));
            }
            let entry = Some(Arc::new(entry.clone()));
            let rev = entry.as_ref().map_or(0, |entry| entry.rev);
            return Ok(Some(Reply { entry, rev, duplicate: true, ..about(log) }));
        }
        Ok(None)
    }

    fn refuse_closed(&self, front: ConversationId) -> Result<()> {
        let room = self.room(front)?;
        if room.status != Some(ConversationStatus::Closed) {
            return Ok(());
        }
        let error =
            Error::new(Code::ConversationClosed, "the conversation is closed").with("status", room.status);
        let key = room.customer_id.map(support_open_key);
        match key.and_then(|key| self.set.open.get(&(self.tenant, key))) {
            Some(open) => Err(error.with("open_conversation_id", open)),
            None => Err(error),
        }
    }

    /// What sending says about the sender's own row: where its last message stands and how far its device had
    /// displayed the log. Answering never marks unseen messages as read.
    fn note_own_position(
        &mut self,
        front: ConversationId,
        backstage: bool,
        seq: i64,
        read_seq: Option<i64>,
    ) -> Result<()> {
        let member = self.actor.member;
        if !backstage && let Some(row) = self.participant_mut(front, member) {
            row.last_sent_seq = seq;
        }
        match (read_seq, backstage) {
            (Some(read), false) => self.advance_read(front, read.min(seq - 1)),
            (Some(read), true) => self.advance_note_read(front, read.min(seq - 1)),
            (None, _) => Ok(false),
        }
        .map(|_| ())
    }

    pub(super) fn edit(&mut self, log: ConversationId, seq: i64, body: &Body) -> Result<Reply> {
        let front = self.require_log(log)?;
        let entry = self.own_message(log, seq)?;
        if entry.recalled_at.is_some() {
            return Err(Error::new(Code::MessageRecalled, Code::MessageRecalled.meaning()));
        }
        if entry.content == body.content && entry.kind == body.kind {
            return Ok(Reply { entry: Some(Arc::new(entry)), ..about(log) });
        }
        self.require_insider(front, log)?;
        if entry.kind != body.kind {
            return Err(Error::field("/kind", "invalid", "an edit keeps the kind of the message"));
        }
        self.require_window(&entry, |tenant| tenant.edit_window_ms, "edited")?;
        let notice = self.append_notice(log, EntryKind::Edited, &json!({}), Some(seq))?;
        let entry = self.rewrite(entry, notice.seq, body.content.clone(), false);
        Ok(Reply { entry: Some(Arc::new(entry)), ..about(log) })
    }

    pub(super) fn recall(&mut self, log: ConversationId, seq: i64) -> Result<Reply> {
        let front = self.require_log(log)?;
        let entry = self.message(log, seq)?;
        let own = entry.sender_id.is_some_and(|sender| self.selves().contains(&sender));
        let any = self.oversees(Operation::RecallAny);
        if !own && !any {
            return Err(Error::new(Code::Forbidden, "only the sender or a supervisor may recall a message"));
        }
        if entry.recalled_at.is_some() {
            return Ok(Reply { entry: Some(Arc::new(entry)), ..about(log) });
        }
        if !any {
            self.require_insider(front, log)?;
            self.require_window(&entry, |tenant| tenant.recall_window_ms, "recalled")?;
        }
        let notice = self.append_notice(log, EntryKind::Recalled, &json!({}), Some(seq))?;
        let entry = self.rewrite(entry, notice.seq, "{}".to_owned(), true);
        Ok(Reply { entry: Some(Arc::new(entry)), ..about(log) })
    }

    /// The front room of a log that the actor may read.
    pub(super) fn require_log(&self, log: ConversationId) -> Result<ConversationId> {
        let front = self.front(log)?;
        let operation = if front == log { Operation::ReadConversation } else { Operation::ReadNotes };
        // To a stranger, and to a visitor who guesses a backstage id, the log does not exist.
        if self.require(front, operation).is_err() {
            return Err(Error::not_found());
        }
        Ok(front)
    }

    fn require_insider(&self, front: ConversationId, log: ConversationId) -> Result<()> {
        if front == log && self.relation(front)? != Relation::Insider {
            return Err(Error::new(Code::NotAMember, Code::NotAMember.meaning()));
        }
        Ok(())
    }

    fn message(&self, log: ConversationId, seq: i64) -> Result<EntryRow> {
        let entry = self.set.entries.get(&(log, seq)).filter(|entry| entry.message_type == MESSAGE);
        entry.cloned().ok_or_else(Error::not_found)
    }

    fn own_message(&self, log: ConversationId, seq: i64) -> Result<EntryRow> {
        let entry = self.message(log, seq)?;
        match entry.sender_id {
            Some(sender) if self.selves().contains(&sender) => Ok(entry),
            _ => Err(Error::new(Code::Forbidden, "only the sender may edit a message")),
        }
    }

    fn require_window(
        &self,
        entry: &EntryRow,
        window: impl Fn(&crate::journal::working_set::TenantFacts) -> i64,
        what: &str,
    ) -> Result<()> {
        let window = self.set.tenants.get(&self.tenant).map_or(0, window);
        if self.set.now - entry.created_at <= window {
            return Ok(());
        }
        let detail = format!("a message can be {what} for {} s after it was sent", window / 1_000);
        Err(Error::new(Code::WindowExpired, detail))
    }

    /// Puts new words in the place of old ones, which only supervisors can read from now on.
    fn rewrite(&mut self, mut entry: EntryRow, notice_seq: i64, content: String, recalled: bool) -> EntryRow {
        let now = self.set.now;
        let key = (entry.conversation_id, entry.seq);
        let replaced = std::mem::replace(&mut entry.content, content);
        self.set.revisions.push(RevisionRow {
            conversation_id: entry.conversation_id,
            seq: entry.seq,
            revision: notice_seq,
            tenant_id: self.tenant,
            kind: entry.kind,
            content: replaced,
            replaced_by: self.actor.member,
            replaced_at: now,
        });
        if recalled {
            entry.recalled_at = Some(now);
        } else {
            entry.edited_at = Some(now);
        }
        self.set.rewritten.insert(key);
        self.set.entries.insert(key, entry.clone());
        entry
    }
}
