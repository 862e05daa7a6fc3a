//! What the clients did and what they were told: every operation invoked, acknowledged, refused or unknown, and how
//! long it took. Owns the record; judges nothing (see `judge`).
//!
//! Invariants: an operation is noted before its first byte leaves; it is never taken back, only added to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use super::counters::{Counters, count};

/// An identifier of the server, parsed from its string of digits.
pub type Id = i64;

/// A sender's own key of a message, unique in the whole run.
pub type Key = Arc<str>;

/// Sending one message, however often it was tried.
#[derive(Debug, Clone)]
pub struct Sending {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// Who sends.
    pub sender: Id,
    /// Under which key.
    pub key: Key,
    /// Where; unknown until an opening was answered.
    pub conversation: Option<Id>,
    /// The digest of what was said.
    pub words: u64,
    /// Attempts that were made.
    pub attempts: u32,
    /// Every seq that an acknowledgement named; more than one is a violation.
    pub acknowledged: Vec<i64>,
    /// The last definite refusal.
    pub refused: Option<String>,
    /// An attempt ended without an answer.
    pub unknown: bool,
    /// The digest of every new content that its sender gave it, in order, and whether that was acknowledged.
    pub edits: Vec<(u64, bool)>,
    /// Whether its sender recalled it, and whether that was acknowledged.
    pub recall: Option<bool>,
    /// When the first attempt began.
    pub invoked: Instant,
    /// How long it took until it was acknowledged.
    pub took: Option<Duration>,
    delivered: bool,
}

/// What else was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The agent was told that it serves the conversation.
    Claimed,
    /// The agent was told that it accepted an offer of the conversation.
    Accepted,
    /// The agent was told that it declined an offer of the conversation.
    Declined,
    /// The agent was told that the conversation is offered to another agent.
    Asked {
        /// To whom.
        agent: Id,
    },
    /// The agent was told that the whole group serves the conversation.
    Docked {
        /// Which group.
        group: Id,
    },
    /// The agent was told that the conversation waits for the group.
    GivenToGroup {
        /// Which group.
        group: Id,
    },
    /// The member was told that the log is closed.
    Closed,
    /// The customer was told that its rating stands.
    Rated {
        /// The rating.
        id: Id,
        /// Which end of the conversation is rated.
        close_seq: i64,
        /// What was said.
        score: i64,
    },
    /// The member was told that the content of its attachment came.
    Uploaded {
        /// The attachment.
        attachment: Id,
        /// The message that is to carry it.
        key: Key,
        /// The digest of the content.
        words: u64,
    },
    /// The member was told that its read position is at least here, in this version of it.
    Read {
        /// Up to here.
        seq: i64,
        /// The version.
        version: i64,
    },
    /// The member was told that the conversation counts as unread, and the version of its read position from then on.
    MarkedUnread {
        /// The version.
        version: i64,
    },
}

/// An acknowledged action, with its member and conversation.
#[derive(Debug, Clone)]
pub struct Done {
    /// Who.
    pub member: Id,
    /// Where.
    pub conversation: Id,
    /// What.
    pub action: Action,
}

/// What a visitor asked for when it opened a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The group whose matter it is.
    pub group: Option<Id>,
    /// Without this skill, at least at this level, nobody is to be chosen.
    pub required: Option<(&'static str, u8)>,
}

