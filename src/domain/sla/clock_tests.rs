//! SLA clocks, step by step.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::db::types::Json;
use crate::domain::business_hours::Calendar;
use crate::domain::business_hours::Hours;

const CONVERSATION: ConversationId = ConversationId(7);
const SECOND: i64 = 1_000;

fn policy(id: i64, group: Option<i64>, targets: [Option<i64>; 3]) -> SlaPolicyRow {
    SlaPolicyRow {
        id: SlaPolicyId(id),
        tenant_id: TenantId(1),
        name: format!("P{id}"),
        position: id,
        group_ids: Json(group.map(GroupId).into_iter().collect()),
        priorities: Json(Vec::new()),
        first_response_seconds: targets[0],
        next_response_seconds: targets[1],
        resolution_seconds: targets[2],
        warn_before_seconds: Some(2),
        hours: Hours::Calendar,
        created_at: 0,
        updated_at: 0,
    }
}

fn rules(policies: Vec<SlaPolicyRow>) -> SlaRules {
    SlaRules { policies, ..SlaRules::default() }
}

fn all() -> SlaRules {
    rules(vec![policy(1, None, [Some(10), Some(20), Some(100)])])
}

fn begun(rules: &SlaRules) -> SlaTrack {
    let mut track = SlaTrack::new(TenantId(1), CONVERSATION);
    track.apply(SlaHappening::Began(None, Priority::Normal), 0, 1, rules);
    track
}

type Seen = (SlaMetric, i64, SlaState, Option<i64>, Option<i64>, Option<i64>);

/// Metric, first entry, state, due, end and when something is to be told, in seconds.
fn seen(track: &SlaTrack) -> Vec<Seen> {
    let seconds = |at: Option<i64>| at.map(|at| at / SECOND);
    let clocks = track.clocks.values();
    clocks
        .map(|one| {
            let (due, end, next) = (seconds(one.due_at), seconds(one.ended_at), seconds(one.next_at));
            (one.metric, one.started_seq, one.state, due, end, next)
        })
        .collect()
}

use SlaMetric::{FirstResponse, NextResponse, Resolution};
use SlaState::{Ended, Met, Running};

#[test]
fn what_a_bot_answers_is_not_waited_for_until_it_hands_over() {
    let rules = all();
    let mut track = begun(&rules);
    let resolution = (Resolution, 1, Running, Some(100), None, Some(98));
    track.apply(SlaHappening::CustomerWrote, 5 * SECOND, 2, &rules);
    track.apply(SlaHappening::BotWrote, 6 * SECOND, 3, &rules);
    assert!(track.clocks.values().all(|one| one.metric == Resolution || one.state == Ended), "{track:?}");
    track.apply(SlaHappening::CustomerWrote, 8 * SECOND, 4, &rules);
    track.apply(SlaHappening::HandedOff, 30 * SECOND, 5, &rules);
    let waiting = (FirstResponse, 5, Running, Some(40), None, Some(38));
    assert_eq!(seen(&track), [waiting, resolution]);
    track.apply(SlaHappening::StaffWrote, 33 * SECOND, 6, &rules);
    assert_eq!(seen(&track)[0], (FirstResponse, 5, Met, Some(40), Some(33), None));
}

