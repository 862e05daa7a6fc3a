//! Giving waiting conversations to agents, or offering them. Who gets what stands in `domain::routing`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::AssignmentReason;
use crate::domain::routing::plan;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Result};

/// Give these waiting conversations to agents who fit and have room, as far as they still can be, and end the tenant's
/// offers that are overdue or hold no longer. The service's own command: submitted with what [`crate::journal::routable`]
/// found, as often as one likes. When the answer says `more`, offers ended: what they free is found by another look.
#[derive(Debug, Clone)]
pub struct Route {
    /// What may be given away, at most [`crate::journal::wants::PIECE`].
    pub conversations: Vec<ConversationId>,
}

impl JournalCommand for Route {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.routing.insert(actor.tenant());
        wants.routed.extend(&self.conversations);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        let tenant = context.tenant;
        // What that frees was not looked for.
        if context.settle_offers()? {
            return Ok(Reply { more: true, ..Reply::default() });
        }
        let settings = context.settings().routing;
        let mut candidates = context.set.candidates(tenant);
        let queue = context.set.queue(tenant, &self.conversations);
        for choice in plan(&settings, context.set.now, &queue, &mut candidates, queue.len()).choices {
            match settings.offer_seconds {
                Some(seconds) => context.make_offer(choice.conversation, choice.agent, seconds)?,
                None => context.hand_to(choice.conversation, choice.agent, AssignmentReason::Routing, "")?,
            }
        }
        Ok(Reply::default())
    }
}
