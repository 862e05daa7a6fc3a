//! An entry as a client keeps it: what identifies it, and a digest of the whole object, so that two readers' copies
//! can be compared without keeping every word.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::replay::history::{Id, Key};

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The position in the log.
    pub seq: i64,
    /// The tenant's rev.
    pub rev: i64,
    /// Who wrote it; none for the system.
    pub sender: Option<Id>,
    /// The sender's key.
    pub key: Option<Key>,
    /// Whether it is a message and not a notice.
    pub message: bool,
    /// Whether its words were taken back.
    pub recalled: bool,
    /// What it is.
    pub kind: Box<str>,
    /// Whether what it said was erased; it has no key and no words then.
    pub erased: bool,
    /// Notice that entries were erased: up to which.
    pub erased_through: Option<i64>,
    /// Message: the entry that it answers. Notice: the entry that it is about.
    pub ref_seq: Option<i64>,
    /// Messages up to and including this one.
    pub msg_count: i64,
    /// Notice about a member: whom.
    pub about: Option<Id>,
    /// When it was written, unix milliseconds by the server's clock.
    pub at: i64,
    /// Whether a customer wrote it.
    pub by_customer: bool,
    /// Notice: why, in one word.
    pub reason: Option<Box<str>>,
    /// Remark: the kind of the notice that it explains.
    pub explains: Option<Box<str>>,
    /// Notice of another group: the group before and the group now.
    pub groups: Option<(Option<Id>, Option<Id>)>,
    /// The digest of the content.
    pub words: u64,
    /// The digest of the whole object.
    pub digest: u64,
    /// The digest of what no edit and no recall may change.
    pub fixed: u64,
    /// When it was last edited or recalled, in unix milliseconds; 0 when never.
    pub changed: i64,
}

/// What an edit or a recall changes in an entry.
const CHANGEABLE: [&str; 3] = ["content", "edited_at", "recalled_at"];

impl Fact {
    /// Reads an entry object; none when a field that every entry has is missing or of another type. Returns the
    /// conversation beside it.
    pub fn parse(entry: &Value) -> Option<(Id, Self)> {
        let conversation = id(entry.get("conversation_id")?)?;
        let sender = match entry.get("sender")? {
            Value::Null => None,
            sender => Some(id(sender.get("id")?)?),
        };
        let time = |name: &str| {
            let text = entry.get(name).and_then(Value::as_str)?;
            text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
        };
        let content = entry.get("content")?;
        let kind = entry.get("kind")?.as_str()?;
        // The words of a message are its sender's own: only what notices say is taken by its name.
        let notice = entry.get("message_type")?.as_str()? == "notice";
        let word = |name: &str| content.get(name).filter(|_| notice).and_then(Value::as_str).map(Into::into);
        let mut fact = Self {
            seq: entry.get("seq")?.as_i64()?,
            rev: entry.get("rev")?.as_i64()?,
            sender,
            key: entry.get("client_msg_id").and_then(Value::as_str).map(Into::into),
            message: !notice,
            recalled: entry.get("recalled_at").is_some_and(|at| !at.is_null()),
            erased: false,
            erased_through: content.get("through_seq").filter(|_| kind == "erased").and_then(Value::as_i64),
            kind: kind.into(),
            ref_seq: entry.get("ref_seq").and_then(Value::as_i64),
            msg_count: entry.get("msg_count")?.as_i64()?,
            about: content.get("member_id").and_then(id),
            at: time("created_at")?,
            by_customer: entry["sender"]["role"] == "customer",
            reason: word("reason"),
            explains: word("about"),
            groups: (kind == "group_changed").then(|| (group(content, "from"), group(content, "to"))),
            words: digest(content),
            digest: digest(entry),
            fixed: fixed(entry),
            changed: time("edited_at").into_iter().chain(time("recalled_at")).max().unwrap_or_default(),
        };
        if entry.get("erased_at").is_some_and(|at| !at.is_null()) {
            fact.erase();
        }
        Some((conversation, fact))
    }

    /// Forgets what was erased. An entry that was read before and one that was read after are alike then.
    pub fn erase(&mut self) {
        self.erased = true;
        self.key = None;
        (self.words, self.digest, self.fixed) = (0, 0, 0);
    }

