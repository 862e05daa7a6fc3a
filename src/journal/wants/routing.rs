//! What routing wants loaded: the offers that wait for an answer, the candidates, and what the conversations that are to
//! be given away ask for. Which ones these are was found before (`journal::routable`).

use std::collections::BTreeSet;

use super::Wants;
use super::routing_source::CANDIDATES_MAX;
use crate::domain::offer::OfferRow;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

/// Loads what routing needs, and gives the conversations that are to be loaded whole.
pub(super) fn load(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    wants: &Wants,
) -> Result<BTreeSet<ConversationId>> {
    let mut whole = BTreeSet::new();
    for tenant in &wants.routing {
        whole.extend(load_outstanding(source, set, *tenant)?);
        load_strategies(source, set, *tenant)?;
        load_candidates(source, set, *tenant)?;
    }
    let routed: Vec<ConversationId> = wants.routed.iter().copied().collect();
    load_queued(source, set, &routed)?;
    whole.extend(routed);
    for (conversation, agent) in &wants.offers {
        if let Some(offer) = source.last_offer(*conversation, *agent)? {
            set.offers.load(offer.id, offer);
        }
    }
    let offered: Vec<ConversationId> = wants.offered.iter().copied().collect();
    if !offered.is_empty() {
        let offers = source.open_offers(&offered)?;
        keep_offers(source, set, offers)?;
    }
    let ids: Vec<ConversationId> = wants.needs.iter().copied().collect();
    load_needs(source, set, &ids)?;
    Ok(whole)
}

/// What openings must know of the queue and of the customer's last agent.
pub(super) fn load_for_openings(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    wants: &Wants,
) -> Result<()> {
    let tenants: Vec<_> = set.tenants.iter().map(|(id, facts)| (*id, facts.settings)).collect();
    for (tenant, settings) in tenants {
        if wants.queue_length && settings.queue.limit.is_some() && !set.waiting_counts.contains_key(&tenant) {
            set.waiting_counts.insert(tenant, source.waiting_count(tenant)?);
        }
        let customers = wants.last_agents.iter().filter(|id| {
            let facts = set.members.get(id);
            facts.is_some_and(|facts| facts.tenant == tenant) && !set.last_agents.contains_key(id)
        });
        let customers: Vec<MemberId> = customers.copied().collect();
        let chooses = !set.automatic(tenant).is_nowhere();
        if chooses && settings.routing.last_agent_first && !customers.is_empty() {
            let found = source.last_agents(tenant, &customers)?;
            set.last_agents.extend(found);
        }
    }
    Ok(())
}

/// Loads the offers that wait for an answer, with their agents, who may be gone. Gives what is offered.
pub(in crate::journal) fn load_outstanding(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    tenant: TenantId,
) -> Result<Vec<ConversationId>> {
    let offers = source.outstanding(tenant)?;
    keep_offers(source, set, offers)
}

/// Keeps offers, with their agents. Gives what is offered.
fn keep_offers(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    offers: Vec<OfferRow>,
) -> Result<Vec<ConversationId>> {
    if offers.is_empty() {
        return Ok(Vec::new());
    }
    let agents: Vec<MemberId> = offers.iter().map(|offer| offer.agent_id).collect();
    for facts in source.members(&agents)? {
        set.members.load(facts.id, facts);
    }
    for row in source.agents(&agents)? {
        set.agents.load(row.member_id, row);
    }
    set.known_agents.extend(agents);
    let offered = offers.iter().map(|offer| offer.conversation_id).collect();
    for offer in offers {
        set.offers.load(offer.id, offer);
    }
    Ok(offered)
}

/// Loads the groups that have a strategy of their own.
pub(in crate::journal) fn load_strategies(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    tenant: TenantId,
) -> Result<()> {
    for row in source.groups_with_strategy(tenant)? {
        set.groups.load(row.id, row);
    }
    Ok(())
}

/// Loads the staff who may be chosen, where the service chooses for anything that waits.
pub(in crate::journal) fn load_candidates(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    tenant: TenantId,
) -> Result<()> {
    if set.automatic(tenant).is_nowhere() {
        return Ok(());
    }
    for (facts, status, skills) in source.online(tenant, CANDIDATES_MAX)? {
        set.routing.candidates.entry(tenant).or_default().insert(facts.id);
        set.routing.skills.insert(facts.id, skills);
        set.known_agents.insert(facts.id);
        set.agents.load(facts.id, status);
        set.members.load(facts.id, facts);
    }
    let ids: Vec<MemberId> = set.routing.candidates.get(&tenant).into_iter().flatten().copied().collect();
    if !ids.is_empty() {
        for row in source.memberships(&ids)? {
            set.group_members.load((row.group_id, row.member_id), row);
        }
        set.known_sights.extend(ids);
    }
    Ok(())
}

/// Loads what waiting conversations ask for, and who refused them.
pub(in crate::journal) fn load_queued(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    ids: &[ConversationId],
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    load_needs(source, set, ids)?;
    for (conversation, agent, at) in source.refusals(ids)? {
        set.routing.refusals.entry(conversation).or_default().push((agent, at));
    }
    Ok(())
}

fn load_needs(source: &mut dyn super::Source, set: &mut WorkingSet, ids: &[ConversationId]) -> Result<()> {
    if !ids.is_empty() {
        for row in source.needs(ids)? {
            set.needs.load(row.conversation_id, row);
        }
    }
    Ok(())
}
