//! Queries over `channel_account`. Every function takes the tenant, but for the one that holds an account.

use diesel::prelude::*;

use crate::centre::bindings;
use crate::db::AnyConnection;
use crate::db::schema::{channel_account, channel_token, message_identity, message_rule};
use crate::domain::centre::account::{ACCOUNTS_MAX, AccountRow};
use crate::holding;
use crate::kernel::{ChannelAccountId, Code, Error, Result, TenantId};

/// An account that is not deleted.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: ChannelAccountId,
) -> Result<Option<AccountRow>> {
    Ok(channel_account::table
        .filter(channel_account::id.eq(id))
        .filter(channel_account::tenant_id.eq(tenant))
        .filter(channel_account::deleted_at.is_null())
        .select(AccountRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// Holds an account until the end of the transaction. What changes together with it follows one another: receipts and what
/// came of attempts, so that neither misses the other; messages within its limit; scans of its codes.
pub fn hold(connection: &mut AnyConnection, account: ChannelAccountId) -> Result<()> {
    let _: Vec<ChannelAccountId> = holding!(connection, row(account))?;
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row(id: ChannelAccountId) -> _ {
    channel_account::table.filter(channel_account::id.eq(id)).select(channel_account::id)
}

/// The accounts that are not deleted in the order of their ids, after this one, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    after: Option<ChannelAccountId>,
    limit: i64,
) -> Result<Vec<AccountRow>> {
    Ok(channel_account::table
        .filter(channel_account::tenant_id.eq(tenant))
        .filter(channel_account::deleted_at.is_null())
        .filter(channel_account::id.gt(after.unwrap_or(ChannelAccountId(0))))
        .order(channel_account::id.asc())
        .limit(limit)
        .select(AccountRow::as_select())
        .load(connection)?)
}

/// Stores a new account. Errors: `limit_reached`.
pub fn insert(connection: &mut AnyConnection, row: &AccountRow) -> Result<()> {
    let count: i64 = channel_account::table
        .filter(channel_account::tenant_id.eq(row.tenant_id))
        .filter(channel_account::deleted_at.is_null())
        .count()
        .get_result(connection)?;
    if count >= ACCOUNTS_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {ACCOUNTS_MAX} channel accounts")));
    }
    diesel::insert_into(channel_account::table).values(row).execute(connection)?;
    Ok(())
}

/// Stores what a merchant changes of an account, and lets it start afresh: what was wrong may be mended.
pub fn update(connection: &mut AnyConnection, row: &AccountRow) -> Result<()> {
    diesel::update(
        channel_account::table
            .filter(channel_account::id.eq(row.id))
            .filter(channel_account::tenant_id.eq(row.tenant_id)),
    )
    .set((
        channel_account::name.eq(&row.name),
        channel_account::status.eq(row.status.as_str()),
        channel_account::sealed_config.eq(&row.sealed_config),
        channel_account::host.eq(&row.host),
        channel_account::limit_count.eq(row.limit_count),
        channel_account::limit_seconds.eq(row.limit_seconds),
        channel_account::fail_streak.eq(0),
        channel_account::paused_until.eq(0),
        channel_account::pause_reason.eq(None::<&str>),
        channel_account::updated_at.eq(row.updated_at),
    ))
    .execute(connection)?;
    Ok(())
}

/// Deletes an account. Errors: `not_found`, `in_use` while a rule sends to it.
pub fn delete(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: ChannelAccountId,
    now: i64,
) -> Result<()> {
    if find(connection, tenant, id)?.is_none() {
        return Err(Error::not_found());
    }
    let rules: i64 = message_rule::table
        .filter(message_rule::tenant_id.eq(tenant))
        .filter(message_rule::deleted_at.is_null())
        .filter(message_rule::account_id.eq(id).or(message_rule::fallback_account_id.eq(id)))
        .count()
        .get_result(connection)?;
    if rules > 0 {
        return Err(Error::new(Code::InUse, format!("{rules} rules send to this account")));
    }
    // Its token and who persons are to it are of no use to anybody else.
    let tokens = channel_token::table.filter(channel_token::account_id.eq(id));
    diesel::delete(tokens.filter(channel_token::tenant_id.eq(tenant))).execute(connection)?;
    let identities = message_identity::table.filter(message_identity::account_id.eq(id));
    diesel::delete(identities.filter(message_identity::tenant_id.eq(tenant))).execute(connection)?;
    bindings::store::end_of_account(connection, tenant, id)?;
    diesel::update(
        channel_account::table
            .filter(channel_account::id.eq(id))
            .filter(channel_account::tenant_id.eq(tenant)),
    )
    .set((channel_account::deleted_at.eq(now), channel_account::updated_at.eq(now)))
    .execute(connection)?;
    Ok(())
}
