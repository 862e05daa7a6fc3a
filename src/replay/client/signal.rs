//! What is told once and kept nowhere: typing and receipts, in the order in which a device heard them, offers, and what
//! the staff are. Recorded for the judge; bounded.

use serde_json::Value;

use super::fact::id;
use super::row::POSITIONS;
use crate::replay::history::Id;

/// Something that was heard, or that ends what was heard before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The connection is live.
    Connected,
    /// The connection ended.
    Ended,
    /// The server said to drop one conversation, or everything: what was heard of it before counts no more.
    Dropped {
        /// Which.
        conversation: Option<Id>,
    },
    /// Somebody types, or stopped.
    Typing {
        /// Where.
        conversation: Id,
        /// Who.
        member: Id,
        /// Whether.
        on: bool,
        /// It ends by itself after so many milliseconds.
        ttl_ms: u64,
    },
    /// Positions of a conversation.
    Receipt {
        /// Which.
        conversation: Id,
        /// In the order of [`POSITIONS`]; what is absent did not move.
        positions: [Option<i64>; 4],
        /// One member's delivered position.
        delivered: Option<(Id, i64)>,
    },
}

/// A signal with its time in milliseconds since the device began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When.
    pub at: u64,
    /// What.
    pub signal: Signal,
}

/// An offer as a device knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// What is offered.
    pub conversation: Id,
    /// Whether it waits for an answer.
    pub waits: bool,
    /// The rev of the last change.
    pub rev: i64,
}

impl Offer {
    /// Reads the data of an `offer` frame, or an offer of the list, which has no rev and waits. Returns its id beside it.
    pub fn parse(data: &Value) -> Option<(Id, Self)> {
        let offer = Self {
            conversation: id(data.get("conversation_id")?)?,
            waits: data.get("state")?.as_str()? == "offered",
            rev: data.get("rev").and_then(Value::as_i64).unwrap_or_default(),
        };
        Some((id(data.get("id")?)?, offer))
    }
}

/// What a `presence` frame said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// Of whom.
    pub member: Id,
    /// How many conversations it serves.
    pub current_accept: i64,
    /// The rev of the change.
    pub rev: i64,
}

impl Presence {
    /// Reads the data of a `presence` frame.
    pub fn parse(data: &Value) -> Option<Self> {
        Some(Self {
            member: id(data.get("member_id")?)?,
            current_accept: data.get("current_accept")?.as_i64()?,
            rev: data.get("rev")?.as_i64()?,
        })
    }
}

/// Signals that are recorded of one device.
pub const RECORDED: usize = 100_000;

impl Signal {
    /// Reads the data of a `typing` frame.
    pub fn typing(data: &Value) -> Option<Self> {
        Some(Self::Typing {
            conversation: id(data.get("conversation_id")?)?,
            member: id(data.get("member_id")?)?,
            on: data.get("on")?.as_bool()?,
            ttl_ms: data.get("ttl_ms")?.as_u64()?,
        })
    }

    /// Reads the data of a `receipt` frame.
    pub fn receipt(data: &Value) -> Option<Self> {
        let delivered = match data.get("delivered") {
            Some(one) => Some((id(one.get("member_id")?)?, one.get("seq")?.as_i64()?)),
            None => None,
        };
        Some(Self::Receipt {
            conversation: id(data.get("conversation_id")?)?,
            positions: POSITIONS.map(|name| data.get(name).and_then(Value::as_i64)),
            delivered,
        })
    }
}
