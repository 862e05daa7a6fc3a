//! Queries over `message_identity`. Every function takes the tenant.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::centre::{bindings, opt_outs};
use crate::db::AnyConnection;
use crate::db::DbErrorKind;
use crate::db::error_kind::error_kind;
use crate::db::schema::{member, message_identity};
use crate::domain::centre::recipient::IdentityRow;
use crate::kernel::{ChannelAccountId, Error, MemberId, MessageIdentityId, PersonId, Result, TenantId};
use crate::on;

/// The openids of these persons at an account. A customer has those of the visitors that were merged into it as well.
pub fn openids(
    connection: &mut AnyConnection,
    tenant: TenantId,
    account: ChannelAccountId,
    persons: &[PersonId],
) -> Result<HashMap<PersonId, String>> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let merged: Vec<(MemberId, Option<MemberId>)> = on!(connection, inner => member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::merged_into.eq_any(&ids))
        .order(member::id.asc())
        .select((member::id, member::merged_into))
        .load(inner))?;
    let all: Vec<i64> = ids.iter().copied().chain(merged.iter().map(|(from, _)| from.0)).collect();
    let found: Vec<(PersonId, String)> = on!(connection, inner => message_identity::table
        .filter(message_identity::tenant_id.eq(tenant))
        .filter(message_identity::account_id.eq(account))
        .filter(message_identity::person_id.eq_any(&all))
        .select((message_identity::person_id, message_identity::openid))
        .load(inner))?;
    let mut openids: HashMap<PersonId, String> = found.into_iter().collect();
    for (from, into) in merged {
        let Some(openid) = openids.get(&PersonId(from.0)).cloned() else { continue };
        if let Some(into) = into {
            openids.entry(PersonId(into.0)).or_insert(openid);
        }
    }
    Ok(openids)
}

/// The identities of the tenant in the order of their ids, after this one, at most `limit`; only those of this person, and
/// to this account, when one is given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (person, account): (Option<PersonId>, Option<ChannelAccountId>),
    after: Option<MessageIdentityId>,
    limit: i64,
) -> Result<Vec<IdentityRow>> {
    let mut query = message_identity::table
        .filter(message_identity::tenant_id.eq(tenant))
        .filter(message_identity::id.gt(after.unwrap_or(MessageIdentityId(0))))
        .order(message_identity::id.asc())
        .limit(limit)
        .select(IdentityRow::as_select())
        .into_boxed();
    if let Some(person) = person {
        query = query.filter(message_identity::person_id.eq(person));
    }
    if let Some(account) = account {
        query = query.filter(message_identity::account_id.eq(account));
    }
    Ok(query.load(connection)?)
}

/// Stores who a person is to an account; another openid takes the place of the one before. Errors: `validation_failed` when
/// there is no such person, or when the openid is another one's.
pub fn put(connection: &mut AnyConnection, row: IdentityRow) -> Result<IdentityRow> {
    let (tenant, account) = (row.tenant_id, row.account_id);
    if !opt_outs::store::is_there(connection, tenant, row.person_id)? {
        return Err(Error::field("/person_id", "invalid", "there is no such member or message recipient"));
    }
    let of_account = || {
        message_identity::table
            .filter(message_identity::tenant_id.eq(tenant))
            .filter(message_identity::account_id.eq(account))
    };
    let present = |found: QueryResult<IdentityRow>| found.optional();
    if let Some(holder) = holder(connection, tenant, account, &row.openid)? {
        if holder.person_id == row.person_id {
            return Ok(holder);
        }
        // Somebody who is gone has no use for it.
        if opt_outs::store::is_there(connection, tenant, holder.person_id)? {
            return Err(taken());
        }
        delete(connection, tenant, holder.id)?;
    }
    let own = of_account().filter(message_identity::person_id.eq(row.person_id));
    let stored = match present(own.select(IdentityRow::as_select()).first(connection))? {
        Some(own) => {
            let row = IdentityRow { id: own.id, created_at: own.created_at, ..row };
            let changed = diesel::update(of_account().filter(message_identity::id.eq(own.id)))
                .set((
                    message_identity::openid.eq(&row.openid),
                    message_identity::updated_at.eq(row.updated_at),
                ))
                .execute(connection);
            changed.map(|_| row)
        }
        None => diesel::insert_into(message_identity::table).values(&row).execute(connection).map(|_| row),
    };
    match stored {
        Ok(row) => Ok(row),
        // Two requests at once may both find that the openid is nobody's.
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Err(taken()),
        Err(cause) => Err(cause.into()),
    }
}

/// Whose an openid is at an account.
pub fn holder(
    connection: &mut AnyConnection,
    tenant: TenantId,
    account: ChannelAccountId,
    openid: &str,
) -> Result<Option<IdentityRow>> {
    Ok(message_identity::table
        .filter(message_identity::tenant_id.eq(tenant))
        .filter(message_identity::account_id.eq(account))
        .filter(message_identity::openid.eq(openid))
        .select(IdentityRow::as_select())
        .first(connection)
        .optional()?)
}

fn taken() -> Error {
    Error::field("/openid", "invalid", "this openid is another person's")
}

/// Deletes an identity, and gives what it was; what bound it binds no more. Errors: `not_found`.
pub fn delete(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageIdentityId,
) -> Result<IdentityRow> {
    let of_tenant = || {
        message_identity::table
            .filter(message_identity::id.eq(id))
            .filter(message_identity::tenant_id.eq(tenant))
    };
    let found: Option<IdentityRow> =
        of_tenant().select(IdentityRow::as_select()).first(connection).optional()?;
    let row = found.ok_or_else(Error::not_found)?;
    bindings::store::unbind(connection, tenant, row.account_id, row.person_id)?;
    match diesel::delete(of_tenant()).execute(connection)? {
        1 => Ok(row),
        _ => Err(Error::not_found()),
    }
}
