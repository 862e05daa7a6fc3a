//! The journal's statements: locking tenants, loading a batch's working set in a few bulk queries, flushing what
//! its commands made of it in bulk statements. The only code that writes the journal's tables.
//!
//! Owns the transaction statements of a lane too. Decides nothing.

mod columns;
pub mod flush;
pub mod load;
mod load_attachments;
mod load_attributes;
mod load_docked;
mod load_notifications;
mod load_ratings;
mod load_routing;
mod load_timers;
mod lookup;
pub(super) mod one_of;
mod statements;
pub mod transaction;
