//! The same for what clients show beside the logs: content, rows, receipts and typing.

use super::*;

#[test]
fn content_that_nobody_wrote_is_found() {
    let edited =
        |acknowledged| move |evidence: &mut Evidence| sending(evidence, "k2").edits = vec![(7, acknowledged)];
    assert_eq!(after(edited(true)), ["P1"], "an acknowledged edit is lost");
    assert!(after(edited(false)).is_empty(), "an edit without an answer may be absent");
    let with_content = |words: u64, recalled: bool| {
        move |evidence: &mut Evidence| {
            everywhere(evidence, |entries| {
                entries[1].words = words;
                entries[1].recalled = recalled;
            })
        }
    };
    let both = |edits: Vec<(u64, bool)>, recall, words, recalled| {
        after(|evidence| {
            sending(evidence, "k2").edits = edits;
            sending(evidence, "k2").recall = recall;
            with_content(words, recalled)(evidence);
        })
    };
    assert!(both(vec![(7, true)], None, 7, false).is_empty());
    assert!(both(vec![(7, true), (8, false)], None, 8, false).is_empty());
    assert_eq!(both(vec![(7, true), (8, true)], None, 7, false), ["P1"], "an older edit came back");
    assert!(both(Vec::new(), Some(true), 0, true).is_empty());
    assert!(both(Vec::new(), Some(false), 0, true).is_empty());
    assert_eq!(both(Vec::new(), Some(true), 102, false), ["P1"], "an acknowledged recall is lost");
    assert_eq!(both(Vec::new(), None, 0, true), ["P1"], "recalled by nobody");
}

#[test]
fn read_positions_that_were_lost_are_found() {
    let marked = |version| {
        move |evidence: &mut Evidence| {
            let action = Action::MarkedUnread { version };
            evidence.done.push(Done { member: AGENT, conversation: CONVERSATION, action });
        }
    };
    assert_eq!(after(marked(1)), ["P1"]);
    // A later version may lie before what an earlier one had read.
    let promises = after(|evidence| {
        marked(1)(evidence);
        let device = &mut evidence.devices[1];
        for row in device.inbox.values_mut().chain(device.rows.values_mut()) {
            (row.read_ver, row.read_seq) = (1, 4);
        }
    });
    assert!(promises.is_empty(), "{promises:?}");
}

#[test]
fn rows_that_are_stale_or_absent_are_found() {
    let change =
        |change: fn(&mut Row)| after(|evidence| evidence.devices[0].rows.values_mut().for_each(change));
    assert_eq!(change(|row| row.shown = BTreeMap::from([("status", "pending".to_owned())])), ["rows"]);
    assert_eq!(change(|row| row.shown = BTreeMap::new()), ["rows"]);
    assert_eq!(change(|row| row.read_seq = 1), ["rows"]);
    assert_eq!(change(|row| row.active = true), ["rows"]);
    assert_eq!(after(|evidence| evidence.devices[0].rows.clear()), ["rows"]);
}

#[test]
fn receipts_that_go_back_or_end_wrong_are_found() {
    let hear = |more: Vec<Heard>| after(|evidence| evidence.devices[0].heard.extend(more));
    assert_eq!(
        hear(vec![receipt(6, [Some(1), None, None, None]), receipt(7, [Some(2), None, None, None])]),
        ["receipts"]
    );
    assert_eq!(hear(vec![receipt(6, [None, Some(9), None, None])]), ["receipts"], "ahead of the truth");
    let ended = |positions| {
        after(|evidence| {
            evidence.devices[0].heard =
                vec![Heard { at: 1, signal: Signal::Connected }, receipt(2, positions)]
        })
    };
    assert_eq!(ended([None, Some(4), None, None]), ["receipts"], "the last one on a connection is the truth");
    assert!(ended([None, Some(5), None, Some(3)]).is_empty());
    // On another connection another process may be a little behind.
    let again = vec![Heard { at: 6, signal: Signal::Connected }, receipt(7, [None, Some(5), None, None])];
    assert!(hear(again).is_empty());
    let delivered = |at, seq| {
        let signal = Signal::Receipt {
            conversation: CONVERSATION,
            positions: [None; 4],
            delivered: Some((AGENT, seq)),
        };
        Heard { at, signal }
    };
    assert_eq!(hear(vec![delivered(6, 4), delivered(7, 3)]), ["receipts"]);
    let outside = Signal::Receipt { conversation: 77, positions: [None; 4], delivered: None };
    assert_eq!(hear(vec![Heard { at: 6, signal: outside }]), ["receipts"]);
}

#[test]
fn typing_that_leaks_or_never_ends_is_found() {
    let hear =
        |device: usize, more: Vec<Heard>| after(|evidence| evidence.devices[device].heard.extend(more));
    assert_eq!(hear(0, vec![typing(6, AGENT, true)]), ["typing"], "it does not end");
    assert!(hear(0, vec![typing(90_000, AGENT, true)]).is_empty(), "it may still end");
    let cut = vec![typing(6, AGENT, true), Heard { at: 7, signal: Signal::Ended }];
    assert!(hear(0, cut).is_empty(), "nobody is left to tell");
    assert_eq!(hear(0, vec![typing(6, VISITOR, false)]), ["typing"], "to the typist");
    assert_eq!(hear(0, vec![typing(6, 99, false)]), ["typing"], "of another tenant");
    let of = |conversation| {
        let signal = Signal::Typing { conversation, member: AGENT, on: false, ttl_ms: 6_000 };
        vec![Heard { at: 6, signal }]
    };
    assert_eq!(hear(0, of(77)), ["typing"], "from outside");
    assert_eq!(hear(0, of(BACKSTAGE)), ["typing"], "of staff among themselves to the visitor");
    let colleague = Signal::Typing { conversation: BACKSTAGE, member: VISITOR, on: false, ttl_ms: 6_000 };
    assert!(hear(1, vec![Heard { at: 6, signal: colleague }]).is_empty());
}

#[test]
fn a_backstage_log_in_a_visitors_hands_is_found() {
    let see = |device: usize| {
        after(|evidence| {
            evidence.devices[device].ids.insert(BACKSTAGE);
        })
    };
    assert_eq!(see(0), ["P7"]);
    assert!(see(1).is_empty());
}

#[test]
fn who_became_somebody_else_is_judged_by_what_it_heard() {
    let retire = |evidence: &mut Evidence| {
        let device = &mut evidence.devices[0];
        device.retired = true;
        device.inbox.clear();
        device.logs.clear();
        device.rows.clear();
    };
    assert!(after(retire).is_empty());
    let promises = after(|evidence| {
        retire(evidence);
        evidence.devices[0].heard.push(receipt(6, [Some(1), None, None, None]));
    });
    assert_eq!(promises, ["receipts"]);
}
