//! The state of the scripted server: logs, inbox rows, cursors, tokens, and the record of all that the client did on
//! the wire and reported. Does no I/O and knows no scenario.
//!
//! Cursors say where they come from (`live-7`, `durable-8`, `ready-8`…), so that a later `hello` tells which one the
//! client stored.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::plan::{Broken, Out, Plan, Sent, Socket};
use crate::gateway::protocol::table;
use crate::kernel::clock::{Clock, Millis};

/// The member that the client under test is.
pub const MEMBER: &str = "3765201203527680100";
/// The visitor that it talks with.
pub const VISITOR: &str = "3765201203527680200";
/// The first conversation.
pub const FIRST: &str = "3765201203527680001";
/// The second conversation.
pub const SECOND: &str = "3765201203527680002";
/// A conversation that is not there in the beginning.
pub const LATER: &str = "3765201203527680003";

/// A log.
#[derive(Debug, Default)]
pub struct Log {
    /// Entries 1, 2, 3…
    pub entries: Vec<Value>,
    /// The member's read position.
    pub read_seq: i64,
    /// Its version.
    pub read_ver: i64,
    /// The rev of the last change of the member's row.
    pub rev: i64,
    /// The member is no participant: it has no row.
    pub foreign: bool,
}

/// The state of the scripted server.
#[derive(Debug)]
pub struct ServerState {
    clock: Clock,
    /// By conversation.
    pub logs: BTreeMap<String, Log>,
    /// The tenant's head.
    pub rev: i64,
    /// Sockets in the order of their opening.
    pub sockets: Vec<Socket>,
    /// When the client tried to open a socket, and refreshed its token: the token that it gave.
    pub upgrades: Vec<Instant>,
    /// Refresh tokens as they were given, and when.
    pub refreshes: Vec<(Instant, String)>,
    /// Messages as they came.
    pub sent: Vec<Sent>,
    /// What the client reported.
    pub reports: Vec<(Instant, Value)>,
    /// Where the client's display of each conversation ends.
    pub displayed: BTreeMap<String, i64>,
    /// Rules that were seen broken.
    pub broken: Vec<Broken>,
    /// What happens next.
    pub plan: Plan,
    /// The number of the access token that is good, and of the refresh token.
    pub token: u32,
    /// The access token that is good expires here.
    pub expires: Millis,
}

impl ServerState {
    /// Two conversations, each with an opening and a message.
    pub fn new() -> Self {
        let mut state = Self {
            clock: Clock::default(),
            logs: BTreeMap::new(),
            rev: 0,
            sockets: Vec::new(),
            upgrades: Vec::new(),
            refreshes: Vec::new(),
            sent: Vec::new(),
            reports: Vec::new(),
            displayed: BTreeMap::new(),
            broken: Vec::new(),
            plan: Plan::default(),
            token: 1,
            expires: Millis::default(),
        };
        state.expires = state.clock.now().plus(3_600_000);
        for conversation in [FIRST, SECOND] {
            state.append(conversation, None, None, "opened", json!({}), None);
            state.say(conversation, "a word from before");
        }
        state
    }

    /// Now, by the server's clock.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Appends an entry and returns its seq.
    pub fn append(
        &mut self,
        conversation: &str,
        sender: Option<&str>,
        key: Option<&str>,
        kind: &str,
        content: Value,
        ref_seq: Option<i64>,
    ) -> i64 {
        self.rev += 1;
        let (rev, now) = (self.rev, self.now());
        let log = self.logs.entry(conversation.to_owned()).or_default();
        let seq = log.entries.len() as i64 + 1;
        let message = sender.is_some() && ref_seq.is_none();
        let before = log.entries.last().and_then(|entry| entry["msg_count"].as_i64()).unwrap_or_default();
        let mut entry = json!({
            "conversation_id": conversation, "seq": seq, "rev": rev, "kind": kind, "content": content,
            "message_type": if message { "message" } else { "notice" },
            "sender": sender.map(card), "msg_count": before + i64::from(message), "created_at": now,
        });
        if let Some(key) = key {
            entry["client_msg_id"] = key.into();
        }
        if let Some(ref_seq) = ref_seq {
            entry["ref_seq"] = ref_seq.into();
        }
        log.entries.push(entry);
        log.rev = rev;
        seq
    }

    /// The visitor says something; returns its seq.
    pub fn say(&mut self, conversation: &str, text: &str) -> i64 {
        self.append(conversation, Some(VISITOR), None, "text", json!({ "text": text }), None)
    }

    /// A message is changed, and a notice says so; returns the notice's seq.
    pub fn change(&mut self, conversation: &str, seq: i64, text: Option<&str>) -> i64 {
        let now = self.now();
        if let Some(entry) = self.entry_mut(conversation, seq) {
            entry["content"] = text.map_or(json!({}), |text| json!({ "text": text }));
            entry[if text.is_some() { "edited_at" } else { "recalled_at" }] = json!(now);
        }
        let kind = if text.is_some() { "edited" } else { "recalled" };
        self.append(conversation, Some(VISITOR), None, kind, json!({}), Some(seq))
    }

    /// Everything that a log says is erased, and a notice says so; returns the notice's seq.
    pub fn erase(&mut self, conversation: &str) -> i64 {
        let (now, head) = (self.now(), self.head(conversation));
        for seq in 1..=head {
            if let Some(entry) = self.entry_mut(conversation, seq) {
                entry["content"] = json!({});
                entry["erased_at"] = json!(now);
                if let Some(fields) = entry.as_object_mut() {
                    fields.remove("client_msg_id");
                }
                if entry["sender"]["role"] == "customer" {
                    entry["sender"]["nickname"] = "".into();
                    entry["sender"]["avatar"] = "".into();
                }
            }
        }
        self.append(conversation, None, None, "erased", json!({ "through_seq": head }), None)
    }

