//! What an erasure asks of exports: those that may hold what it takes end, with their files.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::export;
use crate::domain::export::ExportState;
use crate::kernel::{MemberId, Result, TenantId};

/// Ends the exports of the whole tenant and of these members; gives how many. Their files are removed soon after.
pub fn take(
    connection: &mut AnyConnection,
    tenant: TenantId,
    members: &[MemberId],
    now: i64,
) -> Result<usize> {
    let own = || {
        let touched = export::member_id.is_null().or(export::member_id.eq_any(members.to_vec()));
        export::table.filter(export::tenant_id.eq(tenant)).filter(touched)
    };
    let unfinished = [ExportState::Waiting, ExportState::Running].map(ExportState::as_str);
    let end =
        (export::state.eq(ExportState::Expired), export::open_key.eq(None::<i64>), export::sweep_at.eq(now));
    let ended = diesel::update(own().filter(export::state.eq_any(unfinished)))
        .set((end, export::finished_at.eq(now)))
        .execute(connection)?;
    let done =
        diesel::update(own().filter(export::state.eq(ExportState::Done))).set(end).execute(connection)?;
    Ok(ended + done)
}

/// Whether the file of such an export may still be there.
pub fn are_left(connection: &mut AnyConnection, tenant: TenantId, members: &[MemberId]) -> Result<bool> {
    let touched = export::member_id.is_null().or(export::member_id.eq_any(members.to_vec()));
    let states = [ExportState::Waiting, ExportState::Running].map(ExportState::as_str);
    let left: i64 = export::table
        .filter(export::tenant_id.eq(tenant))
        .filter(touched)
        .filter(export::sweep_at.is_not_null().or(export::state.eq_any(states)))
        .count()
        .get_result(connection)?;
    Ok(left > 0)
}
