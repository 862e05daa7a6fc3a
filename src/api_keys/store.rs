//! Queries over `api_key`. Every function takes the tenant; who writes holds its row (`tenants::store::hold`).

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::api_key;
use crate::db::types::json_text;
use crate::domain::api_key::{API_KEYS_MAX, ApiKeyRow};
use crate::kernel::{ApiKeyId, Code, Error, MemberId, Result, TenantId};

/// What a list of keys is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this service account.
    pub member: Option<MemberId>,
    /// Only those that may be used, or only those that may not any more.
    pub active: Option<bool>,
}

/// Keys below this one, the newest first, at most `limit`, as they are at this time.
pub fn list(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    filter: &Filter,
    before: Option<ApiKeyId>,
    limit: i64,
    now: i64,
) -> Result<Vec<ApiKeyRow>> {
    let mut query = api_key::table
        .filter(api_key::tenant_id.eq(tenant_id))
        .filter(api_key::id.lt(before.unwrap_or(ApiKeyId(i64::MAX))))
        .into_boxed();
    if let Some(member) = filter.member {
        query = query.filter(api_key::member_id.eq(member));
    }
    let (lives, ended) =
        (api_key::expires_at.is_null().or(api_key::expires_at.gt(now)), api_key::expires_at.le(now));
    query = match filter.active {
        Some(true) => query.filter(api_key::revoked_at.is_null()).filter(lives),
        Some(false) => query.filter(api_key::revoked_at.is_not_null().or(ended)),
        None => query,
    };
    Ok(query.order(api_key::id.desc()).limit(limit).select(ApiKeyRow::as_select()).load(connection)?)
}

/// A key by its id.
pub fn find(connection: &mut AnyConnection, tenant_id: TenantId, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    Ok(api_key::table
        .filter(api_key::id.eq(id))
        .filter(api_key::tenant_id.eq(tenant_id))
        .select(ApiKeyRow::as_select())
        .first(connection)
        .optional()?)
}

/// Stores a new key. At the limit, one that may not be used any more gives way, the oldest first. Errors: `limit_reached`.
pub fn insert(connection: &mut AnyConnection, row: &ApiKeyRow) -> Result<()> {
    let of_tenant = || api_key::table.filter(api_key::tenant_id.eq(row.tenant_id));
    let count: i64 = of_tenant().count().get_result(connection)?;
    if count >= API_KEYS_MAX {
        let ended: Option<ApiKeyId> = of_tenant()
            .filter(api_key::revoked_at.is_not_null().or(api_key::expires_at.le(row.created_at)))
            .order(api_key::id.asc())
            .select(api_key::id)
            .first(connection)
            .optional()?;
        let Some(ended) = ended else {
            return Err(Error::new(Code::LimitReached, format!("at most {API_KEYS_MAX} API keys")));
        };
        diesel::delete(of_tenant().filter(api_key::id.eq(ended))).execute(connection)?;
    }
    diesel::insert_into(api_key::table)
        .values((
            api_key::id.eq(row.id),
            api_key::tenant_id.eq(row.tenant_id),
            api_key::member_id.eq(row.member_id),
            api_key::name.eq(&row.name),
            api_key::prefix.eq(&row.prefix),
            api_key::secret_hash.eq(&row.secret_hash),
            api_key::operations.eq(json_text(&row.operations.0)),
            api_key::networks.eq(json_text(&row.networks.0)),
            api_key::expires_at.eq(row.expires_at),
            api_key::last_used_at.eq(row.last_used_at),
            api_key::last_used_ip.eq(&row.last_used_ip),
            api_key::created_by.eq(row.created_by),
            api_key::created_at.eq(row.created_at),
            api_key::updated_at.eq(row.updated_at),
            api_key::revoked_at.eq(row.revoked_at),
            api_key::revoked_by.eq(row.revoked_by),
        ))
        .execute(connection)?;
    Ok(())
}

/// Stores what can be changed of a key. When it was last used is left alone.
pub fn update(connection: &mut AnyConnection, row: &ApiKeyRow) -> Result<()> {
    let one = api_key::table.filter(api_key::id.eq(row.id)).filter(api_key::tenant_id.eq(row.tenant_id));
    diesel::update(one)
        .set((
            api_key::name.eq(&row.name),
            api_key::operations.eq(json_text(&row.operations.0)),
            api_key::networks.eq(json_text(&row.networks.0)),
            api_key::expires_at.eq(row.expires_at),
            api_key::updated_at.eq(row.updated_at),
            api_key::revoked_at.eq(row.revoked_at),
            api_key::revoked_by.eq(row.revoked_by),
        ))
        .execute(connection)?;
    Ok(())
}
