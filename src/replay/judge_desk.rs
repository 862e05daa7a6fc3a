//! P6, and sight by groups, of a tenant that routes. Pure, as `judge` is.
//!
//! The logs of the tenant are played again in the order of its revs, which is the order of commits whatever the clocks
//! said: who held what, and how many each agent served, is known at every rev, and everything that the server said of it
//! is held against that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::client::fact::Fact;
use super::evidence::{
    AssignmentEvidence, ConversationEvidence, DeskEvidence, DeviceView, Evidence, Violation, broken,
};
use super::history::{Action, Id};

/// What an entry means for the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// It waits from now on: opened or opened again.
    Waits,
    /// Its agent (if known) lost it: it waits again.
    Freed(Option<Id>),
    /// Somebody serves it, by this assignment.
    Given(Id, Option<&'a AssignmentEvidence>),
    /// It is over.
    Closed,
    /// It was offered.
    Offered(Id),
    /// The agent said no.
    Declined(Id),
    /// The agent did not answer.
    Missed(Id),
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
    /// What.
    pub event: Event<'a>,
}

/// Everything that happened at the desk, in the order of revs.
pub(super) fn steps<'a>(evidence: &'a Evidence, desk: &'a DeskEvidence) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    for (conversation, known) in &desk.conversations {
        let log = |id: Option<Id>| {
            id.and_then(|id| evidence.logs.get(&id)).map(|log| log.entries.as_slice()).unwrap_or_default()
        };
        let mut assignments = known.assignments.iter();
        for fact in log(Some(*conversation)).iter().chain(log(known.backstage)) {
            let event = match (&*fact.kind, fact.about) {
                ("opened" | "reopened", _) => Event::Waits,
                ("released", agent) => Event::Freed(agent),
                ("assigned", Some(agent)) => Event::Given(agent, assignments.next()),
                ("closed", _) => Event::Closed,
                ("offered", Some(agent)) => Event::Offered(agent),
                ("declined", Some(agent)) => Event::Declined(agent),
                ("offer_missed", Some(agent)) => Event::Missed(agent),
                _ => continue,
            };
            steps.push(Step { rev: fact.rev, at: fact.at, conversation: *conversation, event });
        }
    }
    steps.sort_by_key(|step| step.rev);
    steps
}

/// Finds every violation at one desk.
pub fn desk(evidence: &Evidence, desk: &DeskEvidence, found: &mut Vec<Violation>) {
    let steps = steps(evidence, desk);
    let loads = play(desk, &steps, found);
    told(desk, &steps, &loads, found);
    for (conversation, known) in &desk.conversations {
        assignments(evidence, *conversation, known, found);
        answers(evidence, *conversation, known, found);
    }
    let places = evidence.devices.iter().filter(|device| device.tenant == desk.tenant);
    places.for_each(|device| sight(evidence, desk, device, found));
}

/// How many conversations an agent served from a rev on.
type Loads = HashMap<Id, BTreeMap<i64, i64>>;

