//! Queries over `message_event` and `message_dedupe`. Every function takes the tenant, but for the look for work.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::db::error_kind::error_kind;
use crate::db::schema::{member, message_dedupe, message_event};
use crate::db::types::json_text;
use crate::db::{AnyConnection, DbErrorKind};
use crate::domain::centre::event::{Decision, EventRow};
use crate::domain::member::Role;
use crate::kernel::{MemberId, MessageEventId, MessageRuleId, Result, TenantId};
use crate::{holding, on};

/// An event.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageEventId,
) -> Result<Option<EventRow>> {
    Ok(message_event::table
        .filter(message_event::id.eq(id))
        .filter(message_event::tenant_id.eq(tenant))
        .select(EventRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// The events of a tenant, the newest first, below this one, at most `limit`; only those with this key when one is given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    key: Option<String>,
    before: Option<MessageEventId>,
    limit: i64,
) -> Result<Vec<EventRow>> {
    let mut query = message_event::table
        .filter(message_event::tenant_id.eq(tenant))
        .filter(message_event::id.lt(before.unwrap_or(MessageEventId(i64::MAX))))
        .order(message_event::id.desc())
        .limit(limit)
        .select(EventRow::as_select())
        .into_boxed();
    if let Some(key) = key {
        query = query.filter(message_event::key.eq(key));
    }
    Ok(query.load(connection)?)
}

/// A customer that is not deleted.
pub fn customer(connection: &mut AnyConnection, tenant: TenantId, id: MemberId) -> Result<Option<MemberId>> {
    Ok(member::table
        .filter(member::id.eq(id))
        .filter(member::tenant_id.eq(tenant))
        .filter(member::role.eq(Role::Customer.as_str()))
        .filter(member::deleted_at.is_null())
        .select(member::id)
        .first(connection)
        .optional()?)
}

/// The customer with this external id, unless it is deleted.
pub fn customer_of(
    connection: &mut AnyConnection,
    tenant: TenantId,
    external_id: &str,
) -> Result<Option<MemberId>> {
    Ok(member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::external_id.eq(external_id))
        .filter(member::role.eq(Role::Customer.as_str()))
        .filter(member::deleted_at.is_null())
        .select(member::id)
        .first(connection)
        .optional()?)
}

/// Stores events.
pub fn insert(connection: &mut AnyConnection, rows: &[EventRow]) -> Result<()> {
    on!(connection, inner => diesel::insert_into(message_event::table).values(rows).execute(inner))?;
    Ok(())
}

/// Those of these origins of which an event was made.
pub fn known(
    connection: &mut AnyConnection,
    tenant: TenantId,
    origins: BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    if origins.is_empty() {
        return Ok(origins);
    }
    let rows: Vec<String> = on!(connection, inner => message_event::table
        .filter(message_event::tenant_id.eq(tenant))
        .filter(message_event::origin.eq_any(&origins))
        .select(message_event::origin.assume_not_null())
        .load(inner))?;
    Ok(rows.into_iter().collect())
}

/// Events whose rules were not applied yet, of at most so many tenants and at most so many of each, the oldest first.
pub fn pending(connection: &mut AnyConnection, tenants: usize, each: i64) -> Result<Vec<EventRow>> {
    let (mut found, mut last) = (Vec::new(), TenantId(0));
    for _ in 0..tenants {
        // One step to the next tenant in the index, however many events the one before has.
        let next: Option<TenantId> = message_event::table
            .filter(message_event::expanded_at.is_null())
            .filter(message_event::tenant_id.gt(last))
            .order((message_event::tenant_id.asc(), message_event::id.asc()))
            .select(message_event::tenant_id)
            .first(connection)
            .optional()?;
        let Some(tenant) = next else { break };
        let rows: Vec<EventRow> = message_event::table
            .filter(message_event::expanded_at.is_null())
            .filter(message_event::tenant_id.eq(tenant))
            .order(message_event::id.asc())
            .limit(each)
            .select(EventRow::as_select())
            .load(connection)?;
        found.extend(rows);
        last = tenant;
    }
    Ok(found)
}

/// Takes an event to apply its rules; `false` when another process did or does. Ends with the transaction.
pub fn take(connection: &mut AnyConnection, tenant: TenantId, id: MessageEventId) -> Result<bool> {
    let taken: Vec<MessageEventId> = holding!(connection, unexpanded(tenant, id), skip)?;
    Ok(!taken.is_empty())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn unexpanded(tenant: TenantId, id: MessageEventId) -> _ {
    message_event::table
        .filter(message_event::id.eq(id))
        .filter(message_event::tenant_id.eq(tenant))
        .filter(message_event::expanded_at.is_null())
        .select(message_event::id)
}

/// Writes down what the rules made of an event.
pub fn expanded(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageEventId,
    decisions: &[Decision],
    now: i64,
) -> Result<()> {
    diesel::update(
        message_event::table.filter(message_event::id.eq(id)).filter(message_event::tenant_id.eq(tenant)),
    )
    .set((message_event::expanded_at.eq(now), message_event::decisions.eq(json_text(&decisions))))
    .execute(connection)?;
    Ok(())
}

/// Whether a rule has not sent the same until now; from now on it has, until this time.
pub fn is_first(
    connection: &mut AnyConnection,
    tenant: TenantId,
    rule: MessageRuleId,
    hash: &str,
    now: i64,
    until: i64,
) -> Result<bool> {
    let row = || message_dedupe::table.find((rule, hash)).filter(message_dedupe::tenant_id.eq(tenant));
    let over = diesel::update(row().filter(message_dedupe::until.le(now)))
        .set(message_dedupe::until.eq(until))
        .execute(connection)?;
    if over == 1 {
        return Ok(true);
    }
    let held: i64 = row().count().get_result(connection)?;
    if held > 0 {
        return Ok(false);
    }
    let new = (
        message_dedupe::rule_id.eq(rule),
        message_dedupe::hash.eq(hash),
        message_dedupe::tenant_id.eq(tenant),
        message_dedupe::until.eq(until),
    );
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection
        .transaction(|connection| diesel::insert_into(message_dedupe::table).values(new).execute(connection));
    match inserted {
        Ok(_) => Ok(true),
        // Another process was first.
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}
