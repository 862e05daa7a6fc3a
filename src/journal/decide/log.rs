//! Appending to a log: the one place where seq, counts and the conversation's head move.

use std::sync::Arc;

use serde::Serialize;

use super::CommandContext;
use crate::db::types::json_text;
use crate::domain::content::Body;
use crate::domain::conversation::{
    ConversationKind, ConversationRow, ConversationStatus, MemberType, Priority,
};
use crate::domain::entry::{EntryKind, EntryRow, MESSAGE, NOTICE};
use crate::domain::member::Role;
use crate::domain::notice::{AboutMember, RemarkContent};
use crate::domain::transfer::TransferReason;
use crate::kernel::{ConversationId, MemberId, Result};

/// A message on its way into the log.
pub(crate) struct NewMessage<'a> {
    pub(crate) body: &'a Body,
    /// What the log holds of it: the body's content, or what is known of the attachment that it names.
    pub(crate) content: String,
    pub(crate) client_msg_id: &'a str,
    pub(crate) reply_to_seq: Option<i64>,
}

/// The key of notices that an import makes of its own; messages of an import have keys of their own.
const IMPORTED_NOTICE: &str = "import:notice";

/// Whose entry it is, of which day, and under which key.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    /// Who; `None`: the service.
    pub(crate) sender: Option<MemberId>,
    pub(crate) role: Option<Role>,
    /// The name of that day.
    pub(crate) name: String,
    /// The avatar of that day.
    pub(crate) avatar: String,
    pub(crate) key: Option<String>,
    pub(crate) body_hash: Option<i64>,
    /// When, unix milliseconds.
    pub(crate) at: i64,
}

impl CommandContext<'_> {
    /// Appends a message of the actor.
    pub(crate) fn append_message(
        &mut self,
        log: ConversationId,
        message: &NewMessage<'_>,
    ) -> Result<Arc<EntryRow>> {
        let entry = self.append(
            log,
            message.body.kind,
            message.content.clone(),
            message.reply_to_seq,
            Some(message),
        )?;
        if let Some(sender) = entry.sender_id {
            let key = (log, sender, message.client_msg_id.to_owned());
            self.set.keys.insert(key, entry.seq);
        }
        Ok(entry)
    }

    /// Appends a notice of the actor.
    pub(crate) fn append_notice(
        &mut self,
        log: ConversationId,
        kind: EntryKind,
        content: &impl Serialize,
        ref_seq: Option<i64>,
    ) -> Result<Arc<EntryRow>> {
        self.append(log, kind, json_text(content), ref_seq, None)
    }

    fn append(
        &mut self,
        log: ConversationId,
        kind: EntryKind,
        content: String,
        ref_seq: Option<i64>,
        message: Option<&NewMessage<'_>>,
    ) -> Result<Arc<EntryRow>> {
        let sender = self.actor.member();
        let (name, avatar) = match sender.and_then(|sender| self.facts(sender)) {
            Some(facts) => (facts.nickname.clone(), facts.avatar.clone()),
            None => (String::new(), String::new()),
        };
        // What an import makes of its own is as old as the rest of it.
        let imported = || self.imports.then(|| IMPORTED_NOTICE.to_owned());
        let voice = Voice {
            sender,
            role: self.actor.role(),
            name,
            avatar,
            key: message.map(|message| message.client_msg_id.to_owned()).or_else(imported),
            body_hash: message.map(|message| message.body.hash(message.reply_to_seq)),
            at: self.set.now,
        };
        self.append_as(log, kind, content, ref_seq, voice)
    }

    /// Appends what somebody said, or what happened, at some time.
    pub(crate) fn append_as(
        &mut self,
        log: ConversationId,
        kind: EntryKind,
        content: String,
        ref_seq: Option<i64>,
        voice: Voice,
    ) -> Result<Arc<EntryRow>> {
        let (rev, tenant, now) = (self.rev(), self.tenant, voice.at);
        let row = self.conversation_mut(log)?;
        row.seq += 1;
        row.msg_count += i64::from(kind.is_message());
        row.recall_count += i64::from(kind == EntryKind::Recalled);
        row.rev = rev;
        row.last_rev = rev;
        row.last_at = now;
        row.updated_at = now;
        let entry = EntryRow {
            conversation_id: log,
            seq: row.seq,
            tenant_id: tenant,
            rev,
            message_type: if kind.is_message() { MESSAGE } else { NOTICE },
            kind,
            sender_id: voice.sender,
            sender_role: voice.role,
            sender_name: voice.name,
            sender_avatar: voice.avatar,
            client_msg_id: voice.key,
            body_hash: voice.body_hash,
            content,
            ref_seq,
            msg_count: row.msg_count,
            recall_count: row.recall_count,
            created_at: now,
            edited_at: None,
            recalled_at: None,
            erased_at: None,
        };
        self.set.entries.create((log, entry.seq), entry.clone());
        self.touch_rows_of_closed(log)?;
        Ok(Arc::new(entry))
    }

    /// The rows of a closed conversation are not found through the conversation's rev, so an entry moves them.
    fn touch_rows_of_closed(&mut self, log: ConversationId) -> Result<()> {
        let backstage = self.conversation(log)?.kind == ConversationKind::Backstage;
        let front = self.front(log)?;
        if self.conversation(front)?.status != Some(ConversationStatus::Closed) {
            return Ok(());
        }
        let (rev, last_rev) = (self.rev(), self.conversation(front)?.last_rev);
        let rows: Vec<_> = self
            .set
            .participants_of(front)
            .filter(|row| row.is_in() && !(backstage && row.member_type == MemberType::Customer))
            .map(|row| row.member_id)
            .collect();
        for member in rows {
            if let Some(row) = self.participant_mut(front, member) {
                row.rev = rev;
                row.last_rev = last_rev;
            }
        }
        Ok(())
    }

    /// The backstage log behind a conversation, made on first use.
    pub(crate) fn backstage(&mut self, front: ConversationId) -> Result<ConversationId> {
        let parent = self.conversation(front)?;
        if let Some(id) = parent.backstage_id {
            return Ok(id);
        }
        let id = ConversationId(self.set.ids.next()?);
        let row = new_conversation(self, id, ConversationKind::Backstage);
        self.set.conversations.create(id, ConversationRow { parent_id: Some(front), ..row });
        self.conversation_mut(front)?.backstage_id = Some(id);
        // The staff's inbox rows name the log behind, so they change; the visitor's does not.
        let rev = self.rev();
        let staff: Vec<_> = self
            .set
            .participants_of(front)
            .filter(|row| row.is_in() && row.member_type != MemberType::Customer)
            .map(|row| row.member_id)
            .collect();
        for member in staff {
            if let Some(row) = self.participant_mut(front, member) {
                row.rev = rev;
            }
        }
        Ok(id)
    }

    /// Tells the staff why; without words it says nothing.
    pub(crate) fn remark<'a>(
        &mut self,
        front: ConversationId,
        about: EntryKind,
        words: impl Into<Words<'a>>,
    ) -> Result<()> {
        let words = words.into();
        if words.is_empty() {
            return Ok(());
        }
        let (note, transfer_reason) = (words.note.to_owned(), words.reason);
        self.explain(front, RemarkContent { about, note, reason: None, transfer_reason })
    }

    /// Tells the staff why.
    pub(crate) fn explain(&mut self, front: ConversationId, remark: RemarkContent) -> Result<()> {
        let log = self.backstage(front)?;
        self.append_notice(log, EntryKind::Remark, &remark, None)?;
        Ok(())
    }

    /// Who a notice is about, as the visitor may know it.
    pub(crate) fn public_card(&self, member: MemberId) -> AboutMember {
        let facts = self.facts(member);
        AboutMember {
            member_id: Some(member),
            role: facts.map(|facts| facts.role),
            nickname: facts.map(|facts| facts.nickname.clone()),
            avatar: facts.map(|facts| facts.avatar.clone()),
        }
    }
}

