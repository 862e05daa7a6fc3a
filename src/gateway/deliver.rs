//! When a tenant's committed changes go to the sockets of one worker: at once, or after inbox rows have been read. Does
//! not own what is sent ([`super::events`]).
//!
//! How it works: changes go out at once, except to a member who joins or leaves a conversation with them: it has to
//! see the row before the first entry, and the reset after the last one, so it gets these changes and all later ones
//! once the row is read. Other rows follow their entries when they are read, in bulk for all that is held; until then
//! the cursors of their members stay before them.
//!
//! Invariants: one read at a time for a tenant; the cursor of a durable frame says
//! truly to its member "everything up to here was delivered"; if rows cannot be read, their members are told as lag;
//! what is held has a bound, and beyond it its members are told as lag.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::events::{Audience, Loaded, Rows, deliver};
use super::hub::Hub;
use super::offers;
use super::presence;
use super::rebuild::Suspect;
use super::rows::{self, Pair};
use super::sight;
use super::tenant::{Held, Tenant, Waiting};
use super::watch;
use crate::conversations::view::Cards;
use crate::db::AnyConnection;
use crate::journal::Changes;
use crate::journal::fail_point::FailPoint;
use crate::kernel::{ConversationId, MemberId, TenantId};
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
    sight::take(tenant, &changes);
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
    presence::tell(tenant, &changes);
    offers::tell(tenant, &changes);
    let conversations = changes.conversations.values();
    let receipts: Vec<_> =
        conversations.filter_map(|state| watch::conversation_changed(tenant, &changes, state)).collect();
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
    let waiting: Vec<Waiting> = group().flat_map(|held| held.cards.iter().copied()).collect();
    let whose = (id, tenant.generation);
    drop(tenants);
    let work = read_and_deliver(hub.clone(), whose, pairs.into_iter().collect(), waiting);
    hub.spawn(Suspect::Tenant(id), work);
}

async fn read_and_deliver(
    hub: Rc<Hub>,
    (id, generation): (TenantId, u64),
    pairs: Vec<Pair>,
    waiting: Vec<Waiting>,
) {
    let read = move |connection: &mut AnyConnection| {
        let rows = if pairs.is_empty() { Vec::new() } else { rows_for(connection, id, &pairs)? };
        let (conversations, members): (Vec<ConversationId>, Vec<Option<MemberId>>) =
            waiting.iter().copied().unzip();
        let cards = Cards::load(connection, id, members.into_iter().flatten())?;
        Ok((rows, cards.describing(connection, id, &conversations)?))
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
