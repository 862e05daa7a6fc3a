//! What is done with rules.

use serde_json::Value;

use super::store;
use crate::app::App;
use crate::centre::events::reach::{Delivery, reach};
use crate::centre::events::throttle;
use crate::centre::fallbacks::plan::Plan;
use crate::centre::recipients::resolve::{Receiver, persons};
use crate::centre::{events, templates};
use crate::db::types::json_text;
use crate::db::{AnyConnection, blocking};
use crate::domain::actor::Actor;
use crate::domain::centre::account::NAME_MAX;
use crate::domain::centre::apply::{Applied, apply};
use crate::domain::centre::event::DecisionKind;
use crate::domain::centre::fallback::{
    FALLBACK_AFTER_MAX, FALLBACK_AFTER_MIN, FallbackTrigger, RuleFallback,
};
use crate::domain::centre::recipient::{QuietHoursPolicy, RECIPIENTS_OF_RULE_MAX, Recipient};
use crate::domain::centre::rule::{
    CONDITIONS_MAX, Condition, DEDUPE_KEY_MAX, DEDUPE_MAX, DELAY_MAX, RuleRow, RuleStatus, TTL_MAX,
    WAITING_MAX,
};
use crate::domain::centre::schedule::RuleSchedule;
use crate::domain::centre::send::{MessagePriority, SendReason, SendStatus};
use crate::domain::centre::template::{Rendered, Translated};
use crate::domain::centre::throttle::{RuleThrottle, THROTTLE_COUNT_MAX, THROTTLE_SECONDS_MAX, ThrottleBy};
use crate::domain::member::Role;
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::text::{KEY_MAX, is_key};
use crate::kernel::{ChannelAccountId, Error, MemberId, MessageRuleId, MessageTemplateId, Result};
use crate::members::profile::Checker;

/// What a merchant says of a rule; `None` stays, or takes its default in a new rule.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// What the merchant calls it.
    pub title: Option<String>,
    /// For which events.
    pub key: Option<String>,
    /// What is said.
    pub template_id: Option<MessageTemplateId>,
    /// Where it goes.
    pub account_id: Option<ChannelAccountId>,
    /// Whether it is applied.
    pub status: Option<RuleStatus>,
    /// How urgent its sends are.
    pub priority: Option<MessagePriority>,
    /// What must hold of a payload.
    pub conditions: Option<Vec<Condition>>,
    /// How long a send waits, in seconds.
    pub delay_seconds: Option<i64>,
    /// How long a send may go out after that, in seconds; 0: for ever.
    pub ttl_seconds: Option<i64>,
    /// How long the same is not sent again, in seconds; 0: it is.
    pub dedupe_seconds: Option<i64>,
    /// The template that tells what is the same; empty: the whole payload.
    pub dedupe_key: Option<String>,
    /// Whom its messages are for.
    pub recipients: Option<Vec<Recipient>>,
    /// What becomes of its messages in quiet hours.
    pub quiet_hours: Option<QuietHoursPolicy>,
    /// What is sent instead when a message does not reach its person; `Some(None)`: nothing.
    pub fallback: Option<Option<RuleFallback>>,
    /// How many messages it sends within a time; `Some(None)`: as many as there are.
    pub throttle: Option<Option<RuleThrottle>>,
    /// After how many seconds in the queue it hears of a conversation; `Some(None)`: it is told of none.
    pub waiting_seconds: Option<Option<i64>>,
    /// When it sends by itself; `Some(None)`: it waits for events.
    pub schedule: Option<Option<RuleSchedule>>,
}

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
    };
    let given = blocking(move || checked(given, now)).await?;
    let row = filled(empty, &given, now);
    let kept = row.clone();
    app.db.write(move |connection| store::insert(connection, &kept)).await?;
    Ok(row)
}

/// Changes a rule. Errors: `forbidden`, `not_found`, `limit_reached`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: MessageRuleId, given: Given) -> Result<RuleRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let given = blocking(move || checked(given, now)).await?;
    let write = move |connection: &mut _| {
        let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        let row = filled(row, &given, now);
        store::update(connection, &row)?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Deletes a rule. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: MessageRuleId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    app.db.write(move |connection| store::delete(connection, actor.tenant, id, now)).await
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
            let applied = apply(&rule, versions.get(&rule.template_id), payload, customer)?;
            let (applied, receivers) = reach(connection, &rule, (customer, None), applied, now)?;
            let at = happens + rule.delay_seconds * 1_000;
            let wishes = (MessagePriority::from_rank(rule.priority), rule.quiet_hours);
            let readers: Vec<String> = receivers.iter().filter_map(|one| one.locale.clone()).collect();
            let readers = || readers.iter().map(String::as_str);
            let version = versions.get(&rule.template_id);
            let translated = Translated::of(version, payload, readers())?;
            let locale = version.and_then(|version| version.locale.clone());
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
            Ok(Simulated { rule, applied, locale, receivers, fallback, coming })
        });
        each.collect()
    };
    app.db.read(read).await
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

