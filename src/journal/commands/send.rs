//! Sending a message to a conversation or to the backstage log behind it.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::journal::command::{Draft, LogRef, Reply};
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::Result;

/// Send a message.
#[derive(Debug, Clone)]
pub struct Send {
    /// Where.
    pub log: LogRef,
    /// What.
    pub draft: Draft,
    /// How far the sending device has displayed the log.
    pub read_seq: Option<i64>,
}

impl JournalCommand for Send {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.log.id());
        wants.attachments.extend(self.draft.body.attachment_id());
        if let Some(sender) = actor.member() {
            wants.keys.insert((self.log, sender, self.draft.client_msg_id.clone()));
        }
    }

    fn bytes(&self) -> usize {
        self.draft.body.content.len()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.send(self.log, &self.draft, self.read_seq)
    }
}
