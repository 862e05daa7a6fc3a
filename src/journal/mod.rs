//! The journal: the only writer of tenant_log, conversation, conversation_member, group_message, message_revision
//! and assignment.

pub mod command;
pub mod feed;
pub mod history;

use std::sync::Arc;

pub use command::{AccessChange, Action, Command, Draft, Reply, Room};
pub use feed::{Changes, Feed};

use crate::db::Db;
use crate::kernel::{Clock, IdGenerator, Result};

/// The handle through which commands are submitted. Cloning shares it.
#[derive(Clone)]
pub struct Journal {}

impl Journal {
    /// Starts the lanes: one on SQLite, `lanes` on servers.
    pub fn start(
        _db: &Db,
        _ids: Arc<IdGenerator>,
        _clock: Clock,
        _feed: Feed,
        _lanes: usize,
    ) -> Result<Self> {
        Ok(Self {})
    }

    /// Does one command and returns after its commit. Errors: `busy` (queue full, database in the way),
    /// `tenant_busy` (the tenant's share of the queue is full), `storage_unavailable`, and what the command's own
    /// rules say. A retry with the same client_msg_id is always safe.
    pub async fn submit(&self, _command: Command) -> Result<Reply> {
        Err(crate::kernel::Error::internal("being written"))
    }

    /// [`Journal::submit`] for threads that may block.
    pub fn submit_blocking(&self, _command: Command) -> Result<Reply> {
        Err(crate::kernel::Error::internal("being written"))
    }

    /// Finishes the batches that are under way and ends the lanes.
    pub fn stop(&self) {}
}
