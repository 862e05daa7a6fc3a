//! What a column list becomes: insert and update, each in the shape that its database does best.
//!
//! | | SQLite (no round trip to save) | PostgreSQL | MySQL, MariaDB |
//! |---|---|---|---|
//! | insert | one cached statement a row | `INSERT … SELECT … FROM unnest(…)` | one `INSERT` with many rows |
//! | update | one cached statement a row, without the `seldom` columns when they are as they were | `UPDATE … FROM unnest(…)`, likewise | `INSERT … ON DUPLICATE KEY UPDATE` |
//!
//! The texts for SQLite and PostgreSQL are constant, so that both keep them prepared. An upsert offers rows that
//! exist, so the primary key is the only unique key that it can meet.

/// Makes `insert`, and `update` unless its rows never change, from a column list; see the module and `columns`.
macro_rules! journal_table {
    // A table whose rows never change.
    ($(#[$meta:meta])* $name:ident of $row:ident, $table:literal,
     key { $($key:ident: $key_sql:ty as $key_type:ty),+ $(,)? }
     once { $($once:ident: $once_sql:ty as $once_type:ty),* $(,)? }) => {
        $(#[$meta])*
        pub(super) mod $name {
            use $crate::journal::store::statements::inserts;
            #[allow(unused_imports, reason = "each list uses some of the types")]
            use super::*;
            inserts! {
                $row, $table,
                { $($key: $key_sql as $key_type,)+ $($once: $once_sql as $once_type,)* }
            }
        }
    };
    ($(#[$meta:meta])* $name:ident of $row:ident, $table:literal,
     key { $($key:ident: $key_sql:ty as $key_type:ty),+ $(,)? }
     once { $($once:ident: $once_sql:ty as $once_type:ty),* $(,)? }
     seldom { $($seldom:ident: $seldom_sql:ty as $seldom_type:ty),* $(,)? }
     often { $($often:ident: $often_sql:ty as $often_type:ty),+ $(,)? }) => {
        $(#[$meta])*
        pub(super) mod $name {
            use $crate::journal::store::statements::{inserts, updates};
            #[allow(unused_imports, reason = "each list uses some of the types")]
            use super::*;
            inserts! {
                $row, $table,
                {
                    $($key: $key_sql as $key_type,)+ $($once: $once_sql as $once_type,)*
                    $($seldom: $seldom_sql as $seldom_type,)* $($often: $often_sql as $often_type,)+
                }
            }
            updates! {
                $row, $table,
                key { $($key: $key_sql as $key_type,)+ }
                seldom { $($seldom: $seldom_sql as $seldom_type,)* }
                often { $($often: $often_sql as $often_type,)+ }
            }
        }
    };
}

/// The names of all columns, and `insert`.
macro_rules! inserts {
    ($row:ident, $table:literal, { $($column:ident: $sql:ty as $type:ty,)+ }) => {
        #[allow(unused_imports, reason = "each list uses some of the types")]
        use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text};
        use diesel::prelude::*;
        use $crate::db::AnyConnection;
        #[allow(unused_imports, reason = "some features build no constant statements")]
        use diesel::query_builder::{AstPass, QueryFragment, QueryId};

        /// Every column.
        #[allow(dead_code, reason = "used by one of the databases and by the tests")]
        pub(in $crate::journal::store) const COLUMNS: &[&str] = &[$(stringify!($column),)+];

        /// Does not compile when the row has a column that is not listed.
        #[allow(dead_code, reason = "a check at compile time")]
        fn every_column_is_listed(row: $row) {
            let $row { $($column: _,)+ } = row;
        }

        #[cfg(feature = "sqlite")]
        struct InsertRow<'a>(&'a $row);

        #[cfg(feature = "sqlite")]
        impl QueryId for InsertRow<'_> {
            type QueryId = InsertRow<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        #[cfg(feature = "sqlite")]
        impl QueryFragment<diesel::sqlite::Sqlite> for InsertRow<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, diesel::sqlite::Sqlite>) -> QueryResult<()> {
                let mut separator = concat!("INSERT INTO ", $table, " (");
                $(
                    out.push_sql(separator);
                    out.push_sql(stringify!($column));
                    separator = ", ";
                )+
                let _ = separator;
                let mut separator = ") VALUES (";
                $(
                    out.push_sql(separator);
                    out.push_bind_param::<$sql, $type>(&self.0.$column)?;
                    separator = ", ";
                )+
                let _ = separator;
                out.push_sql(")");
                Ok(())
            }
        }

        #[cfg(feature = "sqlite")]
        impl RunQueryDsl<SqliteConnection> for InsertRow<'_> {}

        #[cfg(feature = "postgres")]
        struct InsertRows<'a> { $($column: Vec<&'a $type>,)+ }

        #[cfg(feature = "postgres")]
        impl QueryId for InsertRows<'_> {
            type QueryId = InsertRows<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        #[cfg(feature = "postgres")]
        impl QueryFragment<diesel::pg::Pg> for InsertRows<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, diesel::pg::Pg>) -> QueryResult<()> {
                let mut separator = concat!("INSERT INTO ", $table, " (");
                $(
                    out.push_sql(separator);
                    out.push_sql(stringify!($column));
                    separator = ", ";
                )+
                let _ = separator;
                let mut separator = ") SELECT * FROM unnest(";
                $(
                    out.push_sql(separator);
                    out.push_bind_param::<diesel::sql_types::Array<$sql>, _>(&self.$column)?;
                    separator = ", ";
                )+
                let _ = separator;
                out.push_sql(")");
                Ok(())
            }
        }

        #[cfg(feature = "postgres")]
        impl RunQueryDsl<PgConnection> for InsertRows<'_> {}

        #[cfg(feature = "mysql")]
        fn insert_mysql(connection: &mut MysqlConnection, rows: &[&$row], end: &str) -> QueryResult<usize> {
            let marks = format!("({})", vec!["?"; COLUMNS.len()].join(", "));
            let sql = format!(
                "INSERT INTO {} ({}) VALUES {}{end}",
                $table,
                COLUMNS.join(", "),
                vec![marks.as_str(); rows.len()].join(", "),
            );
            let mut query = diesel::sql_query(sql).into_boxed();
            for row in rows {
                $(query = query.bind::<$sql, _>(&row.$column);)+
            }
            query.execute(connection)
        }

        /// Stores new rows.
        #[allow(dead_code, reason = "not every table gets rows from the journal")]
        pub(in $crate::journal::store) fn insert(
            connection: &mut AnyConnection,
            rows: &[&$row],
        ) -> QueryResult<()> {
            if rows.is_empty() {
                return Ok(());
            }
            match connection {
                #[cfg(feature = "sqlite")]
                AnyConnection::Sqlite(inner) => {
                    for row in rows {
                        InsertRow(row).execute(inner)?;
                    }
                }
                #[cfg(feature = "postgres")]
                AnyConnection::Postgresql(inner) => {
                    InsertRows { $($column: rows.iter().map(|row| &row.$column).collect(),)+ }
                        .execute(inner)?;
                }
                #[cfg(feature = "mysql")]
                AnyConnection::Mysql(inner) => {
                    for rows in rows.chunks($crate::db::dialect::rows_in_statement(COLUMNS.len())) {
                        insert_mysql(inner, rows, "")?;
                    }
                }
            }
            Ok(())
        }
    };
}

