//! What routing wants loaded: the candidates, and of the queue what they could get.
//!
//! Owns which waiting conversations are loaded whole: those that a plan would give away as things stood when the tenant
//! was locked. The command plans again with the present rows; what became possible within the batch is found by the next
//! one, which every commit that frees somebody asks for.

use std::collections::BTreeSet;

use super::routing_source::CANDIDATES_MAX;
use super::{PIECE, Wants};
use crate::domain::routing::{Candidate, plan};
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

/// Waiting conversations that are looked at together.
const PAGE: usize = 500;

/// Loads what routing needs, and gives the conversations that are to be loaded whole.
pub(super) fn load(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    wants: &Wants,
) -> Result<BTreeSet<ConversationId>> {
    let mut whole = BTreeSet::new();
    for tenant in &wants.routing {
        let Some(facts) = set.tenants.get(tenant) else { continue };
        let automatic = facts.settings.routing.is_automatic() && !facts.suspended;
        load_outstanding(source, set, *tenant, &mut whole)?;
        if automatic {
            load_candidates(source, set, *tenant)?;
            pick(source, set, *tenant, &mut whole)?;
        }
    }
    for (conversation, agent) in &wants.offers {
        if let Some(offer) = source.last_offer(*conversation, *agent)? {
            set.offers.load(offer.id, offer);
        }
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
        if settings.routing.is_automatic() && settings.routing.last_agent_first && !customers.is_empty() {
            let found = source.last_agents(tenant, &customers)?;
            set.last_agents.extend(found);
        }
    }
    Ok(())
}

/// Offers that wait for an answer, with their agents, who may be gone.
fn load_outstanding(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    tenant: TenantId,
    whole: &mut BTreeSet<ConversationId>,
) -> Result<()> {
    let offers = source.outstanding(tenant)?;
    if offers.is_empty() {
        return Ok(());
    }
    let agents: Vec<MemberId> = offers.iter().map(|offer| offer.agent_id).collect();
    for facts in source.members(&agents)? {
        set.members.load(facts.id, facts);
    }
    for row in source.agents(&agents)? {
        set.agents.load(row.member_id, row);
    }
    set.known_agents.extend(agents);
    whole.extend(offers.iter().map(|offer| offer.conversation_id));
    for offer in offers {
        set.offers.load(offer.id, offer);
    }
    Ok(())
}

fn load_candidates(source: &mut dyn super::Source, set: &mut WorkingSet, tenant: TenantId) -> Result<()> {
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

fn load_needs(source: &mut dyn super::Source, set: &mut WorkingSet, ids: &[ConversationId]) -> Result<()> {
    if !ids.is_empty() {
        for row in source.needs(ids)? {
            set.needs.load(row.conversation_id, row);
        }
    }
    Ok(())
}

/// Walks the queue until nobody has room any more, and picks what a plan gives away.
fn pick(
    source: &mut dyn super::Source,
    set: &mut WorkingSet,
    tenant: TenantId,
    whole: &mut BTreeSet<ConversationId>,
) -> Result<()> {
    let Some(settings) = set.tenants.get(&tenant).map(|facts| facts.settings.routing) else { return Ok(()) };
    let mut candidates = set.candidates(tenant);
    candidates.retain(|one| one.usable && !one.has_offer && one.current < one.max);
    let offered: BTreeSet<_> = set.outstanding(tenant).map(|offer| offer.conversation_id).collect();
    // One more than a command gives away, so that it sees that some are left.
    let mut left = PIECE + 1;
    let mut after = None;
    let has_room = |one: &Candidate| !one.has_offer && one.current < one.max;
    while left > 0 && candidates.iter().any(has_room) {
        let rows = source.queue(tenant, after, PAGE)?;
        let ids: Vec<ConversationId> = rows.iter().map(|row| row.place.1).collect();
        load_needs(source, set, &ids)?;
        for (conversation, agent, at) in source.refusals(&ids)? {
            set.routing.refusals.entry(conversation).or_default().push((agent, at));
        }
        let free = rows.iter().filter(|row| !offered.contains(&row.place.1));
        let queue: Vec<_> = free.map(|row| set.waiting(row.place.1, row.group, row.since)).collect();
        let choices = plan(&settings, set.now, &queue, &mut candidates, left).choices;
        left -= choices.len();
        set.routing.queue.extend(choices.iter().map(|choice| choice.conversation));
        after = rows.last().map(|row| row.place);
        if rows.len() < PAGE {
            break;
        }
    }
    whole.extend(&set.routing.queue);
    Ok(())
}
