//! Commands about the search index.

use clap::Subcommand;

use super::accounts::NamedTenant;
use super::{say, store};
use crate::kernel::{Code, Error, Result};
use crate::search::rebuild::rebuild;
use crate::tenants::store as tenants;

/// What can be done with the search index.
#[derive(Debug, Subcommand)]
pub enum Search {
    /// Clear a tenant's index, which running servers then write anew from the log.
    Rebuild(NamedTenant),
}

/// Does what was asked.
pub fn search(command: Search) -> Result<()> {
    let Search::Rebuild(tenant) = command;
    let slug = tenant.slug.clone();
    store::with_app(tenant.settings, async move |app| {
        let found = app.db.read(move |connection| tenants::find_by_slug(connection, &slug)).await?;
        let found = found.ok_or_else(|| Error::new(Code::NotFound, "there is no such tenant"))?;
        rebuild(&app.db, found.id).await
    })?;
    say(format_args!("the search index of {} is cleared; running servers write it anew", tenant.slug));
    Ok(())
}
