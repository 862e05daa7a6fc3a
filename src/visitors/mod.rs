//! Visitors: accounts without a login name, and how a tenant says who a visitor is.
//!
//! Owns `POST /visitors` and `/visitors/identify`, and the rules of identity tokens. Invariants: who identifies as
//! nobody yet known is promoted in place and keeps everything; an anonymous visitor who is somebody known is merged
//! into that member by the journal; somebody identified is never merged into somebody else; an identity token
//! serves one visitor.

pub mod api;
pub mod identity;
pub mod service;
pub mod store;

pub use api::routes;
