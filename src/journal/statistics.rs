//! What the lanes count, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of all lanes of a process.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Committed batches.
    pub batches: AtomicU64,
    /// Commands and closures in committed batches.
    pub commands: AtomicU64,
    /// Batches tried again after a conflict.
    pub retries: AtomicU64,
    /// Batches split because a statement failed.
    pub bisections: AtomicU64,
    /// Commits whose outcome had to be looked up.
    pub unknown_commits: AtomicU64,
    /// Commands that waited for a tenant held by another process.
    pub skips: AtomicU64,
    /// Commands in the latest batch.
    pub last_batch: AtomicU64,
    /// Lanes that run.
    pub lanes_alive: AtomicU64,
}

impl Statistics {
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
