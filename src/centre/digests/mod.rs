//! Digests: a rule collects events and sends them as one message.
//!
//! Owns the tables `message_digest` and `message_digest_event`, and the task that ends digests whose time came. Does not own
//! which events go together (`domain::centre::apply`), nor what is sent of them: a digest ends as an event that is for its rule
//! only, and rules are applied to it as to any other.
//!
//! Invariants: an event is collected in the transaction that applies its rules, and a digest is deleted in the one that stores
//! its event, so that each event is in one digest of a rule and each digest is told once; a rule has one open digest for what
//! goes together, which its unique hash says and no look before; whoever adds to a digest or ends it holds its row.

pub mod close;
pub mod store;
