//! Lists and answers that say something else than the logs are found.

use crate::replay::evidence::{Evidence, Receiver};
use crate::replay::history::{Action, Done};
use crate::replay::judge_desk::tests::{
    BEHIND, FIRST, LI, ORDERS, RETURNS, SECOND, WU, assignment, conversation, docked, judged, log, notice,
    remark,
};

#[test]
fn assignments_hold_and_follow_each_other() {
    let kept = |evidence: &mut Evidence| conversation(evidence, FIRST).assignments[1].holds = true;
    assert_eq!(judged(kept), ["P6"]);
    let overlapping =
        |evidence: &mut Evidence| conversation(evidence, FIRST).assignments[0].times.1 = "later".to_owned();
    assert_eq!(judged(overlapping), ["P6"]);
}

/// Wu gives the second conversation to the orders' group, which it is in no more.
fn given_to_group(evidence: &mut Evidence) {
    let second = conversation(evidence, SECOND);
    second.assignments = vec![assignment(WU, "routing", None, Some("group_transfer"))];
    second.transfers = vec![(Some(WU), Receiver::Group(ORDERS))];
    (second.agent, second.group, second.backstage) = (None, Some(ORDERS), Some(39));
    second.status = "open".to_owned();
    log(evidence, SECOND).push(notice(10, "released", Some(WU)));
    let mut moved = notice(10, "group_changed", None);
    moved.groups = Some((Some(RETURNS), Some(ORDERS)));
    log(evidence, 39).extend([moved, remark(10, "group_transfer")]);
    if let Some(wu) = evidence.desks[0].agents.get_mut(&WU) {
        wu.current_accept = 0;
    }
}

#[test]
fn transfers_stand_in_the_list() {
    assert_eq!(judged(given_to_group), Vec::<&str>::new());
    let unlisted = |evidence: &mut Evidence| {
        given_to_group(evidence);
        conversation(evidence, SECOND).transfers.clear();
    };
    assert_eq!(judged(unlisted), ["P6"]);
    let elsewhere = |evidence: &mut Evidence| {
        given_to_group(evidence);
        conversation(evidence, SECOND).transfers = vec![(Some(WU), Receiver::Group(RETURNS))];
    };
    assert_eq!(judged(elsewhere), ["P6"]);
    let unmoved = |evidence: &mut Evidence| {
        given_to_group(evidence);
        conversation(evidence, SECOND).group = Some(RETURNS);
    };
    assert_eq!(judged(unmoved), ["P6"]);
    let to_agent = |evidence: &mut Evidence| conversation(evidence, FIRST).transfers.clear();
    assert_eq!(judged(to_agent), ["P6"]);
}

#[test]
fn what_was_acknowledged_was_done() {
    let told = |evidence: &mut Evidence, conversation, action| {
        evidence.done.push(Done { member: WU, conversation, action });
    };
    let unsaid = |evidence: &mut Evidence| drop(log(evidence, BEHIND).drain(..2));
    assert_eq!(judged(unsaid), ["P1"]);
    let asked = |agent| move |evidence: &mut Evidence| told(evidence, FIRST, Action::Asked { agent });
    assert_eq!(judged(asked(LI)), Vec::<&str>::new());
    assert_eq!(judged(asked(99)), ["P1"]);
    let claimed = |evidence: &mut Evidence| {
        evidence.done.push(Done { member: LI, conversation: SECOND, action: Action::Claimed });
    };
    assert_eq!(judged(claimed), ["P1"]);
    let docks = |group| {
        move |evidence: &mut Evidence| {
            docked(evidence);
            told(evidence, SECOND, Action::Docked { group });
        }
    };
    assert_eq!(judged(docks(RETURNS)), Vec::<&str>::new());
    assert_eq!(judged(docks(ORDERS)), ["P1"]);
    let gives = |group| {
        move |evidence: &mut Evidence| {
            given_to_group(evidence);
            told(evidence, SECOND, Action::GivenToGroup { group });
        }
    };
    assert_eq!(judged(gives(ORDERS)), Vec::<&str>::new());
    assert_eq!(judged(gives(RETURNS)), ["P1"]);
}
