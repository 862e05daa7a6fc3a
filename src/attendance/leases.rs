//! The table `agent_connection`: by which a process tells the others whose sockets it has. Owns its rows and the
//! questions that follow from them. Times are the database's, on which the processes agree whatever their own clocks
//! say.

use std::collections::{BTreeMap, BTreeSet};

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::Who;
use crate::db::schema::{agent_connection, agent_status, member, tenant};
use crate::db::types::Json;
use crate::db::{AnyConnection, time};
use crate::domain::presence::AgentStatusRow;
use crate::domain::tenant::TenantSettings;
use crate::kernel::{MemberId, Result, TenantId};
use crate::on;

/// How long a lease lasts without renewal, in milliseconds.
pub const LEASE_MS: i64 = 30_000;
/// Most members in one statement.
pub const CHUNK: usize = 500;
/// A row that says it was seen so far ahead of the database's clock, in milliseconds, is older than the clock's last jump.
const AHEAD_MS: i64 = 5_000;
/// How old `member.last_seen` may become while a member is connected, in milliseconds.
const SEEN_EVERY_MS: i64 = 60_000;

type Row = (MemberId, String, TenantId, i64, i64);

fn ids(members: &[Who]) -> Vec<MemberId> {
    members.iter().map(|(_, member)| *member).collect()
}

/// Renews, or takes, this process's leases of these members, at most [`CHUNK`]; gives those who had no live one. `now`
/// is the process's own time, which accounts show.
pub fn renew(connection: &mut AnyConnection, node: &str, members: &[Who], now: i64) -> Result<Vec<Who>> {
    let at = time::now(connection)?;
    let ids = ids(members);
    let mine = || agent_connection::table.filter(agent_connection::node_key.eq(node));
    let live: Vec<MemberId> = on!(connection, inner => mine()
        .filter(agent_connection::member_id.eq_any(&ids))
        .filter(agent_connection::leased_until.gt(at))
        .select(agent_connection::member_id)
        .load(inner))?;
    on!(connection, inner => diesel::update(mine().filter(agent_connection::member_id.eq_any(&ids)))
        .set((agent_connection::leased_until.eq(at + LEASE_MS), agent_connection::seen_at.eq(at)))
        .execute(inner))?;
    // Read after the update: its rows are locked, so nobody takes one of them away meanwhile.
    let known: Vec<MemberId> = on!(connection, inner => mine()
        .filter(agent_connection::member_id.eq_any(&ids))
        .select(agent_connection::member_id)
        .load(inner))?;
    let (live, known): (BTreeSet<_>, BTreeSet<_>) = (live.into_iter().collect(), known.into_iter().collect());
    let new: Vec<_> = members
        .iter()
        .filter(|(_, member)| !known.contains(member))
        .map(|(tenant, member)| {
            (
                agent_connection::member_id.eq(*member),
                agent_connection::node_key.eq(node),
                agent_connection::tenant_id.eq(*tenant),
                agent_connection::leased_until.eq(at + LEASE_MS),
                agent_connection::seen_at.eq(at),
            )
        })
        .collect();
    if !new.is_empty() {
        on!(connection, inner => diesel::insert_into(agent_connection::table).values(&new).execute(inner))?;
    }
    let old = member::last_seen.is_null().or(member::last_seen.lt(now - SEEN_EVERY_MS).assume_not_null());
    on!(connection, inner => diesel::update(member::table.filter(member::id.eq_any(&ids)).filter(old))
        .set(member::last_seen.eq(now))
        .execute(inner))?;
    Ok(members.iter().filter(|(_, member)| !live.contains(member)).copied().collect())
}

/// Ends this process's leases of these members, at most [`CHUNK`]: their last sockets closed a moment ago.
pub fn end(connection: &mut AnyConnection, node: &str, members: &[Who], now: i64) -> Result<()> {
    let at = time::now(connection)?;
    let ids = ids(members);
    on!(connection, inner => diesel::update(agent_connection::table
        .filter(agent_connection::node_key.eq(node))
        .filter(agent_connection::member_id.eq_any(&ids)))
        .set((agent_connection::leased_until.eq(0), agent_connection::seen_at.eq(at)))
        .execute(inner))?;
    on!(connection, inner => diesel::update(member::table.filter(member::id.eq_any(&ids)))
        .set(member::last_seen.eq(now))
        .execute(inner))?;
    Ok(())
}

