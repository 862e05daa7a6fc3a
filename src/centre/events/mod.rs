//! Message events: what happened, told by the API.
//!
//! Owns the routes `/message-events` and the tables `message_event` and `message_dedupe`, and applies rules ([`expand`]).
//! Invariants: an event is stored before it is acknowledged; whatever stops a process, its rules are applied afterwards,
//! once; a tenant with many events does not hold up another's.

pub mod api;
pub mod expand;
pub mod follow;
pub mod log;
mod made;
pub mod missed;
pub mod reach;
pub mod schedules;
pub mod service;
pub mod store;
pub mod throttle;
pub mod waits;

pub use api::routes;
