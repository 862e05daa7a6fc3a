//! Marking notifications as read.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::centre::notification::{AT_ONCE, NotificationRow, WhichNotifications};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Error, MemberId, Result};

/// Mark notifications of the actor as read. Those that are read already stay as they are. Errors: `not_found` when one of
/// them is not the actor's; then none is marked.
#[derive(Debug, Clone)]
pub struct ReadNotifications {
    /// Which.
    pub which: WhichNotifications,
}

impl JournalCommand for ReadNotifications {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        match &self.which {
            WhichNotifications::These(ids) => wants.notifications.extend(ids),
            WhichNotifications::Until(last) => {
                wants.unread.extend(actor.member().map(|member| (member, *last)));
            }
        }
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let actor = context.actor_member()?;
        // What a visitor was told before it was recognised is its own, too.
        let merged = context.set.merged.get(&actor).into_iter().flatten().copied();
        let own: Vec<MemberId> = std::iter::once(actor).chain(merged).collect();
        let is_own = |row: &&NotificationRow| row.tenant_id == context.tenant && own.contains(&row.member_id);
        let mut ids = Vec::new();
        let mut more = false;
        match &self.which {
            WhichNotifications::These(named) => {
                for id in named {
                    let row = context.set.notifications.get(id).filter(is_own).ok_or_else(Error::not_found)?;
                    ids.extend(row.read_at.is_none().then_some(*id));
                }
            }
            WhichNotifications::Until(last) => {
                let unread = context.set.notifications.values().filter(is_own);
                let unread = unread.filter(|row| row.read_at.is_none() && row.id <= *last);
                ids.extend(unread.map(|row| row.id));
                // Another command of the batch may have read what was loaded: then it is not known what is left.
                more = ids.len() > AT_ONCE || context.set.many_unread.contains(&actor);
                ids.truncate(AT_ONCE);
            }
        }
        if ids.is_empty() {
            return Ok(Reply::default());
        }
        let (rev, now) = (context.rev(), context.set.now);
        for id in ids {
            if let Some(row) = context.set.notifications.get_mut(&id) {
                (row.read_at, row.rev, row.member_id) = (Some(now), rev, actor);
            }
        }
        Ok(Reply { more, ..Reply::default() })
    }
}
