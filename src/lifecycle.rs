//! The lifecycle of conversations that are served: has customers and agents reminded, and what was left closed.
//!
//! Owns when a tenant is looked at and [`RunTimers`] is submitted. Does not own whose turn it is and what is due
//! (`domain::timers`), what is read for it (`journal::overdue`), nor that it is done (the journal). Every process runs one:
//! what it finds is only a proposal.
//!
//! Invariants: nothing is remembered that the store does not know but where the next look begins, so a restart loses
//! nothing; a look reads at most so many conversations, so that one tenant costs the others nothing; after a jump of the
//! clock silence is counted anew, so that a jump closes nothing early.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use diesel::dsl::exists;
use diesel::prelude::*;
use futures_util::StreamExt;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use crate::db::schema::{conversation, tenant};
use crate::db::types::Json;
use crate::db::{AnyConnection, Db};
use crate::domain::actor::Principal;
use crate::domain::conversation::ConversationStatus;
use crate::domain::tenant::{TenantSettings, TenantStatus};
use crate::domain::timers::TimerSettings;
use crate::journal::commands::RunTimers;
use crate::journal::wants::PIECE;
use crate::journal::{Command, Journal, overdue};
use crate::kernel::clock::Steady;
use crate::kernel::{Clock, ConversationId, Result, TenantId};

/// How often it is looked for tenants that are to be looked at.
const TICK: Duration = Duration::from_secs(1);
/// A tenant is looked at so many times within its shortest timer, but no more often than each tick.
const LOOKS: u32 = 10;
/// Longest time between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// Tenants that are read together.
const TENANTS: usize = 500;
/// Tenants that are worked on at once.
const AT_ONCE: usize = 8;
/// Conversations that are read together.
const PAGE: usize = 500;
/// Pages that one look reads; the next look goes on behind them.
const PAGES: usize = 4;

/// What the task works with.
#[derive(Clone)]
pub struct Lifecycle {
    /// The store.
    pub db: Db,
    /// Through which it is done.
    pub journal: Journal,
    /// Tells how long somebody is silent.
    pub clock: Clock,
}

/// What is remembered of a tenant.
#[derive(Debug, Clone, Copy)]
struct Looked {
    /// When it was looked at last.
    at: Instant,
    /// Behind which conversation the next look begins.
    after: ConversationId,
}

/// Runs until shutdown. One supervised task in each process.
pub async fn run(lifecycle: Lifecycle, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut steady, mut known) = (Steady::default(), HashMap::new());
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        // One time for the whole round: a jump within it is seen by the next one, before it can count.
        let now = lifecycle.clock.now().0;
        let times = (steady.look(now, Instant::now()), now);
        let round = round(&lifecycle, times, &mut known);
        let done = tokio::select! {
            done = round => done,
            () = shutdown.cancelled() => return,
        };
        if let Err(error) = done {
            log::debug!(target: "deskwire::lifecycle", "the store could not be looked at: {error}");
        }
    }
}

/// Looks at every tenant whose turn it is.
async fn round(
    lifecycle: &Lifecycle,
    times: (i64, i64),
    known: &mut HashMap<TenantId, Looked>,
) -> Result<()> {
    let tenants = timed(&lifecycle.db).await?;
    let listed: BTreeSet<TenantId> = tenants.iter().map(|(id, _)| *id).collect();
    known.retain(|id, _| listed.contains(id));
    let start = Instant::now();
    let is_due = |(id, settings): &(TenantId, TimerSettings)| {
        known.get(id).is_none_or(|looked| looked.after.0 > 0 || looked.at.elapsed() >= every(settings))
    };
    let due: Vec<(TenantId, TimerSettings)> = tenants.into_iter().filter(is_due).collect();
    let looks = due.into_iter().map(|(id, settings)| {
        let after = known.get(&id).map_or(ConversationId(0), |looked| looked.after);
        async move {
            let done = look(lifecycle, id, settings, after, times).await;
            let after = done.unwrap_or_else(|error| {
                log::debug!(target: "deskwire::lifecycle", "tenant {id} is looked at again: {error}");
                after
            });
            (id, Looked { at: start, after })
        }
    });
    let looked: Vec<(TenantId, Looked)> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    known.extend(looked);
    Ok(())
}

fn every(settings: &TimerSettings) -> Duration {
    let shortest = settings.shortest().and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    (Duration::from_secs(shortest) / LOOKS).min(EVERY)
}

/// Looks at some pages of a tenant, and has done what is due. Gives behind which conversation to go on; 0 is the beginning.
async fn look(
    lifecycle: &Lifecycle,
    tenant: TenantId,
    settings: TimerSettings,
    mut after: ConversationId,
    times: (i64, i64),
) -> Result<ConversationId> {
    for _ in 0..PAGES {
        let find = move |connection: &mut AnyConnection| {
            overdue::find(connection, tenant, &settings, after, PAGE, times)
        };
        let found = lifecycle.db.read(find).await?;
        let due: Vec<ConversationId> = found.conversations.into_iter().collect();
        for piece in due.chunks(PIECE) {
            let conversations = piece.iter().copied().collect();
            lifecycle
                .journal
                .submit(Command::new(Principal::System(tenant), RunTimers { conversations }))
                .await?;
        }
        match found.after {
            Some(last) => after = last,
            None => return Ok(ConversationId(0)),
        }
    }
    Ok(after)
}

/// The tenants with timers where somebody is served.
async fn timed(db: &Db) -> Result<Vec<(TenantId, TimerSettings)>> {
    let (mut all, mut after) = (Vec::new(), Some(TenantId(0)));
    while let Some(from) = after {
        let rows = db.read(move |connection| page_of_tenants(connection, from)).await?;
        after = rows.last().map(|(id, _)| *id).filter(|_| rows.len() == TENANTS);
        let timed = rows.into_iter().map(|(id, settings)| (id, settings.0.timers));
        all.extend(timed.filter(|(_, timers)| !timers.are_off()));
    }
    Ok(all)
}

fn page_of_tenants(
    connection: &mut AnyConnection,
    after: TenantId,
) -> Result<Vec<(TenantId, Json<TenantSettings>)>> {
    let served = conversation::table
        .filter(conversation::tenant_id.eq(tenant::id))
        .filter(conversation::status.eq(ConversationStatus::Pending));
    Ok(tenant::table
        .filter(tenant::id.gt(after))
        .filter(tenant::status.eq(TenantStatus::Active))
        // Settings without timers do not name them, so most tenants are not even read.
        .filter(tenant::settings.like("%\"timers\":%"))
        .filter(exists(served))
        .order(tenant::id.asc())
        .limit(i64::try_from(TENANTS).unwrap_or(i64::MAX))
        .select((tenant::id, tenant::settings))
        .load(connection)?)
}
