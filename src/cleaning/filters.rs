//! Removing what deleted members of the staff kept for themselves: their saved filters that are not shared.

use diesel::prelude::*;

use super::ROWS;
use crate::db::AnyConnection;
use crate::db::schema::{member, saved_filter};
use crate::kernel::{Result, SavedFilterId, TenantId};
use crate::on;

/// Removes such filters, at most [`ROWS`]; gives how many.
pub(super) fn remove_ownerless(connection: &mut AnyConnection, tenant: TenantId) -> Result<usize> {
    let ids: Vec<SavedFilterId> = saved_filter::table
        .inner_join(member::table.on(member::id.eq(saved_filter::owner_id)))
        .filter(saved_filter::tenant_id.eq(tenant))
        .filter(saved_filter::shared.eq(false))
        .filter(member::deleted_at.is_not_null())
        .order(saved_filter::id.asc())
        .select(saved_filter::id)
        .limit(ROWS)
        .load(connection)?;
    if ids.is_empty() {
        return Ok(0);
    }
    // One that is shared at this moment stays.
    Ok(on!(connection, inner => diesel::delete(saved_filter::table
        .filter(saved_filter::id.eq_any(&ids))
        .filter(saved_filter::shared.eq(false)))
        .execute(inner))?)
}
