//! Saved filters: which conversations a member of the staff, or the whole staff, likes to list. No I/O.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::audit::{AuditTarget, Audited};
use crate::db::schema::saved_filter;
use crate::kernel::{MemberId, SavedFilterId, TenantId};

/// Most saved filters of a member, and most that a tenant's staff share.
pub const SAVED_FILTERS_MAX: i64 = 100;
/// Longest name, in characters.
pub const SAVED_FILTER_NAME_MAX: usize = 100;

/// A row of `saved_filter`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = saved_filter, treat_none_as_default_value = false)]
pub struct SavedFilterRow {
    /// The filter.
    pub id: SavedFilterId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who made it.
    pub owner_id: MemberId,
    /// What it is called.
    pub name: String,
    /// Whether all of the staff have it; else only its owner.
    pub shared: bool,
    /// The filter as JSON. It fitted the attributes of the time when it was saved.
    pub filter: String,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it was last changed, unix milliseconds.
    pub updated_at: i64,
}

impl SavedFilterRow {
    /// The filter as JSON.
    pub fn given(&self) -> Value {
        serde_json::from_str(&self.filter).unwrap_or_default()
    }
}

impl Audited for SavedFilterRow {
    const TARGET: AuditTarget = AuditTarget::SavedFilter;

    fn audit_id(&self) -> i64 {
        self.id.0
    }

    fn audit_facts(&self) -> Value {
        json!({"name": self.name, "shared": self.shared, "filter": self.given()})
    }
}
