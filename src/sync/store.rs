//! Inbox rows, made for many at once: a few bulk queries a page, and a count along the log only where the running
//! counts cannot tell.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::conversations::store as conversations;
use crate::conversations::view::{Cards, CustomerView, StaffView, View};
use crate::db::AnyConnection;
use crate::db::schema::{conversation, conversation_member};
use crate::db::snapshot::snapshot;
use crate::domain::conversation::{ConversationRow, MemberType, ParticipantRow};
use crate::domain::entry::{Entry, EntryRow};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};
use crate::messages::store as messages;

use super::model::{InboxRow, Notes, Peers};
use super::unread::{self, Counts, Fast};

/// Everything that rows of some conversations need, read at once.
struct Page {
    conversations: HashMap<ConversationId, ConversationRow>,
    backstage: HashMap<ConversationId, ConversationRow>,
    last: HashMap<ConversationId, EntryRow>,
    counts: HashMap<(ConversationId, i64), Counts>,
    cards: Cards,
}

/// The rows of these members in these conversations, in the order asked for. Pairs that do not exist are left out.
pub fn rows_for(
    connection: &mut AnyConnection,
    tenant: TenantId,
    pairs: &[(ConversationId, MemberId)],
) -> Result<Vec<(MemberId, InboxRow)>> {
    let ids = distinct(pairs.iter().map(|pair| pair.0));
    let members = distinct(pairs.iter().map(|pair| pair.1));
    snapshot(connection, |connection| {
        // The superset of all combinations is small: as a rule one member or one conversation is asked for.
        let mut found: HashMap<_, _> = conversations::participants_of(connection, tenant, &ids, &members)?
            .into_iter()
            .map(|row| ((row.conversation_id, row.member_id), row))
            .collect();
        let participants: Vec<_> = pairs.iter().filter_map(|pair| found.remove(pair)).collect();
        let rows = rows_of(connection, tenant, &participants)?;
        Ok(participants.iter().map(|row| row.member_id).zip(rows).collect())
    })
}

/// The inbox rows of these participants, in their order. Call it in the [`snapshot`] that read them.
pub fn rows_of(
    connection: &mut AnyConnection,
    tenant: TenantId,
    participants: &[ParticipantRow],
) -> Result<Vec<InboxRow>> {
    let page = Page::load(connection, tenant, participants, true)?;
    participants
        .iter()
        .filter_map(|row| {
            let conversation = page.conversations.get(&row.conversation_id)?;
            Some(page.row(connection, tenant, conversation, row))
        })
        .collect()
}

/// Unread messages over the conversations that the member is active in; each counts 100 at most.
pub fn unread_total(connection: &mut AnyConnection, tenant: TenantId, member: MemberId) -> Result<i64> {
    snapshot(connection, |connection| sum_unread(connection, tenant, member))
}

fn sum_unread(connection: &mut AnyConnection, tenant: TenantId, member: MemberId) -> Result<i64> {
    let participants: Vec<ParticipantRow> = conversation_member::table
        .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::active.eq(true))
        .filter(conversation_member::read_seq.lt(conversation::seq))
        .select(ParticipantRow::as_select())
        .load(connection)?;
    let page = Page::load(connection, tenant, &participants, false)?;
    let mut total = 0;
    for row in &participants {
        if let Some(conversation) = page.conversations.get(&row.conversation_id) {
            total += page.unread(connection, tenant, conversation, row)?;
        }
    }
    Ok(total)
}

/// One page of a member's inbox, the newest first: the conversations that it is in, by their last entry. `before` is
/// `(last_rev, conversation)` of the last row of the page before.
pub fn inbox(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    before: Option<(i64, ConversationId)>,
    limit: i64,
) -> Result<Vec<(i64, InboxRow)>> {
    snapshot(connection, |connection| {
        let mut keys = active_page(connection, tenant, member, before, limit)?;
        keys.extend(frozen_page(connection, tenant, member, before, limit)?);
        keys.sort_by_key(|(rev, row)| std::cmp::Reverse((*rev, row.conversation_id)));
        keys.truncate(usize::try_from(limit).unwrap_or_default());
        let (revs, participants): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        let rows = rows_of(connection, tenant, &participants)?;
        Ok(revs.into_iter().zip(rows).collect())
    })
}

