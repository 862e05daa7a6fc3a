//! The task that makes the events of rules with a schedule, each at its time.
//!
//! Owns when it is looked and that a time is told once. Does not own which times there are (`domain::centre::schedule`). Every
//! process runs one. Invariants: the event is stored in the transaction that moves the rule to its next time, which one
//! process can do; what was missed while nobody ran is told by its last time, or not at all when that is long over; a tenant
//! without such a rule is not read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::store;
use crate::app::App;
use crate::centre::rules;
use crate::db::{AnyConnection, Db};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::rule::RuleRow;
use crate::kernel::{Clock, IdGenerator, MessageEventId, Result, ticks};

/// How often it is looked for times that came.
const TICK: Duration = Duration::from_secs(1);
/// Rules of one look.
const RULES: i64 = 200;

/// What the task works with.
#[derive(Clone)]
pub struct Schedules {
    db: Db,
    ids: Arc<IdGenerator>,
    clock: Clock,
    news: Arc<Notify>,
}

impl Schedules {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        let (db, ids, clock) = (app.db.clone(), app.ids.clone(), app.clock.clone());
        Self { db, ids, clock, news: app.message_events.clone() }
    }

    /// Tells some of the times that came; tells whether there may be more.
    async fn round(&self) -> Result<bool> {
        let now = self.clock.now().0;
        let read = move |connection: &mut AnyConnection| {
            let rules = rules::store::scheduled(connection, now, RULES)?;
            Ok(rules.into_iter().map(|rule| step(rule, now)).collect::<Vec<_>>())
        };
        let steps = self.db.read(read).await?;
        let count = steps.len();
        let is_full = i64::try_from(count).is_ok_and(|count| count == RULES);
        let mut failed = None;
        for step in steps {
            // What fails of one rule keeps no other from its time.
            failed = self.write(step, now).await.err().or(failed);
        }
        if count > 0 {
            self.news.notify_one();
        }
        failed.map_or(Ok(is_full), Err)
    }

    async fn write(&self, Step { rule, due, next }: Step, now: i64) -> Result<()> {
        let event = match due {
            Some((at, payload)) => Some(event(MessageEventId(self.ids.next()?), &rule, at, payload, now)),
            None => None,
        };
        let write = move |connection: &mut AnyConnection| {
            let is_mine = rules::store::moved_on(connection, &rule, next)?;
            let Some(event) = event.as_ref().filter(|_| is_mine) else { return Ok(()) };
            // After the clock was set back a time may come that was told already.
            let origin = event.origin.iter().cloned().collect();
            match store::known(connection, rule.tenant_id, origin)?.is_empty() {
                true => store::insert(connection, std::slice::from_ref(event)),
                false => Ok(()),
            }
        };
        self.db.write(write).await
    }
}

/// What is to be done for a rule whose time came.
struct Step {
    rule: RuleRow,
    /// The time that is told, and what is known of it.
    due: Option<(i64, String)>,
    /// Its next time.
    next: Option<i64>,
}

/// A schedule that cannot be read any more, since another build wrote it, has no time.
fn step(rule: RuleRow, now: i64) -> Step {
    let times = rule.schedule().and_then(|schedule| schedule.times().ok());
    let at = times.as_ref().zip(rule.schedule_next_at).and_then(|(times, next)| times.due(next, now));
    let due = times.as_ref().zip(at).map(|(times, at)| (at, times.payload(at).to_string()));
    let next = times.and_then(|times| times.after(now));
    Step { rule, due, next }
}

fn event(id: MessageEventId, rule: &RuleRow, at: i64, payload: String, now: i64) -> EventRow {
    EventRow {
        id,
        tenant_id: rule.tenant_id,
        key: rule.key.clone(),
        payload,
        created_by: None,
        created_at: now,
        expanded_at: None,
        decisions: None,
        customer_id: None,
        agent_id: None,
        rule_id: Some(rule.id),
        origin: Some(format!("schedule:{}:{at}", rule.id)),
    }
}

/// Runs until shutdown. One supervised task in each process.
pub async fn run(schedules: Schedules, shutdown: CancellationToken) {
    ticks::run(TICK, shutdown, ("deskwire::centre", "schedules of rules"), || schedules.round()).await;
}
