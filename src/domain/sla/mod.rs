//! SLA policies: how fast customers are to be answered and conversations to be over. No I/O.
//!
//! Owns policies, which of them a conversation has, and when a target is reached by the hours of a policy. What runs and when
//! it ends stands in [`clock`].

pub mod clock;

use diesel::prelude::*;
use serde_json::{Value, json};

use super::audit::{AuditTarget, Audited};
use super::business_hours::{Calendars, Hours};
use super::conversation::Priority;
use crate::db::schema::sla_policy;
use crate::db::types::Json;
use crate::kernel::{GroupId, SlaPolicyId, TenantId};
use crate::text_enum;

/// Most SLA policies of a tenant.
pub const SLA_POLICIES_MAX: i64 = 100;
/// Longest name of an SLA policy, in characters.
pub const SLA_NAME_MAX: usize = 100;
/// Longest target, in seconds: 90 days.
pub const SLA_TARGET_MAX: i64 = 90 * 86_400;
/// Last position of an SLA policy.
pub const SLA_POSITION_MAX: i64 = 1_000_000;

text_enum! {
    /// What an SLA clock measures.
    SlaMetric {
        /// From the customer's first message since the opening or reopening to the first message of the staff.
        FirstResponse = "first_response",
        /// From the customer's first unanswered message, once the staff have written, to the next message of the staff.
        NextResponse = "next_response",
        /// From the opening or reopening to the closing.
        Resolution = "resolution",
    }
}

/// A row of `sla_policy`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = sla_policy)]
pub struct SlaPolicyRow {
    /// The policy.
    pub id: SlaPolicyId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What it is called, unique in the tenant.
    pub name: String,
    /// Its place among the others: of several that fit, a conversation has the first.
    pub position: i64,
    /// For conversations of these groups; none: of all, and of no group.
    pub group_ids: Json<Vec<GroupId>>,
    /// For conversations of these priorities; none: of all.
    pub priorities: Json<Vec<Priority>>,
    /// Target of the first response, in seconds.
    pub first_response_seconds: Option<i64>,
    /// Target of each further response, in seconds.
    pub next_response_seconds: Option<i64>,
    /// Target of the resolution, in seconds.
    pub resolution_seconds: Option<i64>,
    /// How long before a target is missed the staff are warned, in seconds.
    pub warn_before_seconds: Option<i64>,
    /// By which hours its clocks run.
    pub hours: Hours,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it was last changed, unix milliseconds.
    pub updated_at: i64,
}

impl SlaPolicyRow {
    /// The targets that it may have, in seconds.
    pub const fn targets(&self) -> [Option<i64>; 3] {
        [self.first_response_seconds, self.next_response_seconds, self.resolution_seconds]
    }

    /// The target of a metric, in milliseconds.
    pub fn target_ms(&self, metric: SlaMetric) -> Option<i64> {
        let seconds = match metric {
            SlaMetric::FirstResponse => self.first_response_seconds,
            SlaMetric::NextResponse => self.next_response_seconds,
            SlaMetric::Resolution => self.resolution_seconds,
        };
        seconds.map(|seconds| seconds.saturating_mul(1_000))
    }

    fn fits(&self, group: Option<GroupId>, priority: Priority) -> bool {
        let (groups, priorities) = (&self.group_ids.0, &self.priorities.0);
        (groups.is_empty() || group.is_some_and(|group| groups.contains(&group)))
            && (priorities.is_empty() || priorities.contains(&priority))
    }
}

impl Audited for SlaPolicyRow {
    const TARGET: AuditTarget = AuditTarget::SlaPolicy;

    fn audit_id(&self) -> i64 {
        self.id.0
    }

    fn audit_facts(&self) -> Value {
        json!({
            "name": self.name, "position": self.position, "group_ids": self.group_ids.0,
            "priorities": self.priorities.0, "first_response_seconds": self.first_response_seconds,
            "next_response_seconds": self.next_response_seconds, "resolution_seconds": self.resolution_seconds,
            "warn_before_seconds": self.warn_before_seconds, "hours": self.hours,
        })
    }
}

/// What the clocks of a tenant go by.
#[derive(Debug, Clone, Default)]
pub struct SlaRules {
    /// The policies, in their order.
    pub policies: Vec<SlaPolicyRow>,
    /// The business hours.
    pub calendars: Calendars,
}

impl SlaRules {
    /// The policy of a conversation of this group and priority.
    pub fn policy(&self, group: Option<GroupId>, priority: Priority) -> Option<&SlaPolicyRow> {
        self.policies.iter().find(|policy| policy.fits(group, priority))
    }

    /// The instant after so much time by these hours, as those of the group have it; `None`: it does not come.
    pub fn after(&self, hours: Hours, group: Option<GroupId>, from: i64, ms: i64) -> Option<i64> {
        match (hours, self.calendars.of(group)) {
            (Hours::Business, Some(calendar)) => calendar.after(from, ms),
            _ => Some(from.saturating_add(ms)),
        }
    }

    /// How much time by these hours lies between two instants, in milliseconds.
    pub fn between(&self, hours: Hours, group: Option<GroupId>, from: i64, until: i64) -> i64 {
        match (hours, self.calendars.of(group)) {
            (Hours::Business, Some(calendar)) => calendar.open_between(from, until),
            _ => (until - from).max(0),
        }
    }

    /// Whether clocks by these hours stand still at this instant.
    pub fn is_paused(&self, hours: Hours, group: Option<GroupId>, at: i64) -> bool {
        hours == Hours::Business && !self.calendars.is_open(group, at)
    }
}
