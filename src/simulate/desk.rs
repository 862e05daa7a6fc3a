//! A simulated desk: what happens when, in the order of time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::outcome::Outcome;
use super::world::World;
use crate::domain::routing::{Candidate, RoutingSettings, Waiting, plan};
use crate::kernel::MemberId;

/// What happens. Of one moment, ends come before beginnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// An agent has finished a conversation.
    Finish(MemberId),
    /// An agent answers an offer, or lets it pass: the conversation, and whether it takes it.
    Answer(usize, MemberId, bool),
    /// A conversation comes.
    Arrive(usize),
    /// Something may have changed by time alone.
    Look,
}

/// How long an agent takes to answer an offer, in milliseconds.
const ANSWER_MS: i64 = 4_000;
/// Percent of the offers that are accepted.
const ACCEPTED: u32 = 90;

pub(super) struct Desk<'w> {
    world: &'w World,
    settings: RoutingSettings,
    chance: StdRng,
    agents: BTreeMap<MemberId, Candidate>,
    queue: Vec<(usize, Waiting)>,
    events: BinaryHeap<Reverse<(i64, Event)>>,
    outcome: Outcome,
}

impl<'w> Desk<'w> {
    pub(super) fn new(world: &'w World, settings: RoutingSettings, seed: u64) -> Self {
        let arrivals = world.arrivals.iter().enumerate();
        let events =
            arrivals.map(|(index, one)| Reverse((one.waiting.since, Event::Arrive(index)))).collect();
        Self {
            world,
            settings,
            chance: StdRng::seed_from_u64(seed ^ 0x5eed),
            agents: world.agents.iter().map(|agent| (agent.member, agent.clone())).collect(),
            queue: Vec::new(),
            events,
            outcome: Outcome::default(),
        }
    }

    /// Until everybody has been served.
    pub(super) fn play(mut self) -> Outcome {
        while let Some(Reverse((now, event))) = self.events.pop() {
            self.happen(now, event);
            self.give_away(now);
            self.outcome.queued(self.queue.len());
        }
        self.outcome.served_by(&self.agents);
        self.outcome
    }

    fn happen(&mut self, now: i64, event: Event) {
        match event {
            Event::Arrive(index) => {
                if let Some(arrival) = self.world.arrivals.get(index) {
                    self.queue.push((index, arrival.waiting.clone()));
                    if let Some(seconds) = self.settings.relax_after_seconds {
                        self.events.push(Reverse((now + seconds * 1_000, Event::Look)));
                    }
                }
            }
            Event::Finish(agent) => {
                if let Some(agent) = self.agents.get_mut(&agent) {
                    agent.current -= 1;
                    agent.idle_since = Some(now);
                }
            }
            Event::Answer(index, member, takes) => self.answer(now, index, member, takes),
            Event::Look => {}
        }
    }

    /// Gives away what can be given.
    fn give_away(&mut self, now: i64) {
        let has_room = |one: &&Candidate| one.current < one.max && !one.has_offer;
        let mut free: Vec<Candidate> = self.agents.values().filter(has_room).cloned().collect();
        if free.is_empty() || self.queue.is_empty() {
            return;
        }
        let offered = |one: &&(usize, Waiting)| !self.outcome.is_offered(one.0);
        let waiting: Vec<Waiting> = self.queue.iter().filter(offered).map(|(_, one)| one.clone()).collect();
        let choices = plan(&self.settings, now, &waiting, &mut free, usize::MAX).choices;
        for choice in choices {
            let place = self.queue.iter().position(|(_, one)| one.conversation == choice.conversation);
            let Some((place, index)) = place.and_then(|at| Some((at, self.queue.get(at)?.0))) else {
                continue;
            };
            if self.settings.offer_seconds.is_none() {
                self.queue.remove(place);
                self.begin(now, index, choice.agent);
                continue;
            }
            let takes = self.chance.random_range(0..100) < ACCEPTED;
            self.outcome.offer(index);
            if let Some(agent) = self.agents.get_mut(&choice.agent) {
                agent.has_offer = true;
            }
            self.events.push(Reverse((now + ANSWER_MS, Event::Answer(index, choice.agent, takes))));
        }
    }

    fn answer(&mut self, now: i64, index: usize, member: MemberId, takes: bool) {
        self.outcome.answered(index);
        if let Some(agent) = self.agents.get_mut(&member) {
            agent.has_offer = false;
        }
        let Some(place) = self.queue.iter().position(|(one, _)| *one == index) else { return };
        if takes {
            self.queue.remove(place);
            self.begin(now, index, member);
        } else if let Some((_, waiting)) = self.queue.get_mut(place) {
            waiting.passed_over.push((member, now));
            let rest = self.settings.offer_seconds.unwrap_or_default() * 1_000;
            self.events.push(Reverse((now + rest, Event::Look)));
        }
    }

    fn begin(&mut self, now: i64, index: usize, member: MemberId) {
        let (Some(arrival), Some(agent)) = (self.world.arrivals.get(index), self.agents.get_mut(&member))
        else {
            return;
        };
        agent.current += 1;
        agent.last_assigned_at = Some(now);
        agent.idle_since = Some(now);
        self.outcome.begin(now, &arrival.waiting, agent);
        self.events.push(Reverse((now + arrival.handle_ms, Event::Finish(member))));
    }
}
