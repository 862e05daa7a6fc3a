//! The order of the work: what is asked, and which table is imported by whom.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::json;

use super::ledger::Ledger;
use super::report::Report;
use super::row::{Row, time_zone};
use super::state::Import;
use super::tables::{self, Table};
use super::{accounts, centre, chats, logs, sends};
use crate::app::App;
use crate::db::blocking;
use crate::db::foreign::Foreign;
use crate::domain::audit::{Act, AuditAction};
use crate::journal::audit::Auditor;
use crate::kernel::text::is_key;
use crate::kernel::{Code, Error, Result};
use crate::tenants::store as tenants;

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
    if !asked.dry_run {
        let audit = Auditor::operator(tenant.id, &app.ids, &app.clock)?;
        let mut act = Act::done(AuditAction::Import, &tenant);
        act.after.insert("source".to_owned(), json!(name));
        app.db.write(move |connection| audit.note(connection, act.clone())).await?;
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
    all(&mut import).await?;
    Ok(import.report)
}

async fn all(import: &mut Import) -> Result<()> {
    for (table, _) in import.found.clone() {
        match table.name {
            "customer_service" => sub_accounts(import).await?,
            _ => whole(import, table, false).await?,
        }
    }
    for table in [&tables::CHAT_GROUP, &tables::CONVERSATIONS] {
        whole(import, table, true).await?;
    }
    Ok(())
}

/// Works through a table; `ends`: only says where its conversations stand.
async fn whole(import: &mut Import, table: &'static Table, ends: bool) -> Result<()> {
    let mut after = i64::MIN;
    while let Some((rows, last)) = import.slice(table, after, ends).await? {
        after = last;
        match (table.name, ends) {
            ("messages", _) => logs::messages(import, &rows).await?,
            ("group_message", _) => chats::messages(import, &rows).await?,
            ("group_member", _) => chats::group_members(import, &rows).await?,
            (_, ends) => {
                for row in &rows {
                    one_row(import, table, row, ends).await?;
                }
            }
        }
    }
    Ok(())
}

async fn one_row(import: &mut Import, table: &'static Table, row: &Row, ends: bool) -> Result<()> {
    let outcome = match (table.name, ends) {
        ("chat_group", false) => return chats::chat(import, row).await,
        ("chat_group", true) => return chats::chat_end(import, row).await,
        ("conversations", true) => return logs::conversation_end(import, row).await,
        ("conversations", false) => logs::conversation(import, row).await?,
        ("member", _) => accounts::member(import, row).await?,
        ("users", _) => accounts::user(import, row).await?,
        ("agent_status", _) => accounts::agent_status(import, row).await?,
        ("message_info", _) => centre::template(import, row).await?,
        ("message_work_user", _) => centre::recipient(import, row).await?,
        ("message_rule", _) => centre::rule(import, row).await?,
        ("message_send", _) => sends::send(import, row).await?,
        (other, _) => return Err(Error::internal(format!("{other} is imported by nobody"))),
    };
    import.report.row(table.name, row.id, outcome);
    Ok(())
}

/// Accounts below others: as often as one more finds its parent.
async fn sub_accounts(import: &mut Import) -> Result<()> {
    let table = &tables::CUSTOMER_SERVICE;
    let (mut waits, mut before): (BTreeSet<i64>, Option<usize>) = (BTreeSet::new(), None);
    loop {
        let is_first = before.is_none();
        let last_time = before == Some(waits.len());
        let (asked, mut after) = (std::mem::take(&mut waits), i64::MIN);
        while let Some((rows, last)) = import.slice(table, after, !is_first).await? {
            after = last;
            for row in rows.iter().filter(|row| is_first || asked.contains(&row.id)) {
                match accounts::customer_service(import, row, last_time).await? {
                    Some(outcome) => import.report.row(table.name, row.id, outcome),
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
