//! Messages: what is said in a conversation, and the log that keeps it with everything else that happened.
//!
//! Owns the checking of bodies and the reading of `group_message` and `message_revision`. Does not own their writing
//! (the journal) or who may see a conversation (`conversations::access`). Others may call [`service`], [`store`], [`by_rev`] and
//! [`pieces`].
//!
//! Invariants: an entry is the same object for every reader; the content of a recalled message is in no entry.

pub mod api;
pub mod budget;
pub mod by_rev;
pub mod pieces;
pub mod routes;
pub mod service;
pub mod store;

pub use routes::routes;
