//! Who saw what it should not, and who misses what its group serves, is found.

use crate::replay::client::view::Row;
use crate::replay::evidence::{Evidence, Receiver};
use crate::replay::history::Id;
use crate::replay::judge_desk::tests::{
    BEHIND, FIRST, LI, ORDERS, RETURNS, SECOND, WU, assignment, conversation, docked, judged, log, notice,
    seen,
};

#[test]
fn what_another_group_has_is_not_seen() {
    assert_eq!(judged(|evidence| seen(evidence, LI, &[FIRST, BEHIND, LI, WU])), Vec::<&str>::new());
    assert_eq!(judged(|evidence| seen(evidence, LI, &[SECOND])), ["P7"]);
    let behind = |evidence: &mut Evidence| {
        evidence.backstages.insert(39, SECOND);
        seen(evidence, LI, &[39]);
    };
    assert_eq!(judged(behind), ["P7"]);
    let served = |evidence: &mut Evidence| {
        let second = conversation(evidence, SECOND);
        second.assignments.insert(0, assignment(LI, "claim", None, Some("reassign")));
        second.assignments[1] = assignment(WU, "transfer", Some(LI), None);
        second.transfers = vec![(Some(LI), Receiver::Agent(WU))];
        log(evidence, SECOND).insert(1, notice(8, "assigned", Some(LI)));
        evidence.desks[0].told.clear();
        seen(evidence, LI, &[SECOND]);
    };
    assert_eq!(judged(served), Vec::<&str>::new());
    let merged = |evidence: &mut Evidence| {
        conversation(evidence, SECOND).merged_into = Some(FIRST);
        seen(evidence, LI, &[SECOND]);
    };
    assert_eq!(judged(merged), Vec::<&str>::new());
    let asked = |evidence: &mut Evidence| {
        conversation(evidence, SECOND).backstage = Some(39);
        log(evidence, 39).push(notice(9, "offered", Some(LI)));
        seen(evidence, LI, &[SECOND]);
    };
    assert_eq!(judged(asked), Vec::<&str>::new(), "Wu asked it to take over");
    let was_its_own = |evidence: &mut Evidence| {
        conversation(evidence, SECOND).backstage = Some(39);
        let mut moved = notice(8, "group_changed", None);
        moved.groups = Some((Some(ORDERS), Some(RETURNS)));
        log(evidence, 39).push(moved);
        seen(evidence, LI, &[SECOND]);
    };
    assert_eq!(judged(was_its_own), Vec::<&str>::new());
}

/// A device of this member whose inbox has these conversations.
fn inbox(evidence: &mut Evidence, member: Id, rows: &[Id]) {
    seen(evidence, member, &[]);
    if let Some(device) = evidence.devices.last_mut() {
        device.inbox = rows.iter().map(|id| (*id, Row::default())).collect();
    }
}

#[test]
fn who_serves_is_in_it_and_nobody_else() {
    assert_eq!(judged(|evidence| inbox(evidence, WU, &[FIRST, SECOND])), Vec::<&str>::new());
    assert_eq!(judged(|evidence| inbox(evidence, WU, &[FIRST])), ["P4"]);
    assert_eq!(judged(|evidence| inbox(evidence, LI, &[FIRST])), ["P7"], "it gave it away");
}

#[test]
fn everybody_in_the_group_is_in_what_it_serves_and_nobody_else() {
    let rows = |evidence: &mut Evidence, groups: &[Id], rows: &[Id]| {
        docked(evidence);
        if let Some(li) = evidence.desks[0].agents.get_mut(&LI) {
            li.groups = groups.to_vec();
        }
        inbox(evidence, WU, &[FIRST, SECOND]);
        inbox(evidence, LI, rows);
    };
    assert_eq!(judged(|evidence| rows(evidence, &[ORDERS], &[])), Vec::<&str>::new());
    assert_eq!(judged(|evidence| rows(evidence, &[RETURNS], &[SECOND])), Vec::<&str>::new());
    assert_eq!(judged(|evidence| rows(evidence, &[RETURNS], &[])), ["P4"]);
    assert_eq!(judged(|evidence| rows(evidence, &[ORDERS], &[SECOND])), ["P7"]);
    let closed = |evidence: &mut Evidence| {
        rows(evidence, &[RETURNS], &[SECOND]);
        let second = conversation(evidence, SECOND);
        (second.docked, second.status) = (false, "closed".to_owned());
        log(evidence, SECOND).push(notice(11, "closed", None));
    };
    assert_eq!(judged(closed), Vec::<&str>::new());
}
