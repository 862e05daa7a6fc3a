//! Retries of many sends at once: after an outage of a provider, or when a template or an account was wrong.
//!
//! Owns the route `POST /message-sends/retry`. Does not own what a retry of one send is (`centre::sends`): each is retried
//! as if somebody had asked for it alone. Invariants: a dry run changes nothing and names what the retry would take; what
//! was retried is found by no repetition of the request unless it ended badly again; a request looks at a bounded number of
//! sends, and says where the next one goes on.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