/// Whose leases this process holds, by the store.
pub fn held(connection: &mut AnyConnection, node: &str) -> Result<BTreeSet<Who>> {
    let rows: Vec<Who> = agent_connection::table
        .filter(agent_connection::node_key.eq(node))
        .filter(agent_connection::leased_until.gt(0))
        .select((agent_connection::tenant_id, agent_connection::member_id))
        .load(connection)?;
    Ok(rows.into_iter().collect())
}

/// Whether another process holds a lease, by the store.
pub fn others_hold(connection: &mut AnyConnection, node: &str) -> Result<bool> {
    let others = agent_connection::table
        .filter(agent_connection::node_key.ne(node))
        .filter(agent_connection::leased_until.gt(0));
    Ok(diesel::select(exists(others)).get_result(connection)?)
}

/// Ends the leases of all other processes: of a store that has one process, whoever else wrote there is dead. What was
/// last seen stays.
pub fn end_others(connection: &mut AnyConnection, node: &str) -> Result<()> {
    diesel::update(agent_connection::table.filter(agent_connection::node_key.ne(node)))
        .set(agent_connection::leased_until.eq(0))
        .execute(connection)?;
    Ok(())
}

/// What a look at the leases found.
#[derive(Debug, Default)]
pub struct Found {
    /// The database's time.
    pub at: i64,
    /// Without a live lease for longer than their tenant's grace, and still kept as connected.
    pub silent: Vec<Who>,
    /// Dead rows that nobody needs any more, by process.
    pub spent: BTreeMap<String, Vec<MemberId>>,
    /// The last member that was looked at, when there may be more.
    pub more_after: Option<MemberId>,
}

/// Looks at dead leases of at most [`CHUNK`] rows, of members after this one. A dead row is needed while its member is
/// kept as connected and no other process has a live one.
pub fn dead(connection: &mut AnyConnection, after: MemberId) -> Result<Found> {
    let at = time::now(connection)?;
    let rows: Vec<Row> = agent_connection::table
        .filter(agent_connection::leased_until.le(at))
        .filter(agent_connection::member_id.gt(after))
        .order((agent_connection::member_id.asc(), agent_connection::node_key.asc()))
        .limit(i64::try_from(CHUNK).unwrap_or(i64::MAX))
        .select((
            agent_connection::member_id,
            agent_connection::node_key,
            agent_connection::tenant_id,
            agent_connection::leased_until,
            agent_connection::seen_at,
        ))
        .load(connection)?;
    if rows.is_empty() {
        return Ok(Found { at, ..Found::default() });
    }
    let members: Vec<MemberId> = rows.iter().map(|row| row.0).collect();
    let tenants: BTreeSet<TenantId> = rows.iter().map(|row| row.2).collect();
    let tenants: Vec<TenantId> = tenants.into_iter().collect();
    let live: Vec<MemberId> = on!(connection, inner => agent_connection::table
        .filter(agent_connection::member_id.eq_any(&members))
        .filter(agent_connection::leased_until.gt(at))
        .select(agent_connection::member_id)
        .load(inner))?;
    let connected: Vec<MemberId> = on!(connection, inner => agent_status::table
        .filter(agent_status::member_id.eq_any(&members))
        .filter(agent_status::connected.eq(true))
        .select(agent_status::member_id)
        .load(inner))?;
    let settings: Vec<(TenantId, Json<TenantSettings>)> = on!(connection, inner => tenant::table
        .filter(tenant::id.eq_any(&tenants))
        .select((tenant::id, tenant::settings))
        .load(inner))?;
    let live: BTreeSet<MemberId> = live.into_iter().collect();
    let connected: BTreeSet<MemberId> = connected.into_iter().collect();
    let grace: BTreeMap<TenantId, i64> =
        settings.into_iter().map(|(id, settings)| (id, settings.0.presence_grace_seconds * 1_000)).collect();
    let more_after = members.last().copied().filter(|_| rows.len() == CHUNK);
    let mut found = Found { at, more_after, ..Found::default() };
    for (member, node, tenant, _, seen_at) in rows {
        if live.contains(&member) || !connected.contains(&member) {
            found.spent.entry(node).or_default().push(member);
        } else if at - seen_at >= grace.get(&tenant).copied().unwrap_or(0) {
            found.silent.push((tenant, member));
        }
    }
    Ok(found)
}

