//! The store: connections, pools, migrations, and the second of the two doors through which data is written.
//!
//! Owns how a read or a write reaches one of three databases. Does not own what is written: the journal's tables
//! (tenant_log, conversation, conversation_member, group_message, message_revision, assignment) are written by
//! `journal` alone, everything else by closures given to [`Db::write`].
//!
//! Invariants: Diesel never runs on an async worker; nobody waits for the database without end; a read never waits behind a write on SQLite (WAL, own
//! connections); what differs between the databases stands in `dialect`, `connection` and `migrate`.

pub mod append;
mod checkpoint;
pub mod condition;
pub mod connection;
pub mod dialect;
pub mod error_kind;
pub mod foreign;
pub mod instance;
pub mod migrate;
pub mod node;
pub mod pool;
pub mod probe;
pub mod rollup;
pub mod schema;
pub mod snapshot;
pub mod time;
pub mod types;
pub mod write_queue;

use std::sync::Arc;
use std::time::Duration;

use diesel::Connection;

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
    /// On servers; on SQLite writes go through the queue.
    writers: Option<Pool>,
    queue: Arc<WriteQueue>,
    refusals: Arc<probe::Refusals>,
}

impl Db {
    /// Opens the pools. The store must be migrated; a server that does not answer is told within seconds.
    pub fn open(target: &Target, pool_size: u32) -> Result<Self> {
        // The pool would try for long and hide the reason, so the first connection is opened here.
        drop(target.connect(Purpose::Read)?);
        let writers = match target.kind.is_server() {
            true => Some(Pool::new(target, Purpose::Write, pool_size)?),
            false => None,
        };
        Ok(Self {
            target: target.clone(),
            readers: Pool::new(target, Purpose::Read, pool_size)?,
            writers,
            queue: Arc::default(),
            refusals: Arc::default(),
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
    /// only if the closure opens a transaction. Answers within [`pool::DEADLINE`]. Errors of the store itself:
    /// `storage_unavailable`, `busy`.
    pub async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut AnyConnection) -> Result<T> + Send + 'static,
    {
        self.read_within(POOL_WAIT, read).await
    }

    /// [`Db::read`] for a caller who waits so long for a connection before it is told `busy`.
    pub async fn read_within<T, F>(&self, patience: Duration, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut AnyConnection) -> Result<T> + Send + 'static,
    {
        let done = self.readers.watch(patience, move |pool| pool.run(read)).await;
        done.unwrap_or_else(|| {
            Err(Error::new(Code::StorageUnavailable, "the database does not answer").retry_after(2_000))
        })
    }

    /// [`Db::read`] for threads that may block.
    pub fn read_blocking<T>(&self, read: impl FnOnce(&mut AnyConnection) -> Result<T>) -> Result<T> {
        self.readers.run(read)
    }

    /// Runs a write in a transaction and returns after the commit. The closure may run several times, waits for
    /// nothing (no hashing, no network) and touches none of the journal's tables. When it fails, nothing it did
    /// is kept. Answers within [`pool::DEADLINE`]: after it the caller is told `busy`, and whether the write is kept is
    /// unknown.
    pub async fn write<T, F>(&self, mut write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut AnyConnection) -> Result<T> + Send + 'static,
    {
        let Some(pool) = &self.writers else {
            return match tokio::time::timeout(write_queue::DEADLINE, self.queue.push(write)?).await {
                Ok(answer) => answer.map_err(|_| stopped())?,
                Err(_) => Err(unknown()),
            };
        };
        let done = pool.watch(POOL_WAIT, move |pool| {
            for attempt in 1.. {
                match pool.run(|connection| connection.transaction(|connection| write(connection))) {
                    Err(error) if error.error_kind() == Some(DbErrorKind::Conflict) && attempt < ATTEMPTS => {
                        std::thread::sleep(std::time::Duration::from_millis(5 << attempt));
                    }
                    done => return done,
                }
            }
            Err(stopped())
        });
        let done = done.await.unwrap_or_else(|| Err(unknown()));
        if done.as_ref().is_err_and(|error| error.error_kind() == Some(DbErrorKind::Storage)) {
            self.refusals.note();
        }
        done
    }

    /// Where it is noted that the store refused a write.
    pub fn refusals(&self) -> &Arc<probe::Refusals> {
        &self.refusals
    }

    /// On SQLite: writes what the write-ahead log holds into the file and empties the log, so that the log holds no former
    /// content. `false` when readers kept it from that: ask again. Servers have logs of their own.
    pub async fn empty_log(&self) -> Result<bool> {
        if self.target.kind.is_server() {
            return Ok(true);
        }
        let target = self.target.clone();
        blocking(move || checkpoint::truncate(&mut target.connect(Purpose::Write)?)).await
    }

    /// How often a read or write had to wait for a pooled connection.
    pub fn pool_waits(&self) -> u64 {
        self.readers.waits() + self.writers.as_ref().map_or(0, Pool::waits)
    }

    /// How many statements the readers' connections have run. Debug builds only: tests bound it.
    #[cfg(debug_assertions)]
    pub fn statements(&self) -> u64 {
        self.readers.statements()
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

fn unknown() -> Error {
    Error::new(Code::Busy, "the database did not answer in time; whether this was stored is unknown")
        .retry_after(1_000)
}

fn stopped() -> Error {
    Error::new(Code::Draining, "the server is stopping")
}
