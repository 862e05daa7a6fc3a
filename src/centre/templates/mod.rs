//! Templates of messages: what is said, in versions.
//!
//! Owns the routes `/message-templates` and the tables `message_template` and `message_template_version`. Does not own
//! rendering (`domain::centre::template`). Invariants: a draft is checked before it is saved, so that what is published
//! can be rendered with its samples; a published version never changes; sends keep the version that they were made from.

pub mod api;
mod bounds;
pub mod model;
mod parts;
pub mod service;
pub mod store;

pub use api::routes;
