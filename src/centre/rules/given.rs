//! What a merchant says of a rule: what is checked of it alone, and what the rule becomes by it.

use crate::db::types::json_text;
use crate::domain::centre::account::NAME_MAX;
use crate::domain::centre::digest::{DIGEST_EVENTS_MAX, DIGEST_EVENTS_MIN, DIGEST_SECONDS_MAX, RuleDigest};
use crate::domain::centre::fallback::{
    FALLBACK_AFTER_MAX, FALLBACK_AFTER_MIN, FallbackTrigger, RuleFallback,
};
use crate::domain::centre::recipient::{QuietHoursPolicy, RECIPIENTS_OF_RULE_MAX, Recipient};
use crate::domain::centre::rule::{
    CONDITIONS_MAX, Condition, DEDUPE_KEY_MAX, DEDUPE_MAX, DELAY_MAX, RuleRow, RuleStatus, TTL_MAX,
    WAITING_MAX,
};
use crate::domain::centre::schedule::RuleSchedule;
use crate::domain::centre::send::MessagePriority;
use crate::domain::centre::throttle::{RuleThrottle, THROTTLE_COUNT_MAX, THROTTLE_SECONDS_MAX, ThrottleBy};
use crate::domain::member::Role;
use crate::kernel::text::{KEY_MAX, is_key};
use crate::kernel::{ChannelAccountId, MessageTemplateId, Result};
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
    /// How it collects events; `Some(None)`: it sends for each.
    pub digest: Option<Option<RuleDigest>>,
}

/// The rule as it becomes.
pub(super) fn filled(row: RuleRow, given: &Given, now: i64) -> RuleRow {
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
        digest: given.digest.unwrap_or_else(|| row.digest()).as_ref().map(json_text),
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

/// What is given, with texts as they are kept. Errors: `validation_failed`.
pub(super) fn checked(given: Given, now: i64) -> Result<Given> {
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
    if let Some(Some(digest)) = &given.digest {
        for (pointer, value, least, most) in [
            ("/digest/seconds", digest.seconds, 1, DIGEST_SECONDS_MAX),
            ("/digest/max", digest.max, DIGEST_EVENTS_MIN, DIGEST_EVENTS_MAX),
        ] {
            if !(least..=most).contains(&value) {
                check.wrong(pointer, "out_of_range", format!("{least} to {most}"));
            }
        }
        check.line("/digest/key", &digest.key, DEDUPE_KEY_MAX);
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
