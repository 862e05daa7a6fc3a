//! Waiting too long is found, and nothing else is taken for it.

use super::*;
use crate::replay::client::fact::Fact;
use crate::replay::evidence::{AssignmentEvidence, ConversationEvidence, ServerLog};
use crate::replay::history::Asked;
use crate::replay::judge_desk::tests::{FIRST, LI, SECOND, WU, notice, remark};

const BEHIND: Id = 31;

/// Li accepts one, Wu two; both are there from the beginning. `log` is of the first conversation, the other ends the
/// history at ten seconds.
fn desk(log: Vec<Fact>, behind: Vec<Fact>, asked: Asked, offers: bool) -> Evidence {
    let agent = |max_accept, skills| AgentEvidence {
        max_accept,
        skills,
        online: vec![(0, true)],
        ..AgentEvidence::default()
    };
    let given = log.iter().filter(|fact| &*fact.kind == "assigned");
    let assignments = given.map(|fact| AssignmentEvidence {
        agent: fact.about.unwrap_or_default(),
        reason: "routing".to_owned(),
        ..AssignmentEvidence::default()
    });
    let known = ConversationEvidence {
        group: asked.group,
        asked,
        backstage: Some(BEHIND),
        assignments: assignments.collect(),
        ..ConversationEvidence::default()
    };
    let end = vec![notice(9_999, "opened", None), notice(10_000, "closed", None)];
    let log_of = |entries| ServerLog { tenant: 0, entries };
    Evidence {
        logs: HashMap::from([(FIRST, log_of(log)), (BEHIND, log_of(behind)), (SECOND, log_of(end))]),
        desks: vec![DeskEvidence {
            offer_seconds: offers.then_some(5),
            agents: HashMap::from([
                (LI, agent(1, &[("refunds", 3_u8)] as &'static [_])),
                (WU, agent(2, &[])),
            ]),
            conversations: HashMap::from([(FIRST, known), (SECOND, ConversationEvidence::default())]),
            ..DeskEvidence::default()
        }],
        ..Evidence::default()
    }
}

fn accused(evidence: &Evidence) -> bool {
    let mut found = Vec::new();
    waiting(evidence, &evidence.desks[0], &mut found);
    !found.is_empty()
}

fn sets(evidence: &mut Evidence, agent: Id, online: &[(i64, bool)]) {
    if let Some(known) = evidence.desks[0].agents.get_mut(&agent) {
        known.online = online.to_vec();
    }
}

fn opened_and_given(at: i64) -> Vec<Fact> {
    vec![notice(1_000, "opened", None), notice(at, "assigned", Some(WU)), notice(at + 1, "closed", None)]
}

#[test]
fn who_waits_longer_than_two_seconds_is_found() {
    let evidence = |at| desk(opened_and_given(at), Vec::new(), Asked::default(), false);
    assert!(!accused(&evidence(3_000)));
    assert!(accused(&evidence(3_001)));
    let slow = Evidence { slowest_ms: 500, ..evidence(3_400) };
    assert!(!accused(&slow), "the machine was slow");
    let (gaps, _) = replay(&evidence(1_020), &evidence(1_020).desks[0]);
    assert_eq!(gaps[0], Gap { conversation: FIRST, ms: 20, taken: true });
    let never = desk(vec![notice(1_000, "opened", None)], Vec::new(), Asked::default(), false);
    assert!(accused(&never));
}

#[test]
fn nobody_there_or_nobody_with_room_is_no_reason() {
    let mut evidence = desk(opened_and_given(8_000), Vec::new(), Asked::default(), false);
    sets(&mut evidence, LI, &[(0, false)]);
    sets(&mut evidence, WU, &[(0, true), (900, false), (7_000, true)]);
    assert!(!accused(&evidence), "it was there for a second");
    sets(&mut evidence, WU, &[(0, true), (900, false), (5_000, true)]);
    assert!(accused(&evidence), "it was there for three");
    sets(&mut evidence, WU, &[(0, true)]);
    if let Some(wu) = evidence.desks[0].agents.get_mut(&WU) {
        wu.max_accept = 0;
    }
    assert!(!accused(&evidence), "it is full");
}

#[test]
fn skills_count_until_they_are_relaxed_and_groups_always() {
    let asked = Asked { group: None, required: Some(("refunds", 2)) };
    let mut evidence = desk(opened_and_given(4_500), Vec::new(), asked, false);
    sets(&mut evidence, LI, &[(0, false)]);
    assert!(!accused(&evidence), "the skill was required for two of the three and a half seconds");
    let asked = Asked { group: Some(7), required: None };
    let mut evidence = desk(opened_and_given(9_000), Vec::new(), asked, false);
    for agent in evidence.desks[0].agents.values_mut() {
        agent.groups = vec![8];
    }
    assert!(!accused(&evidence));
}

#[test]
fn an_offer_is_no_waiting_and_a_refusal_holds_for_a_while() {
    let log = || vec![notice(1_000, "opened", None), notice(9_500, "closed", None)];
    let offered = |behind| {
        let mut evidence = desk(log(), behind, Asked::default(), true);
        sets(&mut evidence, LI, &[(0, false)]);
        evidence
    };
    let one = vec![notice(1_000, "offered", Some(WU)), notice(1_100, "declined", Some(WU))];
    assert!(accused(&offered(one)), "after five seconds it could be asked again");
    let two = vec![
        notice(1_000, "offered", Some(WU)),
        notice(4_000, "declined", Some(WU)),
        notice(9_200, "offered", Some(WU)),
    ];
    assert!(!accused(&offered(two)));
    let unanswered = vec![notice(4_600, "offered", Some(WU))];
    assert!(accused(&offered(unanswered)), "it was not asked for three seconds and a half");
}

/// What is wrong with the order: the second conversation waits, too, from `opened` on, and is given by routing to Wu.
fn order(log: Vec<Fact>, behind: Vec<Fact>, opened: i64, given: i64, asked: Asked) -> usize {
    let mut evidence = desk(log, behind, asked, false);
    let end = vec![
        notice(opened, "opened", None),
        notice(given, "assigned", Some(WU)),
        notice(given + 1, "closed", None),
    ];
    evidence.logs.insert(SECOND, ServerLog { tenant: 0, entries: end });
    let assignment =
        AssignmentEvidence { agent: WU, reason: "routing".to_owned(), ..AssignmentEvidence::default() };
    if let Some(second) = evidence.desks[0].conversations.get_mut(&SECOND) {
        second.assignments = vec![assignment];
    }
    replay(&evidence, &evidence.desks[0]).1.len()
}

#[test]
fn what_waited_longer_is_given_first() {
    let waits = || vec![notice(100, "opened", None)];
    let any = Asked::default;
    assert_eq!(order(waits(), Vec::new(), 200, 5_000, any()), 1, "the first waits longer");
    assert_eq!(order(waits(), Vec::new(), 50, 5_000, any()), 0);
    assert_eq!(order(waits(), Vec::new(), 200, 1_099, any()), 0, "routing may have looked before");
    let skilled = Asked { group: None, required: Some(("refunds", 2)) };
    assert_eq!(order(waits(), Vec::new(), 200, 3_000, skilled.clone()), 0, "Wu lacks the skill");
    assert_eq!(order(waits(), Vec::new(), 200, 5_000, skilled), 1, "which is no longer required");
}

#[test]
fn what_came_back_goes_to_the_head_of_the_queue_and_not_to_who_gave_it_away() {
    // Li has the first from 300 on, and loses it at 1,000; the second waits since 200.
    let back = |again: Option<(i64, Id)>| {
        let mut log = vec![
            notice(100, "opened", None),
            notice(300, "assigned", Some(LI)),
            notice(1_000, "released", Some(LI)),
        ];
        log.extend(again.map(|(at, agent)| notice(at, "assigned", Some(agent))));
        log
    };
    let given = || vec![remark(1_000, "group_transfer")];
    let any = Asked::default;
    assert_eq!(order(back(None), given(), 200, 5_000, any()), 1, "it came back before");
    assert_eq!(order(back(Some((4_000, WU))), given(), 200, 5_000, any()), 0);
    assert_eq!(order(back(Some((1_500, LI))), given(), 200, 5_000, any()), 1, "Li had given it away");
    assert_eq!(order(back(Some((1_500, LI))), Vec::new(), 200, 5_000, any()), 1, "or back");
    let absent = vec![remark(1_000, "agent_absent")];
    assert_eq!(order(back(Some((1_500, LI))), absent, 200, 5_000, any()), 0, "Li had only been away");
}
