//! The follower that has accounts found which were made before there was an index, or whose index was taken away. Accounts that
//! are made or changed are indexed at once, where they are written.
//!
//! Its cursor is the id of the last account that it has indexed.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::db::Db;
use crate::journal::follower::{Follower, Progress, Schedule, Slice, Start, WHOLE_STORE};
use crate::kernel::{MemberId, Result};
use crate::members::store as members;

/// The follower's name.
pub const SEARCH_MEMBERS: &str = "search_members";
/// Accounts of one piece.
const ACCOUNTS: i64 = 200;
/// How often it looks for accounts.
const EVERY: Duration = Duration::from_secs(600);

/// Indexes accounts.
pub struct Backfill {
    /// The store.
    pub db: Db,
}

impl Follower for Backfill {
    fn name(&self) -> &'static str {
        SEARCH_MEMBERS
    }

    fn start(&self) -> Start {
        Start::Beginning
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(EVERY)
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let (tenant, after) = (slice.tenant, MemberId(slice.after));
            if tenant == WHOLE_STORE {
                return Ok(Progress { rev: slice.after, more: false });
            }
            let read = move |connection: &mut _| members::following(connection, tenant, after, ACCOUNTS);
            let rows = self.db.read(read).await?;
            let Some(last) = rows.last().map(|row| row.id.0) else {
                return Ok(Progress { rev: slice.after, more: false });
            };
            let more = i64::try_from(rows.len()).is_ok_and(|count| count == ACCOUNTS);
            let held = slice.clone();
            self.db
                .write(move |connection| {
                    members::index(connection, &rows)?;
                    held.advance(connection, last)
                })
                .await?;
            Ok(Progress { rev: last, more })
        }
        .boxed()
    }
}
