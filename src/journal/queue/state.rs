//! What waits in a queue: the commands in their order, and the held tenants beside them. No locks and no waiting here.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::{BATCH_BYTES, BATCH_COMMANDS, Pending, overdue};
use crate::kernel::TenantId;

/// After so many skips a tenant's commands run alone, on the second thread, which waits a moment for its lock.
pub(super) const SKIPS_BEFORE_ALONE: u32 = 3;
/// Commands of held tenants in one batch: the lane asks for them in passing.
pub(super) const HELD_IN_BATCH: usize = BATCH_COMMANDS / 4;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) commands: VecDeque<Pending>,
    /// Tenants that another process holds, with everything of theirs that waits.
    pub(super) held: HashMap<TenantId, Held>,
    pub(super) by_tenant: HashMap<TenantId, usize>,
    /// Something beside the commands waits (a write closure, or the end).
    pub(super) nudged: bool,
    pub(super) stopping: bool,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) commands: VecDeque<Pending>,
    /// How often it was found locked, in a row.
    pub(super) skips: u32,
    /// When to ask again.
    pub(super) due: Instant,
    /// Whether a thread works on some of its commands now.
    pub(super) turn: bool,
}

impl State {
    pub(super) fn len(&self) -> usize {
        self.commands.len() + self.held.values().map(|held| held.commands.len()).sum::<usize>()
    }

    /// Which held tenants the lane asks for; all of them while it stops, since the second thread may have ended.
    pub(super) fn in_passing(stopping: bool) -> impl Fn(&Held) -> bool {
        move |held| stopping || held.skips < SKIPS_BEFORE_ALONE
    }

    pub(super) fn next_due(&self, which: impl Fn(&Held) -> bool) -> Option<Instant> {
        self.held.values().filter(|held| !held.turn && which(held)).map(|held| held.due).min()
    }

    /// Takes commands until the batch is full; those whose callers went away are let go.
    pub(super) fn take(&mut self, taken: &mut Vec<Pending>) {
        let mut bytes = taken.iter().map(Pending::bytes).sum::<usize>();
        while let Some(first) = self.commands.front() {
            bytes += first.bytes();
            if taken.len() >= BATCH_COMMANDS || (bytes > BATCH_BYTES && !taken.is_empty()) {
                break;
            }
            if let Some(pending) = self.commands.pop_front() {
                self.forget(pending.tenant());
                if pending.is_overdue() {
                    pending.answer(Err(overdue()));
                } else {
                    taken.push(pending);
                }
            }
        }
    }

    /// Takes commands of due held tenants, longest due first, until there are at least so many.
    pub(super) fn take_held(
        &mut self,
        enough: usize,
        which: impl Fn(&Held) -> bool,
    ) -> (Vec<Pending>, Vec<TenantId>) {
        let now = Instant::now();
        let is_due = |held: &Held| !held.turn && held.due <= now && which(held);
        let mut due: Vec<(Instant, TenantId)> = self
            .held
            .iter()
            .filter(|(_, held)| is_due(held))
            .map(|(tenant, held)| (held.due, *tenant))
            .collect();
        due.sort();
        let (mut taken, mut tenants, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (_, tenant) in due {
            if taken.len() >= enough || bytes > BATCH_BYTES {
                break;
            }
            let Some(held) = self.held.get_mut(&tenant) else { continue };
            held.turn = true;
            tenants.push(tenant);
            let (mut count, most) = (0, enough.max(HELD_IN_BATCH));
            while count < most
                && bytes <= BATCH_BYTES
                && let Some(pending) = held.commands.pop_front()
            {
                bytes += pending.bytes();
                count += 1;
                taken.push(pending);
            }
            for _ in 0..count {
                self.forget(tenant);
            }
        }
        (taken, tenants)
    }

    /// Takes everything of a tenant out of the queue, in its order.
    pub(super) fn withdraw(&mut self, tenant: TenantId) -> VecDeque<Pending> {
        let all = std::mem::take(&mut self.commands);
        let (its, others) = all.into_iter().partition(|pending| pending.tenant() == tenant);
        self.commands = others;
        its
    }

    pub(super) fn forget(&mut self, tenant: TenantId) {
        if let Some(count) = self.by_tenant.get_mut(&tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_tenant.remove(&tenant);
            }
        }
    }
}
