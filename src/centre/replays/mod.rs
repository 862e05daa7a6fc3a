//! Replays: a rule is applied again to what happened before, for a receiver that lost it or that is new.
//!
//! Owns the route of replays. Does not own where events come from: what the product's log tells is read from the log again
//! (`events::log`), and everything else from the events that are kept. Owns no table.
//!
//! Invariants: a replay makes new events that are for its rule only, so that no other rule sends anything again; nothing that
//! is made is older than the request; a request with an `Idempotency-Key` that is repeated makes nothing again.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
