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
                    if let ("edited" | "recalled", Some(message)) = (&*notice.kind, notice.ref_seq) {
                        self.stale.insert((conversation, message), notice.seq);
                    }
                }
                if !log.behind() {
                    self.behind.remove(&conversation);
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

    /// What is missing will not come: the server refuses it. A log that no row speaks of any more was dropped while the
    /// answer was on its way.
    pub fn give_up(&mut self, conversation: Id, why: Option<String>) {
        let known = self.rows.iter().any(|(front, row)| {
            *front == conversation || row.notes.is_some_and(|(notes, _)| notes == conversation)
        });
        if known {
            self.refused.extend(why.map(|why| (conversation, why)));
        } else {
            self.logs.remove(&conversation);
        }
        if let Some(log) = self.logs.get_mut(&conversation) {
            log.give_up();
        }
        self.behind.remove(&conversation);
        self.stale.retain(|(one, _), _| *one != conversation);
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

    /// Messages that must be read again, with the seq of the notice that said so.
    pub fn stale(&self) -> impl Iterator<Item = (Id, i64, i64)> {
        self.stale.iter().map(|((conversation, message), notice)| (*conversation, *message, *notice))
    }

    /// A message was read again after this notice was applied.
    pub fn refreshed(&mut self, conversation: Id, message: i64, notice: i64) {
        if self.stale.get(&(conversation, message)) == Some(&notice) {
            self.stale.remove(&(conversation, message));
        }
    }

    /// Whether the view misses nothing that it knows of.
    pub fn is_whole(&self) -> bool {
        !self.lagging && self.behind.is_empty() && self.stale.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(seq: i64) -> Fact {
        Fact {
            seq,
            rev: seq,
            sender: Some(2),
            key: Some(format!("k{seq}").into()),
            message: true,
            recalled: false,
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
}
