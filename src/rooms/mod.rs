//! Rooms of the staff: what members of the staff say among themselves, apart from any customer.
//!
//! Owns the routes `/rooms`, which make rooms. A room is a conversation of the kind `group` or `direct`: what is said in
//! it, who is in it and how far it is read go through the routes and frames of every conversation (`conversations`,
//! `messages`, `sync`, `gateway`). Does not own the rooms of standing groups: they follow their groups (`groups`).
//!
//! Invariants: only who is in a room sees it, whatever the role; no customer is in one; it has no state and nobody
//! serves it; neither the lists of conversations nor the tenant's feed hold it.

pub mod api;
pub mod service;

pub use api::routes;
