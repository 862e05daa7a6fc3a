//! Reading the audit log.

use super::store::{self, Filter};
use crate::app::App;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::AuditEventRow;
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{AuditEventId, Result};

/// The events, the newest first. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, filter: Filter, page: PageQuery) -> Result<Page<AuditEventRow>> {
    require(&actor, Operation::ReadAudit)?;
    let (limit, before) = (page.limit()?, page.after::<AuditEventId>()?);
    let read = move |connection: &mut AnyConnection| {
        store::list(connection, actor.tenant, &filter, before, limit + 1)
    };
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}
