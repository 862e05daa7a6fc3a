//! Queries over `audit_event`. Every function takes the tenant.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::audit_event;
use crate::domain::audit::{AuditAction, AuditEventRow, AuditTarget};
use crate::kernel::{ApiKeyId, AuditEventId, MemberId, Result, TenantId};

/// What the events are narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only what this member did.
    pub actor: Option<MemberId>,
    /// Only what was done with this key.
    pub api_key: Option<ApiKeyId>,
    /// Only this.
    pub action: Option<AuditAction>,
    /// Only what was done to things of this kind.
    pub target: Option<AuditTarget>,
    /// Only what was done to this one.
    pub target_id: Option<i64>,
    /// Not earlier than this, unix milliseconds.
    pub from: Option<i64>,
    /// Earlier than this, unix milliseconds.
    pub until: Option<i64>,
}

/// Events below this one, the newest first, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    filter: &Filter,
    before: Option<AuditEventId>,
    limit: i64,
) -> Result<Vec<AuditEventRow>> {
    let mut query = audit_event::table
        .filter(audit_event::tenant_id.eq(tenant_id))
        .filter(audit_event::id.lt(before.unwrap_or(AuditEventId(i64::MAX))))
        .into_boxed();
    if let Some(actor) = filter.actor {
        query = query.filter(audit_event::actor_id.eq(actor));
    }
    if let Some(key) = filter.api_key {
        query = query.filter(audit_event::api_key_id.eq(key));
    }
    if let Some(action) = filter.action {
        query = query.filter(audit_event::action.eq(action));
    }
    if let Some(target) = filter.target {
        query = query.filter(audit_event::target_type.eq(target));
    }
    if let Some(id) = filter.target_id {
        query = query.filter(audit_event::target_id.eq(id));
    }
    if let Some(from) = filter.from {
        query = query.filter(audit_event::created_at.ge(from));
    }
    if let Some(until) = filter.until {
        query = query.filter(audit_event::created_at.lt(until));
    }
    Ok(query
        .order(audit_event::id.desc())
        .limit(limit)
        .select(AuditEventRow::as_select())
        .load(connection)?)
}
