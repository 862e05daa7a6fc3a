//! Suppressions: addresses to which nothing is sent on a channel, learned from providers or written down by the staff.
//!
//! Owns the routes `/message-suppressions` and the table `message_suppression`. Does not own what a provider must say
//! for an address to stand here (`domain::centre::suppression`), nor what persons do not want (`opt_outs`): a person
//! may have another address tomorrow.
//!
//! Invariants: an address stands here once for each tenant and channel, by whoever wrote it down first; what a provider
//! said is written down in the transaction that takes note of it; a suppression holds for every priority, and for what
//! is queued already; an answer of a phone counts once, however often it is brought.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
