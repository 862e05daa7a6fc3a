//! Pooled connections. Owns how one is taken, and what happens to the others when the server went away.
//!
//! Invariant: after a lost connection every connection that was opened before is dropped unused: a restarted server
//! is met with fresh ones. (Asking each before its use would cost every read a round trip, and Diesel cannot tell a
//! dead MySQL connection by looking at it.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::R2D2Connection;

use super::connection::{AnyConnection, Purpose, Target};
use super::error_kind::DbErrorKind;
use crate::kernel::{Code, Error, Result};

/// How long a caller waits for a pooled connection before it is told `busy`.
pub const POOL_WAIT: Duration = Duration::from_secs(3);

/// A pool of connections for one purpose. Cloning shares it.
#[derive(Clone)]
pub struct Pool {
    inner: r2d2::Pool<Manager>,
    /// Rises when a connection was lost; what was opened under an older number is not used again.
    generation: Arc<AtomicU64>,
}

impl Pool {
    /// An empty pool of at most `size` connections.
    pub fn new(target: &Target, purpose: Purpose, size: u32) -> Result<Self> {
        let generation = Arc::new(AtomicU64::new(0));
        let manager = Manager { target: target.clone(), purpose, generation: generation.clone() };
        let inner = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(POOL_WAIT)
            .error_handler(Box::new(QuietPool))
            .build(manager)
            .map_err(|cause| Error::new(Code::StorageUnavailable, format!("no connection: {cause}")))?;
        Ok(Self { inner, generation })
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
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled> {
        // Read before the connection is opened: one that is lost meanwhile must not look new.
        let generation = self.generation.load(Ordering::SeqCst);
        Ok(Pooled {
            connection: self.target.connect(self.purpose)?,
            generation,
            lost: false,
            doubtful: false,
        })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<()> {
        pooled.connection.batch_execute("SELECT 1").map_err(Error::from)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        let dead = std::mem::take(&mut pooled.doubtful) && self.is_valid(pooled).is_err();
        pooled.lost || dead || std::thread::panicking() || pooled.connection.is_broken()
    }
}

#[derive(Debug)]
struct QuietPool;

impl r2d2::HandleError<Error> for QuietPool {
    fn handle_error(&self, error: Error) {
        log::warn!(target: "deskwire::db", "pool: {error}");
    }
}
