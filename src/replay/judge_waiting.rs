//! P6, the other half: nobody waits whom somebody could serve, and the queue is kept in order. Pure, as `judge` is.
//!
//! The desk is played again by the server's own times: who waited, who was there, who had room. A conversation that an
//! agent could have been given, without a break, for longer than two seconds and the longest time that any visitor's
//! message took, is a violation: a slow machine excuses as much as it made everything else wait. What came back from an
//! agent is served before what no agent has had, and goes back to whoever gave it away only after a while.

use std::collections::{BTreeMap, HashMap};

use super::desk::RELAX_SECONDS;
use super::evidence::{AgentEvidence, DeskEvidence, Evidence, Violation, broken};
use super::history::Id;
use super::judge_events::{Event, Offerer, Step, steps};

/// How long it may take until routing gives away what it can.
const LIMIT_MS: i64 = 2_000;
/// Where agents are not asked, who gave a conversation back rests from it for so long.
const REST_MS: i64 = 60_000;
/// What routing looked at before it decided may be so old.
const LOOK_MS: i64 = 1_000;

/// How long it took in each case until routing gave away what it could, in milliseconds.
pub(super) fn taken(evidence: &Evidence, desk: &DeskEvidence) -> Vec<i64> {
    replay(evidence, desk).0.into_iter().filter(|gap| gap.taken).map(|gap| gap.ms).collect()
}

/// Finds who waited although somebody could have served it.
pub fn waiting(evidence: &Evidence, desk: &DeskEvidence, found: &mut Vec<Violation>) {
    let limit = LIMIT_MS + evidence.slowest_ms;
    let (gaps, wrong) = replay(evidence, desk);
    wrong.into_iter().for_each(|what| broken(found, "P6", what));
    for gap in gaps.into_iter().filter(|gap| gap.ms > limit) {
        let what = format!(
            "{}: waited for {} ms while an agent had room for it, {limit} are allowed",
            gap.conversation, gap.ms
        );
        broken(found, "P6", what);
    }
}

/// A time during which an agent could have been given a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    conversation: Id,
    ms: i64,
    /// It ended because the conversation was given or offered by routing.
    taken: bool,
}

/// A conversation that waits.
#[derive(Debug, Default)]
struct Waiting {
    since: i64,
    /// Whose group's matter it is.
    group: Option<Id>,
    /// Its place in the queue by the server's own times; what came back from an agent comes first.
    place: (bool, i64),
    /// Since when it is not offered to anybody.
    free: i64,
    /// Since when somebody could be given it, without a break.
    able: Option<i64>,
    /// Who said no, missed it or gave it back, and when.
    refused: HashMap<Id, i64>,
    /// The same by the server's own times, which several processes write out of order.
    gave_away: HashMap<Id, i64>,
    /// To whom it is offered, and until when.
    offered: Option<(Id, i64)>,
}

/// What is known at a moment.
struct Desk<'a> {
    evidence: &'a DeskEvidence,
    offer_ms: Option<i64>,
    slowest_ms: i64,
    /// What routing chose at this moment: what, for whom, and its place in the queue.
    chosen: Vec<(Id, Id, (bool, i64))>,
    wrong: Vec<String>,
    waiting: BTreeMap<Id, Waiting>,
    holders: HashMap<Id, Id>,
    load: HashMap<Id, i64>,
    online: HashMap<Id, bool>,
    gaps: Vec<Gap>,
}

/// Something that happens at a moment.
enum Moment<'a> {
    Step(Step<'a>),
    Presence(Id, bool),
    /// Time alone changes something: a skill is no longer required, a refusal is forgotten, an offer ends.
    Tick,
}

