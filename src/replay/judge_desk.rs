//! P6 of a tenant that routes: who served what, and how many. Pure, as `judge` is.
//!
//! The logs of the tenant are played again in the order of its revs, which is the order of commits whatever the clocks
//! said: who held what, what a whole group served, and how many each agent had, is known at every rev, and everything that
//! the server said of it is held against that. Does not own offers (`judge_offers`), what the server's lists keep
//! (`judge_kept`), and who saw what (`judge_sight`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::evidence::{AssignmentEvidence, DeskEvidence, Evidence, Violation, broken};
use super::history::Id;
use super::judge_events::{Event, Step, steps};
use super::{judge_kept, judge_offers, judge_sight};

/// Finds every violation at one desk.
pub fn desk(evidence: &Evidence, desk: &DeskEvidence, found: &mut Vec<Violation>) {
    let steps = steps(evidence, desk);
    let loads = play(desk, &steps, found);
    told(desk, &steps, &loads, found);
    judge_offers::offers(desk, &steps, found);
    judge_kept::kept(evidence, desk, &steps, found);
    judge_sight::sight(evidence, desk, &steps, found);
}

/// How many conversations an agent served from a rev on.
type Loads = HashMap<Id, BTreeMap<i64, i64>>;

/// What is known at a rev.
#[derive(Default)]
struct Play<'a> {
    /// Who has what, by which assignment.
    holders: HashMap<Id, (Id, Option<&'a AssignmentEvidence>)>,
    /// What a whole group serves.
    docked: HashSet<Id>,
    load: HashMap<Id, i64>,
    loads: Loads,
    wrong: Vec<String>,
}

/// Plays the history again: one owner, the limit, and who answers is who serves.
fn play<'a>(desk: &DeskEvidence, steps: &[Step<'a>], found: &mut Vec<Violation>) -> Loads {
    let mut play = Play::default();
    // What one command did counts together.
    for command in steps.chunk_by(|one, other| one.rev == other.rev) {
        let mut bound: BTreeSet<Id> = BTreeSet::new();
        for step in command {
            bound.extend(play.take(desk, step));
        }
        for agent in bound {
            let (serves, known) = (play.load[&agent], desk.agents.get(&agent));
            if known.is_none_or(|known| serves > known.max_accept) {
                let most = known.map_or(0, |known| known.max_accept);
                let rev = command[0].rev;
                play.wrong.push(format!("{agent} was given its conversation {serves} of {most}, rev {rev}"));
            }
        }
    }
    for (conversation, known) in &desk.conversations {
        if known.docked != play.docked.contains(conversation) {
            let (log, told) = (play.docked.contains(conversation), known.docked);
            play.wrong.push(format!("{conversation}: docked by the log: {log}, as it is told: {told}"));
        }
    }
    play.wrong.into_iter().for_each(|what| broken(found, "P6", what));
    play.loads
}

impl<'a> Play<'a> {
    /// Takes a step; names the agent whom the limit binds.
    fn take(&mut self, desk: &DeskEvidence, step: &Step<'a>) -> Option<Id> {
        let conversation = step.conversation;
        match step.event {
            Event::Waits
            | Event::Offered(..)
            | Event::Declined(..)
            | Event::Missed(..)
            | Event::Withdrawn(..) => None,
            Event::Freed(_, why) => {
                self.lose(step, why.unwrap_or("release"));
                self.docked.remove(&conversation);
                None
            }
            Event::Closed(why) => {
                self.lose(step, if why == Some("timed_out") { "timed_out" } else { "close" });
                self.docked.remove(&conversation);
                None
            }
            Event::Docked => {
                self.lose(step, "docked");
                self.docked.insert(conversation);
                None
            }
            Event::Given(agent, assignment, _) => self.give(desk, step, agent, assignment),
            Event::Said(who) => {
                let in_group =
                    |group| desk.agents.get(&who).is_some_and(|known| known.groups.contains(&group));
                let serves = match self.docked.contains(&conversation) {
                    true => step.group.is_some_and(in_group),
                    false => self.holders.get(&conversation).is_some_and(|(holder, _)| *holder == who),
                };
                if !serves {
                    let rev = step.rev;
                    self.wrong
                        .push(format!("{conversation}: {who} answered at rev {rev} and does not serve it"));
                }
                None
            }
        }
    }

    fn give(
        &mut self,
        desk: &DeskEvidence,
        step: &Step<'a>,
        agent: Id,
        assignment: Option<&'a AssignmentEvidence>,
    ) -> Option<Id> {
        let conversation = step.conversation;
        let why = assignment.map_or("", |one| one.reason.as_str());
        if assignment.is_none_or(|one| one.agent != agent) {
            self.wrong.push(format!("{conversation}: given to {agent}, and no assignment says so"));
        }
        let was_docked = self.docked.remove(&conversation);
        let before = self.holders.get(&conversation).map(|(before, _)| *before);
        if let (Some(before), false) = (before, matches!(why, "transfer" | "assign" | "take_over")) {
            self.wrong.push(format!("{conversation}: given to {agent} by {why} while {before} held it"));
        }
        if was_docked && matches!(why, "routing" | "offer") {
            self.wrong.push(format!("{conversation}: given to {agent} by {why} while a group served it"));
        }
        let in_group = |group| desk.agents.get(&agent).is_some_and(|known| known.groups.contains(&group));
        if was_docked && why == "claim" && !step.group.is_some_and(in_group) {
            self.wrong.push(format!("{conversation}: {agent} claimed what another group serves"));
        }
        if assignment.is_some_and(|one| one.from != before) {
            let said = assignment.and_then(|one| one.from);
            let what =
                format!("{conversation}: {before:?} had it before {agent}, the assignment says {said:?}");
            self.wrong.push(what);
        }
        self.lose(step, "reassign");
        self.holders.insert(conversation, (agent, assignment));
        self.change(agent, 1, step.rev);
        (why != "transfer" || !desk.transfer_above).then_some(agent)
    }

    /// Whoever holds it has it no more, and its assignment says why.
    fn lose(&mut self, step: &Step<'a>, why: &str) {
        let Some((agent, assignment)) = self.holders.remove(&step.conversation) else { return };
        self.change(agent, -1, step.rev);
        if let Some(one) = assignment
            && one.ended.as_deref() != Some(why)
        {
            let (conversation, said) = (step.conversation, &one.ended);
            self.wrong
                .push(format!("{conversation}: {agent} lost it by {why}, the assignment says {said:?}"));
        }
    }

    fn change(&mut self, agent: Id, by: i64, rev: i64) {
        let load = self.load.entry(agent).or_default();
        *load += by;
        self.loads.entry(agent).or_default().insert(rev, *load);
    }
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

#[cfg(test)]
#[path = "judge_desk_tests.rs"]
pub(super) mod tests;
