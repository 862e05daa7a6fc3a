//! The table `follower`. Leases go by the database's clock; the fence rises with every lease, so that a process that
//! was stopped and goes on cannot move a cursor that is another one's by now.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{LEASE, Schedule, Start, WHOLE_STORE};
use crate::db::error_kind::error_kind;
use crate::db::schema::{follower, tenant_log};
use crate::db::{AnyConnection, DbErrorKind, time};
use crate::kernel::{Code, Error, Result, TenantId};

/// A held row.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    name: &'static str,
    fence: i64,
}

/// What a look for work found.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// Where there is work that nobody holds, longest without work first.
    pub(super) tenants: Vec<TenantId>,
    /// Revs that are not followed yet, over all tenants.
    pub(super) lag: i64,
}

/// The last rev of a tenant's log.
pub(super) fn head(connection: &mut AnyConnection, tenant: TenantId) -> Result<i64> {
    let head = tenant_log::table.filter(tenant_log::tenant_id.eq(tenant)).select(tenant_log::rev);
    Ok(head.get_result(connection).optional()?.unwrap_or(0))
}

/// Looks for work.
pub(super) fn due(
    connection: &mut AnyConnection,
    name: &'static str,
    schedule: Schedule,
    start: Start,
) -> Result<Due> {
    let rows: Vec<(TenantId, i64, i64, i64)> = follower::table
        .filter(follower::name.eq(name))
        .select((follower::tenant_id, follower::rev, follower::lease_until, follower::updated_at))
        .load(connection)?;
    let known: HashMap<TenantId, (i64, i64, i64)> =
        rows.into_iter().map(|(tenant, rev, lease, worked)| (tenant, (rev, lease, worked))).collect();
    let mut heads: Vec<(TenantId, i64)> =
        tenant_log::table.select((tenant_log::tenant_id, tenant_log::rev)).load(connection)?;
    if schedule != Schedule::Log {
        heads.push((WHOLE_STORE, 0));
    }
    let now = time::now(connection)?;
    let mut lag = 0;
    let mut found: Vec<(i64, TenantId)> = Vec::new();
    for (tenant, head) in heads {
        let unseen = (if start == Start::Head { head } else { 0 }, 0, 0);
        let is_known = known.contains_key(&tenant);
        if !is_known && start == Start::Begun {
            continue;
        }
        let (rev, lease_until, worked_at) = known.get(&tenant).copied().unwrap_or(unseen);
        lag += (head - rev).max(0);
        let waits = match schedule {
            Schedule::Log => head > rev || !is_known,
            Schedule::Every(pause) => {
                i64::try_from(pause.as_millis()).is_ok_and(|pause| worked_at <= now - pause)
            }
        };
        if waits && lease_until <= now {
            found.push((worked_at, tenant));
        }
    }
    found.sort();
    Ok(Due { tenants: found.into_iter().map(|(_, tenant)| tenant).collect(), lag })
}

/// Takes the lease of a tenant; gives it with the cursor. `None` when somebody else holds it.
pub(super) fn take(
    connection: &mut AnyConnection,
    name: &'static str,
    tenant: TenantId,
    owner: &str,
    start: Start,
) -> Result<Option<(Lease, i64)>> {
    let now = time::now(connection)?;
    let until = now + lease_ms();
    let row = || follower::table.filter(follower::name.eq(name)).filter(follower::tenant_id.eq(tenant));
    let taken = diesel::update(row().filter(follower::lease_until.le(now)))
        .set((
            follower::fence.eq(follower::fence + 1),
            follower::lease_owner.eq(owner),
            follower::lease_until.eq(until),
        ))
        .execute(connection)?;
    if taken == 1 {
        let (fence, rev) = row().select((follower::fence, follower::rev)).get_result(connection)?;
        return Ok(Some((Lease { name, fence }, rev)));
    }
    let held: i64 = row().count().get_result(connection)?;
    if held > 0 {
        return Ok(None);
    }
    if start == Start::Begun {
        return Ok(None);
    }
    let rev = if start == Start::Head { head(connection, tenant)? } else { 0 };
    let is_first = insert(connection, name, tenant, rev, (owner, until))?;
    Ok(is_first.then_some((Lease { name, fence: 1 }, rev)))
}

