//! The settings of the lifecycle timers: how they are changed and shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::timers::TimerSettings;
use crate::kernel::json::given;
use crate::kernel::{Error, Result};
use crate::members::profile::Checker;

/// Shortest time of a timer, in seconds.
pub const TIMER_MIN_SECONDS: i64 = 1;
/// Longest time of a timer, in seconds: thirty days.
pub const TIMER_MAX_SECONDS: i64 = 2_592_000;
/// Longest window in which a customer may reopen, when it has an end, in seconds: a year.
pub const REOPEN_MAX_SECONDS: i64 = 31_536_000;
/// Longest window in which a customer may rate, in seconds: a year.
pub const RATING_MAX_SECONDS: i64 = 31_536_000;

/// After how much silence somebody is reminded, or a conversation closed; absent fields stay. Only conversations that an
/// agent serves count: what waits is never closed by itself.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTimerSettings {
    /// After so many seconds without an answer to the staff's last message the customer is reminded (`customer_idle`), once
    /// until it speaks; 1 to 2,592,000 and less than `auto_close_seconds`. null: never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    customer_reminder_seconds: Option<Option<i64>>,
    /// After so many seconds in which the customer waits for an answer the agent is reminded behind the scenes
    /// (`agent_idle`), once until the staff answer or another agent serves; 1 to 2,592,000. null: never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    agent_reminder_seconds: Option<Option<i64>>,
    /// After so many seconds without an answer to the staff's last message the conversation is closed (`timed_out`);
    /// 1 to 2,592,000. null: never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    auto_close_seconds: Option<Option<i64>>,
}

impl UpdateTimerSettings {
    /// Notes what is out of range.
    pub fn check(&self, check: &mut Checker) {
        let values = [
            ("customer_reminder_seconds", self.customer_reminder_seconds),
            ("agent_reminder_seconds", self.agent_reminder_seconds),
            ("auto_close_seconds", self.auto_close_seconds),
        ];
        for (field, value) in values {
            if value.flatten().is_some_and(|value| !(TIMER_MIN_SECONDS..=TIMER_MAX_SECONDS).contains(&value))
            {
                let range = format!("{TIMER_MIN_SECONDS} to {TIMER_MAX_SECONDS}");
                check.wrong(&format!("/settings/timers/{field}"), "out_of_range", range);
            }
        }
    }

    /// The settings with this change. Fails with `validation_failed` when they do not fit together.
    pub fn apply(&self, settings: TimerSettings) -> Result<TimerSettings> {
        let settings = TimerSettings {
            customer_reminder_seconds: self
                .customer_reminder_seconds
                .unwrap_or(settings.customer_reminder_seconds),
            agent_reminder_seconds: self.agent_reminder_seconds.unwrap_or(settings.agent_reminder_seconds),
            auto_close_seconds: self.auto_close_seconds.unwrap_or(settings.auto_close_seconds),
        };
        if settings.remind_too_late() {
            let pointer = match self.customer_reminder_seconds {
                Some(_) => "/settings/timers/customer_reminder_seconds",
                None => "/settings/timers/auto_close_seconds",
            };
            let detail = "customer_reminder_seconds must be less than auto_close_seconds";
            return Err(Error::field(pointer, "out_of_range", detail));
        }
        Ok(settings)
    }
}

/// After how much silence somebody is reminded, or a conversation closed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = TimerSettings)]
pub struct TimersView {
    /// After so many seconds without an answer to the staff's last message the customer is reminded; null: never.
    #[schema(required)]
    customer_reminder_seconds: Option<i64>,
    /// After so many seconds in which the customer waits for an answer the agent is reminded; null: never.
    #[schema(required)]
    agent_reminder_seconds: Option<i64>,
    /// After so many seconds without an answer to the staff's last message the conversation is closed; null: never.
    #[schema(required)]
    auto_close_seconds: Option<i64>,
}

impl From<TimerSettings> for TimersView {
    fn from(settings: TimerSettings) -> Self {
        let TimerSettings { customer_reminder_seconds, agent_reminder_seconds, auto_close_seconds } =
            settings;
        Self { customer_reminder_seconds, agent_reminder_seconds, auto_close_seconds }
    }
}
