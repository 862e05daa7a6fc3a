//! Least loaded: who has the smallest share of its `max_accept` in use comes first; of equals, round robin.

use std::cmp::Ordering;

use super::round_robin;
use crate::domain::routing::Candidate;

pub(super) fn order(left: &Candidate, right: &Candidate) -> Ordering {
    // current / max, compared without division. Who fits accepts at least one.
    let share = (left.current * right.max).cmp(&(right.current * left.max));
    share.then_with(|| round_robin::order(left, right))
}