/// The gaps, and what broke the order of the queue.
fn replay(evidence: &Evidence, desk: &DeskEvidence) -> (Vec<Gap>, Vec<String>) {
    let offer_ms = desk.offer_seconds.map(|seconds| seconds * 1_000);
    let mut moments: Vec<(i64, Moment<'_>)> = Vec::new();
    // Several processes have clocks of their own: the order of commits holds.
    let mut latest = i64::MIN;
    for step in steps(evidence, desk) {
        latest = latest.max(step.at);
        let later = match step.event {
            Event::Waits => Some(RELAX_SECONDS * 1_000),
            Event::Freed(..) | Event::Declined(..) | Event::Missed(..) => Some(offer_ms.unwrap_or(REST_MS)),
            Event::Offered(..) => offer_ms,
            _ => None,
        };
        moments.extend(later.map(|ms| (latest + ms, Moment::Tick)));
        if let Event::Freed(..) = step.event {
            moments.push((latest + RELAX_SECONDS * 1_000, Moment::Tick));
        }
        moments.push((latest, Moment::Step(step)));
    }
    let mut end = latest;
    for (agent, known) in &desk.agents {
        for (at, online) in &known.online {
            end = end.max(*at);
            moments.push((*at, Moment::Presence(*agent, *online)));
        }
    }
    // What is not known any more is not judged.
    moments.retain(|(at, _)| *at <= end);
    moments.sort_by_key(|(at, _)| *at);
    let mut state = Desk {
        evidence: desk,
        offer_ms,
        slowest_ms: evidence.slowest_ms,
        chosen: Vec::new(),
        wrong: Vec::new(),
        waiting: BTreeMap::new(),
        holders: HashMap::new(),
        load: HashMap::new(),
        online: HashMap::new(),
        gaps: Vec::new(),
    };
    for together in moments.chunk_by(|one, other| one.0 == other.0) {
        let now = together[0].0;
        together.iter().for_each(|(_, moment)| state.take(now, moment));
        state.order(now);
        state.look(now);
    }
    let left: Vec<Id> = state.waiting.keys().copied().collect();
    left.into_iter().for_each(|conversation| state.end(conversation, end, false));
    (state.gaps, state.wrong)
}

impl Desk<'_> {
    fn take(&mut self, now: i64, moment: &Moment<'_>) {
        match moment {
            Moment::Tick => {}
            Moment::Presence(agent, online) => drop(self.online.insert(*agent, *online)),
            Moment::Step(step) => self.step(now, step),
        }
    }

    fn step(&mut self, now: i64, step: &Step<'_>) {
        let (conversation, group) = (step.conversation, step.group);
        let place = (true, step.at);
        let waits = Waiting { since: now, free: now, group, place, ..Waiting::default() };
        match step.event {
            Event::Waits => drop(self.waiting.insert(conversation, waits)),
            Event::Freed(agent, why) => {
                self.lose(conversation);
                // Who lost it otherwise did not give it away.
                let gave = matches!(why, None | Some("group_transfer"));
                let at = |at| agent.filter(|_| gave).map(|agent| (agent, at)).into_iter().collect();
                let (refused, gave_away) = (at(now), at(step.at));
                let waits = Waiting { place: (false, step.at), refused, gave_away, ..waits };
                self.waiting.insert(conversation, waits);
            }
            Event::Given(agent, assignment, _) => {
                let routed = assignment.is_some_and(|one| one.reason == "routing");
                if routed {
                    self.choose(step.at, conversation, agent);
                }
                self.end(conversation, now, routed);
                self.waiting.remove(&conversation);
                self.lose(conversation);
                self.holders.insert(conversation, agent);
                *self.load.entry(agent).or_default() += 1;
            }
            Event::Docked | Event::Closed(_) => {
                self.end(conversation, now, false);
                self.waiting.remove(&conversation);
                self.lose(conversation);
            }
            Event::Offered(agent, Offerer::Routing) => {
                self.choose(step.at, conversation, agent);
                self.end(conversation, now, true);
                let until = now + self.offer_ms.unwrap_or_default();
                if let Some(one) = self.waiting.get_mut(&conversation) {
                    one.offered = Some((agent, until));
                    one.free = until;
                }
            }
            Event::Declined(agent, Offerer::Routing) | Event::Missed(agent, Offerer::Routing) => {
                if let Some(one) = self.waiting.get_mut(&conversation) {
                    one.offered = None;
                    one.free = now;
                    one.refused.insert(agent, now);
                    one.gave_away.insert(agent, step.at);
                }
            }
            // What agents ask each other changes nothing until it is done.
            Event::Offered(..)
            | Event::Declined(..)
            | Event::Missed(..)
            | Event::Withdrawn(..)
            | Event::Said(_) => {}
        }
    }

    /// Routing chose an agent, who must not have refused it a moment ago.
    fn choose(&mut self, at: i64, conversation: Id, agent: Id) {
        let Some(one) = self.waiting.get(&conversation) else { return };
        self.chosen.push((conversation, agent, one.place));
        let rest = self.offer_ms.unwrap_or(REST_MS);
        if let Some(ms) = one.gave_away.get(&agent).map(|gave| at - gave).filter(|ms| *ms < rest) {
            self.wrong.push(format!("{conversation}: {agent} was chosen {ms} ms after it gave it away"));
        }
    }

    /// What waits before that which was chosen, and was free for its agent for long enough to be seen, must be gone.
    fn order(&mut self, now: i64) {
        let seen = now - LOOK_MS - self.slowest_ms;
        for (chosen, agent, place) in std::mem::take(&mut self.chosen) {
            let Some(known) = self.evidence.agents.get(&agent) else { continue };
            let passed = self.waiting.iter().find(|(conversation, one)| {
                one.place < place
                    && one.free <= seen
                    && !one.refused.contains_key(&agent)
                    && self.fits(**conversation, one, known, seen)
            });
            if let Some((passed, one)) = passed {
                let what = format!(
                    "{chosen}: {agent} was chosen for it, while {passed} came before it and was free for {} ms",
                    now - one.free
                );
                self.wrong.push(what);
            }
        }
    }

    /// Whether an agent may be given a waiting conversation at this time, by its group and its skills.
    fn fits(&self, conversation: Id, one: &Waiting, known: &AgentEvidence, now: i64) -> bool {
        let in_sight = one.group.is_none_or(|group| known.groups.is_empty() || known.groups.contains(&group));
        let wants = self.evidence.conversations.get(&conversation).and_then(|known| known.asked.required);
        let skilled = wants.is_none_or(|(name, level)| {
            known.skills.iter().any(|(own, reached)| *own == name && *reached >= level)
        });
        in_sight && (skilled || now - one.since >= RELAX_SECONDS * 1_000)
    }

    fn lose(&mut self, conversation: Id) {
        if let Some(load) = self.holders.remove(&conversation).and_then(|agent| self.load.get_mut(&agent)) {
            *load -= 1;
        }
    }

    /// Notes for how long the conversation could have been given away until now.
    fn end(&mut self, conversation: Id, now: i64, taken: bool) {
        let Some(one) = self.waiting.get_mut(&conversation) else { return };
        match one.able.take() {
            Some(since) => self.gaps.push(Gap { conversation, ms: now - since, taken }),
            // It became possible in the same millisecond.
            None if taken => self.gaps.push(Gap { conversation, ms: 0, taken }),
            None => {}
        }
    }

    /// Finds out who could be given what from this moment on.
    fn look(&mut self, now: i64) {
        let asked: Vec<Id> = self.waiting.values().filter_map(|one| one.asked_now(now)).collect();
        let free: Vec<(Id, &AgentEvidence)> = self
            .evidence
            .agents
            .iter()
            .filter(|(agent, known)| {
                self.online.get(agent).copied().unwrap_or_default()
                    && self.load.get(agent).copied().unwrap_or_default() < known.max_accept
                    && !asked.contains(agent)
            })
            .map(|(agent, known)| (*agent, known))
            .collect();
        let rest = self.offer_ms.unwrap_or(REST_MS);
        let able = |(conversation, one): (&Id, &Waiting)| {
            let willing = |agent: &Id| one.refused.get(agent).is_none_or(|at| now - at >= rest);
            let fits = |(agent, known): &(Id, &AgentEvidence)| {
                willing(agent) && self.fits(*conversation, one, known, now)
            };
            one.asked_now(now).is_none() && free.iter().any(fits)
        };
        let able: Vec<bool> = self.waiting.iter().map(able).collect();
        let mut over = Vec::new();
        for ((conversation, one), able) in self.waiting.iter_mut().zip(able) {
            match (able, one.able) {
                (true, None) => one.able = Some(now),
                (false, Some(_)) => over.push(*conversation),
                _ => {}
            }
        }
        over.into_iter().for_each(|conversation| self.end(conversation, now, false));
    }
}

impl Waiting {
    /// Who has an offer of it at this moment.
    fn asked_now(&self, now: i64) -> Option<Id> {
        self.offered.filter(|(_, until)| now < *until).map(|(agent, _)| agent)
    }
}

#[cfg(test)]
#[path = "judge_waiting_tests.rs"]
mod tests;
