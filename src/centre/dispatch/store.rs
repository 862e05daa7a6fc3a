//! Queries of the dispatcher. It works for all tenants; each row carries its own.

use diesel::dsl::exists;
use diesel::prelude::*;

use crate::centre::{opt_outs, suppressions};
use crate::db::AnyConnection;
use crate::db::schema::{channel_account, message_attempt, message_send, tenant};
use crate::domain::centre::account::{AccountRow, AccountStatus, Channel, Provider};
use crate::domain::centre::send::{
    AttemptRow, MessagePriority, Outcome, Phase, SendReason, SendRow, SendStatus,
};
use crate::domain::centre::verdict::Health;
use crate::domain::tenant::TenantStatus;
use crate::kernel::{ChannelAccountId, MessageSendId, PersonId, Result, TenantId};
use crate::{holding, on};

/// Attempts of a send that are looked back at.
const BEFORE: i64 = 100;

/// Accounts behind this one that a send waits for, of tenants that are active, unless they are disabled or paused.
pub(super) fn due(
    connection: &mut AnyConnection,
    after: ChannelAccountId,
    now: i64,
    limit: i64,
) -> Result<Vec<(ChannelAccountId, Provider)>> {
    let ranks: Vec<i64> = MessagePriority::ALL.iter().map(|priority| priority.rank()).collect();
    Ok(on!(connection, inner => channel_account::table
        .filter(channel_account::id.gt(after))
        .filter(channel_account::status.eq(AccountStatus::Active.as_str()))
        .filter(channel_account::deleted_at.is_null())
        .filter(channel_account::paused_until.le(now))
        .filter(exists(tenant::table
            .filter(tenant::id.eq(channel_account::tenant_id))
            .filter(tenant::status.eq(TenantStatus::Active.as_str()))))
        .filter(exists(message_send::table
            .filter(message_send::account_id.eq(channel_account::id))
            .filter(message_send::status.eq(SendStatus::Unsent.as_str()))
            .filter(message_send::priority.eq_any(&ranks))
            .filter(message_send::next_at.le(now))))
        .order(channel_account::id.asc())
        .limit(limit)
        .select((channel_account::id, channel_account::provider))
        .load(inner))?)
}

/// An account that may be used, held until the end of the transaction: claims of one account follow one another, so that
/// its limit holds over all processes.
pub(super) fn hold(
    connection: &mut AnyConnection,
    id: ChannelAccountId,
    now: i64,
) -> Result<Option<AccountRow>> {
    let held: Vec<ChannelAccountId> = holding!(connection, usable(id, now))?;
    held.first().map(|id| account(connection, *id)).transpose()
}

#[diesel::dsl::auto_type(no_type_alias)]
fn usable(id: ChannelAccountId, now: i64) -> _ {
    channel_account::table
        .filter(channel_account::id.eq(id))
        .filter(channel_account::deleted_at.is_null())
        .filter(channel_account::paused_until.le(now))
        .select(channel_account::id)
}

/// An account, also a deleted one.
pub(super) fn account(connection: &mut AnyConnection, id: ChannelAccountId) -> Result<AccountRow> {
    Ok(channel_account::table
        .filter(channel_account::id.eq(id))
        .select(AccountRow::as_select())
        .get_result(connection)?)
}

/// Sends of a lane (an account and a priority) that are due, the oldest first, held until the end of the transaction.
/// What another process holds is passed over. Each with the end of its time.
pub(super) fn lane(
    connection: &mut AnyConnection,
    account: ChannelAccountId,
    priority: MessagePriority,
    now: i64,
    limit: i64,
) -> Result<Vec<(MessageSendId, Option<i64>)>> {
    Ok(holding!(connection, waiting(account, priority.rank(), now, limit), skip)?)
}

