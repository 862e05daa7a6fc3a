//! From a tenant's committed changes to the sockets of one worker: entries, inbox rows, access notices, receipts and
//! the waiting list, in order of rev.
//!
//! How it works: members who need no row get the changes at once. For the others the changes are held until their
//! rows are read, in bulk for all that is held; a member for whom something is held gets everything later through it
//! too, so that each member sees one order.
//!
//! Invariants: one read at a time for a tenant; each entry is serialised once; a durable frame says truly to its
//! member "everything before this rev was delivered"; if rows cannot be read, their members are told as lag; what is
//! held has a bound, and beyond it its members are told as lag.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::hub::Hub;
use super::protocol::server::{Reset, ResetReason};
use super::protocol::table;
use super::rebuild::Suspect;
use super::rows::{self, Due, Pair};
use super::tenant::{Held, Tenant};
use super::{access, watch, wire};
use crate::conversations::view::Cards;
use crate::db::AnyConnection;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{Entry, EntryRow};
use crate::journal::Changes;
use crate::journal::fail_point::FailPoint;
use crate::journal::feed::{AccessNotice, AccessState, RoomState};
use crate::kernel::{MemberId, TenantId};
use crate::sync::model::InboxRow;
use crate::sync::store::rows_for;

/// Held changes for which rows are read together at most.
const GROUP: usize = 64;
/// Changes that are held at most.
const HELD: usize = 1_024;

/// Delivers changes that are next in order.
pub fn take(hub: &Rc<Hub>, id: TenantId, changes: Arc<Changes>) {
    hub.suspect.set(Some(Suspect::Tenant(id)));
    hub.app.journal.fail_points().hit(FailPoint::Deliver);
    let mut tenants = hub.tenants.borrow_mut();
    if let Some(tenant) = tenants.get_mut(&id) {
        now(hub, tenant, changes);
    }
    drop(tenants);
    hub.suspect.set(None);
    pump(hub, id);
}

/// Gives the changes to everybody who needs no row, and holds them for the others.
fn now(hub: &Hub, tenant: &mut Tenant, changes: Arc<Changes>) {
    let due = rows::due(tenant, &changes);
    let queue = watch::moves_queue(tenant, &changes);
    let mut members = tenant.waiting_members();
    members.extend(due.iter().map(|due| due.pair.1));
    let at_once = |member| !members.contains(&member);
    deliver(hub, tenant, &changes, &at_once, None);
    tenant.delivered = tenant.delivered.max(changes.rev_to);
    let rooms = changes.rooms.values();
    let receipts: Vec<_> = rooms.filter_map(|room| watch::room_changed(tenant, &changes, room)).collect();
    watch::tell_receipts(tenant, &receipts, &at_once);
    if members.is_empty() && !queue {
        return;
    }
    if tenant.held.len() >= HELD {
        give_up(hub, tenant);
    }
    let cards = if queue { watch::needed_cards(&changes) } else { Vec::new() };
    tenant.held.push_back(Held { changes, members, due, receipts, queue, cards });
}

/// Rows come too slowly: what is held becomes a lag of its members.
fn give_up(hub: &Hub, tenant: &mut Tenant) {
    let from = tenant.delivered_to_all() + 1;
    for member in tenant.waiting_members() {
        for socket in tenant.members.get(&member).into_iter().flatten() {
            socket.miss(from, None);
        }
    }
    tenant.held.clear();
    tenant.reading = 0;
    tenant.generation = hub.next_generation();
}

/// Reads the rows of what is held, unless a task does already.
fn pump(hub: &Rc<Hub>, id: TenantId) {
    let mut tenants = hub.tenants.borrow_mut();
    let Some(tenant) = tenants.get_mut(&id) else { return };
    if tenant.reading > 0 || tenant.held.is_empty() {
        return;
    }
    tenant.reading = tenant.held.len().min(GROUP);
    let group = || tenant.held.iter().take(tenant.reading);
    let pairs: HashSet<Pair> = group().flat_map(|held| &held.due).map(|due| due.pair).collect();
    let cards: Vec<MemberId> = group().flat_map(|held| held.cards.iter().copied()).collect();
    let whose = (id, tenant.generation);
    drop(tenants);
    let work = read_and_deliver(hub.clone(), whose, pairs.into_iter().collect(), cards);
    hub.spawn(Suspect::Tenant(id), work);
}

/// What was read from the store.
#[derive(Default)]
struct Loaded {
    /// Inbox rows; none when they could not be read.
    rows: Option<HashMap<Pair, InboxRow>>,
    /// Cards for the waiting list.
    cards: Cards,
}

