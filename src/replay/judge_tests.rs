//! Every kind of violation is fabricated once and must be found; an honest run must not be accused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::replay::client::signal::{Heard, Signal};
use crate::replay::evidence::{Searched, ServerLog};
use crate::replay::history::{History, Sending};

const VISITOR: Id = 11;
const AGENT: Id = 12;
const CONVERSATION: Id = 21;
const BACKSTAGE: Id = 22;

fn typing(at: u64, member: Id, on: bool) -> Heard {
    Heard { at, signal: Signal::Typing { conversation: CONVERSATION, member, on, ttl_ms: 6_000 } }
}

fn receipt(at: u64, positions: [Option<i64>; 4]) -> Heard {
    Heard { at, signal: Signal::Receipt { conversation: CONVERSATION, positions, delivered: None } }
}

fn notice(seq: i64, kind: &str, messages: i64) -> Fact {
    Fact {
        seq,
        rev: seq,
        sender: None,
        key: None,
        message: false,
        recalled: false,
        erased: false,
        erased_through: None,
        kind: kind.into(),
        ref_seq: None,
        about: None,
        at: 0,
        by_customer: false,
        reason: None,
        explains: None,
        groups: None,
        msg_count: messages,
        words: 0,
        digest: seq.unsigned_abs(),
        fixed: seq.unsigned_abs(),
        changed: 0,
    }
}

fn message(seq: i64, sender: Id, messages: i64) -> Fact {
    Fact {
        sender: Some(sender),
        key: Some(format!("k{seq}").into()),
        message: true,
        words: 100 + seq.unsigned_abs(),
        ..notice(seq, "text", messages)
    }
}

/// Opened, a question, assigned, an answer, closed; both have it all, the visitor has not read the answer.
fn honest() -> Evidence {
    let history = History::default();
    for (seq, sender) in [(2_i64, VISITOR), (4, AGENT)] {
        let key: Arc<str> = format!("k{seq}").into();
        history.invoke(0, sender, &key, Some(CONVERSATION), 100 + seq.unsigned_abs());
        history.acknowledge(&key, CONVERSATION, seq);
    }
    history.note(AGENT, CONVERSATION, Action::Claimed);
    history.note(AGENT, CONVERSATION, Action::Read { seq: 5, version: 0 });
    history.note(AGENT, CONVERSATION, Action::Closed);
    let entries = vec![
        notice(1, "opened", 0),
        message(2, VISITOR, 1),
        notice(3, "assigned", 1),
        message(4, AGENT, 2),
        notice(5, "closed", 2),
    ];
    let row = |read_seq, unread| Row {
        rev: 5,
        seq: 5,
        read_seq,
        unread,
        shown: BTreeMap::from([("status", "closed".to_owned())]),
        peers: [2, 5, 5, 5],
        ..Row::default()
    };
    let device = |member, read_seq, unread| DeviceView {
        tenant: 0,
        member,
        customer: member == VISITOR,
        retired: false,
        rows: HashMap::from([(CONVERSATION, row(read_seq, unread))]),
        heard: vec![
            Heard { at: 1, signal: Signal::Connected },
            typing(2, VISITOR + AGENT - member, true),
            typing(3, VISITOR + AGENT - member, false),
            receipt(4, [Some(0), Some(4), None, None]),
            receipt(5, [Some(2), Some(5), Some(5), None]),
        ],
        until: 100_000,
        logs: HashMap::from([(CONVERSATION, entries.clone())]),
        unread: HashMap::from([(CONVERSATION, unread)]),
        contradictions: Vec::new(),
        ids: HashSet::from([CONVERSATION, VISITOR, AGENT]),
        inbox: HashMap::from([(CONVERSATION, row(read_seq, unread))]),
    };
    Evidence {
        sendings: history.sendings(),
        done: history.done(),
        devices: vec![device(VISITOR, 2, 1), device(AGENT, 5, 0)],
        logs: HashMap::from([(CONVERSATION, ServerLog { tenant: 0, entries })]),
        backstages: HashMap::from([(BACKSTAGE, CONVERSATION)]),
        owners: HashMap::from([(CONVERSATION, 0), (VISITOR, 0), (AGENT, 0), (99, 1)]),
        ..Evidence::default()
    }
}

/// Changes the honest evidence and returns the promises that are found broken.
fn after(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = honest();
    change(&mut evidence);
    let mut promises: Vec<_> = judge(&evidence).into_iter().map(|violation| violation.promise).collect();
    promises.dedup();
    promises
}

/// Changes every copy of the log alike, as a server would that is consistent and wrong.
fn everywhere(evidence: &mut Evidence, change: impl Fn(&mut Vec<Fact>)) {
    for log in evidence.logs.values_mut() {
        change(&mut log.entries);
    }
    for device in &mut evidence.devices {
        device.logs.values_mut().for_each(&change);
    }
}

fn sending<'a>(evidence: &'a mut Evidence, key: &str) -> &'a mut Sending {
    let at = evidence.sendings.iter().position(|one| &*one.key == key).unwrap_or_default();
    &mut evidence.sendings[at]
}

#[test]
fn an_honest_run_is_not_accused() {
    assert_eq!(judge(&honest()), []);
}

#[test]
fn an_unknown_outcome_may_be_present_or_absent() {
    let lost = |evidence: &mut Evidence| {
        let one = sending(evidence, "k4");
        one.acknowledged.clear();
        one.unknown = true;
    };
    assert!(after(lost).is_empty());
    let absent = after(|evidence| {
        lost(evidence);
        sending(evidence, "k4").key = "other".into();
    });
    assert!(absent.is_empty());
}

