//! Appending to a log: the one place where seq, counts and the room's head move.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Deciding;
use crate::conversations::model::{
    ConversationKind, ConversationRow, ConversationStatus, MemberType, Priority,
};
use crate::kernel::{ConversationId, MemberId, Result};
use crate::messages::model::{Body, EntryKind, EntryRow, MESSAGE, NOTICE};

/// A message on its way into the log.
pub(super) struct Words<'a> {
    pub(super) body: &'a Body,
    pub(super) client_msg_id: &'a str,
    pub(super) reply_to_seq: Option<i64>,
}

impl Deciding<'_> {
    /// Appends a message of the actor.
    pub(super) fn append_message(
        &mut self,
        room: ConversationId,
        words: &Words<'_>,
    ) -> Result<Arc<EntryRow>> {
        let entry =
            self.append(room, words.body.kind, words.body.content.clone(), words.reply_to_seq, Some(words))?;
        let key = (room, self.actor.member, words.client_msg_id.to_owned());
        self.world.keys.insert(key, entry.seq);
        Ok(entry)
    }

    /// Appends a notice of the actor.
    pub(super) fn append_notice(
        &mut self,
        room: ConversationId,
        kind: EntryKind,
        content: &Value,
        ref_seq: Option<i64>,
    ) -> Result<Arc<EntryRow>> {
        self.append(room, kind, content.to_string(), ref_seq, None)
    }

    fn append(
        &mut self,
        room: ConversationId,
        kind: EntryKind,
        content: String,
        ref_seq: Option<i64>,
        words: Option<&Words<'_>>,
    ) -> Result<Arc<EntryRow>> {
        let (rev, now) = (self.rev(), self.world.now);
        let (name, avatar) = match self.facts(self.actor.member) {
            Some(facts) => (facts.nickname.clone(), facts.avatar.clone()),
            None => (String::new(), String::new()),
        };
        let (sender, role, tenant) = (self.actor.member, self.actor.role, self.tenant);
        let row = self.room_mut(room)?;
        row.seq += 1;
        row.msg_count += i64::from(kind.is_message());
        row.recall_count += i64::from(kind == EntryKind::Recalled);
        row.rev = rev;
        row.last_rev = rev;
        row.last_at = now;
        row.updated_at = now;
        let entry = EntryRow {
            conversation_id: room,
            seq: row.seq,
            tenant_id: tenant,
            rev,
            message_type: if kind.is_message() { MESSAGE } else { NOTICE },
            kind,
            sender_id: Some(sender),
            sender_role: Some(role),
            sender_name: name,
            sender_avatar: avatar,
            client_msg_id: words.map(|words| words.client_msg_id.to_owned()),
            body_hash: words.map(|words| words.body.hash(words.reply_to_seq)),
            content,
            ref_seq,
            msg_count: row.msg_count,
            recall_count: row.recall_count,
            created_at: now,
            edited_at: None,
            recalled_at: None,
        };
        self.world.appended.push((room, entry.seq));
        self.world.entries.insert((room, entry.seq), entry.clone());
        self.touch_rows_of_closed(room)?;
        Ok(Arc::new(entry))
    }

    /// The rows of a closed conversation are not found through the conversation's rev, so an entry moves them.
    fn touch_rows_of_closed(&mut self, room: ConversationId) -> Result<()> {
        let backstage = self.room(room)?.kind == ConversationKind::Backstage;
        let front = self.front(room)?;
        if self.room(front)?.status != Some(ConversationStatus::Closed) {
            return Ok(());
        }
        let (rev, last_rev) = (self.rev(), self.room(front)?.last_rev);
        let rows: Vec<_> = self
            .world
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

    /// The backstage room behind a conversation, made on first use.
    pub(super) fn backstage(&mut self, front: ConversationId) -> Result<ConversationId> {
        let parent = self.room(front)?;
        if let Some(id) = parent.backstage_id {
            return Ok(id);
        }
        let id = ConversationId(self.world.ids.next()?);
        let row = new_room(self, id, ConversationKind::Backstage);
        self.world.conversations.insert(id, ConversationRow { parent_id: Some(front), ..row });
        self.world.created_conversations.insert(id);
        self.room_mut(front)?.backstage_id = Some(id);
        // The staff's inbox rows name the room behind, so they change; the visitor's does not.
        let rev = self.rev();
        let staff: Vec<_> = self
            .world
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

    /// Tells the staff why; an empty note says nothing.
    pub(super) fn remark(&mut self, front: ConversationId, about: EntryKind, note: &str) -> Result<()> {
        if note.is_empty() {
            return Ok(());
        }
        let room = self.backstage(front)?;
        let content = json!({ "about": about, "note": note });
        self.append_notice(room, EntryKind::Remark, &content, None)?;
        Ok(())
    }

    /// Who a notice is about, as the visitor may know it.
    pub(super) fn public_card(&self, member: MemberId) -> Value {
        match self.facts(member) {
            Some(facts) => json!({
                "member_id": member, "role": facts.role, "nickname": facts.nickname, "avatar": facts.avatar,
            }),
            None => json!({ "member_id": member }),
        }
    }
}

/// A room without anything in it.
pub(super) fn new_room(
    deciding: &Deciding<'_>,
    id: ConversationId,
    kind: ConversationKind,
) -> ConversationRow {
    let now = deciding.world.now;
    ConversationRow {
        id,
        tenant_id: deciding.tenant,
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
    }
}
