//! What custom attributes want loaded: the attributes of the tenants, and the values of the conversations. No I/O.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

use super::{Source, Wants};
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, Result, TenantId};

/// Loads it.
pub(super) fn load(source: &mut dyn Source, set: &mut WorkingSet, wants: &Wants) -> Result<()> {
    let known = wants.described.iter().filter_map(|id| set.conversations.get(id));
    let known: Vec<(ConversationId, TenantId)> = known.map(|row| (row.id, row.tenant_id)).collect();
    if known.is_empty() {
        return Ok(());
    }
    for tenant in known.iter().map(|(_, tenant)| *tenant).collect::<BTreeSet<_>>() {
        if let Entry::Vacant(place) = set.attributes.entry(tenant) {
            place.insert(source.conversation_attributes(tenant)?);
        }
    }
    let ids: Vec<ConversationId> = known.into_iter().map(|(id, _)| id).collect();
    for row in source.attribute_values(&ids)? {
        set.attribute_values.load((row.conversation_id, row.attribute_id), row);
    }
    Ok(())
}
