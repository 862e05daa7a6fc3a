//! Supervision of long-lived tasks: a task that panics is restarted, counted and seen by readiness; all of them end
//! with one signal.
//!
//! Owns the shutdown signal of a server, the list of its tasks and their state. Does not own what a task does: the
//! closure that makes it must rebuild all of its state from the store, because a panic can leave anything behind.
//!
//! Invariants: no supervised task ends while the server runs without being restarted; a task that is down, or came up
//! less than [`SETTLED`] ago, is named by [`Tasks::down`].

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait before the first restart; doubled with every further one up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_millis(50);
/// The longest wait before a restart.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a restarted task must run until it counts as healthy, and its back-off begins anew.
pub const SETTLED: Duration = Duration::from_secs(1);

/// The long-lived tasks of one server. Cloning shares them.
#[derive(Clone, Default)]
pub struct Tasks {
    shutdown: CancellationToken,
    tracker: TaskTracker,
    states: Arc<Mutex<Vec<State>>>,
}

struct State {
    name: &'static str,
    restarts: u64,
    /// Since when it runs; `None` between a panic and the restart.
    since: Option<Instant>,
    ended: bool,
}

impl Tasks {
    /// The signal that tells every task to finish. It fires once and stays fired.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Runs a task until it returns by itself. `start` makes it, and makes it anew after a panic. Must be called on a
    /// tokio runtime.
    pub fn spawn<F, T>(&self, name: &'static str, start: F)
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(self.clone().supervise(name, start));
    }

    /// As [`Tasks::spawn`], for a task that stays on the thread of the present `LocalSet`.
    pub fn spawn_local<F, T>(&self, name: &'static str, start: F)
    where
        F: Fn() -> T + 'static,
        T: Future<Output = ()> + 'static,
    {
        // The hub of a worker hands out thousands of frames in one go and yields by itself, so it is not stopped
        // by tokio's budget.
        self.tracker.spawn_local(tokio::task::unconstrained(self.clone().supervise(name, start)));
    }

    async fn supervise<F, T>(self, name: &'static str, start: F)
    where
        F: Fn() -> T,
        T: Future<Output = ()>,
    {
        let index = self.with(|states| {
            states.push(State { name, restarts: 0, since: Some(Instant::now()), ended: false });
            states.len() - 1
        });
        let mut backoff = BACKOFF;
        loop {
            let began = Instant::now();
            // `start` itself may panic too, so it runs inside.
            let attempt = AssertUnwindSafe(async { start().await }).catch_unwind().await;
            if attempt.is_ok() {
                break;
            }
            self.with(|states| {
                if let Some(state) = states.get_mut(index) {
                    state.restarts += 1;
                    state.since = None;
                }
            });
            log::error!(target: "deskwire::tasks", "the task {name} panicked and is restarted");
            if began.elapsed() >= SETTLED {
                backoff = BACKOFF;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                () = self.shutdown.cancelled() => break,
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
            self.with(|states| {
                if let Some(state) = states.get_mut(index) {
                    state.since = Some(Instant::now());
                }
            });
        }
        self.with(|states| {
            if let Some(state) = states.get_mut(index) {
                state.ended = true;
            }
        });
    }

    fn with<R>(&self, work: impl FnOnce(&mut Vec<State>) -> R) -> R {
        work(&mut self.states.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The name of a task that is down or was restarted less than [`SETTLED`] ago.
    pub fn down(&self) -> Option<&'static str> {
        let unsettled = |state: &&State| {
            let settled = state.since.is_some_and(|since| state.restarts == 0 || since.elapsed() >= SETTLED);
            !state.ended && !settled
        };
        self.with(|states| states.iter().find(unsettled).map(|state| state.name))
    }

    /// How often tasks of each name were restarted since the start.
    pub fn restarts(&self) -> BTreeMap<&'static str, u64> {
        self.with(|states| {
            let mut counts = BTreeMap::new();
            for state in states.iter() {
                *counts.entry(state.name).or_default() += state.restarts;
            }
            counts
        })
    }

    /// Fires the signal and waits until every task has ended, or until `patience` is over. Tells whether all ended.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.shutdown.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    #[allow(clippy::panic, reason = "it is what is supervised")]
    async fn a_task_that_panics_is_restarted_counted_and_told() {
        let tasks = Tasks::default();
        let runs = Arc::new(AtomicUsize::new(0));
        let (counted, shutdown) = (runs.clone(), tasks.shutdown().clone());
        tasks.spawn("sample", move || {
            let (run, shutdown) = (counted.fetch_add(1, Ordering::SeqCst), shutdown.clone());
            async move {
                if run < 2 {
                    panic!("run {run}");
                }
                shutdown.cancelled().await;
            }
        });
        let third = async {
            while runs.load(Ordering::SeqCst) < 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(600), third).await.is_ok(), "it is not restarted");
        assert_eq!(tasks.restarts().get("sample"), Some(&2));
        assert_eq!(tasks.down(), Some("sample"), "it has not settled yet");
        assert!(tasks.stop(Duration::from_secs(1)).await, "it ends with the signal");
        assert_eq!(tasks.down(), None);
    }
}
