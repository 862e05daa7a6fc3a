//! What is done with rules.

use serde_json::Value;

use super::given::{Given, checked, filled};
use super::store;
use crate::app::App;
use crate::centre::events::reach::{Delivery, reach};
use crate::centre::events::throttle;
use crate::centre::fallbacks::plan::Plan;
use crate::centre::recipients::resolve::{Receiver, persons};
use crate::centre::{events, templates};
use crate::db::{AnyConnection, blocking};
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::centre::apply::{About, Applied, apply};
use crate::domain::centre::digest;
use crate::domain::centre::event::DecisionKind;
use crate::domain::centre::fallback::FallbackTrigger;
use crate::domain::centre::recipient::QuietHoursPolicy;
use crate::domain::centre::rule::{RuleRow, RuleStatus};
use crate::domain::centre::send::{MessagePriority, SendReason, SendStatus};
use crate::domain::centre::template::{Published, Rendered, Translated};
use crate::domain::centre::throttle::ThrottleBy;
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::text::is_key;
use crate::kernel::{ChannelAccountId, Error, MemberId, MessageRuleId, MessageTemplateId, Result};

/// The rules of the tenant in the order of their ids; only those with this key when one is given. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, key: Option<String>, page: PageQuery) -> Result<Page<RuleRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, after) = (page.limit()?, page.after::<MessageRuleId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, key, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// One rule. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: MessageRuleId) -> Result<RuleRow> {
    require(&actor, Operation::ReadMessageCentre)?;
    let found = app.db.read(move |connection| store::find(connection, actor.tenant, id)).await?;
    found.ok_or_else(Error::not_found)
}

/// Makes a rule. Errors: `forbidden`, `limit_reached`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, given: Given) -> Result<RuleRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let empty = RuleRow {
        id: MessageRuleId(app.ids.next()?),
        tenant_id: actor.tenant,
        title: String::new(),
        key: String::new(),
        template_id: MessageTemplateId(0),
        account_id: ChannelAccountId(0),
        status: RuleStatus::Active,
        priority: MessagePriority::Notice.rank(),
        conditions: "[]".to_owned(),
        delay_seconds: 0,
        ttl_seconds: 0,
        dedupe_seconds: 0,
        dedupe_key: String::new(),
        recipients: "[]".to_owned(),
        quiet_hours: QuietHoursPolicy::Defer,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        fallback_template_id: None,
        fallback_account_id: None,
        fallback_on: None,
        fallback_after_seconds: None,
        throttle_count: 0,
        throttle_seconds: 0,
        throttle_by: ThrottleBy::Rule,
        waiting_seconds: None,
        schedule: None,
        schedule_next_at: None,
        digest: None,
    };
    let given = blocking(move || checked(given, now)).await?;
    let row = filled(empty, &given, now);
    let (kept, audit) = (row.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        store::insert(connection, &kept)?;
        audit.note(connection, Act::created(&kept))
    };
    app.db.write(write).await?;
    Ok(row)
}

/// Changes a rule. Errors: `forbidden`, `not_found`, `limit_reached`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: MessageRuleId, given: Given) -> Result<RuleRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let given = blocking(move || checked(given, now)).await?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let before = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        let row = filled(before.clone(), &given, now);
        store::update(connection, &row)?;
        audit.note(connection, Act::updated(&before, &row))?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Deletes a rule. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: MessageRuleId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        store::delete(connection, actor.tenant, id, now)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}

/// What one rule would make of an event.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The rule.
    pub rule: RuleRow,
    /// What it would make of it.
    pub applied: Applied,
    /// In which language, as far as its template tells.
    pub locale: Option<String>,
    /// Whom it would be sent to, each with when and whether.
    pub receivers: Vec<(Receiver, Delivery)>,
    /// What would be sent instead, and whom it would reach.
    pub fallback: Option<(Plan, Vec<(Receiver, Delivery)>)>,
    /// The next times of its schedule, unix milliseconds.
    pub coming: Vec<i64>,
}