fn filled(row: RuleRow, given: &Given, now: i64) -> RuleRow {
    let given = given.clone();
    let fallback = given.fallback.unwrap_or_else(|| row.fallback());
    let throttle = given.throttle.unwrap_or_else(|| row.throttle());
    let status = given.status.unwrap_or(row.status);
    let is_begun =
        given.schedule.is_some() || (status, row.status) == (RuleStatus::Active, RuleStatus::Disabled);
    let schedule = given.schedule.unwrap_or_else(|| row.schedule());
    // A schedule begins with what comes from now on, also when its rule was disabled meanwhile.
    let next = || schedule.as_ref()?.times().ok()?.after(now);
    let schedule_next_at = if is_begun { next() } else { row.schedule_next_at };
    RuleRow {
        waiting_seconds: given.waiting_seconds.unwrap_or(row.waiting_seconds),
        schedule: schedule.as_ref().map(json_text),
        schedule_next_at,
        throttle_count: throttle.map_or(0, |throttle| throttle.count),
        throttle_seconds: throttle.map_or(0, |throttle| throttle.seconds),
        throttle_by: throttle.map_or(ThrottleBy::Rule, |throttle| throttle.by),
        fallback_template_id: fallback.as_ref().map(|fallback| fallback.template_id),
        fallback_account_id: fallback.as_ref().map(|fallback| fallback.account_id),
        fallback_on: fallback.as_ref().map(|fallback| json_text(&fallback.on)),
        fallback_after_seconds: fallback.and_then(|fallback| fallback.after_seconds),
        title: given.title.unwrap_or(row.title),
        key: given.key.unwrap_or(row.key),
        template_id: given.template_id.unwrap_or(row.template_id),
        account_id: given.account_id.unwrap_or(row.account_id),
        status,
        priority: given.priority.map_or(row.priority, MessagePriority::rank),
        conditions: given.conditions.map_or(row.conditions, |conditions| json_text(&conditions)),
        delay_seconds: given.delay_seconds.unwrap_or(row.delay_seconds),
        ttl_seconds: given.ttl_seconds.unwrap_or(row.ttl_seconds),
        dedupe_seconds: given.dedupe_seconds.unwrap_or(row.dedupe_seconds),
        dedupe_key: given.dedupe_key.unwrap_or(row.dedupe_key),
        recipients: given.recipients.map_or(row.recipients, |recipients| json_text(&recipients)),
        quiet_hours: given.quiet_hours.unwrap_or(row.quiet_hours),
        updated_at: now,
        ..row
    }
}

fn checked(given: Given, now: i64) -> Result<Given> {
    let mut check = Checker::default();
    let title = given.title.as_ref().map(|title| check.required_line("/title", title, NAME_MAX));
    if given.key.as_ref().is_some_and(|key| !is_key(key)) {
        check.wrong("/key", "invalid", format!("1 to {KEY_MAX} of A-Z a-z 0-9 . _ : -"));
    }
    for (pointer, seconds, most) in [
        ("/delay_seconds", given.delay_seconds, DELAY_MAX),
        ("/ttl_seconds", given.ttl_seconds, TTL_MAX),
        ("/dedupe_seconds", given.dedupe_seconds, DEDUPE_MAX),
    ] {
        if seconds.is_some_and(|seconds| !(0..=most).contains(&seconds)) {
            check.wrong(pointer, "out_of_range", format!("0 to {most}"));
        }
    }
    if given.waiting_seconds.flatten().is_some_and(|seconds| !(1..=WAITING_MAX).contains(&seconds)) {
        check.wrong("/waiting_seconds", "out_of_range", format!("1 to {WAITING_MAX}"));
    }
    if let Some(Some(schedule)) = &given.schedule {
        let never = || ("/cron", "there is no such time".to_owned());
        let next = schedule.times().and_then(|times| times.after(now).ok_or_else(never));
        if let Err((field, detail)) = next {
            check.wrong(&format!("/schedule{field}"), "invalid", detail);
        }
    }
    let conditions = given.conditions.as_deref().unwrap_or_default();
    if conditions.len() > CONDITIONS_MAX {
        check.wrong("/conditions", "too_long", format!("at most {CONDITIONS_MAX}"));
    }
    for (index, condition) in conditions.iter().enumerate() {
        if let Some((field, detail)) = condition.fault() {
            check.wrong(&format!("/conditions/{index}{field}"), "invalid", detail);
        }
    }
    let recipients = given.recipients.as_deref().unwrap_or_default();
    if recipients.len() > RECIPIENTS_OF_RULE_MAX {
        check.wrong("/recipients", "too_long", format!("at most {RECIPIENTS_OF_RULE_MAX}"));
    }
    for (index, recipient) in recipients.iter().enumerate() {
        if matches!(recipient, Recipient::Role { role: Role::Customer }) {
            check.wrong(&format!("/recipients/{index}/role"), "invalid", "expected a role of the staff");
        }
    }
    if let Some(Some(throttle)) = &given.throttle {
        for (pointer, value, most) in [
            ("/throttle/count", throttle.count, THROTTLE_COUNT_MAX),
            ("/throttle/seconds", throttle.seconds, THROTTLE_SECONDS_MAX),
        ] {
            if !(1..=most).contains(&value) {
                check.wrong(pointer, "out_of_range", format!("1 to {most}"));
            }
        }
    }
    if let Some(Some(fallback)) = &given.fallback {
        if fallback.on.is_empty() && fallback.after_seconds.is_none() {
            check.wrong("/fallback/on", "required", "which ends call for it");
        }
        if fallback.on.len() > FallbackTrigger::ALL.len() {
            check.wrong("/fallback/on", "too_long", format!("at most {}", FallbackTrigger::ALL.len()));
        }
        let range = FALLBACK_AFTER_MIN..=FALLBACK_AFTER_MAX;
        if fallback.after_seconds.is_some_and(|seconds| !range.contains(&seconds)) {
            let detail = format!("{FALLBACK_AFTER_MIN} to {FALLBACK_AFTER_MAX}");
            check.wrong("/fallback/after_seconds", "out_of_range", detail);
        }
    }
    let dedupe_key = given.dedupe_key.as_ref().map(|key| check.line("/dedupe_key", key, DEDUPE_KEY_MAX));
    check.finish()?;
    Ok(Given { title, dedupe_key, ..given })
}
