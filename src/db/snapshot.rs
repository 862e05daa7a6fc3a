//! One state for several reads. What is put together from several statements (an inbox row) could otherwise be a state
//! that never was, with a rev that claims it is the newest.

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::prelude::*;

use super::AnyConnection;
use crate::kernel::Result;

type Manager = <AnyConnection as Connection>::TransactionManager;

/// Runs reads that all see the store as it is at the first of them. Inside a transaction that is already open, that
/// transaction's view holds.
pub fn snapshot<T>(
    connection: &mut AnyConnection,
    read: impl FnOnce(&mut AnyConnection) -> Result<T>,
) -> Result<T> {
    let depth = Manager::transaction_manager_status_mut(connection).transaction_depth()?;
    if depth.is_some() {
        return read(connection);
    }
    // The next transaction only; elsewhere READ COMMITTED stands. MySQL wants to know before BEGIN, PostgreSQL after
    // it; SQLite always reads a snapshot.
    #[cfg(feature = "mysql")]
    if matches!(connection, AnyConnection::Mysql(_)) {
        connection.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
    }
    connection.transaction(|connection| {
        #[cfg(feature = "postgres")]
        if matches!(connection, AnyConnection::Postgresql(_)) {
            connection.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
        }
        read(connection)
    })
}
