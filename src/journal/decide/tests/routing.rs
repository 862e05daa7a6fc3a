//! Routing in the simulation: the memory as its source, and the promise that nobody waits whom somebody could serve.

use std::collections::BTreeSet;

use super::SHOP;
use super::checks::serving;
use super::memory::Memory;
use super::simulation::Simulation;
use crate::domain::actor::Principal;
use crate::domain::business_hours::Calendars;
use crate::domain::conversation::{AssignmentEnd, ConversationStatus};
use crate::domain::group::GroupRow;
use crate::domain::offer::{NeedsRow, OfferRow, OfferState};
use crate::domain::presence::{AgentStatusRow, PresenceStatus};
use crate::domain::routing::{RoutingSettings, RoutingStrategy, Skill, choose};
use crate::journal::command::Command;
use crate::journal::commands::Route;
use crate::journal::routable;
use crate::journal::wants::routing_source::{Automatic, CANDIDATES_MAX, Place, Queued, RoutingSource};
use crate::journal::working_set::{MemberFacts, WorkingSet};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

/// What members can: one agent has a skill that some conversations ask for.
pub(super) fn skills_of(member: MemberId) -> Vec<Skill> {
    if member == MemberId(4) { Skill::list(&["refunds:2".to_owned()]) } else { Vec::new() }
}

impl RoutingSource for Memory {
    fn online(
        &mut self,
        tenant: TenantId,
        limit: usize,
    ) -> Result<Vec<(MemberFacts, AgentStatusRow, Vec<Skill>)>> {
        let online = self.agents.values().filter(|row| row.tenant_id == tenant);
        let online = online.filter(|row| row.effective() == PresenceStatus::Online).take(limit);
        let whole = online.filter_map(|row| {
            Some((self.members.get(&row.member_id)?.clone(), row.clone(), skills_of(row.member_id)))
        });
        Ok(whole.collect())
    }

    fn groups_with_strategy(&mut self, tenant: TenantId) -> Result<Vec<GroupRow>> {
        let fits =
            |row: &&GroupRow| row.tenant_id == tenant && row.deleted_at.is_none() && row.strategy().is_some();
        Ok(self.groups.values().filter(fits).cloned().collect())
    }

    fn queue(
        &mut self,
        tenant: TenantId,
        among: &Automatic,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Queued>> {
        let rows = self.conversations.values().filter(|row| row.tenant_id == tenant);
        let rows = rows.filter(|row| among.reaches(row.group_id));
        let mut queue: Vec<_> = rows
            .filter_map(|row| {
                Some(Queued {
                    place: (row.queue_key?, row.id),
                    since: row.waiting_since?,
                    group: row.group_id,
                })
            })
            .collect();
        queue.retain(|row| after.is_none_or(|after| row.place > after));
        queue.sort_unstable();
        queue.truncate(limit);
        Ok(queue)
    }

    fn waiting_count(&mut self, tenant: TenantId) -> Result<i64> {
        self.queue(tenant, &everything(), None, usize::MAX).map(|queue| i64::try_from(queue.len()).unwrap())
    }

    fn needs(&mut self, conversations: &[ConversationId]) -> Result<Vec<NeedsRow>> {
        Ok(conversations.iter().filter_map(|id| self.needs.get(id).cloned()).collect())
    }

    fn refusals(&mut self, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, MemberId, i64)>> {
        let refused = self.offers.values().filter(|row| row.state.is_refusal() && !row.is_transfer());
        let refused = refused.filter(|row| conversations.contains(&row.conversation_id));
        let given_back = self.assignments.iter().filter(|row| {
            let gave = |end| AssignmentEnd::GIVEN_BACK.contains(&end);
            row.end_reason.is_some_and(gave) && conversations.contains(&row.conversation_id)
        });
        let refused = refused.map(|row| (row.conversation_id, row.agent_id, row.ended_at));
        let all = refused.chain(given_back.map(|row| (row.conversation_id, row.agent_id, row.ended_at)));
        Ok(all.filter_map(|(id, agent, at)| Some((id, agent, at?))).collect())
    }

    fn outstanding(&mut self, tenant: TenantId) -> Result<Vec<OfferRow>> {
        let waits = |row: &&OfferRow| row.tenant_id == tenant && row.state == OfferState::Offered;
        Ok(self.offers.values().filter(waits).cloned().collect())
    }

    fn open_offers(&mut self, conversations: &[ConversationId]) -> Result<Vec<OfferRow>> {
        let open = |row: &&OfferRow| {
            row.state == OfferState::Offered && conversations.contains(&row.conversation_id)
        };
        Ok(self.offers.values().filter(open).cloned().collect())
    }

    fn last_offer(&mut self, conversation: ConversationId, agent: MemberId) -> Result<Option<OfferRow>> {
        let own = |row: &&OfferRow| row.conversation_id == conversation && row.agent_id == agent;
        Ok(self.offers.values().rfind(own).cloned())
    }

    fn last_agents(&mut self, _: TenantId, customers: &[MemberId]) -> Result<Vec<(MemberId, MemberId)>> {
        let closed = self.conversations.values().rev();
        let closed: Vec<_> = closed.filter(|row| row.status == Some(ConversationStatus::Closed)).collect();
        let last = |customer: &MemberId| {
            let served = |row: &&&_| {
                let row: &crate::domain::conversation::ConversationRow = row;
                row.customer_id == Some(*customer) && row.agent_id.is_some()
            };
            Some((*customer, closed.iter().find(served)?.agent_id?))
        };
        Ok(customers.iter().filter_map(last).collect())
    }
}

/// What waits, whoever chooses.
fn everything() -> Automatic {
    Automatic { by_default: true, ..Automatic::default() }
}

/// Everything that routing could want.
pub(super) fn load_all(store: &mut Memory, set: &mut WorkingSet) {
    for row in store.needs.values() {
        set.needs.load(row.conversation_id, row.clone());
    }
    for row in store.offers.values() {
        set.offers.load(row.id, row.clone());
    }
    let customers: Vec<MemberId> = store.members.keys().copied().collect();
    for tenant in store.tenants.keys().copied().collect::<Vec<_>>() {
        let queue = store.queue(tenant, &everything(), None, usize::MAX).unwrap();
        let ids: Vec<ConversationId> = queue.iter().map(|row| row.place.1).collect();
        for (conversation, agent, at) in store.refusals(&ids).unwrap() {
            set.routing.refusals.entry(conversation).or_default().push((agent, at));
        }
        let online = store.online(tenant, CANDIDATES_MAX).unwrap().into_iter().map(|(facts, _, _)| facts.id);
        let online: BTreeSet<MemberId> = online.collect();
        set.routing.skills.extend(online.iter().map(|id| (*id, skills_of(*id))));
        set.routing.candidates.insert(tenant, online);
        set.last_agents.extend(store.last_agents(tenant, &customers).unwrap());
    }
}

impl Simulation {
    /// The shop decides how its conversations are routed; what was decided before is stored first.
    pub(super) fn set_routing(&mut self, mode: usize) {
        self.commit();
        let automatic =
            RoutingSettings { strategy: RoutingStrategy::LeastLoaded, ..RoutingSettings::default() };
        let offers = RoutingSettings { offer_seconds: Some(90), misses_until_away: 2, ..automatic };
        let settings = [RoutingSettings::default(), automatic, offers][mode % 3];
        self.store.tenants.get_mut(&SHOP).unwrap().settings.routing = settings;
    }

