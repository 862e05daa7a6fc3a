//! Each kind of wrong file is fabricated once and must be found.

use super::*;
use crate::replay::history::{Done, History, Id};

const FILE: Id = 41;

/// A message that carries a file, recalled or not, and what is read of the file.
fn evidence(recall: Option<bool>, read: Option<u64>) -> Evidence {
    let (history, key) = (History::default(), Key::from("k"));
    history.invoke(0, 11, &key, Some(21), 5);
    history.acknowledge(&key, 21, 1);
    if let Some(acknowledged) = recall {
        history.recall(&key, acknowledged);
    }
    let action = Action::Uploaded { attachment: FILE, key, words: 7 };
    Evidence {
        sendings: history.sendings(),
        done: vec![Done { member: 11, conversation: 21, action }],
        files: HashMap::from([(FILE, read)]),
        ..Evidence::default()
    }
}

fn faults(evidence: &Evidence) -> usize {
    let mut found = Vec::new();
    files(evidence, &mut found);
    assert!(found.iter().all(|one| one.promise == "files"), "{found:?}");
    found.len()
}

#[test]
fn lost_changed_and_kept_files_are_found() {
    for (recall, read, expected) in [
        (None, Some(7), 0),
        (None, Some(8), 1),
        (None, None, 1),
        (Some(true), None, 0),
        (Some(true), Some(7), 1),
        (Some(false), Some(7), 0),
        (Some(false), None, 0),
        (Some(false), Some(8), 1),
    ] {
        assert_eq!(faults(&evidence(recall, read)), expected, "{recall:?} {read:?}");
    }
    let unread = Evidence { files: HashMap::new(), ..evidence(None, None) };
    assert_eq!(faults(&unread), 1);
    let unsent = Evidence { sendings: Vec::new(), ..evidence(None, None) };
    assert_eq!(faults(&unsent), 0);
}
