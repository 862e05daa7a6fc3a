//! Following a tenant's log without holes. Owns, for one worker and one tenant, which rev comes next, what to do
//! with what arrives, and the plan of a repair. No I/O: `repair` reads the store by this plan.
//!
//! Invariants: changes are taken strictly in order of rev and each rev once; whatever is missing is read from the
//! store in pieces; a hole too large to replay is jumped and told as a lag.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::journal::Changes;

/// Revs that one piece of a repair reads.
pub const PIECE: i64 = 5_000;
/// A hole of more revs than this is jumped.
pub const JUMP: i64 = 10_000;
/// Silence behind the committed rev that is believed to be a loss.
pub const SILENCE: Duration = Duration::from_secs(2);
/// Changes that wait while a repair runs; what does not fit is read from the store.
const BACKLOG: usize = 256;

/// Where one worker stands in one tenant's log.
#[derive(Debug, Default)]
pub struct Follower {
    next: Option<i64>,
    repairing: bool,
    behind_since: Option<Instant>,
    backlog: VecDeque<Arc<Changes>>,
}

/// What to do with changes that arrived.
#[derive(Debug)]
pub enum Step {
    /// Deliver these.
    Deliver(Arc<Changes>),
    /// They are known, or wait for a repair that runs.
    Nothing,
    /// Something is missing: repair up to this rev.
    Repair(i64),
}

/// The next piece of a repair.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Read these revs, both included.
    Read(i64, i64),
    /// Too much is missing: go on after this rev.
    Jump(i64),
    /// Nothing is missing any more.
    Done,
}

impl Follower {
    /// Whether it knows where it stands.
    pub fn is_set(&self) -> bool {
        self.next.is_some()
    }

    /// Begins after this rev, unless it has begun.
    pub fn begin(&mut self, rev: i64) {
        if self.next.is_none() {
            self.next = Some(rev + 1);
            self.backlog.clear();
        }
    }

    /// Takes changes as they come from the feed.
    pub fn offer(&mut self, changes: Arc<Changes>) -> Step {
        // Before the beginning is known, everything that comes will lie before it or be found missing.
        let Some(next) = self.next else { return Step::Nothing };
        if changes.rev_to < next {
            return Step::Nothing;
        }
        if self.repairing {
            if self.backlog.len() < BACKLOG {
                self.backlog.push_back(changes);
            }
            return Step::Nothing;
        }
        if changes.rev_from > next {
            let missing = changes.rev_from - 1;
            self.backlog.push_back(changes);
            return Step::Repair(missing);
        }
        self.next = Some(changes.rev_to + 1);
        self.behind_since = None;
        Step::Deliver(trim(changes, next))
    }

    /// Whether a committed rev has not come yet: at once when told so, else after a silence.
    pub fn is_behind(&mut self, committed: i64, now: Instant, told: bool) -> bool {
        let Some(next) = self.next else { return false };
        if committed < next || self.repairing {
            self.behind_since = None;
            return false;
        }
        let since = *self.behind_since.get_or_insert(now);
        told || now.saturating_duration_since(since) >= SILENCE
    }

    /// Begins a repair; false when one runs.
    pub fn begin_repair(&mut self) -> bool {
        !std::mem::replace(&mut self.repairing, true)
    }

    /// What to read so that everything up to `to` is known.
    pub fn plan(&self, to: i64) -> Plan {
        match self.next {
            Some(next) if to - next >= JUMP => Plan::Jump(to),
            Some(next) if next <= to => Plan::Read(next, to.min(next + PIECE - 1)),
            _ => Plan::Done,
        }
    }

    /// A piece was read.
    pub fn repaired(&mut self, to: i64) {
        if let Some(next) = &mut self.next {
            *next = (*next).max(to + 1);
        }
    }

    /// Ends a repair. Returns what waited and can be delivered now, and up to where something is still missing.
    pub fn end_repair(&mut self) -> (Vec<Arc<Changes>>, Option<i64>) {
        self.repairing = false;
        self.behind_since = None;
        let mut waiting = std::mem::take(&mut self.backlog);
        waiting.make_contiguous().sort_by_key(|changes| changes.rev_from);
        let mut ready = Vec::new();
        while let Some(changes) = waiting.pop_front() {
            match self.offer(changes) {
                Step::Deliver(changes) => ready.push(changes),
                Step::Nothing => {}
                Step::Repair(to) => {
                    self.backlog.extend(waiting);
                    return (ready, Some(to));
                }
            }
        }
        (ready, None)
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
            rooms: std::collections::HashMap::new(),
            access: Vec::new(),
        })
    }

    fn told(step: &Step) -> (i64, i64) {
        match step {
            Step::Deliver(changes) => (changes.rev_from, changes.rev_to),
            Step::Nothing => (0, 0),
            Step::Repair(to) => (-1, *to),
        }
    }

    #[test]
    fn changes_are_taken_in_order_and_each_rev_once() {
        let mut follower = Follower::default();
        assert_eq!(told(&follower.offer(changes(9, 9))), (0, 0));
        follower.begin(10);
        assert_eq!(told(&follower.offer(changes(9, 10))), (0, 0));
        assert_eq!(told(&follower.offer(changes(11, 12))), (11, 12));
        assert_eq!(told(&follower.offer(changes(11, 12))), (0, 0));
        assert_eq!(told(&follower.offer(changes(12, 14))), (13, 14));
    }

    #[test]
    fn a_hole_is_repaired_and_what_came_meanwhile_follows() {
        let mut follower = Follower::default();
        follower.begin(10);
        assert_eq!(told(&follower.offer(changes(13, 13))), (-1, 12));
        assert!(follower.begin_repair() && !follower.begin_repair());
        assert_eq!(told(&follower.offer(changes(16, 16))), (0, 0));
        assert_eq!(told(&follower.offer(changes(14, 14))), (0, 0));
        assert_eq!(follower.plan(12), Plan::Read(11, 12));
        follower.repaired(12);
        assert_eq!(follower.plan(12), Plan::Done);
        let (ready, missing) = follower.end_repair();
        assert_eq!(ready.iter().map(|one| one.rev_from).collect::<Vec<_>>(), [13, 14]);
        assert_eq!(missing, Some(15));
    }

    #[test]
    fn large_holes_are_read_in_pieces_and_larger_ones_are_jumped() {
        let mut follower = Follower::default();
        follower.begin(0);
        assert_eq!(follower.plan(10_000), Plan::Read(1, 5_000));
        assert_eq!(follower.plan(10_001), Plan::Jump(10_001));
        follower.repaired(5_000);
        assert_eq!(follower.plan(10_001), Plan::Read(5_001, 10_000));
    }

    #[test]
    fn silence_behind_the_committed_rev_is_a_loss() {
        let mut follower = Follower::default();
        let start = Instant::now();
        assert!(!follower.is_behind(5, start, true));
        follower.begin(4);
        assert!(!follower.is_behind(4, start, true));
        assert!(!follower.is_behind(5, start, false));
        assert!(!follower.is_behind(5, start + Duration::from_secs(1), false));
        assert!(follower.is_behind(5, start + SILENCE, false));
        assert!(follower.is_behind(5, start, true));
    }
}
