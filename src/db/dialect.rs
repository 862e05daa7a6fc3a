//! What differs between the databases in statements that are written once. `on!` runs one Diesel expression on
//! the connection inside, for what Diesel's multi-connection cannot say (bulk inserts, row locks).

/// Values that one statement may carry: the least that PostgreSQL and MySQL take (SQLite is written row by row).
const PARAMETERS_MAX: usize = 65_535;

/// How many rows of so many columns go into one statement.
pub const fn rows_in_statement(columns: usize) -> usize {
    let rows = PARAMETERS_MAX / if columns == 0 { 1 } else { columns };
    if rows == 0 { 1 } else { rows }
}

/// Runs one expression on whichever connection is inside: `on!(connection, inner => expression)`.
#[macro_export]
macro_rules! on {
    ($connection:expr, $inner:ident => $expression:expr) => {
        match $connection {
            #[cfg(feature = "sqlite")]
            $crate::db::AnyConnection::Sqlite($inner) => $expression,
            #[cfg(feature = "postgres")]
            $crate::db::AnyConnection::Postgresql($inner) => $expression,
            #[cfg(feature = "mysql")]
            $crate::db::AnyConnection::Mysql($inner) => $expression,
        }
    };
}

/// Loads the rows of a query and holds them until the end of the transaction: `holding!(connection, query)` waits for who
/// holds them, `holding!(connection, query, skip)` passes over what others hold. On SQLite a transaction that writes is
/// alone.
#[macro_export]
macro_rules! holding {
    ($connection:expr, $query:expr) => {
        $crate::holding!(@ $connection, $query, for_update)
    };
    ($connection:expr, $query:expr, skip) => {
        $crate::holding!(@ $connection, $query, for_update skip_locked)
    };
    (@ $connection:expr, $query:expr, $($lock:ident)+) => {
        match $connection {
            #[cfg(feature = "sqlite")]
            $crate::db::AnyConnection::Sqlite(inner) => $query.load(inner),
            #[cfg(feature = "postgres")]
            $crate::db::AnyConnection::Postgresql(inner) => $query$(.$lock())+.load(inner),
            #[cfg(feature = "mysql")]
            $crate::db::AnyConnection::Mysql(inner) => $query$(.$lock())+.load(inner),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::rows_in_statement;

    #[test]
    fn no_statement_carries_more_than_a_server_takes() {
        for columns in [1, 2, 15, 32, 65_535] {
            assert!(rows_in_statement(columns) * columns <= 65_535);
            assert!((rows_in_statement(columns) + 1) * columns > 65_535);
        }
        assert_eq!(rows_in_statement(100_000), 1);
    }
}
