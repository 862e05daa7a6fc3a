//! The store as the source of what is asked about notifications.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::notification;
use crate::domain::centre::notification::NotificationRow;
use crate::journal::wants::notification_source::NotificationSource;
use crate::kernel::{MemberId, MessageSendId, NotificationId, Result};
use crate::on;

impl NotificationSource for AnyConnection {
    fn notifications_of(&mut self, sends: &[MessageSendId]) -> Result<Vec<NotificationRow>> {
        Ok(on!(self, inner => notification::table
            .filter(notification::send_id.eq_any(sends))
            .select(NotificationRow::as_select())
            .load(inner))?)
    }

    fn notifications(&mut self, ids: &[NotificationId]) -> Result<Vec<NotificationRow>> {
        Ok(on!(self, inner => notification::table
            .filter(notification::id.eq_any(ids))
            .select(NotificationRow::as_select())
            .load(inner))?)
    }

    fn unread_notifications(
        &mut self,
        members: &[MemberId],
        until: NotificationId,
        limit: usize,
    ) -> Result<Vec<NotificationRow>> {
        Ok(on!(self, inner => notification::table
            .filter(notification::member_id.eq_any(members))
            .filter(notification::read_at.is_null())
            .filter(notification::id.le(until))
            .order(notification::id.asc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select(NotificationRow::as_select())
            .load(inner))?)
    }
}
