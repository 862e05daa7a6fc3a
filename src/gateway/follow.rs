//! Following a tenant's log without holes. Owns, for one worker and one tenant, which rev comes next, what waits
//! behind a hole, and when to ask for what is missing. No I/O: [`crate::cluster::repair`] reads the store once for
//! all workers of the process and publishes what it read as any other changes.
//!
//! Invariants: changes are taken strictly in order of rev and each rev once; what is missing is asked for again until
//! it comes; a hole too large to replay is jumped and told as a lag.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::journal::Changes;

/// A hole of more revs than this is jumped.
pub const JUMP: i64 = 10_000;
/// Silence behind the committed rev that is believed to be a loss.
pub const SILENCE: Duration = Duration::from_secs(2);
/// After so long without progress a hole is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Changes that wait behind a hole; what does not fit is read from the store.
const BACKLOG: usize = 256;

/// Where one worker stands in one tenant's log.
#[derive(Debug, Default)]
pub struct Follower {
    next: Option<i64>,
    begun: i64,
    asked: Option<(i64, Instant)>,
    behind_since: Option<Instant>,
    backlog: BTreeMap<i64, Arc<Changes>>,
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    /// Ask for these revs, both included.
    Ask(i64, i64),
    /// Too much is missing: go on after this rev.
    Jump(i64),
}

impl Follower {
    /// A follower that begins after this rev.
    pub fn after(rev: i64) -> Self {
        Self { next: Some(rev + 1), begun: rev, ..Self::default() }
    }

    /// Whether it knows where it stands.
    pub fn is_set(&self) -> bool {
        self.next.is_some()
    }

    /// The rev after which it began: what was committed up to here was handed to nobody.
    pub fn begun(&self) -> i64 {
        self.begun
    }

    /// Begins after this rev, unless it has begun.
    pub fn begin(&mut self, rev: i64) {
        if self.next.is_none() {
            *self = Self::after(rev);
        }
    }

    /// Takes changes as they come from the feed. Returns what can be delivered now, in order.
    pub fn offer(&mut self, changes: Arc<Changes>) -> Vec<Arc<Changes>> {
        // Before the beginning is known, everything that comes will lie before it or be found missing.
        let Some(next) = self.next else { return Vec::new() };
        if changes.rev_to < next {
            return Vec::new();
        }
        if changes.rev_from > next {
            if self.backlog.len() < BACKLOG {
                self.backlog.insert(changes.rev_from, changes);
            }
            return Vec::new();
        }
        let mut ready = vec![self.advance(next, changes)];
        while let Some(waiting) = self.next_waiting() {
            let next = self.next.unwrap_or_default();
            if waiting.rev_to >= next {
                ready.push(self.advance(next, waiting));
            }
        }
        ready
    }

    fn advance(&mut self, next: i64, changes: Arc<Changes>) -> Arc<Changes> {
        self.next = Some(changes.rev_to + 1);
        self.asked = None;
        self.behind_since = None;
        trim(changes, next)
    }

    fn next_waiting(&mut self) -> Option<Arc<Changes>> {
        let first = self.backlog.first_entry()?;
        (*first.key() <= self.next?).then(|| first.remove())
    }

    /// What is missing and was not asked for a moment ago. Changes that wait show a hole at once; that the committed
    /// rev has not come shows when the follower was told so, else after a silence.
    pub fn hole(&mut self, committed: i64, now: Instant, told: bool) -> Option<Hole> {
        let next = self.next?;
        let to = match self.backlog.first_key_value() {
            Some((from, _)) => from - 1,
            None if committed < next => {
                self.behind_since = None;
                return None;
            }
            None => {
                let since = *self.behind_since.get_or_insert(now);
                if !told && now.saturating_duration_since(since) < SILENCE {
                    return None;
                }
                committed
            }
        };
        if to - next >= JUMP {
            return Some(Hole::Jump(to));
        }
        let asked = self.asked.filter(|(from, _)| *from == next);
        if asked.is_some_and(|(_, at)| now.saturating_duration_since(at) < ASK_AGAIN) {
            return None;
        }
        self.asked = Some((next, now));
        Some(Hole::Ask(next, to))
    }
}

