//! What differs between the databases in statements that are written once. `on!` runs one Diesel expression on
//! the connection inside, for what Diesel's multi-connection cannot say (bulk inserts, row locks).

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
