//! What an import did: how many rows of each table were read and what became of them, and a line for each that was refused or
//! came in changed.

use std::io::Write;

use serde::Serialize;

/// Most lines that are kept; those beyond are counted.
const LINES_MAX: usize = 100_000;

/// What an import did.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The name of the source, under which its rows are kept apart.
    pub source: String,
    /// The tenant's slug.
    pub tenant: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The tables that were found, in the order of the work.
    pub tables: Vec<TableReport>,
    /// Rows that were refused or changed.
    pub lines: Vec<Line>,
    /// Lines beyond the first hundred thousand.
    pub omitted: u64,
}

/// What became of a table.
#[derive(Debug, Default, Serialize)]
pub struct TableReport {
    /// Its name.
    pub table: &'static str,
    /// Rows that were read: the sum of the three below.
    pub read: u64,
    /// Rows that came in.
    pub imported: u64,
    /// Rows that were there already.
    pub present: u64,
    /// Rows that did not come in: each has a line.
    pub refused: u64,
}

/// What is said of one row.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Its table.
    pub table: &'static str,
    /// Its key; null: the whole table.
    pub id: Option<i64>,
    /// `refused`: it is not there. `changed`: it is, but not as it was.
    pub what: &'static str,
    /// Why.
    pub why: String,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It came in; what was changed on the way.
    Imported(Vec<String>),
    /// It was there.
    Present,
    /// It did not come in: why.
    Refused(String),
}

impl Report {
    /// Counts a row.
    pub fn row(&mut self, table: &'static str, id: i64, outcome: Outcome) {
        let count = self.table(table);
        count.read += 1;
        match outcome {
            Outcome::Imported(changes) => {
                count.imported += 1;
                changes.into_iter().for_each(|why| self.line(table, Some(id), "changed", why));
            }
            Outcome::Present => count.present += 1,
            Outcome::Refused(why) => {
                count.refused += 1;
                self.line(table, Some(id), "refused", why);
            }
        }
    }

    /// Names a table, also when it has no rows.
    pub fn table(&mut self, table: &'static str) -> &mut TableReport {
        let place = self.tables.iter().position(|one| one.table == table);
        let place = place.unwrap_or_else(|| {
            self.tables.push(TableReport { table, ..TableReport::default() });
            self.tables.len() - 1
        });
        &mut self.tables[place]
    }

    /// Says something of a row, or of a whole table.
    pub fn line(&mut self, table: &'static str, id: Option<i64>, what: &'static str, why: String) {
        match self.lines.len() < LINES_MAX {
            true => self.lines.push(Line { table, id, what, why }),
            false => self.omitted += 1,
        }
    }

    /// Prints it for the operator.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for line in &self.lines {
            let id = line.id.map(|id| format!(" {id}")).unwrap_or_default();
            writeln!(out, "{}{id} {}: {}", line.table, line.what, line.why)?;
        }
        if self.omitted > 0 {
            writeln!(out, "… and {} lines more", self.omitted)?;
        }
        writeln!(out, "{:<18} {:>9} {:>9} {:>9} {:>9}", "table", "read", "imported", "present", "refused")?;
        for TableReport { table, read, imported, present, refused } in &self.tables {
            writeln!(out, "{table:<18} {read:>9} {imported:>9} {present:>9} {refused:>9}")?;
        }
        if self.dry_run {
            writeln!(out, "nothing was written: this was a dry run")?;
        }
        Ok(())
    }
}
