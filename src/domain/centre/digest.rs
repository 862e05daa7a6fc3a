//! Digests: several events of a rule that are sent as one message.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event::EventRow;
use crate::db::schema::message_digest;
use crate::kernel::{MemberId, MessageDigestId, MessageRuleId, TenantId};

/// Longest time of a digest, in seconds: 7 days.
pub const DIGEST_SECONDS_MAX: i64 = 7 * 86_400;
/// Fewest events that end a digest before its time.
pub const DIGEST_EVENTS_MIN: i64 = 2;
/// Most events of a digest.
pub const DIGEST_EVENTS_MAX: i64 = 100;
/// Payloads that end a digest before its time, in bytes of JSON all together.
pub const DIGEST_BYTES: i64 = 65_536;
/// What the origin of a digest's event begins with.
const ORIGIN: &str = "digest:";

/// How a rule collects events. Those about one customer and agent with one key are sent as one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDigest {
    /// So many seconds after the first of them they are sent, 1 to 604,800 (7 days).
    pub seconds: i64,
    /// So many are sent at once, 2 to 100.
    pub max: i64,
    /// A template over the payload, such as `{{ order_id }}`: events with one text go together. Empty: all of them.
    #[serde(default)]
    pub key: String,
}

/// A row of `message_digest`: the events that are collected now.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_digest, treat_none_as_default_value = false)]
pub struct DigestRow {
    /// The digest.
    pub id: MessageDigestId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The rule that collects.
    pub rule_id: MessageRuleId,
    /// What these events have in common.
    pub hash: String,
    /// The customer whom they are about.
    pub customer_id: Option<MemberId>,
    /// The agent whom they are about.
    pub agent_id: Option<MemberId>,
    /// How many there are.
    pub event_count: i64,
    /// How long their payloads are, in bytes of JSON.
    pub bytes: i64,
    /// When the first was collected, unix milliseconds.
    pub created_at: i64,
    /// When they are sent at the latest, unix milliseconds.
    pub due_at: i64,
}

impl DigestRow {
    /// Whether it ends before its time.
    pub const fn is_full(&self, digest: &RuleDigest) -> bool {
        self.event_count >= digest.max || self.bytes >= DIGEST_BYTES
    }
}

/// What makes the event of a digest one only.
pub fn origin(id: MessageDigestId) -> String {
    format!("{ORIGIN}{id}")
}

/// What the origins of all digests' events are like, in SQL.
pub fn origins() -> String {
    format!("{ORIGIN}%")
}

impl EventRow {
    /// The digest that it stands for.
    pub fn digest(&self) -> Option<MessageDigestId> {
        self.origin.as_deref()?.strip_prefix(ORIGIN)?.parse().ok()
    }
}

/// What templates are told of a digest: the payloads of its events, the oldest first.
pub fn payload(events: Vec<Value>) -> Value {
    json!({"count": events.len(), "events": events})
}
