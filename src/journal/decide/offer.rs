//! Offers, of what waits by routing and of what is served by who serves it: made, answered, missed and withdrawn.
//!
//! Invariants: an agent has at most one offer of routing that waits, a conversation at most one offer; every end of an
//! offer is told to its agent, and of one to hand a conversation over, to the staff behind it; who lets offers of routing
//! pass again and again is set to away. A colleague's offer that was missed sets nobody to away, and keeps nobody from
//! what waits.

use super::CommandContext;
use super::log::Words;
use crate::domain::conversation::{AssignmentReason, ConversationStatus};
use crate::domain::entry::EntryKind;
use crate::domain::offer::{OfferRow, OfferState};
use crate::domain::presence::{AgentStatusRow, PresenceStatus};
use crate::domain::transfer::{Receiver, TransferRow};
use crate::kernel::{ConversationId, MemberId, OfferId, Result};

/// What a member's presence says when it let too many offers pass.
const MISSED_REASON: &str = "missed offers";

/// How long an agent has to answer a colleague where routing makes no offers, in seconds.
const TRANSFER_SECONDS: i64 = 60;

impl CommandContext<'_> {
    /// Offers a waiting conversation to an agent for so many seconds.
    pub(crate) fn make_offer(&mut self, front: ConversationId, agent: MemberId, seconds: i64) -> Result<()> {
        let offer = self.new_offer(front, agent, seconds)?;
        self.ask(offer)
    }

    /// Asks an agent whether it takes over a conversation from who serves it.
    pub(crate) fn offer_transfer(
        &mut self,
        front: ConversationId,
        agent: MemberId,
        words: Words<'_>,
    ) -> Result<()> {
        let seconds = self.settings().routing.offer_seconds.unwrap_or(TRANSFER_SECONDS);
        let (from_agent_id, offered_by) = (self.serving(front)?, self.actor.member());
        let (reason, note) = (words.reason, words.note.to_owned());
        let offer = self.new_offer(front, agent, seconds)?;
        self.ask(OfferRow { from_agent_id, offered_by, reason, note, ..offer })?;
        self.remark(front, EntryKind::Offered, words)
    }

    fn new_offer(&mut self, front: ConversationId, agent: MemberId, seconds: i64) -> Result<OfferRow> {
        let (now, id) = (self.set.now, OfferId(self.set.ids.next()?));
        Ok(OfferRow {
            id,
            tenant_id: self.tenant,
            conversation_id: front,
            agent_id: agent,
            state: OfferState::Offered,
            offered_at: now,
            expires_at: now.saturating_add(seconds.saturating_mul(1_000)),
            ended_at: None,
            rev: self.rev(),
            from_agent_id: None,
            offered_by: None,
            reason: None,
            note: String::new(),
        })
    }

    fn ask(&mut self, offer: OfferRow) -> Result<()> {
        let (front, card) = (offer.conversation_id, self.public_card(offer.agent_id));
        let log = self.backstage(front)?;
        self.set.offers.create(offer.id, offer);
        self.append_notice(log, EntryKind::Offered, &card, None)?;
        self.bump_version(front)
    }

    /// The offers of this conversation that wait for an answer, as far as they are loaded.
    pub(crate) fn open_offers(&self, front: ConversationId) -> impl Iterator<Item = &OfferRow> {
        self.set.outstanding(self.tenant).filter(move |offer| offer.conversation_id == front)
    }

    /// Ends an offer.
    pub(crate) fn end_offer(&mut self, id: OfferId, state: OfferState) {
        let (now, rev) = (self.set.now, self.rev());
        if let Some(row) = self.set.offers.get_mut(&id) {
            row.state = state;
            row.ended_at = Some(now);
            row.rev = rev;
        }
    }

    /// The agent takes what is offered to it.
    pub(crate) fn accept_offer(&mut self, offer: &OfferRow) -> Result<()> {
        let (front, agent) = (offer.conversation_id, offer.agent_id);
        match offer.is_transfer() {
            true => {
                let words = Words { note: offer.note.as_str(), reason: offer.reason };
                let row = self.transfer_row(front, Receiver::Agent(agent), words)?;
                self.hand_to(front, agent, AssignmentReason::Transfer, words)?;
                self.set.made_transfers.push(TransferRow { transferred_by: offer.offered_by, ..row });
            }
            false => self.hand_to(front, agent, AssignmentReason::Offer, "")?,
        }
        self.end_offer(offer.id, OfferState::Accepted);
        self.forget_misses(agent)
    }

    /// The agent does not want what is offered to it.
    pub(crate) fn decline_offer(&mut self, offer: &OfferRow) -> Result<()> {
        self.refuse(offer, OfferState::Declined, EntryKind::Declined)?;
        self.forget_misses(offer.agent_id)
    }

    /// Ends every offer of the tenant that is overdue or holds no longer. Tells whether there was one.
    pub(crate) fn settle_offers(&mut self) -> Result<bool> {
        let outstanding: Vec<OfferRow> = self.set.outstanding(self.tenant).cloned().collect();
        let before = outstanding.len();
        outstanding.iter().try_for_each(|offer| self.settle(offer))?;
        Ok(self.set.outstanding(self.tenant).count() < before)
    }

    /// Ends an offer that is overdue or holds no longer.
    pub(crate) fn settle(&mut self, offer: &OfferRow) -> Result<()> {
        match self.fate(offer)? {
            OfferState::Offered => Ok(()),
            OfferState::Missed => {
                self.refuse(offer, OfferState::Missed, EntryKind::OfferMissed)?;
                if offer.is_transfer() { Ok(()) } else { self.count_miss(offer.agent_id) }
            }
            OfferState::Withdrawn if offer.is_transfer() => self.withdraw_offer(offer),
            state => {
                self.end_offer(offer.id, state);
                Ok(())
            }
        }
    }

    /// What becomes of an offer that nobody answered until now; `Offered`: it goes on waiting.
    pub(crate) fn fate(&self, offer: &OfferRow) -> Result<OfferState> {
        if self.serving(offer.conversation_id)? == Some(offer.agent_id) {
            return Ok(OfferState::Accepted);
        }
        let holds = match offer.is_transfer() {
            true => self.is_still_given(offer)? && self.may_receive(offer.agent_id)?,
            false => {
                let row = self.conversation(offer.conversation_id)?;
                let routing = self.set.routing_of(self.tenant, row.group_id);
                let asks = routing.is_automatic() && routing.offer_seconds.is_some();
                asks && row.status == Some(ConversationStatus::Open) && self.may_answer(offer.agent_id)?
            }
        };
        Ok(match holds {
            false => OfferState::Withdrawn,
            true if offer.expires_at <= self.set.now => OfferState::Missed,
            true => OfferState::Offered,
        })
    }

    /// Whether the agent who would hand the conversation over serves it, and has without a break since it offered it.
    pub(crate) fn is_still_given(&self, offer: &OfferRow) -> Result<bool> {
        let row = self.conversation(offer.conversation_id)?;
        let since = row.assigned_at.is_some_and(|at| at <= offer.offered_at);
        Ok(since && offer.is_transfer() && self.serving(offer.conversation_id)? == offer.from_agent_id)
    }

    /// An offer to hand a conversation over holds no longer.
    pub(crate) fn withdraw_offer(&mut self, offer: &OfferRow) -> Result<()> {
        let log = self.backstage(offer.conversation_id)?;
        self.end_offer(offer.id, OfferState::Withdrawn);
        let card = self.public_card(offer.agent_id);
        self.append_notice(log, EntryKind::OfferWithdrawn, &card, None)?;
        Ok(())
    }

    /// Whether the agent is there and may be given one more by transfer.
    fn may_receive(&self, agent: MemberId) -> Result<bool> {
        let facts = self.facts(agent).filter(|facts| facts.role.is_person() && facts.is_usable(self.set.now));
        let there = matches!(self.agent(agent)?.effective(), PresenceStatus::Online | PresenceStatus::Busy);
        Ok(there && facts.is_some() && self.require_capacity(agent, AssignmentReason::Transfer).is_ok())
    }

    /// Whether the agent is there and could take one more.
    fn may_answer(&self, agent: MemberId) -> Result<bool> {
        let row = self.agent(agent)?;
        let facts = self.facts(agent).filter(|facts| facts.role.is_person() && facts.is_usable(self.set.now));
        let has_room = facts.is_some_and(|facts| row.current_accept < facts.max_accept);
        Ok(has_room && row.effective() == PresenceStatus::Online)
    }

    fn refuse(&mut self, offer: &OfferRow, state: OfferState, kind: EntryKind) -> Result<()> {
        let front = offer.conversation_id;
        let log = self.backstage(front)?;
        self.end_offer(offer.id, state);
        if !offer.is_transfer() {
            let refusals = self.set.routing.refusals.entry(front).or_default();
            refusals.push((offer.agent_id, self.set.now));
        }
        let card = self.public_card(offer.agent_id);
        self.append_notice(log, kind, &card, None)?;
        Ok(())
    }

    fn forget_misses(&mut self, agent: MemberId) -> Result<()> {
        let row = self.agent(agent)?;
        if row.misses > 0 {
            self.keep_agent(AgentStatusRow { misses: 0, ..row });
        }
        Ok(())
    }

    /// One more in a row; too many mean that the agent is not at its desk.
    fn count_miss(&mut self, agent: MemberId) -> Result<()> {
        let most = self.settings().routing.misses_until_away;
        let row = self.agent(agent)?;
        let misses = row.misses + 1;
        if most == 0 || misses < most {
            self.keep_agent(AgentStatusRow { misses, ..row });
            return Ok(());
        }
        let (status, reason, since) = (PresenceStatus::Away, MISSED_REASON.to_owned(), Some(self.set.now));
        self.change_presence(AgentStatusRow { status, reason, since, misses: 0, ..row })
    }
}
