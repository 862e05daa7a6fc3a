//! What one device believes: its logs, its inbox rows, its cursor. Owns the client rules: apply the next entry,
//! ignore what is known, hold what lies beyond a hole and pull, let the last rev of a row win. Does no I/O.
//!
//! Invariants: `log.entries` is dense from seq 1; an applied entry is never replaced. A conversation that is met for
//! the first time is read from its beginning, so that the whole log can be compared at the end.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::fact::{Fact, id};
use crate::replay::history::Id;

/// A log as far as the device has it.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Entries 1, 2, 3… without holes.
    pub entries: Vec<Fact>,
    /// Entries beyond a hole.
    held: BTreeMap<i64, Fact>,
    /// The highest seq that any row or entry spoke of.
    known_head: i64,
}

impl Log {
    /// The last seq without a hole before it.
    pub fn have(&self) -> i64 {
        self.entries.last().map_or(0, |fact| fact.seq)
    }

    /// Whether something that exists is missing here.
    pub fn behind(&self) -> bool {
        self.known_head > self.have()
    }

    /// Whether an entry of this kind is there.
    pub fn has_kind(&self, kind: &str) -> bool {
        self.entries.iter().any(|fact| &*fact.kind == kind)
    }

    /// Whether a message under this key is there.
    pub fn has_key(&self, key: &str) -> bool {
        self.entries.iter().rev().any(|fact| fact.key.as_deref() == Some(key))
    }
}

/// An inbox row as the device has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The tenant's rev of the last change that the row tells.
    pub rev: i64,
    /// The head of the log when the row was made.
    pub seq: i64,
    /// The own read position.
    pub read_seq: i64,
    /// Its version.
    pub read_ver: i64,
    /// Unread messages when the row was made.
    pub unread: i64,
    /// In it, and it is not closed.
    pub active: bool,
    /// Open, pending or closed.
    pub status: Option<Box<str>>,
}

impl Row {
    /// Reads an inbox row; none when a field that every row has is missing. Returns the conversation beside it.
    pub fn parse(row: &Value) -> Option<(Id, Self)> {
        let status = row.get("conversation").and_then(|view| view.get("status")).and_then(Value::as_str);
        let parsed = Self {
            rev: row.get("rev")?.as_i64()?,
            seq: row.get("seq")?.as_i64()?,
            read_seq: row.get("read_seq")?.as_i64()?,
            read_ver: row.get("read_ver")?.as_i64()?,
            unread: row.get("unread")?.as_i64()?,
            active: row.get("active")?.as_bool()?,
            status: status.map(Into::into),
        };
        Some((id(row.get("conversation_id")?)?, parsed))
    }
}

/// What came of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was the next one (and perhaps freed held ones).
    Next,
    /// It was there already.
    Known,
    /// It lies beyond a hole: pull.
    Beyond,
}

/// What one device believes.
#[derive(Debug, Default)]
pub struct View {
    /// Whose device.
    pub member: Id,
    /// By conversation.
    pub logs: HashMap<Id, Log>,
    /// By conversation.
    pub rows: HashMap<Id, Row>,
    /// The logs that have a hole or lack their end.
    behind: HashSet<Id>,
    /// Where to resume.
    pub cursor: Option<String>,
    /// Durable frames were dropped and not yet made up for.
    pub lagging: bool,
    /// What contradicted itself: the same entry with another content, a frame that cannot be read.
    pub contradictions: Vec<String>,
}

impl View {
    /// An empty view.
    pub fn new(member: Id) -> Self {
        Self { member, ..Self::default() }
    }

    /// Takes an entry, wherever it came from.
    pub fn take_entry(&mut self, conversation: Id, fact: Fact) -> Applied {
        let log = self.logs.entry(conversation).or_default();
        log.known_head = log.known_head.max(fact.seq);
        let have = log.have();
        if fact.seq > have + 1 {
            log.held.insert(fact.seq, fact);
            self.behind.insert(conversation);
            return Applied::Beyond;
        }
        if fact.seq <= have {
            let known = usize::try_from(fact.seq - 1).ok().and_then(|index| log.entries.get(index));
            if known.is_none_or(|known| known.digest != fact.digest) {
                self.contradictions
                    .push(format!("{conversation}/{}: the entry came twice and differs", fact.seq));
            }
            return Applied::Known;
        }
        log.entries.push(fact);
        while let Some(next) = log.held.remove(&(log.have() + 1)) {
            log.entries.push(next);
        }
        let have = log.have();
        log.held.retain(|seq, _| *seq > have);
        if !log.behind() {
            self.behind.remove(&conversation);
        }
        Applied::Next
    }

    /// Takes a row; the last rev wins. Returns whether the log is behind it.
    pub fn take_row(&mut self, conversation: Id, row: Row) -> bool {
        let behind = self.take_head(conversation, row.seq);
        if self.rows.get(&conversation).is_none_or(|known| known.rev <= row.rev) {
            self.rows.insert(conversation, row);
        }
        behind
    }

    /// Takes word of a log's head. Returns whether the log is behind it.
    pub fn take_head(&mut self, conversation: Id, head: i64) -> bool {
        let log = self.logs.entry(conversation).or_default();
        log.known_head = log.known_head.max(head);
        let behind = log.behind();
        if behind {
            self.behind.insert(conversation);
        }
        behind
    }

    /// What is missing will not come: the server refuses it.
    pub fn give_up(&mut self, conversation: Id) {
        if let Some(log) = self.logs.get_mut(&conversation) {
            log.known_head = log.have();
        }
        self.behind.remove(&conversation);
    }

    /// Forgets one conversation, or everything.
    pub fn reset(&mut self, conversation: Option<Id>) {
        match conversation {
            Some(conversation) => {
                self.logs.remove(&conversation);
                self.behind.remove(&conversation);
                self.rows.remove(&conversation);
            }
            None => {
                self.logs.clear();
                self.behind.clear();
                self.rows.clear();
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

    /// Unread as the device shows it: the row's number, plus what others wrote after the row was made.
    pub fn unread(&self, conversation: Id) -> Option<i64> {
        let row = self.rows.get(&conversation)?;
        let log = self.logs.get(&conversation)?;
        let since = log
            .entries
            .iter()
            .rev()
            .take_while(|fact| fact.seq > row.seq)
            .filter(|fact| fact.message && fact.sender != Some(self.member) && !fact.recalled)
            .count();
        Some(row.unread + i64::try_from(since).unwrap_or(i64::MAX))
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
            msg_count: seq,
            words: 0,
            digest: seq.unsigned_abs(),
        }
    }

    fn row(rev: i64, seq: i64, unread: i64) -> Row {
        Row { rev, seq, read_seq: 0, read_ver: 0, unread, active: true, status: None }
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
        assert_eq!(view.take_entry(9, Fact { digest: 77, ..fact(2) }), Applied::Known);
        assert_eq!(view.contradictions.len(), 1);
    }

    #[test]
    fn the_last_row_wins_and_finds_a_lost_tail() {
        let mut view = View::new(1);
        view.take_entry(9, fact(1));
        assert!(view.take_row(9, row(5, 2, 1)));
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
}
