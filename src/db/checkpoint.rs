//! Emptying SQLite's write-ahead log. Diesel has no expression for the pragma, nor for what it answers.

use diesel::prelude::*;
use diesel::sql_types::Integer;

use super::AnyConnection;
use crate::kernel::Result;
use crate::on;

/// What `PRAGMA wal_checkpoint` answers, as far as it is asked for (sqlite.org/pragma.html#pragma_wal_checkpoint).
#[derive(QueryableByName)]
struct Checkpoint {
    /// 1 when readers or writers kept it from its end, else 0.
    #[diesel(sql_type = Integer)]
    busy: i32,
}

/// Writes the log into the file of the database and empties it. `false`: it was kept from that.
pub fn truncate(connection: &mut AnyConnection) -> Result<bool> {
    let done: Checkpoint =
        on!(connection, inner => diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(inner))?;
    Ok(done.busy == 0)
}
