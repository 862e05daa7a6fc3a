//! The gateway: live sockets at `/api/v1/ws`, sub-protocol `deskwire.v1`.
//!
//! Owns the frames, the close codes and the limits of the socket ([`protocol`]); who is connected on a worker
//! ([`hub`], [`tenant`]); how committed changes reach them ([`follow`], [`deliver`], [`events`], [`rows`]); what is done after a
//! panic ([`rebuild`]); how a client that was away catches up
//! ([`resume`]). Does not own what a command does: each calls the service function that REST calls ([`commands`]).
//!
//! The way of a frame in: [`upgrade`] → [`handover`] → [`session`] (one small task a socket) → [`connection`] →
//! [`frames`] → [`inbound`] → [`commands`] → a service. The way of a change out: the journal's feed → [`hub`] (one a
//! worker thread) → [`follow`] → [`deliver`] → the socket's [`outbox`] → [`writer`] → the connection.
//!
//! Invariants: a durable frame is delivered or told as lag: entries in order of rev, rows in order of rev, and no cursor
//! beyond a row that is still to come; no socket can make another wait, and none can hold more than its bounds; losing
//! anything in here costs a read of the store and never data.

mod access;
mod bucket;
mod collect;
mod commands;
mod connection;
mod deliver;
mod drain;
mod events;
mod follow;
mod frames;
mod handover;
mod hub;
mod inbound;
pub mod keys;
mod missed;
mod offers;
mod outbox;
mod pending;
mod places;
mod presence;
pub mod protocol;
mod rebuild;
mod replay;
mod resume;
mod rows;
mod session;
mod sight;
mod socket;
mod stream;
mod sweep;
mod tenant;
mod typing;
mod upgrade;
mod watch;
mod wire;
mod writer;

pub use handover::split;
use utoipa_actix_web::service_config::ServiceConfig;

/// The gateway's one route. It needs nothing but `web::Data<App>`: each worker makes its hub when its first socket
/// comes.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(upgrade::open_socket);
}
