//! Queries over `export`. What requests ask takes the tenant; what the tasks ask looks at all. Leases go by the database's
//! clock.

use diesel::prelude::*;

use super::window::Window;
use crate::db::schema::export;
use crate::db::types::json_text;
use crate::db::{AnyConnection, time};
use crate::domain::export::{EXPORT_KEPT_MS, ExportFailure, ExportRow, ExportState};
use crate::journal::history;
use crate::kernel::{ExportId, MemberId, Result, TenantId};

/// How long an owner may be silent before another process goes on, in milliseconds.
pub const LEASE_MS: i64 = 30_000;
/// Turns without progress after which an export fails.
const ATTEMPTS_MAX: i64 = 20;
/// States in which a file is to come.
const UNFINISHED: [&str; 2] = [ExportState::Waiting.as_str(), ExportState::Running.as_str()];
/// States in which there is no file.
const ENDED: [&str; 3] =
    [ExportState::Failed.as_str(), ExportState::Cancelled.as_str(), ExportState::Expired.as_str()];

/// An export by its id.
pub fn find(connection: &mut AnyConnection, tenant: TenantId, id: ExportId) -> Result<Option<ExportRow>> {
    Ok(export::table
        .filter(export::id.eq(id))
        .filter(export::tenant_id.eq(tenant))
        .select(ExportRow::as_select())
        .first(connection)
        .optional()?)
}

/// The export of a tenant that is under way.
pub fn unfinished(connection: &mut AnyConnection, tenant: TenantId) -> Result<Option<ExportId>> {
    Ok(export::table.filter(export::open_key.eq(tenant)).select(export::id).first(connection).optional()?)
}

/// Exports below this one, the newest first, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (member, state, now): (Option<MemberId>, Option<ExportState>, i64),
    before: Option<ExportId>,
    limit: i64,
) -> Result<Vec<ExportRow>> {
    let mut query = export::table
        .filter(export::tenant_id.eq(tenant))
        .filter(export::id.lt(before.unwrap_or(ExportId(i64::MAX))))
        .into_boxed();
    if let Some(member) = member {
        query = query.filter(export::member_id.eq(member));
    }
    let is_done = export::state.eq(ExportState::Done);
    query = match state {
        Some(ExportState::Done) => query.filter(is_done.and(export::expires_at.gt(now))),
        Some(ExportState::Expired) => {
            query.filter(export::state.eq(ExportState::Expired).or(is_done.and(export::expires_at.le(now))))
        }
        Some(state) => query.filter(export::state.eq(state)),
        None => query,
    };
    Ok(query.order(export::id.desc()).limit(limit).select(ExportRow::as_select()).load(connection)?)
}

/// Stores a new export.
pub fn insert(connection: &mut AnyConnection, row: &ExportRow) -> QueryResult<usize> {
    diesel::insert_into(export::table).values(row).execute(connection)
}

/// Holds an export until the end of the transaction, and reads it.
pub fn hold(connection: &mut AnyConnection, tenant: TenantId, id: ExportId) -> Result<Option<ExportRow>> {
    let own = export::table.find(id).filter(export::tenant_id.eq(tenant));
    diesel::update(own).set(export::attempts.eq(export::attempts)).execute(connection)?;
    find(connection, tenant, id)
}

/// Ends a held export without a file: what there is of one is to be removed.
pub fn end(connection: &mut AnyConnection, id: ExportId, state: ExportState, now: i64) -> Result<()> {
    diesel::update(export::table.find(id))
        .set((
            export::state.eq(state),
            export::finished_at.eq(now),
            export::open_key.eq(None::<i64>),
            export::sweep_at.eq(now),
        ))
        .execute(connection)?;
    Ok(())
}

/// How many exports of all tenants are unfinished.
pub fn count_unfinished(connection: &mut AnyConnection) -> Result<i64> {
    Ok(export::table.filter(export::state.eq_any(UNFINISHED)).count().get_result(connection)?)
}

/// An export that was taken, and whose file it had before.
#[derive(Debug)]
pub struct Taken {
    /// The export.
    pub row: ExportRow,
    /// The fence of the owner who wrote to it last.
    pub former: i64,
}

