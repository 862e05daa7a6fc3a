//! Queries over `message_receipt` and `channel_callback`, and over the sends that receipts are of. Every function takes the
//! account or the tenant.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{channel_account, channel_callback, message_receipt, message_send};
use crate::domain::centre::account::AccountRow;
use crate::domain::centre::receipt::ReceiptRow;
use crate::domain::centre::send::SendRow;
use crate::kernel::{ChannelAccountId, MessageReceiptId, MessageSendId, Result, TenantId};
use crate::{holding, on};

/// Most receipts that are shown of a send: the oldest. A provider gives one or two.
const SHOWN: i64 = 20;

/// An account that is not deleted, whoever's it is.
pub fn account(connection: &mut AnyConnection, id: ChannelAccountId) -> Result<Option<AccountRow>> {
    Ok(channel_account::table
        .filter(channel_account::id.eq(id))
        .filter(channel_account::deleted_at.is_null())
        .select(AccountRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// Which of these are stored already.
pub fn known(connection: &mut AnyConnection, dedupes: &[&str]) -> Result<Vec<String>> {
    Ok(on!(connection, inner => message_receipt::table
        .filter(message_receipt::dedupe.eq_any(dedupes))
        .select(message_receipt::dedupe)
        .load(inner))?)
}

/// Whether a signature came for the first time, or with the same body as then; forgets those that are over.
pub fn first_body(
    connection: &mut AnyConnection,
    (tenant, account): (TenantId, ChannelAccountId),
    signature: &str,
    body_hash: &str,
    (now, until): (i64, i64),
) -> Result<bool> {
    let of_account = || channel_callback::table.filter(channel_callback::account_id.eq(account));
    diesel::delete(of_account().filter(channel_callback::until.lt(now))).execute(connection)?;
    let known: Option<String> = of_account()
        .filter(channel_callback::signature.eq(signature))
        .select(channel_callback::body_hash)
        .first(connection)
        .optional()?;
    if let Some(known) = known {
        return Ok(known == body_hash);
    }
    diesel::insert_into(channel_callback::table)
        .values((
            channel_callback::account_id.eq(account),
            channel_callback::signature.eq(signature),
            channel_callback::tenant_id.eq(tenant),
            channel_callback::body_hash.eq(body_hash),
            channel_callback::until.eq(until),
        ))
        .execute(connection)?;
    Ok(true)
}

/// Whether what has this name comes for the first time. It is never forgotten: a signature that has no time of its own
/// counts for ever.
pub fn is_first(
    connection: &mut AnyConnection,
    (tenant, account): (TenantId, ChannelAccountId),
    name: &str,
) -> Result<bool> {
    let known: i64 = channel_callback::table
        .filter(channel_callback::account_id.eq(account))
        .filter(channel_callback::signature.eq(name))
        .count()
        .get_result(connection)?;
    if known > 0 {
        return Ok(false);
    }
    diesel::insert_into(channel_callback::table)
        .values((
            channel_callback::account_id.eq(account),
            channel_callback::signature.eq(name),
            channel_callback::tenant_id.eq(tenant),
            channel_callback::body_hash.eq(name),
            channel_callback::until.eq(i64::MAX),
        ))
        .execute(connection)?;
    Ok(true)
}

/// Stores new receipts.
pub fn insert(connection: &mut AnyConnection, rows: &[ReceiptRow]) -> Result<()> {
    on!(connection, inner => diesel::insert_into(message_receipt::table).values(rows).execute(inner))?;
    Ok(())
}

/// The sends of an account with these ids, or with these names at the provider, held until the end of the transaction.
pub fn sends(
    connection: &mut AnyConnection,
    account: ChannelAccountId,
    ids: &[MessageSendId],
    names: &[&str],
) -> Result<Vec<SendRow>> {
    let mut wanted: Vec<MessageSendId> = on!(connection, inner => message_send::table
        .filter(message_send::account_id.eq(account))
        .filter(message_send::provider_message_id.eq_any(names))
        .select(message_send::id)
        .load(inner))?;
    wanted.extend(ids);
    wanted.sort();
    wanted.dedup();
    let held: Vec<MessageSendId> = holding!(
        connection,
        message_send::table
            .filter(message_send::id.eq_any(&wanted))
            .filter(message_send::account_id.eq(account))
            .order(message_send::id.asc())
            .select(message_send::id)
    )?;
    Ok(on!(connection, inner => message_send::table
        .filter(message_send::id.eq_any(&held))
        .select(SendRow::as_select())
        .load(inner))?)
}

/// The receipts that a send has not taken note of yet, in the order in which they came.
pub fn waiting(connection: &mut AnyConnection, send: &SendRow) -> Result<Vec<ReceiptRow>> {
    let mut found: Vec<ReceiptRow> = message_receipt::table
        .filter(message_receipt::send_id.eq(send.id))
        .filter(message_receipt::account_id.eq(send.account_id))
        .filter(message_receipt::applied_at.is_null())
        .select(ReceiptRow::as_select())
        .load(connection)?;
    if let Some(name) = &send.provider_message_id {
        let by_name: Vec<ReceiptRow> = message_receipt::table
            .filter(message_receipt::account_id.eq(send.account_id))
            .filter(message_receipt::provider_message_id.eq(name))
            .filter(message_receipt::send_id.is_null())
            .select(ReceiptRow::as_select())
            .load(connection)?;
        found.extend(by_name);
    }
    found.sort_by_key(|one| one.id);
    Ok(found)
}

/// Writes down that a send took note of receipts.
pub fn applied(
    connection: &mut AnyConnection,
    ids: &[MessageReceiptId],
    send: MessageSendId,
    now: i64,
) -> Result<()> {
    on!(connection, inner => diesel::update(message_receipt::table
        .filter(message_receipt::id.eq_any(ids)))
        .set((message_receipt::send_id.eq(send), message_receipt::applied_at.eq(now)))
        .execute(inner))?;
    Ok(())
}

/// Stores what receipts made of a send; `false` when it was no longer in the state that this was decided on.
pub fn change(connection: &mut AnyConnection, before: &SendRow, after: &SendRow) -> Result<bool> {
    let changed = diesel::update(
        message_send::table
            .filter(message_send::id.eq(before.id))
            .filter(message_send::account_id.eq(before.account_id))
            .filter(message_send::status.eq(before.status.as_str()))
            .filter(message_send::number.eq(before.number)),
    )
    .set((
        message_send::status.eq(after.status.as_str()),
        message_send::reason.eq(after.reason.map(|reason| reason.as_str())),
        message_send::provider_message_id.eq(after.provider_message_id.as_deref()),
        message_send::last_code.eq(after.last_code.as_deref()),
        message_send::last_error.eq(after.last_error.as_deref()),
        message_send::sent_at.eq(after.sent_at),
        message_send::updated_at.eq(after.updated_at),
    ))
    .execute(connection)?;
    Ok(changed == 1)
}

/// The receipts of a send, the oldest first.
pub fn of_send(
    connection: &mut AnyConnection,
    tenant: TenantId,
    send: MessageSendId,
    account: ChannelAccountId,
) -> Result<Vec<ReceiptRow>> {
    Ok(message_receipt::table
        .filter(message_receipt::send_id.eq(send))
        .filter(message_receipt::account_id.eq(account))
        .filter(message_receipt::tenant_id.eq(tenant))
        .order(message_receipt::id.asc())
        .limit(SHOWN)
        .select(ReceiptRow::as_select())
        .load(connection)?)
}
