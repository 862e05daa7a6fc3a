//! Removing what belongs to deleted custom attributes: their values in slices, then their rows.

use diesel::prelude::*;

use super::ROWS;
use crate::db::AnyConnection;
use crate::db::schema::{attribute, conversation_attribute, customer_attribute};
use crate::journal::store::transaction::{Wait, lock_tenants};
use crate::kernel::{AttributeId, ConversationId, MemberId, Result, TenantId};
use crate::on;

/// Removes values of a deleted attribute, at most [`ROWS`]; gives how many, the attribute's own row counted too.
pub(super) fn remove_deleted(connection: &mut AnyConnection, tenant: TenantId) -> Result<usize> {
    let deleted = |connection: &mut AnyConnection| {
        attribute::table
            .filter(attribute::tenant_id.eq(tenant))
            .filter(attribute::deleted_at.is_not_null())
            .order(attribute::id.asc())
            .select(attribute::id)
            .first::<AttributeId>(connection)
            .optional()
    };
    // Most tenants have none: they are not locked for it.
    if deleted(connection)?.is_none() {
        return Ok(0);
    }
    // A command that erases a conversation may have loaded these values.
    lock_tenants(connection, &[tenant], Wait::Short)?;
    let Some(id) = deleted(connection)? else { return Ok(0) };
    let conversations: Vec<ConversationId> = conversation_attribute::table
        .filter(conversation_attribute::tenant_id.eq(tenant))
        .filter(conversation_attribute::attribute_id.eq(id))
        .select(conversation_attribute::conversation_id)
        .limit(ROWS)
        .load(connection)?;
    if !conversations.is_empty() {
        return Ok(on!(connection, inner => diesel::delete(conversation_attribute::table
            .filter(conversation_attribute::conversation_id.eq_any(&conversations))
            .filter(conversation_attribute::attribute_id.eq(id)))
            .execute(inner))?);
    }
    let customers: Vec<MemberId> = customer_attribute::table
        .filter(customer_attribute::tenant_id.eq(tenant))
        .filter(customer_attribute::attribute_id.eq(id))
        .select(customer_attribute::member_id)
        .limit(ROWS)
        .load(connection)?;
    if !customers.is_empty() {
        return Ok(on!(connection, inner => diesel::delete(customer_attribute::table
            .filter(customer_attribute::member_id.eq_any(&customers))
            .filter(customer_attribute::attribute_id.eq(id)))
            .execute(inner))?);
    }
    Ok(diesel::delete(attribute::table.filter(attribute::id.eq(id))).execute(connection)?)
}
