//! The simulator of routing: a day of arrivals is played against each strategy, by the very rules that the server uses.
//!
//! Owns the arrivals, the agents and the clock of a simulated desk, and the table that compares what became of the waiting.
//! Does not own the rules (`domain::routing`). No I/O but the printing. With the same arguments the table is the same.

mod desk;
mod outcome;
mod world;

use clap::Args;

use crate::domain::routing::{RoutingSettings, RoutingStrategy};
use desk::Desk;
use outcome::Outcome;
use world::World;

/// What is simulated.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Conversations that are opened.
    #[arg(long, default_value_t = 10_000)]
    pub conversations: usize,
    /// Members of the staff who serve.
    #[arg(long, default_value_t = 200)]
    pub agents: usize,
    /// How many conversations each accepts at once.
    #[arg(long, default_value_t = 3)]
    pub max_accept: i64,
    /// Over how many hours the conversations come, with a peak in the first and in the third quarter.
    #[arg(long, default_value_t = 4.0)]
    pub hours: f64,
    /// How long a conversation is served on average, in seconds.
    #[arg(long, default_value_t = 720.0)]
    pub handle_seconds: f64,
    /// Percent of the agents who have the skill that is asked for.
    #[arg(long, default_value_t = 30)]
    pub skilled_percent: u32,
    /// Percent of the conversations that require it.
    #[arg(long, default_value_t = 20)]
    pub required_percent: u32,
    /// Where chance begins.
    #[arg(long, default_value_t = 2026)]
    pub seed: u64,
}

/// One line of the comparison.
struct Case {
    name: &'static str,
    settings: RoutingSettings,
}

fn cases() -> Vec<Case> {
    let of = |strategy| RoutingSettings { strategy, last_agent_first: false, ..RoutingSettings::default() };
    let least = of(RoutingStrategy::LeastLoaded);
    let relaxed = RoutingSettings { relax_after_seconds: Some(120), ..least };
    vec![
        Case { name: "round_robin", settings: of(RoutingStrategy::RoundRobin) },
        Case { name: "least_loaded", settings: least },
        Case { name: "longest_idle", settings: of(RoutingStrategy::LongestIdle) },
        Case {
            name: "least_loaded, last_agent_first",
            settings: RoutingSettings { last_agent_first: true, ..least },
        },
        Case { name: "least_loaded, relax_after_seconds 120", settings: relaxed },
        Case {
            name: "least_loaded, offer_seconds 20",
            settings: RoutingSettings { offer_seconds: Some(20), ..least },
        },
    ]
}

/// Plays every case and gives the table as Markdown, a line for each.
pub fn table(arguments: &Arguments) -> Vec<String> {
    let world = World::new(arguments);
    let mut lines = outcome::head();
    for case in cases() {
        let outcome: Outcome = Desk::new(&world, case.settings, arguments.seed).play();
        lines.push(outcome.line(case.name));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Arguments {
        Arguments {
            conversations: 400,
            agents: 10,
            max_accept: 2,
            hours: 3.0,
            handle_seconds: 500.0,
            skilled_percent: 30,
            required_percent: 20,
            seed: 7,
        }
    }

    #[test]
    fn every_conversation_is_served_once_and_nobody_serves_too_many() {
        let world = World::new(&small());
        for case in cases() {
            let outcome = Desk::new(&world, case.settings, 7).play();
            assert_eq!(outcome.waits().len(), 400, "{}", case.name);
            assert!(outcome.busiest() <= 2, "{}", case.name);
            assert!(outcome.unskilled() == 0 || case.settings.relax_after_seconds.is_some(), "{}", case.name);
        }
    }

    #[test]
    fn the_same_arguments_give_the_same_table() {
        assert_eq!(table(&small()), table(&small()));
        let other = Arguments { seed: 8, ..small() };
        assert_ne!(table(&small()), table(&other));
    }
}
