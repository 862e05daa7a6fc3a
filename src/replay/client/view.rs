//! What one device believes: its logs, its inbox rows, its cursor. Owns the client rules: apply the next entry,
//! ignore what is known, hold what lies beyond a hole and pull, let the last rev of a row win. Does no I/O.
//!
//! Invariants: a log's entries are dense from seq 1; an applied entry is replaced only by a later version of itself.
//! A conversation that is met for the first time is read from its beginning, so that the whole log can be compared at
//! the end.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::fact::Fact;
pub use super::log::{Applied, Log};
pub use super::row::Row;
use super::signal::{Heard, Offer, Presence, RECORDED, Signal};
use crate::replay::history::Id;

/// A change that a screen would show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The next entry of a conversation: its seq and kind.
    Entry(Id, i64, Box<str>),
    /// A message has other content, or (true) was recalled.
    Changed(Id, i64, bool),
    /// What a conversation's entries up to this one said was dropped.
    Erased(Id, i64),
    /// One conversation, or everything, was dropped.
    Dropped(Option<Id>),
}

/// What one device believes.
#[derive(Debug)]
pub struct View {
    /// Whose device.
    pub member: Id,
    /// By conversation.
    pub logs: HashMap<Id, Log>,
    /// By conversation.
    pub rows: HashMap<Id, Row>,
    /// Rows that came, whatever they changed.
    pub rows_taken: u64,
    /// The revs at which the member left conversations: no older row brings them back.
    left: HashMap<Id, i64>,
    /// The logs that have a hole or lack their end.
    behind: HashSet<Id>,
    /// Messages that a notice says were changed, with the notice's seq: they must be read again.
    stale: HashMap<(Id, i64), i64>,
    /// Where to resume.
    pub cursor: Option<String>,
    /// Durable frames were dropped and not yet made up for.
    pub lagging: bool,
    /// What contradicted itself: the same entry with another content, a frame that cannot be read.
    pub contradictions: Vec<String>,
    /// Typing and receipts, in order.
    pub heard: Vec<Heard>,
    /// Offers to the member, by their ids.
    pub offers: HashMap<Id, Offer>,
    /// What `presence` frames said of the staff, in order.
    pub presences: Vec<Presence>,
    /// Pulls that were refused for good, by conversation. That is right for a conversation that was lost, which the next
    /// `reset` says, and for no other.
    pub refused: HashMap<Id, String>,
    /// Changes in order, for whoever wants them and takes them out again.
    pub shown: Option<Vec<Shown>>,
    begun: Instant,
}

impl View {
    /// An empty view.
    pub fn new(member: Id) -> Self {
        Self {
            member,
            logs: HashMap::new(),
            rows: HashMap::new(),
            rows_taken: 0,
            left: HashMap::new(),
            behind: HashSet::new(),
            stale: HashMap::new(),
            cursor: None,
            lagging: false,
            contradictions: Vec::new(),
            heard: Vec::new(),
            offers: HashMap::new(),
            presences: Vec::new(),
            refused: HashMap::new(),
            shown: None,
            begun: Instant::now(),
        }
    }

