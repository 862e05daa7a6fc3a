//! Bans: customers whom a tenant does not let in any more, by account, address, network, e-mail address or device.
//!
//! Owns the routes `/bans` and the table `ban`. Does not own whom a ban meets (`domain::ban`), the list in memory and its
//! version (`journal::bans`), nor how processes and sockets learn of it (`security::bans`, `gateway`).
//!
//! Where it holds: every access token that is verified (each request, `hello` and `auth` of a socket, and each live socket
//! once a second and whenever the list moves), new visitors, sign-in, refresh, the identity of a visitor, links to rate,
//! and every command of the journal, there under the lock of the tenant's log. Invariants: the staff are never met; a ban
//! that was acknowledged holds in this process from that moment, and no process commits a command of that customer after
//! it; without bans nobody pays for them.

pub mod api;
pub mod check;
pub mod service;
pub mod store;

pub use api::routes;
