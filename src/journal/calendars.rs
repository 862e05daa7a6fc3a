//! When the desks of a tenant are open: how its calendars are loaded for whoever goes by them. Does not own the tables
//! `business_hours` and `business_hours_group` (`crate::business_hours`).

use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{business_hours, business_hours_group, chat_group};
use crate::domain::business_hours::{BusinessHoursRow, Calendar, Calendars};
use crate::kernel::{BusinessHoursId, GroupId, Result, TenantId};
use crate::on;

/// Stands in `business_hours_group.group_id` for what is no group's with business hours of its own.
pub const DEFAULT: GroupId = GroupId(0);

/// The calendars of a tenant. What is of a deleted group has the hours of what is no group's.
pub fn load(connection: &mut AnyConnection, tenant_id: TenantId) -> Result<Calendars> {
    let places: Vec<(GroupId, BusinessHoursId)> = business_hours_group::table
        .filter(business_hours_group::tenant_id.eq(tenant_id))
        .select((business_hours_group::group_id, business_hours_group::business_hours_id))
        .load(connection)?;
    if places.is_empty() {
        return Ok(Calendars::default());
    }
    let rows: Vec<BusinessHoursRow> = business_hours::table
        .filter(business_hours::tenant_id.eq(tenant_id))
        .select(BusinessHoursRow::as_select())
        .load(connection)?;
    // Of hours that this program cannot read nothing is said: others go on.
    let readable = rows.iter().filter_map(|row| match row.calendar() {
        Ok(calendar) => Some((row.id, calendar)),
        Err(error) => {
            log::warn!(target: "deskwire::business_hours", "tenant {tenant_id}: {error}");
            None
        }
    });
    let readable: HashMap<BusinessHoursId, Calendar> = readable.collect();
    let of = |id: &BusinessHoursId| readable.get(id).cloned();
    let groups = places.iter().map(|(group, _)| *group).collect();
    let living: Vec<GroupId> = on!(connection, inner => chat_group::table
        .filter(chat_group::tenant_id.eq(tenant_id))
        .filter(chat_group::id.eq_any::<Vec<GroupId>>(groups))
        .filter(chat_group::deleted_at.is_null())
        .select(chat_group::id)
        .load(inner))?;
    let own = places.iter().filter(|(group, _)| living.contains(group));
    Ok(Calendars {
        groups: own.filter_map(|(group, id)| Some((*group, of(id)?))).collect(),
        default: places.iter().find(|(group, _)| *group == DEFAULT).and_then(|(_, id)| of(id)),
    })
}
