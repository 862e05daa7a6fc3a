//! Repair: reads from the store what some reader of this process missed, and publishes it to all of them.
//!
//! Owns the one task that does so. A reader that sees a hole asks [`Feed::ask_repair`]; what several readers ask for
//! is read once. Invariant: one answer has a bound of revs and bytes; a reader that wants more asks again when it has
//! taken the piece, so the pieces never pile up in its channel.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use tokio_util::sync::CancellationToken;

use crate::db::Db;
use crate::journal::feed::Feed;
use crate::journal::history;

/// The first pause after a failed read; doubled up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause after a failed read.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Answers until shutdown. `repairs` counts the pieces that were read.
pub async fn run(db: Db, feed: Feed, repairs: IntCounter, shutdown: CancellationToken) {
    let mut pause = PAUSE;
    loop {
        let (tenant, from, to) = tokio::select! {
            asked = feed.next_repair() => asked,
            () = shutdown.cancelled() => return,
        };
        match db.read(move |connection| history::changes(connection, tenant, from, to)).await {
            Ok(changes) => {
                pause = PAUSE;
                repairs.inc();
                feed.repaired(tenant, from, changes.rev_to);
                feed.publish(Arc::new(changes));
            }
            Err(error) => {
                log::warn!(target: "deskwire::cluster", "tenant {tenant}: revs {from} to {to} could not be read: {error}");
                feed.repair_failed(tenant, from, to);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shutdown.cancelled() => return,
                }
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}
