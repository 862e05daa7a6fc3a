//! An import under way: the other database, its tables that were found, and what is known so far.
//!
//! Owns how slices of the other database are read. Does not own the order of the work (`run`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::ledger::Ledger;
use super::report::{Outcome, Report};
use super::row::Row;
use super::tables::{self, TABLES, Table};
use crate::app::App;
use crate::db::blocking;
use crate::db::foreign::{Foreign, ForeignRow, ForeignTable};
use crate::domain::centre::account::Channel;
use crate::kernel::text::has_nul;
use crate::kernel::{Code, Error, Result, TenantId};

/// Rows of a slice.
const ROWS: i64 = 200;
/// Merchants that are named when one has to be chosen.
const MERCHANTS: i64 = 20;

/// An import under way.
pub struct Import {
    /// What does the work.
    pub app: Arc<App>,
    /// Into which tenant.
    pub tenant: TenantId,
    /// What rows became.
    pub ledger: Ledger,
    /// The other system's clock.
    pub zone: TimeZone,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// What was done.
    pub report: Report,
    /// Of a dry run: the channels of templates that would come in.
    pub channels: HashMap<i64, Channel>,
    /// The other database, while nobody reads in it.
    pub source: Option<Foreign>,
    /// Whose rows are imported.
    pub merchant: Option<String>,
    /// The tables that were found.
    pub found: Vec<(&'static Table, ForeignTable)>,
}

impl Import {
    /// Reads in the other database, off the async workers.
    async fn read<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&mut Foreign) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut source = self.source.take().ok_or_else(|| Error::internal("the source is gone"))?;
        let (source, found) = blocking(move || {
            let found = read(&mut source);
            Ok((source, found))
        })
        .await?;
        self.source = Some(source);
        found
    }

    /// Finds the tables that can be imported. Errors: `invalid_parameter` when there is none, or when a table is shared and nobody
    /// said whose rows are meant.
    pub async fn find_tables(&mut self) -> Result<()> {
        for table in TABLES {
            let columns = self.read(|source| source.columns(table.name)).await?;
            if columns.is_empty() {
                continue;
            }
            let lacks: Vec<&str> =
                table.needs.iter().copied().filter(|need| !columns.contains_key(*need)).collect();
            if !lacks.is_empty() {
                let why = format!("it is another table of that name: it has no {}", lacks.join(", "));
                self.report.line(table.name, None, "refused", why);
                continue;
            }
            let known = table
                .columns
                .iter()
                .filter_map(|(column, _)| columns.get(*column).map(|kind| (*column, kind == "timestamp")));
            let found = ForeignTable { name: table.name, key: table.key, columns: known.collect() };
            let asked = found.clone();
            let doubles = self.read(move |source| source.doubles(&asked)).await?;
            if doubles > 0 {
                let why = format!(
                    "{doubles} rows have the {} of another one, or none: load it with its keys",
                    table.key
                );
                self.report.line(table.name, None, "refused", why);
                continue;
            }
            self.choose_merchant(table, &found).await?;
            self.report.table(table.name);
            self.found.push((table, found));
        }
        match self.found.is_empty() {
            true => Err(Error::new(
                Code::InvalidParameter,
                "the database has none of the tables that can be imported",
            )),
            false => Ok(()),
        }
    }

    /// Fails when a table is shared and nobody said whose rows are meant.
    async fn choose_merchant(&mut self, table: &Table, found: &ForeignTable) -> Result<()> {
        let Some(column) = table.merchant.filter(|_| self.merchant.is_none()) else { return Ok(()) };
        let asked = found.clone();
        let merchants = self.read(move |source| source.values(&asked, column, MERCHANTS)).await?;
        if merchants.len() < 2 {
            return Ok(());
        }
        let detail = format!(
            "{} merchants share {}: say with --merchant which one, such as {}",
            merchants.len(),
            table.name,
            merchants.join(", ")
        );
        Err(Error::new(Code::InvalidParameter, detail))
    }

    fn table(&self, table: &Table) -> Option<ForeignTable> {
        self.found.iter().find(|(one, _)| one.name == table.name).map(|(_, found)| found.clone())
    }

    /// The rows of a table after a key, and the last key; rows that cannot be read are refused when they are first met.
    pub async fn slice(
        &mut self,
        table: &'static Table,
        after: i64,
        again: bool,
    ) -> Result<Option<(Vec<Row>, i64)>> {
        let Some(found) = self.table(table) else { return Ok(None) };
        let only = table.merchant.zip(self.merchant.clone());
        let rows = self.read(move |source| {
            let only = only.as_ref().map(|(column, value)| (*column, value.as_str()));
            source.slice(&found, after, only, ROWS)
        });
        let rows = rows.await?;
        let Some(last) = rows.last().map(|row| row.id) else { return Ok(None) };
        Ok(Some((self.readable(table, rows, again), last)))
    }

    fn readable(&mut self, table: &'static Table, rows: Vec<ForeignRow>, again: bool) -> Vec<Row> {
        let mut readable = Vec::new();
        for ForeignRow { id, fields } in rows {
            match fields {
                // No database of ours keeps U+0000 in a text.
                Some(fields) if !fields.values().flatten().any(|text| has_nul(text)) => {
                    readable.push(Row { id, fields });
                }
                _ if again => {}
                _ => {
                    let why = "it cannot be read: it is too large, or holds what is no text".to_owned();
                    self.report.row(table.name, id, Outcome::Refused(why));
                }
            }
        }
        readable
    }

    /// The first rows of a table with this value in a column.
    pub async fn rows_with(
        &mut self,
        table: &'static Table,
        (column, value): (&'static str, &str),
        limit: i64,
    ) -> Result<Vec<Row>> {
        let Some(found) = self.table(table) else { return Ok(Vec::new()) };
        let asked = value.to_owned();
        let rows =
            self.read(move |source| source.slice(&found, i64::MIN, Some((column, &asked)), limit)).await?;
        let mut rows = self.readable(table, rows, true);
        let merchant = table.merchant.zip(self.merchant.as_deref());
        // The other database may take other texts for equal.
        rows.retain(|row| row.text(column) == value);
        rows.retain(|row| merchant.is_none_or(|(column, merchant)| row.text(column) == merchant));
        Ok(rows)
    }

    /// Which of these are uuids of rows of `chat_group`, whether they came in or not.
    pub async fn known_chats(&mut self, uuids: impl Iterator<Item = String>) -> Result<HashSet<String>> {
        let mut known = HashSet::new();
        for uuid in uuids.collect::<BTreeSet<_>>() {
            if !self.rows_with(&tables::CHAT_GROUP, ("uuid", &uuid), 1).await?.is_empty() {
                known.insert(uuid);
            }
        }
        Ok(known)
    }
}
