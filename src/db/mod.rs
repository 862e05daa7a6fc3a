//! The store: connections, pools, migrations, and the second of the two doors through which data is written.
//!
//! Owns how a read or a write reaches one of three databases. Does not own what is written: the journal's tables
//! (tenant_log, conversation, conversation_member, group_message, message_revision, assignment) are written by
//! `journal` alone, everything else by closures given to [`Db::write`].
//!
//! Invariants: Diesel never runs on an async worker; a read never waits behind a write on SQLite (WAL, own
//! connections); what differs between the databases stands in `dialect`, `connection` and `migrate`.

pub mod connection;
pub mod dialect;
pub mod error_kind;
pub mod instance;
pub mod migrate;
pub mod node;
pub mod pool;
pub mod schema;
pub mod snapshot;
pub mod types;
pub mod write_queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::Connection;
use tokio::sync::Semaphore;

pub use connection::{AnyConnection, DatabaseKind, Durability, Target};
pub use error_kind::DbErrorKind;

use crate::kernel::{Code, Error, Result};
use connection::Purpose;
use pool::{POOL_WAIT, Pool};
use write_queue::WriteQueue;

/// How often a write that met a conflict is tried in all.
const ATTEMPTS: u32 = 4;

/// The store of one process. Cloning shares it.
#[derive(Clone)]
pub struct Db {
    target: Target,
    readers: Pool,
    read_permits: Arc<Semaphore>,
    /// On servers; on SQLite writes go through the queue.
    writers: Option<(Pool, Arc<Semaphore>)>,
    queue: Arc<WriteQueue>,
    /// How often somebody had to wait for a connection.
    waits: Arc<AtomicU64>,
}

impl Db {
    /// Opens the pools. The store must be migrated; a server that does not answer is told within seconds.
    pub fn open(target: &Target, pool_size: u32) -> Result<Self> {
        let pool = |purpose, size| Pool::new(target, purpose, size);
        // The pool would try for long and hide the reason, so the first connection is opened here.
        drop(target.connect(Purpose::Read)?);
        let permits = |size: u32| Arc::new(Semaphore::new(size as usize));
        let writers = match target.kind.is_server() {
            true => Some((pool(Purpose::Write, pool_size)?, permits(pool_size))),
            false => None,
        };
        Ok(Self {
            target: target.clone(),
            readers: pool(Purpose::Read, pool_size)?,
            read_permits: permits(pool_size),
            writers,
            queue: Arc::default(),
            waits: Arc::default(),
        })
    }

    /// Which database this is.
    pub fn kind(&self) -> DatabaseKind {
        self.target.kind
    }

    /// Where the data is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The closures that wait for the lane; used on SQLite only.
    pub fn write_queue(&self) -> &Arc<WriteQueue> {
        &self.queue
    }

    /// Runs a read on a pooled connection, off the async workers. Several statements in one closure see one state
    /// only if the closure opens a transaction.
    pub async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut AnyConnection) -> Result<T> + Send + 'static,
    {
        // The permit is taken before a blocking thread is, so waiting readers cost no threads.
        let permit = self.permit(&self.read_permits).await?;
        let pool = self.readers.clone();
        blocking(move || {
            let _permit = permit;
            pool.run(read)
        })
        .await
    }

    /// [`Db::read`] for threads that may block.
    pub fn read_blocking<T>(&self, read: impl FnOnce(&mut AnyConnection) -> Result<T>) -> Result<T> {
        self.readers.run(read)
    }

    /// Runs a write in a transaction and returns after the commit. The closure may run several times, waits for
    /// nothing (no hashing, no network) and touches none of the journal's tables. When it fails, nothing it did
    /// is kept.
    pub async fn write<T, F>(&self, mut write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut AnyConnection) -> Result<T> + Send + 'static,
    {
        let Some((pool, permits)) = &self.writers else {
            return self.queue.push(write)?.await.map_err(|_| stopped())?;
        };
        let permit = self.permit(permits).await?;
        let pool = pool.clone();
        blocking(move || {
            let _permit = permit;
            for attempt in 1.. {
                match pool.run(|connection| connection.transaction(|connection| write(connection))) {
                    Err(error) if error.error_kind() == Some(DbErrorKind::Conflict) && attempt < ATTEMPTS => {
                        std::thread::sleep(std::time::Duration::from_millis(5 << attempt));
                    }
                    done => return done,
                }
            }
            Err(stopped())
        })
        .await
    }

    /// [`Db::write`] for threads that may block.
    pub fn write_blocking<T, F>(&self, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut AnyConnection) -> Result<T> + Send + 'static,
    {
        match &self.writers {
            None => self.queue.push(write)?.blocking_recv().map_err(|_| stopped())?,
            Some((pool, _)) => {
                let mut write = write;
                pool.run(|connection| connection.transaction(|connection| write(connection)))
            }
        }
    }

    async fn permit(&self, permits: &Arc<Semaphore>) -> Result<tokio::sync::OwnedSemaphorePermit> {
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        self.waits.fetch_add(1, Ordering::Relaxed);
        match tokio::time::timeout(POOL_WAIT, permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::new(Code::Busy, "no database connection became free").retry_after(500)),
        }
    }

    /// How often a read or write had to wait for a pooled connection.
    pub fn pool_waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    /// How many pooled connections are in use and how many exist.
    pub fn pool_state(&self) -> (u32, u32) {
        self.readers.state()
    }
}

/// Runs blocking work off the async workers.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(crate::kernel::trace::carry(work))
        .await
        .map_err(|cause| Error::internal("a task panicked").caused_by(cause))?
}

fn stopped() -> Error {
    Error::new(Code::Draining, "the server is stopping")
}
