//! What timers want loaded: who said what last in conversations that are served, and what was reminded. No I/O.

use std::collections::BTreeMap;

use super::{Source, Wants, listed};
use crate::domain::timers::{Said, Spoken};
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, MemberId, Result};

/// Loads it.
pub(super) fn load(source: &mut dyn Source, set: &mut WorkingSet, wants: &Wants) -> Result<()> {
    let mut rows: Vec<ConversationId> = Vec::new();
    if wants.restarts {
        rows.extend(set.conversations.values().filter(|row| row.status.is_some()).map(|row| row.id));
    }
    rows.extend(&wants.turns);
    rows.retain(|id| set.known_reminders.insert(*id));
    if !rows.is_empty() {
        for row in source.reminders(&rows)? {
            set.reminders.load(row.conversation_id, row);
        }
    }
    if wants.turns.is_empty() {
        return Ok(());
    }
    let agents = wants.turns.iter().filter_map(|id| set.conversations.get(id)?.agent_id);
    let agents: Vec<MemberId> = agents.filter(|id| !set.members.contains(id)).collect();
    if !agents.is_empty() {
        for facts in source.members(&agents)? {
            set.members.load(facts.id, facts);
        }
    }
    let mut ids = listed(&wants.turns);
    ids.retain(|id| set.conversations.contains(id) && !set.spoken.contains_key(id));
    let words = spoken(source, &ids, |_, _| true)?;
    set.spoken.extend(words);
    Ok(())
}

/// Who said what last in each of these conversations. What the customer asked is looked up where that is wanted.
pub(in crate::journal) fn spoken(
    source: &mut dyn Source,
    ids: &[ConversationId],
    mut wanted: impl FnMut(ConversationId, &Spoken) -> bool,
) -> Result<BTreeMap<ConversationId, Spoken>> {
    let mut all: BTreeMap<ConversationId, Spoken> = ids.iter().map(|id| (*id, Spoken::default())).collect();
    if ids.is_empty() {
        return Ok(all);
    }
    all.extend(source.last_words(ids)?);
    for (id, words) in &mut all {
        let after = words.staff.map_or(0, |said| said.seq);
        if words.customer_seq > after {
            // No earlier than the staff's last words: the best guess, where the time itself does not matter.
            let guess = Said { seq: words.customer_seq, at: words.staff.map_or(0, |said| said.at) };
            words.asked = Some(guess);
            if wanted(*id, words) {
                words.asked = source.first_question(*id, after)?.or(words.asked);
            }
        }
    }
    Ok(all)
}
