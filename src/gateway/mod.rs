//! The gateway: live sockets at `/api/v1/ws`, sub-protocol `deskwire.v1`.
//!
//! Owns the frames, the close codes and the limits of the socket ([`protocol`]); who is connected; how committed
//! changes reach them; how a client that was away catches up. Does not own what a command does: each calls the
//! service function that REST calls.

pub mod protocol;
