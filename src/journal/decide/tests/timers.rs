//! Timers in the simulation: the memory as their source, and the promises: what is closed by itself was closed while the
//! staff had spoken last, nobody is reminded twice in a turn, and what was done is not found again.

use super::SHOP;
use super::checks::Picture;
use super::memory::Memory;
use super::simulation::Simulation;
use crate::domain::actor::Principal;
use crate::domain::conversation::{CloseReason, ConversationRow, ConversationStatus, MemberType};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::member::Role;
use crate::domain::timers::{ReminderRow, Said, Served, Spoken, TimerSettings};
use crate::journal::command::Command;
use crate::journal::commands::{Action, RunTimers};
use crate::journal::overdue;
use crate::journal::wants::PIECE;
use crate::journal::wants::timer_source::TimerSource;
use crate::journal::wants::timers::spoken;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

/// What the shop and its rival decided.
pub(super) const TIMERS: TimerSettings = TimerSettings {
    customer_reminder_seconds: Some(120),
    agent_reminder_seconds: Some(180),
    auto_close_seconds: Some(300),
};
/// How long their customers may reopen.
pub(super) const REOPEN_SECONDS: i64 = 400;

impl Memory {
    fn log(&self, id: ConversationId) -> impl DoubleEndedIterator<Item = &EntryRow> {
        self.entries.range((id, 0)..=(id, i64::MAX)).map(|(_, row)| row)
    }
}

impl TimerSource for Memory {
    fn served(&mut self, tenant: TenantId, after: ConversationId, limit: usize) -> Result<Vec<Served>> {
        let rows = self.conversations.values().filter(|row| row.tenant_id == tenant && row.id > after);
        let served = rows.filter(|row| row.status == Some(ConversationStatus::Pending));
        let served = served.map(|row| Served {
            conversation: row.id,
            agent: row.agent_id,
            assigned_at: row.assigned_at.unwrap_or(0),
            bot: None,
        });
        Ok(served.take(limit).collect())
    }

    fn answered_by_bots(
        &mut self,
        tenant: TenantId,
        after: ConversationId,
        limit: usize,
    ) -> Result<Vec<(ConversationId, MemberId)>> {
        let rows = self.conversations.values().filter(|row| row.tenant_id == tenant && row.id > after);
        Ok(rows.filter_map(|row| Some((row.id, row.bot()?))).take(limit).collect())
    }

    fn last_words(&mut self, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, Spoken)>> {
        let words = |id: &ConversationId| {
            let rows = self.participants.range((*id, MemberId(i64::MIN))..=(*id, MemberId(i64::MAX)));
            let customers = rows.map(|(_, row)| row).filter(|row| row.member_type == MemberType::Customer);
            let by_staff = |row: &&EntryRow| row.sender_role != Some(Role::Customer);
            let stands = |row: &&EntryRow| row.kind.is_message() && row.recalled_at.is_none();
            let staff = self.log(*id).rfind(|row| stands(row) && by_staff(row));
            Spoken {
                staff: staff.map(|row| Said { seq: row.seq, at: row.created_at }),
                asked: None,
                customer_seq: customers.map(|row| row.last_sent_seq).max().unwrap_or(0),
            }
        };
        Ok(conversations.iter().map(|id| (*id, words(id))).collect())
    }

    fn first_question(&mut self, conversation: ConversationId, after: i64) -> Result<Option<Said>> {
        let said = self.log(conversation).filter(|row| row.seq > after && row.kind.is_message());
        let mut asked = said.filter(|row| row.sender_role == Some(Role::Customer));
        Ok(asked.next().map(|row| Said { seq: row.seq, at: row.created_at }))
    }

    fn reminders(&mut self, conversations: &[ConversationId]) -> Result<Vec<ReminderRow>> {
        Ok(conversations.iter().filter_map(|id| self.reminders.get(id).cloned()).collect())
    }
}

/// Everything that timers could want.
pub(super) fn load_all(store: &mut Memory, set: &mut WorkingSet) {
    for row in store.reminders.values() {
        set.reminders.load(row.conversation_id, row.clone());
    }
    let ids: Vec<ConversationId> = store.conversations.keys().copied().collect();
    set.known_reminders.extend(&ids);
    for (id, words) in spoken(store, &ids, |_, _| true).unwrap() {
        set.spoken.entry(id).or_insert(words);
    }
}

impl Simulation {
    /// The service looks at what is served, in a batch of its own. Afterwards it finds nothing more.
    pub(super) fn run_timers(&mut self) {
        self.commit();
        let times = (i64::MIN, self.set.now);
        let found =
            overdue::find(&mut self.store, SHOP, (&TIMERS, 30), ConversationId(0), PIECE, times).unwrap();
        let before = self.set.tenants.get(&SHOP).map(|facts| facts.rev);
        let conversations = found.conversations.clone();
        self.submit(&Command::new(Principal::System(SHOP), RunTimers { conversations }));
        let after = self.set.tenants.get(&SHOP).map(|facts| facts.rev);
        assert!(found.conversations.is_empty() || before != after, "{found:?} was not due");
        self.commit();
        let again =
            overdue::find(&mut self.store, SHOP, (&TIMERS, 30), ConversationId(0), PIECE, times).unwrap();
        assert!(again.conversations.is_empty(), "{again:?} is found again");
    }
}

