//! The task that tells the message centre of conversations that wait in the queue for longer than a rule allows.
//!
//! Owns what is read and told. Does not own when ([`crate::kernel::looks`]), what is too long (`domain::centre::product`), nor
//! the queue. Every process runs one. Invariants: those of looks; a wait makes one event for each rule, over all processes
//! and restarts, since the event holds what it was made of under a unique index; a tenant without such a rule is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::prelude::*;
use tokio::sync::Notify;

use super::log::{Told, members};
use super::store;
use crate::app::App;
use crate::centre::rules;
use crate::db::schema::conversation;
use crate::db::{AnyConnection, Db};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::product::{ProductEvent, TOLD_FOR_MS, too_long_since, waiting};
use crate::domain::conversation::ConversationRow;
use crate::journal::calendars;
use crate::kernel::looks::{Looks, Times};
use crate::kernel::{ConversationId, IdGenerator, MessageEventId, MessageRuleId, Result, TenantId};

/// Rules that are read together.
const RULES: i64 = 500;
/// Conversations that are read together.
const PAGE: i64 = 100;

/// What the task works with.
#[derive(Clone)]
pub struct Waits {
    db: Db,
    ids: Arc<IdGenerator>,
    news: Arc<Notify>,
}

impl Waits {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        Self { db: app.db.clone(), ids: app.ids.clone(), news: app.message_events.clone() }
    }
}

/// The rules of a tenant, each with the seconds that it allows.
type Allowed = Vec<(MessageRuleId, i64)>;

/// A place among the waiting conversations: since when, and which.
type Place = (i64, ConversationId);

impl Looks for Waits {
    const TARGET: &'static str = "deskwire::centre";
    const PAGES: usize = 10;
    type Asked = Arc<Allowed>;
    type Place = Place;

    async fn tenants(&self) -> Result<Vec<(TenantId, Arc<Allowed>)>> {
        let mut tenants: BTreeMap<TenantId, Allowed> = BTreeMap::new();
        let mut after = Some(MessageRuleId(0));
        while let Some(from) = after {
            let rows =
                self.db.read(move |connection| rules::store::of_waits(connection, from, RULES)).await?;
            let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == RULES);
            after = rows.last().map(|(rule, ..)| *rule).filter(|_| is_full);
            for (rule, tenant, seconds) in rows {
                tenants.entry(tenant).or_default().push((rule, seconds));
            }
        }
        Ok(tenants.into_iter().map(|(tenant, allowed)| (tenant, Arc::new(allowed))).collect())
    }

    fn shortest(asked: &Arc<Allowed>) -> i64 {
        asked.iter().map(|(_, seconds)| *seconds).min().unwrap_or(0)
    }

    async fn page(
        &self,
        tenant: TenantId,
        asked: &Arc<Allowed>,
        after: Option<Place>,
        times: Times,
    ) -> Result<Option<Place>> {
        let rules = asked.clone();
        let read = move |connection: &mut AnyConnection| page(connection, tenant, &rules, after, times);
        let (told, last) = self.db.read(read).await?;
        if !told.is_empty() {
            let rows = told
                .into_iter()
                .map(|told| Ok(told.row(MessageEventId(self.ids.next()?), tenant)))
                .collect::<Result<Vec<EventRow>>>()?;
            // When another process was first with one of them, none is stored: the next look finds what is left.
            self.db.write(move |connection| store::insert(connection, &rows)).await?;
            self.news.notify_one();
        }
        Ok(last)
    }
}

/// What is to be told of a page of the queue, and its last place when there may be more.
fn page(
    connection: &mut AnyConnection,
    tenant: TenantId,
    allowed: &Allowed,
    after: Option<Place>,
    times: Times,
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
    if due.is_empty() {
        return Ok((Vec::new(), last));
    }
    let customers: BTreeSet<_> = due.iter().filter_map(|(row, ..)| row.customer_id).collect();
    let customers = members(connection, tenant, customers)?;
    let hours = calendars::load(connection, tenant)?;
    let told = due.into_iter().map(|(row, rule, seconds, at, origin)| Told {
        key: ProductEvent::ConversationWaitingLong,
        payload: waiting(
            row,
            row.customer_id.and_then(|id| customers.get(&id)),
            (at, seconds),
            hours.is_open(row.group_id, at),
        ),
        customer: row.customer_id,
        agent: None,
        at: times.1,
        rule: Some(rule),
        origin: Some(origin),
    });
    Ok((told.collect(), last))
}
