//! Presence: what members of the staff say that they are, whether they are connected, and how many conversations they
//! serve.
//!
//! Owns the routes `/presence` and the reading of `agent_status` and `presence_change`. Does not own their writing (the
//! journal: who says what, who is connected, and every assignment), nor how it is known who is connected (`attendance`).
//!
//! Invariant: customers see nothing of it.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
