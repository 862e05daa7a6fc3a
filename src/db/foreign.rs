//! Reading another system's database on MySQL or MariaDB: tables that this program knows by name only, a slice at a time.
//!
//! Owns how a row of any table is read as text. Does not own what the rows mean (`import`). Invariants: nothing is written
//! there; names of tables and columns are the caller's own words, values are bound; a row that cannot be read is given as such
//! and ends no slice.

use std::collections::BTreeMap;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::connection::Purpose;
use super::{AnyConnection, DatabaseKind, Durability, Target};
use crate::kernel::{Code, Error, Result};
use crate::on;

/// A database of another system.
pub struct Foreign {
    connection: AnyConnection,
    /// Its name.
    pub name: String,
}

/// A row of a table of another system.
#[derive(Debug, Clone)]
pub struct ForeignRow {
    /// The value of the table's key.
    pub id: i64,
    /// The columns by name, as text; `None`: the row cannot be read.
    pub fields: Option<BTreeMap<String, Option<String>>>,
}

#[derive(QueryableByName)]
struct Pair {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    line: Option<String>,
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = Text)]
    value: String,
}

/// A table, and what is read of it.
#[derive(Debug, Clone)]
pub struct ForeignTable {
    /// Its name.
    pub name: &'static str,
    /// Its key: a number, in whose order it is read.
    pub key: &'static str,
    /// The columns that are read, each with whether it is a moment in UTC (`TIMESTAMP`).
    pub columns: Vec<(&'static str, bool)>,
}

impl ForeignTable {
    fn line(&self) -> String {
        let field = |(name, moment): &(&str, bool)| match moment {
            true => format!("'{name}', CONCAT(CAST(`{name}` AS CHAR), 'Z')"),
            false => format!("'{name}', CAST(`{name}` AS CHAR)"),
        };
        let fields: Vec<String> = self.columns.iter().map(field).collect();
        format!(
            "SELECT CAST(`{}` AS SIGNED) AS id, CAST(JSON_OBJECT({}) AS CHAR) AS line FROM `{}`",
            self.key,
            fields.join(", "),
            self.name
        )
    }
}

impl Foreign {
    /// Opens a database by its URL, `mysql://…`. Errors: `invalid_parameter` for any other URL, or when this program was built
    /// without MySQL; `storage_unavailable`.
    pub fn open(url: &str) -> Result<Self> {
        let refused = |detail: &str| Error::new(Code::InvalidParameter, detail.to_owned());
        if !(url.starts_with("mysql:") || url.starts_with("mariadb:")) {
            return Err(refused(
                "--from names a database on MySQL or MariaDB: mysql://USER:PASSWORD@HOST/NAME",
            ));
        }
        if !cfg!(feature = "mysql") {
            return Err(refused(
                "this program was built without MySQL: build it with --features mysql to import",
            ));
        }
        let target = Target::parse(url, Durability::default())?;
        debug_assert_eq!(target.kind, DatabaseKind::Mysql);
        let mut connection = target.connect(Purpose::Read)?;
        // A whole table may take its time, whichever server it is.
        for setting in [
            "SET SESSION time_zone = '+00:00'",
            "/*M!100101 SET SESSION max_statement_time = 0 */",
            "/*!50708 SET SESSION max_execution_time = 0 */",
        ] {
            connection.batch_execute(setting)?;
        }
        let name = "SELECT COALESCE(DATABASE(), '') AS value";
        let name: Value = on!(&mut connection, inner => diesel::sql_query(name).get_result(inner))?;
        match name.value.is_empty() {
            true => Err(refused("--from names no database: mysql://USER:PASSWORD@HOST/NAME")),
            false => Ok(Self { connection, name: name.value }),
        }
    }

    /// The columns of a table with their types, in small letters; none when there is no such table.
    pub fn columns(&mut self, table: &str) -> Result<BTreeMap<String, String>> {
        let text = "SELECT CAST(column_name AS CHAR) AS name, CAST(data_type AS CHAR) AS kind \
                    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?";
        let rows: Vec<Pair> = on!(&mut self.connection, inner => diesel::sql_query(text)
            .bind::<Text, _>(table)
            .load(inner))?;
        Ok(rows.into_iter().map(|pair| (pair.name.to_lowercase(), pair.kind.to_lowercase())).collect())
    }

    /// How many rows share their key with another one: a table that was loaded without its keys.
    pub fn doubles(&mut self, table: &ForeignTable) -> Result<i64> {
        let text = format!(
            "SELECT 0 + COUNT(*) - COUNT(DISTINCT `{key}`) AS id, '' AS line FROM `{name}`",
            key = table.key,
            name = table.name
        );
        let row: Line = on!(&mut self.connection, inner => diesel::sql_query(text).get_result(inner))?;
        Ok(row.id)
    }

    /// The first values of a column, at most `limit`.
    pub fn values(&mut self, table: &ForeignTable, column: &str, limit: i64) -> Result<Vec<String>> {
        let text = format!(
            "SELECT DISTINCT CAST(COALESCE(`{column}`, '') AS CHAR) AS value FROM `{}` ORDER BY value LIMIT {limit}",
            table.name
        );
        let rows: Vec<Value> = on!(&mut self.connection, inner => diesel::sql_query(text).load(inner))?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// The rows with keys above this one, in the order of keys, at most `limit`; only those with this value in a column when
    /// one is given.
    pub fn slice(
        &mut self,
        table: &ForeignTable,
        after: i64,
        only: Option<(&str, &str)>,
        limit: i64,
    ) -> Result<Vec<ForeignRow>> {
        let (column, value) = only.unwrap_or(("", ""));
        let filter = match only {
            Some(_) => format!("AND CAST(`{column}` AS CHAR) = ?"),
            None => "AND '' = ?".to_owned(),
        };
        let text = format!(
            "{} WHERE `{key}` > {after} {filter} ORDER BY `{key}` LIMIT {limit}",
            table.line(),
            key = table.key
        );
        let rows: Vec<Line> = on!(&mut self.connection, inner => diesel::sql_query(text)
            .bind::<Text, _>(value)
            .load(inner))?;
        let read = |row: Line| ForeignRow {
            id: row.id,
            fields: row.line.and_then(|line| serde_json::from_str(&line).ok()),
        };
        Ok(rows.into_iter().map(read).collect())
    }
}
