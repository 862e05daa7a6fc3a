//! Opt-outs: what persons do not want to be sent.
//!
//! Owns the routes `/message-opt-outs` and the table `message_opt_out`. Invariants: an opt-out holds for what is queued
//! already, as long as it has not gone out; one of a member holds for its message recipient, and the other way round;
//! whoever opts out of everything still gets the codes that it asks for.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
