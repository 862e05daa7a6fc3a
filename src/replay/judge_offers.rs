//! The life of offers, by routing and from one agent to another. Pure, as `judge` is.
//!
//! An offer is answered once, by whom it was made to, and in time; one agent is asked at a time; and who asks goes on
//! serving until the other accepts. An offer of routing may end without a word; of one between agents the staff learn.

use std::collections::{HashMap, HashSet};

use super::evidence::{DeskEvidence, Violation, broken};
use super::history::Id;
use super::judge_events::{Event, Offerer, Step};

/// How long an agent has to answer a colleague where routing makes no offers, in milliseconds.
const TRANSFER_MS: i64 = 60_000;

/// An offer that waits for its answer.
#[derive(Debug, Clone, Copy)]
struct Standing {
    agent: Id,
    by: Offerer,
    at: i64,
}

/// What is known at a rev.
#[derive(Default)]
struct Offers {
    offer_ms: Option<i64>,
    /// Those that wait, by conversation.
    standing: HashMap<Id, Standing>,
    /// Those between agents that hold no longer and may still be told to be withdrawn: conversation and receiver.
    lapsed: HashSet<(Id, Id)>,
    holders: HashMap<Id, Id>,
    /// What is docked or closed: nobody can be asked.
    settled: HashSet<Id>,
    wrong: Vec<String>,
}

/// Finds every violation of offers.
pub(super) fn offers(desk: &DeskEvidence, steps: &[Step<'_>], found: &mut Vec<Violation>) {
    let offer_ms = desk.offer_seconds.map(|seconds| seconds * 1_000);
    let mut offers = Offers { offer_ms, ..Offers::default() };
    steps.iter().for_each(|step| offers.take(desk, step));
    offers.wrong.into_iter().for_each(|what| broken(found, "P6", what));
}

impl Offers {
    fn take(&mut self, desk: &DeskEvidence, step: &Step<'_>) {
        let conversation = step.conversation;
        match step.event {
            Event::Said(_) => {}
            Event::Waits => drop(self.settled.remove(&conversation)),
            Event::Freed(..) => {
                self.lapse(conversation);
                self.holders.remove(&conversation);
                self.settled.remove(&conversation);
            }
            Event::Docked | Event::Closed(_) => {
                self.lapse(conversation);
                self.holders.remove(&conversation);
                self.settled.insert(conversation);
            }
            Event::Given(agent, assignment, by) => {
                let why = assignment.map_or("", |one| one.reason.as_str());
                self.given(step, agent, why, by);
                self.settled.remove(&conversation);
                self.holders.insert(conversation, agent);
            }
            Event::Offered(agent, by) => self.offered(step, agent, by),
            Event::Declined(agent, by) => drop(self.answered(step, agent, by)),
            Event::Missed(agent, by) => {
                let standing = self.answered(step, agent, by);
                if standing.is_some_and(|one| step.at < one.at + self.wait(by)) {
                    self.wrong
                        .push(format!("{conversation}: {agent} missed an offer before its time was over"));
                }
            }
            Event::Withdrawn(agent, by) => self.withdrawn(desk, step, agent, by),
        }
    }

    fn offered(&mut self, step: &Step<'_>, agent: Id, by: Offerer) {
        let conversation = step.conversation;
        if self.settled.contains(&conversation) {
            self.wrong.push(format!("{conversation}: offered to {agent} while nobody could give it"));
        }
        let before = self.standing.insert(conversation, Standing { agent, by, at: step.at });
        if let Some(before) = before.filter(|one| one.by == Offerer::Agent) {
            let other = before.agent;
            self.wrong.push(format!("{conversation}: offered to {agent} while {other} was asked"));
        }
    }

    /// The agent answered, or time did: there must have been an offer.
    fn answered(&mut self, step: &Step<'_>, agent: Id, by: Offerer) -> Option<Standing> {
        let standing = self.standing.remove(&step.conversation);
        let fits = standing.filter(|one| one.agent == agent && one.by == by);
        if fits.is_none() {
            let conversation = step.conversation;
            self.wrong.push(format!("{conversation}: {agent} answered an offer that did not wait"));
        }
        fits
    }

    fn given(&mut self, step: &Step<'_>, agent: Id, why: &str, by: Option<Id>) {
        let conversation = step.conversation;
        // Who is handed a conversation by its own hand accepts it.
        let answers = match why {
            "offer" => Some(Offerer::Routing),
            "transfer" if by == Some(agent) => Some(Offerer::Agent),
            _ => None,
        };
        let Some(offerer) = answers else { return self.lapse(conversation) };
        let fits = |one: &Standing| one.agent == agent && one.by == offerer;
        match self.standing.get(&conversation).copied().filter(fits) {
            Some(one) if step.at < one.at + self.wait(offerer) => drop(self.standing.remove(&conversation)),
            Some(_) => {
                self.standing.remove(&conversation);
                self.wrong.push(format!("{conversation}: {agent} accepted an offer after its time was over"));
            }
            None => {
                self.lapse(conversation);
                self.wrong.push(format!("{conversation}: {agent} accepted what was not offered to it"));
            }
        }
    }

    fn withdrawn(&mut self, desk: &DeskEvidence, step: &Step<'_>, agent: Id, by: Option<Id>) {
        let conversation = step.conversation;
        let fits = |one: &Standing| one.agent == agent && one.by == Offerer::Agent;
        if self.standing.get(&conversation).is_some_and(fits) {
            self.standing.remove(&conversation);
        } else if !self.lapsed.remove(&(conversation, agent)) {
            self.wrong.push(format!("{conversation}: an offer to {agent} was withdrawn that did not wait"));
        }
        // Supervisors may, too.
        let holder = self.holders.get(&conversation).copied();
        if by.is_some_and(|by| desk.agents.contains_key(&by) && holder != Some(by)) {
            self.wrong.push(format!("{conversation}: {by:?} withdrew what {holder:?} offered"));
        }
    }

    /// The conversation went another way: what one agent offered to another holds no longer.
    fn lapse(&mut self, conversation: Id) {
        let standing = self.standing.remove(&conversation).filter(|one| one.by == Offerer::Agent);
        self.lapsed.extend(standing.map(|one| (conversation, one.agent)));
    }

    /// How long an offer waits for its answer, in milliseconds.
    fn wait(&self, by: Offerer) -> i64 {
        let without = if by == Offerer::Agent { TRANSFER_MS } else { 0 };
        self.offer_ms.unwrap_or(without)
    }
}

#[cfg(test)]
#[path = "judge_offers_tests.rs"]
mod tests;