/// In the order of the index, so that no server sorts, and locks no more than it gives.
#[diesel::dsl::auto_type(no_type_alias)]
fn waiting(account: ChannelAccountId, rank: i64, now: i64, limit: i64) -> _ {
    let columns: (message_send::id, message_send::expires_at) = (message_send::id, message_send::expires_at);
    message_send::table
        .filter(message_send::account_id.eq(account))
        .filter(message_send::status.eq("unsent"))
        .filter(message_send::priority.eq(rank))
        .filter(message_send::next_at.le(now))
        .order((message_send::next_at.asc(), message_send::id.asc()))
        .select(columns)
        .limit(limit)
}

/// Ends sends whose time is over.
pub(super) fn expire(connection: &mut AnyConnection, ids: &[MessageSendId], now: i64) -> Result<()> {
    on!(connection, inner => diesel::update(message_send::table
        .filter(message_send::id.eq_any(ids))
        .filter(message_send::status.eq(SendStatus::Unsent.as_str())))
        .set((
            message_send::status.eq(SendStatus::Expired.as_str()),
            message_send::updated_at.eq(now),
        ))
        .execute(inner))?;
    Ok(())
}

/// Which of these sends do not go out, and why: their receivers do not want them any more, or nothing is sent to their
/// addresses.
pub(super) fn withheld(
    connection: &mut AnyConnection,
    tenant: TenantId,
    channel: Channel,
    ids: &[MessageSendId],
) -> Result<Vec<(MessageSendId, SendReason)>> {
    type Found = (MessageSendId, Option<PersonId>, i64, Option<String>);
    let found: Vec<Found> = on!(connection, inner => message_send::table
        .filter(message_send::id.eq_any(ids))
        .select((message_send::id, message_send::recipient_id, message_send::priority, message_send::address))
        .load(inner))?;
    let person = |(_, person, rank, _): &Found| Some(((*person)?, MessagePriority::from_rank(*rank)));
    let persons: Vec<_> = found.iter().filter_map(person).collect();
    let refused = opt_outs::store::refused(connection, tenant, channel, &persons)?;
    let addresses: Vec<&str> = found.iter().filter_map(|(.., address)| address.as_deref()).collect();
    let held = suppressions::store::held(connection, tenant, channel, &addresses)?;
    let reason = |one: &Found| {
        if person(one).is_some_and(|person| refused.contains(&person)) {
            return Some(SendReason::OptedOut);
        }
        one.3.as_ref().filter(|address| held.contains(*address)).map(|_| SendReason::AddressSuppressed)
    };
    Ok(found.iter().filter_map(|one| Some((one.0, reason(one)?))).collect())
}

/// Ends sends that are not sent to their receivers, for this reason.
pub(super) fn suppress(
    connection: &mut AnyConnection,
    ids: &[MessageSendId],
    reason: SendReason,
    now: i64,
) -> Result<()> {
    on!(connection, inner => diesel::update(message_send::table
        .filter(message_send::id.eq_any(ids))
        .filter(message_send::status.eq(SendStatus::Unsent.as_str())))
        .set((
            message_send::status.eq(SendStatus::Suppressed.as_str()),
            message_send::reason.eq(reason.as_str()),
            message_send::updated_at.eq(now),
        ))
        .execute(inner))?;
    Ok(())
}

/// Gives sends that are held to this process until the lease ends, and writes their attempts down.
pub(super) fn lease(
    connection: &mut AnyConnection,
    ids: &[MessageSendId],
    owner: &str,
    (now, database_now, until): (i64, i64, i64),
) -> Result<Vec<SendRow>> {
    on!(connection, inner => diesel::update(message_send::table
        .filter(message_send::id.eq_any(ids))
        .filter(message_send::status.eq(SendStatus::Unsent.as_str())))
        .set((
            message_send::status.eq(SendStatus::Sending.as_str()),
            message_send::number.eq(message_send::number + 1),
            message_send::attempts.eq(message_send::attempts + 1),
            message_send::lease_owner.eq(owner),
            message_send::lease_until.eq(until),
            message_send::updated_at.eq(now),
        ))
        .execute(inner))?;
    let mut rows: Vec<SendRow> = on!(connection, inner => message_send::table
        .filter(message_send::id.eq_any(ids))
        .select(SendRow::as_select())
        .load(inner))?;
    rows.sort_by_key(|row| (row.priority, row.next_at, row.id));
    let attempts: Vec<AttemptRow> = rows
        .iter()
        .map(|row| AttemptRow {
            send_id: row.id,
            number: row.number,
            tenant_id: row.tenant_id,
            account_id: row.account_id,
            phase: Phase::Claimed,
            outcome: None,
            http_status: None,
            code: None,
            message: None,
            started_at: database_now,
            ended_at: None,
        })
        .collect();
    on!(connection, inner => diesel::insert_into(message_attempt::table).values(&attempts).execute(inner))?;
    Ok(rows)
}

