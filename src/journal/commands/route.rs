//! Giving waiting conversations to agents, or offering them. Who gets what stands in `domain::routing`.

use std::collections::HashMap;

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::AssignmentReason;
use crate::domain::routing::{Choice, plan};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{MemberId, Result};

/// Do what a look at the tenant chose ([`crate::journal::routable`]), as far as it still can be done, and end the tenant's
/// offers that are overdue or hold no longer. The service's own command, submitted as often as one likes. When the answer
/// says `more`, another look finds what has changed: offers ended, or a chosen agent has no room any more.
///
/// Nobody else is chosen here. An agent who has room only since the look may suit a conversation that waits in front of
/// these, and which the look passed over because nobody had room for it.
#[derive(Debug, Clone)]
pub struct Route {
    /// In the order of the queue, at most [`crate::journal::wants::PIECE`].
    pub choices: Vec<Choice>,
}

impl JournalCommand for Route {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.routing.insert(actor.tenant());
        wants.routed.extend(self.choices.iter().map(|choice| choice.conversation));
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        let (tenant, now) = (context.tenant, context.set.now);
        let again = Reply { more: true, ..Reply::default() };
        // What that frees was not looked for.
        if context.settle_offers()? {
            return Ok(again);
        }
        let settings = context.settings().routing;
        let candidates = context.set.candidates(tenant).into_iter().map(|one| (one.member, one));
        let mut candidates: HashMap<MemberId, _> = candidates.collect();
        let conversations: Vec<_> = self.choices.iter().map(|choice| choice.conversation).collect();
        let queue = context.set.queue(tenant, &conversations).into_iter().map(|one| (one.conversation, one));
        let mut queue: HashMap<_, _> = queue.collect();
        for chosen in &self.choices {
            // Somebody else has it.
            let Some(waiting) = queue.remove(&chosen.conversation) else { continue };
            let candidate = candidates.get_mut(&chosen.agent).map(std::slice::from_mut);
            let made = plan(&settings, now, &[waiting], candidate.unwrap_or_default(), 1);
            // It comes before those behind it, also with the agents whom the look chose for them.
            let [choice] = made.choices[..] else { return Ok(again) };
            match settings.offer_seconds {
                Some(seconds) => context.make_offer(choice.conversation, choice.agent, seconds)?,
                None => context.hand_to(choice.conversation, choice.agent, AssignmentReason::Routing, "")?,
            }
        }
        Ok(Reply::default())
    }
}
