//! Every kind of violation at a desk is fabricated once and must be found; an honest desk must not be accused.

use super::*;
use crate::replay::client::fact::Fact;
use crate::replay::client::signal::Presence;
use crate::replay::evidence::{AgentEvidence, ConversationEvidence, DeviceView, Receiver, ServerLog};
use crate::replay::history::{Action, Asked, Done};

pub(in crate::replay) const LI: Id = 11;
pub(in crate::replay) const WU: Id = 12;
pub(in crate::replay) const FIRST: Id = 21;
pub(in crate::replay) const SECOND: Id = 22;
pub(in crate::replay) const BEHIND: Id = 31;
pub(in crate::replay) const ORDERS: Id = 41;
pub(in crate::replay) const RETURNS: Id = 42;

/// A notice of a front log or of the log behind it: the rev is its time, in milliseconds, too.
pub(in crate::replay) fn notice(rev: i64, kind: &str, about: Option<Id>) -> Fact {
    Fact {
        seq: 1,
        rev,
        sender: None,
        key: None,
        message: false,
        recalled: false,
        erased: false,
        erased_through: None,
        kind: kind.into(),
        ref_seq: None,
        about,
        at: rev,
        by_customer: false,
        reason: None,
        explains: None,
        groups: None,
        msg_count: 0,
        words: 0,
        digest: 0,
        fixed: 0,
        changed: 0,
    }
}

/// An assignment that ended so; none: it holds.
pub(in crate::replay) fn assignment(
    agent: Id,
    reason: &str,
    from: Option<Id>,
    ended: Option<&str>,
) -> AssignmentEvidence {
    AssignmentEvidence {
        agent,
        reason: reason.to_owned(),
        from,
        ended: ended.map(str::to_owned),
        holds: ended.is_none(),
        ..AssignmentEvidence::default()
    }
}

/// A remark that explains why a conversation waits again.
pub(in crate::replay) fn remark(rev: i64, reason: &str) -> Fact {
    Fact { reason: Some(reason.into()), explains: Some("released".into()), ..notice(rev, "remark", None) }
}

/// A message of one of the staff.
pub(in crate::replay) fn said(rev: i64, sender: Id) -> Fact {
    Fact { sender: Some(sender), message: true, ..notice(rev, "text", None) }
}

