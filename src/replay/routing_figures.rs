//! What routing, docking, transfers and timers did in a run, counted from the logs. Judges nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::evidence::Evidence;
use super::judge_events::{Event, Offerer, steps};
use super::judge_waiting::taken;

/// What the tenants' routing did in a run.
#[derive(Debug, Default)]
pub struct RoutingFigures {
    /// Assignments by their reason.
    pub assignments: BTreeMap<String, u64>,
    /// Offers of routing by what became of them.
    pub offers: BTreeMap<&'static str, u64>,
    /// Offers from one agent to another by what became of them.
    pub transfer_offers: BTreeMap<&'static str, u64>,
    /// How often a whole group began to serve.
    pub docked: u64,
    /// Conversations that went back to the queue by why they did.
    pub freed: BTreeMap<String, u64>,
    /// What silence brought, by kind.
    pub timers: BTreeMap<&'static str, u64>,
    /// From the moment that an agent could be given a waiting conversation to the assignment or the offer.
    pub taken: Vec<Duration>,
}

impl RoutingFigures {
    /// Adds those of another round.
    pub fn add(&mut self, other: Self) {
        add(&mut self.assignments, other.assignments);
        add(&mut self.offers, other.offers);
        add(&mut self.transfer_offers, other.transfer_offers);
        self.docked += other.docked;
        add(&mut self.freed, other.freed);
        add(&mut self.timers, other.timers);
        self.taken.extend(other.taken);
    }
}

fn add<K: Ord>(all: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (name, count) in more {
        *all.entry(name).or_default() += count;
    }
}

/// The figures of all desks.
pub fn figures(evidence: &Evidence) -> RoutingFigures {
    let mut figures = RoutingFigures::default();
    for desk in &evidence.desks {
        let mut made: BTreeMap<&'static str, u64> = BTreeMap::new();
        for step in steps(evidence, desk) {
            figures.count(&step.event, &mut made);
        }
        // Those of routing that hold no longer end without a word.
        let answered: u64 = ["accepted", "declined", "missed"].iter().filter_map(|name| made.get(name)).sum();
        let offered = made.remove("offered").unwrap_or_default();
        made.insert("withdrawn", offered.saturating_sub(answered));
        add(&mut figures.offers, made);
        let logs = desk.conversations.iter().flat_map(|(id, known)| [Some(*id), known.backstage]);
        let facts = logs.flatten().filter_map(|log| evidence.logs.get(&log)).flat_map(|log| &log.entries);
        for fact in facts {
            let name = match (&*fact.kind, fact.reason.as_deref()) {
                ("customer_idle", _) => "customer_reminded",
                ("agent_idle", _) => "agent_reminded",
                ("closed", Some("timed_out")) => "closed",
                _ => continue,
            };
            *figures.timers.entry(name).or_default() += 1;
        }
        let taken = taken(evidence, desk).into_iter().filter_map(|ms| u64::try_from(ms).ok());
        figures.taken.extend(taken.map(Duration::from_millis));
    }
    figures
}

impl RoutingFigures {
    fn count(&mut self, event: &Event<'_>, made: &mut BTreeMap<&'static str, u64>) {
        let (name, by) = match *event {
            Event::Given(agent, Some(why), by) => {
                *self.assignments.entry(why.reason.clone()).or_default() += 1;
                match (why.reason.as_str(), by == Some(agent)) {
                    ("offer", _) => ("accepted", Offerer::Routing),
                    ("transfer", true) => ("accepted", Offerer::Agent),
                    _ => return,
                }
            }
            Event::Docked => return self.docked += 1,
            Event::Freed(_, why) => {
                *self.freed.entry(why.unwrap_or("release").to_owned()).or_default() += 1;
                return;
            }
            Event::Offered(_, by) => ("offered", by),
            Event::Declined(_, by) => ("declined", by),
            Event::Missed(_, by) => ("missed", by),
            Event::Withdrawn(..) => ("withdrawn", Offerer::Agent),
            Event::Given(..) | Event::Waits | Event::Closed(_) | Event::Said(_) => return,
        };
        match (by, name) {
            (Offerer::Routing, _) => *made.entry(name).or_default() += 1,
            // Every one of them has an end that is counted.
            (Offerer::Agent, "offered") => {}
            (Offerer::Agent, _) => *self.transfer_offers.entry(name).or_default() += 1,
        }
    }
}
