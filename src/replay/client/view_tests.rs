//! What a device believes, step by step.

use std::collections::HashSet;

use super::fact::Fact;
use super::view::{Applied, Row, Shown, View};

fn fact(seq: i64) -> Fact {
    Fact {
        seq,
        rev: seq,
        sender: Some(2),
        key: Some(format!("k{seq}").into()),
        message: true,
        recalled: false,
        erased: false,
        erased_through: None,
        kind: "text".into(),
        ref_seq: None,
        about: None,
        at: 0,
        by_customer: false,
        reason: None,
        explains: None,
        groups: None,
        msg_count: seq,
        words: 0,
        digest: seq.unsigned_abs(),
        fixed: seq.unsigned_abs(),
        changed: 0,
    }
}

fn row(rev: i64, seq: i64, unread: i64) -> Row {
    Row { rev, seq, unread, active: true, ..Row::default() }
}

#[test]
fn entries_are_applied_once_and_in_order() {
    let mut view = View::new(1);
    assert_eq!(view.take_entry(9, fact(1)), Applied::Next);
    assert_eq!(view.take_entry(9, fact(3)), Applied::Beyond);
    assert_eq!(view.take_entry(9, fact(1)), Applied::Known);
    assert_eq!(view.behind(), &HashSet::from([9]));
    assert_eq!(view.take_entry(9, fact(2)), Applied::Next);
    assert_eq!(view.logs[&9].have(), 3);
    assert!(view.behind().is_empty() && view.contradictions.is_empty());
    let other = Fact { digest: 77, fixed: 77, ..fact(2) };
    assert!(matches!(view.take_entry(9, other), Applied::Contradiction(_)));
    assert_eq!(view.contradictions.len(), 1);
}

#[test]
fn the_last_row_wins_and_finds_a_lost_tail() {
    let mut view = View::new(1);
    view.take_entry(9, fact(1));
    view.take_row(9, row(5, 2, 1));
    assert_eq!(view.behind(), &HashSet::from([9]));
    view.take_row(9, row(4, 1, 0));
    assert_eq!(view.rows[&9].rev, 5);
    view.take_entry(9, fact(2));
    assert_eq!(view.unread(9), Some(1));
    view.take_entry(9, fact(3));
    assert_eq!(view.unread(9), Some(2));
    view.take_entry(9, Fact { sender: Some(1), ..fact(4) });
    assert_eq!(view.unread(9), Some(2));
}

#[test]
fn resuming_names_what_goes_on_first() {
    let mut view = View::new(1);
    for conversation in 1..=5 {
        view.take_entry(conversation, fact(1));
        view.take_row(conversation, Row { active: conversation == 2, ..row(1, 1, 0) });
    }
    assert_eq!(view.resume_points(2), [(2, 1), (5, 1)]);
    view.reset(Some(2));
    assert_eq!(view.resume_points(9).len(), 4);
    view.reset(None);
    assert!(view.resume_points(9).is_empty());
}

/// Its member lost the conversation and got it back, so that a pull in between was refused and no reset came.
#[test]
fn what_was_refused_is_asked_for_again_with_the_next_row() {
    let mut view = View::new(1);
    view.take_entry(9, fact(1));
    view.take_row(9, row(2, 2, 1));
    view.take_entry(
        9,
        Fact { kind: "edited".into(), message: false, ref_seq: Some(1), key: None, ..fact(2) },
    );
    view.give_up(9, Some("not_found".to_owned()));
    assert!(view.stale().next().is_none() && view.is_whole(), "it is not asked again and again");
    assert_eq!(view.refused.len(), 1);
    view.take_row(9, row(5, 3, 1));
    assert!(view.refused.is_empty());
    assert_eq!(view.stale().collect::<Vec<_>>(), [(9, 1, 2)]);
    assert_eq!(view.behind(), &HashSet::from([9]));
    // A device that ends anyway forgets it.
    view.give_up(9, None);
    view.take_row(9, row(6, 3, 1));
    assert!(view.stale().next().is_none());
}

#[test]
fn a_changed_message_is_read_again_and_never_goes_back() {
    let mut view = View::new(1);
    view.take_entry(9, fact(1));
    view.take_row(9, row(1, 1, 1));
    let notice = |seq, kind: &str| Fact {
        kind: kind.into(),
        message: false,
        ref_seq: Some(1),
        key: None,
        ..fact(seq)
    };
    view.take_entry(9, notice(2, "edited"));
    view.take_entry(9, notice(3, "recalled"));
    assert_eq!(view.stale().collect::<Vec<_>>(), [(9, 1, 3)]);
    let recalled = Fact { recalled: true, changed: 8, digest: 50, ..fact(1) };
    assert_eq!(view.take_entry(9, recalled), Applied::Changed);
    view.refreshed(9, 1, 2);
    assert!(!view.is_whole(), "the second notice came after that was asked");
    view.refreshed(9, 1, 3);
    assert!(view.is_whole());
    assert_eq!(view.unread(9), Some(0), "a recalled message is not unread");
    assert_eq!(view.take_entry(9, Fact { changed: 5, digest: 49, ..fact(1) }), Applied::Known);
    assert!(view.logs[&9].at(1).is_some_and(|fact| fact.recalled));
    assert!(view.contradictions.is_empty());
    let unannounced = Fact { digest: 60, ..fact(2) };
    view.take_entry(9, Fact { digest: 61, ..unannounced });
    assert_eq!(view.contradictions.len(), 1);
}

#[test]
fn what_was_erased_is_forgotten_and_does_not_come_back() {
    let mut view = View::new(1);
    view.shown = Some(Vec::new());
    for seq in 1..=2 {
        view.take_entry(9, fact(seq));
    }
    let edited = Fact { kind: "edited".into(), message: false, ref_seq: Some(2), ..fact(3) };
    view.take_entry(9, edited);
    assert_eq!(view.stale().count(), 1);
    let notice = Fact { kind: "erased".into(), message: false, erased_through: Some(3), ..fact(4) };
    assert_eq!(view.take_entry(9, notice), Applied::Next);
    assert_eq!(view.stale().count(), 0, "what is erased is not read again");
    let late = Fact { changed: 7, digest: 70, ..fact(2) };
    assert_eq!(view.take_entry(9, late), Applied::Known, "an answer that was on its way");
    let log = &view.logs[&9];
    assert!(log.entries.iter().all(|fact| fact.erased == (fact.seq <= 3)));
    assert!(!log.has_key("k2"));
    let shown = view.shown.unwrap_or_default();
    assert_eq!(shown.last(), Some(&Shown::Erased(9, 3)));
}
