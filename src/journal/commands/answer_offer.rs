//! Accepting or declining an offer.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::ConversationStatus;
use crate::domain::offer::{OfferRow, OfferState};
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

/// Accept or decline the conversation that is offered to the actor. Repeating an answer changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct AnswerOffer {
    /// What is offered.
    pub conversation: ConversationId,
    /// Whether the actor takes it.
    pub accept: bool,
}

impl JournalCommand for AnswerOffer {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.assignments = true;
        if let Some(actor) = actor.member() {
            wants.agents.insert(actor);
            wants.offers.insert((self.conversation, actor));
        }
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, actor) = (self.conversation, context.actor_member()?);
        let Some(offer) = last_offer(context, front, actor) else {
            // Who never had an offer learns no more than others do.
            context.support(front)?;
            context.require(front, Operation::Claim)?;
            return Err(ended(context, front, "this conversation is not offered to you"));
        };
        let row = context.conversation(front)?;
        let holds = row.agent_id == Some(actor) && row.status == Some(ConversationStatus::Pending);
        let repeated = match self.accept {
            true => holds,
            false => offer.state == OfferState::Declined,
        };
        if repeated {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        let row = context.conversation(front)?;
        if offer.state != OfferState::Offered || offer.expires_at <= context.set.now {
            return Err(ended(context, front, Code::OfferEnded.meaning()));
        }
        if offer.is_transfer() {
            // Whom a colleague asks may take it, as who is given it gets it, whatever it sees by its groups.
            context.allow(Operation::AnswerOffer)?;
            if !context.is_still_given(&offer)? {
                return Err(ended(context, front, "who offered the conversation does not serve it any more"));
            }
        } else {
            if row.status != Some(ConversationStatus::Open) {
                return Err(ended(context, front, "the conversation does not wait any more"));
            }
            context.require(front, Operation::Claim)?;
        }
        match self.accept {
            true => context.accept_offer(&offer)?,
            false => context.decline_offer(&offer)?,
        }
        Ok(Reply::about(front))
    }
}

fn last_offer(context: &CommandContext<'_>, front: ConversationId, agent: MemberId) -> Option<OfferRow> {
    let tenant = context.tenant;
    let offers = context.set.offers.values();
    let own = offers.filter(|offer| {
        offer.tenant_id == tenant && offer.conversation_id == front && offer.agent_id == agent
    });
    own.last().cloned()
}

fn ended(context: &CommandContext<'_>, front: ConversationId, detail: &'static str) -> Error {
    let error = Error::new(Code::OfferEnded, detail);
    match context.conversation(front) {
        Ok(row) => error.with("status", row.status),
        Err(_) => error,
    }
}
