//! Presence: what members of the staff say that they are, and how many conversations they serve.
//!
//! Owns the routes `/presence` and the reading of `agent_status`. Does not own its writing (the journal: who says what,
//! and every assignment). Whether a member is connected is not part of it: a presence is what was said.
//!
//! Invariant: customers see nothing of it.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
