//! Queries over `report_stretch` and `report_bucket`, and the names of what reports are about. Every function takes the tenant.

use std::collections::{BTreeSet, HashMap};

use diesel::dsl::count_star;
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{chat_group, group_member, member, report_bucket, report_stretch};
use crate::domain::report::stretch::StretchRow;
use crate::domain::report::{ReportDimension, ReportMetric};
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};
use crate::on;

/// The stretches of these conversations that are not over.
pub fn stretches(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversations: &[ConversationId],
) -> Result<Vec<StretchRow>> {
    Ok(on!(connection, inner => report_stretch::table
        .filter(report_stretch::tenant_id.eq(tenant))
        .filter(report_stretch::conversation_id.eq_any(conversations))
        .select(StretchRow::as_select())
        .load(inner))?)
}

/// Puts stretches in the place of those of these conversations.
pub fn replace(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversations: &[ConversationId],
    rows: &[StretchRow],
) -> Result<()> {
    on!(connection, inner => {
        diesel::delete(report_stretch::table
            .filter(report_stretch::tenant_id.eq(tenant))
            .filter(report_stretch::conversation_id.eq_any(conversations)))
            .execute(inner)?;
        if !rows.is_empty() {
            diesel::insert_into(report_stretch::table).values(rows).execute(inner)?;
        }
    });
    Ok(())
}

/// Takes away some of what is stored of a tenant; whether there may be more.
pub fn clear(connection: &mut AnyConnection, tenant: TenantId, rows: i64) -> Result<bool> {
    let ids: Vec<ConversationId> = report_stretch::table
        .filter(report_stretch::tenant_id.eq(tenant))
        .select(report_stretch::conversation_id)
        .limit(rows)
        .load(connection)?;
    if !ids.is_empty() {
        replace(connection, tenant, &ids, &[])?;
        return Ok(true);
    }
    let words = ReportMetric::ALL.iter().flat_map(|metric| [metric.as_str(), metric.business_word()]);
    for word in words {
        for dimension in ReportDimension::ALL {
            let cells = || {
                report_bucket::table
                    .filter(report_bucket::tenant_id.eq(tenant))
                    .filter(report_bucket::metric.eq(word))
                    .filter(report_bucket::dimension.eq(dimension.as_str()))
            };
            // Whole quarters of an hour, so many that there are about as many rows.
            let last: Option<i64> = cells()
                .order(report_bucket::quarter_hour.asc())
                .offset(rows)
                .select(report_bucket::quarter_hour)
                .first(connection)
                .optional()?;
            let removed = match last {
                Some(last) => diesel::delete(cells().filter(report_bucket::quarter_hour.le(last)))
                    .execute(connection)?,
                None => diesel::delete(cells()).execute(connection)?,
            };
            if removed > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// How many conversations each agent, each group or the tenant serves, as far as the log was read; 0: no agent, no group.
pub fn served(
    connection: &mut AnyConnection,
    tenant: TenantId,
    dimension: ReportDimension,
) -> Result<HashMap<i64, i64>> {
    let served = || {
        report_stretch::table
            .filter(report_stretch::tenant_id.eq(tenant))
            .filter(report_stretch::served_since.is_not_null())
    };
    let rows: Vec<(Option<i64>, i64)> = match dimension {
        ReportDimension::Agent => served()
            .group_by(report_stretch::agent_id)
            .select((report_stretch::agent_id, count_star()))
            .load(connection)?,
        ReportDimension::Group => served()
            .group_by(report_stretch::group_id)
            .select((report_stretch::group_id, count_star()))
            .load(connection)?,
        ReportDimension::Tenant => vec![(None, served().count().get_result(connection)?)],
    };
    Ok(rows.into_iter().map(|(id, count)| (id.unwrap_or(0), count)).collect())
}

/// The names of these agents or groups, also of those that are gone.
pub fn names(
    connection: &mut AnyConnection,
    tenant: TenantId,
    dimension: ReportDimension,
    ids: BTreeSet<i64>,
) -> Result<HashMap<i64, String>> {
    let rows: Vec<(i64, String)> = match dimension {
        ReportDimension::Agent => on!(connection, inner => member::table
            .filter(member::tenant_id.eq(tenant))
            .filter(member::id.eq_any(ids))
            .select((member::id, member::nickname))
            .load(inner))?,
        ReportDimension::Group => on!(connection, inner => chat_group::table
            .filter(chat_group::tenant_id.eq(tenant))
            .filter(chat_group::id.eq_any(ids))
            .select((chat_group::id, chat_group::name))
            .load(inner))?,
        ReportDimension::Tenant => Vec::new(),
    };
    Ok(rows.into_iter().collect())
}

/// Who is in these groups.
pub fn colleagues(
    connection: &mut AnyConnection,
    tenant: TenantId,
    groups: &[GroupId],
) -> Result<Vec<MemberId>> {
    Ok(on!(connection, inner => group_member::table
        .filter(group_member::tenant_id.eq(tenant))
        .filter(group_member::group_id.eq_any(groups))
        .filter(group_member::left_at.is_null())
        .select(group_member::member_id)
        .load(inner))?)
}
