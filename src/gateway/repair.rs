//! Reading back what a worker missed: a hole in the revs, an overflow of its channel, news from another process, or
//! silence behind the committed rev. One path for all of them, for one process and for many.

use std::rc::Rc;
use std::time::Duration;

use super::access;
use super::follow::Plan;
use super::hub::{Hub, Tenant};
use crate::journal::history;
use crate::kernel::TenantId;

/// Starts a repair up to this rev, unless one runs.
pub fn start(hub: &Rc<Hub>, id: TenantId, to: i64) {
    let begun = hub.tenants.borrow_mut().get_mut(&id).and_then(|tenant| {
        let generation = tenant.generation;
        tenant.follower.begin_repair().then_some(generation)
    });
    let Some(generation) = begun else { return };
    hub.app.metrics.repairs.inc();
    actix_web::rt::spawn(tokio::task::unconstrained(Box::pin(run(hub.clone(), id, generation, to))));
}

async fn run(hub: Rc<Hub>, id: TenantId, generation: u64, mut to: i64) {
    let mut wait = Duration::from_millis(100);
    loop {
        let Some(plan) = hub.with_tenant(id, generation, |tenant| tenant.follower.plan(to)) else { return };
        match plan {
            Plan::Done => {
                let ended = hub.with_tenant(id, generation, |tenant| tenant.follower.end_repair());
                let Some((ready, missing)) = ended else { return };
                ready.into_iter().for_each(|changes| hub.ready(id, changes));
                match missing {
                    Some(more) => to = more,
                    None => return,
                }
                if hub.with_tenant(id, generation, |tenant| tenant.follower.begin_repair()) != Some(true) {
                    return;
                }
            }
            Plan::Jump(head) => {
                jump(&hub, id, generation, head).await;
            }
            Plan::Read(from, until) => {
                let read =
                    hub.app.db.read(move |connection| history::changes(connection, id, from, until)).await;
                match read {
                    Ok(changes) => {
                        if hub.with_tenant(id, generation, |one| one.follower.repaired(until)).is_none() {
                            return;
                        }
                        hub.ready(id, std::sync::Arc::new(changes));
                        wait = Duration::from_millis(100);
                    }
                    Err(error) => {
                        log::warn!(target: "deskwire::gateway", "tenant {id}: revs {from} to {until} could not be read: {error}");
                        tokio::time::sleep(wait).await;
                        wait = (wait * 2).min(Duration::from_secs(2));
                    }
                }
            }
        }
    }
}

/// Too much was missed to replay it: everybody of the tenant is told to sync, and whoever may no longer be here goes.
async fn jump(hub: &Rc<Hub>, id: TenantId, generation: u64, head: i64) {
    log::warn!(target: "deskwire::gateway", "tenant {id}: too far behind, going on after rev {head}");
    // Revocations lie in the hole as well; the judge of tokens reads them from the store by itself.
    if let Err(error) = hub.app.auth.catch_up(&hub.app.db).await {
        log::warn!(target: "deskwire::gateway", "tenant {id}: revocations could not be read: {error}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        return;
    }
    hub.with_tenant(id, generation, |tenant| go_on_after(tenant, head));
}

fn go_on_after(tenant: &mut Tenant, head: i64) {
    tenant.follower.repaired(head);
    let missed_from = tenant.delivered + 1;
    tenant.delivered = tenant.delivered.max(head);
    for socket in tenant.members.values().flatten() {
        if socket.actor.get().is_some() && !access::bar(socket) {
            socket.miss(missed_from, None);
        }
    }
    // Who watched may have lost sight meanwhile; watching again is checked again.
    for socket in tenant.watchers.drain().flat_map(|(_, sockets)| sockets).chain(tenant.waiting.drain(..)) {
        super::watch::forget_all(&socket);
    }
}
