//! From a tenant's committed changes to the sockets of one worker: entries, inbox rows, access notices, receipts and
//! the waiting list, in order of rev.
//!
//! How it works: changes go out at once, except to a member who joins or leaves a conversation with them: it has to
//! see the row before the first entry, and the reset after the last one, so it gets these changes and all later ones
//! once the row is read. Other rows follow their entries when they are read, in bulk for all that is held; until then
//! the cursors of their members stay before them.
//!
//! Invariants: one read at a time for a tenant; each entry is serialised once; the cursor of a durable frame says
//! truly to its member "everything up to here was delivered"; if rows cannot be read, their members are told as lag;
//! what is held has a bound, and beyond it its members are told as lag.

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

/// Gives the changes to everybody who need not wait, and holds what has to follow.
fn now(hub: &Hub, tenant: &mut Tenant, changes: Arc<Changes>) {
    let due = rows::due(tenant, &changes);
    let queue = watch::moves_queue(tenant, &changes);
    let mut members = tenant.waiting_members();
    members.extend(due.iter().filter(|due| due.in_order()).map(|due| due.pair.1));
    let late: HashSet<MemberId> =
        due.iter().map(|due| due.pair.1).filter(|member| !members.contains(member)).collect();
    let before = changes.rev_from - 1;
    let has = |member| !members.contains(&member);
    let floor = |member| tenant.held_before(member).or(late.contains(&member).then_some(before));
    deliver(hub, tenant, &changes, &Audience { has: &has, floor: &floor }, None);
    let conversations = changes.rooms.values();
    let receipts: Vec<_> =
        conversations.filter_map(|room| watch::room_changed(tenant, &changes, room)).collect();
    watch::tell_receipts(tenant, &receipts, &has);
    tenant.delivered = tenant.delivered.max(changes.rev_to);
    if members.is_empty() && late.is_empty() && !queue {
        return;
    }
    if tenant.held.len() >= HELD {
        give_up(hub, tenant);
    }
    let cards = if queue { watch::needed_cards(&changes) } else { Vec::new() };
    tenant.held.push_back(Held { changes, members, late, due, receipts, queue, cards });
}

/// Rows come too slowly: what is held becomes a lag of its members.
fn give_up(hub: &Hub, tenant: &mut Tenant) {
    let from = tenant.delivered_to_all() + 1;
    let held = std::mem::take(&mut tenant.held);
    let members: HashSet<MemberId> = held.iter().flat_map(Held::everybody).collect();
    for member in members {
        for socket in tenant.members.get(&member).into_iter().flatten() {
            socket.miss(from, None);
        }
    }
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
            let to = Audience {
                has: &|member| held.members.contains(&member),
                floor: &|member| tenant.held_before(member),
            };
            deliver(&hub, tenant, &held.changes, &to, Some(&rows));
            watch::tell_receipts(tenant, &held.receipts, to.has);
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
    let mut floors: HashMap<MemberId, i64> = HashMap::new();
    let mut held = std::mem::take(&mut tenant.held);
    for one in &mut held {
        blocked.extend(one.due.iter().filter(|due| due.in_order()).map(|due| due.pair.1));
        let free: HashSet<MemberId> = one.members.difference(&blocked).copied().collect();
        one.members.retain(|member| !free.contains(member));
        one.late.extend(one.due.iter().map(|due| due.pair.1).filter(|member| free.contains(member)));
        for member in &one.late {
            floors.entry(*member).or_insert(one.changes.rev_from - 1);
        }
        if !free.is_empty() {
            let to = Audience {
                has: &|member| free.contains(&member),
                floor: &|member| floors.get(&member).copied(),
            };
            deliver(hub, tenant, &one.changes, &to, None);
            watch::tell_receipts(tenant, &one.receipts, to.has);
        }
    }
    held.retain(|one| one.everybody().next().is_some() || one.queue);
    tenant.held = held;
}

/// The rows that go with some changes.
struct Rows<'a> {
    due: &'a [Due],
    loaded: &'a Loaded,
}

/// Who gets some changes.
struct Audience<'a> {
    /// Whether a member gets them.
    has: &'a dyn Fn(MemberId) -> bool,
    /// The rev before the first row that a member still lacks: its cursors go no further.
    floor: &'a dyn Fn(MemberId) -> Option<i64>,
}

impl Audience<'_> {
    /// Everything up to here was delivered to a member who gets something of this rev.
    fn after(&self, member: MemberId, rev: i64) -> i64 {
        (self.floor)(member).map_or(rev - 1, |floor| floor.min(rev - 1))
    }
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
fn deliver(hub: &Hub, tenant: &Tenant, changes: &Changes, to: &Audience<'_>, rows: Option<&Rows<'_>>) {
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
                    send_row(hub, tenant, (rev, to.after(due.pair.1, rev)), due, rows.loaded);
                }
            }
            Event::Access(notice) => access::apply(tenant, notice, to.has),
        }
    }
}

fn send_entry(hub: &Hub, tenant: &Tenant, room: &RoomState, entry: &EntryRow, to: &Audience<'_>) {
    let mut serialised: Option<wire::Durable> = None;
    let mut frame = |member, after| {
        serialised
            .get_or_insert_with(|| wire::durable(table::ENTRY, &Entry::from(entry.clone())))
            .with(hub.member_cursor(entry.tenant_id, member, after))
    };
    for recipient in room.recipients(entry).filter(|one| (to.has)(one.member_id)) {
        let Some(sockets) = tenant.members.get(&recipient.member_id) else { continue };
        let after = to.after(recipient.member_id, entry.rev);
        let bytes = frame(recipient.member_id, after);
        for socket in sockets {
            socket.durable((entry.rev, after), entry.conversation_id, bytes.clone());
        }
    }
    // Who watches a conversation gets its notes with it, if it is one of the staff.
    let backstage = room.conversation.kind == ConversationKind::Backstage;
    let front = room.conversation.parent_id.unwrap_or(entry.conversation_id);
    for socket in tenant.watchers.get(&front).into_iter().flatten() {
        let Some(actor) = socket.actor.get().filter(|actor| (to.has)(actor.member)) else { continue };
        if backstage && !actor.role.is_staff() {
            continue;
        }
        if !room.recipients(entry).any(|one| one.member_id == actor.member)
            && watch::may_see(&actor, room, backstage)
        {
            let after = to.after(actor.member, entry.rev);
            socket.durable((entry.rev, after), entry.conversation_id, frame(actor.member, after));
        }
    }
}

fn send_row(hub: &Hub, tenant: &Tenant, revs: (i64, i64), due: &Due, loaded: &Loaded) {
    let (conversation, member) = due.pair;
    let Some(sockets) = tenant.members.get(&member) else { return };
    let Some(rows) = &loaded.rows else {
        sockets.iter().for_each(|socket| socket.miss(revs.0, Some(conversation)));
        return;
    };
    for socket in sockets {
        let Some(actor) = socket.actor.get() else { continue };
        let cursor = hub.member_cursor(actor.tenant, member, revs.1);
        if let Some(row) = rows.get(&due.pair) {
            socket.durable(revs, conversation, wire::durable(table::INBOX, row).with(cursor));
        }
        if due.left {
            let reset =
                Reset { conversation_id: Some(conversation), all: false, reason: ResetReason::Removed };
            socket.durable(revs, conversation, wire::durable(table::RESET, &reset).with(cursor));
        }
    }
}
