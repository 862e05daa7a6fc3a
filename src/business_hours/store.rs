//! Queries over `business_hours` and `business_hours_group`. Every function takes the tenant.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::db::error_kind::error_kind;
use crate::db::schema::{business_hours, business_hours_group, chat_group, tenant};
use crate::db::{AnyConnection, DbErrorKind};
use crate::domain::business_hours::{BUSINESS_HOURS_MAX, BusinessHoursRow};
use crate::journal::calendars::DEFAULT;
use crate::kernel::{BusinessHoursId, Code, Error, GroupId, Result, TenantId};
use crate::on;

/// For whom business hours are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applies {
    /// For these groups, in the order of their ids.
    pub groups: Vec<GroupId>,
    /// For all that is no group's with business hours of its own.
    pub is_default: bool,
}

/// Business hours in the order of their ids, after this one, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    after: Option<BusinessHoursId>,
    limit: i64,
) -> Result<Vec<BusinessHoursRow>> {
    Ok(business_hours::table
        .filter(business_hours::tenant_id.eq(tenant_id))
        .filter(business_hours::id.gt(after.unwrap_or(BusinessHoursId(0))))
        .order(business_hours::id.asc())
        .limit(limit)
        .select(BusinessHoursRow::as_select())
        .load(connection)?)
}

/// Business hours by their id.
pub fn find(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    id: BusinessHoursId,
) -> Result<Option<BusinessHoursRow>> {
    Ok(business_hours::table
        .filter(business_hours::id.eq(id))
        .filter(business_hours::tenant_id.eq(tenant_id))
        .select(BusinessHoursRow::as_select())
        .first(connection)
        .optional()?)
}

/// For whom all business hours of the tenant are. Groups that were deleted are left out.
pub fn applies(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
) -> Result<BTreeMap<BusinessHoursId, Applies>> {
    let rows: Vec<(GroupId, BusinessHoursId)> = business_hours_group::table
        .filter(business_hours_group::tenant_id.eq(tenant_id))
        .order(business_hours_group::group_id.asc())
        .select((business_hours_group::group_id, business_hours_group::business_hours_id))
        .load(connection)?;
    let present = present(connection, tenant_id, rows.iter().map(|(group, _)| *group).collect())?;
    let mut found: BTreeMap<BusinessHoursId, Applies> = BTreeMap::new();
    for (group, id) in rows {
        let applies = found.entry(id).or_default();
        match group {
            DEFAULT => applies.is_default = true,
            group if present.contains(&group) => applies.groups.push(group),
            _ => {}
        }
    }
    Ok(found)
}

/// Those of these groups that there are.
pub fn present(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    groups: Vec<GroupId>,
) -> Result<Vec<GroupId>> {
    Ok(on!(connection, inner => chat_group::table
        .filter(chat_group::tenant_id.eq(tenant_id))
        .filter(chat_group::id.eq_any(groups))
        .filter(chat_group::deleted_at.is_null())
        .select(chat_group::id)
        .load(inner))?)
}

/// Stores new business hours. Errors: `limit_reached`, `name_taken`.
pub fn insert(connection: &mut AnyConnection, row: &BusinessHoursRow) -> Result<()> {
    let count: i64 = business_hours::table
        .filter(business_hours::tenant_id.eq(row.tenant_id))
        .count()
        .get_result(connection)?;
    if count >= BUSINESS_HOURS_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {BUSINESS_HOURS_MAX} of them")));
    }
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection
        .transaction(|connection| diesel::insert_into(business_hours::table).values(row).execute(connection));
    inserted.map(|_| ()).map_err(taken)
}

/// Stores changed business hours. Errors: `name_taken`.
pub fn update(connection: &mut AnyConnection, row: &BusinessHoursRow) -> Result<()> {
    let of_tenant = business_hours::table
        .filter(business_hours::id.eq(row.id))
        .filter(business_hours::tenant_id.eq(row.tenant_id));
    let updated = connection.transaction(|connection| {
        diesel::update(of_tenant)
            .set((
                business_hours::name.eq(&row.name),
                business_hours::time_zone.eq(&row.time_zone),
                business_hours::weekly.eq(&row.weekly),
                business_hours::exceptions.eq(&row.exceptions),
                business_hours::updated_at.eq(row.updated_at),
            ))
            .execute(connection)
    });
    updated.map(|_| ()).map_err(taken)
}

fn taken(cause: diesel::result::Error) -> Error {
    match error_kind(&cause) {
        DbErrorKind::Unique => Error::new(Code::NameTaken, "other business hours have this name"),
        _ => cause.into(),
    }
}

/// Lets changes of the tenant's business hours wait for each other until the transaction ends, since one takes from another.
pub fn hold(connection: &mut AnyConnection, tenant_id: TenantId) -> Result<()> {
    diesel::update(tenant::table.find(tenant_id))
        .set(tenant::updated_at.eq(tenant::updated_at))
        .execute(connection)?;
    Ok(())
}

/// Says for whom business hours are; what is absent stays. A group that had others has these from now on.
pub fn apply(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    id: BusinessHoursId,
    groups: Option<&[GroupId]>,
    is_default: Option<bool>,
) -> Result<()> {
    let own = || {
        business_hours_group::table
            .filter(business_hours_group::tenant_id.eq(tenant_id))
            .filter(business_hours_group::business_hours_id.eq(id))
    };
    if groups.is_some() {
        diesel::delete(own().filter(business_hours_group::group_id.ne(DEFAULT))).execute(connection)?;
    }
    if is_default == Some(false) {
        diesel::delete(own().filter(business_hours_group::group_id.eq(DEFAULT))).execute(connection)?;
    }
    let default = is_default.unwrap_or(false).then_some(DEFAULT);
    for group in groups.unwrap_or_default().iter().copied().chain(default) {
        let before = business_hours_group::table
            .filter(business_hours_group::tenant_id.eq(tenant_id))
            .filter(business_hours_group::group_id.eq(group));
        diesel::delete(before).execute(connection)?;
        diesel::insert_into(business_hours_group::table)
            .values((
                business_hours_group::tenant_id.eq(tenant_id),
                business_hours_group::group_id.eq(group),
                business_hours_group::business_hours_id.eq(id),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// Deletes business hours; whoever had them has the tenant's, or none.
pub fn delete(connection: &mut AnyConnection, tenant_id: TenantId, id: BusinessHoursId) -> Result<()> {
    apply(connection, tenant_id, id, Some(&[]), Some(false))?;
    let of_tenant = business_hours::table
        .filter(business_hours::id.eq(id))
        .filter(business_hours::tenant_id.eq(tenant_id));
    diesel::delete(of_tenant).execute(connection)?;
    Ok(())
}

/// The business hours of a group, or of what is no group's; `None`: it is always open.
pub fn of_group(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    group: Option<GroupId>,
) -> Result<Option<BusinessHoursRow>> {
    let rows: Vec<(GroupId, BusinessHoursId)> = on!(connection, inner => business_hours_group::table
        .filter(business_hours_group::tenant_id.eq(tenant_id))
        .filter(business_hours_group::group_id.eq_any([DEFAULT, group.unwrap_or(DEFAULT)]))
        .select((business_hours_group::group_id, business_hours_group::business_hours_id))
        .load(inner))?;
    // The group's own before the tenant's.
    match rows.into_iter().max() {
        Some((_, id)) => find(connection, tenant_id, id),
        None => Ok(None),
    }
}
