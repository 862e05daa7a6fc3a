//! The task that tells the message centre of conversations that wait in the queue for longer than a rule allows.
//!
//! Owns when it is looked. Does not own what is too long (`domain::centre::product`) nor the queue. Every process runs one.
//! Invariants: a wait makes one event for each rule, over all processes and restarts, since the event holds what it was made
//! of under a unique index; nothing is remembered that the store does not know but where the next look begins; a tenant
//! without such a rule is not read; after a jump of the clock waiting is counted anew, so that a jump tells nothing early.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::log::{Told, members};
use super::store;
use crate::app::App;
use crate::centre::rules;
use crate::db::schema::conversation;
use crate::db::{AnyConnection, Db};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::product::{ProductEvent, TOLD_FOR_MS, too_long_since, waiting};
use crate::domain::conversation::ConversationRow;
use crate::kernel::clock::Steady;
use crate::kernel::{Clock, ConversationId, IdGenerator, MessageEventId, MessageRuleId, Result, TenantId};

/// How often it is looked for tenants that are to be looked at.
const TICK: Duration = Duration::from_secs(1);
/// A tenant is looked at so many times within its shortest wait, but no more often than each tick.
const LOOKS: u32 = 10;
/// Longest time between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// Rules that are read together.
const RULES: i64 = 500;
/// Tenants that are worked on at once.
const AT_ONCE: usize = 8;
/// Conversations that are read together.
const PAGE: i64 = 100;
/// Pages that one look reads; the next look goes on behind them.
const PAGES: usize = 10;

/// What the task works with.
#[derive(Clone)]
pub struct Waits {
    db: Db,
    ids: Arc<IdGenerator>,
    clock: Clock,
    news: Arc<Notify>,
}

impl Waits {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        let (db, ids, clock) = (app.db.clone(), app.ids.clone(), app.clock.clone());
        Self { db, ids, clock, news: app.message_events.clone() }
    }
}

/// The rules of a tenant, each with the seconds that it allows.
type Allowed = Vec<(MessageRuleId, i64)>;

/// A place among the waiting conversations: since when, and which.
type Place = (i64, ConversationId);

/// What is remembered of a tenant.
#[derive(Debug, Clone, Copy)]
struct Looked {
    /// When it was looked at last.
    at: Instant,
    /// Behind which place the next look begins; `None`: with the longest waiting.
    after: Option<Place>,
}

/// Runs until shutdown. One supervised task in each process.
pub async fn run(waits: Waits, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut steady, mut known) = (Steady::default(), HashMap::new());
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let now = waits.clock.now().0;
        let times = (steady.look(now, Instant::now()), now);
        let round = round(&waits, times, &mut known);
        let done = tokio::select! {
            done = round => done,
            () = shutdown.cancelled() => return,
        };
        if let Err(error) = done {
            log::debug!(target: "deskwire::centre", "waiting conversations could not be looked at: {error}");
        }
    }
}

/// Looks at every tenant whose turn it is.
async fn round(waits: &Waits, times: (i64, i64), known: &mut HashMap<TenantId, Looked>) -> Result<()> {
    let mut tenants: BTreeMap<TenantId, Allowed> = BTreeMap::new();
    let mut after = Some(MessageRuleId(0));
    while let Some(from) = after {
        let rows = waits.db.read(move |connection| rules::store::of_waits(connection, from, RULES)).await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == RULES);
        after = rows.last().map(|(rule, ..)| *rule).filter(|_| is_full);
        for (rule, tenant, seconds) in rows {
            tenants.entry(tenant).or_default().push((rule, seconds));
        }
    }
    known.retain(|tenant, _| tenants.contains_key(tenant));
    let start = Instant::now();
    let is_due = |(tenant, allowed): &(TenantId, Allowed)| {
        let every = every(allowed);
        known.get(tenant).is_none_or(|looked| looked.after.is_some() || looked.at.elapsed() >= every)
    };
    let due: Vec<(TenantId, Allowed)> = tenants.into_iter().filter(is_due).collect();
    let looks = due.into_iter().map(|(tenant, allowed)| {
        let after = known.get(&tenant).and_then(|looked| looked.after);
        async move {
            let done = look(waits, tenant, Arc::new(allowed), after, times).await;
            let after = done.unwrap_or_else(|error| {
                log::debug!(target: "deskwire::centre", "the queue of tenant {tenant} is looked at again: {error}");
                after
            });
            (tenant, Looked { at: start, after })
        }
    });
    let looked: Vec<(TenantId, Looked)> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    known.extend(looked);
    Ok(())
}

