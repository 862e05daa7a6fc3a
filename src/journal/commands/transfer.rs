//! Handing a conversation over to another agent or to a group. The table of legal moves stands in `decide::serve`, the
//! guard against circles in `decide::transfer`.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentEnd, AssignmentReason, ConversationStatus};
use crate::domain::member::Role;
use crate::domain::permission::Operation;
use crate::domain::presence::PresenceStatus;
use crate::domain::offer::{OfferRow, OfferState};
use crate::domain::transfer::{Receiver, TransferMode, TransferReason};
use crate::journal::command::Reply;
use crate::journal::decide::log::Words;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, GroupId, MemberId, Millis, Result};

/// Hand a conversation over: the serving agent may, and supervisors. To an agent who is there (supervisors: to anybody of
/// the staff but themselves), who serves it from then on or is asked first; or to a group. To one that serves as a whole it
/// is docked; in another one's queue it waits among those that came back from an agent, and routing passes the former agent
/// over as long as there is somebody else. A full or closed queue refuses no transfer: the customer is being served already.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Which.
    pub conversation: ConversationId,
    /// To whom.
    pub to: Receiver,
    /// At once, or when the agent accepts; a group is never asked.
    pub mode: TransferMode,
    /// Why, in one word.
    pub reason: Option<TransferReason>,
    /// Why, for the staff; may be empty.
    pub note: String,
}

impl JournalCommand for Transfer {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.transfers.insert(self.conversation);
        wants.assignments = true;
        match self.to {
            Receiver::Agent(agent) => {
                wants.members.insert(agent);
                wants.agents.insert(agent);
                if self.mode == TransferMode::Offer {
                    wants.offered.insert(self.conversation);
                }
            }
            Receiver::Group(group) => {
                wants.groups.insert(group);
                wants.staffed.insert(group);
                wants.restarts = true;
            }
        }
    }

    fn bytes(&self) -> usize {
        self.note.len()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.support(self.conversation)?;
        match self.to {
            Receiver::Agent(agent) => self.give_to_agent(context, agent)?,
            Receiver::Group(group) => self.give_to_group(context, group)?,
        }
        Ok(Reply::about(self.conversation))
    }
}

impl Transfer {
    const fn words(&self) -> Words<'_> {
        Words { note: self.note.as_str(), reason: self.reason }
    }

    fn give_to_agent(&self, context: &mut CommandContext<'_>, agent: MemberId) -> Result<()> {
        let (front, actor) = (self.conversation, context.actor_member()?);
        // Who handed it over is no longer in it; saying it again finds that it is done.
        let row = context.conversation(front)?;
        let done = row.status == Some(ConversationStatus::Pending) && row.agent_id == Some(agent);
        let served = context.participant(front, actor).is_some();
        if done && agent != actor && served && context.actor.role().is_some_and(Role::is_staff) {
            return Ok(());
        }
        context.require(front, Operation::Transfer)?;
        if agent == actor {
            return Err(Error::field("/agent_id", "invalid", "nobody hands a conversation over to itself"));
        }
        context.require_staff(agent, "/agent_id")?;
        let asks = self.mode == TransferMode::Offer;
        let standing = if asks { standing(context, front)? } else { None };
        if done || standing.as_ref().is_some_and(|offer| offer.agent_id == agent) {
            return Ok(());
        }
        context.require_version(front)?;
        self.require_own(context)?;
        if asks || !context.oversees(Operation::Transfer) {
            let effective = context.agent(agent)?.effective();
            if !matches!(effective, PresenceStatus::Online | PresenceStatus::Busy) {
                let error = Error::new(Code::AgentAbsent, "the agent is not there");
                return Err(error.with("agent_id", agent).with("effective_status", effective));
            }
        }
        context.require_no_circle(front, self.to)?;
        if asks {
            return self.ask(context, agent, standing);
        }
        let row = context.transfer_row(front, self.to, self.words())?;
        context.hand_to(front, agent, AssignmentReason::Transfer, self.words())?;
        context.set.made_transfers.push(row);
        Ok(())
    }

    fn ask(&self, context: &mut CommandContext<'_>, agent: MemberId, standing: Option<OfferRow>) -> Result<()> {
        let front = self.conversation;
        let row = context.conversation(front)?;
        if row.agent_id.is_none() {
            return Err(wrong_state(row, "a whole group serves the conversation: there is nobody to ask for"));
        }
        context.require_capacity(agent, AssignmentReason::Transfer)?;
        if let Some(offer) = standing {
            let error = Error::new(Code::OfferPending, "the conversation is offered to another agent");
            return Err(error.with("agent_id", offer.agent_id).with("expires_at", Millis(offer.expires_at)));
        }
        // Those that are left do not hold any more.
        let left: Vec<OfferRow> = context.open_offers(front).cloned().collect();
        left.iter().try_for_each(|offer| context.settle(offer))?;
        context.offer_transfer(front, agent, self.words())
    }

    fn give_to_group(&self, context: &mut CommandContext<'_>, group: GroupId) -> Result<()> {
        let (front, actor) = (self.conversation, context.actor_member()?);
        // As above, and the group may lie out of its sight.
        let row = context.conversation(front)?;
        let waits = row.status == Some(ConversationStatus::Open) && row.group_id == Some(group);
        let last = context.last_transfer(front)?.filter(|last| {
            waits && last.went_to(self.to) && Some(last.at) == row.waiting_since
        });
        // Where the whole group serves it is docked at once, and stays so.
        let docked = context.conversation(front)?.docked_to() == Some(group) && context.docks(group);
        let before = context.last_transfer(front)?.filter(|last| docked && last.went_to(self.to));
        let last = last.or(before);
        let own = last.is_some_and(|last| last.transferred_by == Some(actor));
        let done = docked || last.is_some();
        if own && context.actor.role().is_some_and(Role::is_staff) {
            return Ok(());
        }
        context.require(front, Operation::Transfer)?;
        context.require_group(group, "/group_id")?;
        if done {
            return Ok(());
        }
        context.require_version(front)?;
        self.require_own(context)?;
        // Who serves it gives it away.
        context.require_somebody(group, context.serving(front)?)?;
        context.require_no_circle(front, self.to)?;
        let row = context.transfer_row(front, self.to, self.words())?;
        if context.conversation(front)?.group_id != Some(group) {
            context.move_to_group(front, Some(group))?;
        }
        context.free(front, AssignmentEnd::GroupTransfer, self.words())?;
        context.set.made_transfers.push(row);
        context.dock_if_whole(front)?;
        Ok(())
    }

    /// Fails unless an agent serves it: the actor, or anybody when the actor oversees the desk.
    fn require_own(&self, context: &CommandContext<'_>) -> Result<()> {
        let row = context.conversation(self.conversation)?;
        if row.status != Some(ConversationStatus::Pending) {
            return Err(wrong_state(row, "only a conversation that an agent serves can be handed over"));
        }
        match context.oversees(Operation::Transfer) || row.agent_id == context.actor.member() {
            true => Ok(()),
            false => Err(wrong_state(row, "only the serving agent or a supervisor can hand it over")),
        }
    }
}

/// The offer to hand this conversation over that holds and waits for its answer.
fn standing(context: &CommandContext<'_>, front: ConversationId) -> Result<Option<OfferRow>> {
    let mut standing = None;
    for offer in context.open_offers(front).filter(|offer| offer.is_transfer()) {
        if context.fate(offer)? == OfferState::Offered {
            standing = Some(offer.clone());
        }
    }
    Ok(standing)
}
