//! What a change of access does to live sockets.

use super::protocol::close;
use super::socket::Socket;
use super::tenant::Tenant;
use crate::domain::member::MemberStatus;
use crate::journal::feed::{AccessNotice, AccessState};
use crate::kernel::MemberId;
use crate::security::DenyReason;

/// Closes the sockets that may no longer be here, as far as they are `to`'s. A changed role means: refresh the token
/// and connect again.
pub fn apply(tenant: &Tenant, notice: &AccessNotice, to: &dyn Fn(MemberId) -> bool) {
    let sockets_of = |member: &MemberId| {
        let sockets = if to(*member) { tenant.members.get(member) } else { None };
        sockets.into_iter().flatten()
    };
    match &notice.change {
        AccessState::SessionRevoked { member, session, .. } => {
            for socket in sockets_of(member) {
                if socket.actor.get().is_some_and(|actor| actor.session == *session) {
                    socket.close(close::KICKED, "session_revoked");
                }
            }
        }
        // A socket whose account has ended is found by the look of every second (`bar`).
        AccessState::Member { member, role, status, deleted, merged_into, expires_at: _ } => {
            for socket in sockets_of(member) {
                let same_role = socket.actor.get().is_some_and(|actor| actor.role == *role);
                match (merged_into, *deleted || *status == MemberStatus::Disabled) {
                    (Some(_), _) => socket.close(close::KICKED, "identity_changed"),
                    (None, true) => socket.close(close::FORBIDDEN, "account_disabled"),
                    (None, false) if !same_role => socket.close(close::TOKEN_EXPIRED, "role_changed"),
                    (None, false) => {}
                }
            }
        }
        AccessState::Tenant { suspended: true } => {
            for socket in tenant.members.keys().flat_map(sockets_of) {
                socket.close(close::FORBIDDEN, "tenant_suspended");
            }
        }
        // What a member sees by its groups has been taken in before (`sight`).
        AccessState::Group { .. } | AccessState::Tenant { suspended: false } => {}
    }
}

/// Closes a socket whose member the token verifier no longer lets in; tells whether it did.
pub fn bar(socket: &Socket) -> bool {
    let Some(barred) = socket.actor.get().and_then(|actor| socket.hub.app.auth.barred(&actor)) else {
        return false;
    };
    let (code, reason) = match barred {
        DenyReason::TenantSuspended => (close::FORBIDDEN, "tenant_suspended"),
        DenyReason::AccountDisabled => (close::FORBIDDEN, "account_disabled"),
        DenyReason::IdentityChanged => (close::KICKED, "identity_changed"),
        DenyReason::RoleChanged => (close::TOKEN_EXPIRED, "role_changed"),
        DenyReason::SessionRevoked => (close::KICKED, "session_revoked"),
        DenyReason::Banned => (close::FORBIDDEN, "banned"),
    };
    socket.close(code, reason);
    true
}
