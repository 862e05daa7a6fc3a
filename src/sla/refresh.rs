//! That a tenant's clocks need new targets. Whoever changes policies or business hours says it here, in the same transaction.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::sla_refresh;
use crate::kernel::{ConversationId, Result, TenantId};

/// Has the clocks of a tenant given new targets, all of them. Who calls holds the tenant's row, so that two do not insert at once.
pub fn ask(connection: &mut AnyConnection, tenant: TenantId) -> Result<()> {
    let asked = diesel::update(sla_refresh::table.find(tenant))
        .set(sla_refresh::after_id.eq(0))
        .execute(connection)?;
    if asked == 0 {
        diesel::insert_into(sla_refresh::table)
            .values((sla_refresh::tenant_id.eq(tenant), sla_refresh::after_id.eq(0)))
            .execute(connection)?;
    }
    Ok(())
}

/// Tenants whose clocks need new targets.
pub(super) fn asked(connection: &mut AnyConnection, limit: i64) -> Result<Vec<TenantId>> {
    Ok(sla_refresh::table
        .order(sla_refresh::tenant_id.asc())
        .limit(limit)
        .select(sla_refresh::tenant_id)
        .load(connection)?)
}

/// Holds the row of a tenant until the transaction ends; gives behind which conversation to go on, or nothing when its clocks
/// have their targets.
pub(super) fn hold(connection: &mut AnyConnection, tenant: TenantId) -> Result<Option<ConversationId>> {
    diesel::update(sla_refresh::table.find(tenant))
        .set(sla_refresh::after_id.eq(sla_refresh::after_id))
        .execute(connection)?;
    let row = sla_refresh::table.find(tenant).select(sla_refresh::after_id);
    Ok(row.first(connection).optional()?)
}

/// Goes on behind this conversation the next time; `None`: all have their targets. Who calls holds the row.
pub(super) fn moved(
    connection: &mut AnyConnection,
    tenant: TenantId,
    after: Option<ConversationId>,
) -> Result<()> {
    let row = sla_refresh::table.find(tenant);
    match after {
        Some(after) => {
            diesel::update(row).set(sla_refresh::after_id.eq(after)).execute(connection)?;
        }
        None => {
            diesel::delete(row).execute(connection)?;
        }
    }
    Ok(())
}
