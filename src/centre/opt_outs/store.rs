//! Queries over `message_opt_out`. Every function takes the tenant.

use std::collections::HashSet;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::DbErrorKind;
use crate::db::error_kind::error_kind;
use crate::db::schema::{member, message_identity, message_opt_out, message_recipient};
use crate::domain::centre::account::Channel;
use crate::domain::centre::recipient::{OPT_OUTS_MAX, OptOutRow};
use crate::domain::centre::send::MessagePriority;
use crate::kernel::{Code, Error, MemberId, MessageRecipientId, OptOutId, PersonId, Result, TenantId};
use crate::on;

/// Persons with one address that are looked at.
const SHARING: i64 = 100;

/// Which of these persons do not want a message of this priority on this channel.
pub fn refused(
    connection: &mut AnyConnection,
    tenant: TenantId,
    channel: Channel,
    persons: &[(PersonId, MessagePriority)],
) -> Result<HashSet<(PersonId, MessagePriority)>> {
    if persons.is_empty() {
        return Ok(HashSet::new());
    }
    let mut ids: Vec<PersonId> = persons.iter().map(|(person, _)| *person).collect();
    // A member and its message recipient are one person.
    let pairs = pairs(connection, tenant, &ids)?;
    ids.extend(pairs.iter().map(|(_, other)| *other));
    let rows: Vec<OptOutRow> = on!(connection, inner => message_opt_out::table
        .filter(message_opt_out::tenant_id.eq(tenant))
        .filter(message_opt_out::person_id.eq_any(&ids))
        .filter(message_opt_out::channel.eq(channel.as_str()))
        .select(OptOutRow::as_select())
        .load(inner))?;
    let refuses = |person: PersonId, priority: MessagePriority| {
        let is_covered =
            |id: PersonId| rows.iter().any(|row| row.person_id == id && row.covers(channel, priority));
        is_covered(person) || pairs.iter().any(|(one, other)| *one == person && is_covered(*other))
    };
    Ok(persons.iter().copied().filter(|(person, priority)| refuses(*person, *priority)).collect())
}

/// Whether somebody with this address has an opt-out on this channel. Of members the number of a phone is compared as it is
/// usually written.
pub fn covers_address(
    connection: &mut AnyConnection,
    tenant: TenantId,
    channel: Channel,
    address: &str,
) -> Result<bool> {
    let bare = address.trim_start_matches('+');
    let numbers = [address, bare, bare.strip_prefix("86").unwrap_or(bare)];
    let members: Vec<MemberId> = on!(connection, inner => member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::email.eq(address).or(member::mobile.eq_any(numbers)))
        .limit(SHARING)
        .select(member::id)
        .load(inner))?;
    let recipients: Vec<MessageRecipientId> = message_recipient::table
        .filter(message_recipient::tenant_id.eq(tenant))
        .filter(message_recipient::email.eq(address).or(message_recipient::phone.eq(address)))
        .limit(SHARING)
        .select(message_recipient::id)
        .load(connection)?;
    // A notification goes to a member by its id.
    let named = address.parse::<MemberId>().ok().filter(|_| channel == Channel::InApp);
    let followers: Vec<PersonId> = message_identity::table
        .filter(message_identity::tenant_id.eq(tenant))
        .filter(message_identity::openid.eq(address))
        .limit(SHARING)
        .select(message_identity::person_id)
        .load(connection)?;
    let members = members.into_iter().chain(named).map(|id| PersonId(id.0)).chain(followers);
    let persons = members.chain(recipients.into_iter().map(|id| PersonId(id.0)));
    let asked: Vec<_> =
        persons.flat_map(|id| MessagePriority::ALL.iter().map(move |one| (id, *one))).collect();
    Ok(!refused(connection, tenant, channel, &asked)?.is_empty())
}

