//! Notifications: what members are told inside the product, beside their conversations.
//!
//! Owns the routes `/notifications` and the reading of the table `notification`. Does not own how one is made: rules of the
//! message centre do that through the journal (`journal::commands::Notify`), which gives each change a rev; so sockets and
//! `sync` tell it like everything else.
//!
//! Invariants: a member sees its own only, and those of the visitors who were recognised as it; what is read stays read.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
