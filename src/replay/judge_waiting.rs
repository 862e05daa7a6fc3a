//! P6, the other half: nobody waits whom somebody could serve. Pure, as `judge` is.
//!
//! The desk is played again by the server's own times: who waited, who was there, who had room. A conversation that an
//! agent could have been given, without a break, for longer than two seconds and the longest time that any visitor's
//! message took, is a violation: a slow machine excuses as much as it made everything else wait.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::desk::RELAX_SECONDS;
use super::evidence::{AgentEvidence, DeskEvidence, Evidence, Violation, broken};
use super::history::Id;
use super::judge_desk::{Event, steps};

/// How long it may take until routing gives away what it can.
const LIMIT_MS: i64 = 2_000;
/// Where agents are not asked, who gave a conversation back rests from it for so long.
const REST_MS: i64 = 60_000;

/// What routing did in a run.
#[derive(Debug, Default)]
pub struct RoutingFigures {
    /// Assignments by their reason.
    pub assignments: BTreeMap<String, u64>,
    /// Offers by what became of them.
    pub offers: BTreeMap<&'static str, u64>,
    /// From the moment that an agent could be given a waiting conversation to the assignment or the offer.
    pub taken: Vec<Duration>,
}

impl RoutingFigures {
    /// Adds those of another round.
    pub fn add(&mut self, other: Self) {
        for (reason, count) in other.assignments {
            *self.assignments.entry(reason).or_default() += count;
        }
        for (state, count) in other.offers {
            *self.offers.entry(state).or_default() += count;
        }
        self.taken.extend(other.taken);
    }
}

/// The figures of all desks.
pub fn figures(evidence: &Evidence) -> RoutingFigures {
    let mut figures = RoutingFigures::default();
    for desk in &evidence.desks {
        for one in desk.conversations.values().flat_map(|known| &known.assignments) {
            *figures.assignments.entry(one.reason.clone()).or_default() += 1;
        }
        let mut offers: BTreeMap<&'static str, u64> = BTreeMap::new();
        for step in steps(evidence, desk) {
            let name = match step.event {
                Event::Offered(_) => "offered",
                Event::Declined(_) => "declined",
                Event::Missed(_) => "missed",
                Event::Given(_, Some(why)) if why.reason == "offer" => "accepted",
                _ => continue,
            };
            *offers.entry(name).or_default() += 1;
        }
        let made = offers.remove("offered").unwrap_or_default();
        let answered = offers.values().sum();
        offers.insert("withdrawn", made.saturating_sub(answered));
        let taken = replay(evidence, desk).into_iter().filter(|gap| gap.taken).map(|gap| gap.ms);
        let taken = taken.filter_map(|ms| u64::try_from(ms).ok()).map(Duration::from_millis).collect();
        figures.add(RoutingFigures { assignments: BTreeMap::new(), offers, taken });
    }
    figures
}

/// Finds who waited although somebody could have served it.
pub fn waiting(evidence: &Evidence, desk: &DeskEvidence, found: &mut Vec<Violation>) {
    let limit = LIMIT_MS + evidence.slowest_ms;
    for gap in replay(evidence, desk).into_iter().filter(|gap| gap.ms > limit) {
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
    /// Since when somebody could be given it, without a break.
    able: Option<i64>,
    /// Who said no, missed it or gave it back, and when.
    refused: HashMap<Id, i64>,
    /// To whom it is offered, and until when.
    offered: Option<(Id, i64)>,
}

/// What is known at a moment.
struct Desk<'a> {
    evidence: &'a DeskEvidence,
    offer_ms: Option<i64>,
    waiting: BTreeMap<Id, Waiting>,
    holders: HashMap<Id, Id>,
    load: HashMap<Id, i64>,
    online: HashMap<Id, bool>,
    gaps: Vec<Gap>,
}

/// Something that happens at a moment.
enum Moment<'a> {
    Step(Id, Event<'a>),
    Presence(Id, bool),
    /// Time alone changes something: a skill is no longer required, a refusal is forgotten, an offer ends.
    Tick,
}

