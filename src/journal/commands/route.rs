//! Giving waiting conversations to agents, or offering them. Who gets what stands in `domain::routing`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::AssignmentReason;
use crate::domain::routing::plan;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::{PIECE, Wants};
use crate::kernel::{Code, Error, Result};

/// Give the tenant's waiting conversations to agents who fit and have room, at most [`PIECE`] at a time, and end its offers
/// that are overdue or hold no longer. The service's own command: submitted whenever something may have become possible,
/// and as often as one likes. While the answer says `more`, it is repeated.
#[derive(Debug, Clone, Copy)]
pub struct Route;

impl JournalCommand for Route {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.routing.insert(actor.tenant());
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        if !matches!(context.actor, Principal::System(_)) {
            return Err(Error::new(Code::Forbidden, "only the service itself routes"));
        }
        let tenant = context.tenant;
        // What that frees was not loaded: it is given away by the next one.
        if context.settle_offers()? {
            return Ok(Reply { more: true, ..Reply::default() });
        }
        let Some(settings) = context.set.tenants.get(&tenant).map(|facts| facts.settings.routing) else {
            return Ok(Reply::default());
        };
        let mut candidates = context.set.candidates(tenant);
        let queue = context.set.queue(tenant);
        let plan = plan(&settings, context.set.now, &queue, &mut candidates, PIECE);
        let more = plan.choices.len() == PIECE;
        for choice in plan.choices {
            match settings.offer_seconds {
                Some(seconds) => context.make_offer(choice.conversation, choice.agent, seconds)?,
                None => context.hand_to(choice.conversation, choice.agent, AssignmentReason::Routing, "")?,
            }
        }
        Ok(Reply { more, ..Reply::default() })
    }
}
