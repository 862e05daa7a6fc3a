//! The task that ends digests whose time came. Every process runs one; which of them ends a digest is all the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::store;
use crate::app::App;
use crate::db::Db;
use crate::kernel::{Clock, IdGenerator, Result, ticks};

/// How often it is looked for digests whose time came.
const TICK: Duration = Duration::from_secs(1);
/// Digests of one look.
const DIGESTS: i64 = 200;

/// What the task works with.
#[derive(Clone)]
pub struct Digests {
    db: Db,
    ids: Arc<IdGenerator>,
    clock: Clock,
    news: Arc<Notify>,
}

impl Digests {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        let (db, ids, clock) = (app.db.clone(), app.ids.clone(), app.clock.clone());
        Self { db, ids, clock, news: app.message_events.clone() }
    }

    /// Ends some digests; tells whether there may be more.
    async fn round(&self) -> Result<bool> {
        let now = self.clock.now().0;
        let due = self.db.read(move |connection| store::due(connection, now, DIGESTS)).await?;
        let is_full = i64::try_from(due.len()).is_ok_and(|count| count == DIGESTS);
        let (mut ended, mut failed) = (false, None);
        for id in due {
            let ids = self.ids.clone();
            let done = self.db.write(move |connection| store::end_due(connection, &ids, id, now)).await;
            // What fails of one digest keeps no other from its time.
            ended |= done.is_ok();
            failed = done.err().or(failed);
        }
        if ended {
            self.news.notify_one();
        }
        failed.map_or(Ok(is_full), Err)
    }
}

/// Runs until shutdown. One supervised task in each process.
pub async fn run(digests: Digests, shutdown: CancellationToken) {
    ticks::run(TICK, shutdown, ("deskwire::centre", "digests"), || digests.round()).await;
}