/// Cuts off what lies before `next`.
fn trim(changes: Arc<Changes>, next: i64) -> Arc<Changes> {
    if changes.rev_from >= next {
        return changes;
    }
    let mut rest = (*changes).clone();
    rest.rev_from = next;
    rest.entries.retain(|entry| entry.rev >= next);
    rest.access.retain(|notice| notice.rev >= next);
    rest.agents.retain(|row| row.rev >= next);
    rest.offers.retain(|row| row.rev >= next);
    rest.notifications.retain(|row| row.rev >= next);
    Arc::new(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::TenantId;

    fn changes(from: i64, to: i64) -> Arc<Changes> {
        Arc::new(Changes {
            tenant: TenantId(1),
            rev_from: from,
            rev_to: to,
            entries: Vec::new(),
            conversations: std::collections::HashMap::new(),
            access: Vec::new(),
            agents: Vec::new(),
            offers: Vec::new(),
            notifications: Vec::new(),
        })
    }

    fn offer(follower: &mut Follower, from: i64, to: i64) -> Vec<(i64, i64)> {
        follower.offer(changes(from, to)).iter().map(|one| (one.rev_from, one.rev_to)).collect()
    }

    #[test]
    fn changes_are_taken_in_order_and_each_rev_once() {
        let mut follower = Follower::default();
        assert_eq!(offer(&mut follower, 9, 9), []);
        follower.begin(10);
        assert_eq!(offer(&mut follower, 9, 10), []);
        assert_eq!(offer(&mut follower, 11, 12), [(11, 12)]);
        assert_eq!(offer(&mut follower, 11, 12), []);
        assert_eq!(offer(&mut follower, 12, 14), [(13, 14)]);
    }

    #[test]
    fn a_hole_is_asked_for_and_what_came_meanwhile_follows() {
        let mut follower = Follower::after(10);
        let start = Instant::now();
        assert_eq!(offer(&mut follower, 16, 16), []);
        assert_eq!(offer(&mut follower, 13, 13), []);
        assert_eq!(follower.hole(16, start, false), Some(Hole::Ask(11, 12)));
        assert_eq!(follower.hole(16, start, true), None, "it was asked for");
        assert_eq!(
            follower.hole(16, start + ASK_AGAIN, false),
            Some(Hole::Ask(11, 12)),
            "the answer was lost"
        );
        assert_eq!(offer(&mut follower, 11, 11), [(11, 11)]);
        assert_eq!(follower.hole(16, start, false), Some(Hole::Ask(12, 12)), "the answer was a piece");
        assert_eq!(offer(&mut follower, 12, 13), [(12, 13)]);
        assert_eq!(follower.hole(16, start, false), Some(Hole::Ask(14, 15)));
        assert_eq!(offer(&mut follower, 14, 15), [(14, 15), (16, 16)]);
        assert_eq!(follower.hole(16, start, true), None);
    }

    #[test]
    fn a_large_hole_is_jumped() {
        let mut follower = Follower::after(0);
        let start = Instant::now();
        assert_eq!(follower.hole(10_000, start, true), Some(Hole::Ask(1, 10_000)));
        assert_eq!(follower.hole(10_001, start, true), Some(Hole::Jump(10_001)));
    }

    #[test]
    fn silence_behind_the_committed_rev_is_a_loss() {
        let start = Instant::now();
        assert_eq!(Follower::default().hole(5, start, true), None);
        let mut follower = Follower::after(4);
        assert_eq!(follower.hole(4, start, true), None);
        assert_eq!(follower.hole(5, start, false), None);
        assert_eq!(follower.hole(5, start + Duration::from_secs(1), false), None);
        assert_eq!(follower.hole(5, start + SILENCE, false), Some(Hole::Ask(5, 5)));
        assert_eq!(Follower::after(4).hole(5, start, true), Some(Hole::Ask(5, 5)));
    }
}
