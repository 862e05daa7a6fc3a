//! What commands want to know of notifications: whether a message made one already, and those that are read. No I/O.

use super::{Source, Wants, listed};
use crate::domain::centre::notification::AT_ONCE;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{MemberId, Result};

/// Loads it.
pub(super) fn load(source: &mut dyn Source, set: &mut WorkingSet, wants: &Wants) -> Result<()> {
    let mut found = Vec::new();
    if !wants.notified.is_empty() {
        found.extend(source.notifications_of(&listed(&wants.notified))?);
    }
    if !wants.notifications.is_empty() {
        found.extend(source.notifications(&listed(&wants.notifications))?);
    }
    for (reader, until) in &wants.unread {
        let merged = set.merged.get(reader).into_iter().flatten().copied();
        let members: Vec<MemberId> = std::iter::once(*reader).chain(merged).collect();
        let unread = source.unread_notifications(&members, *until, AT_ONCE + 1)?;
        if unread.len() > AT_ONCE {
            set.many_unread.insert(*reader);
        }
        found.extend(unread);
    }
    for row in found {
        set.notified.insert(row.send_id, row.id);
        set.notifications.load(row.id, row);
    }
    Ok(())
}
