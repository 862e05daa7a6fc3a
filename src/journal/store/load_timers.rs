//! The store as the source of what timers ask: who spoke last, from the rows of the participants, and what was reminded.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;

use super::lookup;
use super::one_of::on_list;
use crate::db::AnyConnection;
use crate::db::schema::{conversation, conversation_member, conversation_reminder, group_message, member};
use crate::domain::conversation::{ConversationStatus, MemberType};
use crate::domain::entry::MESSAGE;
use crate::domain::member::Role;
use crate::domain::timers::{ReminderRow, Said, Served, Spoken};
use crate::journal::wants::timer_source::TimerSource;
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

impl TimerSource for AnyConnection {
    fn served(&mut self, tenant: TenantId, after: ConversationId, limit: usize) -> Result<Vec<Served>> {
        let rows: Vec<(ConversationId, Option<MemberId>, Option<i64>)> = conversation::table
            .filter(conversation::tenant_id.eq(tenant))
            .filter(conversation::status.eq(ConversationStatus::Pending))
            .filter(conversation::id.gt(after))
            .order(conversation::id.asc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select((conversation::id, conversation::agent_id, conversation::assigned_at))
            .load(self)?;
        let served = |(conversation, agent, assigned_at): (_, _, Option<i64>)| Served {
            conversation,
            agent,
            assigned_at: assigned_at.unwrap_or(0),
            bot: None,
        };
        Ok(rows.into_iter().map(served).collect())
    }

    fn answered_by_bots(
        &mut self,
        tenant: TenantId,
        after: ConversationId,
        limit: usize,
    ) -> Result<Vec<(ConversationId, MemberId)>> {
        // A deleted bot may still answer.
        let bots: Vec<MemberId> = member::table
            .filter(member::tenant_id.eq(tenant))
            .filter(member::role.eq(Role::Bot))
            .select(member::id)
            .load(self)?;
        let rows: Vec<(ConversationId, Option<MemberId>)> = conversation::table
            .filter(conversation::tenant_id.eq(tenant))
            .filter(conversation::agent_id.eq_any(bots))
            .filter(conversation::status.eq(ConversationStatus::Open))
            .filter(conversation::id.gt(after))
            .order(conversation::id.asc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select((conversation::id, conversation::agent_id))
            .load(self)?;
        Ok(rows.into_iter().filter_map(|(id, bot)| Some((id, bot?))).collect())
    }

    fn last_words(&mut self, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, Spoken)>> {
        let rows: Vec<(ConversationId, MemberType, i64)> =
            on_list!(self, conversation_member::conversation_id, conversations, |inner, among| {
                conversation_member::table
                    .filter(among)
                    .filter(conversation_member::last_sent_seq.gt(0))
                    .select((
                        conversation_member::conversation_id,
                        conversation_member::member_type,
                        conversation_member::last_sent_seq,
                    ))
                    .load(inner)
            })?;
        let (mut staff, mut customers) = (BTreeMap::new(), HashMap::new());
        for (id, kind, seq) in rows {
            let last = match kind {
                MemberType::Customer => customers.entry(id).or_insert(seq),
                MemberType::Manager | MemberType::Member | MemberType::Bot => staff.entry(id).or_insert(seq),
            };
            *last = seq.max(*last);
        }
        let places: Vec<(ConversationId, i64)> = staff.into_iter().collect();
        let mut said: HashMap<ConversationId, Said> = HashMap::new();
        for one in lookup::times_at(self, &places)? {
            let last = match one.recalled_at {
                None => Some(Said { seq: one.seq, at: one.created_at }),
                Some(_) => words_before(self, one.conversation_id, one.seq)?,
            };
            said.extend(last.map(|last| (one.conversation_id, last)));
        }
        let spoken = |id: &ConversationId| {
            let customer_seq = customers.get(id).copied().unwrap_or(0);
            (*id, Spoken { staff: said.get(id).copied(), asked: None, customer_seq })
        };
        Ok(conversations.iter().map(spoken).collect())
    }

    fn first_question(&mut self, conversation: ConversationId, after: i64) -> Result<Option<Said>> {
        let found: Option<(i64, i64)> = group_message::table
            .filter(group_message::conversation_id.eq(conversation))
            .filter(group_message::seq.gt(after))
            .filter(group_message::message_type.eq(MESSAGE))
            .filter(group_message::sender_role.eq(Role::Customer))
            .order(group_message::seq.asc())
            .select((group_message::seq, group_message::created_at))
            .first(self)
            .optional()?;
        Ok(found.map(|(seq, at)| Said { seq, at }))
    }

    fn reminders(&mut self, conversations: &[ConversationId]) -> Result<Vec<ReminderRow>> {
        Ok(on_list!(self, conversation_reminder::conversation_id, conversations, |inner, among| {
            conversation_reminder::table.filter(among).select(ReminderRow::as_select()).load(inner)
        })?)
    }
}

/// The staff's last message before this entry that was not recalled. Asked only where the very last one was.
fn words_before(
    connection: &mut AnyConnection,
    conversation: ConversationId,
    before: i64,
) -> Result<Option<Said>> {
    let found: Option<(i64, i64)> = group_message::table
        .filter(group_message::conversation_id.eq(conversation))
        .filter(group_message::seq.lt(before))
        .filter(group_message::message_type.eq(MESSAGE))
        .filter(group_message::sender_role.ne(Role::Customer))
        .filter(group_message::recalled_at.is_null())
        .order(group_message::seq.desc())
        .select((group_message::seq, group_message::created_at))
        .first(connection)
        .optional()?;
    Ok(found.map(|(seq, at)| Said { seq, at }))
}