/// Of open conversations the conversation knows its place.
fn active_page(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    before: Option<(i64, ConversationId)>,
    limit: i64,
) -> Result<Vec<(i64, ParticipantRow)>> {
    let mut query = conversation_member::table
        .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::active.eq(true))
        .order((conversation::last_rev.desc(), conversation::id.desc()))
        .limit(limit)
        .select((conversation::last_rev, ParticipantRow::as_select()))
        .into_boxed();
    if let Some((rev, id)) = before {
        query = query.filter(
            conversation::last_rev.le(rev).and(conversation::last_rev.lt(rev).or(conversation::id.lt(id))),
        );
    }
    Ok(query.load(connection)?)
}

/// Of closed ones the place is frozen into the member's own row, so old ones cost nothing.
fn frozen_page(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    before: Option<(i64, ConversationId)>,
    limit: i64,
) -> Result<Vec<(i64, ParticipantRow)>> {
    let mut query = conversation_member::table
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::active.eq(false))
        .filter(conversation_member::left_seq.is_null())
        .order((conversation_member::last_rev.desc(), conversation_member::conversation_id.desc()))
        .limit(limit)
        .select(ParticipantRow::as_select())
        .into_boxed();
    if let Some((rev, id)) = before {
        // The first condition is for the index, the second for rows of one rev.
        query = query.filter(
            conversation_member::last_rev
                .le(rev)
                .and(conversation_member::last_rev.lt(rev).or(conversation_member::conversation_id.lt(id))),
        );
    }
    let rows: Vec<ParticipantRow> = query.load(connection)?;
    Ok(rows.into_iter().map(|row| (row.last_rev, row)).collect())
}

impl Page {
    fn load(
        connection: &mut AnyConnection,
        tenant: TenantId,
        participants: &[ParticipantRow],
        whole: bool,
    ) -> Result<Self> {
        let ids = distinct(participants.iter().map(|row| row.conversation_id));
        let rows = conversations::find_many(connection, tenant, &ids)?;
        let heads: Vec<_> = rows.iter().filter(|row| row.seq > 0).map(|row| (row.id, row.seq)).collect();
        let logs = distinct(rows.iter().filter_map(|row| row.backstage_id));
        let (backstage, last, cards) = match whole {
            true => (
                conversations::find_many(connection, tenant, &logs)?,
                messages::entries_at(connection, tenant, &heads)?,
                Cards::of(connection, tenant, &rows)?,
            ),
            false => (Vec::new(), Vec::new(), Cards::default()),
        };
        let mut page = Self {
            conversations: rows.into_iter().map(|row| (row.id, row)).collect(),
            backstage: backstage.into_iter().map(|row| (row.id, row)).collect(),
            last: last.into_iter().map(|row| (row.conversation_id, row)).collect(),
            counts: HashMap::new(),
            cards,
        };
        let places = distinct(participants.iter().flat_map(|row| page.places(row)));
        for (id, seq, messages, recalls) in messages::counts_at(connection, tenant, &places)? {
            page.counts.insert((id, seq), Counts { messages, recalls });
        }
        Ok(page)
    }

    /// The places of the logs whose counts this row needs: where the member has read, and where it left.
    fn places(&self, row: &ParticipantRow) -> Vec<(ConversationId, i64)> {
        let Some(conversation) = self.conversations.get(&row.conversation_id) else {
            return Vec::new();
        };
        if let Some(left) = row.left_seq {
            return vec![(row.conversation_id, left)];
        }
        let mut places = Vec::new();
        if row.read_seq > 0 && row.read_seq < conversation.seq {
            places.push((row.conversation_id, row.read_seq));
        }
        if let Some(log) = self.backstage_of(conversation, row)
            && row.note_read_seq > 0
            && row.note_read_seq < log.seq
        {
            places.push((log.id, row.note_read_seq));
        }
        places
    }

    fn backstage_of(&self, conversation: &ConversationRow, row: &ParticipantRow) -> Option<&ConversationRow> {
        match row.member_type {
            MemberType::Customer => None,
            _ => self.backstage.get(&conversation.backstage_id?),
        }
    }

