//! Files: what a message carries is what was uploaded, and what was recalled is gone. Pure, as `judge` is.

use std::collections::HashMap;

use super::evidence::{Evidence, Violation, broken};
use super::history::{Action, Key, Sending};

/// Finds files that are lost, changed, or still read although their message was recalled.
pub(super) fn files(evidence: &Evidence, found: &mut Vec<Violation>) {
    let sendings: HashMap<&Key, &Sending> = evidence.sendings.iter().map(|one| (&one.key, one)).collect();
    for done in &evidence.done {
        let Action::Uploaded { attachment, key, words } = &done.action else { continue };
        // One that was uploaded and not sent is read by nobody else.
        let Some(sending) = sendings.get(key).filter(|sending| !sending.acknowledged.is_empty()) else {
            continue;
        };
        let read = evidence.files.get(attachment).copied().flatten();
        let fits = match sending.recall {
            None => read == Some(*words),
            Some(true) => read.is_none(),
            Some(false) => read.is_none() || read == Some(*words),
        };
        if !fits {
            let recall = sending.recall;
            let what =
                format!("{attachment} of {key}, recalled {recall:?}: {words} was uploaded, {read:?} is read");
            broken(found, "files", what);
        }
    }
}

#[cfg(test)]
#[path = "judge_files_tests.rs"]
mod tests;
