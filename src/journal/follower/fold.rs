//! Followers that fold the log into rows of their own: what comes next is read, and what it makes of those rows is stored.
//!
//! Owns how such a follower begins anew, how large its pieces are and how it gives way to the log. The log goes first: on SQLite
//! both write through one door, and everywhere they share the disk.
//!
//! Invariants: rows are stored in the transaction that moves the cursor; a cursor at 0 means that nothing stored counts, so that
//! it is taken away first, also after a rebuild that was killed.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Follower, Progress, Slice, Start};
use crate::db::{AnyConnection, Db};
use crate::journal::Journal;
use crate::kernel::{Result, TenantId};

/// Entries of one piece.
pub const ENTRIES: i64 = 500;
/// Entries of one piece on SQLite, where whoever sends a message waits for it.
pub const ENTRIES_BESIDE: i64 = 100;
/// How long the writers of the log have for themselves after each piece.
const PAUSE: Duration = Duration::from_millis(20);
/// Commands that wait for a lane after the pause when the writers have all that they can do.
const DEEP: usize = 32;
/// How many times as long as a piece took they have for themselves then, and how long at most.
const YIELD: u32 = 20;
const YIELD_MAX: Duration = Duration::from_secs(5);

/// Gives way to the writers of the log, after a piece that took so long.
pub async fn give_way(journal: &Journal, took: Duration) {
    tokio::time::sleep(PAUSE).await;
    if journal.depth() >= DEEP {
        tokio::time::sleep(took.saturating_mul(YIELD).min(YIELD_MAX)).await;
    }
}

/// What a follower makes of the log.
pub trait Fold: Send + Sync + 'static {
    /// What an entry says to it.
    type Line: Send + 'static;
    /// The follower's name: see [`Follower::name`].
    const NAME: &'static str;
    /// Where it begins in a tenant that it has not seen.
    const START: Start;

    /// Takes away some of what is stored of a tenant; whether there may be more.
    fn clear(connection: &mut AnyConnection, tenant: TenantId) -> Result<bool>;

    /// What the next piece of a log says, in its order: after the first rev of the window, up to the second one, at most so many
    /// entries; and up to which rev this is all.
    fn read(
        connection: &mut AnyConnection,
        tenant: TenantId,
        window: (i64, i64),
        most: i64,
    ) -> Result<(Vec<Self::Line>, i64)>;

    /// Stores what these lines make of its rows.
    fn keep(connection: &mut AnyConnection, tenant: TenantId, lines: &[Self::Line]) -> Result<()>;
}

/// The follower that folds.
pub struct Folding<F> {
    db: Db,
    journal: Journal,
    fold: PhantomData<F>,
}

impl<F: Fold> Folding<F> {
    /// With the handles of this server.
    pub fn new(db: Db, journal: Journal) -> Self {
        Self { db, journal, fold: PhantomData }
    }

    async fn clear(&self, slice: &Slice) -> Result<bool> {
        let held = slice.clone();
        let clear = move |connection: &mut AnyConnection| {
            held.advance(connection, 0)?;
            F::clear(connection, held.tenant)
        };
        self.db.write(clear).await
    }

    async fn keep(&self, slice: &Slice, lines: Vec<F::Line>, rev: i64) -> Result<()> {
        let (began, held) = (Instant::now(), slice.clone());
        let keep = move |connection: &mut AnyConnection| {
            // Whoever lost its lease waits here and gives up.
            held.advance(connection, rev)?;
            F::keep(connection, held.tenant, &lines)
        };
        self.db.write(keep).await?;
        give_way(&self.journal, began.elapsed()).await;
        Ok(())
    }
}

impl<F: Fold> Follower for Folding<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn start(&self) -> Start {
        F::START
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let (tenant, after, head) = (slice.tenant, slice.after, slice.head);
            if after == 0 && self.clear(slice).await? {
                return Ok(Progress { rev: 0, more: true });
            }
            let most = if self.db.kind().is_server() { ENTRIES } else { ENTRIES_BESIDE };
            let read = move |connection: &mut AnyConnection| F::read(connection, tenant, (after, head), most);
            let (lines, rev) = self.db.read(read).await?;
            if !lines.is_empty() {
                self.keep(slice, lines, rev).await?;
            }
            Ok(Progress { rev, more: rev < head })
        }
        .boxed()
    }
}
