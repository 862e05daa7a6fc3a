//! Throttles: how many messages a rule sends within a time.

use serde::{Deserialize, Serialize};

use crate::text_enum;

/// Most messages of a throttle.
pub const THROTTLE_COUNT_MAX: i64 = 100_000;
/// Longest time of a throttle, in seconds: 30 days.
pub const THROTTLE_SECONDS_MAX: i64 = 30 * 86_400;

text_enum! {
    /// Whose messages a throttle counts.
    ThrottleBy {
        /// Those to each person, one by one.
        Person = "person",
        /// All of the rule.
        Rule = "rule",
    }
}

/// How many messages a rule sends within a time; what comes beyond it is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleThrottle {
    /// Messages.
    pub count: i64,
    /// Within so many seconds from the first of them on; then it is counted anew.
    pub seconds: i64,
    /// Whose: each person's, where the channel reaches persons, or all of the rule.
    pub by: ThrottleBy,
}
