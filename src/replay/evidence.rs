//! What a run leaves for its judgement, and what a judgement finds. Owns the types only.

use std::collections::{HashMap, HashSet};

use super::client::fact::Fact;
use super::client::signal::Heard;
use super::client::view::Row;
use super::history::{Done, Id, Sending};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// P1 durable, P2 once, P3 ordered, P4 complete, P5 exact unread, P6 one owner, P7 isolated; `rows`, `receipts`
    /// and `typing` for what clients show beside the logs.
    pub promise: &'static str,
    /// What was found, and where.
    pub what: String,
}

/// A conversation as the server has it.
#[derive(Debug, Clone)]
pub struct ServerLog {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// All entries, in the order in which the server gave them.
    pub entries: Vec<Fact>,
}

/// What one device had at the end.
#[derive(Debug, Clone)]
pub struct DeviceView {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// Whose.
    pub member: Id,
    /// A visitor's.
    pub customer: bool,
    /// Its member turned out to be a known customer: there is nothing to compare its logs and rows with.
    pub retired: bool,
    /// Its logs, each dense from 1.
    pub logs: HashMap<Id, Vec<Fact>>,
    /// Unread as the device showed it, by conversation.
    pub unread: HashMap<Id, i64>,
    /// Its inbox rows.
    pub rows: HashMap<Id, Row>,
    /// Typing and receipts as it heard them, in order.
    pub heard: Vec<Heard>,
    /// Until when it listened, in milliseconds since it began.
    pub until: u64,
    /// What contradicted itself on the way.
    pub contradictions: Vec<String>,
    /// Every id that it ever saw.
    pub ids: HashSet<Id>,
    /// The member's inbox, read over REST at the end.
    pub inbox: HashMap<Id, Row>,
}

/// All that is known at the end.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Every message that was sent or tried.
    pub sendings: Vec<Sending>,
    /// Everything else that was acknowledged.
    pub done: Vec<Done>,
    /// The server's logs by conversation.
    pub logs: HashMap<Id, ServerLog>,
    /// The conversation that each backstage log stands behind.
    pub backstages: HashMap<Id, Id>,
    /// The devices.
    pub devices: Vec<DeviceView>,
    /// The tenant that each id belongs to (tenants, members, conversations).
    pub owners: HashMap<Id, usize>,
}

/// Notes a broken promise.
pub(super) fn broken(found: &mut Vec<Violation>, promise: &'static str, what: String) {
    found.push(Violation { promise, what });
}
