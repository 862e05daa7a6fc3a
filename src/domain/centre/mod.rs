//! The message centre's types and rules: where messages go, what they say, when they are sent, and what becomes of them.
//!
//! Owns the rows of its tables, the legal moves of a send ([`send::SendStatus::after`]), what follows from a provider's
//! answer ([`verdict`]), the conditions of rules and the rendering of templates. Does not own who asks the provider or
//! when (`centre`). No I/O.

pub mod account;
pub mod apply;
pub mod binding;
pub mod digest;
pub mod event;
pub mod fallback;
pub mod mailbox;
pub mod notification;
pub mod product;
pub mod receipt;
pub mod recipient;
pub mod rule;
pub mod schedule;
pub mod send;
pub mod suppression;
pub mod template;
pub mod throttle;
pub mod verdict;
