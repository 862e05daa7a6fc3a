//! Following: what a member has missed, how much it has not read, and where its positions stand.
//!
//! Owns cursors, inbox rows, unread, the exact delta and the tenant's feed. Does not own the log itself (`messages`)
//! or the writing of positions (`journal`).
//!
//! Invariants: unread is computed from its one definition and never stored; the head is read before the rows, so a
//! cursor never runs ahead of what was handed out; a cursor of another history is refused, never guessed at.

pub mod api;
pub mod cursor;
pub mod delta;
pub mod feed;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
pub mod unread;
pub mod verify;

pub use routes::routes;
