//! The order among candidates who fit alike. One strategy a file; each says who comes first.

mod least_loaded;
mod longest_idle;
mod round_robin;

use std::cmp::Ordering;

use super::{Candidate, RoutingStrategy};

/// Who of two comes first by this strategy; equals are told apart by their ids.
pub(super) fn order(strategy: RoutingStrategy, left: &Candidate, right: &Candidate) -> Ordering {
    let order = match strategy {
        RoutingStrategy::Manual => Ordering::Equal,
        RoutingStrategy::RoundRobin => round_robin::order(left, right),
        RoutingStrategy::LeastLoaded => least_loaded::order(left, right),
        RoutingStrategy::LongestIdle => longest_idle::order(left, right),
    };
    order.then_with(|| left.member.cmp(&right.member))
}
