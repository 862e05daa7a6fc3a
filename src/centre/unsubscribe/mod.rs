//! Unsubscribing: the link in an e-mail by which its receiver says that it wants no more of the kind (RFC 2369, RFC 8058).
//!
//! Owns the route `/unsubscribe/{token}`, its pages and what a link holds ([`link`]). Does not own opt-outs (`opt_outs`) nor
//! how the link stands in a letter (`channels::smtp`). Invariants: looking at a link changes nothing, because programs that
//! check mail look at every link; a link is for one person, one priority and e-mail only; whoever holds it learns nothing of
//! the person.

pub mod api;
pub mod link;
pub mod service;

pub use api::routes;
