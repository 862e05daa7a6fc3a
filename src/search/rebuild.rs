//! Takes a tenant's index away, so that it is written anew from the log.

use super::backfill::SEARCH_MEMBERS;
use super::index::SEARCH;
use super::{store, terms};
use crate::db::Db;
use crate::journal::follower;
use crate::kernel::{Result, TenantId};

/// Rows that are taken away at once.
const ROWS: i64 = 2_000;

/// Clears the index and sets its follower back to the beginning of the log. Running servers write it anew; until they are done
/// a search reads the log itself, a piece a request. Ended in the middle, it leaves an index that names messages twice, which
/// does no harm.
pub async fn rebuild(db: &Db, tenant: TenantId) -> Result<()> {
    loop {
        let clear = move |connection: &mut _| {
            follower::set_back(connection, SEARCH, tenant)?;
            follower::set_back(connection, SEARCH_MEMBERS, tenant)?;
            Ok(store::clear(connection, tenant, ROWS)? || terms::clear(connection, tenant, ROWS)?)
        };
        if !db.write(clear).await? {
            break;
        }
    }
    db.write(move |connection| {
        follower::resume(connection, SEARCH, tenant)?;
        follower::resume(connection, SEARCH_MEMBERS, tenant)
    })
    .await
}
