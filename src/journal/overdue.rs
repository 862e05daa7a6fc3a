//! In which conversations silence may have become a reason to do something: what is read before
//! [`super::commands::RunTimers`] is submitted.
//!
//! It is read outside of the lanes and without a lock, page by page over what is served. Nothing is written for it when a
//! message comes: who spoke last stands in the rows of the participants. Invariants: it is only a proposal, and the command
//! decides again; what was done is not found again.

use std::collections::{BTreeMap, BTreeSet};

use super::wants::Source;
use super::wants::timers::spoken;
use crate::domain::member::Role;
use crate::domain::timers::{Answering, ReminderRow, Served, Spoken, TimerSettings, due};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

/// What one look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Where something is due.
    pub conversations: BTreeSet<ConversationId>,
    /// The last conversation that was looked at; `None` at the end.
    pub after: Option<ConversationId>,
}

/// Looks at the tenant's conversations that are served, or that a bot answers, behind `after`, at most `limit`. The times are unix milliseconds: that before
/// which no silence counts, and the present.
pub fn find(
    source: &mut dyn Source,
    tenant: TenantId,
    (settings, silence_seconds): (&TimerSettings, i64),
    after: ConversationId,
    limit: usize,
    (not_before, now): (i64, i64),
) -> Result<Overdue> {
    let mut page = source.served(tenant, after, limit)?;
    page.extend(answered(source, tenant, after, limit, (silence_seconds, now))?);
    page.sort_by_key(|served| served.conversation);
    page.truncate(limit);
    let ids: Vec<ConversationId> = page.iter().map(|served| served.conversation).collect();
    let mut found = Overdue::default();
    if ids.is_empty() {
        return Ok(found);
    }
    found.after = ids.last().copied().filter(|_| ids.len() == limit);
    let rows = source.reminders(&ids)?;
    let rows: BTreeMap<ConversationId, ReminderRow> =
        rows.into_iter().map(|row| (row.conversation_id, row)).collect();
    let page: BTreeMap<ConversationId, Served> =
        page.into_iter().map(|served| (served.conversation, served)).collect();
    let is_due = |id: ConversationId, words: &Spoken| {
        let row = rows.get(&id).cloned().unwrap_or_else(|| ReminderRow::new(tenant, id));
        page.get(&id).and_then(|served| due(settings, served, words, &row, not_before, now)).is_some()
    };
    // What the customer asked first is looked up only where that could make it due.
    let words = spoken(source, &ids, is_due)?;
    found.conversations.extend(words.iter().filter(|(id, words)| is_due(**id, words)).map(|(id, _)| *id));
    Ok(found)
}

/// What bots answer.
fn answered(
    source: &mut dyn Source,
    tenant: TenantId,
    after: ConversationId,
    limit: usize,
    (silence_seconds, now): (i64, i64),
) -> Result<Vec<Served>> {
    let rows = source.answered_by_bots(tenant, after, limit)?;
    let bots: BTreeSet<MemberId> = rows.iter().map(|(_, bot)| *bot).collect();
    let bots: Vec<MemberId> = bots.into_iter().collect();
    let found = if bots.is_empty() { Vec::new() } else { source.members(&bots)? };
    let usable = |bot: MemberId| {
        found.iter().any(|facts| facts.id == bot && facts.role == Role::Bot && facts.is_usable(now))
    };
    let served = |(conversation, bot): (ConversationId, MemberId)| Served {
        conversation,
        agent: None,
        assigned_at: 0,
        bot: Some(Answering { is_usable: usable(bot), silence_seconds }),
    };
    Ok(rows.into_iter().map(served).collect())
}