/// Takes the export that was worked on longest ago, unless somebody works on one: one is written at a time. Begins it if it was
/// not begun.
pub fn take(connection: &mut AnyConnection, owner: &str, now: i64) -> Result<Option<Taken>> {
    let open = || export::table.filter(export::state.eq_any(UNFINISHED));
    diesel::update(open()).set(export::attempts.eq(export::attempts)).execute(connection)?;
    let clock = time::now(connection)?;
    let rows: Vec<ExportRow> = open()
        .order((export::lease_until.asc(), export::id.asc()))
        .select(ExportRow::as_select())
        .load(connection)?;
    if rows.iter().any(|row| row.lease_until > clock) {
        return Ok(None);
    }
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    if row.attempts >= ATTEMPTS_MAX {
        fail(connection, row.id, ExportFailure::Stalled, now)?;
        return Ok(None);
    }
    let former = row.fence;
    let is_other = row.lease_owner.as_deref() != Some(owner);
    let rev = if row.started_at.is_none() { history::head(connection, row.tenant_id)? } else { row.rev };
    let row = ExportRow {
        state: ExportState::Running,
        started_at: row.started_at.or(Some(now)),
        rev,
        attempts: row.attempts + 1,
        lease_owner: Some(owner.to_owned()),
        lease_until: clock + LEASE_MS,
        fence: former + i64::from(is_other),
        ..row
    };
    diesel::update(export::table.find(row.id))
        .set((
            (export::state.eq(row.state), export::started_at.eq(row.started_at), export::rev.eq(row.rev)),
            (export::attempts.eq(row.attempts), export::lease_owner.eq(row.lease_owner.clone())),
            (export::lease_until.eq(row.lease_until), export::fence.eq(row.fence)),
        ))
        .execute(connection)?;
    Ok(Some(Taken { row, former }))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn owned(id: ExportId, fence: i64) -> _ {
    let state: ExportState = ExportState::Running;
    export::table.filter(export::id.eq(id)).filter(export::fence.eq(fence)).filter(export::state.eq(state))
}

/// Stores that a step is on the disk. `None`: it is not this owner's any more, or was ended.
pub fn advance(
    connection: &mut AnyConnection,
    row: &ExportRow,
    window: &Window,
    now: i64,
) -> Result<Option<ExportRow>> {
    let clock = time::now(connection)?;
    let written = i64::try_from(window.bytes.len()).unwrap_or(i64::MAX);
    let is_done = window.next.is_none();
    let end = is_done.then_some(now + EXPORT_KEPT_MS);
    let row = ExportRow {
        state: if is_done { ExportState::Done } else { ExportState::Running },
        finished_at: is_done.then_some(now),
        expires_at: end,
        open_key: row.open_key.filter(|_| !is_done),
        place: window.next.as_ref().map(json_text),
        counts: json_text(&window.counts),
        line_count: window.line_count,
        byte_count: row.byte_count + written,
        attempts: 0,
        lease_until: if is_done { 0 } else { clock + LEASE_MS },
        sweep_at: end,
        ..row.clone()
    };
    let changed = diesel::update(owned(row.id, row.fence))
        .set((
            (export::state.eq(row.state), export::finished_at.eq(row.finished_at)),
            (export::expires_at.eq(row.expires_at), export::open_key.eq(row.open_key)),
            (export::place.eq(row.place.clone()), export::counts.eq(row.counts.clone())),
            (export::line_count.eq(row.line_count), export::byte_count.eq(row.byte_count)),
            (
                export::attempts.eq(0),
                export::lease_until.eq(row.lease_until),
                export::sweep_at.eq(row.sweep_at),
            ),
        ))
        .execute(connection)?;
    Ok((changed > 0).then_some(row))
}

/// Has an export begin anew, since its file is lost. `None`: it is not this owner's any more, or was ended.
pub fn restart(connection: &mut AnyConnection, row: &ExportRow) -> Result<Option<ExportRow>> {
    let row = ExportRow { place: None, counts: "{}".to_owned(), line_count: 0, byte_count: 0, ..row.clone() };
    let changed = diesel::update(owned(row.id, row.fence))
        .set((
            export::place.eq(None::<String>),
            export::counts.eq("{}"),
            export::line_count.eq(0),
            export::byte_count.eq(0),
        ))
        .execute(connection)?;
    Ok((changed > 0).then_some(row))
}

/// Stores why an unfinished export cannot be written.
pub fn fail(connection: &mut AnyConnection, id: ExportId, failure: ExportFailure, now: i64) -> Result<()> {
    let open = export::table.filter(export::id.eq(id)).filter(export::state.eq_any(UNFINISHED));
    if diesel::update(open).set(export::failure.eq(failure)).execute(connection)? > 0 {
        end(connection, id, ExportState::Failed, now)?;
    }
    Ok(())
}

/// Lets others work: this owner writes no more. The next turn is that of the export that waits longest.
pub fn give_back(connection: &mut AnyConnection, row: &ExportRow) -> Result<()> {
    let clock = time::now(connection)?;
    let own = export::table.filter(export::id.eq(row.id)).filter(export::fence.eq(row.fence));
    diesel::update(own).set(export::lease_until.eq(clock)).execute(connection)?;
    Ok(())
}

/// Ends finished exports whose time is over.
pub fn expire(connection: &mut AnyConnection, now: i64) -> Result<usize> {
    let over = export::table.filter(export::sweep_at.le(now)).filter(export::state.eq(ExportState::Done));
    Ok(diesel::update(over).set(export::state.eq(ExportState::Expired)).execute(connection)?)
}

/// Whether a look of the task that removes files has something to do.
pub fn is_due(connection: &mut AnyConnection, now: i64) -> Result<bool> {
    let due: i64 = export::table.filter(export::sweep_at.le(now)).count().get_result(connection)?;
    Ok(due > 0)
}

/// Ended exports whose files are to be removed and to which nobody writes.
pub fn to_remove(connection: &mut AnyConnection, now: i64, limit: i64) -> Result<Vec<ExportId>> {
    let clock = time::now(connection)?;
    Ok(export::table
        .filter(export::sweep_at.le(now))
        .filter(export::state.eq_any(ENDED))
        .filter(export::lease_until.le(clock))
        .order(export::sweep_at.asc())
        .limit(limit)
        .select(export::id)
        .load(connection)?)
}

/// Stores that nothing is left of an ended export's file, or when that is tried again.
pub fn removed(connection: &mut AnyConnection, id: ExportId, again: Option<i64>) -> Result<()> {
    let ended = export::table.filter(export::id.eq(id)).filter(export::state.eq_any(ENDED));
    diesel::update(ended).set(export::sweep_at.eq(again)).execute(connection)?;
    Ok(())
}

/// Of these exports: whether each may have a file, and of which owner. Those that the store does not know are left out.
pub fn files_of(connection: &mut AnyConnection, ids: Vec<ExportId>) -> Result<Vec<(ExportId, bool, i64)>> {
    let rows: Vec<(ExportId, ExportState, i64)> = export::table
        .filter(export::id.eq_any(ids))
        .select((export::id, export::state, export::fence))
        .load(connection)?;
    let has_file = |state: ExportState| state.is_unfinished() || state == ExportState::Done;
    Ok(rows.into_iter().map(|(id, state, fence)| (id, has_file(state), fence)).collect())
}