/// What each active rule would make of an event; nothing is stored or sent. Errors: `forbidden`, `validation_failed`.
pub async fn simulate(
    app: &App,
    actor: Actor,
    key: String,
    payload: Value,
    customer: Option<MemberId>,
) -> Result<Vec<Simulated>> {
    require(&actor, Operation::ReadMessageCentre)?;
    if !is_key(&key) {
        return Err(Error::field("/key", "invalid", "1 to 64 of A-Z a-z 0-9 . _ : -"));
    }
    let now = app.clock.now().0;
    let read = move |connection: &mut AnyConnection| {
        if let Some(customer) = customer {
            events::store::customer(connection, actor.tenant, customer)?
                .ok_or_else(|| Error::field("/customer_id", "invalid", "there is no such customer"))?;
        }
        let rules = store::active(connection, actor.tenant, &key)?;
        let ids = store::templates(&rules);
        let versions = templates::store::published(connection, actor.tenant, &ids)?;
        let each = rules.into_iter().map(|rule| {
            // What has a schedule is tried with its next time instead of with the event.
            let times = rule.schedule().and_then(|schedule| schedule.times().ok());
            let coming = times.as_ref().map_or_else(Vec::new, |times| times.coming(now));
            let scheduled = times.as_ref().zip(coming.first()).map(|(times, at)| (times.payload(*at), *at));
            let (customer, happens) = match &scheduled {
                Some((_, at)) => (None, *at),
                None => (customer, now),
            };
            let payload = scheduled.as_ref().map_or(&payload, |(payload, _)| payload);
            let version = versions.get(&rule.template_id);
            let about = About { payload, customer, agent: None, is_digest: false };
            let (applied, collected) = tried(&rule, version, about)?;
            let payload = collected.as_ref().unwrap_or(payload);
            let (applied, receivers) = reach(connection, &rule, (customer, None), applied, now)?;
            let at = happens + rule.delay_seconds * 1_000;
            let wishes = (MessagePriority::from_rank(rule.priority), rule.quiet_hours);
            let readers: Vec<String> = receivers.iter().filter_map(|one| one.locale.clone()).collect();
            let readers = || readers.iter().map(String::as_str);
            let translated = Translated::of(version, payload, readers());
            let locale = version.and_then(|version| version.contents.locale.clone());
            let mut receivers = delivered(receivers, wishes, at, (locale.as_ref(), &translated));
            let applied = throttle::tried(connection, &rule, applied, &mut receivers, now)?;
            let plan = match applied.decision {
                DecisionKind::Send => Plan::of(&rule, &versions, payload, readers()),
                _ => None,
            };
            let fallback = match plan {
                Some(plan) => {
                    let reached = instead(connection, &rule, &plan, &receivers, now)?;
                    let told = delivered(reached, wishes, at, (plan.locale.as_ref(), &plan.translated));
                    Some((plan, told))
                }
                None => None,
            };
            let applied = match applied.decision == DecisionKind::Send && collected.is_some() {
                true => Applied { decision: DecisionKind::Digested, ..applied },
                false => applied,
            };
            Ok(Simulated { rule, applied, locale, receivers, fallback, coming })
        });
        each.collect()
    };
    app.db.read(read).await
}

/// What a rule would make of an event. What it collects is shown as if it were all that is: then also what would be told.
fn tried(rule: &RuleRow, version: Option<&Published>, about: About<'_>) -> Result<(Applied, Option<Value>)> {
    let applied = apply(rule, version, about)?;
    if applied.decision != DecisionKind::Digested {
        return Ok((applied, None));
    }
    let payload = digest::payload(vec![about.payload.clone()]);
    let applied = apply(rule, version, About { payload: &payload, is_digest: true, ..about })?;
    Ok((applied, Some(payload)))
}

/// The receivers with when and whether, and with the language in which each is told instead of the one that it reads.
fn delivered(
    receivers: Vec<Receiver>,
    wishes: (MessagePriority, QuietHoursPolicy),
    at: i64,
    (own, translated): (Option<&String>, &Translated),
) -> Vec<(Receiver, Delivery)> {
    let each = receivers.into_iter().map(|receiver| {
        let said = translated.for_reader(receiver.locale.as_deref());
        let delivery = Delivery::to(&receiver, wishes, at).of_said(said);
        (Receiver { locale: said.map(|said| &said.locale).or(own).cloned(), ..receiver }, delivery)
    });
    each.collect()
}

/// Whom a fallback would reach of those whom the message would be sent to, or would be if they could be reached there.
fn instead(
    connection: &mut AnyConnection,
    rule: &RuleRow,
    plan: &Plan,
    receivers: &[(Receiver, Delivery)],
    now: i64,
) -> Result<Vec<Receiver>> {
    let channel = plan.rendered.as_ref().map(Rendered::channel).filter(|channel| channel.has_recipients());
    let Some(channel) = channel else { return Ok(Vec::new()) };
    let calls = plan.fallback.on.contains(&FallbackTrigger::NoAddress);
    let would = receivers.iter().filter(|(_, delivery)| {
        delivery.status == SendStatus::Unsent
            || (calls && delivery.reason.is_some_and(SendReason::is_no_address))
    });
    let asked: Vec<_> = would.map(|(receiver, _)| (receiver.recipient_type, receiver.id)).collect();
    let through = (plan.fallback.account_id, channel, MessagePriority::from_rank(rule.priority));
    persons(connection, rule.tenant_id, &asked, through, now)
}