#[test]
fn lost_messages_are_found() {
    let promises = after(|evidence| {
        everywhere(evidence, |entries| entries[3] = Fact { key: Some("x".into()), ..entries[3].clone() });
    });
    assert_eq!(promises, ["P1"]);
    assert_eq!(after(|evidence| sending(evidence, "k2").words = 1), ["P1"]);
    assert_eq!(after(|evidence| sending(evidence, "k2").acknowledged = vec![4]), ["P1"]);
}

#[test]
fn undone_deeds_are_found() {
    let promises = after(|evidence| {
        everywhere(evidence, |entries| entries[4] = notice(5, "remark", 2));
    });
    assert_eq!(promises, ["P1"]);
    let promises = after(|evidence| {
        evidence.done.push(Done {
            member: VISITOR,
            conversation: CONVERSATION,
            action: Action::Read { seq: 4, version: 0 },
        });
    });
    assert_eq!(promises, ["P1"]);
}

#[test]
fn doubled_messages_are_found() {
    let promises = after(|evidence| {
        everywhere(evidence, |entries| {
            entries.push(Fact { key: Some("k2".into()), ..message(6, VISITOR, 3) });
        });
        evidence.devices.iter_mut().for_each(|device| {
            device.inbox.values_mut().for_each(|row| row.seq = 6);
        });
        evidence.devices[1].inbox.values_mut().for_each(|row| row.unread = 1);
        evidence.devices[1].unread.insert(CONVERSATION, 1);
    });
    assert!(promises.contains(&"P2"), "{promises:?}");
    assert_eq!(after(|evidence| sending(evidence, "k2").acknowledged.push(9))[1..], ["P2"]);
    let refused = after(|evidence| {
        let one = sending(evidence, "k2");
        one.acknowledged.clear();
        one.refused = Some("conversation_closed".to_owned());
    });
    assert_eq!(refused, ["P2"]);
}

#[test]
fn holes_and_disorder_are_found() {
    let promises = after(|evidence| everywhere(evidence, |entries| entries[2].seq = 7));
    assert!(promises.contains(&"P3"));
    let promises = after(|evidence| {
        if let Some(entries) = evidence.devices[0].logs.get_mut(&CONVERSATION) {
            entries.swap(1, 2);
        }
    });
    assert_eq!(promises, ["P3"]);
    let promises = after(|evidence| everywhere(evidence, |entries| entries[4].msg_count = 3));
    assert_eq!(promises, ["P3"]);
}

#[test]
fn incomplete_and_differing_views_are_found() {
    let promises = after(|evidence| {
        if let Some(entries) = evidence.devices[0].logs.get_mut(&CONVERSATION) {
            entries.pop();
        }
    });
    assert_eq!(promises, ["P4"]);
    let promises = after(|evidence| {
        if let Some(entries) = evidence.devices[0].logs.get_mut(&CONVERSATION) {
            entries[1].digest = 0;
        }
    });
    assert_eq!(promises, ["P4"]);
    assert_eq!(after(|evidence| evidence.devices[0].logs.clear()), ["P4"]);
    assert_eq!(after(|evidence| evidence.devices[0].contradictions.push("x".to_owned())), ["P4"]);
}

#[test]
fn drifting_unread_is_found() {
    let promises = after(|evidence| {
        evidence.devices[0].inbox.values_mut().for_each(|row| row.unread = 2);
    });
    assert_eq!(promises, ["P5"]);
    let promises = after(|evidence| {
        evidence.devices[0].unread.insert(CONVERSATION, 0);
    });
    assert_eq!(promises, ["P5"]);
}

#[test]
fn two_owners_are_found() {
    let promises = after(|evidence| {
        evidence.done.push(Done { member: 13, conversation: CONVERSATION, action: Action::Claimed });
    });
    assert_eq!(promises, ["P6"]);
}

#[test]
fn a_message_in_another_tenants_log_is_found() {
    let promises = after(|evidence| sending(evidence, "k2").tenant = 1);
    assert_eq!(promises, ["P7"]);
}

#[test]
fn foreign_ids_are_found() {
    let promises = after(|evidence| {
        evidence.devices[1].ids.insert(99);
    });
    assert_eq!(promises, ["P7"]);
    let promises = after(|evidence| {
        evidence.owners.insert(AGENT, 1);
    });
    assert_eq!(promises, ["P7", "typing"]);
}

#[test]
fn durations_are_recorded() {
    let history = History::default();
    history.invoke(0, 1, &"k".into(), None, 0);
    history.acknowledge("k", 1, 1);
    assert!(history.durations().0[0] < Duration::from_secs(60));
}

#[path = "judge_live_tests.rs"]
mod live;

#[test]
fn what_is_not_found_and_what_is_found_wrongly_is_found() {
    let search = |hits: Vec<(Id, Fact)>| {
        let mut evidence = honest();
        let words = "where".to_owned();
        evidence.searches.push(Searched { member: VISITOR, wanted: (CONVERSATION, 2), words, hits });
        judge(&evidence).into_iter().map(|one| one.promise).collect::<Vec<_>>()
    };
    let own = |seq, sender, messages| (CONVERSATION, message(seq, sender, messages));
    assert_eq!(search(vec![own(4, AGENT, 2), own(2, VISITOR, 1)]), Vec::<&str>::new());
    assert_eq!(search(Vec::new()), ["search"]);
    assert_eq!(search(vec![own(2, VISITOR, 1), own(4, AGENT, 2)]), ["search"], "the newest first");
    let mut stale = own(2, VISITOR, 1);
    stale.1.digest += 1;
    assert_eq!(search(vec![stale]), ["search"]);
    assert_eq!(search(vec![own(2, VISITOR, 1), (77, message(1, AGENT, 1))]), ["search"], "of no log");
}
