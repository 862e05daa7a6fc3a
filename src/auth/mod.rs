//! Sign-in: the routes under `/auth`, sessions, and the extractors that name the caller of a request.
//!
//! Owns sessions and their refreshing. Does not own tokens, passwords and revocations (`security`) or accounts
//! (`members`). Invariant: a handler that takes an extractor of [`extract`] cannot be reached without a valid token.

pub mod api;
pub mod extract;
pub mod service;
pub mod sessions;
pub mod store;

pub use api::routes;
pub use extract::{Admin, Authenticated, Staff};
