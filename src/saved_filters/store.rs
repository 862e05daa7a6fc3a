//! Queries over `saved_filter`. Every function takes the tenant; who writes holds it.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{saved_filter, tenant};
use crate::domain::saved_filter::{SAVED_FILTERS_MAX, SavedFilterRow};
use crate::kernel::{Code, Error, MemberId, Result, SavedFilterId, TenantId};

/// The filters that a member has, its own and the shared ones, in the order of their ids, after this one, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    member: MemberId,
    after: Option<SavedFilterId>,
    limit: i64,
) -> Result<Vec<SavedFilterRow>> {
    let after = after.unwrap_or(SavedFilterId(0));
    // Two walks of indexes and a merge: an OR would read what all the others have.
    let mut rows = saved_filter::table
        .filter(saved_filter::tenant_id.eq(tenant_id))
        .filter(saved_filter::owner_id.eq(member))
        .filter(saved_filter::id.gt(after))
        .order(saved_filter::id.asc())
        .limit(limit)
        .select(SavedFilterRow::as_select())
        .load(connection)?;
    let shared: Vec<SavedFilterRow> = saved_filter::table
        .filter(saved_filter::tenant_id.eq(tenant_id))
        .filter(saved_filter::shared.eq(true))
        .filter(saved_filter::id.gt(after))
        .order(saved_filter::id.asc())
        .limit(limit)
        .select(SavedFilterRow::as_select())
        .load(connection)?;
    rows.extend(shared);
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(rows)
}

/// A filter that a member has.
pub fn find(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    member: MemberId,
    id: SavedFilterId,
) -> Result<Option<SavedFilterRow>> {
    Ok(saved_filter::table
        .filter(saved_filter::id.eq(id))
        .filter(saved_filter::tenant_id.eq(tenant_id))
        .filter(saved_filter::owner_id.eq(member).or(saved_filter::shared.eq(true)))
        .select(SavedFilterRow::as_select())
        .first(connection)
        .optional()?)
}

/// Lets changes of the tenant's filters wait for each other until the transaction ends, since they are counted.
pub fn hold(connection: &mut AnyConnection, tenant_id: TenantId) -> Result<()> {
    diesel::update(tenant::table.find(tenant_id))
        .set(tenant::updated_at.eq(tenant::updated_at))
        .execute(connection)?;
    Ok(())
}

/// Fails with `limit_reached` when there is no room for this filter, shared or not.
pub fn check_room(connection: &mut AnyConnection, row: &SavedFilterRow) -> Result<()> {
    let like = saved_filter::table
        .filter(saved_filter::tenant_id.eq(row.tenant_id))
        .filter(saved_filter::shared.eq(row.shared))
        .filter(saved_filter::id.ne(row.id));
    let count: i64 = match row.shared {
        true => like.count().get_result(connection)?,
        false => like.filter(saved_filter::owner_id.eq(row.owner_id)).count().get_result(connection)?,
    };
    let whose = if row.shared { "shared ones" } else { "of one's own" };
    match count < SAVED_FILTERS_MAX {
        true => Ok(()),
        false => Err(Error::new(Code::LimitReached, format!("at most {SAVED_FILTERS_MAX} {whose}"))),
    }
}

/// Stores a new filter.
pub fn insert(connection: &mut AnyConnection, row: &SavedFilterRow) -> Result<()> {
    diesel::insert_into(saved_filter::table).values(row).execute(connection)?;
    Ok(())
}

/// Stores a changed filter.
pub fn update(connection: &mut AnyConnection, row: &SavedFilterRow) -> Result<()> {
    let one = saved_filter::table
        .filter(saved_filter::id.eq(row.id))
        .filter(saved_filter::tenant_id.eq(row.tenant_id));
    diesel::update(one)
        .set((
            saved_filter::name.eq(&row.name),
            saved_filter::shared.eq(row.shared),
            saved_filter::filter.eq(&row.filter),
            saved_filter::updated_at.eq(row.updated_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// Deletes a filter.
pub fn delete(connection: &mut AnyConnection, tenant_id: TenantId, id: SavedFilterId) -> Result<()> {
    let one =
        saved_filter::table.filter(saved_filter::id.eq(id)).filter(saved_filter::tenant_id.eq(tenant_id));
    diesel::delete(one).execute(connection)?;
    Ok(())
}
