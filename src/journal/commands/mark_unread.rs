//! Moving the read position back.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::MemberType;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// Move the read position back (or forward) and start a new version.
#[derive(Debug, Clone)]
pub struct MarkUnread {
    /// The conversation or room; not a backstage log.
    pub conversation: ConversationId,
    /// The last entry that counts as read.
    pub seq: i64,
}

impl JournalCommand for MarkUnread {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, actor) = (self.conversation, context.actor_member()?);
        if !context.is_room(front)? {
            context.support(front)?;
        }
        context.require_position(front)?;
        let (rev, head) = (context.rev(), context.conversation(front)?.seq);
        let mut read = None;
        if let Some(row) = context.participant_mut(front, actor) {
            // A customer was there from the start of its conversation; staff read the whole log, so they may go back
            // to the beginning, also before they joined.
            let first = if row.member_type == MemberType::Customer { row.joined_seq } else { 0 };
            row.read_seq = self.seq.clamp(first.min(head), head);
            row.read_ver += 1;
            row.rev = rev;
            read = Some((row.read_seq, row.read_ver));
        }
        Ok(Reply { read, ..Reply::about(front) })
    }
}
