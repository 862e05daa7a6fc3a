//! Every kind of violation at a desk is fabricated once and must be found; an honest desk must not be accused.

use super::*;
use crate::replay::client::signal::Presence;
use crate::replay::evidence::{AgentEvidence, ServerLog};
use crate::replay::history::{Asked, Done};

pub(in crate::replay) const LI: Id = 11;
pub(in crate::replay) const WU: Id = 12;
pub(in crate::replay) const FIRST: Id = 21;
pub(in crate::replay) const SECOND: Id = 22;
const BEHIND: Id = 31;
const ORDERS: Id = 41;
const RETURNS: Id = 42;

/// A notice of a front log or of the log behind it: the rev is its time, in milliseconds, too.
pub(in crate::replay) fn notice(rev: i64, kind: &str, about: Option<Id>) -> Fact {
    Fact {
        seq: 1,
        rev,
        sender: None,
        key: None,
        message: false,
        recalled: false,
        kind: kind.into(),
        ref_seq: None,
        about,
        at: rev,
        msg_count: 0,
        words: 0,
        digest: 0,
        fixed: 0,
        changed: 0,
    }
}

fn assignment(agent: Id, reason: &str, holds: bool) -> AssignmentEvidence {
    AssignmentEvidence { agent, reason: reason.to_owned(), holds, ..AssignmentEvidence::default() }
}

/// The first conversation was offered, declined, offered to the other and accepted, handed over and closed; the second
/// is Wu's now.
pub(in crate::replay) fn honest() -> Evidence {
    let agent = |group, current_accept| AgentEvidence {
        max_accept: 1,
        groups: vec![group],
        skills: &[("refunds", 1)],
        current_accept,
        online: vec![(0, true)],
    };
    let first = ConversationEvidence {
        status: "closed".to_owned(),
        agent: Some(WU),
        backstage: Some(BEHIND),
        assignments: vec![assignment(LI, "offer", false), assignment(WU, "transfer", false)],
        ..ConversationEvidence::default()
    };
    let second = ConversationEvidence {
        asked: Asked { group: Some(RETURNS), required: None },
        status: "pending".to_owned(),
        agent: Some(WU),
        assignments: vec![assignment(WU, "routing", true)],
        ..ConversationEvidence::default()
    };
    let front = vec![
        notice(1, "opened", None),
        notice(5, "assigned", Some(LI)),
        notice(6, "assigned", Some(WU)),
        notice(8, "closed", None),
    ];
    let behind =
        vec![notice(2, "offered", Some(WU)), notice(3, "declined", Some(WU)), notice(4, "offered", Some(LI))];
    let other = vec![notice(7, "opened", None), notice(9, "assigned", Some(WU))];
    let log = |entries| ServerLog { tenant: 0, entries };
    let told = |member, rev, current_accept| Presence { member, current_accept, rev };
    let mut evidence = Evidence {
        logs: HashMap::from([(FIRST, log(front)), (BEHIND, log(behind)), (SECOND, log(other))]),
        backstages: HashMap::from([(BEHIND, FIRST)]),
        desks: vec![DeskEvidence {
            offer_seconds: Some(5),
            agents: HashMap::from([(LI, agent(ORDERS, 0)), (WU, agent(RETURNS, 1))]),
            conversations: HashMap::from([(FIRST, first), (SECOND, second)]),
            told: vec![told(LI, 5, 1), told(LI, 6, 0), told(WU, 6, 1), told(WU, 8, 0), told(WU, 9, 1)],
            ..DeskEvidence::default()
        }],
        ..Evidence::default()
    };
    let done = |member, action| Done { member, conversation: FIRST, action };
    evidence.done = vec![done(WU, Action::Declined), done(LI, Action::Accepted)];
    evidence
}

fn judged(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = honest();
    change(&mut evidence);
    let mut found = Vec::new();
    desk(&evidence, &evidence.desks[0], &mut found);
    let mut promises: Vec<_> = found.iter().map(|one| one.promise).collect();
    promises.dedup();
    promises
}

fn conversation(evidence: &mut Evidence, id: Id) -> &mut ConversationEvidence {
    evidence.desks[0].conversations.entry(id).or_default()
}

fn log(evidence: &mut Evidence, id: Id) -> &mut Vec<Fact> {
    &mut evidence.logs.entry(id).or_insert(ServerLog { tenant: 0, entries: Vec::new() }).entries
}

