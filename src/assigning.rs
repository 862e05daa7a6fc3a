//! Assigning: has waiting conversations given to agents as soon as that may be possible.
//!
//! Owns when a tenant is looked at and [`Route`] is submitted. Does not own who gets what (`domain::routing`), what is read
//! for it (`journal::routable`), when a desk is open (`journal::calendars`), nor that it is done (the journal). Two ways
//! lead to it: every commit of this process that lets a conversation wait or gives somebody room, and a sweep of the store,
//! which finds what another process left behind, overdue offers, and what time alone changed: skills that were relaxed, and
//! desks that opened.
//!
//! Invariants: at most one such command of a tenant is under way in a process; processes do each other no harm, because the
//! command does only what the present state allows; nothing is remembered that the store does not know, so that the task
//! can be started again at any time.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::dsl::exists;
use diesel::prelude::*;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::db::schema::{agent_status, chat_group, conversation, member, offer, tenant};
use crate::db::types::Json;
use crate::db::{AnyConnection, Db};
use crate::domain::actor::Principal;
use crate::domain::entry::EntryKind;
use crate::domain::group::Serving;
use crate::domain::offer::OfferState;
use crate::domain::presence::PresenceStatus;
use crate::domain::routing::RoutingStrategy;
use crate::domain::tenant::TenantSettings;
use crate::journal::commands::Route;
use crate::journal::feed::FeedItem;
use crate::journal::wants::PIECE;
use crate::journal::{Changes, Command, Feed, Journal, calendars, routable};
use crate::kernel::{Clock, IdGenerator, Result, TenantId};

/// How often the store is swept.
const SWEEP: Duration = Duration::from_secs(1);
/// Tenants that one sweep finds at most.
const SWEPT: i64 = 1_000;
/// Tenants that are worked on at once.
const AT_ONCE: usize = 16;
/// Looks one after the other of which nothing could be done, until the sweep goes on.
const LOOKS_IN_VAIN: usize = 3;
/// Changes that may wait to be looked at; what does not fit is found by the sweep.
const CHANGES: usize = 4_096;

/// Tenants of which somebody knows that there may be something to do. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Nudges {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    tenants: Mutex<BTreeSet<TenantId>>,
    news: Notify,
}

impl Nudges {
    /// Has this tenant's waiting conversations looked at: a setting or an account changed.
    pub fn nudge(&self, tenant: TenantId) {
        let mut tenants = self.shared.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.insert(tenant);
        drop(tenants);
        self.shared.news.notify_one();
    }

