//! The order of the work: finds the tables, and imports them slice by slice.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::ledger::Ledger;
use super::report::{Outcome, Report};
use super::row::{Row, time_zone};
use super::tables::{self, TABLES, Table};
use super::{accounts, centre, chats, logs, sends};
use crate::app::App;
use crate::db::blocking;
use crate::db::foreign::{Foreign, ForeignRow, ForeignTable};
use crate::domain::centre::account::Channel;
use crate::kernel::text::{has_nul, is_key};
use crate::kernel::{Code, Error, Result, TenantId};
use crate::tenants::store as tenants;

/// Rows of a slice.
const ROWS: i64 = 200;
/// Merchants that are named when one has to be chosen.
const MERCHANTS: i64 = 20;

/// What is asked of an import.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The database of the other system, `mysql://…`.
    pub from: String,
    /// The tenant's slug.
    pub tenant: String,
    /// The name of the source: rows of sources with different names are different rows. `None`: the database's.
    pub source: Option<String>,
    /// The merchant whose rows are imported, where many share the tables.
    pub merchant: Option<String>,
    /// The time zone of that system's clock, by its name of the IANA.
    pub time_zone: String,
    /// Whether nothing is written.
    pub dry_run: bool,
}

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
    source: Option<Foreign>,
    merchant: Option<String>,
    found: Vec<(&'static Table, ForeignTable)>,
}

/// Imports everything. Errors: `invalid_parameter` for what cannot be asked, `not_found` without the tenant,
/// `storage_unavailable` and `busy` when a database is gone: what came in stays, and the import can be repeated.
pub async fn import(app: Arc<App>, asked: Asked) -> Result<Report> {
    let zone = time_zone(&asked.time_zone)?;
    let slug = asked.tenant.clone();
    let tenant = app.db.read(move |connection| tenants::find_by_slug(connection, &slug)).await?;
    let tenant = tenant.ok_or_else(|| Error::new(Code::NotFound, "there is no such tenant"))?;
    let from = asked.from.clone();
    let source = blocking(move || Foreign::open(&from)).await?;
    let name = asked.source.unwrap_or_else(|| source.name.clone());
    if !is_key(&name) {
        let detail = format!("the source {name:?} needs a name of 1 to 64 of A-Z a-z 0-9 . _ : - (--source)");
        return Err(Error::new(Code::InvalidParameter, detail));
    }
    let report =
        Report { source: name.clone(), tenant: asked.tenant, dry_run: asked.dry_run, ..Report::default() };
    let mut import = Import {
        ledger: Ledger::new(app.clone(), tenant.id, name, asked.dry_run),
        app,
        tenant: tenant.id,
        zone,
        dry_run: asked.dry_run,
        report,
        channels: HashMap::new(),
        source: Some(source),
        merchant: asked.merchant,
        found: Vec::new(),
    };
    import.find_tables().await?;
    import.all().await?;
    Ok(import.report)
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

    async fn find_tables(&mut self) -> Result<()> {
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
    async fn slice(
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

    async fn all(&mut self) -> Result<()> {
        for (table, _) in self.found.clone() {
            match table.name {
                "customer_service" => self.sub_accounts().await?,
                _ => self.whole(table, false).await?,
            }
        }
        for table in [&tables::CHAT_GROUP, &tables::CONVERSATIONS] {
            self.whole(table, true).await?;
        }
        Ok(())
    }

    /// Works through a table; `ends`: only says where its conversations stand.
    async fn whole(&mut self, table: &'static Table, ends: bool) -> Result<()> {
        let mut after = i64::MIN;
        while let Some((rows, last)) = self.slice(table, after, ends).await? {
            after = last;
            match (table.name, ends) {
                ("messages", _) => logs::messages(self, &rows).await?,
                ("group_message", _) => chats::messages(self, &rows).await?,
                ("group_member", _) => chats::group_members(self, &rows).await?,
                (_, ends) => {
                    for row in &rows {
                        self.row(table, row, ends).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn row(&mut self, table: &'static Table, row: &Row, ends: bool) -> Result<()> {
        let outcome = match (table.name, ends) {
            ("chat_group", false) => return chats::chat(self, row).await,
            ("chat_group", true) => return chats::chat_end(self, row).await,
            ("conversations", true) => return logs::conversation_end(self, row).await,
            ("conversations", false) => logs::conversation(self, row).await?,
            ("member", _) => accounts::member(self, row).await?,
            ("users", _) => accounts::user(self, row).await?,
            ("agent_status", _) => accounts::agent_status(self, row).await?,
            ("message_info", _) => centre::template(self, row).await?,
            ("message_work_user", _) => centre::recipient(self, row).await?,
            ("message_rule", _) => centre::rule(self, row).await?,
            ("message_send", _) => sends::send(self, row).await?,
            (other, _) => return Err(Error::internal(format!("{other} is imported by nobody"))),
        };
        self.report.row(table.name, row.id, outcome);
        Ok(())
    }

    /// Accounts below others: as often as one more finds its parent.
    async fn sub_accounts(&mut self) -> Result<()> {
        let table = &tables::CUSTOMER_SERVICE;
        let (mut waits, mut before): (BTreeSet<i64>, Option<usize>) = (BTreeSet::new(), None);
        loop {
            let is_first = before.is_none();
            let last_time = before == Some(waits.len());
            let (asked, mut after) = (std::mem::take(&mut waits), i64::MIN);
            while let Some((rows, last)) = self.slice(table, after, !is_first).await? {
                after = last;
                for row in rows.iter().filter(|row| is_first || asked.contains(&row.id)) {
                    match accounts::customer_service(self, row, last_time).await? {
                        Some(outcome) => self.report.row(table.name, row.id, outcome),
                        None => drop(waits.insert(row.id)),
                    }
                }
            }
            if waits.is_empty() {
                return Ok(());
            }
            before = Some(if is_first { usize::MAX } else { asked.len() });
        }
    }
}