/// A device of Li, which is in the orders' group, with these ids.
fn seen(evidence: &mut Evidence, ids: &[Id]) {
    evidence.devices.push(DeviceView {
        tenant: 0,
        member: LI,
        customer: false,
        retired: false,
        logs: HashMap::new(),
        unread: HashMap::new(),
        rows: HashMap::new(),
        heard: Vec::new(),
        until: 0,
        contradictions: Vec::new(),
        ids: ids.iter().copied().collect(),
        inbox: HashMap::new(),
    });
}

#[test]
fn an_honest_desk_is_not_accused() {
    assert_eq!(judged(|_| {}), Vec::<&str>::new());
}

#[test]
fn two_owners_are_found() {
    // By routing, nobody loses what it has.
    let stolen = |evidence: &mut Evidence| {
        conversation(evidence, FIRST).assignments[1].reason = "routing".to_owned();
    };
    assert_eq!(judged(stolen), ["P6"]);
    let both = |evidence: &mut Evidence| {
        conversation(evidence, SECOND).assignments.push(assignment(LI, "claim", true))
    };
    assert_eq!(judged(both), ["P6"]);
    let unwritten = |evidence: &mut Evidence| conversation(evidence, SECOND).assignments.clear();
    assert_eq!(judged(unwritten), ["P6"]);
    let kept = |evidence: &mut Evidence| conversation(evidence, FIRST).assignments[1].holds = true;
    assert_eq!(judged(kept), ["P6"]);
    let overlapping =
        |evidence: &mut Evidence| conversation(evidence, FIRST).assignments[0].times.1 = "later".to_owned();
    assert_eq!(judged(overlapping), ["P6"]);
}

#[test]
fn above_the_limit_is_found_unless_the_tenant_allows_it() {
    // The first is closed later than the second is given: two of one.
    let late = |evidence: &mut Evidence, reason: &str| {
        log(evidence, FIRST)[3] = notice(12, "closed", None);
        conversation(evidence, SECOND).assignments[0].reason = reason.to_owned();
        evidence.desks[0].told.clear();
    };
    assert_eq!(judged(|evidence| late(evidence, "routing")), ["P6"]);
    let allowed = |evidence: &mut Evidence| {
        late(evidence, "transfer");
        evidence.desks[0].transfer_above = true;
    };
    assert_eq!(judged(allowed), Vec::<&str>::new());
}

#[test]
fn numbers_that_are_not_true_are_found() {
    let frame = |evidence: &mut Evidence| evidence.desks[0].told[3].current_accept = 1;
    assert_eq!(judged(frame), ["P6"]);
    let end = |evidence: &mut Evidence| {
        if let Some(wu) = evidence.desks[0].agents.get_mut(&WU) {
            wu.current_accept = 0;
        }
    };
    assert_eq!(judged(end), ["P6"]);
}

#[test]
fn offers_are_answered_once_and_by_whom_they_were_made_to() {
    let twice = |evidence: &mut Evidence| log(evidence, BEHIND).push(notice(4, "declined", Some(LI)));
    assert_eq!(judged(twice), ["P6"]);
    let late = |evidence: &mut Evidence| log(evidence, BEHIND).push(notice(7, "offer_missed", Some(LI)));
    assert_eq!(judged(late), ["P6"]);
    let other = |evidence: &mut Evidence| log(evidence, BEHIND)[2].about = Some(WU);
    assert_eq!(judged(other), ["P6"]);
    let unsaid = |evidence: &mut Evidence| drop(log(evidence, BEHIND).drain(..2));
    assert_eq!(judged(unsaid), ["P1"]);
}

#[test]
fn what_another_group_has_is_not_seen() {
    assert_eq!(judged(|evidence| seen(evidence, &[FIRST, BEHIND, LI, WU])), Vec::<&str>::new());
    assert_eq!(judged(|evidence| seen(evidence, &[SECOND])), ["P7"]);
    let behind = |evidence: &mut Evidence| {
        evidence.backstages.insert(39, SECOND);
        seen(evidence, &[39]);
    };
    assert_eq!(judged(behind), ["P7"]);
    let served = |evidence: &mut Evidence| {
        conversation(evidence, SECOND).assignments.insert(0, assignment(LI, "transfer", false));
        log(evidence, SECOND).insert(1, notice(8, "assigned", Some(LI)));
        conversation(evidence, SECOND).assignments[1].reason = "transfer".to_owned();
        evidence.desks[0].told.clear();
        seen(evidence, &[SECOND]);
    };
    assert_eq!(judged(served), Vec::<&str>::new());
    let merged = |evidence: &mut Evidence| {
        conversation(evidence, SECOND).merged_into = Some(FIRST);
        seen(evidence, &[SECOND]);
    };
    assert_eq!(judged(merged), Vec::<&str>::new());
}
