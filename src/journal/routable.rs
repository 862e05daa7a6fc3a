//! Which waiting conversations somebody could be given now: what is read before [`super::commands::Route`] is submitted.
//!
//! It is read outside of the lanes and without a lock, because a long queue in which nobody fits anything is read whole.
//! Invariant: it is only a proposal. The command looks at each choice again with the present rows, so that what is out of
//! date does no harm; what became possible meanwhile is found by the next look, which every commit that matters asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::wants::routing::{load_candidates, load_outstanding, load_queued, load_strategies};
use super::wants::{PIECE, Source};
use super::working_set::WorkingSet;
use crate::domain::business_hours::Calendars;
use crate::domain::routing::{Candidate, Choice, plan};
use crate::kernel::{ConversationId, IdGenerator, Result, TenantId};

/// Waiting conversations that are looked at together.
const PAGE: usize = 500;

/// What routing could do in a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routable {
    /// Who would get which waiting conversation now, at most [`PIECE`], in the order of the queue.
    pub choices: Vec<Choice>,
    /// Offers wait for an answer: some may have to end.
    pub has_offers: bool,
}

/// Looks at a tenant at this time, unix milliseconds. Its calendars are asked for only where its settings want them.
pub fn find<S: Source>(
    source: &mut S,
    ids: Arc<IdGenerator>,
    tenant: TenantId,
    now: i64,
    calendars: impl FnOnce(&mut S) -> Result<Calendars>,
) -> Result<Routable> {
    let mut set = WorkingSet::new(now, ids);
    for (id, facts) in source.tenants(&[tenant])? {
        set.tenants.load(id, facts);
    }
    let offered: BTreeSet<_> = load_outstanding(source, &mut set, tenant)?.into_iter().collect();
    let mut found = Routable { has_offers: !offered.is_empty(), ..Routable::default() };
    let Some(settings) = set.tenants.get(&tenant).map(|facts| facts.settings.routing) else {
        return Ok(found);
    };
    load_strategies(source, &mut set, tenant)?;
    let mut among = set.automatic(tenant);
    if settings.within_business_hours && !among.is_nowhere() {
        among = among.while_open(&calendars(source)?, now);
    }
    if among.is_nowhere() {
        return Ok(found);
    }
    load_candidates(source, &mut set, tenant)?;
    let mut candidates = set.candidates(tenant);
    candidates.retain(|one| one.usable && has_room(one));
    let mut after = None;
    while found.choices.len() < PIECE && candidates.iter().any(has_room) {
        let rows = source.queue(tenant, &among, after, PAGE)?;
        let ids: Vec<ConversationId> = rows.iter().map(|row| row.place.1).collect();
        load_queued(source, &mut set, &ids)?;
        let free = rows.iter().filter(|row| !offered.contains(&row.place.1));
        let queue: Vec<_> = free.map(|row| set.waiting(row.place.1, row.group, row.since)).collect();
        let left = PIECE - found.choices.len();
        found.choices.extend(plan(&settings, now, &queue, &mut candidates, left).choices);
        after = rows.last().map(|row| row.place);
        if rows.len() < PAGE {
            break;
        }
    }
    Ok(found)
}

fn has_room(candidate: &Candidate) -> bool {
    !candidate.has_offer && candidate.current < candidate.max
}