fn replay(evidence: &Evidence, desk: &DeskEvidence) -> Vec<Gap> {
    let offer_ms = desk.offer_seconds.map(|seconds| seconds * 1_000);
    let mut moments: Vec<(i64, Moment<'_>)> = Vec::new();
    // Several processes have clocks of their own: the order of commits holds.
    let mut latest = i64::MIN;
    for step in steps(evidence, desk) {
        latest = latest.max(step.at);
        let later = match step.event {
            Event::Waits => Some(RELAX_SECONDS * 1_000),
            Event::Freed(_) | Event::Declined(_) | Event::Missed(_) => Some(offer_ms.unwrap_or(REST_MS)),
            Event::Offered(_) => offer_ms,
            Event::Given(..) | Event::Closed => None,
        };
        moments.extend(later.map(|ms| (latest + ms, Moment::Tick)));
        if let Event::Freed(_) = step.event {
            moments.push((latest + RELAX_SECONDS * 1_000, Moment::Tick));
        }
        moments.push((latest, Moment::Step(step.conversation, step.event)));
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
        waiting: BTreeMap::new(),
        holders: HashMap::new(),
        load: HashMap::new(),
        online: HashMap::new(),
        gaps: Vec::new(),
    };
    for together in moments.chunk_by(|one, other| one.0 == other.0) {
        let now = together[0].0;
        together.iter().for_each(|(_, moment)| state.take(now, moment));
        state.look(now);
    }
    let left: Vec<Id> = state.waiting.keys().copied().collect();
    left.into_iter().for_each(|conversation| state.end(conversation, end, false));
    state.gaps
}

impl Desk<'_> {
    fn take(&mut self, now: i64, moment: &Moment<'_>) {
        match moment {
            Moment::Tick => {}
            Moment::Presence(agent, online) => drop(self.online.insert(*agent, *online)),
            Moment::Step(conversation, event) => self.step(now, *conversation, *event),
        }
    }

    fn step(&mut self, now: i64, conversation: Id, event: Event<'_>) {
        match event {
            Event::Waits => {
                self.waiting.insert(conversation, Waiting { since: now, ..Waiting::default() });
            }
            Event::Freed(agent) => {
                self.lose(conversation);
                let refused = agent.map(|agent| (agent, now)).into_iter().collect();
                self.waiting.insert(conversation, Waiting { since: now, refused, ..Waiting::default() });
            }
            Event::Given(agent, assignment) => {
                let routed = assignment.is_some_and(|one| one.reason == "routing");
                self.end(conversation, now, routed);
                self.waiting.remove(&conversation);
                self.lose(conversation);
                self.holders.insert(conversation, agent);
                *self.load.entry(agent).or_default() += 1;
            }
            Event::Closed => {
                self.end(conversation, now, false);
                self.waiting.remove(&conversation);
                self.lose(conversation);
            }
            Event::Offered(agent) => {
                self.end(conversation, now, true);
                let until = now + self.offer_ms.unwrap_or_default();
                if let Some(one) = self.waiting.get_mut(&conversation) {
                    one.offered = Some((agent, until));
                }
            }
            Event::Declined(agent) | Event::Missed(agent) => {
                if let Some(one) = self.waiting.get_mut(&conversation) {
                    one.offered = None;
                    one.refused.insert(agent, now);
                }
            }
        }
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
        let mut over = Vec::new();
        for (conversation, one) in &mut self.waiting {
            let wants = self.evidence.conversations.get(conversation).map(|known| &known.asked);
            let relaxed = now - one.since >= RELAX_SECONDS * 1_000;
            let fits = |(agent, known): &(Id, &AgentEvidence)| {
                let in_sight = wants
                    .and_then(|wants| wants.group)
                    .is_none_or(|group| known.groups.is_empty() || known.groups.contains(&group));
                let skilled = wants.and_then(|wants| wants.required).is_none_or(|(name, level)| {
                    known.skills.iter().any(|(own, reached)| *own == name && *reached >= level)
                });
                let willing = one.refused.get(agent).is_none_or(|at| now - at >= rest);
                in_sight && (skilled || relaxed) && willing
            };
            let able = one.asked_now(now).is_none() && free.iter().any(fits);
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
