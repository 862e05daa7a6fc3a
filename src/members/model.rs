//! What a member is: roles and states, and the actor on whose behalf a command runs. No I/O.

use crate::kernel::{MemberId, SessionId, TenantId};
use crate::text_enum;

text_enum! {
    /// What a member may do; see the table in `auth::permission`.
    Role {
        /// A visitor.
        Customer = "customer",
        /// Serves visitors.
        Agent = "agent",
        /// Oversees agents and conversations.
        Supervisor = "supervisor",
        /// Runs the tenant.
        Admin = "admin",
    }
}

impl Role {
    /// Whether this is one of the tenant's own people.
    pub const fn is_staff(self) -> bool {
        !matches!(self, Self::Customer)
    }

    /// Whether this role reads and moves every conversation of the tenant.
    pub const fn oversees(self) -> bool {
        matches!(self, Self::Supervisor | Self::Admin)
    }
}

text_enum! {
    /// Whether an account may be used.
    MemberStatus {
        /// It may.
        Enabled = "enabled",
        /// It may not: sign-in is refused, live sessions are ended.
        Disabled = "disabled",
    }
}

/// On whose behalf something is done: a verified token's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The tenant; every query is scoped by it.
    pub tenant: TenantId,
    /// The member.
    pub member: MemberId,
    /// The member's role when the token was made; journal commands check the present one.
    pub role: Role,
    /// The signed-in device.
    pub session: SessionId,
}
