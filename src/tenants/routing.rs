//! The settings of routing and of the queue: how they are changed and shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::routing::{RoutingSettings, RoutingStrategy};
use crate::domain::tenant::QueueSettings;
use crate::kernel::json::given;
use crate::members::profile::Checker;

/// Shortest time of an offer, in seconds.
pub const OFFER_MIN_SECONDS: i64 = 5;
/// Longest time of an offer, in seconds.
pub const OFFER_MAX_SECONDS: i64 = 600;
/// Longest time until required skills are relaxed, in seconds.
pub const RELAX_MAX_SECONDS: i64 = 86_400;
/// Most misses until an agent is set to away.
pub const MISSES_MAX: i64 = 100;
/// Highest limit of a queue.
pub const QUEUE_MAX: i64 = 100_000;

/// How waiting conversations find their agents; absent fields stay.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRoutingSettings {
    /// How an agent is chosen among those who fit; `manual`: agents claim.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = RoutingStrategy, required = false)]
    strategy: Option<RoutingStrategy>,
    /// Whether the agent who served the customer last is preferred, when it fits.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = bool, required = false)]
    last_agent_first: Option<bool>,
    /// After so many seconds of waiting the required skills are only preferred; at most a day. null: never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    relax_after_seconds: Option<Option<i64>>,
    /// An agent has so many seconds to accept, 5 to 600. null: conversations are assigned without asking.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    offer_seconds: Option<Option<i64>>,
    /// After so many offers in a row that an agent let pass, it is set to away; at most 100, 0 means never.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = i64, required = false)]
    misses_until_away: Option<i64>,
    /// Whether nothing is given away while the desk of the conversation's group is closed; agents may claim all the same.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = bool, required = false)]
    within_business_hours: Option<bool>,
}

/// How the queue is bounded; absent fields stay.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateQueueSettings {
    /// Whether visitors may open conversations; else they are told `queue_closed`.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = bool, required = false)]
    open: Option<bool>,
    /// Most conversations that may wait when a visitor opens one, at most 100,000; beyond it visitors are told `queue_full`.
    /// null: no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    limit: Option<Option<i64>>,
}

impl UpdateRoutingSettings {
    /// Notes what is out of range.
    pub fn check(&self, check: &mut Checker) {
        let ranges = [
            ("relax_after_seconds", self.relax_after_seconds.flatten(), 0..=RELAX_MAX_SECONDS),
            ("offer_seconds", self.offer_seconds.flatten(), OFFER_MIN_SECONDS..=OFFER_MAX_SECONDS),
            ("misses_until_away", self.misses_until_away, 0..=MISSES_MAX),
        ];
        for (field, value, range) in ranges {
            if value.is_some_and(|value| !range.contains(&value)) {
                let pointer = format!("/settings/routing/{field}");
                check.wrong(&pointer, "out_of_range", format!("{} to {}", range.start(), range.end()));
            }
        }
    }

    /// The settings with this change.
    pub fn apply(&self, settings: RoutingSettings) -> RoutingSettings {
        RoutingSettings {
            strategy: self.strategy.unwrap_or(settings.strategy),
            last_agent_first: self.last_agent_first.unwrap_or(settings.last_agent_first),
            relax_after_seconds: self.relax_after_seconds.unwrap_or(settings.relax_after_seconds),
            offer_seconds: self.offer_seconds.unwrap_or(settings.offer_seconds),
            misses_until_away: self.misses_until_away.unwrap_or(settings.misses_until_away),
            within_business_hours: self.within_business_hours.unwrap_or(settings.within_business_hours),
        }
    }
}

impl UpdateQueueSettings {
    /// Notes what is out of range.
    pub fn check(&self, check: &mut Checker) {
        if self.limit.flatten().is_some_and(|limit| !(0..=QUEUE_MAX).contains(&limit)) {
            check.wrong("/settings/queue/limit", "out_of_range", format!("0 to {QUEUE_MAX}"));
        }
    }

    /// The settings with this change.
    pub fn apply(&self, settings: QueueSettings) -> QueueSettings {
        QueueSettings {
            open: self.open.unwrap_or(settings.open),
            limit: self.limit.unwrap_or(settings.limit),
        }
    }
}

/// How waiting conversations find their agents.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = RoutingSettings)]
pub struct RoutingView {
    /// How an agent is chosen among those who fit; `manual`: agents claim.
    strategy: RoutingStrategy,
    /// Whether the agent who served the customer last is preferred, when it fits.
    last_agent_first: bool,
    /// After so many seconds of waiting the required skills are only preferred; null: never.
    #[schema(required)]
    relax_after_seconds: Option<i64>,
    /// An agent has so many seconds to accept; null: conversations are assigned without asking.
    #[schema(required)]
    offer_seconds: Option<i64>,
    /// After so many offers in a row that an agent let pass, it is set to away; 0 means never.
    misses_until_away: i64,
    /// Whether nothing is given away while the desk of the conversation's group is closed.
    within_business_hours: bool,
}

impl From<RoutingSettings> for RoutingView {
    fn from(settings: RoutingSettings) -> Self {
        let RoutingSettings {
            strategy,
            last_agent_first,
            relax_after_seconds,
            offer_seconds,
            misses_until_away,
            within_business_hours,
        } = settings;
        Self {
            strategy,
            last_agent_first,
            relax_after_seconds,
            offer_seconds,
            misses_until_away,
            within_business_hours,
        }
    }
}

/// How the queue is bounded.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = QueueSettings)]
pub struct QueueView {
    /// Whether visitors may open conversations; else they are told `queue_closed`.
    open: bool,
    /// Most conversations that may wait when a visitor opens one; beyond it visitors are told `queue_full`. null: no limit.
    #[schema(required)]
    limit: Option<i64>,
}

impl From<QueueSettings> for QueueView {
    fn from(QueueSettings { open, limit }: QueueSettings) -> Self {
        Self { open, limit }
    }
}
