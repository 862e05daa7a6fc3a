//! What an export holds of each table: the one list, shown on the portal's page. A test holds it against the schema, so that a
//! new table or column has to say whether it is in an export.
//!
//! Invariant: what is secret, and every hash of what is secret, is no column of an export and is not read.

mod centre;
mod desk;

pub use centre::CENTRE;
pub use desk::DESK;

use super::scope::Parent;
use crate::db::AnyConnection;
use crate::kernel::Result;

/// The table of entries, which are read by revs and by conversations (`entries`).
pub const ENTRIES: &str = "group_message";

/// How far the reading of a table is: the last key that was read.
pub type Key = (i64, i64);

/// A row as it is written.
#[derive(Debug)]
pub struct Line {
    /// Its key.
    pub key: Key,
    /// A JSON object, `type` first.
    pub text: String,
}

/// Reads rows of a table that a condition (of numbers only) chooses, in the order of the key.
pub type Read = fn(&mut AnyConnection, &str, i64) -> Result<Vec<Line>>;

/// A table of which rows are exported.
#[derive(Debug, Clone, Copy)]
pub struct Exported {
    /// The table.
    pub table: &'static str,
    /// The `type` of its lines.
    pub kind: &'static str,
    /// The columns by which it is read; for one alone, twice the same. Few rows have the same key.
    pub key: (&'static str, &'static str),
    /// On what its rows hang, by the first column of the key.
    pub parent: Option<Parent>,
    /// Of a table that hangs on nothing: which rows are a person's. `None`: none is.
    pub person: Option<&'static str>,
    /// The columns that are exported.
    pub columns: &'static [&'static str],
    /// Those that are not.
    pub left_out: &'static [&'static str],
    /// What reads it.
    pub read: Read,
}

impl Exported {
    /// Whether rows of it can be in a person's export.
    pub fn is_of_persons(&self) -> bool {
        self.person.is_some()
            || self.parent.is_some_and(|parent| !matches!(parent, Parent::Group | Parent::Template))
    }

    /// The column that says whose a row is.
    pub fn tenant_column(&self) -> &'static str {
        if self.table == "tenant" { "id" } else { "tenant_id" }
    }
}

macro_rules! exported {
    (@one) => { None };
    (@one $value:expr) => { Some($value) };
    ($list:ident: $($table:ident $kind:literal by($a:ident $b:ident) $(of $parent:ident)? $(person($person:expr))?
        { $($column:ident)+ } without { $($left:ident)+ })+) => {
        /// Tables in the order in which they are written.
        pub const $list: &[Exported] = &[$(
            Exported {
                table: stringify!($table),
                kind: $kind,
                key: (stringify!($a), stringify!($b)),
                parent: exported!(@one $(Parent::$parent)?),
                person: exported!(@one $($person)?),
                columns: &[$(stringify!($column)),+],
                left_out: &[$(stringify!($left)),+],
                read: |connection, condition, limit| {
                    use crate::db::schema::$table;
                    type Of<Column> = <<Column as diesel::Expression>::SqlType as Form>::Raw;
                    let rows: Vec<((i64, i64), ($(Of<$table::$column>,)+))> = $table::table
                        .filter(sql::<Bool>(condition))
                        .order(($table::$a.asc(), $table::$b.asc()))
                        .limit(limit)
                        .select((($table::$a, $table::$b), ($($table::$column,)+)))
                        .load(connection)?;
                    let line = |(key, ($($column,)+)): ((i64, i64), ($(Of<$table::$column>,)+))| {
                        let mut text = concat!("{\"type\":\"", $kind, "\"").to_owned();
                        $(
                            let value = <<$table::$column as diesel::Expression>::SqlType as Form>::json(
                                $column,
                                concat!(stringify!($table), ".", stringify!($column)),
                            );
                            text.push_str(concat!(",\"", stringify!($column), "\":"));
                            text.push_str(&value.to_string());
                        )+
                        text.push('}');
                        Line { key, text }
                    };
                    Ok(rows.into_iter().map(line).collect())
                },
            },
        )+];
    };
}
pub(crate) use exported;

/// Tables of which nothing is in an export, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("agent_connection", "How processes know who is connected."),
    ("channel_callback", "Fingerprints of a provider's calls."),
    ("channel_token", "Secret."),
    ("conversation_reminder", "How far reminders have counted."),
    ("follower", "How far the service's own work is."),
    ("group_follow", "What the service has yet to do after a change of a group."),
    ("idempotency_key", "Fingerprints of requests."),
    ("identity_use", "Fingerprints of tokens."),
    ("import_row", "By which keys an import finds again what it brought."),
    ("instance", "Belongs to no tenant."),
    ("lane_batch", "Belongs to no tenant."),
    ("message_dedupe", "Fingerprints that end by their time."),
    ("message_test_send", "Counts test sends."),
    ("message_throttle", "Counters that end by their time."),
    ("node", "Belongs to no tenant."),
    ("report_bucket", "Counted from the log: read `/reports`."),
    ("report_stretch", "Counted from the log."),
    ("search_posting", "Made of the messages."),
    ("search_term", "Made of the accounts and subjects."),
    ("sla_refresh", "How far the service's own work is."),
    ("sla_stretch", "Counted from the log."),
    ("store_probe", "Belongs to no tenant."),
    ("tenant_log", "The head of the log: `rev` of the first line."),
    ("tenant_usage", "Counted from the files."),
];

/// Every table of which rows are exported, but the logs (`entries`).
pub fn all() -> impl Iterator<Item = &'static Exported> {
    DESK.iter().chain(CENTRE)
}
