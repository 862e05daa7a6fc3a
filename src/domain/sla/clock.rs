//! SLA clocks: what runs in a conversation, what ends it, and when it is told that a target is near or missed. No I/O.
//!
//! Invariants: what a conversation's clocks are follows from its log, from the policy that it has and from the business hours;
//! a clock is named by its metric and by the entry of the conversation with which it began; a warning and a breach of a clock
//! are told once, also when its target changes; a clock that has ended changes no more, but that it is told to be late.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::{SlaMetric, SlaPolicyRow, SlaRules};
use crate::db::schema::{sla_clock, sla_stretch};
use crate::domain::conversation::{CloseReason, Priority};
use crate::domain::entry::EntryKind;
use crate::kernel::{ConversationId, GroupId, SlaPolicyId, TenantId};
use crate::text_enum;

text_enum! {
    /// Where an SLA clock stands in the store.
    SlaState {
        /// It runs, or stands still while the desk is closed.
        Running = "running",
        /// What it measures came.
        Met = "met",
        /// It ended without that: the conversation was closed, or no policy sets the target any more.
        Ended = "ended",
    }
}

/// A row of `sla_clock`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sla_clock, treat_none_as_default_value = false)]
pub struct SlaClockRow {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What it measures.
    pub metric: SlaMetric,
    /// The entry of the conversation's log with which it began.
    pub started_seq: i64,
    /// Whose.
    pub tenant_id: TenantId,
    /// The policy that sets its target.
    pub policy_id: SlaPolicyId,
    /// Since when it runs, unix milliseconds.
    pub started_at: i64,
    /// When its target is missed; `None`: never, since the desk does not open any more, or nothing sets a target.
    pub due_at: Option<i64>,
    /// When the staff are to be warned.
    pub warn_at: Option<i64>,
    /// When they were.
    pub warned_at: Option<i64>,
    /// Which due time it was told to have missed.
    pub breached_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Where it stands.
    pub state: SlaState,
    /// When something is to be told of it.
    pub next_at: Option<i64>,
}

impl SlaClockRow {
    /// What is to be told of it at this time: [`EntryKind::SlaWarned`] or [`EntryKind::SlaBreached`].
    pub fn told_at(&self, now: i64) -> Option<EntryKind> {
        self.next_at.filter(|next| *next <= now)?;
        match self.due_at.is_some_and(|due| due <= now) {
            true => Some(EntryKind::SlaBreached),
            false => Some(EntryKind::SlaWarned),
        }
    }

    fn next(&self) -> Option<i64> {
        let due = self.due_at.filter(|_| self.breached_at.is_none())?;
        match (self.state, self.ended_at) {
            (SlaState::Running, _) => self.warn_at.filter(|_| self.warned_at.is_none()).or(Some(due)),
            // It came too late, before that was told.
            (_, Some(ended)) if ended > due => Some(due),
            _ => None,
        }
    }

    fn end(&mut self, state: SlaState, at: i64) {
        if self.state == SlaState::Running {
            (self.state, self.ended_at) = (state, Some(at));
        }
    }

    /// Nothing sets its target any more.
    fn drop_target(&mut self, at: i64) {
        if self.state == SlaState::Running {
            (self.due_at, self.warn_at) = (None, None);
            self.end(SlaState::Ended, at);
        }
    }
}

/// A row of `sla_stretch`: a conversation that is not over, from its opening or reopening on.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sla_stretch, treat_none_as_default_value = false)]
pub struct SlaStretchRow {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Whose.
    pub tenant_id: TenantId,
    /// When it was opened or reopened, unix milliseconds.
    pub began_at: i64,
    /// With which entry.
    pub began_seq: i64,
    /// The group whose matter it is.
    pub group_id: Option<GroupId>,
    /// How urgent it is.
    pub priority: Priority,
    /// When the customer wrote first what nobody has answered yet.
    pub asked_at: Option<i64>,
    /// With which entry.
    pub asked_seq: Option<i64>,
    /// Whether the staff have written since it began.
    pub is_answered: bool,
}

