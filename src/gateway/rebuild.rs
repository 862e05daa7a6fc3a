//! After a panic: making a worker's state anew from its sockets and the store.
//!
//! Owns what is believed after a panic. The sockets and what they watch are kept, because each was changed on its
//! own; everything that is kept by tenant is made again. Invariants: what was not delivered is delivered from the
//! store or told as lag; the tenant or the socket at which the panic happened is not tried again, so that one bad
//! change cannot stop the worker again and again.

use std::rc::Rc;

use super::collect;
use super::follow::Follower;
use super::hub::Hub;
use super::protocol::close;
use super::socket::Phase;
use super::tenant::Tenant;
use crate::kernel::TenantId;

/// What was worked on when a panic came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspect {
    /// Changes of this tenant.
    Tenant(TenantId),
    /// The timers of this socket.
    Socket(i64),
}

/// Makes the state anew. The hub has a new subscription to the feed already.
pub fn run(hub: &Rc<Hub>) {
    let mut suspects = hub.suspects.take();
    suspects.extend(hub.suspect.take());
    log::error!(target: "deskwire::gateway", "the state of a worker's sockets is rebuilt; suspects: {suspects:?}");
    let mut old = hub.tenants.take();
    let mut sockets: Vec<_> = hub.sockets.borrow().values().cloned().collect();
    sockets.sort_by_key(|socket| socket.id);
    for socket in &sockets {
        if suspects.contains(&Suspect::Socket(socket.id)) {
            socket.close(close::INTERNAL, close::INTERNAL.name);
        }
    }
    hub.busy.replace(sockets.iter().filter(|socket| collect::is_busy(socket)).cloned().collect());
    // A drain that had begun begins again.
    hub.draining.set(false);
    let mut tenants = std::collections::HashMap::new();
    for socket in &sockets {
        let Some(actor) = socket.actor.get() else { continue };
        let tenant: &mut Tenant = tenants.entry(actor.tenant).or_insert_with(|| {
            let (before, following) = match old.remove(&actor.tenant) {
                Some(old) => (old.follower.is_set().then(|| old.delivered_to_all()), old.following),
                None => (None, None),
            };
            Tenant {
                generation: hub.next_generation(),
                follower: before.map(Follower::after).unwrap_or_default(),
                following: following.or_else(|| Some(hub.app.feed.follow(actor.tenant))),
                delivered: before.unwrap_or_default(),
                ..Tenant::default()
            }
        });
        tenant.add(socket, &actor);
        tenant.restore_watches(socket);
    }
    for (id, tenant) in &mut tenants {
        if suspects.contains(&Suspect::Tenant(*id)) && tenant.follower.is_set() {
            go_on_after(hub, tenant, hub.app.feed.committed(*id));
        }
    }
    hub.tenants.replace(tenants);
    hub.look_behind(true);
}

/// What lies between is not delivered: everybody of the tenant is told to sync. Who may no longer be here is found by
/// the timers.
pub fn go_on_after(hub: &Hub, tenant: &mut Tenant, head: i64) {
    let missed_from = tenant.delivered_to_all() + 1;
    tenant.held.clear();
    tenant.reading = 0;
    tenant.generation = hub.next_generation();
    tenant.delivered = tenant.delivered.max(head);
    tenant.follower = Follower::after(tenant.delivered);
    for socket in tenant.members.values().flatten().filter(|socket| socket.phase.get() != Phase::Closing) {
        socket.miss(missed_from, None);
        super::sight::forget(socket);
    }
    // Who watched may have lost sight meanwhile; watching again is checked again.
    let watchers = tenant.watchers.drain().flat_map(|(_, sockets)| sockets).chain(tenant.waiting.drain(..));
    watchers.for_each(|socket| super::watch::forget_all(&socket));
}
