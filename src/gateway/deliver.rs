//! From a tenant's committed changes to the sockets of one worker: entries, inbox rows, access notices, receipts and
//! the waiting list, in order of rev.
//!
//! Invariants: one delivery at a time for a tenant; each frame is serialised once; inbox rows are read in bulk before
//! anything of the group is sent, so that every durable frame can say truly "everything before this rev was
//! delivered"; if the rows cannot be read, their members are told as lag.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use bytestring::ByteString;

use super::hub::{Hub, Tenant};
use super::protocol::server::{Reset, ResetReason};
use super::{access, watch, wire};
use crate::conversations::view::Cards;
use crate::db::AnyConnection;
use crate::domain::conversation::{ConversationKind, ParticipantRow};
use crate::domain::entry::{Entry, EntryRow};
use crate::journal::Changes;
use crate::journal::feed::{AccessNotice, AccessState, RoomState};
use crate::kernel::{ConversationId, MemberId, TenantId};
use crate::sync::model::InboxRow;
use crate::sync::store::rows_for;

/// Changes that are delivered together at most.
const GROUP: usize = 64;

type Pair = (ConversationId, MemberId);

/// Delivers what is ready, unless a task does already.
pub fn pump(hub: &Rc<Hub>, id: TenantId) {
    loop {
        let mut tenants = hub.tenants.borrow_mut();
        let Some(tenant) = tenants.get_mut(&id) else { return };
        if tenant.delivering || tenant.ready.is_empty() {
            return;
        }
        let count = tenant.ready.len().min(GROUP);
        let group: Vec<Arc<Changes>> = tenant.ready.drain(..count).collect();
        let pairs = needed_rows(tenant, &group);
        let cards: Vec<MemberId> =
            group.iter().flat_map(|changes| watch::needed_cards(tenant, changes)).collect();
        if pairs.is_empty() && cards.is_empty() {
            deliver(hub, tenant, &group, &Loaded::default());
            continue;
        }
        tenant.delivering = true;
        let whose = (id, tenant.generation);
        drop(tenants);
        let work = with_rows(hub.clone(), whose, group, pairs, cards);
        actix_web::rt::spawn(tokio::task::unconstrained(Box::pin(work)));
        return;
    }
}

/// What was read from the store for a group of changes.
#[derive(Default)]
pub struct Loaded {
    /// Inbox rows; none when they could not be read.
    rows: Option<HashMap<Pair, InboxRow>>,
    /// Cards for the waiting list.
    pub cards: Cards,
}

async fn with_rows(
    hub: Rc<Hub>,
    (id, generation): (TenantId, u64),
    group: Vec<Arc<Changes>>,
    pairs: Vec<Pair>,
    members: Vec<MemberId>,
) {
    let read = move |connection: &mut AnyConnection| {
        Ok((rows_for(connection, id, &pairs)?, Cards::load(connection, id, members)?))
    };
    let loaded = match hub.app.db.read(read).await {
        Ok((rows, cards)) => {
            let rows = rows.into_iter().map(|(member, row)| ((row.conversation_id, member), row));
            Loaded { rows: Some(rows.collect()), cards }
        }
        Err(error) => {
            log::warn!(target: "deskwire::gateway", "tenant {id}: inbox rows could not be read: {error}");
            Loaded::default()
        }
    };
    hub.with_tenant(id, generation, |tenant| {
        deliver(&hub, tenant, &group, &loaded);
        tenant.delivering = false;
    });
    pump(&hub, id);
}

/// The participants of front rooms that changed in these changes.
pub fn changed(changes: &Changes) -> impl Iterator<Item = &ParticipantRow> {
    let range = changes.rev_from..=changes.rev_to;
    changes.rooms.values().flat_map(|room| &room.participants).filter(move |one| range.contains(&one.rev))
}

fn needed_rows(tenant: &Tenant, group: &[Arc<Changes>]) -> Vec<Pair> {
    let here = group
        .iter()
        .flat_map(|changes| changed(changes))
        .filter(|one| tenant.members.contains_key(&one.member_id))
        .map(|one| (one.conversation_id, one.member_id));
    here.collect::<HashSet<_>>().into_iter().collect()
}

