//! Telling the staff what their colleagues say that they are, and how many conversations they serve. No waiting.
//!
//! Invariants: no customer is told; it is told and forgotten, and the last rev of a member wins.

use super::protocol::server::PresenceNotice;
use super::protocol::table;
use super::tenant::Tenant;
use super::wire;
use crate::journal::Changes;
use crate::kernel::Millis;

/// Tells every socket of the staff.
pub fn tell(tenant: &Tenant, changes: &Changes) {
    for row in &changes.agents {
        let notice = PresenceNotice {
            member_id: row.member_id,
            status: row.status,
            reason: row.reason.clone(),
            since: row.since.map(Millis),
            current_accept: row.current_accept,
            rev: row.rev,
        };
        let bytes = wire::frame(table::PRESENCE, &notice);
        for socket in tenant.members.values().flatten() {
            if socket.actor.get().is_some_and(|actor| actor.role.is_staff()) {
                socket.ephemeral(bytes.clone());
            }
        }
    }
}
