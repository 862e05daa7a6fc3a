//! The queue: the waiting conversations in their order, offers of them to agents, and what routing thinks.
//!
//! Owns the routes of the queue, the reading of places and the estimate of how long a place still waits. Does not own the
//! order (`domain::conversation::queue_key`), the rules of routing (`domain::routing`), nor when they are applied
//! (`crate::assigning`).
//!
//! Invariant: an estimate is made from what happened, or there is none.

pub mod announce;
pub mod api;
pub mod explain;
pub mod routes;
pub mod service;
pub mod store;
pub mod stranded;

pub use routes::routes;
