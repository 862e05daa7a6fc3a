//! Queries over `message_recipient`. Every function takes the tenant.

use diesel::prelude::*;

use crate::centre::bindings;
use crate::db::AnyConnection;
use crate::db::DbErrorKind;
use crate::db::error_kind::error_kind;
use crate::db::schema::{member, message_identity, message_recipient};
use crate::domain::centre::recipient::{RECIPIENTS_MAX, RecipientRow};
use crate::kernel::{Code, Error, MemberId, MessageRecipientId, PersonId, Result, TenantId};

/// A recipient that is not deleted.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageRecipientId,
) -> Result<Option<RecipientRow>> {
    Ok(message_recipient::table
        .filter(message_recipient::id.eq(id))
        .filter(message_recipient::tenant_id.eq(tenant))
        .filter(message_recipient::deleted_at.is_null())
        .select(RecipientRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// The recipients that are not deleted in the order of their ids, after this one, at most `limit`; only the one that is this
/// member when one is given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: Option<MemberId>,
    after: Option<MessageRecipientId>,
    limit: i64,
) -> Result<Vec<RecipientRow>> {
    let mut query = message_recipient::table
        .filter(message_recipient::tenant_id.eq(tenant))
        .filter(message_recipient::deleted_at.is_null())
        .filter(message_recipient::id.gt(after.unwrap_or(MessageRecipientId(0))))
        .order(message_recipient::id.asc())
        .limit(limit)
        .select(RecipientRow::as_select())
        .into_boxed();
    if let Some(member) = member {
        query = query.filter(message_recipient::member_id.eq(member));
    }
    Ok(query.load(connection)?)
}

/// Stores a new recipient. Errors: `limit_reached`, `validation_failed` when its member is not there or has one.
pub fn insert(connection: &mut AnyConnection, row: &RecipientRow) -> Result<()> {
    let count: i64 = message_recipient::table
        .filter(message_recipient::tenant_id.eq(row.tenant_id))
        .filter(message_recipient::deleted_at.is_null())
        .count()
        .get_result(connection)?;
    if count >= RECIPIENTS_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {RECIPIENTS_MAX} message recipients")));
    }
    check(connection, row)?;
    told(diesel::insert_into(message_recipient::table).values(row).execute(connection))
}

/// Stores a changed recipient. Errors: `validation_failed` when its member is not there or has another one.
pub fn update(connection: &mut AnyConnection, row: &RecipientRow) -> Result<()> {
    check(connection, row)?;
    let changed = diesel::update(
        message_recipient::table
            .filter(message_recipient::id.eq(row.id))
            .filter(message_recipient::tenant_id.eq(row.tenant_id)),
    )
    .set((
        message_recipient::member_id.eq(row.member_id),
        message_recipient::name.eq(&row.name),
        message_recipient::phone.eq(&row.phone),
        message_recipient::email.eq(&row.email),
        message_recipient::locale.eq(&row.locale),
        message_recipient::time_zone.eq(&row.time_zone),
        message_recipient::quiet_from.eq(row.quiet_from),
        message_recipient::quiet_until.eq(row.quiet_until),
        message_recipient::status.eq(row.status.as_str()),
        message_recipient::updated_at.eq(row.updated_at),
    ))
    .execute(connection);
    told(changed)
}

/// Deletes a recipient, with who it is to official accounts; its member may have another one. Errors: `not_found`.
pub fn delete(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageRecipientId,
    now: i64,
) -> Result<()> {
    let deleted = diesel::update(
        message_recipient::table
            .filter(message_recipient::id.eq(id))
            .filter(message_recipient::tenant_id.eq(tenant))
            .filter(message_recipient::deleted_at.is_null()),
    )
    .set((
        message_recipient::deleted_at.eq(now),
        message_recipient::updated_at.eq(now),
        message_recipient::member_id.eq(None::<MemberId>),
    ))
    .execute(connection)?;
    if deleted != 1 {
        return Err(Error::not_found());
    }
    let identities = message_identity::table.filter(message_identity::person_id.eq(id.0));
    diesel::delete(identities.filter(message_identity::tenant_id.eq(tenant))).execute(connection)?;
    bindings::store::end_of_person(connection, tenant, PersonId(id.0))?;
    Ok(())
}

/// Whether its member is there and has no other recipient.
fn check(connection: &mut AnyConnection, row: &RecipientRow) -> Result<()> {
    let Some(id) = row.member_id else { return Ok(()) };
    let there: i64 = member::table
        .filter(member::id.eq(id))
        .filter(member::tenant_id.eq(row.tenant_id))
        .filter(member::deleted_at.is_null())
        .count()
        .get_result(connection)?;
    if there == 0 {
        return Err(Error::field("/member_id", "invalid", "there is no such member"));
    }
    let others: i64 = message_recipient::table
        .filter(message_recipient::member_id.eq(id))
        .filter(message_recipient::id.ne(row.id))
        .count()
        .get_result(connection)?;
    match others {
        0 => Ok(()),
        _ => Err(taken()),
    }
}

/// Two requests at once may both find that a member has no recipient.
fn told(stored: QueryResult<usize>) -> Result<()> {
    match stored {
        Ok(_) => Ok(()),
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Err(taken()),
        Err(cause) => Err(cause.into()),
    }
}

fn taken() -> Error {
    Error::field("/member_id", "invalid", "this member has a message recipient")
}
