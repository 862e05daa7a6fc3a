//! The journal's statements: locking tenants, loading a batch's working set in a few bulk queries, flushing what
//! its commands made of it in bulk statements. The only code that writes the journal's tables.
//!
//! Owns the transaction statements of a lane too. Decides nothing.

pub mod flush;
pub mod load;
mod lookup;
mod mysql_upsert;
mod sqlite_update;
pub mod transaction;

pub use lookup::{entries_at, entries_by_key};
