//! Erasure: taking away what is known of a person, and, by a tenant's retention, what old conversations say.
//!
//! Owns the routes `/erasures`, the table `erasure`, the work behind it, the list of erasures beside the database
//! ([`list`]), and [`tables`], which says of every table what an erasure does. Does not own what is left of an entry
//! (`domain::erasure`), nor the command that takes a log's words (`journal::commands::EraseLog`).
//!
//! Order of the work: the account ends, the logs lose their words, then everything beside the log goes, then readers are
//! told, and the profile goes last, since its addresses lead to the rest. Invariants: every step is found in the store again,
//! so that a death at any point leaves an erasure that goes on; whoever does a step twice finds nothing; a person's rows are
//! counted when they go, in the same transaction.

pub mod adopt;
pub mod api;
mod centre;
pub mod list;
mod logs;
pub mod person;
pub mod restore;
mod retention;
pub mod service;
pub mod store;
pub mod tables;
mod worker;

pub use api::routes;
pub use worker::spawn_tasks;
