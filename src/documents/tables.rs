//! The tables that the documents and the portal show: error codes, rights, entry kinds. Owns their columns; the rows
//! come from the code that obeys them, and each reader gives them its own form.

use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::permission::{Operation, scope};
use crate::kernel::Code;

/// A table. The first cell of a row is a name; the others are Markdown.
#[derive(Debug, Clone)]
pub struct Table {
    /// One word for each column.
    pub headings: Vec<String>,
    /// As many cells in each as there are headings.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Self {
        Self { headings: headings.iter().map(ToString::to_string).collect(), rows: rows.collect() }
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("| {} |\n|{}\n", self.headings.join(" | "), "---|".repeat(self.headings.len()));
        for row in &self.rows {
            let (name, cells) =
                row.split_first().map_or(("", &[][..]), |(name, cells)| (name.as_str(), cells));
            text.push_str(&format!("| `{name}` | {} |\n", cells.join(" | ")));
        }
        text
    }
}

/// Every error code.
pub fn error_codes() -> Table {
    let row = |code: &Code| {
        let retryable = if code.retryable() { "yes" } else { "no" };
        vec![code.to_string(), code.status().to_string(), retryable.to_owned(), code.meaning().to_owned()]
    };
    Table::new(&["code", "status", "retryable", "meaning"], Code::ALL.iter().map(row))
}

/// Who may do what, and how far.
pub fn rights() -> Table {
    let row = |operation: &Operation| {
        let mut row = vec![operation.to_string(), operation.meaning().to_owned()];
        row.extend(Role::ALL.iter().map(|role| scope(*role, *operation).to_string()));
        row
    };
    let mut table = Table::new(&["right", "meaning"], Operation::ALL.iter().map(row));
    table.headings.extend(Role::ALL.iter().map(ToString::to_string));
    table
}

/// What an entry can be.
pub fn entry_kinds() -> Table {
    let row = |kind: &EntryKind| vec![kind.to_string(), kind.meaning().to_owned()];
    Table::new(&["kind", "meaning"], EntryKind::ALL.iter().map(row))
}
