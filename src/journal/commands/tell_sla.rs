//! Telling the staff that the target of an SLA clock is near or missed. The clocks stand in `domain::sla`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::EntryKind;
use crate::domain::notice::SlaContent;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// Tell what is to be told of the clocks of a conversation. Whoever asks says how far it has read the log: when something was
/// written since then, before or behind the conversation, nothing is told, because a clock may have ended, or somebody else may
/// have told it. The service's own command: submitted as often as one likes, and by several at once.
#[derive(Debug, Clone)]
pub struct TellSla {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Up to which rev the log was read.
    pub through_rev: i64,
    /// What is to be told: [`EntryKind::SlaWarned`] or [`EntryKind::SlaBreached`], and of which clock.
    pub told: Vec<(EntryKind, SlaContent)>,
}

impl JournalCommand for TellSla {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        let front = self.conversation;
        let Ok(row) = context.conversation(front) else { return Ok(Reply::default()) };
        let behind = row.backstage_id.map(|id| context.conversation(id)).transpose()?;
        let last_rev = behind.map_or(0, |behind| behind.last_rev).max(row.last_rev);
        if row.kind != ConversationKind::Support || last_rev > self.through_rev || self.told.is_empty() {
            return Ok(Reply::default());
        }
        let log = context.backstage(front)?;
        for (kind, content) in &self.told {
            context.append_notice(log, *kind, content, None)?;
        }
        Ok(Reply::about(front))
    }
}
