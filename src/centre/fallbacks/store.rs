//! Queries over `message_fallback`. They are of the sends that they are given, or of all tenants; each row carries its own.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{message_fallback, message_send};
use crate::domain::centre::fallback::FallbackRow;
use crate::domain::centre::send::{SendRow, SendStatus};
use crate::kernel::{MessageSendId, Result};
use crate::{holding, on};

/// Plans of one statement: a message is at most 256 KiB, and MySQL takes 16 MiB unless it is told otherwise.
const TOGETHER: usize = 16;

/// Stores plans.
pub fn insert(connection: &mut AnyConnection, rows: &[FallbackRow]) -> Result<()> {
    for some in rows.chunks(TOGETHER) {
        on!(connection, inner => diesel::insert_into(message_fallback::table).values(some).execute(inner))?;
    }
    Ok(())
}

/// The plans of these sends.
pub fn of(connection: &mut AnyConnection, sends: &[MessageSendId]) -> Result<Vec<FallbackRow>> {
    Ok(on!(connection, inner => message_fallback::table
        .filter(message_fallback::send_id.eq_any(sends))
        .order(message_fallback::send_id.asc())
        .select(FallbackRow::as_select())
        .load(inner))?)
}

/// The sends of plans.
pub fn sends(connection: &mut AnyConnection, plans: &[FallbackRow]) -> Result<Vec<SendRow>> {
    let ids: Vec<MessageSendId> = plans.iter().map(|plan| plan.send_id).collect();
    Ok(on!(connection, inner => message_send::table
        .filter(message_send::id.eq_any(&ids))
        .select(SendRow::as_select())
        .load(inner))?)
}

/// Sends whose plans are to be looked at, the longest due first.
pub fn due(connection: &mut AnyConnection, now: i64, limit: i64) -> Result<Vec<MessageSendId>> {
    Ok(message_fallback::table
        .filter(message_fallback::due_at.le(now))
        .order(message_fallback::due_at.asc())
        .limit(limit)
        .select(message_fallback::send_id)
        .load(connection)?)
}

/// Holds sends until the end of the transaction.
pub fn hold(connection: &mut AnyConnection, sends: &[MessageSendId]) -> Result<()> {
    let _: Vec<MessageSendId> = holding!(
        connection,
        message_send::table
            .filter(message_send::id.eq_any(sends))
            .order(message_send::id.asc())
            .select(message_send::id)
    )?;
    Ok(())
}

/// Ends a send whose time is over; `false` when it does not wait any more.
pub fn expire(connection: &mut AnyConnection, send: MessageSendId, now: i64) -> Result<bool> {
    let waiting = message_send::table
        .filter(message_send::id.eq(send))
        .filter(message_send::status.eq(SendStatus::Unsent.as_str()));
    let changed = diesel::update(waiting)
        .set((message_send::status.eq(SendStatus::Expired.as_str()), message_send::updated_at.eq(now)))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Uses a plan up; `false` when somebody else did.
pub fn take(connection: &mut AnyConnection, send: MessageSendId) -> Result<bool> {
    Ok(diesel::delete(message_fallback::table.find(send)).execute(connection)? == 1)
}

/// Says when a plan is to be looked at again.
pub fn put_off(connection: &mut AnyConnection, send: MessageSendId, due: Option<i64>) -> Result<()> {
    diesel::update(message_fallback::table.find(send))
        .set(message_fallback::due_at.eq(due))
        .execute(connection)?;
    Ok(())
}
