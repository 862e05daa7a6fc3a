//! Telling customers the places of their conversations in the queue. Told to all their devices, and forgotten. When and
//! what stands in [`crate::queue::announce`].

use super::protocol::server::QueuePlaceNotice;
use super::protocol::table;
use super::tenant::Tenant;
use super::wire;
use crate::journal::ephemeral::PlaceInQueue;
use crate::kernel::Millis;

/// Tells customers the places of their conversations, and who watches these.
pub fn tell(tenant: &Tenant, places: &[PlaceInQueue]) {
    for place in places {
        let notice = QueuePlaceNotice {
            conversation_id: place.conversation,
            position: place.position,
            waiting_since: Millis(place.since),
            estimated_wait_seconds: place.estimated_wait_seconds,
        };
        let frame = wire::frame(table::QUEUE_PLACE, &notice);
        let customer = place.customer.as_slice();
        tenant.audience(place.conversation, customer).for_each(|socket| socket.ephemeral(frame.clone()));
    }
}