/// Plays the history again: one owner, the limit, and offers that are answered once.
fn play(desk: &DeskEvidence, steps: &[Step<'_>], found: &mut Vec<Violation>) -> Loads {
    let mut holders: HashMap<Id, Id> = HashMap::new();
    let mut offered: HashMap<Id, Id> = HashMap::new();
    let mut load: HashMap<Id, i64> = HashMap::new();
    let mut loads = Loads::new();
    // What one command did counts together.
    for command in steps.chunk_by(|one, other| one.rev == other.rev) {
        let mut bound: BTreeSet<Id> = BTreeSet::new();
        for step in command {
            let conversation = step.conversation;
            let mut change = |agent: Option<Id>, by: i64| {
                let Some(agent) = agent else { return };
                *load.entry(agent).or_default() += by;
                loads.entry(agent).or_default().insert(step.rev, load[&agent]);
            };
            match step.event {
                Event::Waits => {}
                Event::Freed(_) | Event::Closed => {
                    offered.remove(&conversation);
                    change(holders.remove(&conversation), -1);
                }
                Event::Given(agent, assignment) => {
                    let why = assignment.map_or("", |one| one.reason.as_str());
                    if assignment.is_none_or(|one| one.agent != agent) {
                        let what = format!("{conversation}: given to {agent}, and no assignment says so");
                        broken(found, "P6", what);
                    }
                    let before = holders.insert(conversation, agent);
                    let handed_over = matches!(why, "transfer" | "assign" | "take_over");
                    if let (Some(before), false) = (before, handed_over) {
                        let what =
                            format!("{conversation}: given to {agent} by {why} while {before} held it");
                        broken(found, "P6", what);
                    }
                    if why == "offer" && offered.get(&conversation) != Some(&agent) {
                        broken(
                            found,
                            "P6",
                            format!("{conversation}: {agent} accepted what was not offered to it"),
                        );
                    }
                    offered.remove(&conversation);
                    change(before, -1);
                    change(Some(agent), 1);
                    if why != "transfer" || !desk.transfer_above {
                        bound.insert(agent);
                    }
                }
                Event::Offered(agent) => drop(offered.insert(conversation, agent)),
                Event::Declined(agent) | Event::Missed(agent) => {
                    if offered.remove(&conversation) != Some(agent) {
                        let what = format!("{conversation}: {agent} answered an offer that did not wait");
                        broken(found, "P6", what);
                    }
                }
            }
        }
        for agent in bound {
            let (serves, known) = (load[&agent], desk.agents.get(&agent));
            if known.is_none_or(|known| serves > known.max_accept) {
                let most = known.map_or(0, |known| known.max_accept);
                broken(
                    found,
                    "P6",
                    format!("{agent} was given its conversation {serves} of {most}, rev {}", command[0].rev),
                );
            }
        }
    }
    loads
}

/// What presences said of the numbers, on the way and at the end.
fn told(desk: &DeskEvidence, steps: &[Step<'_>], loads: &Loads, found: &mut Vec<Violation>) {
    let head = steps.last().map_or(0, |step| step.rev);
    let at = |agent: Id, rev: i64| {
        loads.get(&agent).and_then(|loads| loads.range(..=rev).next_back()).map_or(0, |(_, load)| *load)
    };
    let mut wrong = BTreeSet::new();
    for told in desk.told.iter().filter(|told| told.rev <= head && desk.agents.contains_key(&told.member)) {
        let counted = at(told.member, told.rev);
        if told.current_accept != counted {
            wrong.insert((told.member, told.rev, told.current_accept, counted));
        }
    }
    for (agent, rev, said, counted) in wrong {
        let what = format!("{agent} served {counted} at rev {rev}, the presence frame says {said}");
        broken(found, "P6", what);
    }
    for (agent, known) in &desk.agents {
        let pending = desk
            .conversations
            .values()
            .filter(|one| one.status == "pending" && one.agent == Some(*agent))
            .count();
        let counted = at(*agent, head);
        let pending = i64::try_from(pending).unwrap_or(i64::MAX);
        if known.current_accept != counted || pending != counted {
            let said = known.current_accept;
            let what =
                format!("{agent} serves {counted} by the logs, {pending} by the list, {said} by presence");
            broken(found, "P6", what);
        }
    }
}

/// One assignment holds of a conversation that is served, and none of any other.
fn assignments(evidence: &Evidence, id: Id, known: &ConversationEvidence, found: &mut Vec<Violation>) {
    let holding: Vec<Id> = known.assignments.iter().filter(|one| one.holds).map(|one| one.agent).collect();
    let expected: Vec<Id> = known.agent.filter(|_| known.status == "pending").into_iter().collect();
    if holding != expected {
        broken(
            found,
            "P6",
            format!("{id} is {} with {expected:?}, and the assignments say {holding:?}", known.status),
        );
    }
    // Who is handed a conversation has it from the moment that the other has it no more.
    for pair in known.assignments.windows(2).filter(|pair| pair[1].reason == "transfer") {
        if pair[0].times.1 != pair[1].times.0 {
            let (left, came) = (&pair[0].times.1, &pair[1].times.0);
            let what = format!("{id}: {} had it until {left}, {} since {came}", pair[0].agent, pair[1].agent);
            broken(found, "P6", what);
        }
    }
    let given = evidence
        .logs
        .get(&id)
        .map_or(0, |log| log.entries.iter().filter(|fact| &*fact.kind == "assigned").count());
    if given != known.assignments.len() {
        let rows = known.assignments.len();
        broken(found, "P6", format!("{id}: {given} times given in the log, {rows} assignments"));
    }
}

/// P1 for answers to offers: what was acknowledged was done, and as often.
fn answers(evidence: &Evidence, id: Id, known: &ConversationEvidence, found: &mut Vec<Violation>) {
    let count = |log: Option<Id>, kind: &str, agent: Id| {
        let entries = log.and_then(|log| evidence.logs.get(&log)).map(|log| log.entries.as_slice());
        let is = |fact: &&Fact| &*fact.kind == kind && fact.about == Some(agent);
        entries.unwrap_or_default().iter().filter(is).count()
    };
    for done in evidence.done.iter().filter(|done| done.conversation == id) {
        let missing = match done.action {
            Action::Accepted => count(Some(id), "assigned", done.member) == 0,
            Action::Declined => count(known.backstage, "declined", done.member) == 0,
            _ => false,
        };
        if missing {
            let what = format!("{id}: {:?} for {}, and the log does not say so", done.action, done.member);
            broken(found, "P1", what);
        }
    }
}

/// Nobody of the staff saw a conversation of another group that it never served, nor what stands behind it.
fn sight(evidence: &Evidence, desk: &DeskEvidence, device: &DeviceView, found: &mut Vec<Violation>) {
    let Some(agent) = desk.agents.get(&device.member).filter(|agent| !agent.groups.is_empty()) else {
        return;
    };
    let reaches = |id: Id| {
        let known = desk.conversations.get(&id);
        known.is_none_or(|known| {
            known.asked.group.is_none_or(|group| agent.groups.contains(&group))
                || known.assignments.iter().any(|one| one.agent == device.member)
        })
    };
    for id in &device.ids {
        let front = evidence.backstages.get(id).copied().unwrap_or(*id);
        // Who sees the conversation in which a customer goes on may read the older one, and learns of the newer.
        let related = desk.conversations.iter().filter(|(other, known)| {
            known.merged_into == Some(front)
                || desk.conversations.get(&front).is_some_and(|one| one.merged_into == Some(**other))
        });
        if !reaches(front) && !related.into_iter().any(|(other, _)| reaches(*other)) {
            broken(found, "P7", format!("{} saw {id}, which is another group's", device.member));
        }
    }
}

#[cfg(test)]
#[path = "judge_desk_tests.rs"]
pub(super) mod tests;
