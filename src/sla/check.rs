//! What is given of an SLA policy, checked. No I/O.

use crate::domain::business_hours::Hours;
use crate::domain::conversation::Priority;
use crate::domain::group::GROUPS_MAX;
use crate::domain::sla::{SLA_NAME_MAX, SLA_POSITION_MAX, SLA_TARGET_MAX, SlaPolicyRow};
use crate::kernel::{GroupId, Result};
use crate::members::profile::Checker;

/// What is said of an SLA policy; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// What it is called.
    pub name: Option<String>,
    /// Its place among the others.
    pub position: Option<i64>,
    /// For conversations of these groups.
    pub groups: Option<Vec<GroupId>>,
    /// For conversations of these priorities.
    pub priorities: Option<Vec<Priority>>,
    /// Target of the first response, in seconds.
    pub first_response: Option<Option<i64>>,
    /// Target of each further response, in seconds.
    pub next_response: Option<Option<i64>>,
    /// Target of the resolution, in seconds.
    pub resolution: Option<Option<i64>>,
    /// How long before a target the staff are warned, in seconds.
    pub warn_before: Option<Option<i64>>,
    /// By which hours its clocks run.
    pub hours: Option<Hours>,
}

/// The policy with what was given, checked as a whole. Errors: `validation_failed`.
pub(super) fn apply(given: &Given, row: SlaPolicyRow) -> Result<SlaPolicyRow> {
    let mut check = Checker::default();
    let mut row = row;
    if let Some(name) = &given.name {
        row.name = check.required_line("/name", name, SLA_NAME_MAX);
    }
    if let Some(position) = given.position {
        if !(0..=SLA_POSITION_MAX).contains(&position) {
            check.wrong("/position", "out_of_range", format!("0 to {SLA_POSITION_MAX}"));
        }
        row.position = position;
    }
    if let Some(groups) = &given.groups {
        if groups.len() > GROUPS_MAX {
            check.wrong("/group_ids", "too_long", format!("at most {GROUPS_MAX}"));
        }
        row.group_ids.0 = each_once(groups);
    }
    if let Some(priorities) = &given.priorities {
        if priorities.len() > Priority::ALL.len() {
            check.wrong("/priorities", "too_long", format!("at most {}", Priority::ALL.len()));
        }
        row.priorities.0 = each_once(priorities);
    }
    row.hours = given.hours.unwrap_or(row.hours);
    let mut seconds = |pointer: &str, given: Option<Option<i64>>, kept: &mut Option<i64>| {
        let Some(given) = given else { return };
        if given.is_some_and(|seconds| !(1..=SLA_TARGET_MAX).contains(&seconds)) {
            check.wrong(pointer, "out_of_range", format!("1 to {SLA_TARGET_MAX}"));
        }
        *kept = given;
    };
    seconds("/first_response_seconds", given.first_response, &mut row.first_response_seconds);
    seconds("/next_response_seconds", given.next_response, &mut row.next_response_seconds);
    seconds("/resolution_seconds", given.resolution, &mut row.resolution_seconds);
    seconds("/warn_before_seconds", given.warn_before, &mut row.warn_before_seconds);
    match (row.targets().into_iter().flatten().min(), row.warn_before_seconds) {
        (None, _) => check.wrong("", "invalid", "a policy has one target at least"),
        (Some(shortest), Some(warn)) if warn >= shortest => {
            check.wrong("/warn_before_seconds", "out_of_range", "must be shorter than every target");
        }
        _ => {}
    }
    check.finish()?;
    Ok(row)
}

fn each_once<T: Copy + Ord>(given: &[T]) -> Vec<T> {
    let mut all = given.to_vec();
    all.sort_unstable();
    all.dedup();
    all
}
