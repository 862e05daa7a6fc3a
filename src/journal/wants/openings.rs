//! What openings want loaded: what was opened before under the same keys, over all the customer's conversations. No I/O.

use std::collections::BTreeSet;

use super::{OpeningKey, Source, Wants, keep_entry, listed, load_merged, senders_of};
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

/// Finds what was opened before under the same keys; gives the conversations where it was found.
pub(super) fn load(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    tenants: &[TenantId],
    wants: &Wants,
) -> Result<BTreeSet<ConversationId>> {
    set.merges.extend(&wants.merges);
    if wants.openings.is_empty() {
        return Ok(BTreeSet::new());
    }
    let senders: BTreeSet<MemberId> = wants.openings.iter().map(|(_, sender, _)| *sender).collect();
    for facts in source.members(&listed(&senders))? {
        set.members.load(facts.id, facts);
    }
    load_merged(source, set)?;
    let mut keys: BTreeSet<OpeningKey> = BTreeSet::new();
    for (customer, sender, key) in &wants.openings {
        for sender in senders_of(set, *sender) {
            keys.insert((*customer, sender, key.clone()));
            // What a merge of this batch brings along.
            let moving = set.merges.iter().filter(|(_, into)| into == customer);
            keys.extend(moving.map(|(from, _)| (*from, sender, key.clone())));
        }
    }
    let keys: Vec<OpeningKey> = keys.into_iter().collect();
    let found = source.entries_by_opening(tenants, &keys)?;
    let ids = found.iter().map(|row| row.conversation_id).collect();
    for row in found {
        keep_entry(set, row);
    }
    Ok(ids)
}
