//! The task that applies rules to events: each event is stored first, and expanded into sends here.
//!
//! Owns when events are looked for. Rules are applied on a thread of the readers, off the lanes, since rendering takes
//! time; what came of it is stored in one transaction for each tenant, which takes the events first, so that processes
//! that find the same do it once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::made::{Made, decide};
use super::reach::reach;
use super::store;
use crate::app::App;
use crate::centre::fallbacks::plan::Plan;
use crate::centre::{fallbacks, rules, sends, templates};
use crate::db::{AnyConnection, Db};
use crate::domain::centre::apply::{About, Applied, apply};
use crate::domain::centre::event::{DecisionKind, EventRow};
use crate::domain::centre::fallback::FallbackRow;
use crate::domain::centre::send::SendStatus;
use crate::domain::centre::template::Translated;
use crate::kernel::{Clock, IdGenerator, MessageSendId, Result, TenantId};

/// How often the store is looked at without a hint.
const TICK: Duration = Duration::from_secs(1);
/// Tenants of one round.
const TENANTS: usize = 64;
/// Events of one tenant in a round.
const EVENTS: i64 = 20;
/// Fallbacks that are made at once.
const FALLBACKS: usize = 100;
/// Tenants that are written at once.
const AT_ONCE: usize = 8;

/// What the task works with.
#[derive(Clone)]
pub struct Expander {
    db: Db,
    ids: Arc<IdGenerator>,
    clock: Clock,
    events: Arc<Notify>,
    sends: Arc<Notify>,
}

/// An event with what each rule makes of it.
#[derive(Debug, Clone)]
struct Prepared {
    event: EventRow,
    applied: Vec<Made>,
}

impl Expander {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        Self {
            db: app.db.clone(),
            ids: app.ids.clone(),
            clock: app.clock.clone(),
            events: app.message_events.clone(),
            sends: app.message_sends.clone(),
        }
    }

    /// Expands some events; tells how many.
    async fn round(&self) -> Result<usize> {
        let now = self.clock.now().0;
        let prepared = self.db.read(move |connection| prepare(connection, now)).await?;
        let mut by_tenant: HashMap<TenantId, Vec<Prepared>> = HashMap::new();
        let count = prepared.len();
        for one in prepared {
            by_tenant.entry(one.event.tenant_id).or_default().push(one);
        }
        let mut writes =
            stream::iter(by_tenant.into_iter().map(|(tenant, events)| self.write(tenant, events)))
                .buffer_unordered(AT_ONCE);
        let mut failed = None;
        while let Some(written) = writes.next().await {
            failed = written.err().or(failed);
        }
        if count > 0 {
            self.sends.notify_one();
        }
        failed.map_or(Ok(count), Err)
    }

    async fn write(&self, tenant: TenantId, events: Vec<Prepared>) -> Result<()> {
        let (ids, now) = (self.ids.clone(), self.clock.now().0);
        let write = move |connection: &mut AnyConnection| {
            let (mut made, mut plans) = (Vec::new(), Vec::new());
            for prepared in &events {
                let event = &prepared.event;
                if !store::take(connection, tenant, event.id)? {
                    continue;
                }
                let mut decisions = Vec::new();
                for one in &prepared.applied {
                    decisions.push(decide(connection, &ids, now, event, one, (&mut made, &mut plans))?);
                }
                store::expanded(connection, tenant, event.id, &decisions, now)?;
            }
            sends::store::insert(connection, &made)?;
            fallbacks::store::insert(connection, &plans)?;
            // Who has no address on the channel is told otherwise at once.
            let ended = made.iter().filter(|send| send.status == SendStatus::Suppressed);
            let ended: HashSet<MessageSendId> = ended.map(|send| send.id).collect();
            let called: Vec<MessageSendId> =
                plans.iter().map(|plan: &FallbackRow| plan.send_id).filter(|id| ended.contains(id)).collect();
            for some in called.chunks(FALLBACKS) {
                fallbacks::make::follow(connection, &ids, some, now)?;
            }
            Ok(())
        };
        self.db.write(write).await
    }
}

/// Reads events and applies their rules.
fn prepare(connection: &mut AnyConnection, now: i64) -> Result<Vec<Prepared>> {
    let events = store::pending(connection, TENANTS, EVENTS)?;
    let mut known = HashMap::new();
    let mut prepared = Vec::new();
    for event in events {
        let key = (event.tenant_id, event.key.clone());
        if !known.contains_key(&key) {
            let rules = rules::store::active(connection, event.tenant_id, &event.key)?;
            let ids = rules::store::templates(&rules);
            let versions = templates::store::published(connection, event.tenant_id, &ids)?;
            known.insert(key.clone(), (rules, versions));
        }
        let mut applied = Vec::new();
        if let Some((rules, versions)) = known.get(&key) {
            let payload: Value = serde_json::from_str(&event.payload).unwrap_or_default();
            for rule in rules.iter().filter(|rule| rule.hears(event.rule_id)) {
                let version = versions.get(&rule.template_id);
                let about = About {
                    payload: &payload,
                    customer: event.customer_id,
                    agent: event.agent_id,
                    is_digest: event.digest().is_some(),
                };
                let made =
                    apply(rule, version, about).unwrap_or_else(|error| Applied::unreadable(rule, &error));
                let (made, receivers) =
                    reach(connection, rule, (event.customer_id, event.agent_id), made, now)?;
                let readers = || receivers.iter().filter_map(|receiver| receiver.locale.as_deref());
                let translated = Translated::of(version, &payload, readers());
                let (number, locale) =
                    version.map_or((0, None), |version| (version.version, version.contents.locale.clone()));
                let is_sent = made.decision == DecisionKind::Send;
                let plan = if is_sent { Plan::of(rule, versions, &payload, readers()) } else { None };
                let (rule, version) = (rule.clone(), number);
                applied.push(Made { rule, version, locale, applied: made, receivers, translated, plan });
            }
        }
        prepared.push(Prepared { event, applied });
    }
    Ok(prepared)
}

/// Runs until shutdown. One supervised task in each process.
pub async fn run(expander: Expander, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = expander.events.notified() => {}
            () = shutdown.cancelled() => return,
        }
        loop {
            let done = tokio::select! {
                done = expander.round() => done,
                () = shutdown.cancelled() => return,
            };
            match done {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    log::warn!(target: "deskwire::centre", "events could not be expanded: {error}");
                    break;
                }
            }
        }
    }
}