/// What the actor says of a move, for the staff.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    /// Why; may be empty.
    pub(crate) note: &'a str,
    /// Of a transfer: why, in one word.
    pub(crate) reason: Option<TransferReason>,
}

impl Words<'_> {
    /// Whether nothing is said.
    pub(crate) const fn is_empty(&self) -> bool {
        self.note.is_empty() && self.reason.is_none()
    }
}

impl<'a> From<&'a str> for Words<'a> {
    fn from(note: &'a str) -> Self {
        Self { note, reason: None }
    }
}

impl<'a> From<&'a String> for Words<'a> {
    fn from(note: &'a String) -> Self {
        Self::from(note.as_str())
    }
}

/// A conversation without anything in it.
pub(crate) fn new_conversation(
    context: &CommandContext<'_>,
    id: ConversationId,
    kind: ConversationKind,
) -> ConversationRow {
    let now = context.set.now;
    ConversationRow {
        id,
        tenant_id: context.tenant,
        kind,
        parent_id: None,
        backstage_id: None,
        customer_id: None,
        agent_id: None,
        status: None,
        priority: Priority::Normal,
        subject: String::new(),
        tags: "[]".to_owned(),
        seq: 0,
        msg_count: 0,
        recall_count: 0,
        rev: 0,
        last_rev: 0,
        version: 1,
        customer_read_seq: 0,
        staff_read_seq: 0,
        customer_delivered_seq: 0,
        staff_delivered_seq: 0,
        open_key: None,
        created_at: now,
        updated_at: now,
        last_at: now,
        assigned_at: None,
        closed_at: None,
        close_reason: None,
        merged_into_id: None,
        waiting_since: None,
        group_id: None,
        queue_key: None,
    }
}
