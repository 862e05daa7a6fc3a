//! Ratings: what was acknowledged stands, once for each end, and belongs to who served then. Pure, as `judge` is.

use std::collections::HashMap;

use super::client::fact::Fact;
use super::evidence::{Evidence, Rating, Violation, broken};
use super::history::{Action, Id};

/// Finds ratings that are lost, doubled, about nothing, or another agent's.
pub(super) fn ratings(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut ends: HashMap<(Id, i64), &Rating> = HashMap::new();
    for row in &evidence.ratings {
        let place = format!("{}/{}", row.conversation, row.close_seq);
        if ends.insert((row.conversation, row.close_seq), row).is_some() {
            broken(found, "ratings", format!("{place}: rated twice"));
        }
        if let Some(what) = fault(evidence, row) {
            broken(found, "ratings", format!("{place}: {what}"));
        }
    }
    // The last one of each end: what was said before is replaced.
    let mut told: HashMap<(Id, i64), (Id, i64)> = HashMap::new();
    for done in &evidence.done {
        if let Action::Rated { id, close_seq, score } = done.action {
            told.insert((done.conversation, close_seq), (id, score));
        }
    }
    for ((conversation, close_seq), (id, score)) in told {
        let row = ends.get(&(conversation, close_seq));
        if row.is_none_or(|row| (row.id, row.score) != (id, score)) {
            let what = format!("{conversation}/{close_seq}: {score} was acknowledged, and {row:?} stands");
            broken(found, "ratings", what);
        }
    }
}

fn fault(evidence: &Evidence, row: &Rating) -> Option<String> {
    let log = evidence.logs.get(&row.conversation).filter(|log| log.tenant == row.tenant);
    let Some(log) = log else { return Some("a rating of no conversation".to_owned()) };
    let is_end = |fact: &&Fact| fact.seq == row.close_seq && &*fact.kind == "closed";
    if !log.entries.iter().any(|fact| is_end(&fact)) {
        return Some("a rating of no end".to_owned());
    }
    let (mut holder, mut is_answered) = (None, false);
    for fact in log.entries.iter().take_while(|fact| fact.seq < row.close_seq) {
        match &*fact.kind {
            "opened" | "reopened" => (holder, is_answered) = (None, false),
            "assigned" => holder = fact.about,
            "released" | "docked" => holder = None,
            _ => is_answered |= fact.message && !fact.by_customer,
        }
    }
    if !is_answered {
        return Some("rated although nobody answered".to_owned());
    }
    (row.agent != holder).then(|| format!("belongs to {:?}, and {holder:?} served", row.agent))
}

#[cfg(test)]
#[path = "judge_ratings_tests.rs"]
mod tests;