/// What happens at one rev, in this order.
enum Event<'a> {
    Entry(&'a EntryRow),
    Row(&'a ParticipantRow),
    Access(&'a AccessNotice),
}

impl Event<'_> {
    /// A disabled account loses its sessions under the same rev; its sockets are told the reason, not the means.
    fn turn(&self) -> u8 {
        match self {
            Self::Entry(_) => 0,
            Self::Row(_) => 1,
            Self::Access(notice) if !matches!(notice.change, AccessState::SessionRevoked { .. }) => 2,
            Self::Access(_) => 3,
        }
    }
}

fn deliver(hub: &Hub, tenant: &mut Tenant, group: &[Arc<Changes>], loaded: &Loaded) {
    for changes in group {
        let mut events: Vec<(i64, Event<'_>)> = Vec::with_capacity(changes.entries.len());
        events.extend(changes.entries.iter().map(|entry| (entry.rev, Event::Entry(entry))));
        let mut seen = HashSet::new();
        let rows_here = changed(changes).filter(|one| {
            // A backstage room names its parent's participants again.
            tenant.members.contains_key(&one.member_id) && seen.insert((one.conversation_id, one.member_id))
        });
        events.extend(rows_here.map(|one| (one.rev, Event::Row(one))));
        events.extend(changes.access.iter().map(|notice| (notice.rev, Event::Access(notice))));
        events.sort_by_key(|(rev, event)| (*rev, event.turn()));
        for (rev, event) in events {
            match event {
                Event::Entry(entry) => {
                    if let Some(room) = changes.rooms.get(&entry.conversation_id) {
                        send_entry(hub, tenant, room, entry);
                    }
                }
                Event::Row(participant) => send_row(hub, tenant, rev, participant, loaded),
                Event::Access(notice) => access::apply(tenant, notice),
            }
        }
        tenant.delivered = tenant.delivered.max(changes.rev_to);
        for room in changes.rooms.values() {
            watch::room_changed(tenant, changes, room, loaded);
        }
    }
}

fn send_entry(hub: &Hub, tenant: &Tenant, room: &RoomState, entry: &EntryRow) {
    let mut bytes: Option<ByteString> = None;
    let mut frame = || {
        bytes
            .get_or_insert_with(|| {
                wire::durable("entry", &hub.cursor(entry.rev - 1), &Entry::from(entry.clone()))
            })
            .clone()
    };
    for recipient in room.recipients(entry) {
        for socket in tenant.members.get(&recipient.member_id).into_iter().flatten() {
            socket.durable(entry.rev, entry.conversation_id, frame());
        }
    }
    // Who watches a conversation gets its notes with it, if it is one of the staff.
    let backstage = room.conversation.kind == ConversationKind::Backstage;
    let front = room.conversation.parent_id.unwrap_or(entry.conversation_id);
    for socket in tenant.watchers.get(&front).into_iter().flatten() {
        let Some(actor) = socket.actor.get() else { continue };
        if backstage && !actor.role.is_staff() {
            continue;
        }
        if !room.recipients(entry).any(|one| one.member_id == actor.member)
            && watch::may_see(&actor, room, backstage)
        {
            socket.durable(entry.rev, entry.conversation_id, frame());
        }
    }
}

fn send_row(hub: &Hub, tenant: &Tenant, rev: i64, participant: &ParticipantRow, loaded: &Loaded) {
    let Some(sockets) = tenant.members.get(&participant.member_id) else { return };
    let conversation = participant.conversation_id;
    let cursor = hub.cursor(rev - 1);
    let Some(rows) = &loaded.rows else {
        sockets.iter().for_each(|socket| socket.miss(rev, Some(conversation)));
        return;
    };
    let row = rows.get(&(conversation, participant.member_id));
    if let Some(row) = row {
        let bytes = wire::durable("inbox", &cursor, row);
        sockets.iter().for_each(|socket| socket.durable(rev, conversation, bytes.clone()));
    }
    if !participant.is_in() {
        let reset = Reset { conversation_id: Some(conversation), all: false, reason: ResetReason::Removed };
        let bytes = wire::durable("reset", &cursor, &reset);
        sockets.iter().for_each(|socket| socket.durable(rev, conversation, bytes.clone()));
    }
}
