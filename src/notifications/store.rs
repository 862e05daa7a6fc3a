//! Queries over `notification`.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{member, notification};
use crate::domain::actor::Actor;
use crate::domain::centre::notification::{AT_ONCE, Notification, NotificationRow};
use crate::kernel::{MemberId, NotificationId, Result, TenantId};
use crate::on;

/// Unread notifications are counted up to here.
const COUNTED: i64 = 1_000;
/// Visitors who were recognised as one customer and whose notifications are its own, at most: the latest.
const MERGED: i64 = 100;

/// Whose notifications are the actor's own: its own, and those of the visitors who were recognised as it.
pub fn own(connection: &mut AnyConnection, actor: &Actor) -> Result<Vec<MemberId>> {
    let mut own = vec![actor.member];
    if !actor.role.is_staff() {
        let merged: Vec<MemberId> = member::table
            .filter(member::tenant_id.eq(actor.tenant))
            .filter(member::merged_into.eq(actor.member))
            .order(member::id.desc())
            .limit(MERGED)
            .select(member::id)
            .load(connection)?;
        own.extend(merged);
    }
    Ok(own)
}

/// Notifications of these members before one, the newest first, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    own: &[MemberId],
    unread: Option<bool>,
    before: Option<NotificationId>,
    limit: i64,
) -> Result<Vec<NotificationRow>> {
    let before = before.unwrap_or(NotificationId(i64::MAX));
    Ok(on!(connection, inner => {
        let mut query = notification::table
            .filter(notification::member_id.eq_any(own))
            .filter(notification::id.lt(before))
            .order(notification::id.desc())
            .limit(limit)
            .select(NotificationRow::as_select())
            .into_boxed();
        query = match unread {
            Some(true) => query.filter(notification::read_at.is_null()),
            Some(false) => query.filter(notification::read_at.is_not_null()),
            None => query,
        };
        query.load(inner)
    })?)
}

/// How many notifications of these members are unread, up to 1000.
pub fn unread(connection: &mut AnyConnection, own: &[MemberId]) -> Result<i64> {
    let ids: Vec<NotificationId> = on!(connection, inner => notification::table
        .filter(notification::member_id.eq_any(own))
        .filter(notification::read_at.is_null())
        .limit(COUNTED)
        .select(notification::id)
        .load(inner))?;
    Ok(i64::try_from(ids.len()).unwrap_or(COUNTED))
}

/// The notifications of a member that were made or read after one rev and up to another: the newest 100, in order of rev.
pub fn since(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    (after, until): (i64, i64),
) -> Result<Vec<Notification>> {
    let mut rows: Vec<NotificationRow> = notification::table
        .filter(notification::tenant_id.eq(tenant))
        .filter(notification::member_id.eq(member))
        .filter(notification::rev.gt(after))
        .filter(notification::rev.le(until))
        .order((notification::rev.desc(), notification::id.desc()))
        .limit(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
        .select(NotificationRow::as_select())
        .load(connection)?;
    rows.reverse();
    Ok(rows.iter().map(Notification::from).collect())
}
