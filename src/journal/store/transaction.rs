//! Begin, lock, commit, roll back: the same four steps on three databases.

use std::collections::HashMap;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::error_kind::lock_error;
use crate::db::schema::{lane_batch, tenant_log};
use crate::kernel::{Result, TenantId};

type Manager = <AnyConnection as diesel::Connection>::TransactionManager;

/// How long a lane waits for locked tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: locked tenants are skipped.
    Skip,
    /// A moment: for a tenant that was skipped several times and runs alone.
    Short,
    /// As long as the server allows: to learn the outcome of a lost COMMIT.
    Long,
}

/// Begins a transaction that will write. On SQLite it takes the write lock at once, since a later upgrade would
/// fail without waiting.
pub fn begin(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE")
        }
        // Said explicitly, so that neither a role's nor the server's default changes what a lock means.
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => {
            AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN ISOLATION LEVEL READ COMMITTED")
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN"),
    }
}

/// Commits.
pub fn commit(connection: &mut AnyConnection) -> QueryResult<()> {
    Manager::commit_transaction(connection)
}

/// Rolls everything back, whatever state the transaction is in.
pub fn rollback(connection: &mut AnyConnection) -> QueryResult<()> {
    Manager::rollback_transaction(connection)
}

/// Locks the tenants' rows in id order and reads nothing else: whatever is read after this statement is newer than
/// the lock. Returns the revs of those that could be locked; unknown tenants are absent as well.
pub fn lock_tenants(
    connection: &mut AnyConnection,
    tenants: &[TenantId],
    wait: Wait,
) -> QueryResult<HashMap<TenantId, i64>> {
    let rows = locked_rows(connection, tenants, wait).map_err(lock_error)?;
    Ok(rows.into_iter().collect())
}

fn locked_rows(
    connection: &mut AnyConnection,
    tenants: &[TenantId],
    wait: Wait,
) -> QueryResult<Vec<(TenantId, i64)>> {
    let _ = wait;
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => tenant_log::table
            .select((tenant_log::tenant_id, tenant_log::rev))
            .filter(super::one_of::one_of(tenant_log::tenant_id, tenants))
            .load(inner),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => {
            match wait {
                Wait::Skip => {}
                Wait::Short => inner.batch_execute("SET LOCAL lock_timeout = '500ms'")?,
                Wait::Long => inner.batch_execute("SET LOCAL lock_timeout = '9s'")?,
            }
            match wait {
                Wait::Skip => ordered(tenants).for_update().skip_locked().load(inner),
                _ => ordered(tenants).for_update().load(inner),
            }
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => match wait {
            Wait::Skip => ordered(tenants).for_update().skip_locked().load(inner),
            Wait::Short => {
                inner.batch_execute("SET SESSION innodb_lock_wait_timeout = 1")?;
                let rows = ordered(tenants).for_update().load(inner);
                inner.batch_execute("SET SESSION innodb_lock_wait_timeout = 5")?;
                rows
            }
            Wait::Long => ordered(tenants).for_update().load(inner),
        },
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
fn ordered<'a>(tenants: &'a [TenantId]) -> _ {
    let columns: (tenant_log::tenant_id, tenant_log::rev) = (tenant_log::tenant_id, tenant_log::rev);
    tenant_log::table
        .select(columns)
        .filter(tenant_log::tenant_id.eq_any(tenants))
        .order(tenant_log::tenant_id.asc())
}

/// Writes the batch's receipt.
pub fn write_receipt(connection: &mut AnyConnection, batch: i64) -> QueryResult<()> {
    crate::on!(connection, inner => diesel::insert_into(lane_batch::table)
        .values(lane_batch::id.eq(batch))
        .execute(inner))?;
    Ok(())
}

/// Whether a batch committed.
pub fn has_receipt(connection: &mut AnyConnection, batch: i64) -> QueryResult<bool> {
    let count: i64 = lane_batch::table.filter(lane_batch::id.eq(batch)).count().get_result(connection)?;
    Ok(count > 0)
}

/// Removes receipts of batches that were made before this id; nobody can ask for them any more.
pub fn forget_receipts(connection: &mut AnyConnection, before: i64) -> Result<usize> {
    Ok(diesel::delete(lane_batch::table.filter(lane_batch::id.lt(before))).execute(connection)?)
}
