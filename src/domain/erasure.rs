//! Erasure: the record of it, and what is left of an entry whose words are taken away. No I/O.
//!
//! Invariants: an erased entry keeps its place, its kind, its counts and who wrote it by id; of a notice only what
//! describes the person goes, so that whoever follows the log can still read it.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::entry::{EntryKind, EntryRow};
use super::member::Role;
use crate::db::schema::erasure;
use crate::db::types::json_text;
use crate::kernel::{ErasureId, MemberId, TenantId};
use crate::text_enum;

text_enum! {
    /// How far an erasure has come.
    ErasureState {
        /// It is under way.
        Running = "running",
        /// Nothing of the person is left, but what the receipt counts.
        Done = "done",
    }
}

/// A row of `erasure`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = erasure, treat_none_as_default_value = false)]
pub struct ErasureRow {
    /// The erasure.
    pub id: ErasureId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Whose data.
    pub member_id: MemberId,
    /// How far it has come.
    pub state: ErasureState,
    /// Who asked for it; `None`: the operator, by a restore.
    pub requested_by: Option<MemberId>,
    /// When it was asked for, unix milliseconds.
    pub requested_at: i64,
    /// When it was done, unix milliseconds.
    pub finished_at: Option<i64>,
    /// A JSON object: how many rows of each table were erased.
    pub receipt: String,
}

/// The key of an imported message after its erasure: it still says that the message was imported.
fn imported_key(seq: i64) -> String {
    format!("import:erased:{seq}")
}

impl EntryRow {
    /// Whether there is something to take: it was not erased, and is not the notice of an erasure.
    pub fn is_erasable(&self) -> bool {
        self.erased_at.is_none() && self.kind != EntryKind::Erased
    }

    /// Takes away what the entry says: the content of a message, its sender's key and its fingerprint, and of whoever was a
    /// customer the name and the avatar.
    pub fn erase(&mut self, now: i64) {
        let is_imported = self.is_imported();
        if self.kind.is_message() {
            self.content = "{}".to_owned();
            self.client_msg_id = is_imported.then(|| imported_key(self.seq));
            self.body_hash = None;
        } else {
            self.content = erased_notice(self.kind, &self.content);
        }
        if self.sender_role == Some(Role::Customer) || is_imported {
            self.sender_name = String::new();
            self.sender_avatar = String::new();
        }
        self.erased_at = Some(now);
    }
}

/// What is left of a notice's content.
fn erased_notice(kind: EntryKind, content: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(content) else { return "{}".to_owned() };
    match kind {
        EntryKind::Rated => drop(remove(&mut value, "comment")),
        EntryKind::Remark => replace(&mut value, "note", json!("")),
        EntryKind::Imported => replace(&mut value, "text", json!("")),
        EntryKind::TagsChanged => replace(&mut value, "tags", json!([])),
        EntryKind::AttributesChanged => replace(&mut value, "changes", json!([])),
        EntryKind::CustomerChanged => forget_customer(value.get_mut("customer")),
        _ => forget_customer(Some(&mut value)),
    }
    json_text(&value)
}

/// Takes the name and the avatar of a customer out of what a notice says of a member.
fn forget_customer(about: Option<&mut Value>) {
    let Some(about) = about.filter(|about| about["role"] == Role::Customer.as_str()) else { return };
    for name in ["nickname", "avatar"] {
        remove(about, name);
    }
}

fn remove(value: &mut Value, name: &str) -> Option<Value> {
    value.as_object_mut()?.remove(name)
}

fn replace(value: &mut Value, name: &str, by: Value) {
    if let Some(field) = value.get_mut(name) {
        *field = by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_notices_only_what_describes_the_person_goes() {
        for (kind, content, left) in [
            (EntryKind::Remark, r#"{"about":"closed","note":"secret"}"#, r#"{"about":"closed","note":""}"#),
            (EntryKind::Imported, r#"{"text":"secret"}"#, r#"{"text":""}"#),
            (EntryKind::TagsChanged, r#"{"tags":["secret"]}"#, r#"{"tags":[]}"#),
            (EntryKind::AttributesChanged, r#"{"changes":[{"to":"secret"}]}"#, r#"{"changes":[]}"#),
            (EntryKind::Closed, r#"{"reason":"resolved"}"#, r#"{"reason":"resolved"}"#),
            (
                EntryKind::Joined,
                r#"{"member_id":"1","role":"customer","nickname":"secret","avatar":""}"#,
                r#"{"member_id":"1","role":"customer"}"#,
            ),
            (
                EntryKind::Assigned,
                r#"{"member_id":"1","nickname":"Li","role":"agent"}"#,
                r#"{"member_id":"1","nickname":"Li","role":"agent"}"#,
            ),
            (
                EntryKind::CustomerChanged,
                r#"{"customer":{"member_id":"1","role":"customer","nickname":"secret"}}"#,
                r#"{"customer":{"member_id":"1","role":"customer"}}"#,
            ),
            (EntryKind::Opened, "broken", "{}"),
        ] {
            let same = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            assert_eq!(same(&erased_notice(kind, content)), same(left), "{kind}");
        }
        let rated = erased_notice(
            EntryKind::Rated,
            r#"{"close_seq":3,"score":1,"comment":"secret","changed":false}"#,
        );
        assert!(!rated.contains("secret") && rated.contains("close_seq"), "{rated}");
    }
}
