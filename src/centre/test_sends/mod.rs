//! Test sends: a template tried through an account's real provider, once and at once.
//!
//! Owns the route `/message-templates/{id}/test_send`. Does not own the limit of an account (`dispatch::limit`).
//!
//! Invariants: nothing of a test is queued, repeated or kept as a send; it counts against the account's limit as an attempt
//! does, and says nothing of the account's health; what may have gone out is never said not to have.

pub mod api;
pub mod service;

pub use api::routes;
