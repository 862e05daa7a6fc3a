//! Each kind of wrong rating is fabricated once and must be found.

use super::*;
use crate::replay::evidence::ServerLog;
use crate::replay::history::Done;

const AGENT: Id = 12;
const CONVERSATION: Id = 21;

fn fact(seq: i64, kind: &str, about: Option<Id>) -> Fact {
    Fact {
        seq,
        rev: seq,
        sender: None,
        key: None,
        message: kind == "text",
        recalled: false,
        erased: false,
        erased_through: None,
        kind: kind.into(),
        ref_seq: None,
        about,
        at: 0,
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

const RATING: Rating =
    Rating { tenant: 0, id: 31, conversation: CONVERSATION, close_seq: 5, agent: Some(AGENT), score: 4 };

/// An answered conversation that was rated 2 and then 4.
fn honest() -> Evidence {
    let entries = vec![
        fact(1, "opened", None),
        Fact { by_customer: true, ..fact(2, "text", None) },
        fact(3, "assigned", Some(AGENT)),
        fact(4, "text", None),
        fact(5, "closed", None),
        fact(6, "reopened", None),
        fact(7, "closed", None),
    ];
    let rated = |score| Done {
        member: 11,
        conversation: CONVERSATION,
        action: Action::Rated { id: 31, close_seq: 5, score },
    };
    Evidence {
        logs: HashMap::from([(CONVERSATION, ServerLog { tenant: 0, entries })]),
        ratings: vec![RATING],
        done: vec![rated(2), rated(4)],
        ..Evidence::default()
    }
}

fn faults(evidence: &Evidence) -> usize {
    let mut found = Vec::new();
    ratings(evidence, &mut found);
    assert!(found.iter().all(|one| one.promise == "ratings"), "{found:?}");
    found.len()
}

#[test]
fn an_honest_rating_is_not_accused() {
    assert_eq!(faults(&honest()), 0);
}

#[test]
fn lost_and_doubled_ratings_are_found() {
    assert_eq!(faults(&Evidence { ratings: Vec::new(), ..honest() }), 1);
    let other = Rating { score: 2, ..RATING };
    assert_eq!(faults(&Evidence { ratings: vec![other], ..honest() }), 1, "the one before");
    assert_eq!(faults(&Evidence { ratings: vec![RATING, RATING], ..honest() }), 1);
}

#[test]
fn ratings_of_nothing_and_of_the_wrong_work_are_found() {
    let with = |rating: Rating| faults(&Evidence { ratings: vec![RATING, rating], ..honest() });
    let other = Rating { id: 32, close_seq: 7, ..RATING };
    assert_eq!(with(other.clone()), 1, "nobody answered since it was reopened");
    assert_eq!(with(Rating { close_seq: 4, ..other.clone() }), 1, "no end");
    assert_eq!(with(Rating { conversation: 22, ..other.clone() }), 1, "no conversation");
    assert_eq!(with(Rating { tenant: 1, conversation: CONVERSATION, ..other }), 1, "another tenant's");
    let wrong = Rating { agent: Some(13), ..RATING };
    assert_eq!(faults(&Evidence { ratings: vec![wrong], ..honest() }), 1);
    let mut silent = honest();
    silent.logs.values_mut().for_each(|log| log.entries[3].kind = "released".into());
    silent.logs.values_mut().for_each(|log| log.entries[3].message = false);
    assert_eq!(faults(&silent), 1, "nobody answered");
}