/// The first conversation was offered, declined, offered to the other and accepted, handed over by the one who had it and
/// closed; the second is Wu's now.
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
        assignments: vec![
            assignment(LI, "offer", None, Some("reassign")),
            assignment(WU, "transfer", Some(LI), Some("close")),
        ],
        transfers: vec![(Some(LI), Receiver::Agent(WU))],
        ..ConversationEvidence::default()
    };
    let second = ConversationEvidence {
        asked: Asked { group: Some(RETURNS), required: None },
        group: Some(RETURNS),
        status: "pending".to_owned(),
        agent: Some(WU),
        assignments: vec![assignment(WU, "routing", None, None)],
        ..ConversationEvidence::default()
    };
    let front = vec![
        notice(1, "opened", None),
        notice(5, "assigned", Some(LI)),
        Fact { sender: Some(LI), ..notice(6, "assigned", Some(WU)) },
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

pub(in crate::replay) fn judged(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = honest();
    change(&mut evidence);
    let mut found = Vec::new();
    desk(&evidence, &evidence.desks[0], &mut found);
    let mut promises: Vec<_> = found.iter().map(|one| one.promise).collect();
    promises.dedup();
    promises
}

pub(in crate::replay) fn conversation(evidence: &mut Evidence, id: Id) -> &mut ConversationEvidence {
    evidence.desks[0].conversations.entry(id).or_default()
}

pub(in crate::replay) fn log(evidence: &mut Evidence, id: Id) -> &mut Vec<Fact> {
    &mut evidence.logs.entry(id).or_insert(ServerLog { tenant: 0, entries: Vec::new() }).entries
}

/// A device of this member with these ids.
pub(in crate::replay) fn seen(evidence: &mut Evidence, member: Id, ids: &[Id]) {
    evidence.devices.push(DeviceView {
        tenant: 0,
        member,
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
        conversation(evidence, SECOND).assignments.push(assignment(LI, "claim", None, None))
    };
    assert_eq!(judged(both), ["P6"]);
    let unwritten = |evidence: &mut Evidence| conversation(evidence, SECOND).assignments.clear();
    assert_eq!(judged(unwritten), ["P6"]);
}

#[test]
fn above_the_limit_is_found_unless_the_tenant_allows_it() {
    // The first is closed later than the second is given: two of one.
    let late = |evidence: &mut Evidence, reason: &str| {
        log(evidence, FIRST)[3] = notice(12, "closed", None);
        let second = conversation(evidence, SECOND);
        second.assignments[0].reason = reason.to_owned();
        if reason == "transfer" {
            second.transfers = vec![(None, Receiver::Agent(WU))];
        }
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

/// The second conversation, docked at the end: Wu had it and its group has it now.
pub(in crate::replay) fn docked(evidence: &mut Evidence) {
    let second = conversation(evidence, SECOND);
    (second.agent, second.docked) = (None, true);
    second.assignments = vec![assignment(WU, "routing", None, Some("docked"))];
    log(evidence, SECOND).push(notice(10, "docked", None));
    if let Some(wu) = evidence.desks[0].agents.get_mut(&WU) {
        wu.current_accept = 0;
    }
    evidence.desks[0].told.push(Presence { member: WU, current_accept: 0, rev: 10 });
}

#[test]
fn what_a_group_serves_has_no_agent_and_counts_for_nobody() {
    assert_eq!(judged(docked), Vec::<&str>::new());
    let counted = |evidence: &mut Evidence| {
        docked(evidence);
        if let Some(wu) = evidence.desks[0].agents.get_mut(&WU) {
            wu.current_accept = 1;
        }
    };
    assert_eq!(judged(counted), ["P6"]);
    let told = |evidence: &mut Evidence| {
        docked(evidence);
        evidence.desks[0].told[5].current_accept = 1;
    };
    assert_eq!(judged(told), ["P6"]);
    let owned = |evidence: &mut Evidence| {
        docked(evidence);
        conversation(evidence, SECOND).agent = Some(WU);
    };
    assert_eq!(judged(owned), ["P6"]);
    let untold = |evidence: &mut Evidence| {
        docked(evidence);
        conversation(evidence, SECOND).docked = false;
    };
    assert_eq!(judged(untold), ["P6"]);
    let unended = |evidence: &mut Evidence| {
        docked(evidence);
        conversation(evidence, SECOND).assignments[0].ended = Some("close".to_owned());
    };
    assert_eq!(judged(unended), ["P6"]);
}

#[test]
fn a_docked_conversation_is_taken_out_by_who_may() {
    let taken = |evidence: &mut Evidence, by: Id, why: &str| {
        docked(evidence);
        let second = conversation(evidence, SECOND);
        (second.agent, second.docked) = (Some(by), false);
        second.assignments.push(assignment(by, why, None, None));
        log(evidence, SECOND).push(notice(11, "assigned", Some(by)));
        for (member, agent) in &mut evidence.desks[0].agents {
            agent.current_accept = i64::from(*member == by);
        }
    };
    assert_eq!(judged(|evidence| taken(evidence, WU, "claim")), Vec::<&str>::new());
    assert_eq!(judged(|evidence| taken(evidence, LI, "assign")), Vec::<&str>::new());
    assert_eq!(judged(|evidence| taken(evidence, LI, "claim")), ["P6"], "it is another group's");
    assert_eq!(judged(|evidence| taken(evidence, WU, "routing")), ["P6"], "it does not wait");
    let from = |evidence: &mut Evidence| {
        taken(evidence, WU, "claim");
        conversation(evidence, SECOND).assignments[1].from = Some(WU);
    };
    assert_eq!(judged(from), ["P6"], "nobody had it");
}

#[test]
fn who_answers_is_who_serves() {
    let speaks = |evidence: &mut Evidence, rev: i64, who: Id| {
        docked(evidence);
        log(evidence, SECOND).push(said(rev, who));
    };
    assert_eq!(judged(|evidence| speaks(evidence, 9, WU)), Vec::<&str>::new());
    assert_eq!(judged(|evidence| speaks(evidence, 10, WU)), Vec::<&str>::new());
    assert_eq!(judged(|evidence| speaks(evidence, 9, LI)), ["P6"], "it is not its own");
    assert_eq!(judged(|evidence| speaks(evidence, 8, WU)), ["P6"], "it waited");
    let group = |evidence: &mut Evidence, groups: Vec<Id>| {
        speaks(evidence, 12, LI);
        if let Some(li) = evidence.desks[0].agents.get_mut(&LI) {
            li.groups = groups;
        }
    };
    assert_eq!(judged(|evidence| group(evidence, vec![ORDERS])), ["P6"], "it is not in the group");
    assert_eq!(judged(|evidence| group(evidence, vec![ORDERS, RETURNS])), Vec::<&str>::new());
}
