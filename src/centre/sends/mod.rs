//! Sends: the queue and the record of messages.
//!
//! Owns the routes `/message-sends` and the tables `message_send` and `message_attempt`. Does not own who sends them
//! (`dispatch`). Invariant: every change names the state that it changes, so that nobody overwrites what another did.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
