//! Telling an agent of offers to it: made, answered, missed, withdrawn. Told to all its devices, and forgotten.

use std::rc::Rc;

use super::protocol::server::OfferNotice;
use super::protocol::table;
use super::socket::Socket;
use super::tenant::Tenant;
use super::wire;
use crate::domain::offer::OfferRow;
use crate::journal::Changes;
use crate::kernel::Millis;

impl From<&OfferRow> for OfferNotice {
    fn from(row: &OfferRow) -> Self {
        Self {
            id: row.id,
            conversation_id: row.conversation_id,
            state: row.state,
            offered_at: Millis(row.offered_at),
            expires_at: Millis(row.expires_at),
            from_agent_id: row.from_agent_id,
            reason: row.reason,
            note: row.is_transfer().then(|| row.note.clone()),
            rev: row.rev,
        }
    }
}

/// Tells the sockets of the agents whose offers changed.
pub fn tell(tenant: &Tenant, changes: &Changes) {
    for row in &changes.offers {
        let Some(sockets) = tenant.members.get(&row.agent_id) else { continue };
        let frame = wire::frame(table::OFFER, &OfferNotice::from(row));
        let tell = |socket: &Rc<Socket>| socket.ephemeral(frame.clone());
        sockets.iter().for_each(tell);
    }
}