/// Of these persons that are a member and a message recipient both, each with its other id.
pub fn pairs(
    connection: &mut AnyConnection,
    tenant: TenantId,
    persons: &[PersonId],
) -> Result<Vec<(PersonId, PersonId)>> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let found: Vec<(MessageRecipientId, Option<MemberId>)> = on!(connection, inner => message_recipient::table
        .filter(message_recipient::tenant_id.eq(tenant))
        .filter(message_recipient::member_id.is_not_null())
        .filter(message_recipient::id.eq_any(&ids).or(message_recipient::member_id.eq_any(&ids)))
        .select((message_recipient::id, message_recipient::member_id))
        .load(inner))?;
    let both = found.into_iter().filter_map(|(row, member)| Some((PersonId(row.0), PersonId(member?.0))));
    Ok(both.flat_map(|(row, member)| [(row, member), (member, row)]).collect())
}

/// The opt-outs of the tenant in the order of their ids, after this one, at most `limit`; only those of this person when one
/// is given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    person: Option<PersonId>,
    after: Option<OptOutId>,
    limit: i64,
) -> Result<Vec<OptOutRow>> {
    let mut query = message_opt_out::table
        .filter(message_opt_out::tenant_id.eq(tenant))
        .filter(message_opt_out::id.gt(after.unwrap_or(OptOutId(0))))
        .order(message_opt_out::id.asc())
        .limit(limit)
        .select(OptOutRow::as_select())
        .into_boxed();
    if let Some(person) = person {
        query = query.filter(message_opt_out::person_id.eq(person));
    }
    Ok(query.load(connection)?)
}

/// Stores an opt-out; gives the one that is there when there is one. Errors: `limit_reached`, `validation_failed` when there
/// is no such person.
pub fn insert(connection: &mut AnyConnection, row: &OptOutRow) -> Result<OptOutRow> {
    if !is_there(connection, row.tenant_id, row.person_id)? {
        return Err(Error::field("/person_id", "invalid", "there is no such member or message recipient"));
    }
    if let Some(present) = find(connection, row)? {
        return Ok(present);
    }
    let count: i64 = message_opt_out::table
        .filter(message_opt_out::tenant_id.eq(row.tenant_id))
        .filter(message_opt_out::person_id.eq(row.person_id))
        .count()
        .get_result(connection)?;
    if count >= OPT_OUTS_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {OPT_OUTS_MAX} opt-outs of a person")));
    }
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection.transaction(|connection| {
        diesel::insert_into(message_opt_out::table).values(row).execute(connection)
    });
    match inserted {
        Ok(_) => Ok(row.clone()),
        // Another request was first.
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => {
            find(connection, row)?.ok_or_else(|| Error::new(Code::Busy, "the opt-out changed meanwhile"))
        }
        Err(cause) => Err(cause.into()),
    }
}

/// Deletes an opt-out, and gives what it was. Errors: `not_found`.
pub fn delete(connection: &mut AnyConnection, tenant: TenantId, id: OptOutId) -> Result<OptOutRow> {
    let of_tenant = || {
        message_opt_out::table
            .filter(message_opt_out::id.eq(id))
            .filter(message_opt_out::tenant_id.eq(tenant))
    };
    let row = of_tenant().select(OptOutRow::as_select()).first(connection).optional()?;
    match diesel::delete(of_tenant()).execute(connection)? {
        1 => row.ok_or_else(Error::not_found),
        _ => Err(Error::not_found()),
    }
}

fn find(connection: &mut AnyConnection, row: &OptOutRow) -> Result<Option<OptOutRow>> {
    Ok(message_opt_out::table
        .filter(message_opt_out::tenant_id.eq(row.tenant_id))
        .filter(message_opt_out::person_id.eq(row.person_id))
        .filter(message_opt_out::channel.eq(row.channel.as_str()))
        .filter(message_opt_out::priority.eq(&row.priority))
        .select(OptOutRow::as_select())
        .first(connection)
        .optional()?)
}

/// Whether there is such a member or message recipient.
pub fn is_there(connection: &mut AnyConnection, tenant: TenantId, person: PersonId) -> Result<bool> {
    let members: i64 = member::table
        .filter(member::id.eq(person.0))
        .filter(member::tenant_id.eq(tenant))
        .filter(member::deleted_at.is_null())
        .count()
        .get_result(connection)?;
    let recipients: i64 = message_recipient::table
        .filter(message_recipient::id.eq(person.0))
        .filter(message_recipient::tenant_id.eq(tenant))
        .filter(message_recipient::deleted_at.is_null())
        .count()
        .get_result(connection)?;
    Ok(members + recipients > 0)
}
