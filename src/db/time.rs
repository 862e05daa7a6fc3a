//! The database's own clock: what processes agree on whose clocks do not.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::AnyConnection;
use crate::on;

#[derive(diesel::QueryableByName)]
struct Now {
    #[diesel(sql_type = BigInt)]
    now: i64,
}

/// The database's time, in unix milliseconds.
pub fn now(connection: &mut AnyConnection) -> QueryResult<i64> {
    let sql = match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(_) => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now",
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(_) => {
            "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now"
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED) AS now",
    };
    let row: Now = on!(connection, inner => diesel::sql_query(sql).get_result(inner))?;
    Ok(row.now)
}