/// What an entry says to the clocks of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlaHappening {
    /// It was opened or reopened, as this group's matter and so urgent.
    Began(Option<GroupId>, Priority),
    /// The customer wrote.
    CustomerWrote,
    /// The customer goes on here with what it has asked since then in another conversation.
    AskedElsewhere(i64),
    /// The staff wrote.
    StaffWrote,
    /// A bot wrote: nobody of the staff is waited for.
    BotWrote,
    /// The bot answers no more: the customer waits for the staff from now on.
    HandedOff,
    /// It is over.
    Closed(CloseReason),
    /// It is the matter of another group, or of none.
    GroupChanged(Option<GroupId>),
    /// It is so urgent now.
    PriorityChanged(Priority),
    /// It was told that the target of a clock is near.
    Warned(SlaMetric, i64),
    /// It was told that the clock missed this due time.
    Breached(SlaMetric, i64, i64),
}

/// What is kept of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaTrack {
    tenant: TenantId,
    conversation: ConversationId,
    /// While it is not over.
    pub stretch: Option<SlaStretchRow>,
    /// Its clocks, by metric and first entry.
    pub clocks: BTreeMap<(SlaMetric, i64), SlaClockRow>,
    /// What was asked and not answered when it was closed.
    pub left_asked: Option<i64>,
}

impl SlaTrack {
    /// A conversation of which nothing is kept.
    pub const fn new(tenant: TenantId, conversation: ConversationId) -> Self {
        Self { tenant, conversation, stretch: None, clocks: BTreeMap::new(), left_asked: None }
    }

    /// Since when the customer waits for an answer, or waited when it was closed.
    pub fn asked_at(&self) -> Option<i64> {
        self.stretch.as_ref().map_or(self.left_asked, |stretch| stretch.asked_at)
    }

    /// Something happened at this time, with this entry of the conversation.
    pub fn apply(&mut self, happening: SlaHappening, at: i64, seq: i64, rules: &SlaRules) {
        let anew = matches!(happening, SlaHappening::GroupChanged(_));
        match happening {
            SlaHappening::Began(group_id, priority) => self.begin(group_id, priority, at, seq),
            SlaHappening::Closed(reason) => self.close(reason, at),
            SlaHappening::Warned(metric, started) => {
                if let Some(clock) = self.clocks.get_mut(&(metric, started)) {
                    clock.warned_at.get_or_insert(at);
                }
            }
            SlaHappening::Breached(metric, started, due) => {
                if let Some(clock) = self.clocks.get_mut(&(metric, started)) {
                    clock.breached_at.get_or_insert(due);
                }
            }
            SlaHappening::BotWrote | SlaHappening::HandedOff => {
                for metric in [SlaMetric::FirstResponse, SlaMetric::NextResponse] {
                    self.of(metric).for_each(|clock| clock.drop_target(at));
                }
            }
            SlaHappening::StaffWrote if self.stretch.is_some() => {
                for metric in [SlaMetric::FirstResponse, SlaMetric::NextResponse] {
                    self.of(metric).for_each(|clock| clock.end(SlaState::Met, at));
                }
            }
            _ => {}
        }
        if let Some(stretch) = &mut self.stretch {
            match happening {
                SlaHappening::CustomerWrote => stretch.ask(at, seq),
                SlaHappening::AskedElsewhere(since) => {
                    stretch.ask(since, seq);
                    stretch.asked_at = stretch.asked_at.map(|asked| asked.min(since));
                }
                SlaHappening::StaffWrote => {
                    (stretch.asked_at, stretch.asked_seq, stretch.is_answered) = (None, None, true);
                }
                SlaHappening::BotWrote => (stretch.asked_at, stretch.asked_seq) = (None, None),
                SlaHappening::HandedOff => (stretch.asked_at, stretch.asked_seq) = (Some(at), Some(seq)),
                SlaHappening::GroupChanged(to) => stretch.group_id = to,
                SlaHappening::PriorityChanged(to) => stretch.priority = to,
                _ => {}
            }
        }
        self.aim(at, rules, anew);
    }

