//! Saying what one is, and telling the staff what their colleagues are and how many conversations they serve.
//!
//! Invariants: no customer is told; it is told and forgotten, and the last rev of a member wins.

use std::rc::Rc;

use super::commands::{Running, run, writes};
use super::protocol::FrameId;
use super::protocol::client::SetPresence;
use super::protocol::server::PresenceNotice;
use super::protocol::table;
use super::socket::Socket;
use super::tenant::Tenant;
use super::wire;
use crate::domain::actor::Actor;
use crate::domain::presence::AgentStatusRow;
use crate::journal::Changes;
use crate::kernel::{Millis, Result};
use crate::presence::service;

/// Says what the member on this socket is.
pub fn set(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: SetPresence) -> Result<()> {
    let app = socket.hub.app.clone();
    run(Running::new(socket, writes), id, None, async move {
        let row = service::set(&app, actor, input.status, &input.reason).await?;
        Ok(PresenceNotice::from(row.kept))
    });
    Ok(())
}

impl From<AgentStatusRow> for PresenceNotice {
    fn from(row: AgentStatusRow) -> Self {
        let effective_status = row.effective();
        let AgentStatusRow { member_id, status, reason, since, current_accept, rev, .. } = row;
        Self {
            member_id,
            status,
            effective_status,
            connected: row.connected,
            reason,
            since: since.map(Millis),
            last_seen: row.last_seen.map(Millis),
            current_accept,
            rev,
        }
    }
}

/// Tells every socket of the staff.
pub fn tell(tenant: &Tenant, changes: &Changes) {
    let frame = |row: &AgentStatusRow| wire::frame(table::PRESENCE, &PresenceNotice::from(row.clone()));
    let frames: Vec<_> = changes.agents.iter().map(frame).collect();
    if frames.is_empty() {
        return;
    }
    let is_staff = |socket: &&Rc<Socket>| socket.actor.get().is_some_and(|actor| actor.role.is_staff());
    for socket in tenant.members.values().flatten().filter(is_staff) {
        frames.iter().for_each(|frame| socket.ephemeral(frame.clone()));
    }
}
