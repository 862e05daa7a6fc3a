//! The queue of write closures on SQLite, where one thread (the journal's lane) owns the only writing connection.
//! Owns the queue and the closures' life; the lane decides when they run.
//!
//! Invariants: a closure runs under a savepoint and may run again when the batch around it fails; its caller hears
//! of success only after the commit; a closure whose caller was told that it takes too long is not run any more;
//! after the thread has ended nothing is queued.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::connection::AnyConnection;
use crate::kernel::{Code, Error, Result};

/// How many closures may wait; beyond it the caller is told `busy`.
pub const CAPACITY: usize = 1024;

/// How long a caller waits for its write; then it is told `busy`, and the outcome is unknown.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// One closure and its caller.
pub trait WriteJob: Send {
    /// Since when it waits.
    fn since(&self) -> Instant;
    /// Runs the closure; `false` means that it failed and its savepoint must be rolled back. Fails itself only when
    /// the whole batch must be given up (a conflict or a lost connection).
    fn run(&mut self, connection: &mut AnyConnection) -> Result<bool>;
    /// Tells the caller: the closure's own result when the batch committed, else the batch's error.
    fn finish(self: Box<Self>, outcome: std::result::Result<(), Error>);
}

struct Job<T, F> {
    closure: F,
    since: Instant,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<T, F> WriteJob for Job<T, F>
where
    T: Send,
    F: FnMut(&mut AnyConnection) -> Result<T> + Send,
{
    fn since(&self) -> Instant {
        self.since
    }

    fn run(&mut self, connection: &mut AnyConnection) -> Result<bool> {
        use super::error_kind::DbErrorKind;
        let result = (self.closure)(connection);
        if let Err(error) = &result
            && matches!(
                error.error_kind(),
                Some(DbErrorKind::Conflict | DbErrorKind::Connection | DbErrorKind::Storage)
            )
        {
            return Err(result.err().unwrap_or_else(|| Error::internal("a write failed")));
        }
        let keep = result.is_ok();
        self.result = Some(result);
        Ok(keep)
    }

    fn finish(self: Box<Self>, outcome: std::result::Result<(), Error>) {
        let answer = match (outcome, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(Error::internal("a write was not run")),
            (Err(error), _) => Err(error),
        };
        // A caller that went away does not want the answer.
        let _ = self.caller.send(answer);
    }
}

/// What wakes the thread that drains the queue.
pub type Waker = Box<dyn Fn() + Send + Sync>;

/// The queue.
#[derive(Default)]
pub struct WriteQueue {
    state: Mutex<State>,
    waker: std::sync::OnceLock<Waker>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn WriteJob>>,
    closed: bool,
}

impl WriteQueue {
    /// Says how to wake the draining thread. The first call counts.
    pub fn on_push(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    /// Queues a closure and returns where its answer will come. Errors: `busy` (too many wait), `draining` (the thread
    /// that runs them has ended).
    pub fn push<T, F>(&self, closure: F) -> Result<oneshot::Receiver<Result<T>>>
    where
        T: Send + 'static,
        F: FnMut(&mut AnyConnection) -> Result<T> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.closed {
                return Err(Error::new(Code::Draining, Code::Draining.meaning()));
            }
            if state.jobs.len() >= CAPACITY {
                return Err(Error::new(Code::Busy, "too many writes are waiting").retry_after(500));
            }
            state.jobs.push_back(Box::new(Job { closure, since: Instant::now(), result: None, caller }));
        }
        if let Some(wake) = self.waker.get() {
            wake();
        }
        Ok(answer)
    }

    /// Takes up to `most` closures, oldest first.
    pub fn take(&self, most: usize) -> Vec<Box<dyn WriteJob>> {
        let taken: Vec<_> = {
            let mut state = self.lock();
            let count = most.min(state.jobs.len());
            state.jobs.drain(..count).collect()
        };
        let (late, early): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|job| job.since().elapsed() >= DEADLINE);
        for job in late {
            job.finish(Err(Error::new(Code::Busy, "the write was not begun in time").retry_after(1_000)));
        }
        early
    }

    /// Refuses closures from now on, and gives those that still wait.
    pub fn close(&self) -> Vec<Box<dyn WriteJob>> {
        self.lock().closed = true;
        self.take(usize::MAX)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_end_a_write_is_refused_and_does_not_wait_for_ever() {
        let queue = WriteQueue::default();
        let first = queue.push(|_| Ok(()));
        assert!(first.is_ok());
        assert_eq!(queue.close().len(), 1);
        assert_eq!(queue.push(|_| Ok(())).err().map(|error| error.code), Some(Code::Draining));
    }
}
