//! The query of the events that a replay takes.

use diesel::prelude::*;

use crate::centre::events;
use crate::db::AnyConnection;
use crate::db::schema::message_event;
use crate::domain::centre::digest;
use crate::domain::centre::event::EventRow;
use crate::domain::centre::rule::RuleRow;
use crate::kernel::{MemberId, MessageEventId, Result};

/// Events of one statement: a payload is at most 64 KiB, and MySQL takes 16 MiB unless it is told otherwise.
const TOGETHER: usize = 100;

/// What happened.
#[derive(Debug, Clone, Queryable)]
pub struct Happened {
    /// What is known of it: a JSON object.
    pub payload: String,
    /// The customer whom it was about.
    pub customer_id: Option<MemberId>,
    /// The agent whom it was about.
    pub agent_id: Option<MemberId>,
}

/// The events with a rule's key that it heard, or would have, between two, the oldest first, at most `limit`. What was made
/// of others is left out: replays, and digests, whose events are there themselves.
pub fn events(
    connection: &mut AnyConnection,
    rule: &RuleRow,
    (after, before): (MessageEventId, MessageEventId),
    limit: usize,
) -> Result<Vec<(MessageEventId, Happened)>> {
    let of_rule = message_event::rule_id.eq(rule.id).and(message_event::created_by.is_null());
    let no_digest = message_event::origin.is_null().or(message_event::origin.not_like(digest::origins()));
    let heard = message_event::rule_id.is_null().or(of_rule.assume_not_null());
    Ok(message_event::table
        .filter(message_event::tenant_id.eq(rule.tenant_id))
        .filter(message_event::key.eq(&rule.key))
        .filter(message_event::id.gt(after))
        .filter(message_event::id.lt(before))
        .filter(heard)
        .filter(no_digest)
        .order(message_event::id.asc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select((
            message_event::id,
            (message_event::payload, message_event::customer_id, message_event::agent_id),
        ))
        .load(connection)?)
}

/// Stores the events of a replay.
pub fn insert(connection: &mut AnyConnection, rows: &[EventRow]) -> Result<()> {
    rows.chunks(TOGETHER).try_for_each(|some| events::store::insert(connection, some))
}
