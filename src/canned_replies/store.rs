//! Queries over `canned_reply`. Every function takes the tenant.

use diesel::prelude::*;

use crate::db::error_kind::error_kind;
use crate::db::schema::canned_reply;
use crate::db::{AnyConnection, DbErrorKind};
use crate::domain::actor::Actor;
use crate::domain::canned_reply::{CANNED_REPLIES_MAX, CannedReplyRow, CannedReplyScope};
use crate::domain::group::GROUPS_MAX;
use crate::domain::member::Role;
use crate::groups;
use crate::kernel::{CannedReplyId, Code, Error, GroupId, Result, TenantId};
use crate::on;

/// Which canned replies are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of this scope.
    pub scope: Option<CannedReplyScope>,
    /// Only those of this group.
    pub group: Option<GroupId>,
    /// Only those whose shortcut begins so, in lower case.
    pub shortcut: Option<String>,
}

/// The groups whose canned replies this member of the staff sees.
pub fn groups(connection: &mut AnyConnection, actor: Actor) -> Result<Vec<GroupId>> {
    let member = match actor.role {
        Role::Supervisor | Role::Admin => None,
        Role::Agent | Role::Bot | Role::Customer => Some(actor.member),
    };
    let all = i64::try_from(GROUPS_MAX).unwrap_or(i64::MAX);
    let rows = groups::store::list(connection, actor.tenant, member, None, all)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The canned replies that the actor sees in the order of their ids, after this one, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    actor: Actor,
    filter: &Filter,
    after: Option<CannedReplyId>,
    limit: i64,
) -> Result<Vec<CannedReplyRow>> {
    let seen: Vec<i64> = groups(connection, actor)?.into_iter().map(|group| group.0).collect();
    let prefix = filter.shortcut.as_deref().map(starts_with);
    Ok(on!(connection, inner => {
        let of_group = canned_reply::scope
            .eq(CannedReplyScope::Group.as_str())
            .and(canned_reply::scope_id.eq_any(seen));
        let own = canned_reply::scope
            .eq(CannedReplyScope::Member.as_str())
            .and(canned_reply::scope_id.eq(actor.member.0));
        let mut query = canned_reply::table
            .filter(canned_reply::tenant_id.eq(actor.tenant))
            .filter(canned_reply::scope.eq(CannedReplyScope::Tenant.as_str()).or(of_group).or(own))
            .filter(canned_reply::id.gt(after.unwrap_or(CannedReplyId(0))))
            .order(canned_reply::id.asc())
            .limit(limit)
            .select(CannedReplyRow::as_select())
            .into_boxed();
        if let Some(scope) = filter.scope {
            query = query.filter(canned_reply::scope.eq(scope.as_str()));
        }
        if let Some(group) = filter.group {
            query = query
                .filter(canned_reply::scope.eq(CannedReplyScope::Group.as_str()))
                .filter(canned_reply::scope_id.eq(group.0));
        }
        if let Some(prefix) = prefix {
            query = query.filter(canned_reply::shortcut.like(prefix).escape('!'));
        }
        query.load(inner)
    })?)
}

/// The pattern of texts that begin so.
fn starts_with(text: &str) -> String {
    let mut pattern = String::new();
    for one in text.chars() {
        if matches!(one, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(one);
    }
    pattern.push('%');
    pattern
}

/// A canned reply that the actor sees.
pub fn find(
    connection: &mut AnyConnection,
    actor: Actor,
    id: CannedReplyId,
) -> Result<Option<CannedReplyRow>> {
    let row: Option<CannedReplyRow> = canned_reply::table
        .filter(canned_reply::id.eq(id))
        .filter(canned_reply::tenant_id.eq(actor.tenant))
        .select(CannedReplyRow::as_select())
        .first(connection)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let is_seen = match row.scope {
        CannedReplyScope::Tenant => true,
        CannedReplyScope::Member => row.scope_id == actor.member.0,
        CannedReplyScope::Group => groups(connection, actor)?.contains(&GroupId(row.scope_id)),
    };
    Ok(is_seen.then_some(row))
}

/// Stores a new canned reply. Errors: `limit_reached`, `name_taken`.
pub fn insert(connection: &mut AnyConnection, row: &CannedReplyRow) -> Result<()> {
    let count: i64 = canned_reply::table
        .filter(canned_reply::tenant_id.eq(row.tenant_id))
        .filter(canned_reply::scope.eq(row.scope.as_str()))
        .filter(canned_reply::scope_id.eq(row.scope_id))
        .count()
        .get_result(connection)?;
    if count >= CANNED_REPLIES_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {CANNED_REPLIES_MAX} of each scope")));
    }
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection
        .transaction(|connection| diesel::insert_into(canned_reply::table).values(row).execute(connection));
    inserted.map(|_| ()).map_err(taken)
}

/// Stores a changed canned reply. Errors: `name_taken`.
pub fn update(connection: &mut AnyConnection, row: &CannedReplyRow) -> Result<()> {
    let of_tenant = canned_reply::table
        .filter(canned_reply::id.eq(row.id))
        .filter(canned_reply::tenant_id.eq(row.tenant_id));
    let updated = connection.transaction(|connection| {
        diesel::update(of_tenant)
            .set((
                canned_reply::shortcut.eq(&row.shortcut),
                canned_reply::title.eq(&row.title),
                canned_reply::text.eq(&row.text),
                canned_reply::updated_at.eq(row.updated_at),
            ))
            .execute(connection)
    });
    updated.map(|_| ()).map_err(taken)
}

fn taken(cause: diesel::result::Error) -> Error {
    match error_kind(&cause) {
        DbErrorKind::Unique => Error::new(Code::NameTaken, "another canned reply has this shortcut"),
        _ => cause.into(),
    }
}

/// Deletes a canned reply.
pub fn delete(connection: &mut AnyConnection, tenant: TenantId, id: CannedReplyId) -> Result<()> {
    let of_tenant =
        canned_reply::table.filter(canned_reply::id.eq(id)).filter(canned_reply::tenant_id.eq(tenant));
    diesel::delete(of_tenant).execute(connection)?;
    Ok(())
}

/// Counts a use.
pub fn used(connection: &mut AnyConnection, tenant: TenantId, id: CannedReplyId) -> Result<()> {
    let of_tenant =
        canned_reply::table.filter(canned_reply::id.eq(id)).filter(canned_reply::tenant_id.eq(tenant));
    diesel::update(of_tenant)
        .set(canned_reply::use_count.eq(canned_reply::use_count + 1))
        .execute(connection)?;
    Ok(())
}