    fn row(
        &self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        conversation: &ConversationRow,
        row: &ParticipantRow,
    ) -> Result<InboxRow> {
        if let Some(left) = row.left_seq {
            return Ok(self.left_row(conversation, row, left));
        }
        let log = self.backstage_of(conversation, row);
        let notes = match log {
            Some(log) => Some(self.notes(connection, tenant, log, row)?),
            None => None,
        };
        let view = match row.member_type {
            MemberType::Customer => View::Customer(Box::new(CustomerView::new(conversation, &self.cards))),
            _ => View::Staff(Box::new(StaffView::new(conversation, &self.cards))),
        };
        Ok(InboxRow {
            conversation_id: conversation.id,
            conversation: Some(view),
            seq: conversation.seq,
            msg_count: conversation.msg_count,
            last_entry: self.last.get(&conversation.id).cloned().map(Entry::from),
            read_seq: row.read_seq,
            read_ver: row.read_ver,
            unread: self.unread(connection, tenant, conversation, row)?,
            peers: Peers {
                customer_read_seq: conversation.customer_read_seq,
                staff_read_seq: conversation.staff_read_seq,
                customer_delivered_seq: conversation.customer_delivered_seq,
                staff_delivered_seq: conversation.staff_delivered_seq,
            },
            notes,
            active: row.active,
            rev: row.rev.max(conversation.rev).max(log.map_or(0, |log| log.rev)),
        })
    }

    /// Who has left learns where its copy ends, and nothing of what happened since.
    fn left_row(&self, conversation: &ConversationRow, row: &ParticipantRow, left: i64) -> InboxRow {
        let counts = self.counts.get(&(conversation.id, left)).copied().unwrap_or_default();
        InboxRow {
            conversation_id: conversation.id,
            conversation: None,
            seq: left,
            msg_count: counts.messages,
            last_entry: None,
            read_seq: row.read_seq.min(left),
            read_ver: row.read_ver,
            unread: 0,
            peers: Peers {
                customer_read_seq: conversation.customer_read_seq.min(left),
                staff_read_seq: conversation.staff_read_seq.min(left),
                customer_delivered_seq: conversation.customer_delivered_seq.min(left),
                staff_delivered_seq: conversation.staff_delivered_seq.min(left),
            },
            notes: None,
            active: false,
            rev: row.rev,
        }
    }

    fn unread(
        &self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        conversation: &ConversationRow,
        row: &ParticipantRow,
    ) -> Result<i64> {
        if !row.is_in() || row.read_seq >= conversation.seq {
            return Ok(0);
        }
        let head = Counts { messages: conversation.msg_count, recalls: conversation.recall_count };
        let own_after = row.last_sent_seq > row.read_seq;
        match self.fast(conversation.id, row.read_seq, head, own_after) {
            Fast::Exact(number) => Ok(number),
            Fast::Scan => unread::count(connection, tenant, conversation.id, row, row.read_seq, unread::CAP),
        }
    }

    fn notes(
        &self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        log: &ConversationRow,
        row: &ParticipantRow,
    ) -> Result<Notes> {
        let head = Counts { messages: log.msg_count, recalls: log.recall_count };
        // Nobody keeps where a member last wrote backstage, so what is new there is always counted; it is little.
        let unread = match row.note_read_seq >= log.seq {
            true => 0,
            false => match self.fast(log.id, row.note_read_seq, head, true) {
                Fast::Exact(number) => number,
                Fast::Scan => unread::count(connection, tenant, log.id, row, row.note_read_seq, unread::CAP)?,
            },
        };
        Ok(Notes { conversation_id: log.id, seq: log.seq, unread })
    }

    fn fast(&self, id: ConversationId, read_seq: i64, head: Counts, own_after: bool) -> Fast {
        match (read_seq, self.counts.get(&(id, read_seq))) {
            (0, _) => unread::fast(head, Counts::default(), own_after),
            (_, Some(read)) => unread::fast(head, *read, own_after),
            (_, None) => Fast::Scan,
        }
    }
}

fn distinct<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}
