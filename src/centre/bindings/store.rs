//! Queries over `message_binding`, and who serves a customer. Every function takes the tenant or the account.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, conversation_member, message_binding};
use crate::domain::centre::binding::{BindingRow, BindingStatus};
use crate::kernel::{ChannelAccountId, GroupId, MemberId, MessageBindingId, PersonId, Result, TenantId};
use crate::on;

/// Conversations of a customer that are looked at.
const LOOKED_AT: i64 = 100;

/// A code.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageBindingId,
) -> Result<Option<BindingRow>> {
    Ok(message_binding::table
        .filter(message_binding::id.eq(id))
        .filter(message_binding::tenant_id.eq(tenant))
        .select(BindingRow::as_select())
        .first(connection)
        .optional()?)
}

/// The code of an account with this scene, by its hash.
pub fn by_scene(
    connection: &mut AnyConnection,
    account: ChannelAccountId,
    scene_hash: &str,
) -> Result<Option<BindingRow>> {
    Ok(message_binding::table
        .filter(message_binding::scene_hash.eq(scene_hash))
        .filter(message_binding::account_id.eq(account))
        .select(BindingRow::as_select())
        .first(connection)
        .optional()?)
}

/// The codes of the tenant in the order of their ids, after this one, at most `limit`; only those of this person, and of
/// this account, when one is given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (person, account): (Option<PersonId>, Option<ChannelAccountId>),
    after: Option<MessageBindingId>,
    limit: i64,
) -> Result<Vec<BindingRow>> {
    let mut query = message_binding::table
        .filter(message_binding::tenant_id.eq(tenant))
        .filter(message_binding::id.gt(after.unwrap_or(MessageBindingId(0))))
        .order(message_binding::id.asc())
        .limit(limit)
        .select(BindingRow::as_select())
        .into_boxed();
    if let Some(person) = person {
        query = query.filter(message_binding::person_id.eq(person));
    }
    if let Some(account) = account {
        query = query.filter(message_binding::account_id.eq(account));
    }
    Ok(query.load(connection)?)
}

/// How many codes of an account were made since then, and of a person at it when the oldest of its so many latest was: `None`
/// when there were fewer.
pub fn made_since(
    connection: &mut AnyConnection,
    account: ChannelAccountId,
    (person, latest): (PersonId, i64),
    since: i64,
) -> Result<(i64, Option<i64>)> {
    let made = || {
        message_binding::table
            .filter(message_binding::account_id.eq(account))
            .filter(message_binding::created_at.gt(since))
    };
    let all: i64 = made().count().get_result(connection)?;
    let oldest = made()
        .filter(message_binding::person_id.eq(person))
        .order((message_binding::created_at.desc(), message_binding::id.desc()))
        .offset(latest - 1)
        .select(message_binding::created_at)
        .first(connection)
        .optional()?;
    Ok((all, oldest))
}

/// Stores a code.
pub fn insert(connection: &mut AnyConnection, row: &BindingRow) -> Result<()> {
    diesel::insert_into(message_binding::table).values(row).execute(connection)?;
    Ok(())
}