#[test]
fn the_first_turn_is_a_first_response_and_each_further_one_a_next() {
    let rules = all();
    let mut track = begun(&rules);
    let resolution = (Resolution, 1, Running, Some(100), None, Some(98));
    assert_eq!(seen(&track), [resolution]);
    track.apply(SlaHappening::CustomerWrote, 5 * SECOND, 2, &rules);
    track.apply(SlaHappening::CustomerWrote, 7 * SECOND, 3, &rules);
    assert_eq!(seen(&track), [(FirstResponse, 2, Running, Some(15), None, Some(13)), resolution]);
    track.apply(SlaHappening::StaffWrote, 9 * SECOND, 4, &rules);
    let first = (FirstResponse, 2, Met, Some(15), Some(9), None);
    assert_eq!(seen(&track), [first, resolution]);
    track.apply(SlaHappening::StaffWrote, 10 * SECOND, 5, &rules);
    track.apply(SlaHappening::CustomerWrote, 30 * SECOND, 6, &rules);
    assert_eq!(seen(&track), [first, (NextResponse, 6, Running, Some(50), None, Some(48)), resolution]);
    track.apply(SlaHappening::StaffWrote, 31 * SECOND, 7, &rules);
    track.apply(SlaHappening::CustomerWrote, 32 * SECOND, 8, &rules);
    assert_eq!(
        seen(&track)[1],
        (NextResponse, 8, Running, Some(52), None, Some(50)),
        "the one before is forgotten"
    );
    track.apply(SlaHappening::Closed(CloseReason::Resolved), 40 * SECOND, 9, &rules);
    let ended = [
        first,
        (NextResponse, 8, Ended, Some(52), Some(40), None),
        (Resolution, 1, Met, Some(100), Some(40), None),
    ];
    assert_eq!(seen(&track), ended);
    track.apply(SlaHappening::Began(None, Priority::Normal), 50 * SECOND, 10, &rules);
    assert_eq!(seen(&track), [(Resolution, 10, Running, Some(150), None, Some(148))], "anew");
}

#[test]
fn what_the_staff_began_has_no_first_response() {
    let rules = all();
    let mut track = begun(&rules);
    track.apply(SlaHappening::StaffWrote, SECOND, 2, &rules);
    track.apply(SlaHappening::CustomerWrote, 2 * SECOND, 3, &rules);
    assert_eq!(track.clocks.keys().copied().collect::<Vec<_>>(), [(NextResponse, 3), (Resolution, 1)]);
}

#[test]
fn a_warning_and_a_breach_are_told_once() {
    let rules = all();
    let mut track = begun(&rules);
    track.apply(SlaHappening::CustomerWrote, 0, 2, &rules);
    let clock = |track: &SlaTrack| track.clocks[&(FirstResponse, 2)].clone();
    assert_eq!(clock(&track).told_at(8 * SECOND - 1), None);
    assert_eq!(clock(&track).told_at(8 * SECOND), Some(EntryKind::SlaWarned));
    assert_eq!(clock(&track).told_at(10 * SECOND), Some(EntryKind::SlaBreached), "the warning came too late");
    track.apply(SlaHappening::Warned(FirstResponse, 2), 8 * SECOND, 1, &rules);
    assert_eq!((clock(&track).next_at, clock(&track).told_at(9 * SECOND)), (Some(10 * SECOND), None));
    track.apply(SlaHappening::Breached(FirstResponse, 2, 10 * SECOND), 11 * SECOND, 2, &rules);
    assert_eq!((clock(&track).next_at, clock(&track).breached_at), (None, Some(10 * SECOND)));
    // Neither is told again when the target moves.
    track.aim(12 * SECOND, &self::rules(vec![policy(1, None, [Some(60), None, None])]), true);
    assert_eq!((clock(&track).due_at, clock(&track).next_at), (Some(60 * SECOND), None));
}

#[test]
fn what_came_too_late_is_told_also_after_its_end() {
    let rules = all();
    let mut track = begun(&rules);
    track.apply(SlaHappening::CustomerWrote, 0, 2, &rules);
    track.apply(SlaHappening::StaffWrote, 12 * SECOND, 3, &rules);
    let late = (FirstResponse, 2, Met, Some(10), Some(12), Some(10));
    assert_eq!(seen(&track)[0], late);
    track.apply(SlaHappening::Closed(CloseReason::Resolved), 13 * SECOND, 4, &rules);
    track.apply(SlaHappening::Began(None, Priority::Normal), 14 * SECOND, 5, &rules);
    track.apply(SlaHappening::CustomerWrote, 15 * SECOND, 6, &rules);
    assert_eq!(seen(&track)[0], late, "kept until it is told");
    track.apply(SlaHappening::Breached(FirstResponse, 2, 10 * SECOND), 16 * SECOND, 1, &rules);
    assert_eq!(track.clocks.keys().copied().collect::<Vec<_>>(), [(FirstResponse, 6), (Resolution, 5)]);
    // What came in the very moment was in time.
    track.apply(SlaHappening::StaffWrote, 25 * SECOND, 7, &rules);
    assert_eq!(seen(&track)[0], (FirstResponse, 6, Met, Some(25), Some(25), None));
}

