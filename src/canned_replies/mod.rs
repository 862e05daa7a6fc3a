//! Canned replies: texts that the staff have ready, of the whole tenant, of a group, or of one member.
//!
//! Owns the routes `/canned-replies` and the table `canned_reply`. Does not own what a text may name
//! (`domain::canned_reply`), nor messages: a client renders a canned reply, shows it to its agent, and sends what the agent
//! made of it.
//!
//! Invariants: nobody reads a canned reply of another member, or of a group that it does not see; a shortcut stands once for
//! each of the tenant, a group and a member; a text that names what is not known is refused and never sent with a gap.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
