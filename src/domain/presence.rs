//! What the journal keeps of each member of the staff: what it says that it is, and how many conversations it serves.
//! No I/O.
//!
//! Invariant: `current_accept` is the number of conversations in state `pending` whose agent the member is; it changes
//! only in the transaction that assigns or frees one.

use diesel::prelude::*;

use crate::db::schema::agent_status;
use crate::kernel::{MemberId, TenantId};
use crate::text_enum;

text_enum! {
    /// What a member of the staff says that it is.
    PresenceStatus {
        /// At work, ready for conversations.
        Online = "online",
        /// At work, and wants no further conversation for now.
        Busy = "busy",
        /// On a short break.
        Away = "away",
        /// Not at work.
        Offline = "offline",
    }
}

/// Longest reason of a presence, in characters.
pub const REASON_MAX: usize = 200;

/// A row of `agent_status`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = agent_status)]
pub struct AgentStatusRow {
    /// Who.
    pub member_id: MemberId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What it says that it is.
    pub status: PresenceStatus,
    /// Why, for the staff; may be empty.
    pub reason: String,
    /// Since when it is that, unix milliseconds; `None` when it never said anything.
    pub since: Option<i64>,
    /// How many conversations it serves.
    pub current_accept: i64,
    /// The rev of the last change.
    pub rev: i64,
}

impl AgentStatusRow {
    /// A member that never said anything and serves nothing.
    pub const fn new(tenant_id: TenantId, member_id: MemberId) -> Self {
        Self {
            member_id,
            tenant_id,
            status: PresenceStatus::Offline,
            reason: String::new(),
            since: None,
            current_accept: 0,
            rev: 0,
        }
    }
}
