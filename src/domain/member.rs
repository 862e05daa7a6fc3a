//! Members: roles and states of accounts.

use crate::text_enum;

text_enum! {
    /// What a member may do; see the table in `domain::permission`.
    Role {
        /// A visitor.
        Customer = "customer",
        /// A program that answers visitors before the staff do; always a service account.
        Bot = "bot",
        /// Serves visitors.
        Agent = "agent",
        /// Oversees agents and conversations.
        Supervisor = "supervisor",
        /// Runs the tenant.
        Admin = "admin",
    }
}

impl Role {
    /// Whether this is one of the tenant's own: its people and its bots.
    pub const fn is_staff(self) -> bool {
        !matches!(self, Self::Customer)
    }

    /// Whether this is one of the tenant's own people, who can serve a conversation.
    pub const fn is_person(self) -> bool {
        matches!(self, Self::Agent | Self::Supervisor | Self::Admin)
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
