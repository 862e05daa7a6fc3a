//! Telling a member something inside the product.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::centre::notification::NotificationRow;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Error, MemberId, MessageSendId, NotificationId, Result};

/// Tell a member what a message says. The same message again changes nothing, and is answered alike. Errors:
/// `not_found` for who is no more, or may not use its account.
#[derive(Debug, Clone)]
pub struct Notify {
    /// The message.
    pub send: MessageSendId,
    /// Who is told.
    pub member: MemberId,
    /// The title.
    pub title: String,
    /// The text; may be empty.
    pub body: String,
    /// Where it leads.
    pub link: Option<String>,
    /// JSON for the client.
    pub data: Option<String>,
}

impl JournalCommand for Notify {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.members.insert(self.member);
        wants.notified.insert(self.send);
    }

    fn bytes(&self) -> usize {
        let words = self.title.len() + self.body.len();
        words + [&self.link, &self.data].into_iter().flatten().map(String::len).sum::<usize>()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        if let Some(known) = context.set.notified.get(&self.send) {
            return Ok(Reply { notification: Some(*known), duplicate: true, ..Reply::default() });
        }
        let facts = context.facts(self.member).ok_or_else(Error::not_found)?;
        // A visitor who was recognised meanwhile is told as who it is now.
        let member = facts.merged_into.unwrap_or(self.member);
        if facts.merged_into.is_none() && !facts.is_usable(context.set.now) {
            return Err(Error::not_found());
        }
        let row = NotificationRow {
            id: NotificationId(context.set.ids.next()?),
            tenant_id: context.tenant,
            member_id: member,
            send_id: self.send,
            title: self.title.clone(),
            body: self.body.clone(),
            link: self.link.clone(),
            data: self.data.clone(),
            created_at: context.set.now,
            read_at: None,
            rev: context.rev(),
        };
        let id = row.id;
        context.set.notified.insert(self.send, id);
        context.set.notifications.create(id, row);
        Ok(Reply { notification: Some(id), ..Reply::default() })
    }
}