#[test]
fn clocks_go_by_the_first_policy_that_fits() {
    let two =
        rules(vec![policy(1, Some(5), [Some(3), None, None]), policy(2, None, [Some(10), None, Some(50)])]);
    let mut track = begun(&two);
    track.apply(SlaHappening::CustomerWrote, 0, 2, &two);
    track.apply(SlaHappening::GroupChanged(Some(GroupId(5))), SECOND, 1, &two);
    let resolution = (Resolution, 1, Ended, None, Some(1), None);
    assert_eq!(seen(&track), [(FirstResponse, 2, Running, Some(3), None, Some(1)), resolution]);
    track.apply(SlaHappening::GroupChanged(None), 2 * SECOND, 2, &two);
    let back = (Resolution, 1, Running, Some(50), None, Some(48));
    assert_eq!(seen(&track), [(FirstResponse, 2, Running, Some(10), None, Some(8)), back]);
    track.aim(3 * SECOND, &SlaRules::default(), true);
    assert!(track.clocks.values().all(|one| (one.state, one.due_at, one.next_at) == (Ended, None, None)));
    let mut urgent = policy(3, None, [Some(1), None, None]);
    urgent.priorities = Json(vec![Priority::Urgent]);
    let urgent = rules(vec![urgent]);
    track.aim(3 * SECOND, &urgent, true);
    assert_eq!(track.clocks[&(FirstResponse, 2)].state, Ended);
    track.apply(SlaHappening::PriorityChanged(Priority::Urgent), 4 * SECOND, 3, &urgent);
    assert_eq!(seen(&track)[0], (FirstResponse, 2, Running, Some(1), None, Some(1)));
}

#[test]
fn another_group_has_other_hours_by_the_same_policy() {
    let mut rules = all();
    rules.policies[0].hours = Hours::Business;
    let shut = Calendar::new("UTC", vec![], &[]).unwrap();
    rules.calendars.groups.insert(GroupId(5), shut);
    let mut track = begun(&rules);
    let open = (Resolution, 1, Running, Some(100), None, Some(98));
    assert_eq!(seen(&track), [open]);
    track.apply(SlaHappening::GroupChanged(Some(GroupId(5))), SECOND, 1, &rules);
    assert_eq!(seen(&track), [(Resolution, 1, Running, None, None, None)]);
    track.apply(SlaHappening::GroupChanged(None), 2 * SECOND, 2, &rules);
    assert_eq!(seen(&track), [open]);
}

#[test]
fn what_a_policy_found_over_has_no_clocks() {
    let mut late = policy(1, None, [Some(10), None, Some(20)]);
    late.created_at = 60 * SECOND;
    let rules = rules(vec![late]);
    let mut track = begun(&rules);
    track.apply(SlaHappening::CustomerWrote, 0, 2, &rules);
    track.apply(SlaHappening::StaffWrote, 40 * SECOND, 3, &rules);
    assert_eq!(seen(&track), [(Resolution, 1, Running, Some(20), None, Some(18))], "it is under way");
    track.apply(SlaHappening::Closed(CloseReason::Resolved), 50 * SECOND, 4, &rules);
    assert!(track.clocks.is_empty());
}

#[test]
fn spam_is_not_resolved_and_who_asked_elsewhere_waits_since_then() {
    let rules = all();
    let mut track = begun(&rules);
    track.apply(SlaHappening::CustomerWrote, 8 * SECOND, 2, &rules);
    track.apply(SlaHappening::AskedElsewhere(6 * SECOND), 9 * SECOND, 3, &rules);
    assert_eq!(seen(&track)[0], (FirstResponse, 2, Running, Some(16), None, Some(14)));
    track.apply(SlaHappening::Closed(CloseReason::Spam), 10 * SECOND, 4, &rules);
    assert_eq!(track.asked_at(), Some(6 * SECOND));
    assert!(track.clocks.values().all(|one| one.state == Ended));
}
