//! One conversation's log as a device has it: entries without holes, entries beyond a hole, and the head it knows of.

use std::collections::BTreeMap;

use super::fact::Fact;

/// A log as far as the device has it.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Entries 1, 2, 3… without holes.
    pub entries: Vec<Fact>,
    /// Entries beyond a hole.
    held: BTreeMap<i64, Fact>,
    /// The highest seq that any row or entry spoke of.
    pub known_head: i64,
}

/// What came of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It was the next one, and perhaps freed held ones.
    Next,
    /// It was there already.
    Known,
    /// It was there in an earlier version.
    Changed,
    /// It lies beyond a hole: pull.
    Beyond,
    /// It was there already and contradicts what was there.
    Contradiction(&'static str),
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

    /// Whether a message is there whose key is this one, or begins with it and a dot.
    pub fn has_turn(&self, key: &str) -> bool {
        let is_turn =
            |own: &str| own.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.entries.iter().rev().any(|fact| fact.key.as_deref().is_some_and(is_turn))
    }

    /// The entry at this seq.
    pub fn at(&self, seq: i64) -> Option<&Fact> {
        self.entries.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// Takes an entry. Afterwards `entries` is dense as before.
    pub fn take(&mut self, fact: Fact) -> Applied {
        self.known_head = self.known_head.max(fact.seq);
        let have = self.have();
        if fact.seq > have + 1 {
            self.held.insert(fact.seq, fact);
            return Applied::Beyond;
        }
        if fact.seq <= have {
            return self.again(fact);
        }
        self.entries.push(fact);
        while let Some(next) = self.held.remove(&(self.have() + 1)) {
            self.entries.push(next);
        }
        let have = self.have();
        self.held.retain(|seq, _| *seq > have);
        Applied::Next
    }

    /// An entry that is there already: only an edit or a recall may have changed it, and an older copy that comes
    /// late changes nothing.
    fn again(&mut self, fact: Fact) -> Applied {
        let index = usize::try_from(fact.seq - 1).unwrap_or(usize::MAX);
        let Some(known) = self.entries.get_mut(index) else {
            return Applied::Contradiction("has a seq below 1");
        };
        // What came late was read before it was erased here.
        if known.erased {
            return Applied::Known;
        }
        if known.fixed != fact.fixed {
            return Applied::Contradiction("came twice and differs");
        }
        match (known.recalled, known.changed).cmp(&(fact.recalled, fact.changed)) {
            std::cmp::Ordering::Greater => Applied::Known,
            std::cmp::Ordering::Equal if known.digest == fact.digest => Applied::Known,
            // Two edits in one millisecond.
            std::cmp::Ordering::Equal if known.changed == 0 => {
                Applied::Contradiction("came twice with another content and no edit between")
            }
            _ => {
                *known = fact;
                Applied::Changed
            }
        }
    }

    /// Forgets what the entries up to this one said.
    pub fn erase(&mut self, through: i64) {
        let erased = self.entries.iter_mut().take_while(|fact| fact.seq <= through);
        erased.for_each(Fact::erase);
    }

    /// What is missing will not come.
    pub fn give_up(&mut self) {
        self.known_head = self.have();
    }
}