/// `update`, in two widths.
macro_rules! updates {
    ($row:ident, $table:literal,
     key { $($key:ident: $key_sql:ty as $key_type:ty,)+ }
     seldom { $($seldom:ident: $seldom_sql:ty as $seldom_type:ty,)* }
     often { $($often:ident: $often_sql:ty as $often_type:ty,)+ }) => {
        use $crate::journal::store::statements::update_statement;
        use $crate::journal::table::Change;

        update_statement! {
            UpdateRow, UpdateRows, $row, $table,
            key { $($key: $key_sql as $key_type,)+ }
            set { $($seldom: $seldom_sql as $seldom_type,)* $($often: $often_sql as $often_type,)+ }
        }
        update_statement! {
            UpdateRowInPlace, UpdateRowsInPlace, $row, $table,
            key { $($key: $key_sql as $key_type,)+ }
            set { $($often: $often_sql as $often_type,)+ }
        }

        /// Whether only `often` columns changed.
        #[allow(unused_variables, reason = "a table may have no `seldom` columns")]
        fn in_place(change: &Change<'_, $row>) -> bool {
            true $(&& change.before.$seldom == change.after.$seldom)*
        }

        /// Stores changed rows; gives how many rows were met (MySQL counts in its own way).
        pub(in $crate::journal::store) fn update(
            connection: &mut AnyConnection,
            changes: &[Change<'_, $row>],
        ) -> QueryResult<usize> {
            if changes.is_empty() {
                return Ok(0);
            }
            match connection {
                #[cfg(feature = "sqlite")]
                AnyConnection::Sqlite(inner) => {
                    let mut met = 0;
                    for change in changes {
                        met += match in_place(change) {
                            true => UpdateRowInPlace(change.after).execute(inner)?,
                            false => UpdateRow(change.after).execute(inner)?,
                        };
                    }
                    Ok(met)
                }
                // The server takes the rows in an order of its own.
                #[cfg(feature = "postgres")]
                AnyConnection::Postgresql(inner) => {
                    let (narrow, wide): (Vec<_>, Vec<_>) = changes.iter().partition(|change| in_place(change));
                    let mut met = 0;
                    if !wide.is_empty() {
                        met += UpdateRows::of(&wide).execute(inner)?;
                    }
                    if !narrow.is_empty() {
                        met += UpdateRowsInPlace::of(&narrow).execute(inner)?;
                    }
                    Ok(met)
                }
                #[cfg(feature = "mysql")]
                AnyConnection::Mysql(inner) => {
                    const SET: &[&str] = &[
                        $(concat!(stringify!($seldom), " = VALUES(", stringify!($seldom), ")"),)*
                        $(concat!(stringify!($often), " = VALUES(", stringify!($often), ")"),)+
                    ];
                    let end = format!(" ON DUPLICATE KEY UPDATE {}", SET.join(", "));
                    let rows: Vec<&$row> = changes.iter().map(|change| change.after).collect();
                    for rows in rows.chunks($crate::db::dialect::rows_in_statement(COLUMNS.len())) {
                        insert_mysql(inner, rows, &end)?;
                    }
                    Ok(changes.len())
                }
            }
        }
    };
}

/// An update of these columns: of one row on SQLite, of many on PostgreSQL.
macro_rules! update_statement {
    ($one:ident, $many:ident, $row:ident, $table:literal,
     key { $key:ident: $key_sql:ty as $key_type:ty, $($more:ident: $more_sql:ty as $more_type:ty,)* }
     set { $($column:ident: $sql:ty as $type:ty,)+ }) => {
        #[cfg(feature = "sqlite")]
        struct $one<'a>(&'a $row);

        #[cfg(feature = "sqlite")]
        impl QueryId for $one<'_> {
            type QueryId = $one<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        #[cfg(feature = "sqlite")]
        impl QueryFragment<diesel::sqlite::Sqlite> for $one<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, diesel::sqlite::Sqlite>) -> QueryResult<()> {
                let mut separator = concat!("UPDATE ", $table, " SET ");
                $(
                    out.push_sql(separator);
                    out.push_sql(concat!(stringify!($column), " = "));
                    out.push_bind_param::<$sql, $type>(&self.0.$column)?;
                    separator = ", ";
                )+
                let _ = separator;
                out.push_sql(concat!(" WHERE ", stringify!($key), " = "));
                out.push_bind_param::<$key_sql, $key_type>(&self.0.$key)?;
                $(
                    out.push_sql(concat!(" AND ", stringify!($more), " = "));
                    out.push_bind_param::<$more_sql, $more_type>(&self.0.$more)?;
                )*
                Ok(())
            }
        }

        #[cfg(feature = "sqlite")]
        impl RunQueryDsl<SqliteConnection> for $one<'_> {}

        #[cfg(feature = "postgres")]
        struct $many<'a> {
            $key: Vec<&'a $key_type>,
            $($more: Vec<&'a $more_type>,)*
            $($column: Vec<&'a $type>,)+
        }

        #[cfg(feature = "postgres")]
        impl<'a> $many<'a> {
            fn of(changes: &[&Change<'a, $row>]) -> Self {
                Self {
                    $key: changes.iter().map(|change| &change.after.$key).collect(),
                    $($more: changes.iter().map(|change| &change.after.$more).collect(),)*
                    $($column: changes.iter().map(|change| &change.after.$column).collect(),)+
                }
            }
        }

        #[cfg(feature = "postgres")]
        impl QueryId for $many<'_> {
            type QueryId = $many<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        #[cfg(feature = "postgres")]
        impl QueryFragment<diesel::pg::Pg> for $many<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, diesel::pg::Pg>) -> QueryResult<()> {
                let mut separator = concat!("UPDATE ", $table, " AS stored SET ");
                $(
                    out.push_sql(separator);
                    out.push_sql(concat!(stringify!($column), " = given.", stringify!($column)));
                    separator = ", ";
                )+
                let _ = separator;
                out.push_sql(" FROM unnest(");
                out.push_bind_param::<diesel::sql_types::Array<$key_sql>, _>(&self.$key)?;
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<diesel::sql_types::Array<$more_sql>, _>(&self.$more)?;
                )*
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<diesel::sql_types::Array<$sql>, _>(&self.$column)?;
                )+
                out.push_sql(concat!(") AS given (", stringify!($key)));
                $(out.push_sql(concat!(", ", stringify!($more)));)*
                $(out.push_sql(concat!(", ", stringify!($column)));)+
                out.push_sql(concat!(") WHERE stored.", stringify!($key), " = given.", stringify!($key)));
                $(out.push_sql(concat!(" AND stored.", stringify!($more), " = given.", stringify!($more)));)*
                Ok(())
            }
        }

        #[cfg(feature = "postgres")]
        impl RunQueryDsl<PgConnection> for $many<'_> {}
    };
}

pub(super) use {inserts, journal_table, update_statement, updates};