async fn read_and_deliver(
    hub: Rc<Hub>,
    (id, generation): (TenantId, u64),
    pairs: Vec<Pair>,
    members: Vec<MemberId>,
) {
    let read = move |connection: &mut AnyConnection| {
        let rows = if pairs.is_empty() { Vec::new() } else { rows_for(connection, id, &pairs)? };
        Ok((rows, Cards::load(connection, id, members)?))
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
    hub.app.journal.fail_points().hit(FailPoint::DeliverRows);
    hub.with_tenant(id, generation, |tenant| {
        let group: Vec<Held> = tenant.held.drain(..tenant.reading).collect();
        tenant.reading = 0;
        for held in &group {
            let rows = Rows { due: &held.due, loaded: &loaded };
            let late = |member| held.members.contains(&member);
            deliver(&hub, tenant, &held.changes, &late, Some(&rows));
            watch::tell_receipts(tenant, &held.receipts, &late);
            if held.queue {
                watch::queue(tenant, &held.changes, &loaded.cards);
            }
        }
        catch_up(&hub, tenant);
    });
    pump(&hub, id);
}

/// Delivers what is still held to the members who waited for an earlier row only.
fn catch_up(hub: &Hub, tenant: &mut Tenant) {
    let mut blocked: HashSet<MemberId> = HashSet::new();
    let mut held = std::mem::take(&mut tenant.held);
    for one in &mut held {
        blocked.extend(one.due.iter().map(|due| due.pair.1));
        let free: HashSet<MemberId> = one.members.difference(&blocked).copied().collect();
        if !free.is_empty() {
            let late = |member| free.contains(&member);
            deliver(hub, tenant, &one.changes, &late, None);
            watch::tell_receipts(tenant, &one.receipts, &late);
            one.members.retain(|member| !free.contains(member));
        }
    }
    held.retain(|one| !one.members.is_empty() || one.queue);
    tenant.held = held;
}

/// The rows that go with some changes.
struct Rows<'a> {
    due: &'a [Due],
    loaded: &'a Loaded,
}

/// What happens at one rev, in this order.
enum Event<'a> {
    /// The row of a conversation that the member does not know yet.
    FirstRow(&'a Due),
    Entry(&'a EntryRow),
    Row(&'a Due),
    Access(&'a AccessNotice),
}

impl Event<'_> {
    /// A disabled account loses its sessions under the same rev; its sockets are told the reason, not the means.
    fn turn(&self) -> u8 {
        match self {
            Self::FirstRow(_) => 0,
            Self::Entry(_) => 1,
            Self::Row(_) => 2,
            Self::Access(notice) if !matches!(notice.change, AccessState::SessionRevoked { .. }) => 3,
            Self::Access(_) => 4,
        }
    }
}

/// Gives changes to some members.
fn deliver(
    hub: &Hub,
    tenant: &Tenant,
    changes: &Changes,
    to: &dyn Fn(MemberId) -> bool,
    rows: Option<&Rows<'_>>,
) {
    let mut events: Vec<(i64, Event<'_>)> = Vec::with_capacity(changes.entries.len());
    events.extend(changes.entries.iter().map(|entry| (entry.rev, Event::Entry(entry))));
    for due in rows.into_iter().flat_map(|rows| rows.due) {
        events.extend(due.before.map(|before| (before, Event::FirstRow(due))));
        if due.before != Some(due.rev) {
            events.push((due.rev, Event::Row(due)));
        }
    }
    events.extend(changes.access.iter().map(|notice| (notice.rev, Event::Access(notice))));
    events.sort_by_key(|(rev, event)| (*rev, event.turn()));
    for (rev, event) in events {
        match event {
            Event::Entry(entry) => {
                if let Some(room) = changes.rooms.get(&entry.conversation_id) {
                    send_entry(hub, tenant, room, entry, to);
                }
            }
            Event::FirstRow(due) | Event::Row(due) => {
                if let Some(rows) = rows {
                    send_row(hub, tenant, rev, due, rows.loaded);
                }
            }
            Event::Access(notice) => access::apply(tenant, notice, to),
        }
    }
}

fn send_entry(hub: &Hub, tenant: &Tenant, room: &RoomState, entry: &EntryRow, to: &dyn Fn(MemberId) -> bool) {
    let mut serialised: Option<wire::Durable> = None;
    let mut frame = |cursor| {
        serialised
            .get_or_insert_with(|| wire::durable(table::ENTRY, &Entry::from(entry.clone())))
            .with(cursor)
    };
    for recipient in room.recipients(entry).filter(|one| to(one.member_id)) {
        let Some(sockets) = tenant.members.get(&recipient.member_id) else { continue };
        let bytes = frame(hub.member_cursor(entry.tenant_id, recipient.member_id, entry.rev - 1));
        sockets.iter().for_each(|socket| socket.durable(entry.rev, entry.conversation_id, bytes.clone()));
    }
    // Who watches a conversation gets its notes with it, if it is one of the staff.
    let backstage = room.conversation.kind == ConversationKind::Backstage;
    let front = room.conversation.parent_id.unwrap_or(entry.conversation_id);
    for socket in tenant.watchers.get(&front).into_iter().flatten() {
        let Some(actor) = socket.actor.get().filter(|actor| to(actor.member)) else { continue };
        if backstage && !actor.role.is_staff() {
            continue;
        }
        if !room.recipients(entry).any(|one| one.member_id == actor.member)
            && watch::may_see(&actor, room, backstage)
        {
            let bytes = frame(hub.member_cursor(actor.tenant, actor.member, entry.rev - 1));
            socket.durable(entry.rev, entry.conversation_id, bytes);
        }
    }
}

fn send_row(hub: &Hub, tenant: &Tenant, rev: i64, due: &Due, loaded: &Loaded) {
    let (conversation, member) = due.pair;
    let Some(sockets) = tenant.members.get(&member) else { return };
    let Some(rows) = &loaded.rows else {
        sockets.iter().for_each(|socket| socket.miss(rev, Some(conversation)));
        return;
    };
    for socket in sockets {
        let Some(actor) = socket.actor.get() else { continue };
        let cursor = hub.member_cursor(actor.tenant, member, rev - 1);
        if let Some(row) = rows.get(&due.pair) {
            socket.durable(rev, conversation, wire::durable(table::INBOX, row).with(cursor));
        }
        if due.left {
            let reset =
                Reset { conversation_id: Some(conversation), all: false, reason: ResetReason::Removed };
            socket.durable(rev, conversation, wire::durable(table::RESET, &reset).with(cursor));
        }
    }
}
