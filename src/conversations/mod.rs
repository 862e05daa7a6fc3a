//! Conversations: what they hold, who is in them, who serves them, and what state they are in.
//!
//! Owns the reading of `conversation`, `conversation_member`, `assignment` and `transfer`, who may see what of them, and the two
//! views of a conversation (staff, customer). Does not own their writing: the journal alone decides and writes.
//! Others may call [`access`] (the one door to somebody's conversation), [`store`], [`view`] and [`service`].
//!
//! Invariants: a conversation of another tenant, one that the actor may not see, and one that does not exist answer
//! alike; a customer's view is a type of its own that has no field for what is meant for staff.

pub mod access;
pub mod api;
pub mod list;
pub mod routes;
pub mod service;
pub mod store;
mod transfers;
pub mod view;
pub mod walks;

pub use routes::routes;
