//! Every reminder and every end that comes at a wrong time is fabricated once and must be found.

use std::collections::HashMap;

use super::*;
use crate::replay::evidence::ServerLog;
use crate::replay::judge_desk::tests::{BEHIND, FIRST, LI, WU, notice};

const CUSTOMER: Id = 13;
const TIMERS: Timers = Timers { customer: Some(1), agent: Some(2), close: Some(4) };

/// An entry at this time; its seq and rev come with its place.
fn at(ms: i64, kind: &str, about: Option<Id>) -> Fact {
    Fact { at: ms, ..notice(0, kind, about) }
}

fn message(ms: i64, sender: Id) -> Fact {
    Fact { sender: Some(sender), message: true, by_customer: sender == CUSTOMER, ..at(ms, "text", None) }
}

fn reminded(ms: i64, about: i64) -> Fact {
    Fact { ref_seq: Some(about), ..at(ms, "customer_idle", None) }
}

fn ended(ms: i64) -> Fact {
    Fact { reason: Some("timed_out".into()), ..at(ms, "closed", None) }
}

fn recalled(ms: i64, seq: i64) -> Fact {
    Fact { ref_seq: Some(seq), ..at(ms, "recalled", None) }
}

fn idle(ms: i64, about: Option<Id>) -> Fact {
    at(ms, "agent_idle", about)
}

/// What is wrong in a conversation of these entries, in the order of commits; agents' reminders stand behind it.
fn wrong_with(timers: Timers, entries: Vec<Fact>) -> usize {
    let (mut front, mut behind) = (Vec::new(), Vec::new());
    for (rev, mut fact) in (1..).zip(entries) {
        let log = if &*fact.kind == "agent_idle" { &mut behind } else { &mut front };
        fact.rev = rev;
        fact.seq = i64::try_from(log.len()).unwrap_or_default() + 1;
        log.push(fact);
    }
    let log = |entries| ServerLog { tenant: 0, entries };
    let known = ConversationEvidence { backstage: Some(BEHIND), ..ConversationEvidence::default() };
    let evidence = Evidence {
        logs: HashMap::from([(FIRST, log(front)), (BEHIND, log(behind))]),
        desks: vec![DeskEvidence {
            timers,
            conversations: HashMap::from([(FIRST, known)]),
            ..DeskEvidence::default()
        }],
        ..Evidence::default()
    };
    let mut found = Vec::new();
    turns(&evidence, &evidence.desks[0], &mut found);
    found.len()
}

/// Opened and asked at 0, given to Li and answered at 1,000: entries 1 to 4. Then these.
fn answered(then: Vec<Fact>) -> usize {
    let mut entries = vec![
        at(0, "opened", None),
        message(0, CUSTOMER),
        at(1_000, "assigned", Some(LI)),
        message(1_000, LI),
    ];
    entries.extend(then);
    wrong_with(TIMERS, entries)
}

/// The same without the answer: entries 1 to 3.
fn asked(then: Vec<Fact>) -> usize {
    let mut entries = vec![at(0, "opened", None), message(0, CUSTOMER), at(1_000, "assigned", Some(LI))];
    entries.extend(then);
    wrong_with(TIMERS, entries)
}

#[test]
fn a_customer_is_reminded_once_and_not_before_its_time() {
    assert_eq!(answered(vec![reminded(2_000, 4)]), 0);
    assert_eq!(answered(vec![reminded(1_999, 4)]), 1, "too early");
    assert_eq!(answered(vec![reminded(2_000, 2)]), 1, "about another message");
    assert_eq!(answered(vec![reminded(2_000, 4), reminded(9_000, 4)]), 1, "twice");
    assert_eq!(
        answered(vec![reminded(2_000, 4), message(3_000, LI), reminded(9_000, 6)]),
        1,
        "the same turn"
    );
    let next = |staff| vec![reminded(2_000, 4), message(3_000, CUSTOMER), message(3_000, LI), staff];
    assert_eq!(answered(next(reminded(4_000, 7))), 0, "another turn");
    assert_eq!(answered(next(reminded(3_999, 7))), 1);
    assert_eq!(answered(vec![message(1_500, CUSTOMER), reminded(4_000, 4)]), 1, "it spoke");
    assert_eq!(answered(vec![at(1_500, "released", Some(LI)), reminded(4_000, 4)]), 1, "nobody serves");
    let late = |ms| vec![at(1_500, "assigned", Some(WU)), reminded(ms, 4)];
    assert_eq!((answered(late(2_499)), answered(late(2_500))), (1, 0), "whoever gets it has time");
    assert_eq!(answered(vec![recalled(1_100, 4), reminded(4_000, 4)]), 1, "nobody answered any more");
}

#[test]
fn only_what_a_customer_left_is_closed() {
    assert_eq!(answered(vec![ended(5_000)]), 0);
    assert_eq!(answered(vec![ended(4_999)]), 1, "too early");
    assert_eq!(answered(vec![message(4_000, LI), ended(5_000)]), 1, "the staff spoke again");
    assert_eq!(asked(vec![ended(90_000)]), 1, "the staff were to speak");
    assert_eq!(answered(vec![at(1_500, "docked", None), ended(90_000)]), 1, "it began anew");
    let docked = |ms| vec![at(1_500, "docked", None), message(2_000, WU), ended(ms)];
    assert_eq!((answered(docked(5_999)), answered(docked(6_000))), (1, 0));
    assert_eq!(answered(vec![at(1_500, "merged", None), ended(90_000)]), 1, "another log came before");
    assert_eq!(answered(vec![at(1_500, "closed", None)]), 0, "somebody closed it");
}

#[test]
fn each_agent_is_reminded_once_in_a_turn() {
    assert_eq!(asked(vec![idle(3_000, Some(LI))]), 0);
    assert_eq!(asked(vec![idle(2_999, Some(LI))]), 1, "too early");
    assert_eq!(asked(vec![idle(3_000, Some(WU))]), 1, "Wu does not serve");
    assert_eq!(asked(vec![idle(3_000, None)]), 1, "no group does");
    assert_eq!(asked(vec![idle(3_000, Some(LI)), idle(9_000, Some(LI))]), 1, "twice");
    let more = vec![idle(3_000, Some(LI)), message(4_000, CUSTOMER), idle(9_000, Some(LI))];
    assert_eq!(asked(more), 1, "the same turn");
    let other = |ms| vec![idle(3_000, Some(LI)), at(4_000, "assigned", Some(WU)), idle(ms, Some(WU))];
    assert_eq!((asked(other(5_999)), asked(other(6_000))), (1, 0), "another agent has it");
    assert_eq!(answered(vec![idle(9_000, Some(LI))]), 1, "the customer was to speak");
    let next = vec![message(2_000, CUSTOMER), idle(4_000, Some(LI)), message(5_000, LI)];
    assert_eq!(answered(next), 0);
    let docked = |ms| vec![at(1_500, "docked", None), idle(ms, None)];
    assert_eq!((answered(docked(3_499)), answered(docked(3_500))), (1, 0), "a whole group is reminded");
    assert_eq!(answered(vec![at(1_500, "docked", None), idle(3_500, None), idle(9_000, None)]), 1);
}

#[test]
fn who_set_no_timers_is_left_alone() {
    let entries = || {
        vec![
            at(0, "opened", None),
            at(0, "assigned", Some(LI)),
            idle(9_000, Some(LI)),
            message(9_000, LI),
            reminded(20_000, 3),
            ended(30_000),
        ]
    };
    assert_eq!(wrong_with(TIMERS, entries()), 0);
    assert_eq!(wrong_with(Timers::default(), entries()), 3);
}
