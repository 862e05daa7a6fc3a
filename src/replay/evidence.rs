//! What a run leaves for its judgement, and what a judgement finds. Owns the types only.

use std::collections::{HashMap, HashSet};

use super::client::fact::Fact;
use super::client::signal::{Heard, Presence};
use super::client::view::Row;
use super::history::{Asked, Done, Id, Sending};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// P1 durable, P2 once, P3 ordered, P4 complete, P5 exact unread, P6 one owner, P7 isolated; `rows`, `receipts`
    /// and `typing` for what clients show beside the logs; `timers` for reminders and automatic ends; `search` for what is
    /// found; `ratings`; `files`.
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

/// After how many seconds of silence something happens by itself in a tenant; none: never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timers {
    /// The customer is reminded.
    pub customer: Option<i64>,
    /// The agent is reminded.
    pub agent: Option<i64>,
    /// What the customer left is closed.
    pub close: Option<i64>,
}

/// What is known of a tenant that routes.
#[derive(Debug, Clone, Default)]
pub struct DeskEvidence {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// Agents have so many seconds to accept an offer; none: they are not asked.
    pub offer_seconds: Option<i64>,
    /// Whether a transfer may take an agent above what it accepts.
    pub transfer_above: bool,
    /// Its timers.
    pub timers: Timers,
    /// The agents.
    pub agents: HashMap<Id, AgentEvidence>,
    /// The support conversations.
    pub conversations: HashMap<Id, ConversationEvidence>,
    /// What agents heard of each other's numbers.
    pub told: Vec<Presence>,
}

/// An agent, as the plan has it and as the server tells it.
#[derive(Debug, Clone, Default)]
pub struct AgentEvidence {
    /// How many conversations it accepts.
    pub max_accept: i64,
    /// Its groups; in none, it sees all.
    pub groups: Vec<Id>,
    /// What it can, with its level.
    pub skills: &'static [(&'static str, u8)],
    /// How many conversations it serves, as the server counts.
    pub current_accept: i64,
    /// When it became online for others (true) or something else, unix milliseconds, the oldest first.
    pub online: Vec<(i64, bool)>,
}

/// A support conversation as the server tells it.
#[derive(Debug, Clone, Default)]
pub struct ConversationEvidence {
    /// What the visitor asked for.
    pub asked: Asked,
    /// Where it stands.
    pub status: String,
    /// Who serves it, or did last.
    pub agent: Option<Id>,
    /// Whether a whole group serves it.
    pub docked: bool,
    /// The group whose matter it is.
    pub group: Option<Id>,
    /// The log behind it.
    pub backstage: Option<Id>,
    /// The conversation in which its customer goes on.
    pub merged_into: Option<Id>,
    /// Its assignments, the oldest first.
    pub assignments: Vec<AssignmentEvidence>,
    /// Its transfers, the oldest first: who had it until then, and who got it.
    pub transfers: Vec<(Option<Id>, Receiver)>,
}

/// To whom a conversation was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// An agent.
    Agent(Id),
    /// A group, in whose queue it waited.
    Group(Id),
}

/// An assignment as the server tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssignmentEvidence {
    /// To whom.
    pub agent: Id,
    /// How it came about.
    pub reason: String,
    /// From which agent; none when it had waited or a group served it.
    pub from: Option<Id>,
    /// How it ended.
    pub ended: Option<String>,
    /// Whether it holds.
    pub holds: bool,
    /// When it began and ended, as the server writes it.
    pub times: (String, String),
}

impl DeskEvidence {
    /// Conversations with the agents who served them at any time.
    pub fn served(&self) -> impl Iterator<Item = (Id, Id)> + '_ {
        let of = |(id, conversation): (&Id, &ConversationEvidence)| {
            let id = *id;
            conversation.assignments.iter().map(move |one| (id, one.agent)).collect::<Vec<_>>()
        };
        self.conversations.iter().flat_map(of)
    }
}

/// A search at the end, for words of a message that its member could read.
#[derive(Debug, Clone)]
pub struct Searched {
    /// Who searched.
    pub member: Id,
    /// Where the message stands.
    pub wanted: (Id, i64),
    /// What was looked for.
    pub words: String,
    /// What was found in that conversation, in the order in which the server gave it.
    pub hits: Vec<(Id, Fact)>,
}

/// A rating as the server tells it.
#[derive(Debug, Clone)]
pub struct Rating {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// The rating.
    pub id: Id,
    /// What is rated.
    pub conversation: Id,
    /// The entry with which it ended.
    pub close_seq: i64,
    /// To whom it belongs.
    pub agent: Option<Id>,
    /// What was said.
    pub score: i64,
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
    /// Searches.
    pub searches: Vec<Searched>,
    /// Ratings, as administrators see them.
    pub ratings: Vec<Rating>,
    /// What administrators read of files, by attachment; none of one that is gone.
    pub files: HashMap<Id, Option<u64>>,
    /// Rooms of the staff.
    pub rooms: HashSet<Id>,
    /// Conversations with the agents who served them at any time, of tenants that route.
    pub served: HashSet<(Id, Id)>,
    /// The tenants that route.
    pub desks: Vec<DeskEvidence>,
    /// The longest that any message of a visitor took until it was acknowledged, in milliseconds: how slow everything was.
    pub slowest_ms: i64,
    /// The tenant that each id belongs to (tenants, members, conversations).
    pub owners: HashMap<Id, usize>,
}

/// Notes a broken promise.
pub(super) fn broken(found: &mut Vec<Violation>, promise: &'static str, what: String) {
    found.push(Violation { promise, what });
}
