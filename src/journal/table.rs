//! A typed table of the working set: rows by key, and what became of each. A row knows by itself whether it was
//! loaded, created or changed, so that no rule keeps a list of what is to be written. No I/O.
//!
//! Invariants: a loaded row replaces nothing that is already there; a changed row keeps what it was when it was
//! loaded; what is created stays created, however often it changes afterwards.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// Rows by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<K, R> {
    rows: BTreeMap<K, Slot<R>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot<R> {
    row: R,
    origin: Origin<R>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin<R> {
    Loaded,
    Created,
    /// Loaded like this, and changed since.
    Changed(Box<R>),
}

/// A stored row that changed: what it was, and what it is.
#[derive(Debug)]
pub struct Change<'a, R> {
    /// As it was loaded.
    pub before: &'a R,
    /// As it is to be stored.
    pub after: &'a R,
}

impl<R> Clone for Change<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Change<'_, R> {}

impl<K, R> Default for Table<K, R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, R: Clone + PartialEq> Table<K, R> {
    /// Takes over a stored row. A row that is there already stays: it may have changed.
    pub fn load(&mut self, key: K, row: R) {
        self.rows.entry(key).or_insert(Slot { row, origin: Origin::Loaded });
    }

    /// Adds a row that is not stored yet.
    pub fn create(&mut self, key: K, row: R) {
        self.rows.insert(key, Slot { row, origin: Origin::Created });
    }

    /// The row under this key.
    pub fn get(&self, key: &K) -> Option<&R> {
        self.rows.get(key).map(|slot| &slot.row)
    }

    /// The row under this key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut R> {
        let slot = self.rows.get_mut(key)?;
        if matches!(slot.origin, Origin::Loaded) {
            slot.origin = Origin::Changed(Box::new(slot.row.clone()));
        }
        Some(&mut slot.row)
    }

    /// The row under this key as it was loaded; `None` for one that is not stored yet.
    pub fn loaded(&self, key: &K) -> Option<&R> {
        let slot = self.rows.get(key)?;
        match &slot.origin {
            Origin::Loaded => Some(&slot.row),
            Origin::Changed(before) => Some(before),
            Origin::Created => None,
        }
    }

    /// Whether there is a row under this key.
    pub fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// Every row with its key, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &R)> {
        self.rows.iter().map(|(key, slot)| (key, &slot.row))
    }

    /// Every row, in the order of the keys.
    pub fn values(&self) -> impl Iterator<Item = &R> {
        self.rows.values().map(|slot| &slot.row)
    }

    /// The rows whose keys lie in this range.
    pub fn range(&self, range: impl RangeBounds<K>) -> impl Iterator<Item = &R> {
        self.rows.range(range).map(|(_, slot)| &slot.row)
    }

    /// The rows that are not stored yet.
    pub fn created(&self) -> impl Iterator<Item = &R> {
        self.rows.values().filter(|slot| matches!(slot.origin, Origin::Created)).map(|slot| &slot.row)
    }

    /// The stored rows that differ from what was loaded.
    pub fn changed(&self) -> impl Iterator<Item = Change<'_, R>> {
        self.rows.values().filter_map(|slot| match &slot.origin {
            Origin::Changed(before) if **before != slot.row => {
                Some(Change { before: before.as_ref(), after: &slot.row })
            }
            _ => None,
        })
    }

    /// The rows that are to be written, new ones and changed ones.
    pub fn written(&self) -> impl Iterator<Item = &R> {
        self.rows
            .values()
            .filter(|slot| match &slot.origin {
                Origin::Loaded => false,
                Origin::Created => true,
                Origin::Changed(before) => **before != slot.row,
            })
            .map(|slot| &slot.row)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Table;

    #[test]
    fn a_table_knows_what_was_loaded_created_and_changed() {
        let mut table = Table::default();
        table.load(1, "loaded");
        table.load(2, "to be changed");
        table.load(3, "touched only");
        table.create(4, "new");
        *table.get_mut(&2).unwrap() = "changed";
        *table.get_mut(&4).unwrap() = "new and changed";
        table.get_mut(&3).unwrap();
        table.load(2, "loaded again");
        assert_eq!(table.created().copied().collect::<Vec<_>>(), ["new and changed"]);
        let changed: Vec<_> = table.changed().map(|change| (*change.before, *change.after)).collect();
        assert_eq!(changed, [("to be changed", "changed")]);
        assert_eq!(table.written().count(), 2);
        assert!(table.get_mut(&9).is_none() && table.get(&1) == Some(&"loaded"));
    }
}
