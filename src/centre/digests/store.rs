//! Queries over `message_digest` and `message_digest_event`. Every function is of a tenant's rule or event, but for the look
//! for work.

use diesel::prelude::*;
use serde_json::Value;

use crate::centre::{events, rules};
use crate::db::error_kind::error_kind;
use crate::db::schema::{message_digest, message_digest_event, message_event};
use crate::db::{AnyConnection, DbErrorKind};
use crate::domain::centre::digest::{DigestRow, RuleDigest, origin, payload};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::rule::RuleRow;
use crate::kernel::{Code, Error, IdGenerator, MessageDigestId, MessageEventId, Result, TenantId};
use crate::{holding, on};

/// Looks for a digest that others open and end meanwhile.
const LOOKS: usize = 5;

/// Adds an event to the open digest of its rule for what goes together, and ends that one when it is full.
pub fn collect(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    (rule, digest): (&RuleRow, &RuleDigest),
    (event, hash): (&EventRow, &str),
    now: i64,
) -> Result<()> {
    let bytes = i64::try_from(event.payload.len()).unwrap_or(i64::MAX);
    let row = add(connection, ids, (rule, digest), (event, hash, bytes), now)?;
    diesel::insert_into(message_digest_event::table)
        .values((
            message_digest_event::digest_id.eq(row.id),
            message_digest_event::event_id.eq(event.id),
            message_digest_event::tenant_id.eq(event.tenant_id),
        ))
        .execute(connection)?;
    match row.is_full(digest) {
        true => end(connection, ids, &row, rule, now),
        false => Ok(()),
    }
}

/// Counts an event in the open digest, or opens one with it. The row is held from then on.
fn add(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    (rule, digest): (&RuleRow, &RuleDigest),
    (event, hash, bytes): (&EventRow, &str, i64),
    now: i64,
) -> Result<DigestRow> {
    let open = || {
        message_digest::table
            .filter(message_digest::rule_id.eq(rule.id))
            .filter(message_digest::hash.eq(hash))
    };
    for _ in 0..LOOKS {
        let counted = (
            message_digest::event_count.eq(message_digest::event_count + 1),
            message_digest::bytes.eq(message_digest::bytes + bytes),
        );
        if diesel::update(open()).set(counted).execute(connection)? == 1 {
            return Ok(open().select(DigestRow::as_select()).first(connection)?);
        }
        let row = DigestRow {
            id: MessageDigestId(ids.next()?),
            tenant_id: rule.tenant_id,
            rule_id: rule.id,
            hash: hash.to_owned(),
            customer_id: event.customer_id,
            agent_id: event.agent_id,
            event_count: 1,
            bytes,
            created_at: now,
            due_at: now + digest.seconds * 1_000,
        };
        // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
        let inserted = connection.transaction(|connection| {
            diesel::insert_into(message_digest::table).values(&row).execute(connection)
        });
        match inserted {
            Ok(_) => return Ok(row),
            // Another process was first.
            Err(cause) if error_kind(&cause) == DbErrorKind::Unique => {}
            Err(cause) => return Err(cause.into()),
        }
    }
    Err(Error::new(Code::Busy, "the digest changed meanwhile"))
}

/// Digests whose time came until now, the latest first, at most `limit`.
pub fn due(connection: &mut AnyConnection, now: i64, limit: i64) -> Result<Vec<MessageDigestId>> {
    Ok(message_digest::table
        .filter(message_digest::due_at.le(now))
        .order((message_digest::due_at.asc(), message_digest::id.asc()))
        .limit(limit)
        .select(message_digest::id)
        .load(connection)?)
}

/// Ends a digest whose time came; does nothing when another process did. Of a rule that is deleted nothing is told.
pub fn end_due(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    id: MessageDigestId,
    now: i64,
) -> Result<()> {
    let held: Vec<DigestRow> = holding!(
        connection,
        message_digest::table
            .filter(message_digest::id.eq(id))
            .filter(message_digest::due_at.le(now))
            .select(DigestRow::as_select())
    )?;
    let Some(row) = held.first() else { return Ok(()) };
    match rules::store::find(connection, row.tenant_id, row.rule_id)? {
        Some(rule) => end(connection, ids, row, &rule, now),
        None => {
            diesel::delete(message_digest::table.find(id)).execute(connection)?;
            Ok(())
        }
    }
}

/// Makes the event of a digest that is held.
fn end(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    row: &DigestRow,
    rule: &RuleRow,
    now: i64,
) -> Result<()> {
    diesel::delete(message_digest::table.find(row.id)).execute(connection)?;
    let payloads: Vec<String> = message_digest_event::table
        .inner_join(message_event::table.on(message_event::id.eq(message_digest_event::event_id)))
        .filter(message_digest_event::digest_id.eq(row.id))
        .order(message_event::id.asc())
        .select(message_event::payload)
        .load(connection)?;
    let payloads = payloads.iter().map(|payload| serde_json::from_str(payload).unwrap_or(Value::Null));
    let event = EventRow {
        id: MessageEventId(ids.next()?),
        tenant_id: row.tenant_id,
        key: rule.key.clone(),
        payload: payload(payloads.collect()).to_string(),
        created_by: None,
        created_at: now,
        expanded_at: None,
        decisions: None,
        customer_id: row.customer_id,
        agent_id: row.agent_id,
        rule_id: Some(rule.id),
        origin: Some(origin(row.id)),
    };
    events::store::insert(connection, &[event])
}

/// The events that a digest stands for.
pub fn events_of(
    connection: &mut AnyConnection,
    tenant: TenantId,
    digest: MessageDigestId,
) -> Result<Vec<MessageEventId>> {
    Ok(message_digest_event::table
        .filter(message_digest_event::digest_id.eq(digest))
        .filter(message_digest_event::tenant_id.eq(tenant))
        .order(message_digest_event::event_id.asc())
        .select(message_digest_event::event_id)
        .load(connection)?)
}

/// The events of the digests that have ended and in which an event is.
pub fn ended_with(
    connection: &mut AnyConnection,
    tenant: TenantId,
    event: MessageEventId,
) -> Result<Vec<MessageEventId>> {
    let digests: Vec<MessageDigestId> = message_digest_event::table
        .filter(message_digest_event::event_id.eq(event))
        .filter(message_digest_event::tenant_id.eq(tenant))
        .select(message_digest_event::digest_id)
        .load(connection)?;
    let origins: Vec<String> = digests.into_iter().map(origin).collect();
    Ok(on!(connection, inner => message_event::table
        .filter(message_event::tenant_id.eq(tenant))
        .filter(message_event::origin.eq_any(&origins))
        .order(message_event::id.asc())
        .select(message_event::id)
        .load(inner))?)
}
