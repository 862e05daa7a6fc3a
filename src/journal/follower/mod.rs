//! Durable followers: work that goes on behind the log, on whichever process has the time.
//!
//! Owns the table `follower` (how far each follower has come in each tenant, and who works there), the leases, and the
//! loop that runs a follower. Does not own what a follower does.
//!
//! Invariants: one process at a time works for a follower on a tenant; a cursor moves only after what it stands for was
//! stored, so after a crash the last piece is done again (at least once: effects must be idempotent, or be stored in
//! one transaction with [`Slice::advance`]); who lost its lease can move no cursor; every piece is bounded in time.
//!
//! A follower is a type that implements [`Follower`]; `App::follow` runs it.

pub mod fold;
mod lags;
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::db::{AnyConnection, Db};
use crate::kernel::secret::random_key;
use crate::kernel::{Code, Error, Result, TenantId};

pub use lags::Lags;
use store::Lease;

/// The tenant under which a scheduled follower does what belongs to no tenant.
pub const WHOLE_STORE: TenantId = TenantId(0);
/// How long a lease lasts without renewal; every piece renews it.
pub const LEASE: Duration = Duration::from_secs(30);
/// How long one piece of work may take: well within a lease.
const PIECE: Duration = Duration::from_secs(20);
/// How long a follower stays with one tenant while others wait.
const TURN: Duration = Duration::from_secs(10);
/// How long a follower rests after an error.
const REST: Duration = Duration::from_secs(5);

/// Where a follower begins in a tenant that it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    Head,
    /// With the first rev of the log.
    Beginning,
    /// Nowhere: it follows only the tenants in which it was begun ([`begin`]), from there on.
    Begun,
}

/// When a follower has something to do in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// When the tenant's log is longer than its cursor.
    Log,
    /// So long after its last work there, and once for [`WHOLE_STORE`].
    Every(Duration),
}

/// What came of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to this rev is done.
    pub rev: i64,
    /// Whether more waits in this tenant.
    pub more: bool,
}

/// Work behind the log.
pub trait Follower: Send + Sync + 'static {
    /// Its name in the store, in metrics and among the supervised tasks; at most 64 letters, never changed.
    fn name(&self) -> &'static str;

    /// Where it begins in a tenant that it has not seen.
    fn start(&self) -> Start;

    /// When it has something to do.
    fn schedule(&self) -> Schedule {
        Schedule::Log
    }

    /// How long it rests between two looks for work.
    fn pause(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Does one bounded piece: some of what stands after `slice.after`, up to `slice.head`. It may be stopped at any
    /// await and done again.
    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>>;
}

/// A piece of a tenant's log that a follower holds.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Whose log.
    pub tenant: TenantId,
    /// What is done already.
    pub after: i64,
    /// The last rev that was there when the piece was cut.
    pub head: i64,
    lease: Lease,
}

impl Slice {
    /// Moves the cursor inside the transaction that stores the effects: then each effect is stored exactly once.
    /// Fails with `busy` when the lease was lost; the transaction must be given up then.
    pub fn advance(&self, connection: &mut AnyConnection, rev: i64) -> Result<()> {
        store::advance(connection, &self.lease, self.tenant, rev)
    }
}

/// Has a follower follow a tenant from what comes after this transaction; does nothing where it does so already.
pub fn begin(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    store::begin(connection, name, tenant)
}

/// Has a follower follow a tenant no more.
pub fn end(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    store::end(connection, name, tenant)
}

/// Up to which rev a follower has done its work in a tenant; 0 where it has not begun.
pub fn position(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<i64> {
    store::position(connection, name, tenant)
}

/// Keeps a follower from storing anything in a tenant until the transaction ends.
pub fn hold(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    store::hold(connection, name, tenant)
}

/// Sets a follower back to the first rev of a tenant and keeps every process from working there for the time of a lease, while
/// its effects are taken away. Whoever works there loses its lease. Do it again to go on, and end with [`resume`].
pub fn set_back(connection: &mut AnyConnection, name: &'static str, tenant: TenantId) -> Result<()> {
    store::set_back(connection, name, tenant)
}

/// Lets processes work again where the follower was set back.
pub fn resume(connection: &mut AnyConnection, name: &str, tenant: TenantId) -> Result<()> {
    store::resume(connection, name, tenant)
}

/// Runs one follower until the server stops. One supervised task in each process.
pub async fn run(db: Db, lags: Lags, follower: Arc<dyn Follower>, shutdown: CancellationToken) {
    let runner = Runner { db, lags, owner: random_key(16), follower };
    let mut rest = runner.follower.pause();
    loop {
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = shutdown.cancelled() => return,
        }
        rest = match runner.round(&shutdown).await {
            Ok(()) => runner.follower.pause(),
            Err(error) => {
                let name = runner.follower.name();
                log::warn!(target: "deskwire::follower", "the follower {name} rests after an error: {error}");
                REST.max(runner.follower.pause())
            }
        };
    }
}

struct Runner {
    db: Db,
    lags: Lags,
    owner: String,
    follower: Arc<dyn Follower>,
}

impl Runner {
    /// Looks for tenants with work and does some in each. An error in one tenant does not keep it from the others.
    async fn round(&self, shutdown: &CancellationToken) -> Result<()> {
        let (name, schedule, start) = (self.follower.name(), self.follower.schedule(), self.follower.start());
        let found = self.db.read(move |connection| store::due(connection, name, schedule, start)).await?;
        self.lags.set(name, found.lag);
        let mut failed = None;
        for tenant in found.tenants {
            let done = tokio::select! {
                done = self.visit(tenant) => done,
                () = shutdown.cancelled() => return Ok(()),
            };
            if let Err(error) = done {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Works on one tenant for a turn, when nobody else does.
    async fn visit(&self, tenant: TenantId) -> Result<()> {
        let (name, owner, start) = (self.follower.name(), self.owner.clone(), self.follower.start());
        let taken = self.db.write(move |connection| store::take(connection, name, tenant, &owner, start));
        let Some((lease, mut after)) = taken.await? else { return Ok(()) };
        let began = Instant::now();
        let worked = loop {
            match self.piece(tenant, &lease, after).await {
                Ok(progress) if progress.more && began.elapsed() < TURN => after = progress.rev,
                Ok(_) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        // A lease that cannot be given back ends by itself.
        self.db.write(move |connection| store::give_back(connection, &lease, tenant)).await.and(worked)
    }

    async fn piece(&self, tenant: TenantId, lease: &Lease, after: i64) -> Result<Progress> {
        let head = self.db.read(move |connection| store::head(connection, tenant)).await?;
        let slice = Slice { tenant, after, head, lease: lease.clone() };
        let late = || Error::new(Code::Busy, "a piece of a follower's work took too long");
        let worked = tokio::time::timeout(PIECE, self.follower.work(&slice)).await;
        let progress = worked.map_err(|_| late())??;
        self.db
            .write(move |connection| store::advance(connection, &slice.lease, slice.tenant, progress.rev))
            .await?;
        Ok(progress)
    }
}
