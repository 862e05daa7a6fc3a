//! Tenants in the store.

use diesel::prelude::*;
use serde_json::{Value, json};

use crate::db::AnyConnection;
use crate::db::error_kind::{DbErrorKind, error_kind};
use crate::db::schema::{tenant, tenant_log};
use crate::db::types::{Json, json_text};
use crate::domain::audit::{AuditTarget, Audited};
use crate::domain::tenant::{TenantSettings, TenantStatus};
use crate::kernel::{Code, Error, Millis, Result, TenantId};

/// A row of `tenant`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = tenant)]
#[allow(missing_docs, reason = "the columns are explained in the migration")]
pub struct TenantRow {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub status: TenantStatus,
    pub settings: Json<TenantSettings>,
    pub rev: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Audited for TenantRow {
    const TARGET: AuditTarget = AuditTarget::Tenant;

    fn audit_id(&self) -> i64 {
        self.id.0
    }

    fn audit_facts(&self) -> Value {
        let mut facts = json!(self.settings.0);
        facts["name"] = json!(self.name);
        facts
    }
}

/// Keeps a new tenant with an empty log. The one place outside the journal that writes `tenant_log`: nobody can
/// know the tenant before this transaction commits, so there is nothing to order its first row against, and a
/// tenant without that row could not be written to. Fails with `name_taken` when the slug is in use.
pub fn insert(connection: &mut AnyConnection, row: &TenantRow) -> Result<()> {
    let inserted = diesel::insert_into(tenant::table)
        .values((
            tenant::id.eq(row.id),
            tenant::slug.eq(&row.slug),
            tenant::name.eq(&row.name),
            tenant::status.eq(row.status),
            tenant::settings.eq(json_text(&row.settings.0)),
            tenant::rev.eq(row.rev),
            tenant::created_at.eq(row.created_at),
            tenant::updated_at.eq(row.updated_at),
        ))
        .execute(connection);
    if let Err(cause) = inserted {
        return Err(match error_kind(&cause) {
            DbErrorKind::Unique => Error::new(Code::NameTaken, "the slug is in use").caused_by(cause),
            _ => cause.into(),
        });
    }
    diesel::insert_into(tenant_log::table)
        .values((tenant_log::tenant_id.eq(row.id), tenant_log::rev.eq(0)))
        .execute(connection)?;
    Ok(())
}

/// The tenant. Fails with `not_found` when there is none.
pub fn find(connection: &mut AnyConnection, id: TenantId) -> Result<TenantRow> {
    let row = tenant::table.find(id).select(TenantRow::as_select()).first(connection).optional()?;
    row.ok_or_else(Error::not_found)
}

/// The tenant with this slug.
pub fn find_by_slug(connection: &mut AnyConnection, slug: &str) -> Result<Option<TenantRow>> {
    Ok(tenant::table
        .filter(tenant::slug.eq(slug))
        .select(TenantRow::as_select())
        .first(connection)
        .optional()?)
}

/// How many tenants there are.
pub fn count(connection: &mut AnyConnection) -> Result<i64> {
    Ok(tenant::table.count().get_result(connection)?)
}

/// Changes name and settings.
pub fn change(
    connection: &mut AnyConnection,
    id: TenantId,
    name: &str,
    settings: &TenantSettings,
    now: Millis,
) -> Result<()> {
    diesel::update(tenant::table.find(id))
        .set((tenant::name.eq(name), tenant::settings.eq(json_text(settings)), tenant::updated_at.eq(now.0)))
        .execute(connection)?;
    Ok(())
}
