//! Actors: on whose behalf something is done.

use super::member::Role;
use crate::kernel::{MemberId, SessionId, TenantId};

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
