//! Fallbacks: what is sent instead when a message does not reach its person.
//!
//! Owns the table `message_fallback`: the plans of sends that may need one. Does not own what calls for one
//! (`domain::centre::fallback`).
//!
//! Invariants: whatever changes a send asks [`make::follow`] in the same transaction, so that nothing is lost between the two;
//! a plan is used up by whoever deletes it, and the step of what it makes is taken once; a send is held before its plan is
//! read.

pub mod make;
pub mod plan;
pub mod store;
