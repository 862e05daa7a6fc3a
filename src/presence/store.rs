//! Reading presences and their history. In lists, accounts that are disabled, deleted or those of customers are not
//! found.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{agent_status, member, presence_change};
use crate::domain::member::{MemberStatus, Role};
use crate::domain::presence::{AgentStatusRow, PresenceChangeRow, PresenceStatus};
use crate::kernel::{MemberId, PresenceChangeId, Result, TenantId};

/// A member of the staff with what is kept of it.
#[derive(Debug, Clone)]
pub struct PresenceRow {
    /// Who.
    pub id: MemberId,
    /// The name that others see.
    pub nickname: String,
    /// The address of a picture, or empty.
    pub avatar: String,
    /// What it may do.
    pub role: Role,
    /// How many conversations it accepts at once.
    pub max_accept: i32,
    /// What the journal keeps.
    pub kept: AgentStatusRow,
}

/// The roles of the staff: one walk of the index each, because customers stand between them.
const STAFF: [Role; 3] = [Role::Agent, Role::Supervisor, Role::Admin];

/// Who is asked for; what is absent excludes nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Only {
    /// Who says that it is this.
    pub status: Option<PresenceStatus>,
    /// Who is this for others.
    pub effective: Option<PresenceStatus>,
    /// This member.
    pub member: Option<MemberId>,
}

/// The staff in the order of their ids, after this one, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    only: Only,
    after: Option<MemberId>,
    limit: i64,
) -> Result<Vec<PresenceRow>> {
    let mut rows: Vec<PresenceRow> = Vec::new();
    for role in STAFF {
        rows.extend(of_role(connection, tenant, role, only, after, limit)?);
    }
    rows.sort_by_key(|row| row.id);
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(rows)
}

fn of_role(
    connection: &mut AnyConnection,
    tenant: TenantId,
    role: Role,
    only: Only,
    after: Option<MemberId>,
    limit: i64,
) -> Result<Vec<PresenceRow>> {
    let mut query = member::table
        .left_join(agent_status::table.on(agent_status::member_id.eq(member::id)))
        .filter(member::tenant_id.eq(tenant))
        .filter(member::role.eq(role))
        .filter(member::status.eq(MemberStatus::Enabled))
        .filter(member::deleted_at.is_null())
        .order(member::id.asc())
        .limit(limit)
        .select((
            member::id,
            member::nickname,
            member::avatar,
            member::role,
            member::max_accept,
            Option::<AgentStatusRow>::as_select(),
        ))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(member::id.gt(after));
    }
    if let Some(id) = only.member {
        query = query.filter(member::id.eq(id));
    }
    query = match only.status {
        // Who never said anything is offline.
        Some(PresenceStatus::Offline) => query
            .filter(agent_status::status.eq(PresenceStatus::Offline).or(agent_status::member_id.is_null())),
        Some(status) => query.filter(agent_status::status.eq(status)),
        None => query,
    };
    query = match only.effective {
        // Who never came is offline.
        Some(PresenceStatus::Offline) => query.filter(
            agent_status::status
                .eq(PresenceStatus::Offline)
                .or(agent_status::connected.eq(false))
                .or(agent_status::member_id.is_null()),
        ),
        Some(status) => {
            query.filter(agent_status::status.eq(status)).filter(agent_status::connected.eq(true))
        }
        None => query,
    };
    let rows: Vec<(MemberId, String, String, Role, i32, Option<AgentStatusRow>)> = query.load(connection)?;
    let rows = rows.into_iter().map(|(id, nickname, avatar, role, max_accept, kept)| {
        let kept = kept.unwrap_or_else(|| AgentStatusRow::new(tenant, id));
        PresenceRow { id, nickname, avatar, role, max_accept, kept }
    });
    Ok(rows.collect())
}

/// Whether this is a member of the tenant's staff, be the account usable or not.
pub fn is_staff(connection: &mut AnyConnection, tenant: TenantId, id: MemberId) -> Result<bool> {
    let role: Option<Role> = member::table
        .filter(member::id.eq(id))
        .filter(member::tenant_id.eq(tenant))
        .select(member::role)
        .first(connection)
        .optional()?;
    Ok(role.is_some_and(Role::is_staff))
}

/// What a member was, newest first, before this change, at most `limit`.
pub fn history(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MemberId,
    before: Option<PresenceChangeId>,
    limit: i64,
) -> Result<Vec<PresenceChangeRow>> {
    let mut query = presence_change::table
        .filter(presence_change::tenant_id.eq(tenant))
        .filter(presence_change::member_id.eq(id))
        .order(presence_change::id.desc())
        .limit(limit)
        .select(PresenceChangeRow::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(presence_change::id.lt(before));
    }
    Ok(query.load(connection)?)
}
