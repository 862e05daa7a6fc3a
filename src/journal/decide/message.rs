//! Sending, and what editing and recalling share.

use std::sync::Arc;

use super::CommandContext;
use super::log::NewMessage;
use crate::domain::conversation::{ConversationStatus, support_open_key};
use crate::domain::entry::{EntryRow, MESSAGE, RevisionRow};
use crate::domain::member::Role;
use crate::domain::permission::{Operation, Relation};
use crate::domain::tenant::TenantSettings;
use crate::journal::command::{Draft, LogRef, Reply};
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

impl CommandContext<'_> {
    pub(crate) fn send(&mut self, at: LogRef, draft: &Draft, read_seq: Option<i64>) -> Result<Reply> {
        let (front, log) = self.resolve(at)?;
        if let Some(log) = log
            && let Some(reply) = self.duplicate(log, draft)?
        {
            return Ok(reply);
        }
        let backstage = log != Some(front);
        if backstage {
            if let LogRef::Log(log) = at {
                self.require_log(log)?;
            }
            self.require(front, Operation::WriteNote)?;
        } else {
            // A bot that was in it learns that another answers, and not only that it is out.
            if self.actor.member().is_some_and(|actor| self.participant(front, actor).is_some()) {
                self.require_control(front, draft.version)?;
            }
            self.require(front, Operation::SendMessage)?;
            self.refuse_closed(front)?;
            self.require_assignee(front)?;
        }
        let head = match log {
            Some(log) => self.conversation(log)?.seq,
            None => 0,
        };
        if draft.reply_to_seq.is_some_and(|seq| seq < 1 || seq > head) {
            return Err(Error::field("/reply_to_seq", "out_of_range", "there is no such entry in this log"));
        }
        let carried = self.attachable(&draft.body)?;
        let log = if backstage { self.backstage(front)? } else { front };
        let words = NewMessage {
            body: &draft.body,
            content: carried
                .as_ref()
                .map_or_else(|| draft.body.content.clone(), |(_, content)| content.clone()),
            client_msg_id: &draft.client_msg_id,
            reply_to_seq: draft.reply_to_seq,
        };
        let entry = self.append_message(log, &words)?;
        if let Some((id, _)) = carried {
            self.attach(id, log, entry.seq);
        }
        self.note_own_position(front, backstage, entry.seq, read_seq)?;
        if !backstage {
            self.take_from_bot(front)?;
        }
        Ok(Reply { entry: Some(entry), ..Reply::about(log) })
    }

    /// The front conversation and the log that is meant; a backstage log may not exist yet.
    fn resolve(&self, at: LogRef) -> Result<(ConversationId, Option<ConversationId>)> {
        match at {
            LogRef::Log(log) => Ok((self.front(log)?, Some(log))),
            LogRef::BackstageOf(front) => {
                let row = self.conversation(front)?;
                if row.status.is_none() {
                    return Err(Error::not_found());
                }
                Ok((front, row.backstage_id))
            }
        }
    }

    /// The customer's conversations that hold a message of the actor under this key, the newest first.
    pub(crate) fn conversations_with_key(&self, customer: MemberId, key: &str) -> Vec<ConversationId> {
        let senders = self.selves();
        let mut found: Vec<ConversationId> = self
            .set
            .conversations
            .values()
            .filter(|row| row.customer_id == Some(customer) && row.tenant_id == self.tenant)
            .map(|row| row.id)
            .filter(|id| {
                senders.iter().any(|sender| self.set.keys.contains_key(&(*id, *sender, key.to_owned())))
            })
            .collect();
        found.reverse();
        found
    }

    /// The first answer to a message that was sent before under the same key.
    pub(crate) fn duplicate(&self, log: ConversationId, draft: &Draft) -> Result<Option<Reply>> {
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
            return Ok(Some(Reply { entry, rev, duplicate: true, ..Reply::about(log) }));
        }
        Ok(None)
    }

    /// Fails with `not_assignee` when another agent serves the conversation and the tenant lets nobody else of the
    /// staff write in it. While it waits, those who are in it may.
    fn require_assignee(&self, front: ConversationId) -> Result<()> {
        let only =
            self.set.tenants.get(&self.tenant).is_some_and(|tenant| tenant.settings.only_assignee_answers);
        let staff = self.actor.role().is_some_and(Role::is_staff);
        match self.serving(front)?.filter(|agent| only && staff && Some(*agent) != self.actor.member()) {
            Some(agent) => {
                let error = Error::new(Code::NotAssignee, "another agent serves the conversation");
                Err(error.with("agent_id", agent))
            }
            None => Ok(()),
        }
    }

    fn refuse_closed(&self, front: ConversationId) -> Result<()> {
        let row = self.conversation(front)?;
        if row.status != Some(ConversationStatus::Closed) {
            return Ok(());
        }
        let error =
            Error::new(Code::ConversationClosed, "the conversation is closed").with("status", row.status);
        let key = row.customer_id.map(support_open_key);
        // Only to who may see it: it can be another group's matter.
        match key.and_then(|key| self.open_conversation(&key)) {
            Some(open) if self.relation(open)? != Relation::Stranger => {
                Err(error.with("open_conversation_id", open))
            }
            _ => Err(error),
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
        let member = self.actor_member()?;
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

    /// The front conversation of a log that the actor may read.
    pub(crate) fn require_log(&self, log: ConversationId) -> Result<ConversationId> {
        let front = self.front(log)?;
        // To a stranger, and to a visitor who guesses a backstage id, the log does not exist. A key may write without reading.
        let is_there = match front == log {
            true => self.relation(front)? != Relation::Stranger,
            false => self.require(front, Operation::ReadNotes).is_ok(),
        };
        match is_there {
            true => Ok(front),
            false => Err(Error::not_found()),
        }
    }

    /// Changing what was said takes the right that saying it anew would take.
    pub(crate) fn require_insider(&self, front: ConversationId, log: ConversationId) -> Result<()> {
        if front != log {
            return self.require(front, Operation::WriteNote).map(|_| ());
        }
        match self.relation(front)? {
            Relation::Insider => Ok(()),
            _ => Err(Error::new(Code::NotAMember, Code::NotAMember.meaning())),
        }
    }

    pub(crate) fn message(&self, log: ConversationId, seq: i64) -> Result<EntryRow> {
        let entry = self.set.entries.get(&(log, seq)).filter(|entry| entry.message_type == MESSAGE);
        entry.cloned().ok_or_else(Error::not_found)
    }

    pub(crate) fn own_message(&self, log: ConversationId, seq: i64) -> Result<EntryRow> {
        let entry = self.message(log, seq)?;
        match entry.sender_id {
            Some(sender) if self.selves().contains(&sender) => Ok(entry),
            _ => Err(Error::new(Code::Forbidden, "only the sender may edit a message")),
        }
    }

    pub(crate) fn require_window(
        &self,
        entry: &EntryRow,
        seconds: impl Fn(&TenantSettings) -> i64,
        what: &str,
    ) -> Result<()> {
        let seconds = self.set.tenants.get(&self.tenant).map_or(0, |tenant| seconds(&tenant.settings));
        // A window of 0 lets nothing pass, not even within the millisecond of sending.
        if seconds > 0 && self.set.now - entry.created_at <= seconds.saturating_mul(1_000) {
            return Ok(());
        }
        let detail = format!("a message can be {what} for {seconds} s after it was sent");
        Err(Error::new(Code::WindowExpired, detail))
    }

    /// Puts new words in the place of old ones, which only supervisors can read from now on.
    pub(crate) fn rewrite(
        &mut self,
        mut entry: EntryRow,
        notice_seq: i64,
        content: String,
        recalled: bool,
    ) -> Result<EntryRow> {
        let now = self.set.now;
        let replaced_by = self.actor_member()?;
        let key = (entry.conversation_id, entry.seq);
        let replaced = std::mem::replace(&mut entry.content, content);
        self.set.revisions.push(RevisionRow {
            conversation_id: entry.conversation_id,
            seq: entry.seq,
            revision: notice_seq,
            tenant_id: self.tenant,
            kind: entry.kind,
            content: replaced,
            replaced_by,
            replaced_at: now,
        });
        if recalled {
            entry.recalled_at = Some(now);
        } else {
            // Names the version, so two edits within a millisecond differ too.
            entry.edited_at = Some(entry.edited_at.map_or(now, |before| now.max(before + 1)));
        }
        if let Some(row) = self.set.entries.get_mut(&key) {
            row.clone_from(&entry);
        }
        Ok(entry)
    }
}
