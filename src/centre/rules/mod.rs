//! Rules: what is sent when something happens.
//!
//! Owns the routes `/message-rules` and the table `message_rule`. Does not own what a rule makes of an event
//! (`domain::centre::apply`) nor when it is applied (`events::expand`). Invariant: a rule's template is for the channel of
//! its account, and both are there as long as the rule is.

pub mod api;
mod given;
mod recipients;
pub mod service;
mod simulate;
pub mod store;

pub use api::routes;
