//! Receipts of providers: whether messages arrived.
//!
//! Owns the route `/hooks/{token}` and the tables `message_receipt` and `channel_callback`. Does not own what a receipt
//! makes of a send (`domain::centre::receipt`), what a scan binds (`bindings`), what an answer of a phone ends
//! (`suppressions`), nor how a provider writes and signs one (`channels`).
//!
//! Invariants: a receipt counts only for sends of the account whose address it came to; one that comes before the answer to
//! its own message is kept until that is written down (`apply::settled`), and none is lost between the two, because both
//! hold the account; a repeated receipt changes nothing; a signature that does not cover its body counts for one body.

pub mod api;
pub mod apply;
pub mod service;
pub mod store;

pub use api::routes;
