//! Notifications in the simulation's memory. No step makes any: `tests/api/centre/in_app.rs` holds their promises.

use super::memory::Memory;
use crate::domain::centre::notification::NotificationRow;
use crate::journal::wants::notification_source::NotificationSource;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{MemberId, MessageSendId, NotificationId, Result};

impl NotificationSource for Memory {
    fn notifications_of(&mut self, sends: &[MessageSendId]) -> Result<Vec<NotificationRow>> {
        Ok(self.notifications.values().filter(|row| sends.contains(&row.send_id)).cloned().collect())
    }

    fn notifications(&mut self, ids: &[NotificationId]) -> Result<Vec<NotificationRow>> {
        Ok(ids.iter().filter_map(|id| self.notifications.get(id).cloned()).collect())
    }

    fn unread_notifications(
        &mut self,
        members: &[MemberId],
        until: NotificationId,
        limit: usize,
    ) -> Result<Vec<NotificationRow>> {
        let unread = self.notifications.values().filter(|row| row.read_at.is_none() && row.id <= until);
        Ok(unread.filter(|row| members.contains(&row.member_id)).take(limit).cloned().collect())
    }
}

/// Loads every notification.
pub(super) fn load_all(memory: &Memory, set: &mut WorkingSet) {
    for (id, row) in &memory.notifications {
        set.notified.insert(row.send_id, *id);
        set.notifications.load(*id, row.clone());
    }
}
