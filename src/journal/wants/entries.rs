//! What commands want loaded of logs, and who is in the conversations. No I/O.

use std::collections::BTreeSet;

use super::{MessageKey, Source, Wants, keep_entry, senders_of};
use crate::journal::command::LogRef;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, Result};

/// All the participants of the conversations that are loaded.
pub(super) fn load_participants(source: &mut dyn Source, set: &mut WorkingSet) -> Result<()> {
    let fronts: Vec<ConversationId> =
        set.conversations.values().filter(|row| row.parent_id.is_none()).map(|row| row.id).collect();
    if fronts.is_empty() {
        return Ok(());
    }
    for row in source.participants(&fronts)? {
        set.participants.load((row.conversation_id, row.member_id), row);
    }
    Ok(())
}

/// Messages by their senders' keys, and entries by their places.
pub(super) fn load(source: &mut dyn Source, set: &mut WorkingSet, wants: &Wants) -> Result<()> {
    let mut keys: BTreeSet<MessageKey> = BTreeSet::new();
    for (at, sender, key) in &wants.keys {
        let log = match at {
            LogRef::Log(log) => Some(*log),
            LogRef::BackstageOf(front) => set.conversations.get(front).and_then(|row| row.backstage_id),
        };
        if let Some(log) = log.filter(|log| set.conversations.contains(log)) {
            keys.extend(senders_of(set, *sender).map(|sender| (log, sender, key.clone())));
        }
    }
    if !keys.is_empty() {
        for row in source.entries_by_key(&keys.into_iter().collect::<Vec<_>>())? {
            keep_entry(set, row);
        }
    }
    let places: Vec<_> =
        wants.entries.iter().copied().filter(|place| set.conversations.contains(&place.0)).collect();
    if !places.is_empty() {
        for row in source.entries_at(&places)? {
            set.entries.load((row.conversation_id, row.seq), row);
        }
    }
    Ok(())
}
