//! What is asked of the store about notifications. No I/O.

use crate::domain::centre::notification::NotificationRow;
use crate::kernel::{MemberId, MessageSendId, NotificationId, Result};

/// What is asked of a [`super::Source`] about notifications.
#[allow(missing_docs, reason = "each question is its signature")]
pub trait NotificationSource {
    /// Those that these messages made.
    fn notifications_of(&mut self, sends: &[MessageSendId]) -> Result<Vec<NotificationRow>>;
    fn notifications(&mut self, ids: &[NotificationId]) -> Result<Vec<NotificationRow>>;
    /// The oldest unread ones of these members up to this one, at most `limit`.
    fn unread_notifications(
        &mut self,
        members: &[MemberId],
        until: NotificationId,
        limit: usize,
    ) -> Result<Vec<NotificationRow>>;
}
