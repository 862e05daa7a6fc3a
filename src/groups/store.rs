//! Queries over `chat_group` and `group_member`. Reads only; every function takes the tenant.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{chat_group, group_member};
use crate::domain::actor::Actor;
use crate::domain::group::{GroupMemberRow, GroupRow, Sight};
use crate::domain::member::Role;
use crate::kernel::{GroupId, MemberId, Result, TenantId};

/// What the actor sees of conversations by its groups. Of a customer nothing is read: groups give it nothing.
pub fn sight(connection: &mut AnyConnection, actor: &Actor) -> Result<Sight> {
    match actor.role {
        Role::Customer => Ok(Sight::whole()),
        role => Ok(Sight::of(role, groups_of(connection, actor.tenant, actor.member)?)),
    }
}

/// The groups that a member is in; few (`MEMBER_GROUPS_MAX`).
fn groups_of(connection: &mut AnyConnection, tenant: TenantId, member: MemberId) -> Result<Vec<GroupId>> {
    Ok(group_member::table
        .filter(group_member::member_id.eq(member))
        .filter(group_member::tenant_id.eq(tenant))
        .filter(group_member::left_at.is_null())
        .select(group_member::group_id)
        .load(connection)?)
}

/// A group that is not deleted.
pub fn find(connection: &mut AnyConnection, tenant: TenantId, id: GroupId) -> Result<Option<GroupRow>> {
    Ok(chat_group::table
        .filter(chat_group::id.eq(id))
        .filter(chat_group::tenant_id.eq(tenant))
        .filter(chat_group::deleted_at.is_null())
        .select(GroupRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// The groups that are not deleted in the order of their ids, after this one, at most `limit`; only those of this
/// member when one is given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: Option<MemberId>,
    after: Option<GroupId>,
    limit: i64,
) -> Result<Vec<GroupRow>> {
    let mut query = chat_group::table
        .filter(chat_group::tenant_id.eq(tenant))
        .filter(chat_group::deleted_at.is_null())
        .order(chat_group::id.asc())
        .limit(limit)
        .select(GroupRow::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(chat_group::id.gt(after));
    }
    if let Some(member) = member {
        let groups = groups_of(connection, tenant, member)?;
        query = query.filter(chat_group::id.eq_any(groups));
    }
    Ok(query.load(connection)?)
}

/// Who is in a group, in the order of their ids, after this one, at most `limit`.
pub fn members(
    connection: &mut AnyConnection,
    tenant: TenantId,
    group: GroupId,
    after: Option<MemberId>,
    limit: i64,
) -> Result<Vec<GroupMemberRow>> {
    let mut query = group_member::table
        .filter(group_member::group_id.eq(group))
        .filter(group_member::tenant_id.eq(tenant))
        .filter(group_member::left_at.is_null())
        .order(group_member::member_id.asc())
        .limit(limit)
        .select(GroupMemberRow::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(group_member::member_id.gt(after));
    }
    Ok(query.load(connection)?)
}

/// A member's place in a group, while it is in.
pub fn member(
    connection: &mut AnyConnection,
    tenant: TenantId,
    group: GroupId,
    member: MemberId,
) -> Result<Option<GroupMemberRow>> {
    Ok(group_member::table
        .filter(group_member::group_id.eq(group))
        .filter(group_member::member_id.eq(member))
        .filter(group_member::tenant_id.eq(tenant))
        .filter(group_member::left_at.is_null())
        .select(GroupMemberRow::as_select())
        .get_result(connection)
        .optional()?)
}
