//! How a tenant and its groups want waiting conversations routed. No I/O.

use serde::{Deserialize, Serialize};

use crate::text_enum;

text_enum! {
    /// How an agent is chosen for a waiting conversation.
    RoutingStrategy {
        /// Nobody is chosen: agents claim.
        Manual = "manual",
        /// The one whose last conversation was given the longest ago.
        RoundRobin = "round_robin",
        /// The one with the smallest share of its `max_accept` in use.
        LeastLoaded = "least_loaded",
        /// The one for whom it is the longest ago that a conversation began or ended, or that it came online.
        LongestIdle = "longest_idle",
    }
}

impl RoutingStrategy {
    /// Whether the service chooses agents by itself.
    pub fn is_automatic(self) -> bool {
        self != Self::Manual
    }
}

/// How a tenant's waiting conversations find their agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoutingSettings {
    /// How an agent is chosen among those who fit.
    pub strategy: RoutingStrategy,
    /// Whether the agent who served the customer last is preferred, when it fits.
    pub last_agent_first: bool,
    /// After so many seconds of waiting the required skills are only preferred; absent means never.
    pub relax_after_seconds: Option<i64>,
    /// An agent has so many seconds to accept; absent means that conversations are assigned without asking.
    pub offer_seconds: Option<i64>,
    /// After so many offers in a row that an agent let pass, it is set to away; 0 means never.
    pub misses_until_away: i64,
    /// Whether nothing is given away while the desk of the conversation's group is closed.
    pub within_business_hours: bool,
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self {
            strategy: RoutingStrategy::Manual,
            last_agent_first: true,
            relax_after_seconds: None,
            offer_seconds: None,
            misses_until_away: 3,
            within_business_hours: false,
        }
    }
}

impl RoutingSettings {
    /// Whether the service chooses agents by itself.
    pub fn is_automatic(&self) -> bool {
        self.strategy.is_automatic()
    }

    /// The settings for what waits for a group that has this strategy of its own; everything else is the tenant's.
    pub fn with(self, own: Option<RoutingStrategy>) -> Self {
        Self { strategy: own.unwrap_or(self.strategy), ..self }
    }
}
