//! Channel accounts: where messages go, and the secrets for it.
//!
//! Owns the routes `/channel-accounts` and the table `channel_account`, but for its health, which `dispatch` writes.
//! Invariants: an address or secret is stored sealed and never shown, but for the secret of a webhook, once, to who made
//! it; an address is public, and of the provider's host, and so is a mail server.

pub mod api;
pub mod check;
pub mod service;
pub mod store;

pub use api::routes;
