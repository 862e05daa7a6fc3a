//! Keeps the list of who is banned up to date with what other processes write, and has the sockets looked at that it
//! meets.
//!
//! The limit of staleness: a ban, its change and its end by deletion hold at once in the process that wrote them, and in
//! every other one that shares the store after its next look, half a second later at most (and the time of one read); the
//! journal's commands are judged by the store itself and never late. The end by time needs no look.

use std::collections::HashMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Auth;
use crate::db::Db;
use crate::journal::ephemeral::Ephemeral;
use crate::journal::feed::Feed;
use crate::kernel::TenantId;

const ON_SERVERS: Duration = Duration::from_millis(500);
/// Nobody writes bans beside the one process.
const ON_SQLITE: Duration = Duration::from_secs(1);

/// Follows the store until the server stops. One task for each process.
pub async fn follow(auth: Auth, db: Db, feed: Feed, shutdown: CancellationToken) {
    let every = if db.kind().is_server() { ON_SERVERS } else { ON_SQLITE };
    let mut told: HashMap<TenantId, i64> = HashMap::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        match auth.catch_up_bans(&db).await {
            Ok(versions) => {
                for (tenant, version) in &versions {
                    if told.get(tenant) != Some(version) {
                        feed.ephemeral(Ephemeral::Bans(*tenant));
                    }
                }
                told = versions;
            }
            // The database being away is told by readiness and by every request; the list just stays as it is.
            Err(error) => {
                log::debug!(target: "deskwire::auth", "bans could not be read, trying again: {error}")
            }
        }
    }
}