/// Has the person's pending codes at an account give way to this one, which WeChat made. The account must be held.
pub fn put(connection: &mut AnyConnection, row: &BindingRow) -> Result<()> {
    let of_person = message_binding::table
        .filter(message_binding::tenant_id.eq(row.tenant_id))
        .filter(message_binding::account_id.eq(row.account_id))
        .filter(message_binding::person_id.eq(row.person_id))
        .filter(message_binding::status.eq(BindingStatus::Pending.as_str()));
    diesel::update(of_person)
        .set(message_binding::status.eq(BindingStatus::Cancelled.as_str()))
        .execute(connection)?;
    diesel::update(message_binding::table.filter(message_binding::id.eq(row.id)))
        .set((
            message_binding::url.eq(&row.url),
            message_binding::status.eq(row.status.as_str()),
            message_binding::expires_at.eq(row.expires_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// Calls a pending code back; `false` when it is pending no longer.
pub fn cancel(connection: &mut AnyConnection, row: &BindingRow) -> Result<bool> {
    let changed = diesel::update(
        message_binding::table
            .filter(message_binding::id.eq(row.id))
            .filter(message_binding::tenant_id.eq(row.tenant_id))
            .filter(message_binding::status.eq(BindingStatus::Pending.as_str())),
    )
    .set(message_binding::status.eq(BindingStatus::Cancelled.as_str()))
    .execute(connection)?;
    Ok(changed == 1)
}

/// Writes down whom a pending code has bound; `false` when it is pending no longer.
pub fn bind(
    connection: &mut AnyConnection,
    (id, person): (MessageBindingId, PersonId),
    scanned_at: i64,
    now: i64,
) -> Result<bool> {
    let changed = diesel::update(
        message_binding::table
            .filter(message_binding::id.eq(id))
            .filter(message_binding::status.eq(BindingStatus::Pending.as_str())),
    )
    .set((
        message_binding::person_id.eq(person),
        message_binding::status.eq(BindingStatus::Bound.as_str()),
        message_binding::scanned_at.eq(scanned_at),
        message_binding::bound_at.eq(now),
    ))
    .execute(connection)?;
    Ok(changed == 1)
}

/// Writes down that a scan was refused.
pub fn refuse(connection: &mut AnyConnection, id: MessageBindingId, now: i64) -> Result<()> {
    diesel::update(message_binding::table.filter(message_binding::id.eq(id)))
        .set(message_binding::refused_at.eq(now))
        .execute(connection)?;
    Ok(())
}

/// When a person last scanned a code that binds it still, WeChat's unix milliseconds.
pub fn last_scan(
    connection: &mut AnyConnection,
    tenant: TenantId,
    account: ChannelAccountId,
    person: PersonId,
) -> Result<Option<i64>> {
    let last: Option<Option<i64>> = message_binding::table
        .filter(message_binding::tenant_id.eq(tenant))
        .filter(message_binding::account_id.eq(account))
        .filter(message_binding::person_id.eq(person))
        .filter(message_binding::status.eq(BindingStatus::Bound.as_str()))
        .order(message_binding::scanned_at.desc())
        .select(message_binding::scanned_at)
        .first(connection)
        .optional()?;
    Ok(last.flatten())
}

/// What bound a person to an account binds it no more.
pub fn unbind(
    connection: &mut AnyConnection,
    tenant: TenantId,
    account: ChannelAccountId,
    person: PersonId,
) -> Result<()> {
    let of_person = message_binding::table
        .filter(message_binding::tenant_id.eq(tenant))
        .filter(message_binding::account_id.eq(account))
        .filter(message_binding::person_id.eq(person))
        .filter(message_binding::status.eq(BindingStatus::Bound.as_str()));
    diesel::update(of_person)
        .set(message_binding::status.eq(BindingStatus::Unbound.as_str()))
        .execute(connection)?;
    Ok(())
}

/// What becomes of codes whose account or person goes.
const ENDS: [(BindingStatus, BindingStatus); 2] =
    [(BindingStatus::Pending, BindingStatus::Cancelled), (BindingStatus::Bound, BindingStatus::Unbound)];

/// The account goes: its codes end.
pub fn end_of_account(
    connection: &mut AnyConnection,
    tenant: TenantId,
    account: ChannelAccountId,
) -> Result<()> {
    for (from, to) in ENDS {
        let codes = message_binding::table
            .filter(message_binding::tenant_id.eq(tenant))
            .filter(message_binding::account_id.eq(account))
            .filter(message_binding::status.eq(from.as_str()));
        diesel::update(codes).set(message_binding::status.eq(to.as_str())).execute(connection)?;
    }
    Ok(())
}

/// The person goes: its codes end.
pub fn end_of_person(connection: &mut AnyConnection, tenant: TenantId, person: PersonId) -> Result<()> {
    for (from, to) in ENDS {
        let codes = message_binding::table
            .filter(message_binding::tenant_id.eq(tenant))
            .filter(message_binding::person_id.eq(person))
            .filter(message_binding::status.eq(from.as_str()));
        diesel::update(codes).set(message_binding::status.eq(to.as_str())).execute(connection)?;
    }
    Ok(())
}

/// By which of its groups, or by itself (`None`), a member is in conversations of a customer that are not closed.
pub fn serves(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    customer: MemberId,
) -> Result<Vec<Option<GroupId>>> {
    Ok(on!(connection, inner => conversation_member::table
        .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::active.eq(true))
        .filter(conversation_member::left_seq.is_null())
        .filter(conversation::customer_id.eq(customer))
        .select(conversation_member::group_id)
        .limit(LOOKED_AT)
        .load(inner))?)
}