    /// Gives every clock that is to run its target, and ends those that are not; `anew`: also where neither the policy nor the
    /// begin changed, since business hours did.
    pub fn aim(&mut self, at: i64, rules: &SlaRules, anew: bool) {
        let mut aimed = Vec::new();
        if let Some(stretch) = &self.stretch
            && let Some(policy) = rules.policy(stretch.group_id, stretch.priority)
        {
            for (metric, since, seq) in stretch.running() {
                let Some(target) = policy.target_ms(metric) else { continue };
                let known = self.clocks.get(&(metric, seq));
                aimed.push((metric, seq));
                let stays = known.is_some_and(|clock| {
                    (clock.policy_id, clock.started_at, clock.state) == (policy.id, since, SlaState::Running)
                });
                if stays && !anew {
                    continue;
                }
                let reach = |ms| rules.after(policy.hours, stretch.group_id, since, ms);
                let warn = policy.warn_before_seconds.map(|seconds| target - seconds.saturating_mul(1_000));
                let clock = SlaClockRow {
                    conversation_id: self.conversation,
                    metric,
                    started_seq: seq,
                    tenant_id: self.tenant,
                    policy_id: policy.id,
                    started_at: since,
                    due_at: reach(target),
                    warn_at: warn.filter(|warn| *warn > 0).and_then(reach),
                    warned_at: known.and_then(|clock| clock.warned_at),
                    breached_at: known.and_then(|clock| clock.breached_at),
                    ended_at: None,
                    state: SlaState::Running,
                    next_at: None,
                };
                self.clocks.insert((metric, seq), clock);
            }
        }
        for (key, clock) in &mut self.clocks {
            if !aimed.contains(key) {
                clock.drop_target(at);
            }
            clock.next_at = clock.next();
        }
        self.forget(&rules.policies);
    }

    fn of(&mut self, metric: SlaMetric) -> impl Iterator<Item = &mut SlaClockRow> {
        self.clocks.values_mut().filter(move |clock| clock.metric == metric)
    }

    fn begin(&mut self, group_id: Option<GroupId>, priority: Priority, at: i64, seq: i64) {
        // What ended before and is told is of the stretch before.
        self.clocks.retain(|_, clock| clock.state == SlaState::Running || clock.next_at.is_some());
        self.stretch = Some(SlaStretchRow {
            conversation_id: self.conversation,
            tenant_id: self.tenant,
            began_at: at,
            began_seq: seq,
            group_id,
            priority,
            asked_at: None,
            asked_seq: None,
            is_answered: false,
        });
    }

    fn close(&mut self, reason: CloseReason, at: i64) {
        let Some(stretch) = self.stretch.take() else { return };
        self.left_asked = stretch.asked_at;
        let resolved = match reason {
            CloseReason::Merged | CloseReason::Spam => SlaState::Ended,
            _ => SlaState::Met,
        };
        self.of(SlaMetric::Resolution).for_each(|clock| clock.end(resolved, at));
        self.clocks.values_mut().for_each(|clock| clock.end(SlaState::Ended, at));
    }

    /// Forgets what nobody asks for: clocks that have ended before their policy was made, those of an earlier stretch, and those
    /// after which another one of their metric began; but what is still to be told of one.
    fn forget(&mut self, policies: &[SlaPolicyRow]) {
        let resolution = self.clocks.keys().rfind(|(metric, _)| *metric == SlaMetric::Resolution);
        let began =
            self.stretch.as_ref().map(|stretch| stretch.began_seq).or(resolution.map(|(_, seq)| *seq));
        let newest: BTreeMap<SlaMetric, i64> = self.clocks.keys().copied().collect();
        self.clocks.retain(|(metric, seq), clock| {
            let Some(ended) = clock.ended_at else { return true };
            let policy = policies.iter().find(|policy| policy.id == clock.policy_id);
            let is_old = policy.is_some_and(|policy| ended < policy.created_at);
            let is_last = newest.get(metric) == Some(seq) && began.is_none_or(|began| *seq >= began);
            !is_old && (clock.next_at.is_some() || is_last)
        });
    }
}

impl SlaStretchRow {
    fn ask(&mut self, at: i64, seq: i64) {
        self.asked_at.get_or_insert(at);
        self.asked_seq.get_or_insert(seq);
    }

    /// What runs in it: since when, and since which entry.
    fn running(&self) -> impl Iterator<Item = (SlaMetric, i64, i64)> + use<> {
        let response = if self.is_answered { SlaMetric::NextResponse } else { SlaMetric::FirstResponse };
        let asked = self.asked_at.zip(self.asked_seq).map(|(at, seq)| (response, at, seq));
        std::iter::once((SlaMetric::Resolution, self.began_at, self.began_seq)).chain(asked)
    }
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
