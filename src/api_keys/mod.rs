//! API keys: what programs present in the place of an access token. A key belongs to a service account and does no more
//! than its list of operations, from no other networks than its own, until its end.
//!
//! Owns the routes `/api-keys` and the table `api_key`. Does not own what a key looks like (`domain::api_key`), how one is
//! verified (`security::api_keys`), what each route asks of a key (`http::api_keys`), nor the accounts (`members`).
//!
//! Invariants: the text of a key is shown once, when it is made, and only its hash is kept; a key never does more than the
//! role of its account may; no key makes, changes or revokes keys; a key that was revoked stays so.

pub mod api;
pub mod check;
pub mod service;
pub mod store;

pub use api::routes;
