//! Queries over `ban`. Every function takes the tenant; who writes holds it (`journal::bans::hold`).

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::ban;
use crate::domain::ban::{BANS_MAX, BanKind, BanRow};
use crate::kernel::{BanId, Code, Error, Result, TenantId};
use crate::on;

/// What a list of bans is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<BanKind>,
    /// Only with one of these values.
    pub values: Option<Vec<String>>,
    /// Only those that hold, or only those that ended.
    pub active: Option<bool>,
}

/// Bans below this one, the newest first, at most `limit`, as they are at this time.
pub fn list(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    filter: Filter,
    before: Option<BanId>,
    limit: i64,
    now: i64,
) -> Result<Vec<BanRow>> {
    let Filter { kind, values, active } = filter;
    Ok(on!(connection, inner => {
        let mut query = ban::table
            .filter(ban::tenant_id.eq(tenant_id))
            .filter(ban::id.lt(before.unwrap_or(BanId(i64::MAX))))
            .into_boxed();
        if let Some(kind) = kind {
            query = query.filter(ban::kind.eq(kind));
        }
        if let Some(values) = values {
            query = query.filter(ban::value.eq_any(values));
        }
        match active {
            Some(true) => query = query.filter(ban::expires_at.is_null().or(ban::expires_at.gt(now))),
            Some(false) => query = query.filter(ban::expires_at.le(now)),
            None => {}
        }
        query.order(ban::id.desc()).limit(limit).select(BanRow::as_select()).load(inner)
    })?)
}

/// A ban by its id.
pub fn find(connection: &mut AnyConnection, tenant_id: TenantId, id: BanId) -> Result<Option<BanRow>> {
    Ok(ban::table
        .filter(ban::id.eq(id))
        .filter(ban::tenant_id.eq(tenant_id))
        .select(BanRow::as_select())
        .first(connection)
        .optional()?)
}

/// Stores a new ban. One of the same that ended gives way to it, and so does, at the limit, what ended first. Errors:
/// `limit_reached`, `name_taken` with `context.ban_id`.
pub fn insert(connection: &mut AnyConnection, row: &BanRow) -> Result<()> {
    let now = row.created_at;
    let of_tenant = || ban::table.filter(ban::tenant_id.eq(row.tenant_id));
    let same: Option<BanRow> = of_tenant()
        .filter(ban::kind.eq(row.kind))
        .filter(ban::value.eq(&row.value))
        .select(BanRow::as_select())
        .first(connection)
        .optional()?;
    match same {
        Some(same) if same.holds(now) => {
            let error = Error::new(Code::NameTaken, "this is banned already: change that ban");
            return Err(error.with("ban_id", same.id));
        }
        Some(ended) => delete(connection, row.tenant_id, ended.id)?,
        None => {}
    }
    let count: i64 = of_tenant().count().get_result(connection)?;
    if count >= BANS_MAX {
        let ended: Option<BanId> = of_tenant()
            .filter(ban::expires_at.le(now))
            .order((ban::expires_at.asc(), ban::id.asc()))
            .select(ban::id)
            .first(connection)
            .optional()?;
        let Some(ended) = ended else {
            return Err(Error::new(Code::LimitReached, format!("at most {BANS_MAX} bans")));
        };
        delete(connection, row.tenant_id, ended)?;
    }
    diesel::insert_into(ban::table).values(row).execute(connection)?;
    Ok(())
}

/// Stores why a ban is there and when it ends.
pub fn update(connection: &mut AnyConnection, row: &BanRow) -> Result<()> {
    diesel::update(ban::table.filter(ban::id.eq(row.id)).filter(ban::tenant_id.eq(row.tenant_id)))
        .set((
            ban::reason.eq(&row.reason),
            ban::expires_at.eq(row.expires_at),
            ban::updated_at.eq(row.updated_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// Deletes a ban.
pub fn delete(connection: &mut AnyConnection, tenant_id: TenantId, id: BanId) -> Result<()> {
    diesel::delete(ban::table.filter(ban::id.eq(id)).filter(ban::tenant_id.eq(tenant_id)))
        .execute(connection)?;
    Ok(())
}