/// Takes dead rows of a process away; one that lives again stays.
pub fn forget(connection: &mut AnyConnection, node: &str, members: &[MemberId]) -> Result<()> {
    let at = time::now(connection)?;
    on!(connection, inner => diesel::delete(agent_connection::table
        .filter(agent_connection::node_key.eq(node))
        .filter(agent_connection::member_id.eq_any(members))
        .filter(agent_connection::leased_until.le(at)))
        .execute(inner))?;
    Ok(())
}

/// Of these members of this process, those who are not kept as connected.
pub fn unknown(connection: &mut AnyConnection, members: &[Who]) -> Result<Vec<Who>> {
    let ids = ids(members);
    let known: Vec<MemberId> = on!(connection, inner => agent_status::table
        .filter(agent_status::member_id.eq_any(&ids))
        .filter(agent_status::connected.eq(true))
        .select(agent_status::member_id)
        .load(inner))?;
    let known: BTreeSet<MemberId> = known.into_iter().collect();
    Ok(members.iter().filter(|(_, member)| !known.contains(member)).copied().collect())
}

/// Members who are kept as connected and of whom no process knows anything, at most [`CHUNK`].
pub fn orphans(connection: &mut AnyConnection) -> Result<Vec<Who>> {
    Ok(agent_status::table
        .filter(agent_status::connected.eq(true))
        .filter(not(exists(
            agent_connection::table.filter(agent_connection::member_id.eq(agent_status::member_id)),
        )))
        .order(agent_status::member_id.asc())
        .limit(i64::try_from(CHUNK).unwrap_or(i64::MAX))
        .select((agent_status::tenant_id, agent_status::member_id))
        .load(connection)?)
}

/// After the database's clock was set back, leases and sightings from before would hold for as long as it was set back:
/// they begin anew. Who is dead ends as after any death, who lives is renewed before.
pub fn begin_anew(connection: &mut AnyConnection) -> Result<()> {
    let at = time::now(connection)?;
    let ahead = agent_connection::table.filter(agent_connection::seen_at.gt(at + AHEAD_MS));
    diesel::update(ahead)
        .set((agent_connection::leased_until.eq(at + LEASE_MS), agent_connection::seen_at.eq(at)))
        .execute(connection)?;
    Ok(())
}

/// Agents after this one who serve conversations, are not there, and whose tenant does not let them keep all: at most
/// `limit`. `now` is the process's own time.
pub fn absent(
    connection: &mut AnyConnection,
    after: MemberId,
    now: i64,
    limit: usize,
) -> Result<(Vec<Who>, Option<MemberId>)> {
    use crate::domain::presence::PresenceStatus::{Away, Offline};
    // The text is only a sieve, so that tenants without such a rule cost nothing; the rule itself decides.
    let rows: Vec<(AgentStatusRow, Json<TenantSettings>)> = agent_status::table
        .inner_join(tenant::table.on(tenant::id.eq(agent_status::tenant_id)))
        .filter(tenant::settings.like("%_requeue_seconds%"))
        .filter(agent_status::member_id.gt(after))
        .filter(agent_status::current_accept.gt(0))
        .filter(
            agent_status::connected
                .eq(false)
                .or(agent_status::status.eq(Away))
                .or(agent_status::status.eq(Offline)),
        )
        .order(agent_status::member_id.asc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select((AgentStatusRow::as_select(), tenant::settings))
        .load(connection)?;
    let more_after = rows.last().map(|(row, _)| row.member_id).filter(|_| rows.len() == limit);
    let due = rows.iter().filter(|(row, settings)| row.loses_before(&settings.0, now).is_some());
    Ok((due.map(|(row, _)| (row.tenant_id, row.member_id)).collect(), more_after))
}
