//! Tenants: the merchants that share one service, their settings, and the keys with which they sign their visitors'
//! identities.
//!
//! Owns `tenant` (but its status and rev, which the journal writes) and `identity_key`. Invariants: a slug names
//! one tenant for ever; the secret of an identity key is shown once and sealed at rest.

pub mod api;
pub mod bot;
pub mod identity_keys;
pub mod routing;
pub mod service;
pub mod store;
pub mod timers;
pub mod view;

pub use api::routes;
