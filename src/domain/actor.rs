//! Actors: on whose behalf something is done.
//!
//! [`Actor`] is a signed-in member: what a verified token says. [`Principal`] is anybody on whose behalf a command of
//! the journal can be done: a member, or the service itself, or its operator, who are no members and have no id.
//! An integrator's API key will be a further kind of principal, with the scopes of the key in the place of a role.

use super::member::Role;
use crate::kernel::{MemberId, SessionId, TenantId};

/// A signed-in member: a verified token's content.
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

/// On whose behalf a command is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// A member. The journal checks its present role and state, not the token's.
    Member(Actor),
    /// The service itself, such as cleaning up.
    System(TenantId),
    /// Who runs the service, by the command line.
    Operator(TenantId),
}

impl Principal {
    /// The tenant that it acts in.
    pub const fn tenant(&self) -> TenantId {
        match self {
            Self::Member(actor) => actor.tenant,
            Self::System(tenant) | Self::Operator(tenant) => *tenant,
        }
    }

    /// The member, when it is one.
    pub const fn member(&self) -> Option<MemberId> {
        match self {
            Self::Member(actor) => Some(actor.member),
            Self::System(_) | Self::Operator(_) => None,
        }
    }

    /// The member's role, when it is one.
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::Member(actor) => Some(actor.role),
            Self::System(_) | Self::Operator(_) => None,
        }
    }
}

impl From<Actor> for Principal {
    fn from(actor: Actor) -> Self {
        Self::Member(actor)
    }
}
