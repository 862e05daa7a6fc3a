//! Round robin: whose last conversation was given the longest ago comes first; who never had one comes before all.

use std::cmp::Ordering;

use crate::domain::routing::Candidate;

pub(super) fn order(left: &Candidate, right: &Candidate) -> Ordering {
    left.last_assigned_at.cmp(&right.last_assigned_at)
}
