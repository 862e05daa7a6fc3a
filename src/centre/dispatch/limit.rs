//! The limit of an account: how many messages it takes within a time, over all processes.
//!
//! Owns the table `message_test_send`: test sends count as attempts do. Invariant: whoever takes a place holds the account
//! until the end of the transaction, so that claims and tests follow one another.

use std::time::Duration;

use diesel::prelude::*;

use crate::centre::accounts;
use crate::db::schema::{message_attempt, message_test_send};
use crate::db::{AnyConnection, time};
use crate::domain::centre::account::{AccountRow, AccountStatus, PauseReason};
use crate::kernel::{ChannelAccountId, Code, Error, MessageSendId, Result, TenantId};

/// How long a test send is kept once it has ended, in milliseconds: the longest window of a limit.
const KEPT_MS: i64 = 86_400_000;
/// When it is worth while to try again, where nobody knows better, in milliseconds.
const AGAIN_MS: u64 = 1_000;

/// How many messages an account may take at present: of those that it took, the provider may count what is under way, or
/// ended within its window. `None`: it has no limit. The account must be held.
pub(super) fn left(
    connection: &mut AnyConnection,
    account: &AccountRow,
    database_now: i64,
) -> Result<Option<i64>> {
    if account.limit_count == 0 {
        return Ok(None);
    }
    let since = database_now - account.limit_seconds * 1_000;
    let attempts = || message_attempt::table.filter(message_attempt::account_id.eq(account.id));
    let running: i64 =
        attempts().filter(message_attempt::ended_at.is_null()).count().get_result(connection)?;
    let ended: i64 = attempts().filter(message_attempt::ended_at.gt(since)).count().get_result(connection)?;
    let tests: i64 = message_test_send::table
        .filter(message_test_send::account_id.eq(account.id))
        .filter(message_test_send::ended_at.gt(since))
        .count()
        .get_result(connection)?;
    Ok(Some(account.limit_count - running - ended - tests))
}

/// Takes a place for a test send that takes at most so long; gives the account as it is. A process that dies gives the place
/// back when that time is over. Errors: `invalid_transition` when the account is off, `rate_limited` when it takes no more
/// at present, `validation_failed` when it is gone.
pub fn reserve(
    connection: &mut AnyConnection,
    tenant: TenantId,
    account: ChannelAccountId,
    test: MessageSendId,
    takes: Duration,
    now: i64,
) -> Result<AccountRow> {
    accounts::store::hold(connection, account)?;
    let account = accounts::store::find(connection, tenant, account)?
        .ok_or_else(|| Error::field("/account_id", "invalid", "there is no such channel account"))?;
    if account.status != AccountStatus::Active {
        let error = Error::new(Code::InvalidTransition, "the channel account is disabled");
        return Err(error.with("status", account.status.as_str()));
    }
    // A pause for failures is what a test may find the reason of; the provider's own wish is heeded.
    let wait = account.paused_until - now;
    if wait > 0 && account.pause_reason == Some(PauseReason::Slow) {
        let error = Error::new(Code::RateLimited, "the provider asked to slow down");
        return Err(error.retry_after(wait.unsigned_abs()));
    }
    let database_now = time::now(connection)?;
    if left(connection, &account, database_now)?.is_some_and(|left| left <= 0) {
        return Err(Error::new(Code::RateLimited, "the account's limit is reached").retry_after(AGAIN_MS));
    }
    let of_account = message_test_send::table.filter(message_test_send::account_id.eq(account.id));
    diesel::delete(of_account.filter(message_test_send::ended_at.lt(database_now - KEPT_MS)))
        .execute(connection)?;
    let until = database_now + i64::try_from(takes.as_millis()).unwrap_or(KEPT_MS);
    diesel::insert_into(message_test_send::table)
        .values((
            message_test_send::id.eq(test),
            message_test_send::tenant_id.eq(tenant),
            message_test_send::account_id.eq(account.id),
            message_test_send::ended_at.eq(until),
        ))
        .execute(connection)?;
    Ok(account)
}

/// Writes down that a test send has ended.
pub fn ended(connection: &mut AnyConnection, tenant: TenantId, test: MessageSendId) -> Result<()> {
    let database_now = time::now(connection)?;
    let row = message_test_send::table.find(test).filter(message_test_send::tenant_id.eq(tenant));
    diesel::update(row).set(message_test_send::ended_at.eq(database_now)).execute(connection)?;
    Ok(())
}
