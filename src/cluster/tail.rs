//! The tail: compares the heads of followed tenants with what this process knows, and wakes the readers.
//!
//! On a server the other writers are other processes, so it looks four times a second. On SQLite only the command
//! line writes beside the server, so once a second is enough.

use std::time::Duration;

use crate::db::Db;
use crate::journal::feed::Feed;
use crate::journal::history;
use tokio_util::sync::CancellationToken;

const ON_SERVERS: Duration = Duration::from_millis(250);
const ON_SQLITE: Duration = Duration::from_secs(1);

/// Follows the store until shutdown.
pub async fn run(db: Db, feed: Feed, shutdown: CancellationToken) {
    let interval = if db.kind().is_server() { ON_SERVERS } else { ON_SQLITE };
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = shutdown.cancelled() => return,
        }
        let tenants = feed.followed();
        if tenants.is_empty() {
            continue;
        }
        match db.read(move |connection| history::heads(connection, &tenants)).await {
            Ok(heads) => {
                let mut news = false;
                for (tenant, rev) in heads {
                    news |= feed.note_committed(tenant, rev);
                }
                if news {
                    feed.nudge();
                }
            }
            // The database being away is told by readiness and by every request; the tail just goes on.
            Err(error) => log::debug!(target: "deskwire::cluster", "the tail cannot read: {error}"),
        }
    }
}
