//! What a simulated desk meets: who works there, and which conversations come when. The same for every strategy.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Arguments;
use crate::domain::group::Sight;
use crate::domain::presence::PresenceStatus;
use crate::domain::routing::{Candidate, Needs, Skill, Waiting};
use crate::kernel::{ConversationId, MemberId};

/// A conversation that comes.
pub(super) struct Arrival {
    /// As routing sees it; `since` is when it comes, in milliseconds.
    pub(super) waiting: Waiting,
    /// How long it is served, in milliseconds.
    pub(super) handle_ms: i64,
}

/// Agents and arrivals.
pub(super) struct World {
    pub(super) agents: Vec<Candidate>,
    pub(super) arrivals: Vec<Arrival>,
}

impl World {
    pub(super) fn new(arguments: &Arguments) -> Self {
        let mut chance = StdRng::seed_from_u64(arguments.seed);
        let mut percent = |percent: u32| chance.random_range(0..100) < percent;
        let refunds = |level: u8| Skill { name: "refunds".to_owned(), level };
        let agents: Vec<Candidate> = (1..=arguments.agents)
            .map(|number| Candidate {
                member: MemberId(i64::try_from(number).unwrap_or(i64::MAX)),
                usable: true,
                status: PresenceStatus::Online,
                current: 0,
                max: arguments.max_accept,
                sight: Sight::whole(),
                skills: if percent(arguments.skilled_percent) { vec![refunds(3)] } else { Vec::new() },
                last_assigned_at: None,
                idle_since: None,
                has_offer: false,
            })
            .collect();
        let span = arguments.hours * 3_600_000.0;
        let mut times: Vec<i64> = (0..arguments.conversations).map(|_| moment(&mut chance, span)).collect();
        times.sort_unstable();
        let arrivals = times
            .into_iter()
            .zip(1..)
            .map(|(since, number)| {
                let required = chance.random_range(0..100) < arguments.required_percent;
                // Two of five customers were served before.
                let known = agents.get(chance.random_range(0..agents.len().max(1) * 5 / 2));
                let needs = Needs {
                    required: if required { vec![refunds(2)] } else { Vec::new() },
                    preferred: Vec::new(),
                    last_agent: known.map(|agent| agent.member),
                };
                // Exponential: most are short, a few are long.
                let draw: f64 = chance.random_range(f64::EPSILON..1.0);
                let handle_ms = (-draw.ln() * arguments.handle_seconds * 1_000.0) as i64 + 1_000;
                let conversation = ConversationId(number);
                let waiting = Waiting {
                    conversation,
                    since,
                    group: None,
                    strategy: None,
                    needs,
                    passed_over: Vec::new(),
                };
                Arrival { waiting, handle_ms }
            })
            .collect();
        Self { agents, arrivals }
    }
}

/// A moment of the day, in milliseconds: twice as likely at the peaks as between them.
fn moment(chance: &mut StdRng, span: f64) -> i64 {
    loop {
        let at: f64 = chance.random_range(0.0..1.0);
        let likely = 0.75 - 0.25 * (at * 4.0 * std::f64::consts::PI).cos();
        if chance.random_range(0.0..1.0) < likely {
            return (at * span) as i64;
        }
    }
}
