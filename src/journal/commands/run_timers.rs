//! What silence brings in conversations that are served: reminders and the automatic end. The rules stand in
//! `domain::timers`.

use std::collections::BTreeSet;

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::CloseReason;
use crate::domain::timers::Due;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::{PIECE, Wants};
use crate::kernel::{ConversationId, Result};

/// Do in these conversations what is due now: remind the customer or the agent, close, or hand over from a bot. What is not
/// due, or not there, is left alone. The service's own command: submitted with what [`crate::journal::overdue`] found, as often as one likes.
#[derive(Debug, Clone)]
pub struct RunTimers {
    /// Where something may be due, at most [`PIECE`]; more are left alone.
    pub conversations: BTreeSet<ConversationId>,
}

impl JournalCommand for RunTimers {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.extend(self.conversations.iter().take(PIECE));
        wants.turns.extend(self.conversations.iter().take(PIECE));
        wants.assignments = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        let mut all = Vec::new();
        for front in self.conversations.iter().take(PIECE) {
            all.extend(context.due_in(*front)?.map(|due| (*front, due)));
        }
        for (front, due) in all {
            match due {
                Due::RemindAgent => context.remind_agent(front)?,
                Due::RemindCustomer => context.remind_customer(front)?,
                Due::Close => context.end(front, CloseReason::TimedOut)?,
                Due::HandOff(reason) => context.hand_off(front, reason, "")?,
            }
        }
        Ok(Reply::default())
    }
}
