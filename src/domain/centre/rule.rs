//! Rules: what is sent when something happens, and the conditions for it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::digest::RuleDigest;
use super::fallback::RuleFallback;
use super::recipient::{QuietHoursPolicy, Recipient};
use super::schedule::RuleSchedule;
use super::throttle::{RuleThrottle, ThrottleBy};
use crate::db::schema::message_rule;
use crate::kernel::{ChannelAccountId, Error, MessageRuleId, MessageTemplateId, Result, TenantId};
use crate::text_enum;

/// Most rules of a tenant.
pub const RULES_MAX: i64 = 1_000;
/// Most rules with the same key.
pub const RULES_OF_KEY_MAX: i64 = 50;
/// Most conditions of a rule.
pub const CONDITIONS_MAX: usize = 20;
/// Longest path of a condition, in bytes.
pub const PATH_MAX: usize = 200;
/// Largest value of a condition, in bytes of JSON.
pub const VALUE_MAX: usize = 4_096;
/// Longest delay of a send, in seconds: 30 days.
pub const DELAY_MAX: i64 = 30 * 86_400;
/// Longest time in which a send may go out, in seconds: 30 days.
pub const TTL_MAX: i64 = 30 * 86_400;
/// Longest time in which the same is sent once, in seconds: 30 days.
pub const DEDUPE_MAX: i64 = 30 * 86_400;
/// Longest wait that a rule allows, in seconds: 30 days.
pub const WAITING_MAX: i64 = 30 * 86_400;
/// Longest template of a dedupe key, in characters.
pub const DEDUPE_KEY_MAX: usize = 255;

text_enum! {
    /// Whether a rule is applied (the source: 1 valid, 0 invalid).
    RuleStatus {
        /// It is.
        Active = "active",
        /// It is not.
        Disabled = "disabled",
    }
}

text_enum! {
    /// How a condition compares.
    Operator {
        /// Equal. Numbers are compared by value.
        Eq = "eq",
        /// Not equal, or not there.
        Ne = "ne",
        /// Equal to one item of a list.
        In = "in",
        /// Greater: numbers with numbers, texts with texts.
        Gt = "gt",
        /// Greater or equal.
        Gte = "gte",
        /// Less.
        Lt = "lt",
        /// Less or equal.
        Lte = "lte",
        /// There and not null (`true`), or not (`false`).
        Exists = "exists",
    }
}

/// One thing that must hold of an event's payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Where to look: a JSON pointer (RFC 6901) such as `/order/total`.
    pub path: String,
    /// How to compare.
    pub operator: Operator,
    /// With what: for `in` a list, for `exists` true or false, for greater and less a number or a text.
    pub value: Value,
}

impl Condition {
    /// What is wrong with it, and in which field; `None` when it can be used.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        if !(self.path.is_empty() || self.path.starts_with('/')) || self.path.len() > PATH_MAX {
            return Some(("/path", "expected a JSON pointer of at most 200 bytes, such as /order/total"));
        }
        if self.value.to_string().len() > VALUE_MAX {
            return Some(("/value", "at most 4096 bytes"));
        }
        let fits = match self.operator {
            Operator::In => self.value.is_array(),
            Operator::Exists => self.value.is_boolean(),
            Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => {
                self.value.is_number() || self.value.is_string()
            }
            Operator::Eq | Operator::Ne => true,
        };
        (!fits).then_some(("/value", "not what the operator compares with"))
    }

    /// Whether it holds of this payload.
    pub fn holds(&self, payload: &Value) -> bool {
        use std::cmp::Ordering::{Greater, Less};
        let found = payload.pointer(&self.path);
        let order = found.and_then(|found| compare(found, &self.value));
        match self.operator {
            Operator::Eq => found.is_some_and(|found| equal(found, &self.value)),
            Operator::Ne => !found.is_some_and(|found| equal(found, &self.value)),
            Operator::In => found.is_some_and(|found| {
                self.value.as_array().is_some_and(|items| items.iter().any(|item| equal(found, item)))
            }),
            Operator::Gt => order == Some(Greater),
            Operator::Gte => order.is_some_and(|order| order != Less),
            Operator::Lt => order == Some(Less),
            Operator::Lte => order.is_some_and(|order| order != Greater),
            Operator::Exists => Some(found.is_some_and(|found| !found.is_null())) == self.value.as_bool(),
        }
    }
}

/// 1 and 1.0 are one number to who writes a rule.
fn equal(one: &Value, other: &Value) -> bool {
    match (one.is_number(), other.is_number()) {
        (true, true) => compare(one, other) == Some(std::cmp::Ordering::Equal),
        _ => one == other,
    }
}

