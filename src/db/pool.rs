//! Pooled connections. Owns how one is taken, and what happens to the others when the server went away.
//!
//! Invariant: after a lost connection every connection that was opened before is dropped unused: a restarted server
//! is met with fresh ones. (Asking each before its use would cost every read a round trip, and Diesel cannot tell a
//! dead MySQL connection by looking at it.) And: whoever waits is answered within [`DEADLINE`], also when the server
//! neither answers nor closes. The thread that waits for it cannot be stopped, so it is left to itself (so many and no
//! more), its connection is thrown away when it comes back, and its place is given to others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::R2D2Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{AnyConnection, Purpose, Target};
use super::error_kind::DbErrorKind;
use crate::kernel::{Code, Error, Result};

/// How long a caller waits for a pooled connection before it is told `busy`.
pub const POOL_WAIT: Duration = Duration::from_secs(3);

/// How long a read or a write on a pooled connection may take in all.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A pool of connections for one purpose. Cloning shares it.
#[derive(Clone)]
pub struct Pool {
    inner: r2d2::Pool<Manager>,
    /// Rises when a connection was lost; what was opened under an older number is not used again.
    generation: Arc<AtomicU64>,
    /// One for each connection that may be in use.
    permits: Arc<Semaphore>,
    /// One for each thread that may be left to itself.
    spare: Arc<Semaphore>,
    /// How often somebody had to wait for a permit.
    waits: Arc<AtomicU64>,
    #[cfg(debug_assertions)]
    statements: Arc<AtomicU64>,
}

/// What a piece of pooled work holds while it runs: its place, or, when nobody waits for it any more, one of the few
/// that may be left to themselves.
type Place = Arc<Mutex<OwnedSemaphorePermit>>;

impl Pool {
    /// An empty pool of at most `size` connections.
    pub fn new(target: &Target, purpose: Purpose, size: u32) -> Result<Self> {
        let generation = Arc::new(AtomicU64::new(0));
        #[cfg(debug_assertions)]
        let statements = Arc::new(AtomicU64::new(0));
        let manager = Manager {
            target: target.clone(),
            purpose,
            generation: generation.clone(),
            #[cfg(debug_assertions)]
            statements: statements.clone(),
        };
        let inner = r2d2::Pool::builder()
            .max_size(size.saturating_mul(2))
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(POOL_WAIT)
            .error_handler(Box::new(QuietPool))
            .build(manager)
            .map_err(|cause| Error::new(Code::StorageUnavailable, "no connection").caused_by(cause))?;
        let permits = || Arc::new(Semaphore::new(size as usize));
        Ok(Self {
            inner,
            generation,
            permits: permits(),
            spare: permits(),
            waits: Arc::default(),
            #[cfg(debug_assertions)]
            statements,
        })
    }

    /// Runs work on a thread that may block, when a connection is free, for which it waits so long; answers within
    /// [`DEADLINE`], or later by as much as that is longer than [`POOL_WAIT`]. `None` when the
    /// work was begun and has not ended by then: what becomes of it is unknown.
    pub async fn watch<T, F>(&self, patience: Duration, work: F) -> Option<Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T> + Send + 'static,
    {
        let deadline = tokio::time::Instant::now() + DEADLINE + patience.saturating_sub(POOL_WAIT);
        // The permit is taken before a blocking thread is, so who waits costs no thread.
        let place: Place = match self.permit(patience).await {
            Ok(permit) => Arc::new(Mutex::new(permit)),
            Err(error) => return Some(Err(error)),
        };
        let (pool, held) = (self.clone(), place.clone());
        let working = super::blocking(move || {
            let _held = held;
            work(&pool)
        });
        if let Ok(done) = tokio::time::timeout_at(deadline, working).await {
            return Some(done);
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
        if let Ok(spare) = self.spare.clone().try_acquire_owned() {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = spare;
        }
        log::warn!(target: "deskwire::db", "the database did not answer within {} s", DEADLINE.as_secs());
        None
    }

    async fn permit(&self, patience: Duration) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        self.waits.fetch_add(1, Ordering::Relaxed);
        match tokio::time::timeout(patience, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::new(Code::Busy, "no database connection became free").retry_after(500)),
        }
    }

    /// How often somebody had to wait for a connection.
    pub fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    /// How many statements its connections have run.
    #[cfg(debug_assertions)]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::SeqCst)
    }

    /// Runs work on a connection. Errors of the pool: `storage_unavailable`.
    pub fn run<T>(&self, work: impl FnOnce(&mut AnyConnection) -> Result<T>) -> Result<T> {
        let mut pooled = self.fresh()?;
        let done = work(&mut pooled.connection);
        match &done {
            Err(error) if error.error_kind() == Some(DbErrorKind::Connection) => {
                pooled.lost = true;
                self.generation.fetch_add(1, Ordering::SeqCst);
            }
            // A failure that says nothing of its cause: the connection is tried before it is used again.
            Err(error) if error.code.status() >= 500 => pooled.doubtful = true,
            _ => {}
        }
        done
    }

    fn fresh(&self) -> Result<r2d2::PooledConnection<Manager>> {
        loop {
            let mut pooled = self.inner.get().map_err(|cause| {
                Error::new(Code::StorageUnavailable, "the database does not answer")
                    .retry_after(2_000)
                    .caused_by(cause)
            })?;
            if pooled.generation == self.generation.load(Ordering::SeqCst) {
                return Ok(pooled);
            }
            pooled.lost = true;
        }
    }

    /// How many connections are in use and how many exist.
    pub fn state(&self) -> (u32, u32) {
        let state = self.inner.state();
        (state.connections - state.idle_connections, state.connections)
    }
}

/// A connection in the pool.
pub struct Pooled {
    connection: AnyConnection,
    generation: u64,
    lost: bool,
    doubtful: bool,
}

/// Makes r2d2 open connections by scheme, since a derived `establish` would try one database after the other.
pub struct Manager {
    target: Target,
    purpose: Purpose,
    generation: Arc<AtomicU64>,
    #[cfg(debug_assertions)]
    statements: Arc<AtomicU64>,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled> {
        // Read before the connection is opened: one that is lost meanwhile must not look new.
        let generation = self.generation.load(Ordering::SeqCst);
        let connection = self.target.connect(self.purpose)?;
        #[cfg(debug_assertions)]
        let connection = self.counted(connection);
        Ok(Pooled { connection, generation, lost: false, doubtful: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<()> {
        pooled.connection.batch_execute("SELECT 1").map_err(Error::from)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        let old = pooled.generation != self.generation.load(Ordering::SeqCst);
        if pooled.lost || old {
            return true;
        }
        let dead = std::mem::take(&mut pooled.doubtful) && self.is_valid(pooled).is_err();
        dead || std::thread::panicking() || pooled.connection.is_broken()
    }
}

#[cfg(debug_assertions)]
impl Manager {
    /// Counts the connection's statements.
    fn counted(&self, mut connection: AnyConnection) -> AnyConnection {
        use diesel::connection::{Connection, InstrumentationEvent};
        let statements = self.statements.clone();
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                statements.fetch_add(1, Ordering::SeqCst);
            }
        });
        connection
    }
}

#[derive(Debug)]
struct QuietPool;

impl r2d2::HandleError<Error> for QuietPool {
    fn handle_error(&self, error: Error) {
        log::warn!(target: "deskwire::db", "pool: {error}");
    }
}
