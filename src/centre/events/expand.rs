//! The task that applies rules to events: each event is stored first, and expanded into sends here.
//!
//! Owns when events are looked for. Rules are applied on a thread of the readers, off the lanes, since rendering takes
//! time; what came of it is stored in one transaction for each tenant, which takes the events first, so that processes
//! that find the same do it once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::reach::{Delivery, reach};
use super::{store, throttle};
use crate::app::App;
use crate::centre::fallbacks::plan::Plan;
use crate::centre::recipients::resolve::Receiver;
use crate::centre::{fallbacks, rules, sends, templates};
use crate::db::types::json_text;
use crate::db::{AnyConnection, Db};
use crate::domain::centre::apply::{Applied, apply};
use crate::domain::centre::event::{Decision, DecisionKind, EventRow};
use crate::domain::centre::fallback::FallbackRow;
use crate::domain::centre::rule::RuleRow;
use crate::domain::centre::send::{ERROR_MAX, MessagePriority, SendReason, SendRow, SendStatus};
use crate::domain::centre::template::{Said, Translated};
use crate::kernel::{Clock, IdGenerator, MessageSendId, Result, TenantId};

/// How often the store is looked at without a hint.
const TICK: Duration = Duration::from_secs(1);
/// Tenants of one round.
const TENANTS: usize = 64;
/// Events of one tenant in a round.
const EVENTS: i64 = 20;
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

/// What a rule makes of an event.
#[derive(Debug, Clone)]
struct Made {
    rule: RuleRow,
    version: i64,
    /// The language of what is applied.
    locale: Option<String>,
    applied: Applied,
    receivers: Vec<Receiver>,
    /// What those of other languages are told.
    translated: Translated,
    plan: Option<Plan>,
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
            fallbacks::store::insert(connection, &plans)
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
                let made = apply(rule, version, &payload, event.customer_id)
                    .unwrap_or_else(|error| Applied::unreadable(rule, &error));
                let (made, receivers) =
                    reach(connection, rule, (event.customer_id, event.agent_id), made, now)?;
                let readers = || receivers.iter().filter_map(|receiver| receiver.locale.as_deref());
                // A version that cannot be read reaches nobody.
                let translated = Translated::of(version, &payload, readers()).unwrap_or_default();
                let (number, locale) =
                    version.map_or((0, None), |version| (version.version, version.locale.clone()));
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

/// What a rule makes of an event now that it is known what was sent before; its messages, and what would be sent
/// instead of them, are added to the lists.
fn decide(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    now: i64,
    event: &EventRow,
    made: &Made,
    (sends, plans): (&mut Vec<SendRow>, &mut Vec<FallbackRow>),
) -> Result<Decision> {
    let Made { rule, applied, receivers, translated, plan, .. } = made;
    let mut decision = Decision {
        rule_id: rule.id,
        decision: applied.decision,
        detail: applied.detail.clone(),
        send_ids: Vec::new(),
    };
    if let Some(hash) = &applied.dedupe {
        let until = now + rule.dedupe_seconds * 1_000;
        if !store::is_first(connection, rule.tenant_id, rule.id, hash, now, until)? {
            decision.decision = DecisionKind::Duplicate;
            return Ok(decision);
        }
    }
    if !matches!(applied.decision, DecisionKind::Send | DecisionKind::Template) {
        return Ok(decision);
    }
    let without_person = message(event, made, now);
    let mut rows: Vec<SendRow> =
        receivers.iter().map(|receiver| addressed(&without_person, rule, receiver, translated)).collect();
    if receivers.is_empty() {
        rows.push(without_person);
    }
    let held = throttle::hold_back(connection, rule, &mut rows, now)?;
    (decision.decision, decision.detail) =
        throttle::told(held, rows.len(), (decision.decision, &decision.detail));
    for (index, mut row) in rows.into_iter().enumerate() {
        row.id = MessageSendId(ids.next()?);
        decision.send_ids.push(row.id);
        let reader = receivers.get(index).and_then(|receiver| receiver.locale.as_deref());
        plans.extend(plan.as_ref().and_then(|plan| plan.row(rule, &row, reader)));
        sends.push(row);
    }
    Ok(decision)
}

/// A message for one person, in its language.
fn addressed(message: &SendRow, rule: &RuleRow, receiver: &Receiver, translated: &Translated) -> SendRow {
    let wishes = (MessagePriority::from_rank(rule.priority), rule.quiet_hours);
    let said = translated.for_reader(receiver.locale.as_deref());
    let delivery = Delivery::to(receiver, wishes, message.next_at).of_said(said);
    let (locale, body, fault) = match said {
        None => (message.locale.clone(), message.body.clone(), message.last_error.clone()),
        Some(Said { locale, rendered }) => (
            Some(locale.clone()),
            json_text(&rendered.as_ref().ok()),
            rendered.as_ref().err().map(|fault| fault.chars().take(ERROR_MAX).collect()),
        ),
    };
    SendRow {
        locale,
        body,
        last_error: fault,
        step: format!("{}:{}", message.step, receiver.id),
        status: delivery.status,
        reason: delivery.reason,
        recipient_type: Some(receiver.recipient_type),
        recipient_id: Some(receiver.id),
        address: receiver.address.clone(),
        next_at: delivery.next_at,
        ..message.clone()
    }
}

/// A message that waits, or one that failed because nothing can be said.
fn message(event: &EventRow, made: &Made, now: i64) -> SendRow {
    let Made { rule, version, applied, .. } = made;
    let next_at = event.created_at + rule.delay_seconds * 1_000;
    let failed = applied.rendered.is_none();
    SendRow {
        id: MessageSendId(0),
        tenant_id: event.tenant_id,
        event_id: event.id,
        step: rule.id.to_string(),
        rule_id: rule.id,
        template_id: rule.template_id,
        template_version: *version,
        account_id: rule.account_id,
        priority: rule.priority,
        status: if failed { SendStatus::Failed } else { SendStatus::Unsent },
        reason: failed.then_some(SendReason::Template),
        recipient_type: None,
        recipient_id: None,
        address: None,
        body: json_text(&applied.rendered),
        number: 0,
        attempts: 0,
        slowed: 0,
        may_duplicate: false,
        next_at,
        expires_at: (rule.ttl_seconds > 0).then_some(next_at + rule.ttl_seconds * 1_000),
        lease_owner: None,
        lease_until: 0,
        provider_message_id: None,
        last_code: None,
        last_error: failed.then(|| applied.detail.chars().take(ERROR_MAX).collect()),
        created_at: now,
        updated_at: now,
        sent_at: None,
        fallback_of: None,
        locale: made.locale.clone(),
    }
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
