//! Adding to what is stored without reading it: bytes behind a value, and rows that may be there already. Diesel has no
//! expression for either that the three databases share. Numbers and bytes are written out, since there is nothing in them to
//! quote, and statements of any number of rows are not worth being prepared.

use std::fmt::Write as _;

use diesel::prelude::*;

use super::AnyConnection;
use crate::kernel::Result;
use crate::on;

/// Rows of one statement.
const ROWS: usize = 500;

/// A table with a key of three numbers and a value of bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bytes {
    /// Its name.
    pub table: &'static str,
    /// The columns of its primary key.
    pub key: [&'static str; 3],
    /// The column of the value.
    pub value: &'static str,
}

/// Adds bytes behind the values of these keys, each key given once.
pub fn append<'a>(
    connection: &mut AnyConnection,
    Bytes { table, key: [first, second, third], value }: Bytes,
    rows: impl Iterator<Item = ([i64; 3], &'a [u8])>,
) -> Result<()> {
    let (open, close, joined) = match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(_) => ("x'", "'", format!("CAST({table}.{value} || excluded.{value} AS BLOB)")),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(_) => ("'\\x", "'::bytea", format!("{table}.{value} || excluded.{value}")),
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => ("x'", "'", format!("CONCAT({value}, VALUES({value}))")),
    };
    let clause = match connection {
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => format!(" ON DUPLICATE KEY UPDATE {value} = {joined}"),
        #[allow(unreachable_patterns, reason = "reachable with the features of the others")]
        _ => format!(" ON CONFLICT ({first}, {second}, {third}) DO UPDATE SET {value} = {joined}"),
    };
    let rows: Vec<_> = rows.collect();
    for rows in rows.chunks(ROWS) {
        let mut text = format!("INSERT INTO {table} ({first}, {second}, {third}, {value}) VALUES ");
        for (index, ([first, second, third], bytes)) in rows.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}({first}, {second}, {third}, {open}");
            for byte in *bytes {
                let _ = write!(text, "{byte:02x}");
            }
            let _ = write!(text, "{close})");
        }
        text.push_str(&clause);
        on!(connection, inner => diesel::sql_query(text).execute(inner))?;
    }
    Ok(())
}

/// Adds rows of numbers to a table of numbers; those that are there stay as they are.
pub fn add_missing<const COLUMNS: usize>(
    connection: &mut AnyConnection,
    table: &'static str,
    columns: [&'static str; COLUMNS],
    rows: &[[i64; COLUMNS]],
) -> Result<()> {
    let (verb, clause) = match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(_) => ("INSERT", " ON CONFLICT DO NOTHING"),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(_) => ("INSERT", " ON CONFLICT DO NOTHING"),
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => ("INSERT IGNORE", ""),
    };
    for rows in rows.chunks(ROWS) {
        let mut text = format!("{verb} INTO {table} ({}) VALUES ", columns.join(", "));
        for (index, row) in rows.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}({})", row.map(|number| number.to_string()).join(", "));
        }
        text.push_str(clause);
        on!(connection, inner => diesel::sql_query(text).execute(inner))?;
    }
    Ok(())
}
