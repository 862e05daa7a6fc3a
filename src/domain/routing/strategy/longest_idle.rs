//! Longest idle: for whom it is the longest ago that a conversation began or ended, or that it came online, comes first;
//! who has no such time comes before all. Of equals, least loaded.

use std::cmp::Ordering;

use super::least_loaded;
use crate::domain::routing::Candidate;

pub(super) fn order(left: &Candidate, right: &Candidate) -> Ordering {
    left.idle_since.cmp(&right.idle_since).then_with(|| least_loaded::order(left, right))
}
