//! Has a tenant's reports counted anew from the first rev of its log.

use super::follower::REPORTS;
use crate::db::Db;
use crate::journal::follower;
use crate::kernel::{Result, TenantId};

/// Sets the follower back. Running servers take away what is stored and count anew; until they are done, reports are not whole
/// and say so by their lag. Ended in the middle it goes on by itself.
pub async fn rebuild(db: &Db, tenant: TenantId) -> Result<()> {
    db.write(move |connection| {
        follower::set_back(connection, REPORTS, tenant)?;
        follower::resume(connection, REPORTS, tenant)
    })
    .await
}
