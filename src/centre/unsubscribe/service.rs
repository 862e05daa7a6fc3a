//! What is done with a link.

use super::link::Link;
use crate::app::App;
use crate::centre::opt_outs;
use crate::db::AnyConnection;
use crate::domain::centre::account::Channel;
use crate::domain::centre::recipient::{OptOutRow, OptOutSource};
use crate::kernel::{OptOutId, Result};
use crate::tenants;

/// The name of the merchant whose link it is. Errors: `not_found`.
pub async fn merchant(app: &App, link: Link) -> Result<String> {
    Ok(app.db.read(move |connection| tenants::store::find(connection, link.tenant)).await?.name)
}

/// Writes down that the receiver wants no more of the kind; gives the merchant's name. Of a receiver that is gone there is
/// nothing to write. Errors: `not_found`.
pub async fn unsubscribe(app: &App, link: Link) -> Result<String> {
    let row = OptOutRow {
        id: OptOutId(app.ids.next()?),
        tenant_id: link.tenant,
        person_id: link.person,
        channel: Channel::Email,
        priority: link.priority.as_str().to_owned(),
        source: OptOutSource::Person,
        created_at: app.clock.now().0,
    };
    let write = move |connection: &mut AnyConnection| {
        if opt_outs::store::is_there(connection, link.tenant, link.person)? {
            opt_outs::store::insert(connection, &row)?;
        }
        Ok(tenants::store::find(connection, link.tenant)?.name)
    };
    app.db.write(write).await
}
