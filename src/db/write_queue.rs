//! The queue of write closures on SQLite, where one thread (the journal's lane) owns the only writing connection.
//! Owns the queue and the closures' life; the lane decides when they run.
//!
//! Invariants: a closure runs under a savepoint and may run again when the batch around it fails; its caller hears
//! of success only after the commit.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::oneshot;

use super::connection::AnyConnection;
use crate::kernel::{Code, Error, Result};

/// How many closures may wait; beyond it the caller is told `busy`.
pub const CAPACITY: usize = 1024;

/// One closure and its caller.
pub trait WriteJob: Send {
    /// Runs the closure; `false` means that it failed and its savepoint must be rolled back. Fails itself only when
    /// the whole batch must be given up (a conflict or a lost connection).
    fn run(&mut self, connection: &mut AnyConnection) -> Result<bool>;
    /// Tells the caller: the closure's own result when the batch committed, else the batch's error.
    fn finish(self: Box<Self>, outcome: std::result::Result<(), Error>);
}

struct Job<T, F> {
    closure: F,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<T, F> WriteJob for Job<T, F>
where
    T: Send,
    F: FnMut(&mut AnyConnection) -> Result<T> + Send,
{
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
    jobs: Mutex<VecDeque<Box<dyn WriteJob>>>,
    waker: std::sync::OnceLock<Waker>,
}

impl WriteQueue {
    /// Says how to wake the draining thread. The first call counts.
    pub fn on_push(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    /// Queues a closure and returns where its answer will come.
    pub fn push<T, F>(&self, closure: F) -> Result<oneshot::Receiver<Result<T>>>
    where
        T: Send + 'static,
        F: FnMut(&mut AnyConnection) -> Result<T> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        {
            let mut jobs = self.lock();
            if jobs.len() >= CAPACITY {
                return Err(Error::new(Code::Busy, "too many writes are waiting").retry_after(500));
            }
            jobs.push_back(Box::new(Job { closure, result: None, caller }));
        }
        if let Some(wake) = self.waker.get() {
            wake();
        }
        Ok(answer)
    }

    /// Takes up to `most` closures, oldest first.
    pub fn take(&self, most: usize) -> Vec<Box<dyn WriteJob>> {
        let mut jobs = self.lock();
        let count = most.min(jobs.len());
        jobs.drain(..count).collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Box<dyn WriteJob>>> {
        self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
