//! The snapshot of [`crate::domain::routing`], made from the rows of the working set. No I/O.
//!
//! Invariant: it is made from the present rows, so that a choice sees what the batch has done before.

use std::collections::{BTreeSet, HashMap};

use super::wants::routing_source::Automatic;
use super::working_set::WorkingSet;
use crate::domain::conversation::ConversationStatus;
use crate::domain::group::{GroupRow, Sight};
use crate::domain::offer::{NeedsRow, OfferRow, OfferState};
use crate::domain::routing::{Candidate, RoutingSettings, RoutingStrategy, Waiting};
use crate::kernel::{ConversationId, GroupId, MemberId, TenantId};

impl WorkingSet {
    /// The own strategy of this group, as far as it is loaded; `None`: the tenant's counts.
    fn own_strategy(&self, group: Option<GroupId>) -> Option<RoutingStrategy> {
        self.groups.get(&group?).filter(|row| row.deleted_at.is_none())?.strategy()
    }

    /// How what waits for this group, or for none, is routed, as far as the groups with a strategy are loaded.
    pub fn routing_of(&self, tenant: TenantId, group: Option<GroupId>) -> RoutingSettings {
        let settings = self.tenants.get(&tenant).map(|facts| facts.settings.routing).unwrap_or_default();
        settings.with(self.own_strategy(group))
    }

    /// For what the service chooses agents in a tenant, as far as the groups with a strategy are loaded.
    pub fn automatic(&self, tenant: TenantId) -> Automatic {
        let by_default = self.routing_of(tenant, None).is_automatic();
        let own = |row: &&GroupRow| row.tenant_id == tenant && row.deleted_at.is_none();
        let differs =
            |row: &&GroupRow| row.strategy().is_some_and(|strategy| strategy.is_automatic() != by_default);
        let exceptions = self.groups.values().filter(own).filter(differs).map(|row| row.id).collect();
        Automatic { by_default, exceptions }
    }

    /// The candidates of a tenant, in the order of their ids.
    pub fn candidates(&self, tenant: TenantId) -> Vec<Candidate> {
        let mut groups: HashMap<MemberId, Vec<GroupId>> = HashMap::new();
        for row in self.group_members.values().filter(|row| row.left_at.is_none()) {
            groups.entry(row.member_id).or_default().push(row.group_id);
        }
        // What a colleague offers keeps nobody from what waits.
        let asked = self.outstanding(tenant).filter(|offer| !offer.is_transfer());
        let asked: BTreeSet<MemberId> = asked.map(|offer| offer.agent_id).collect();
        let members = self.routing.candidates.get(&tenant).into_iter().flatten();
        let candidate = |member: &MemberId| {
            let facts = self.members.get(member)?;
            let status = self.agents.get(member)?;
            let groups = groups.get(member).into_iter().flatten().copied();
            Some(Candidate {
                member: *member,
                usable: facts.role.is_person() && facts.is_usable(self.now),
                status: status.effective(),
                current: status.current_accept,
                max: facts.max_accept,
                sight: Sight::of(facts.role, groups),
                skills: self.routing.skills.get(member).cloned().unwrap_or_default(),
                last_assigned_at: status.last_assigned_at,
                idle_since: status.idle_since,
                has_offer: asked.contains(member),
            })
        };
        members.filter_map(candidate).collect()
    }

    /// The offers of a tenant that wait for an answer.
    pub fn outstanding(&self, tenant: TenantId) -> impl Iterator<Item = &OfferRow> {
        let waits = move |offer: &&OfferRow| offer.tenant_id == tenant && offer.state == OfferState::Offered;
        self.offers.values().filter(waits)
    }

    /// Of these conversations those of the tenant that still wait and are offered to nobody, in the order of the queue.
    pub fn queue(&self, tenant: TenantId, conversations: &[ConversationId]) -> Vec<Waiting> {
        let offered: BTreeSet<_> = self.outstanding(tenant).map(|offer| offer.conversation_id).collect();
        let rows = conversations.iter().filter_map(|id| self.conversations.get(id));
        let waits =
            rows.filter(|row| row.tenant_id == tenant && row.status == Some(ConversationStatus::Open));
        let mut queue: Vec<_> = waits
            .filter(|row| !offered.contains(&row.id))
            .filter_map(|row| Some((row.queue_key?, self.waiting(row.id, row.group_id, row.waiting_since?))))
            .collect();
        queue.sort_by_key(|(key, waiting)| (*key, waiting.conversation));
        queue.into_iter().map(|(_, waiting)| waiting).collect()
    }

    /// A conversation that waits since this time, with what it asks for and who refused it since.
    pub fn waiting(&self, conversation: ConversationId, group: Option<GroupId>, since: i64) -> Waiting {
        let needs = self.needs.get(&conversation).map(NeedsRow::needs).unwrap_or_default();
        let refusals = self.routing.refusals.get(&conversation).into_iter().flatten();
        let passed_over = refusals.filter(|(_, at)| *at >= since).copied().collect();
        let strategy = self.own_strategy(group);
        Waiting { conversation, since, group, strategy, needs, passed_over }
    }
}