fn compare(one: &Value, other: &Value) -> Option<std::cmp::Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// A row of `message_rule`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_rule, treat_none_as_default_value = false)]
pub struct RuleRow {
    /// The rule.
    pub id: MessageRuleId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What the merchant calls it.
    pub title: String,
    /// For which events.
    pub key: String,
    /// What is said.
    pub template_id: MessageTemplateId,
    /// Where it goes.
    pub account_id: ChannelAccountId,
    /// Whether it is applied.
    pub status: RuleStatus,
    /// How urgent its sends are: [`super::send::MessagePriority::rank`].
    pub priority: i64,
    /// The JSON list of [`Condition`]s; all must hold.
    pub conditions: String,
    /// How long a send waits, in seconds.
    pub delay_seconds: i64,
    /// How long a send may go out after that, in seconds; 0: for ever.
    pub ttl_seconds: i64,
    /// How long the same is not sent again, in seconds; 0: it is.
    pub dedupe_seconds: i64,
    /// The template that tells what is the same; empty: the whole payload.
    pub dedupe_key: String,
    /// The JSON list of [`Recipient`]s.
    pub recipients: String,
    /// What becomes of its sends in a receiver's quiet hours.
    pub quiet_hours: QuietHoursPolicy,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it last changed, unix milliseconds.
    pub updated_at: i64,
    /// When it was deleted, unix milliseconds.
    pub deleted_at: Option<i64>,
    /// The template of its fallback; `None`: it has none.
    pub fallback_template_id: Option<MessageTemplateId>,
    /// The account of its fallback.
    pub fallback_account_id: Option<ChannelAccountId>,
    /// The JSON list of [`super::fallback::FallbackTrigger`]s.
    pub fallback_on: Option<String>,
    /// The silence that calls for its fallback, in seconds.
    pub fallback_after_seconds: Option<i64>,
    /// How many messages it sends within a time; 0: as many as there are.
    pub throttle_count: i64,
    /// The length of that time, in seconds.
    pub throttle_seconds: i64,
    /// Whose messages are counted.
    pub throttle_by: ThrottleBy,
    /// After how many seconds in the queue it hears of a conversation; of the key `conversation.waiting_long` only.
    pub waiting_seconds: Option<i64>,
    /// The JSON of the [`RuleSchedule`] by which it sends by itself; `None`: it waits for events.
    pub schedule: Option<String>,
    /// The next time of its schedule that was not told yet, unix milliseconds; `None`: there is none.
    pub schedule_next_at: Option<i64>,
    /// The JSON of the [`RuleDigest`] by which it collects events; `None`: it sends for each.
    pub digest: Option<String>,
}

impl RuleRow {
    /// Its conditions. Fails when the store holds something else.
    pub fn read_conditions(&self) -> Result<Vec<Condition>> {
        serde_json::from_str(&self.conditions)
            .map_err(|cause| Error::internal("a rule's conditions cannot be read").caused_by(cause))
    }

    /// What it sends instead when a message does not reach its person.
    pub fn fallback(&self) -> Option<RuleFallback> {
        Some(RuleFallback {
            template_id: self.fallback_template_id?,
            account_id: self.fallback_account_id?,
            on: serde_json::from_str(self.fallback_on.as_deref()?).unwrap_or_default(),
            after_seconds: self.fallback_after_seconds,
        })
    }

    /// By which it sends by itself, instead of waiting for events.
    pub fn schedule(&self) -> Option<RuleSchedule> {
        serde_json::from_str(self.schedule.as_deref()?).ok()
    }

    /// How it collects events, instead of sending for each.
    pub fn digest(&self) -> Option<RuleDigest> {
        serde_json::from_str(self.digest.as_deref()?).ok()
    }

    /// Whether an event that is for this rule only, or for all, is for it: what has a schedule hears of nothing else.
    pub fn hears(&self, only: Option<MessageRuleId>) -> bool {
        match only {
            Some(only) => only == self.id,
            None => self.schedule.is_none(),
        }
    }

    /// How many messages it sends within a time.
    pub fn throttle(&self) -> Option<RuleThrottle> {
        let throttle =
            RuleThrottle { count: self.throttle_count, seconds: self.throttle_seconds, by: self.throttle_by };
        (self.throttle_count > 0).then_some(throttle)
    }

    /// Whom its messages are for. Fails when the store holds something else.
    pub fn read_recipients(&self) -> Result<Vec<Recipient>> {
        serde_json::from_str(&self.recipients)
            .map_err(|cause| Error::internal("a rule's recipients cannot be read").caused_by(cause))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_compare_what_can_be_compared() {
        let payload = json!({"order": {"total": 10, "state": "paid", "note": null, "tags": ["a"]}});
        let holds = |path: &str, operator: &str, value: Value| {
            let operator = operator.parse().unwrap();
            let condition = Condition { path: path.to_owned(), operator, value };
            assert_eq!(condition.fault(), None);
            condition.holds(&payload)
        };
        for (path, operator, value) in [
            ("/order/total", "eq", json!(10.0)),
            ("/order/total", "gt", json!(9.5)),
            ("/order/total", "gte", json!(10)),
            ("/order/total", "lte", json!(10)),
            ("/order/state", "in", json!(["new", "paid"])),
            ("/order/state", "ne", json!("new")),
            ("/order/nothing", "ne", json!("new")),
            ("/order/note", "exists", json!(false)),
            ("/order/nothing", "exists", json!(false)),
            ("/order/tags/0", "eq", json!("a")),
            ("/order/state", "lt", json!("z")),
            ("", "exists", json!(true)),
        ] {
            assert!(holds(path, operator, value.clone()), "{path} {operator} {value}");
        }
        for (path, operator, value) in [
            ("/order/total", "gt", json!(10)),
            ("/order/total", "gt", json!("9")),
            ("/order/nothing", "lt", json!(5)),
            ("/order/total", "in", json!([])),
            ("/order/total", "eq", json!("10")),
            ("/order/note", "exists", json!(true)),
        ] {
            assert!(!holds(path, operator, value.clone()), "{path} {operator} {value}");
        }
    }

    #[test]
    fn conditions_that_mean_nothing_are_refused() {
        for (path, operator, value, field) in [
            ("order", Operator::Eq, json!(1), "/path"),
            ("/a", Operator::In, json!(1), "/value"),
            ("/a", Operator::Exists, json!("yes"), "/value"),
            ("/a", Operator::Gt, json!(null), "/value"),
            ("/a", Operator::Eq, json!("x".repeat(VALUE_MAX)), "/value"),
        ] {
            let condition = Condition { path: path.to_owned(), operator, value };
            assert_eq!(condition.fault().map(|(field, _)| field), Some(field));
        }
    }
}
