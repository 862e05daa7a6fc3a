//! Behind which row an export goes on, and what was read there.

use serde::{Deserialize, Serialize};

use super::tables;

/// Rows that one statement reads.
pub const ROWS: i64 = 250;
/// Rows on which others hang, of one statement.
pub const PARENTS: i64 = 250;

/// Behind which row an export goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The table.
    pub table: String,
    /// The last key that was read; of entries of a tenant: rev, conversation, seq.
    pub after: [i64; 3],
}

/// Some rows.
#[derive(Debug)]
pub struct Piece {
    /// Each with its type.
    pub lines: Vec<(&'static str, String)>,
    /// Where the next piece begins; `None`: there is none.
    pub next: Option<Place>,
}

impl Place {
    /// The beginning.
    pub fn first() -> Option<Self> {
        tables::all().next().map(|table| Self::before(table.table))
    }

    /// Before the first row of a table.
    pub fn before(table: &str) -> Self {
        Self { table: table.to_owned(), after: [0; 3] }
    }
}