    /// The entry that this notice says was edited or recalled.
    pub fn changed_entry(&self) -> Option<i64> {
        self.ref_seq.filter(|_| matches!(&*self.kind, "edited" | "recalled"))
    }

    /// What it is, for who reads a violation.
    pub fn brief(&self) -> String {
        let Self { seq, kind, rev, sender, changed, recalled, fixed, .. } = self;
        let sender = sender.unwrap_or_default();
        format!("{seq} {kind} of {sender} rev {rev}, changed {changed}, recalled {recalled}, fixed {fixed:x}")
    }
}

fn group(content: &Value, name: &str) -> Option<Id> {
    content.get(name).and_then(id)
}

fn fixed(entry: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut fields: Vec<_> = entry.as_object().into_iter().flatten().collect();
    fields.retain(|(name, _)| !CHANGEABLE.contains(&name.as_str()));
    fields.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in fields {
        name.hash(&mut hasher);
        feed(value, &mut hasher);
    }
    hasher.finish()
}

/// An id: a string of digits.
pub fn id(value: &Value) -> Option<Id> {
    value.as_str()?.parse().ok()
}

/// The digest of a JSON value; the order of fields does not matter.
pub fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(value, &mut hasher);
    hasher.finish()
}

fn feed(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0u8.hash(hasher),
        Value::Bool(value) => (1u8, value).hash(hasher),
        Value::Number(value) => (2u8, value.to_string()).hash(hasher),
        Value::String(value) => (3u8, value).hash(hasher),
        Value::Array(values) => {
            (4u8, values.len()).hash(hasher);
            values.iter().for_each(|value| feed(value, hasher));
        }
        Value::Object(fields) => {
            (5u8, fields.len()).hash(hasher);
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in names {
                name.hash(hasher);
                feed(value, hasher);
            }
        }
    }
}

/// Every id that stands in a piece of JSON text: whole strings of 15 to 19 digits. Used to find what should not be
/// there, in fields that the client does not know, too.
pub fn ids_in(text: &str) -> impl Iterator<Item = Id> {
    text.split('"')
        .filter(|part| (15..=19).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|part| part.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_read_and_a_broken_one_is_not() {
        let mut entry = json!({
            "conversation_id": "3765201203527680001", "seq": 2, "rev": 7, "message_type": "message",
            "kind": "text", "sender": {"id": "3765201203527680002", "role": "customer", "nickname": "", "avatar": ""},
            "client_msg_id": "a.1", "content": {"text": "hi"}, "msg_count": 1, "created_at": "2026-01-01T00:00:00Z"
        });
        let parsed = Fact::parse(&entry);
        assert!(parsed.is_some_and(|(conversation, fact)| {
            conversation == 3_765_201_203_527_680_001
                && fact.message
                && fact.words == digest(&json!({"text": "hi"}))
        }));
        let before = Fact::parse(&entry).map(|(_, fact)| fact);
        entry["content"] = json!({"text": "hi!"});
        entry["edited_at"] = json!("2026-01-01T00:00:01Z");
        let edited = Fact::parse(&entry).map(|(_, fact)| fact);
        assert!(before.zip(edited).is_some_and(|(before, edited)| {
            before.fixed == edited.fixed && before.digest != edited.digest && before.changed < edited.changed
        }));
        entry["seq"] = json!("2");
        assert!(Fact::parse(&entry).is_none());
    }

    #[test]
    fn digests_do_not_depend_on_the_order_of_fields() {
        let one: Option<Value> = serde_json::from_str(r#"{"a": 1, "b": [1, 2]}"#).ok();
        let two: Option<Value> = serde_json::from_str(r#"{"b": [1, 2], "a": 1}"#).ok();
        assert!(one.is_some());
        assert_eq!(one.as_ref().map(digest), two.as_ref().map(digest));
        assert_ne!(digest(&json!([1, 2])), digest(&json!([2, 1])));
    }

    #[test]
    fn ids_are_found_wherever_they_stand() {
        let text =
            r#"{"x":"3765201203527680001","y":["376520120352768000"],"z":3765201203527680003,"w":"12"}"#;
        assert_eq!(ids_in(text).collect::<Vec<_>>(), [3_765_201_203_527_680_001, 376_520_120_352_768_000]);
    }
}
