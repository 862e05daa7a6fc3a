//! What the lanes count, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    /// Threads of lanes that run.
    pub lanes_alive: AtomicU64,
    /// Panics in one command's rules; the command was refused and the lane went on.
    pub command_panics: AtomicU64,
    /// Times that a lane's thread panicked and began anew.
    pub lane_restarts: AtomicU64,
    restarted: Mutex<Option<Instant>>,
}

impl Statistics {
    pub(super) fn lane_restarted(&self) {
        Self::add(&self.lane_restarts, 1);
        *self.restarted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a lane began anew less than so long ago.
    pub fn restarted_within(&self, time: Duration) -> bool {
        let restarted = *self.restarted.lock().unwrap_or_else(PoisonError::into_inner);
        restarted.is_some_and(|at| at.elapsed() < time)
    }

    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