    /// Milliseconds since the device began.
    pub fn age(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Records a signal.
    pub fn hear(&mut self, signal: Signal) {
        if self.heard.len() < RECORDED {
            self.heard.push(Heard { at: self.age(), signal });
        }
    }

    /// Takes word of an offer; the last rev wins.
    pub fn take_offer(&mut self, id: Id, offer: Offer) {
        let known = self.offers.entry(id).or_insert(offer);
        if known.rev <= offer.rev {
            *known = offer;
        }
    }

    /// Records what one of the staff is.
    pub fn take_presence(&mut self, presence: Presence) {
        if self.presences.len() < RECORDED {
            self.presences.push(presence);
        }
    }

    /// Takes an entry, wherever it came from.
    pub fn take_entry(&mut self, conversation: Id, fact: Fact) -> Applied {
        let log = self.logs.entry(conversation).or_default();
        let (seq, have) = (fact.seq, log.have());
        let applied = log.take(fact);
        match &applied {
            Applied::Contradiction(what) => {
                self.contradictions.push(format!("{conversation}/{seq}: the entry {what}"));
            }
            Applied::Beyond => {
                self.behind.insert(conversation);
            }
            Applied::Next => {
                let new = usize::try_from(have).unwrap_or_default();
                for notice in log.entries.get(new..).unwrap_or_default() {
                    if let Some(shown) = &mut self.shown {
                        shown.push(Shown::Entry(conversation, notice.seq, notice.kind.clone()));
                    }
                    if let Some(message) = notice.changed_entry() {
                        self.stale.insert((conversation, message), notice.seq);
                    }
                }
                let notices = log.entries.get(new..).unwrap_or_default();
                let through = notices.iter().filter_map(|notice| notice.erased_through).max();
                if !log.behind() {
                    self.behind.remove(&conversation);
                }
                if let Some(through) = through {
                    log.erase(through);
                    self.stale.retain(|(one, message), _| *one != conversation || *message > through);
                    self.shown.iter_mut().for_each(|shown| shown.push(Shown::Erased(conversation, through)));
                }
            }
            Applied::Changed => {
                if let Some(shown) = &mut self.shown {
                    let recalled = log.at(seq).is_some_and(|fact| fact.recalled);
                    shown.push(Shown::Changed(conversation, seq, recalled));
                }
            }
            Applied::Known => {}
        }
        applied
    }

    /// Takes a row; the last rev wins. One that says that the member is gone drops the local copy.
    pub fn take_row(&mut self, conversation: Id, row: Row) {
        self.rows_taken += 1;
        let left = self.left.get(&conversation).copied().unwrap_or_default();
        if row.rev < left {
            return;
        }
        if row.gone {
            if self.rows.get(&conversation).is_none_or(|known| known.rev <= row.rev) {
                self.left.insert(conversation, row.rev);
                self.reset(Some(conversation));
            }
            return;
        }
        self.take_head(conversation, row.seq);
        if let Some((notes, head)) = row.notes {
            self.take_head(notes, head);
        }
        if self.rows.get(&conversation).is_none_or(|known| known.rev <= row.rev) {
            self.refused.remove(&conversation);
            row.notes.and_then(|(notes, _)| self.refused.remove(&notes));
            self.rows.insert(conversation, row);
        }
    }

    /// Takes word of a log's head.
    pub fn take_head(&mut self, conversation: Id, head: i64) {
        let log = self.logs.entry(conversation).or_default();
        log.known_head = log.known_head.max(head);
        if log.behind() {
            self.behind.insert(conversation);
        }
    }

    /// What is missing does not come: the server refuses it. A log that no row speaks of any more was dropped while the
    /// answer was on its way. One whose member lost it and got it back has a newer row to come, after which what it
    /// lacks is asked for again; `why` is what remains to be said when that row does not come.
    pub fn give_up(&mut self, conversation: Id, why: Option<String>) {
        let known = self.rows.iter().any(|(front, row)| {
            *front == conversation || row.notes.is_some_and(|(notes, _)| notes == conversation)
        });
        if let Some(log) = self.logs.get_mut(&conversation) {
            log.give_up();
        }
        self.behind.remove(&conversation);
        match why {
            Some(why) if known => {
                self.refused.insert(conversation, why);
            }
            _ => self.stale.retain(|(one, _), _| *one != conversation),
        }
        if !known {
            self.logs.remove(&conversation);
        }
    }

    /// Forgets one conversation, or everything.
    pub fn reset(&mut self, conversation: Option<Id>) {
        if let Some(shown) = &mut self.shown {
            shown.push(Shown::Dropped(conversation));
        }
        self.hear(Signal::Dropped { conversation });
        match conversation {
            Some(conversation) => {
                // The log behind it is gone with it.
                let notes = self.rows.get(&conversation).and_then(|row| row.notes);
                for log in [Some(conversation), notes.map(|(notes, _)| notes)].into_iter().flatten() {
                    self.refused.remove(&log);
                    self.logs.remove(&log);
                    self.behind.remove(&log);
                    self.stale.retain(|(one, _), _| *one != log);
                }
                self.rows.remove(&conversation);
            }
            None => {
                self.refused.clear();
                self.logs.clear();
                self.behind.clear();
                self.stale.clear();
                self.rows.clear();
                self.left.clear();
                self.cursor = None;
            }
        }
    }

    /// What to tell the server at hello: at most `most` conversations with the last seq, those that go on first,
    /// then the most recent.
    pub fn resume_points(&self, most: usize) -> Vec<(Id, i64)> {
        let mut points: Vec<_> = self
            .logs
            .iter()
            .filter(|(_, log)| !log.entries.is_empty())
            .map(|(conversation, log)| {
                let active = self.rows.get(conversation).is_none_or(|row| row.active);
                (!active, std::cmp::Reverse(*conversation), log.have())
            })
            .collect();
        points.sort_unstable();
        points.truncate(most);
        points.into_iter().map(|(_, conversation, have)| (conversation.0, have)).collect()
    }

    /// The logs that have a hole or lack their end.
    pub fn behind(&self) -> &HashSet<Id> {
        &self.behind
    }

    /// Messages that must be read again, with the seq of the notice that said so; not those of a log that is refused.
    pub fn stale(&self) -> impl Iterator<Item = (Id, i64, i64)> {
        let stale =
            self.stale.iter().filter(|((conversation, _), _)| !self.refused.contains_key(conversation));
        stale.map(|((conversation, message), notice)| (*conversation, *message, *notice))
    }

    /// A message was read again after this notice was applied.
    pub fn refreshed(&mut self, conversation: Id, message: i64, notice: i64) {
        if self.stale.get(&(conversation, message)) == Some(&notice) {
            self.stale.remove(&(conversation, message));
        }
    }

    /// Whether the view misses nothing that it knows of.
    pub fn is_whole(&self) -> bool {
        !self.lagging && self.behind.is_empty() && self.stale().next().is_none()
    }

    /// Unread as the device shows it: the row's number, plus what others wrote after the row was made, less what was
    /// recalled since.
    pub fn unread(&self, conversation: Id) -> Option<i64> {
        let row = self.rows.get(&conversation)?;
        let log = self.logs.get(&conversation)?;
        let by_others = |fact: &Fact| fact.message && fact.sender != Some(self.member);
        let change = |fact: &Fact| match (&*fact.kind, fact.ref_seq) {
            ("recalled", Some(message)) if message <= row.seq && message > row.read_seq => {
                -i64::from(log.at(message).is_some_and(by_others))
            }
            _ => i64::from(by_others(fact) && !fact.recalled && fact.seq > row.read_seq),
        };
        let since: i64 = log.entries.iter().rev().take_while(|fact| fact.seq > row.seq).map(change).sum();
        Some(row.unread + since)
    }
}
