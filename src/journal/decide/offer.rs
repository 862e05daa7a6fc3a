//! Offers of waiting conversations: made, answered, missed and withdrawn.
//!
//! Invariants: an agent has at most one offer that waits, a conversation at most one; every end of an offer is told to its
//! agent; who lets offers pass again and again is set to away.

use super::CommandContext;
use crate::domain::conversation::{AssignmentReason, ConversationStatus};
use crate::domain::entry::EntryKind;
use crate::domain::offer::{OfferRow, OfferState};
use crate::domain::presence::{AgentStatusRow, PresenceStatus};
use crate::kernel::{ConversationId, MemberId, OfferId, Result};

/// What a member's presence says when it let too many offers pass.
const MISSED_REASON: &str = "missed offers";

impl CommandContext<'_> {
    /// Offers a waiting conversation to an agent for so many seconds.
    pub(crate) fn make_offer(&mut self, front: ConversationId, agent: MemberId, seconds: i64) -> Result<()> {
        let log = self.backstage(front)?;
        let id = OfferId(self.set.ids.next()?);
        let (now, rev) = (self.set.now, self.rev());
        let row = OfferRow {
            id,
            tenant_id: self.tenant,
            conversation_id: front,
            agent_id: agent,
            state: OfferState::Offered,
            offered_at: now,
            expires_at: now.saturating_add(seconds.saturating_mul(1_000)),
            ended_at: None,
            rev,
        };
        self.set.offers.create(id, row);
        let card = self.public_card(agent);
        self.append_notice(log, EntryKind::Offered, &card, None)?;
        self.bump_version(front)
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
        self.hand_to(offer.conversation_id, offer.agent_id, AssignmentReason::Offer, "")?;
        self.end_offer(offer.id, OfferState::Accepted);
        self.forget_misses(offer.agent_id)
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
        let routing = self.settings().routing;
        let asks = routing.is_automatic() && routing.offer_seconds.is_some();
        for offer in outstanding {
            let row = self.conversation(offer.conversation_id)?;
            let waits = row.status == Some(ConversationStatus::Open);
            let taken =
                row.status == Some(ConversationStatus::Pending) && row.agent_id == Some(offer.agent_id);
            if taken {
                self.end_offer(offer.id, OfferState::Accepted);
            } else if !waits || !asks || !self.may_answer(offer.agent_id)? {
                self.end_offer(offer.id, OfferState::Withdrawn);
            } else if offer.expires_at <= self.set.now {
                self.refuse(&offer, OfferState::Missed, EntryKind::OfferMissed)?;
                self.count_miss(offer.agent_id)?;
            }
        }
        Ok(self.set.outstanding(self.tenant).count() < before)
    }

    /// Whether the agent is there and could take one more.
    fn may_answer(&self, agent: MemberId) -> Result<bool> {
        let row = self.agent(agent)?;
        let facts = self.facts(agent).filter(|facts| facts.role.is_staff() && facts.is_usable(self.set.now));
        let has_room = facts.is_some_and(|facts| row.current_accept < facts.max_accept);
        Ok(has_room && row.effective() == PresenceStatus::Online)
    }

    fn refuse(&mut self, offer: &OfferRow, state: OfferState, kind: EntryKind) -> Result<()> {
        let front = offer.conversation_id;
        let log = self.backstage(front)?;
        self.end_offer(offer.id, state);
        let refusals = self.set.routing.refusals.entry(front).or_default();
        refusals.push((offer.agent_id, self.set.now));
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