/// Whether the entry begins the agent's turn, whatever was said before.
fn restarts(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Opened | EntryKind::Reopened | EntryKind::Merged | EntryKind::Docked)
}

/// What must hold of the entries that a command made.
pub(super) fn check_timers(before: &Picture, after: &Picture, now: i64) {
    for row in after.conversations.values().filter(|row| row.status.is_some()) {
        let log: Vec<&EntryRow> =
            after.entries.range((row.id, 0)..=(row.id, i64::MAX)).map(|(_, entry)| entry).collect();
        let is_new = |entry: &EntryRow| !before.entries.contains_key(&(entry.conversation_id, entry.seq));
        let old = before.conversations.get(&row.id);
        let closed_now = old.is_some_and(|old| old.close_reason != row.close_reason);
        if closed_now && row.close_reason == Some(CloseReason::TimedOut) {
            check_close(old.unwrap(), &log, now);
        }
        if let Some(entry) = log.iter().rfind(|entry| entry.kind == EntryKind::CustomerIdle && is_new(entry))
        {
            check_customer_reminder(row, &log, entry);
        }
        let notes = row.backstage_id.unwrap_or(row.id);
        let behind = after.entries.range((notes, 0)..=(notes, i64::MAX)).map(|(_, entry)| entry);
        let reminders: Vec<&EntryRow> = behind.filter(|entry| entry.kind == EntryKind::AgentIdle).collect();
        if let [.., entry] = reminders[..]
            && is_new(entry)
        {
            check_agent_reminder(row, &log, &reminders, now);
        }
    }
}

/// Whether the staff spoke last: nothing of the customer, and no new beginning, came after its last words.
fn staff_spoke_last(log: &[&EntryRow]) -> Option<i64> {
    let by_customer = |entry: &EntryRow| entry.sender_role == Some(Role::Customer);
    let spoke = |entry: &&&EntryRow| {
        let counts = entry.kind.is_message() && (by_customer(entry) || entry.recalled_at.is_none());
        counts || restarts(entry.kind)
    };
    let last = log.iter().rfind(spoke).filter(|entry| entry.kind.is_message() && !by_customer(entry));
    last.map(|entry| entry.created_at)
}

fn check_close(old: &ConversationRow, log: &[&EntryRow], now: i64) {
    assert_eq!(old.status, Some(ConversationStatus::Pending), "closed while nobody served it: {old:?}");
    let spoke = staff_spoke_last(log).unwrap_or_else(|| panic!("closed while the customer waits: {log:?}"));
    let since = spoke.max(old.assigned_at.unwrap_or(0));
    assert!(now - since >= 300_000, "closed after {} ms", now - since);
}

fn check_customer_reminder(row: &ConversationRow, log: &[&EntryRow], reminder: &EntryRow) {
    let before: Vec<&EntryRow> = log.iter().copied().filter(|entry| entry.seq < reminder.seq).collect();
    let spoke = staff_spoke_last(&before).unwrap_or_else(|| panic!("the customer waits itself: {row:?}"));
    assert!(
        reminder.created_at - spoke.max(row.assigned_at.unwrap_or(0)) >= 120_000,
        "{reminder:?} is early"
    );
    let last = before.iter().rfind(|entry| entry.kind == EntryKind::CustomerIdle);
    let since = last.map_or(0, |entry| entry.seq);
    let moved = before.iter().any(|entry| {
        let words = entry.kind.is_message() && entry.sender_role == Some(Role::Customer);
        entry.seq > since && (words || restarts(entry.kind))
    });
    assert!(last.is_none() || moved, "reminded twice in a turn: {log:?}");
}

fn check_agent_reminder(row: &ConversationRow, log: &[&EntryRow], reminders: &[&EntryRow], now: i64) {
    assert!(staff_spoke_last(log).is_none(), "the staff wait themselves: {log:?}");
    assert!(now - row.assigned_at.unwrap_or(0) >= 180_000, "reminded right after the assignment");
    let [.., last, reminder] = reminders else { return };
    let moved = log.iter().any(|entry| {
        let words = entry.kind.is_message() && entry.sender_role != Some(Role::Customer);
        let between = entry.rev > last.rev && entry.rev < reminder.rev;
        between && (words || restarts(entry.kind) || entry.kind == EntryKind::Assigned)
    });
    assert!(moved, "reminded twice in a turn: {reminders:?}");
}

/// A customer reopens only within the window; its staff at any time.
pub(super) fn check_reopening(command: &Command, before: &Picture, now: i64) {
    let (Action::Reopen(reopen), Some(Role::Customer)) = (&command.action, command.actor.role()) else {
        return;
    };
    let row = &before.conversations[&reopen.conversation];
    if row.status == Some(ConversationStatus::Closed) {
        let ended = row.closed_at.unwrap();
        assert!(now - ended <= REOPEN_SECONDS * 1_000, "reopened {} ms after the end", now - ended);
    }
}
