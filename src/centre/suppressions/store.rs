//! Queries over `message_suppression`. Every function takes the tenant, or a row that has one.

use std::collections::HashSet;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::DbErrorKind;
use crate::db::error_kind::error_kind;
use crate::db::schema::message_suppression;
use crate::domain::centre::account::Channel;
use crate::domain::centre::send::{CODE_MAX, SendRow};
use crate::domain::centre::suppression::{SuppressionReason, SuppressionRow, comparable};
use crate::kernel::{Code, Error, IdGenerator, Result, SuppressionId, TenantId};
use crate::on;

/// Which of these addresses are not sent to on this channel, as they are given.
pub fn held(
    connection: &mut AnyConnection,
    tenant: TenantId,
    channel: Channel,
    addresses: &[&str],
) -> Result<HashSet<String>> {
    if addresses.is_empty() {
        return Ok(HashSet::new());
    }
    let forms: Vec<String> = addresses.iter().map(|one| comparable(channel, one)).collect();
    let found: HashSet<String> = on!(connection, inner => message_suppression::table
        .filter(message_suppression::tenant_id.eq(tenant))
        .filter(message_suppression::channel.eq(channel.as_str()))
        .filter(message_suppression::address.eq_any(&forms))
        .select(message_suppression::address)
        .load::<String>(inner))?
    .into_iter()
    .collect();
    let held = addresses.iter().zip(&forms).filter(|(_, form)| found.contains(*form));
    Ok(held.map(|(address, _)| (*address).to_owned()).collect())
}

/// Writes down what a provider said of the address of a send, on this channel.
pub fn learn(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    (send, channel): (&SendRow, Channel),
    (reason, code): (SuppressionReason, Option<&str>),
    now: i64,
) -> Result<()> {
    let Some(address) = &send.address else { return Ok(()) };
    let row = SuppressionRow {
        id: SuppressionId(ids.next()?),
        tenant_id: send.tenant_id,
        channel,
        address: comparable(channel, address),
        reason,
        code: code.map(|code| code.chars().take(CODE_MAX).collect()),
        created_at: now,
    };
    add(connection, &row)
}

/// The suppressions of the tenant in the order of their ids, after this one, at most `limit`; only those of this
/// channel, and of an address in one of these forms, when they are given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (channel, forms): (Option<Channel>, Option<&[String; 3]>),
    after: Option<SuppressionId>,
    limit: i64,
) -> Result<Vec<SuppressionRow>> {
    let mut query = message_suppression::table
        .filter(message_suppression::tenant_id.eq(tenant))
        .filter(message_suppression::id.gt(after.unwrap_or(SuppressionId(0))))
        .order(message_suppression::id.asc())
        .limit(limit)
        .select(SuppressionRow::as_select())
        .into_boxed();
    if let Some(channel) = channel {
        query = query.filter(message_suppression::channel.eq(channel.as_str()));
    }
    if let Some([one, two, three]) = forms {
        let address = message_suppression::address;
        query = query.filter(address.eq(one).or(address.eq(two)).or(address.eq(three)));
    }
    Ok(query.load(connection)?)
}

/// Stores a suppression; gives the one that is there when there is one.
pub fn insert(connection: &mut AnyConnection, row: &SuppressionRow) -> Result<SuppressionRow> {
    if let Some(present) = find(connection, row)? {
        return Ok(present);
    }
    add(connection, row)?;
    find(connection, row)?.ok_or_else(|| Error::new(Code::Busy, "the suppression changed meanwhile"))
}

/// Stores a suppression, unless its address has one.
pub fn add(connection: &mut AnyConnection, row: &SuppressionRow) -> Result<()> {
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection.transaction(|connection| {
        diesel::insert_into(message_suppression::table).values(row).execute(connection)
    });
    match inserted {
        Ok(_) => Ok(()),
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Ok(()),
        Err(cause) => Err(cause.into()),
    }
}

/// Ends what whoever is at this address asked for; what others found out about it stays.
pub fn end(connection: &mut AnyConnection, tenant: TenantId, channel: Channel, address: &str) -> Result<()> {
    let asked_for = message_suppression::table
        .filter(message_suppression::tenant_id.eq(tenant))
        .filter(message_suppression::channel.eq(channel.as_str()))
        .filter(message_suppression::address.eq(address))
        .filter(message_suppression::reason.eq(SuppressionReason::OptedOut.as_str()));
    diesel::delete(asked_for).execute(connection)?;
    Ok(())
}

/// Deletes a suppression, and gives what it was. Errors: `not_found`.
pub fn delete(connection: &mut AnyConnection, tenant: TenantId, id: SuppressionId) -> Result<SuppressionRow> {
    let of_tenant = || {
        message_suppression::table
            .filter(message_suppression::id.eq(id))
            .filter(message_suppression::tenant_id.eq(tenant))
    };
    let row = of_tenant().select(SuppressionRow::as_select()).first(connection).optional()?;
    match diesel::delete(of_tenant()).execute(connection)? {
        1 => row.ok_or_else(Error::not_found),
        _ => Err(Error::not_found()),
    }
}

fn find(connection: &mut AnyConnection, row: &SuppressionRow) -> Result<Option<SuppressionRow>> {
    Ok(message_suppression::table
        .filter(message_suppression::tenant_id.eq(row.tenant_id))
        .filter(message_suppression::channel.eq(row.channel.as_str()))
        .filter(message_suppression::address.eq(&row.address))
        .select(SuppressionRow::as_select())
        .first(connection)
        .optional()?)
}