/// Writes down that something of these sends may go out from now on; gives those that this process still holds.
pub(super) fn start(
    connection: &mut AnyConnection,
    sends: &[(MessageSendId, i64)],
    owner: &str,
) -> Result<Vec<MessageSendId>> {
    let mut held = Vec::with_capacity(sends.len());
    for (id, number) in sends {
        let mine: Option<MessageSendId> = message_send::table
            .filter(message_send::id.eq(id))
            .filter(message_send::number.eq(number))
            .filter(message_send::status.eq(SendStatus::Sending.as_str()))
            .filter(message_send::lease_owner.eq(owner))
            .select(message_send::id)
            .get_result(connection)
            .optional()?;
        if mine.is_some() {
            diesel::update(message_attempt::table.find((id, number)))
                .set(message_attempt::phase.eq(Phase::Started.as_str()))
                .execute(connection)?;
            held.push(*id);
        }
    }
    Ok(held)
}

/// Writes down what came of a send; `false` when it is no longer this claim's.
pub(super) fn settle(connection: &mut AnyConnection, before: &SendRow, after: &SendRow) -> Result<bool> {
    let changed = diesel::update(
        message_send::table
            .filter(message_send::id.eq(before.id))
            .filter(message_send::status.eq(SendStatus::Sending.as_str()))
            .filter(message_send::number.eq(before.number)),
    )
    .set((
        (
            message_send::status.eq(after.status.as_str()),
            message_send::reason.eq(after.reason.map(|reason| reason.as_str())),
            message_send::attempts.eq(after.attempts),
            message_send::slowed.eq(after.slowed),
            message_send::may_duplicate.eq(after.may_duplicate),
            message_send::next_at.eq(after.next_at),
        ),
        (
            message_send::lease_owner.eq(None::<&str>),
            message_send::lease_until.eq(0),
            message_send::last_code.eq(after.last_code.as_deref()),
            message_send::last_error.eq(after.last_error.as_deref()),
            message_send::provider_message_id.eq(after.provider_message_id.as_deref()),
            message_send::updated_at.eq(after.updated_at),
            message_send::sent_at.eq(after.sent_at),
        ),
    ))
    .execute(connection)?;
    Ok(changed == 1)
}

/// When the first of a send's attempts began that may have arrived, before the one that is under way, the database's unix
/// milliseconds. Attempts count from where a person last had it sent again.
pub(super) fn doubted(connection: &mut AnyConnection, send: &SendRow) -> Result<Option<i64>> {
    let before: Vec<(Option<Outcome>, i64)> = message_attempt::table
        .filter(message_attempt::send_id.eq(send.id))
        .filter(message_attempt::number.lt(send.number))
        .order(message_attempt::number.desc())
        .limit(BEFORE)
        .select((message_attempt::outcome, message_attempt::started_at))
        .load(connection)?;
    let counts = |outcome: Option<Outcome>| {
        matches!(outcome, Some(Outcome::Uncertain | Outcome::Retry | Outcome::NotNow))
    };
    let counted = before.into_iter().filter(|(outcome, _)| counts(*outcome));
    let of_now = counted.take(usize::try_from(send.attempts - 1).unwrap_or_default());
    Ok(of_now.filter(|(outcome, _)| *outcome == Some(Outcome::Uncertain)).map(|(_, at)| at).last())
}

