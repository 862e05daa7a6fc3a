//! What commands want to know of the staff: the rows of those whose presence or number of conversations may change, what
//! is known of their sockets, and how conversations lately went from one to another. No I/O.

use super::{Source, TRANSFERS, TRANSFERS_MS, Wants, listed};
use crate::journal::working_set::WorkingSet;
use crate::kernel::{MemberId, Result};

/// Loads it.
pub(super) fn load(source: &mut dyn Source, set: &mut WorkingSet, wants: &Wants) -> Result<()> {
    let seen: Vec<MemberId> = wants.sightings.difference(&set.known_sightings).copied().collect();
    if !seen.is_empty() {
        set.sightings.extend(source.sightings(&seen)?);
        set.known_sightings.extend(seen);
    }
    let mut ids = wants.agents.clone();
    if wants.assignments {
        ids.extend(set.conversations.values().filter_map(|row| row.agent_id));
    }
    for id in &wants.transfers {
        if !set.transfers.contains_key(id) {
            set.transfers.insert(*id, source.transfers(*id, set.now - TRANSFERS_MS, TRANSFERS)?);
        }
    }
    ids.retain(|id| !set.known_agents.contains(id));
    if ids.is_empty() {
        return Ok(());
    }
    for row in source.agents(&listed(&ids))? {
        set.agents.load(row.member_id, row);
    }
    set.known_agents.extend(ids);
    Ok(())
}