    /// What the service would do now, as a command that can be submitted later.
    pub(super) fn look(&mut self) -> Command {
        self.commit();
        let (ids, now) = (self.set.ids.clone(), self.set.now);
        let found = routable::find(&mut self.store, ids, SHOP, now, |_| Ok(Calendars::default())).unwrap();
        Command::new(Principal::System(SHOP), Route { choices: found.choices })
    }

    /// The service routes, in a batch of its own. Afterwards nobody waits whom somebody could serve.
    pub(super) fn give_away(&mut self) {
        // The first one may end offers only.
        for _ in 0..2 {
            let look = self.look();
            self.submit(&look);
        }
        let mut after = self.set.clone();
        self.store.load_all(&mut after);
        let settings = after.tenants.get(&SHOP).unwrap().settings.routing;
        for offer in after.outstanding(SHOP).filter(|offer| offer.is_transfer()) {
            let holder = after.conversations.get(&offer.conversation_id).and_then(serving);
            assert_eq!(holder, offer.from_agent_id, "who offers it does not serve it: {offer:?}");
            assert!(offer.expires_at > after.now, "it is overdue: {offer:?}");
        }
        let candidates = after.candidates(SHOP);
        let all: Vec<ConversationId> = after.conversations.values().map(|row| row.id).collect();
        for waiting in after.queue(SHOP, &all) {
            let chosen = choose(&settings, after.now, &waiting, &candidates).0;
            assert_eq!(chosen, None, "{waiting:?} waits, though somebody could serve it: {candidates:?}");
        }
    }
}

/// An agent has at most one offer of routing that waits, a conversation at most one of any kind.
pub(super) fn check_offers<'a>(offers: impl Iterator<Item = &'a OfferRow>) {
    let (mut agents, mut conversations) = (BTreeSet::new(), BTreeSet::new());
    for offer in offers {
        assert_eq!(offer.ended_at.is_none(), offer.state == OfferState::Offered, "{offer:?}");
        if offer.state == OfferState::Offered {
            let first = offer.is_transfer() || agents.insert(offer.agent_id);
            assert!(first, "two offers wait for one agent: {offer:?}");
            assert!(conversations.insert(offer.conversation_id), "offered twice at once: {offer:?}");
        }
    }
}
