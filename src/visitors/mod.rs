//! Visitors: how somebody without an account comes in, and how a tenant says who that is.
//!
//! Owns `POST /visitors` and `/visitors/identify`, and the rules of identity tokens. Invariants: who identifies as
//! nobody yet known is promoted in place and keeps everything; an anonymous visitor who is somebody known is merged
//! into that member by the journal; somebody identified is never merged into somebody else.

pub mod api;
pub mod identity;
pub mod service;

pub use api::routes;
