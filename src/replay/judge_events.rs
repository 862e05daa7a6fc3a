//! What the entries of a tenant's conversations mean for its desk, in the order of commits. Pure, as `judge` is.
//!
//! Owns the reading of front logs and of what stands behind them. Invariant: what one command did stays together, and
//! what it says of a group or a reason counts for all of it.

use std::collections::HashMap;

use super::client::fact::Fact;
use super::evidence::{AssignmentEvidence, ConversationEvidence, DeskEvidence, Evidence};
use super::history::Id;

/// What an entry means for the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// It waits from now on: opened or opened again.
    Waits,
    /// Its agent (if known), or the group that served it, lost it: it waits again. Why, unless it was released.
    Freed(Option<Id>, Option<&'a str>),
    /// Somebody serves it, by this assignment, and by whose hand.
    Given(Id, Option<&'a AssignmentEvidence>, Option<Id>),
    /// Its group serves it as a whole.
    Docked,
    /// It is over, and why.
    Closed(Option<&'a str>),
    /// One of the staff spoke to the customer.
    Said(Id),
    /// It was offered.
    Offered(Id, Offerer),
    /// The agent said no.
    Declined(Id, Offerer),
    /// The agent did not answer.
    Missed(Id, Offerer),
    /// The agent who serves it asks no longer; by whose hand, when somebody took it back.
    Withdrawn(Id, Option<Id>),
}

/// Who offers a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offerer {
    /// Routing: it waits.
    Routing,
    /// Who serves it.
    Agent,
}

/// An entry that means something for the desk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    /// The tenant's rev.
    pub rev: i64,
    /// By the server's clock, unix milliseconds.
    pub at: i64,
    /// Of which conversation.
    pub conversation: Id,
    /// Whose group's matter it is from then on.
    pub group: Option<Id>,
    /// What.
    pub event: Event<'a>,
}

/// The entries of a conversation and of what stands behind it (true), in the order of commits.
pub(super) fn facts<'a>(
    evidence: &'a Evidence,
    conversation: Id,
    known: &ConversationEvidence,
) -> Vec<(&'a Fact, bool)> {
    let log = |id: Option<Id>| {
        id.and_then(|id| evidence.logs.get(&id)).map(|log| log.entries.as_slice()).unwrap_or_default()
    };
    let front = log(Some(conversation)).iter().map(|fact| (fact, false));
    let mut facts: Vec<_> = front.chain(log(known.backstage).iter().map(|fact| (fact, true))).collect();
    facts.sort_by_key(|(fact, behind)| (fact.rev, *behind, fact.seq));
    facts
}

/// Everything that happened at the desk, in the order of revs.
pub(super) fn steps<'a>(evidence: &'a Evidence, desk: &'a DeskEvidence) -> Vec<Step<'a>> {
    let all = desk.conversations.iter();
    let mut steps: Vec<_> = all.flat_map(|(id, known)| steps_of(evidence, *id, known)).collect();
    steps.sort_by_key(|step| step.rev);
    steps
}

fn steps_of<'a>(evidence: &'a Evidence, conversation: Id, known: &'a ConversationEvidence) -> Vec<Step<'a>> {
    let facts = facts(evidence, conversation, known);
    let mut steps = Vec::new();
    let mut assignments = known.assignments.iter();
    let mut served = false;
    let mut offers: HashMap<Id, Offerer> = HashMap::new();
    let first_change = facts.iter().find_map(|(fact, _)| fact.groups);
    let mut group = first_change.map_or(known.group, |(from, _)| from);
    for command in facts.chunk_by(|(one, _), (other, _)| one.rev == other.rev) {
        group = command.iter().filter_map(|(fact, _)| fact.groups).next_back().map_or(group, |(_, to)| to);
        let explains = |fact: &Fact| fact.explains.as_deref() == Some("released");
        let why =
            command.iter().find(|(fact, _)| explains(fact)).and_then(|(fact, _)| fact.reason.as_deref());
        for (fact, behind) in command {
            let offerer = |agent: Id| offers.get(&agent).copied().unwrap_or(Offerer::Routing);
            let event = match (&*fact.kind, fact.about) {
                ("opened" | "reopened", _) => Event::Waits,
                ("released", agent) => Event::Freed(agent, why),
                ("assigned", Some(agent)) => Event::Given(agent, assignments.next(), fact.sender),
                ("docked", _) => Event::Docked,
                ("closed", _) => Event::Closed(fact.reason.as_deref()),
                ("offered", Some(agent)) => {
                    let by = if served { Offerer::Agent } else { Offerer::Routing };
                    offers.insert(agent, by);
                    Event::Offered(agent, by)
                }
                ("declined", Some(agent)) => Event::Declined(agent, offerer(agent)),
                ("offer_missed", Some(agent)) => Event::Missed(agent, offerer(agent)),
                ("offer_withdrawn", Some(agent)) => Event::Withdrawn(agent, fact.sender),
                _ => match fact.sender.filter(|_| fact.message && !*behind && !fact.by_customer) {
                    Some(sender) => Event::Said(sender),
                    None => continue,
                },
            };
            match event {
                Event::Given(..) => served = true,
                Event::Freed(..) | Event::Docked | Event::Closed(_) => served = false,
                _ => {}
            }
            steps.push(Step { rev: fact.rev, at: fact.at, conversation, group, event });
        }
    }
    steps
}

/// The groups whose matter each conversation was at any time; none stands for no group's.
pub(super) fn groups_of(steps: &[Step<'_>]) -> HashMap<Id, Vec<Option<Id>>> {
    let mut groups: HashMap<Id, Vec<Option<Id>>> = HashMap::new();
    for step in steps {
        let known = groups.entry(step.conversation).or_default();
        if !known.contains(&step.group) {
            known.push(step.group);
        }
    }
    groups
}

/// Conversations with the members of the groups that served them as a whole: they were in them.
pub(super) fn docked_members(evidence: &Evidence, desk: &DeskEvidence) -> Vec<(Id, Id)> {
    let mut all = Vec::new();
    for step in steps(evidence, desk) {
        if let (Event::Docked, Some(group)) = (step.event, step.group) {
            let members = desk.agents.iter().filter(|(_, agent)| agent.groups.contains(&group));
            all.extend(members.map(|(member, _)| (step.conversation, *member)));
        }
    }
    all
}

#[cfg(test)]
#[path = "judge_events_tests.rs"]
mod tests;
