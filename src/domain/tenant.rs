//! What a tenant is: its state and its settings. No I/O.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text_enum;

text_enum! {
    /// Whether a tenant may be used.
    TenantStatus {
        /// It may.
        Active = "active",
        /// It may not: every request of its members answers `tenant_suspended`.
        Suspended = "suspended",
    }
}

/// What a tenant decides for itself, kept as JSON in `tenant.settings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TenantSettings {
    /// How long a message may be edited by its sender, in seconds; 0 means never.
    pub edit_window_seconds: i64,
    /// How long a message may be recalled by its sender, in seconds; 0 means never.
    pub recall_window_seconds: i64,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self { edit_window_seconds: 900, recall_window_seconds: 120 }
    }
}