/// Begins a cursor; `false` when there is one, since another process was first.
fn insert(
    connection: &mut AnyConnection,
    name: &str,
    tenant: TenantId,
    rev: i64,
    (owner, until): (&str, i64),
) -> Result<bool> {
    let new = (
        (follower::name.eq(name), follower::tenant_id.eq(tenant), follower::rev.eq(rev)),
        (follower::lease_owner.eq(owner), follower::fence.eq(1), follower::lease_until.eq(until)),
        follower::updated_at.eq(0),
    );
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection
        .transaction(|connection| diesel::insert_into(follower::table).values(new).execute(connection));
    match inserted {
        Ok(_) => Ok(true),
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

/// Begins a cursor at the head of the log, unless there is one.
pub(super) fn begin(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    let held: i64 = follower::table
        .filter(follower::name.eq(name))
        .filter(follower::tenant_id.eq(tenant))
        .count()
        .get_result(connection)?;
    if held == 0 {
        let rev = head(connection, tenant)?;
        insert(connection, name, tenant, rev, ("", 0))?;
    }
    Ok(())
}

/// The cursor of a tenant; 0 where there is none.
pub(super) fn position(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<i64> {
    let row = follower::table.filter(follower::name.eq(name)).filter(follower::tenant_id.eq(tenant));
    Ok(row.select(follower::rev).get_result(connection).optional()?.unwrap_or(0))
}

/// Locks a cursor for the transaction.
pub(super) fn hold(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    diesel::update(follower::table.filter(follower::name.eq(name)).filter(follower::tenant_id.eq(tenant)))
        .set(follower::rev.eq(follower::rev))
        .execute(connection)?;
    Ok(())
}

/// Sets a cursor back to 0 and holds it.
pub(super) fn set_back(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    let until = time::now(connection)? + lease_ms();
    let row = follower::table.filter(follower::name.eq(name)).filter(follower::tenant_id.eq(tenant));
    let set = diesel::update(row)
        .set((
            follower::rev.eq(0),
            follower::fence.eq(follower::fence + 1),
            follower::lease_owner.eq(""),
            follower::lease_until.eq(until),
            follower::updated_at.eq(0),
        ))
        .execute(connection)?;
    if set == 0 && !insert(connection, name, tenant, 0, ("", until))? {
        return Err(Error::new(Code::Busy, "a follower began at the same moment"));
    }
    Ok(())
}

/// Ends the hold of a cursor that was set back.
pub(super) fn resume(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    diesel::update(follower::table.filter(follower::name.eq(name)).filter(follower::tenant_id.eq(tenant)))
        .set(follower::lease_until.eq(0))
        .execute(connection)?;
    Ok(())
}

/// Removes a cursor: whoever works there loses its lease.
pub(super) fn end(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    diesel::delete(follower::table.filter(follower::name.eq(name)).filter(follower::tenant_id.eq(tenant)))
        .execute(connection)?;
    Ok(())
}

/// Moves the cursor and renews the lease. Fails with `busy` when the lease was lost.
pub(super) fn advance(
    connection: &mut AnyConnection,
    lease: &Lease,
    tenant: TenantId,
    rev: i64,
) -> Result<()> {
    let now = time::now(connection)?;
    let moved = diesel::update(
        follower::table
            .filter(follower::name.eq(lease.name))
            .filter(follower::tenant_id.eq(tenant))
            .filter(follower::fence.eq(lease.fence))
            .filter(follower::rev.le(rev)),
    )
    .set((follower::rev.eq(rev), follower::lease_until.eq(now + lease_ms()), follower::updated_at.eq(now)))
    .execute(connection)?;
    match moved {
        1 => Ok(()),
        _ => Err(Error::new(Code::Busy, "a follower lost its lease")),
    }
}

/// Gives the lease back.
pub(super) fn give_back(connection: &mut AnyConnection, lease: &Lease, tenant: TenantId) -> Result<()> {
    diesel::update(
        follower::table
            .filter(follower::name.eq(lease.name))
            .filter(follower::tenant_id.eq(tenant))
            .filter(follower::fence.eq(lease.fence)),
    )
    .set(follower::lease_until.eq(0))
    .execute(connection)?;
    Ok(())
}

fn lease_ms() -> i64 {
    i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX)
}
