//! Commands about reports.

use clap::Subcommand;

use super::accounts::NamedTenant;
use super::{say, store};
use crate::kernel::{Code, Error, Result};
use crate::reports::rebuild::rebuild;
use crate::tenants::store as tenants;

/// What can be done with reports.
#[derive(Debug, Subcommand)]
pub enum Reports {
    /// Have a tenant's reports counted anew from the log, by running servers.
    Rebuild(NamedTenant),
}

/// Does what was asked.
pub fn reports(command: Reports) -> Result<()> {
    let Reports::Rebuild(tenant) = command;
    let slug = tenant.slug.clone();
    store::with_app(tenant.settings, async move |app| {
        let found = app.db.read(move |connection| tenants::find_by_slug(connection, &slug)).await?;
        let found = found.ok_or_else(|| Error::new(Code::NotFound, "there is no such tenant"))?;
        rebuild(&app.db, found.id).await
    })?;
    say(format_args!("the reports of {} count for nothing; running servers count them anew", tenant.slug));
    Ok(())
}