/// When the attempt began that is under way, the database's unix milliseconds.
pub(super) fn started(connection: &mut AnyConnection, send: &SendRow) -> Result<i64> {
    Ok(message_attempt::table
        .find((send.id, send.number))
        .select(message_attempt::started_at)
        .get_result(connection)?)
}

/// Writes down how an attempt ended.
pub(super) fn end_attempt(connection: &mut AnyConnection, attempt: &AttemptRow) -> Result<()> {
    diesel::update(message_attempt::table.find((attempt.send_id, attempt.number)))
        .set((
            message_attempt::phase.eq(attempt.phase.as_str()),
            message_attempt::outcome.eq(attempt.outcome.map(|outcome| outcome.as_str())),
            message_attempt::http_status.eq(attempt.http_status),
            message_attempt::code.eq(attempt.code.as_deref()),
            message_attempt::message.eq(attempt.message.as_deref()),
            message_attempt::ended_at.eq(attempt.ended_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// Writes down how an account is.
pub(super) fn set_health(connection: &mut AnyConnection, id: ChannelAccountId, health: Health) -> Result<()> {
    diesel::update(channel_account::table.filter(channel_account::id.eq(id)))
        .set((
            channel_account::fail_streak.eq(health.streak),
            channel_account::paused_until.eq(health.paused_until),
            channel_account::pause_reason.eq(health.reason.map(|reason| reason.as_str())),
        ))
        .execute(connection)?;
    Ok(())
}

/// Sends whose lease is over, each with how far its attempt came.
pub(super) fn abandoned(
    connection: &mut AnyConnection,
    database_now: i64,
    limit: i64,
) -> Result<Vec<(SendRow, Phase)>> {
    let rows: Vec<SendRow> = message_send::table
        .filter(message_send::status.eq(SendStatus::Sending.as_str()))
        // Of what is on its way only; the index has nothing else.
        .filter(message_send::lease_owner.is_not_null())
        .filter(message_send::lease_until.le(database_now))
        .order(message_send::lease_until.asc())
        .limit(limit)
        .select(SendRow::as_select())
        .load(connection)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let phase: Phase = message_attempt::table
            .find((row.id, row.number))
            .select(message_attempt::phase)
            .get_result(connection)?;
        found.push((row, phase));
    }
    Ok(found)
}

/// Sends that wait for an account that was deleted.
pub(super) fn orphaned(connection: &mut AnyConnection, limit: i64) -> Result<Vec<MessageSendId>> {
    let ranks: Vec<i64> = MessagePriority::ALL.iter().map(|priority| priority.rank()).collect();
    let deleted: Vec<ChannelAccountId> = on!(connection, inner => channel_account::table
        .filter(channel_account::deleted_at.is_not_null())
        .filter(exists(message_send::table
            .filter(message_send::account_id.eq(channel_account::id))
            .filter(message_send::status.eq(SendStatus::Unsent.as_str()))
            .filter(message_send::priority.eq_any(&ranks))))
        .limit(1)
        .select(channel_account::id)
        .load(inner))?;
    let Some(account) = deleted.first() else { return Ok(Vec::new()) };
    Ok(message_send::table
        .filter(message_send::account_id.eq(account))
        .filter(message_send::status.eq(SendStatus::Unsent.as_str()))
        .limit(limit)
        .select(message_send::id)
        .load(connection)?)
}

/// Ends sends that wait for an account that was deleted.
pub(super) fn fail_orphaned(connection: &mut AnyConnection, ids: &[MessageSendId], now: i64) -> Result<()> {
    on!(connection, inner => diesel::update(message_send::table
        .filter(message_send::id.eq_any(ids))
        .filter(message_send::status.eq(SendStatus::Unsent.as_str())))
        .set((
            message_send::status.eq(SendStatus::Failed.as_str()),
            message_send::reason.eq(SendReason::Account.as_str()),
            message_send::updated_at.eq(now),
        ))
        .execute(inner))?;
    Ok(())
}
