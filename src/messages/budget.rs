//! How much of a log one answer hands out: bytes, not rows, because entries differ in size by a factor of a thousand.
//! No I/O.

/// What stands around the content of an entry is below this, in bytes.
const AROUND: usize = 512;

/// How much of a log may still be handed out. Owns how many rows the next statement reads.
#[derive(Debug)]
pub struct Budget {
    left: usize,
    bytes: usize,
    rows: usize,
    first: i64,
}

impl Budget {
    /// A budget of so many bytes; `first` rows are read first, to learn how large they are.
    pub fn new(bytes: usize, first: i64) -> Self {
        Self { left: bytes, bytes: 0, rows: 0, first }
    }

    /// How many rows to read next; none when the budget is used.
    pub fn rows(&self) -> Option<i64> {
        if self.rows == 0 {
            return Some(self.first);
        }
        let average = (self.bytes / self.rows).max(1);
        i64::try_from(self.left / average).ok().filter(|rows| *rows > 0)
    }

    /// Takes the share of an entry with this content; false when it is too large for what is left. The first always fits.
    pub fn take(&mut self, content: &str) -> bool {
        let size = content.len() + AROUND;
        if self.rows > 0 && size > self.left {
            self.left = 0;
            return false;
        }
        self.left = self.left.saturating_sub(size);
        self.bytes += size;
        self.rows += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{AROUND, Budget};

    #[test]
    fn the_next_piece_follows_the_size_of_what_was_read() {
        let mut budget = Budget::new(10_000, 4);
        assert_eq!(budget.rows(), Some(4));
        for _ in 0..4 {
            assert!(budget.take(&"x".repeat(1_000 - AROUND)));
        }
        assert_eq!(budget.rows(), Some(6), "six more of the same size fit");
        assert!(budget.take(&"x".repeat(5_000 - AROUND)));
        assert_eq!(budget.rows(), None, "what is left is less than an average entry");
        assert!(budget.take(&"x".repeat(1_000 - AROUND)), "it fits exactly");
        assert!(!budget.take(""), "nothing is left");
    }

    #[test]
    fn the_first_entry_always_fits_and_one_that_does_not_ends_it() {
        let mut budget = Budget::new(1_000, 4);
        assert!(budget.take(&"x".repeat(5_000)));
        assert_eq!(budget.rows(), None);
        let mut budget = Budget::new(10_000, 4);
        assert!(budget.take(""));
        assert!(!budget.take(&"x".repeat(20_000)));
        assert_eq!(budget.rows(), None, "what comes behind an entry that was left out is left out too");
    }
}
