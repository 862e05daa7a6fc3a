//! Groups: standing groups of the staff, and who is in them.
//!
//! Owns the routes `/groups` and the reading of `chat_group` and `group_member`, with what a member sees of conversations by
//! its groups ([`store::sight`]), and docking many conversations to a group at once ([`dock`]). Does not own their writing:
//! every change of a group is a command of the journal, because access follows membership at once on every process (so each
//! takes a rev), and because under the tenant's lock the limits and the names hold however many change at once. Nor does it
//! own whose matter a conversation is (`conversations`).
//!
//! Rules: administrators make, change and delete groups and appoint their managers; a group's managers add and remove
//! members, and leave unless they are the last manager (`last_manager`: an administrator must take that one out); all staff
//! read. A group has a room of its own, in which its members are. Who is disabled, deleted or past its end leaves its
//! groups, also as their last manager, and is not brought back. Deleting a group takes its members out and makes its
//! conversations, as far as they are not closed, no group's: nothing is left that nobody sees.
//!
//! Invariant: customers see nothing of it.

pub mod api;
pub mod dock;
pub mod service;
pub mod store;

pub use api::routes;
