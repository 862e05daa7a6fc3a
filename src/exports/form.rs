//! How a column of a row becomes a field of a line: as the REST interface would say it. Ids are texts, times are RFC 3339, and
//! JSON that is stored as text is JSON.

use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text};
use serde_json::{Value, json};

use crate::kernel::Millis;

/// Texts that hold JSON, by column or by table and column.
const JSON: &[&str] = &[
    "choices",
    "conditions",
    "content",
    "counts",
    "data",
    "decisions",
    "digest",
    "exceptions",
    "facts_after",
    "facts_before",
    "fallback_on",
    "filter",
    "group_ids",
    "message_fallback.body",
    "message_send.body",
    "networks",
    "operations",
    "payload",
    "preferred_skills",
    "priorities",
    "receipt",
    "recipients",
    "required_skills",
    "schedule",
    "settings",
    "skills",
    "tags",
    "translations",
    "triggers",
    "variables",
    "weekly",
];

/// A type of a column.
pub trait Form {
    /// As it is read.
    type Raw;

    /// As it is written, by the names of table and column.
    fn json(raw: Self::Raw, name: &str) -> Value;
}

impl Form for BigInt {
    type Raw = i64;

    fn json(raw: i64, name: &str) -> Value {
        let column = column_of(name);
        if is_id(column) {
            json!(raw.to_string())
        } else if is_time(column) {
            json!(Millis(raw))
        } else {
            json!(raw)
        }
    }
}

/// What stands behind the point.
fn column_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, column)| column)
}

fn is_id(column: &str) -> bool {
    column == "id"
        || column.ends_with("_id")
        || column.ends_with("_by")
        || matches!(column, "merged_into" | "fallback_of")
}

fn is_time(column: &str) -> bool {
    column.ends_with("_at")
        || column.ends_with("_since")
        || matches!(column, "at" | "since" | "last_seen" | "until" | "paused_until")
}

impl Form for Text {
    type Raw = String;

    fn json(raw: String, name: &str) -> Value {
        match JSON.contains(&column_of(name)) || JSON.contains(&name) {
            true => serde_json::from_str(&raw).unwrap_or(Value::String(raw)),
            false => Value::String(raw),
        }
    }
}

impl Form for Bool {
    type Raw = bool;

    fn json(raw: bool, _: &str) -> Value {
        json!(raw)
    }
}

impl Form for Integer {
    type Raw = i32;

    fn json(raw: i32, _: &str) -> Value {
        json!(raw)
    }
}

impl Form for SmallInt {
    type Raw = i16;

    fn json(raw: i16, _: &str) -> Value {
        json!(raw)
    }
}

impl<T: Form + diesel::sql_types::SqlType<IsNull = diesel::sql_types::is_nullable::NotNull>> Form
    for Nullable<T>
{
    type Raw = Option<T::Raw>;

    fn json(raw: Self::Raw, name: &str) -> Value {
        raw.map_or(Value::Null, |raw| T::json(raw, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_said_as_the_interface_says_them() {
        assert_eq!(BigInt::json(7, "rule.created_by"), json!("7"));
        assert_eq!(BigInt::json(7, "merged_into"), json!("7"));
        assert_eq!(BigInt::json(0, "closed_at"), json!("1970-01-01T00:00:00.000Z"));
        assert_eq!(BigInt::json(7, "quiet_until"), json!(7));
        assert_eq!(Text::json("[\"vip\"]".to_owned(), "tags"), json!(["vip"]));
        assert_eq!(Text::json("[\"red\"]".to_owned(), "choices"), json!(["red"]));
        assert_eq!(Text::json("{}".to_owned(), "message_send.body"), json!({}));
        assert_eq!(Text::json("{}".to_owned(), "notification.body"), json!("{}"));
        assert_eq!(Text::json("broken".to_owned(), "tags"), json!("broken"));
        assert_eq!(Text::json("[]".to_owned(), "subject"), json!("[]"));
        assert_eq!(<Nullable<BigInt> as Form>::json(None, "id"), Value::Null);
    }
}