/// The record of one run.
#[derive(Debug, Default)]
pub struct History {
    sendings: Mutex<HashMap<Key, Sending>>,
    done: Mutex<Vec<Done>>,
    acknowledgements: Mutex<Vec<Duration>>,
    deliveries: Mutex<Vec<Duration>>,
    error_kind: Mutex<Vec<String>>,
    asked: Mutex<HashMap<Id, Asked>>,
    /// What happened how often.
    pub counters: Counters,
    /// Devices that are not live and want to be.
    trying: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl History {
    /// A device begins to connect, or has no need to any more.
    pub fn tries(&self, trying: bool) {
        match trying {
            true => self.trying.fetch_add(1, Ordering::Relaxed),
            false => self.trying.fetch_sub(1, Ordering::Relaxed),
        };
    }

    /// Whether every device that wants to be is live.
    pub fn is_settled(&self) -> bool {
        self.trying.load(Ordering::Relaxed) == 0
    }

    /// An attempt to send begins.
    pub fn invoke(&self, tenant: usize, sender: Id, key: &Key, conversation: Option<Id>, words: u64) {
        let mut sendings = lock(&self.sendings);
        let sending = sendings.entry(key.clone()).or_insert_with(|| Sending {
            tenant,
            sender,
            key: key.clone(),
            conversation,
            words,
            attempts: 0,
            acknowledged: Vec::new(),
            refused: None,
            unknown: false,
            edits: Vec::new(),
            recall: None,
            invoked: Instant::now(),
            took: None,
            delivered: false,
        });
        sending.attempts += 1;
    }

    /// An attempt was acknowledged. Returns whether it was the first acknowledgement of this message.
    pub fn acknowledge(&self, key: &str, conversation: Id, seq: i64) -> bool {
        let mut sendings = lock(&self.sendings);
        let Some(sending) = sendings.get_mut(key) else { return false };
        sending.conversation = Some(conversation);
        let first = sending.acknowledged.is_empty();
        if !sending.acknowledged.contains(&seq) {
            sending.acknowledged.push(seq);
        }
        if first {
            let took = sending.invoked.elapsed();
            sending.took = Some(took);
            lock(&self.acknowledgements).push(took);
            count(&self.counters.messages);
        }
        first
    }

    /// An attempt was refused for good.
    pub fn refuse(&self, key: &str, code: &str) {
        let mut sendings = lock(&self.sendings);
        if let Some(sending) = sendings.get_mut(key) {
            sending.refused = Some(code.to_owned());
        }
    }

    /// An attempt ended without an answer.
    pub fn lose_sight(&self, key: &str) {
        count(&self.counters.unknown);
        let mut sendings = lock(&self.sendings);
        if let Some(sending) = sendings.get_mut(key) {
            sending.unknown = true;
        }
    }

    /// The sender gives its message another content.
    pub fn edit(&self, key: &str, words: u64) {
        let mut sendings = lock(&self.sendings);
        if let Some(sending) = sendings.get_mut(key) {
            sending.edits.push((words, false));
        }
    }

    /// The last edit was acknowledged.
    pub fn edited(&self, key: &str) {
        count(&self.counters.edits);
        let mut sendings = lock(&self.sendings);
        if let Some(last) = sendings.get_mut(key).and_then(|sending| sending.edits.last_mut()) {
            last.1 = true;
        }
    }

    /// The sender recalls its message; `done` when that was acknowledged.
    pub fn recall(&self, key: &str, done: bool) {
        if done {
            count(&self.counters.recalls);
        }
        let mut sendings = lock(&self.sendings);
        if let Some(sending) = sendings.get_mut(key) {
            sending.recall = Some(done);
        }
    }

    /// Somebody other than the sender has the message on the screen.
    pub fn deliver(&self, key: &str, to: Id) {
        let mut sendings = lock(&self.sendings);
        if let Some(sending) = sendings.get_mut(key)
            && sending.sender != to
            && !sending.delivered
        {
            sending.delivered = true;
            lock(&self.deliveries).push(sending.invoked.elapsed());
        }
    }

    /// Something else was acknowledged.
    pub fn note(&self, member: Id, conversation: Id, action: Action) {
        lock(&self.done).push(Done { member, conversation, action });
    }

    /// A conversation was opened, and asks for this.
    pub fn ask(&self, conversation: Id, asked: Asked) {
        lock(&self.asked).insert(conversation, asked);
    }

    /// What a conversation asks for.
    pub fn asked(&self, conversation: Id) -> Asked {
        lock(&self.asked).get(&conversation).cloned().unwrap_or_default()
    }

    /// Something went wrong that is no violation of a promise but ends or hampers the run.
    pub fn complain(&self, text: impl Into<String>) {
        let mut error_kind = lock(&self.error_kind);
        if error_kind.len() < 1_000 {
            error_kind.push(text.into());
        }
    }

    /// Every message.
    pub fn sendings(&self) -> Vec<Sending> {
        lock(&self.sendings).values().cloned().collect()
    }

    /// Everything else that was acknowledged.
    pub fn done(&self) -> Vec<Done> {
        lock(&self.done).clone()
    }

    /// How long acknowledgements and deliveries took, each in rising order.
    pub fn durations(&self) -> (Vec<Duration>, Vec<Duration>) {
        let sorted = |mutex: &Mutex<Vec<Duration>>| {
            let mut durations = lock(mutex).clone();
            durations.sort_unstable();
            durations
        };
        (sorted(&self.acknowledgements), sorted(&self.deliveries))
    }

    /// What went wrong.
    pub fn error_kind(&self) -> Vec<String> {
        lock(&self.error_kind).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_record_however_often_it_is_tried() {
        let history = History::default();
        let key: Key = "k".into();
        history.invoke(0, 1, &key, Some(5), 9);
        history.lose_sight("k");
        history.invoke(0, 1, &key, Some(5), 9);
        assert!(history.acknowledge("k", 5, 3));
        assert!(!history.acknowledge("k", 5, 3));
        history.deliver("k", 1);
        history.deliver("k", 2);
        history.deliver("k", 3);
        let sendings = history.sendings();
        assert_eq!(sendings.len(), 1);
        assert_eq!((sendings[0].attempts, sendings[0].unknown), (2, true));
        assert_eq!(sendings[0].acknowledged, [3]);
        let (acknowledged, delivered) = history.durations();
        assert_eq!((acknowledged.len(), delivered.len()), (1, 1));
    }
}
