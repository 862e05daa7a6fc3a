//! What became of the waiting, and how evenly the work was shared.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::routing::{Candidate, Waiting};
use crate::kernel::MemberId;

/// The measures of one case.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    waits: Vec<i64>,
    served: BTreeMap<MemberId, u32>,
    offered: BTreeSet<usize>,
    longest_queue: usize,
    busiest: i64,
    unskilled: u32,
    known: u32,
    met_again: u32,
}

impl Outcome {
    pub(super) fn begin(&mut self, now: i64, waiting: &Waiting, agent: &Candidate) {
        self.waits.push(now - waiting.since);
        *self.served.entry(agent.member).or_default() += 1;
        self.busiest = self.busiest.max(agent.current);
        let has = |skill: &crate::domain::routing::Skill| skill.level_in(&agent.skills) >= skill.level;
        self.unskilled += u32::from(!waiting.needs.required.iter().all(has));
        self.known += u32::from(waiting.needs.last_agent.is_some());
        self.met_again += u32::from(waiting.needs.last_agent == Some(agent.member));
    }

    pub(super) fn queued(&mut self, length: usize) {
        self.longest_queue = self.longest_queue.max(length);
    }

    pub(super) fn offer(&mut self, index: usize) {
        self.offered.insert(index);
    }

    pub(super) fn answered(&mut self, index: usize) {
        self.offered.remove(&index);
    }

    pub(super) fn is_offered(&self, index: usize) -> bool {
        self.offered.contains(&index)
    }

    /// Counts those too who got nothing.
    pub(super) fn served_by(&mut self, agents: &BTreeMap<MemberId, Candidate>) {
        for member in agents.keys() {
            self.served.entry(*member).or_default();
        }
        self.waits.sort_unstable();
    }

    #[cfg(test)]
    pub(super) fn waits(&self) -> &[i64] {
        &self.waits
    }

    #[cfg(test)]
    pub(super) fn busiest(&self) -> i64 {
        self.busiest
    }

    #[cfg(test)]
    pub(super) fn unskilled(&self) -> u32 {
        self.unskilled
    }

    /// The wait that so many percent do not exceed, in seconds.
    fn wait(&self, percent: usize) -> f64 {
        let index = (self.waits.len() * percent).div_ceil(100).saturating_sub(1);
        self.waits.get(index).map_or(0.0, |wait| *wait as f64 / 1_000.0)
    }

    /// Jain's index of fairness over how many conversations each agent got: 1 when all got the same (R. Jain, D. Chiu,
    /// W. Hawe: A Quantitative Measure of Fairness, DEC-TR-301, 1984).
    fn fairness(&self) -> f64 {
        let counts = || self.served.values().map(|count| f64::from(*count));
        let (sum, squares): (f64, f64) = (counts().sum(), counts().map(|count| count * count).sum());
        if squares == 0.0 { 1.0 } else { sum * sum / (self.served.len() as f64 * squares) }
    }

    /// The line of the table.
    pub(super) fn line(&self, name: &str) -> String {
        let mean = self.waits.iter().sum::<i64>() as f64 / 1_000.0 / self.waits.len().max(1) as f64;
        let percent = |part: u32, whole: u32| f64::from(part) * 100.0 / f64::from(whole.max(1));
        format!(
            "| {name} | {mean:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {:.3} | {:.0} % | {} |",
            self.wait(50),
            self.wait(90),
            self.wait(99),
            self.wait(100),
            self.longest_queue,
            self.fairness(),
            percent(self.met_again, self.known),
            self.unskilled,
        )
    }
}

/// The head of the table.
pub(super) fn head() -> Vec<String> {
    vec![
        "| strategy | mean wait, s | p50 | p90 | p99 | longest | longest queue | fairness | met their last agent | served \
         without the required skill |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ]
}
