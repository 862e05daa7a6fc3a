//! Identities: who persons are to official accounts of WeChat.
//!
//! Owns the routes `/message-identities` and the table `message_identity`. Invariants: an openid belongs to one official
//! account and, there, to one person; a person has at most one openid for each account; where a member and a message
//! recipient are one person, either's openid is its own.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
