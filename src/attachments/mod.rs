//! Attachments: announcing, uploading, reading and cleaning up the files that members send.
//!
//! Owns the rows of `attachment`, `stored_file` and `tenant_usage`, except that a message carries an attachment and that its
//! recall erases it: both are decided by the journal, in the message's own transaction. Does not own how files lie in their
//! folder (`files`).
//!
//! Invariants: a row of `stored_file` is there before its file and until the file is removed, so that a death at any point
//! leaves nothing that [`sweep`] does not find; a content is readable only when it is whole, scanned and on the disk; whoever
//! reads one may read, at that moment, the message that carries it.

mod api;
pub mod erase;
mod service;
mod store;
mod sweep;
mod upload;

pub use api::routes;
pub use sweep::spawn;