    fn entry_mut(&mut self, conversation: &str, seq: i64) -> Option<&mut Value> {
        self.logs.get_mut(conversation)?.entries.get_mut(usize::try_from(seq - 1).ok()?)
    }

    /// An entry.
    pub fn entry(&self, conversation: &str, seq: i64) -> Value {
        let index = usize::try_from(seq - 1).unwrap_or(usize::MAX);
        self.logs.get(conversation).and_then(|log| log.entries.get(index)).cloned().unwrap_or_default()
    }

    /// The last seq of a log.
    pub fn head(&self, conversation: &str) -> i64 {
        self.logs.get(conversation).map_or(0, |log| log.entries.len() as i64)
    }

    /// Entries after a position.
    pub fn after(&self, conversation: &str, seq: i64, limit: usize) -> Vec<Value> {
        let log = self.logs.get(conversation).map(|log| log.entries.as_slice()).unwrap_or_default();
        log.iter().skip(usize::try_from(seq).unwrap_or_default()).take(limit).cloned().collect()
    }

    /// The `entry` frame of an entry, with the cursor that belongs to it.
    pub fn entry_frame(&self, conversation: &str, seq: i64) -> Value {
        let entry = self.entry(conversation, seq);
        let cursor = self.cursor(entry["rev"].as_i64().unwrap_or_default());
        json!({ "type": table::ENTRY.name, "cursor": cursor, "data": entry })
    }

    /// A cursor of a durable frame.
    pub fn cursor(&self, rev: i64) -> String {
        format!("{}-{rev}", if self.plan.lagging { "lagging" } else { "durable" })
    }

    /// The member's inbox row.
    pub fn row(&self, conversation: &str) -> Value {
        let Some(log) = self.logs.get(conversation) else { return Value::Null };
        let last = log.entries.last().cloned().unwrap_or_default();
        let head = self.head(conversation);
        let unread = log.entries.iter().filter(|entry| {
            entry["message_type"] == "message"
                && entry["recalled_at"].is_null()
                && entry["sender"]["id"] != MEMBER
                && entry["seq"].as_i64() > Some(log.read_seq)
        });
        let customer = json!({ "id": VISITOR, "nickname": "Mei", "avatar": "" });
        let agent = json!({ "id": MEMBER, "nickname": "Li", "avatar": "" });
        json!({
            "conversation_id": conversation, "seq": head, "msg_count": last["msg_count"], "last_entry": last,
            "read_seq": log.read_seq, "read_ver": log.read_ver, "unread": unread.count(), "active": true,
            "rev": log.rev,
            "peers": {
                "customer_read_seq": head, "staff_read_seq": log.read_seq, "customer_delivered_seq": head,
                "staff_delivered_seq": log.read_seq,
            },
            "conversation": {
                "id": conversation, "kind": "support", "parent_id": null, "backstage_id": null,
                "customer": customer, "customer_deleted": false, "agent": agent, "bot": null, "status": "pending",
                "priority": "normal", "subject": "", "tags": [], "attributes": {}, "seq": head, "msg_count": last["msg_count"],
                "version": 1, "created_at": last["created_at"], "updated_at": last["created_at"],
                "last_at": last["created_at"], "assigned_at": last["created_at"], "closed_at": null,
                "close_reason": null, "merged_into_id": null, "waiting_since": null,
            },
        })
    }

    /// Rows that changed after a rev, in order of rev.
    pub fn rows_after(&self, rev: i64) -> Vec<Value> {
        let mut changed: Vec<_> = self.logs.iter().filter(|(_, log)| log.rev > rev && !log.foreign).collect();
        changed.sort_by_key(|(_, log)| log.rev);
        changed.into_iter().map(|(conversation, _)| self.row(conversation)).collect()
    }

    /// The read position of the member in a conversation has this version.
    pub fn set_read_ver(&mut self, conversation: &str, version: i64) {
        if let Some(log) = self.logs.get_mut(conversation) {
            log.read_ver = version;
        }
    }

    /// The access token that is good.
    pub fn access_token(&self) -> String {
        format!("access-{}", self.token)
    }

    /// The refresh token that is good.
    pub fn refresh_token(&self) -> String {
        format!("refresh-{}", self.token)
    }

    /// New tokens take the place of the old ones.
    pub fn renew(&mut self) {
        self.token += 1;
        self.expires = self.now().plus(self.plan.token_ms);
    }

    /// A rule was seen broken; the first few are kept.
    pub fn broke(&mut self, rule: &'static str, why: impl Into<String>) {
        if self.broken.len() < 50 {
            self.broken.push(Broken::new(rule, why));
        }
    }

    /// Sends a frame to every socket that is live.
    pub fn push(&self, frame: &Value) {
        self.sockets
            .iter()
            .filter(|socket| socket.live.is_some() && socket.ended.is_none())
            .for_each(|socket| drop(socket.out.try_send(Out::Frame(frame.to_string()))));
    }

    /// Does this to every socket that is open. Of one that is cut nothing is taken any more.
    pub fn end(&mut self, out: &Out) {
        for socket in self.sockets.iter_mut().filter(|socket| socket.ended.is_none()) {
            socket.dead |= matches!(out, Out::Cut);
            let _ = socket.out.try_send(out.clone());
        }
    }
}

/// Who wrote an entry.
fn card(member: &str) -> Value {
    let (role, name) = if member == MEMBER { ("agent", "Li") } else { ("customer", "Mei") };
    json!({ "id": member, "role": role, "nickname": name, "avatar": "" })
}
