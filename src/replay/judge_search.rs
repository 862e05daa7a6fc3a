//! What was found by its words. Pure, as `judge` is.

use super::client::fact::Fact;
use super::evidence::{Evidence, Searched, Violation, broken};
use super::history::Id;

/// Finds messages that were not found by their own words, and hits that are no messages of the log as it is now.
pub(super) fn searches(evidence: &Evidence, found: &mut Vec<Violation>) {
    for searched in &evidence.searches {
        let Searched { member, wanted: (conversation, seq), words, hits } = searched;
        let is_there = |log: Id, at: i64| {
            let entries = evidence.logs.get(&log).map(|log| &log.entries);
            entries.is_some_and(|entries| entries.iter().any(|fact| fact.seq == at && !fact.recalled))
        };
        let has = hits.iter().any(|(log, fact)| log == conversation && fact.seq == *seq);
        if !has && is_there(*conversation, *seq) {
            broken(found, "search", format!("{conversation}/{seq}: {member} does not find it by {words:?}"));
        }
        for (log, fact) in hits {
            let same = |entry: &&Fact| entry.seq == fact.seq;
            let entry = evidence.logs.get(log).and_then(|log| log.entries.iter().find(same));
            if entry.is_none_or(|entry| entry.digest != fact.digest || entry.recalled) {
                let place = format!("{log}/{}", fact.seq);
                broken(found, "search", format!("{place}: {member} found by {words:?} what the log has not"));
            }
        }
        if !hits.is_sorted_by(|(_, one), (_, other)| one.rev >= other.rev) {
            broken(found, "search", format!("{member} finds {words:?} out of order"));
        }
    }
}
