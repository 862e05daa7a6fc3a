//! Taking back the offer to hand a conversation over.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// Take back the offer to hand a conversation over: the serving agent may, and supervisors. Where nothing is offered,
/// nothing changes.
#[derive(Debug, Clone, Copy)]
pub struct WithdrawTransfer {
    /// What is offered.
    pub conversation: ConversationId,
}

impl JournalCommand for WithdrawTransfer {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.offered.insert(self.conversation);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let front = self.conversation;
        context.support(front)?;
        context.require(front, Operation::Transfer)?;
        let offers: Vec<_> = context.open_offers(front).filter(|offer| offer.is_transfer()).cloned().collect();
        if offers.is_empty() {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        let row = context.conversation(front)?;
        if !context.oversees(Operation::Transfer) && row.agent_id != context.actor.member() {
            return Err(wrong_state(row, "only the serving agent or a supervisor can take the offer back"));
        }
        for offer in offers {
            context.withdraw_offer(&offer)?;
        }
        context.bump_version(front)?;
        Ok(Reply::about(front))
    }
}