    fn take(&self) -> BTreeSet<TenantId> {
        std::mem::take(&mut *self.shared.tenants.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What assigning works with.
#[derive(Clone)]
pub struct Assigning {
    /// The store.
    pub db: Db,
    /// Through which it is done.
    pub journal: Journal,
    /// What was committed.
    pub feed: Feed,
    /// Tells which offers are overdue.
    pub clock: Clock,
    /// Of this process; a look makes none.
    pub ids: Arc<IdGenerator>,
    /// What others noticed.
    pub nudges: Nudges,
}

/// What one piece of work leaves to do.
enum Done {
    /// The tenant was worked on.
    Tenant(TenantId),
    /// The store was swept; these may have something to do.
    Swept(Vec<TenantId>),
}

type Work = FuturesUnordered<BoxFuture<'static, Done>>;

/// Runs until shutdown. One supervised task in each process.
pub async fn run(assigning: Assigning, shutdown: CancellationToken) {
    let mut changes = assigning.feed.subscribe(CHANGES);
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut work = Work::new();
    let (mut dirty, mut busy, mut sweeping) = (BTreeSet::new(), HashSet::new(), false);
    loop {
        start(&assigning, &mut work, &mut dirty, &mut busy);
        tokio::select! {
            item = changes.recv() => match item {
                Some(FeedItem::Changes(changes)) if may_assign(&changes) => {
                    dirty.insert(changes.tenant);
                }
                Some(_) => {}
                None => return,
            },
            () = assigning.nudges.shared.news.notified() => dirty.extend(assigning.nudges.take()),
            Some(done) = work.next(), if !work.is_empty() => match done {
                Done::Tenant(tenant) => {
                    busy.remove(&tenant);
                }
                Done::Swept(tenants) => {
                    sweeping = false;
                    dirty.extend(tenants);
                }
            },
            _ = ticks.tick(), if !sweeping => {
                sweeping = true;
                work.push(sweep(assigning.clone()).boxed());
            }
            () = shutdown.cancelled() => return,
        }
    }
}

/// Begins with tenants that nobody works on.
fn start(
    assigning: &Assigning,
    work: &mut Work,
    dirty: &mut BTreeSet<TenantId>,
    busy: &mut HashSet<TenantId>,
) {
    let free: Vec<TenantId> = dirty.iter().copied().filter(|tenant| !busy.contains(tenant)).collect();
    for tenant in free.into_iter().take(AT_ONCE.saturating_sub(busy.len())) {
        dirty.remove(&tenant);
        busy.insert(tenant);
        work.push(settle(assigning.clone(), tenant).boxed());
    }
}

/// Whether these changes may have made an assignment possible, or moved an offer.
fn may_assign(changes: &Changes) -> bool {
    let waits = |kind| {
        matches!(
            kind,
            EntryKind::Opened
                | EntryKind::Released
                | EntryKind::Reopened
                | EntryKind::Closed
                | EntryKind::SkillsChanged
                | EntryKind::GroupChanged
        )
    };
    !changes.agents.is_empty()
        || !changes.offers.is_empty()
        || !changes.access.is_empty()
        || changes.entries.iter().any(|entry| waits(entry.kind))
}

/// Gives a tenant's waiting conversations away until nothing is left that can be given.
async fn settle(assigning: Assigning, tenant: TenantId) -> Done {
    let mut in_vain = 0;
    while in_vain < LOOKS_IN_VAIN {
        match piece(&assigning, tenant).await {
            Ok(Piece::Last) => break,
            Ok(Piece::Done) => in_vain = 0,
            Ok(Piece::InVain) => in_vain += 1,
            // The sweep comes again.
            Err(error) => {
                log::debug!(target: "deskwire::assigning", "tenant {tenant} could not be routed: {error}");
                break;
            }
        }
    }
    Done::Tenant(tenant)
}

/// What one look and its command came to.
enum Piece {
    /// Nothing more can be given away now.
    Last,
    /// Something was done, and there may be more.
    Done,
    /// Everything that the look chose has changed since.
    InVain,
}

async fn piece(assigning: &Assigning, tenant: TenantId) -> Result<Piece> {
    let (ids, now) = (assigning.ids.clone(), assigning.clock.now().0);
    let look = move |connection: &mut AnyConnection| {
        routable::find(connection, ids, tenant, now, |connection| calendars::load(connection, tenant))
    };
    let found = assigning.db.read(look).await?;
    if found.choices.is_empty() && !found.has_offers {
        return Ok(Piece::Last);
    }
    let full = found.choices.len() == PIECE;
    let route = Route { choices: found.choices };
    let reply = assigning.journal.submit(Command::new(Principal::System(tenant), route)).await?;
    Ok(match (reply.more || full, reply.rev > 0) {
        (false, _) => Piece::Last,
        (true, true) => Piece::Done,
        (true, false) => Piece::InVain,
    })
}

async fn sweep(assigning: Assigning) -> Done {
    let now = assigning.clock.now().0;
    match assigning.db.read(move |connection| due(connection, now)).await {
        Ok(tenants) => Done::Swept(tenants),
        Err(error) => {
            log::debug!(target: "deskwire::assigning", "the store could not be swept: {error}");
            Done::Swept(Vec::new())
        }
    }
}

/// Tenants where somebody waits and somebody has room, and those with overdue offers.
fn due(connection: &mut AnyConnection, now: i64) -> Result<Vec<TenantId>> {
    let waits = conversation::table
        .filter(conversation::tenant_id.eq(tenant::id))
        .filter(conversation::queue_key.is_not_null());
    let has_room = agent_status::table
        .inner_join(member::table.on(member::id.eq(agent_status::member_id)))
        .filter(agent_status::tenant_id.eq(tenant::id))
        .filter(agent_status::status.eq(PresenceStatus::Online))
        .filter(agent_status::connected.eq(true))
        .filter(agent_status::current_accept.lt(member::max_accept.cast::<diesel::sql_types::BigInt>()));
    let of_its_own = chat_group::table
        .filter(chat_group::tenant_id.eq(tenant::id))
        .filter(chat_group::deleted_at.is_null())
        .filter(chat_group::serving.eq(Serving::Agent))
        .filter(chat_group::routing_strategy.ne(RoutingStrategy::Manual).assume_not_null());
    let rows: Vec<(TenantId, Json<TenantSettings>, bool)> = tenant::table
        .filter(exists(waits))
        .filter(exists(has_room))
        .order(tenant::id.asc())
        .limit(SWEPT)
        .select((tenant::id, tenant::settings, exists(of_its_own)))
        .load(connection)?;
    // A tenant whose agents claim may have a group that is routed.
    let automatic = rows.into_iter().filter(|(_, settings, own)| *own || settings.0.routing.is_automatic());
    let mut tenants: Vec<TenantId> = automatic.map(|(id, _, _)| id).collect();
    let overdue: Vec<TenantId> = offer::table
        .filter(offer::state.eq(OfferState::Offered))
        .filter(offer::expires_at.le(now))
        .select(offer::tenant_id)
        .distinct()
        .limit(SWEPT)
        .load(connection)?;
    tenants.extend(overdue);
    Ok(tenants)
}
