//! An inbox row as a client keeps it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fact::id;
use crate::replay::history::Id;

/// One inbox row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The tenant's rev of the last change that the row shows.
    pub rev: i64,
    /// The head of the log when the row was made.
    pub seq: i64,
    /// The own read position.
    pub read_seq: i64,
    /// Its version.
    pub read_ver: i64,
    /// Unread messages when the row was made.
    pub unread: i64,
    /// In it, and it is not closed.
    pub active: bool,
    /// In it no more: the local copy is to be dropped.
    pub gone: bool,
    /// What the row shows of the conversation and messages do not change, by field.
    pub shown: BTreeMap<&'static str, String>,
    /// The backstage log and its head.
    pub notes: Option<(Id, i64)>,
    /// How far both sides are, in the order of [`POSITIONS`].
    pub peers: [i64; 4],
}

/// The positions of both sides, as rows and receipts name them.
pub const POSITIONS: [&str; 4] =
    ["customer_read_seq", "staff_read_seq", "customer_delivered_seq", "staff_delivered_seq"];

/// Fields of the conversation that only other changes than messages move.
const SHOWN: [&str; 7] = ["status", "agent", "customer", "subject", "priority", "tags", "close_reason"];

impl Row {
    /// Reads an inbox row; none when a field that every row has is missing. Returns the conversation beside it.
    pub fn parse(row: &Value) -> Option<(Id, Self)> {
        let view = row.get("conversation")?;
        let peers = row.get("peers")?;
        let notes = row.get("notes").filter(|notes| !notes.is_null());
        let parsed = Self {
            rev: row.get("rev")?.as_i64()?,
            seq: row.get("seq")?.as_i64()?,
            read_seq: row.get("read_seq")?.as_i64()?,
            read_ver: row.get("read_ver")?.as_i64()?,
            unread: row.get("unread")?.as_i64()?,
            active: row.get("active")?.as_bool()?,
            gone: view.is_null(),
            shown: SHOWN.iter().filter_map(|name| Some((*name, shown(view.get(name)?)))).collect(),
            notes: match notes {
                Some(notes) => Some((id(notes.get("conversation_id")?)?, notes.get("seq")?.as_i64()?)),
                None => None,
            },
            peers: {
                let mut positions = [0; 4];
                for (position, name) in positions.iter_mut().zip(POSITIONS) {
                    *position = peers.get(name)?.as_i64()?;
                }
                positions
            },
        };
        Some((id(row.get("conversation_id")?)?, parsed))
    }

    /// Whether it is of a room of the staff: only a conversation with a customer has a status.
    pub fn is_room(&self) -> bool {
        self.shown.get("status").is_some_and(|status| status == "null")
    }

    /// What this row and another one of the same conversation show differently.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |name: &str, own: String, other: String| {
            if own != other {
                found.push(format!("{name} {own} instead of {other}"));
            }
        };
        compare("active", self.active.to_string(), other.active.to_string());
        compare("read_seq", self.read_seq.to_string(), other.read_seq.to_string());
        compare("read_ver", self.read_ver.to_string(), other.read_ver.to_string());
        for name in SHOWN {
            let text = |row: &Self| row.shown.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
            compare(name, text(self), text(other));
        }
        found
    }
}

/// Members by their id: their names may change without a new row.
fn shown(value: &Value) -> String {
    value.get("id").unwrap_or(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_compared_by_what_they_show() {
        let mut row = json!({
            "conversation_id": "3765201203527680001", "rev": 7, "seq": 3, "read_seq": 1, "read_ver": 0, "unread": 1,
            "active": true, "notes": {"conversation_id": "3765201203527680009", "seq": 2, "unread": 0},
            "peers": {"customer_read_seq": 1, "staff_read_seq": 2, "customer_delivered_seq": 3, "staff_delivered_seq": 3},
            "conversation": {"status": "open", "agent": null, "tags": ["vip"]},
        });
        let first = Row::parse(&row).map(|(_, row)| row).unwrap_or_default();
        assert_eq!((first.notes, first.peers), (Some((3_765_201_203_527_680_009, 2)), [1, 2, 3, 3]));
        row["conversation"]["agent"] = json!({"id": "3765201203527680002", "nickname": "Li", "avatar": ""});
        let second = Row::parse(&row).map(|(_, row)| row).unwrap_or_default();
        assert_eq!(first.differences(&first), Vec::<String>::new());
        assert_eq!(first.differences(&second), ["agent null instead of \"3765201203527680002\""]);
        row["peers"] = json!({});
        assert!(Row::parse(&row).is_none());
    }
}
