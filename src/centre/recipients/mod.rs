//! Message recipients: persons with addresses of their own, and who a rule's recipients are at the moment.
//!
//! Owns the routes `/message-recipients`, the table `message_recipient` (the source's message_work_user) and how a rule's
//! list becomes persons with addresses ([`resolve`]). Does not own what such a row means (`domain::centre::recipient`).
//! Invariants: nobody who is disabled, deleted or expired is reached, and nobody twice by one rule and event; a member's
//! row here stands before what its account says.

pub mod address;
pub mod api;
pub mod resolve;
pub mod service;
pub mod store;

pub use api::routes;