fn every(allowed: &Allowed) -> Duration {
    let shortest = allowed.iter().filter_map(|(_, seconds)| u64::try_from(*seconds).ok()).min();
    (Duration::from_secs(shortest.unwrap_or(0)) / LOOKS).min(EVERY)
}

/// Looks at some pages of a tenant's queue, and tells what is to be told. Gives behind which place to go on.
async fn look(
    waits: &Waits,
    tenant: TenantId,
    allowed: Arc<Allowed>,
    mut after: Option<Place>,
    times: (i64, i64),
) -> Result<Option<Place>> {
    for _ in 0..PAGES {
        let (from, rules) = (after, allowed.clone());
        let read = move |connection: &mut AnyConnection| page(connection, tenant, &rules, from, times);
        let (told, last) = waits.db.read(read).await?;
        if !told.is_empty() {
            let rows = told
                .into_iter()
                .map(|told| Ok(told.row(MessageEventId(waits.ids.next()?), tenant)))
                .collect::<Result<Vec<EventRow>>>()?;
            // When another process was first with one of them, none is stored: the next look finds what is left.
            waits.db.write(move |connection| store::insert(connection, &rows)).await?;
            waits.news.notify_one();
        }
        after = last;
        if after.is_none() {
            break;
        }
    }
    Ok(after)
}

/// What is to be told of a page of the queue, and its last place when there may be more.
fn page(
    connection: &mut AnyConnection,
    tenant: TenantId,
    allowed: &Allowed,
    after: Option<Place>,
    times: (i64, i64),
) -> Result<(Vec<Told>, Option<Place>)> {
    let bounds = |by: fn(i64, i64) -> i64| allowed.iter().map(|(_, seconds)| *seconds).reduce(by);
    let (Some(least), Some(most)) = (bounds(i64::min), bounds(i64::max)) else {
        return Ok((Vec::new(), None));
    };
    let until = times.1.saturating_sub(least.saturating_mul(1_000));
    let oldest = times.1.saturating_sub(most.saturating_mul(1_000)).saturating_sub(TOLD_FOR_MS);
    let (since, id) = after.unwrap_or((oldest.min(times.0), ConversationId(0)));
    let rows: Vec<ConversationRow> = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::queue_key.is_not_null())
        .filter(conversation::waiting_since.le(until))
        .filter(conversation::waiting_since.ge(since))
        .filter(conversation::waiting_since.gt(since).or(conversation::id.gt(id)))
        .order((conversation::waiting_since.asc(), conversation::id.asc()))
        .limit(PAGE)
        .select(ConversationRow::as_select())
        .load(connection)?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
    let last = rows.last().and_then(|row| Some((row.waiting_since?, row.id))).filter(|_| is_full);
    let mut due = Vec::new();
    for row in &rows {
        let Some(since) = row.waiting_since else { continue };
        for (rule, seconds) in allowed {
            if let Some(at) = too_long_since(since, *seconds, times) {
                let origin = format!("wait:{rule}:{}:{since}", row.id);
                due.push((row, *rule, *seconds, at, origin));
            }
        }
    }
    let known = store::known(connection, tenant, due.iter().map(|(.., origin)| origin.clone()).collect())?;
    due.retain(|(.., origin)| !known.contains(origin));
    let customers: BTreeSet<_> = due.iter().filter_map(|(row, ..)| row.customer_id).collect();
    let customers = members(connection, tenant, customers)?;
    let told = due.into_iter().map(|(row, rule, seconds, at, origin)| Told {
        key: ProductEvent::ConversationWaitingLong,
        payload: waiting(row, row.customer_id.and_then(|id| customers.get(&id)), at, seconds),
        customer: row.customer_id,
        agent: None,
        at: times.1,
        rule: Some(rule),
        origin: Some(origin),
    });
    Ok((told.collect(), last))
}
