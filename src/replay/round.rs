//! One round: new tenants, agents and visitors, dialogues until they are played or the time is over, healing, and the
//! judgement. A plain run is one round; a soak is many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::client::{Failure, Site};
use super::collect::{self, Player};
use super::evidence::Violation;
use super::play::Run;
use super::routing_figures::RoutingFigures;
use super::visitor::Visitor;
use super::{Arguments, setup};

/// What a round found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// From the first word to the last.
    pub took: Duration,
    /// What the tenants' routing did.
    pub routing: RoutingFigures,
}

/// Plays one round. `tell` gets a line of progress now and then; `quiet` is held while nothing may disturb the
/// judgement.
pub async fn play(
    arguments: &Arguments,
    run: &Arc<Run>,
    urls: Vec<String>,
    quiet: &tokio::sync::Mutex<()>,
    tell: &mut dyn FnMut(String),
) -> Result<Outcome, Failure> {
    let many = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let site = Site::new(urls, arguments.sources).map_err(Failure::Over)?;
    let (mut tenants, mut agents) = (Vec::new(), Vec::new());
    for number in 0..many(arguments.tenants) {
        let tenant = setup::tenant(run, &site, number, arguments).await?;
        agents.extend(setup::agents(run, &site, (number, &tenant), many(arguments.agents)).await?);
        tenants.push(tenant);
    }
    let visitors = setup::visitors(run, &site, &tenants, many(arguments.visitors).min(run.plays)).await?;

    let (mut working, mut shifts) = (JoinSet::new(), JoinSet::new());
    let mut players: Vec<Player> = Vec::new();
    let mut player =
        |tenant, member, customer, retired| players.push(Player { tenant, member, customer, retired });
    for (agent, waiting) in agents {
        let agent = Arc::new(agent);
        player(agent.tenant, agent.member.clone(), false, false);
        match tenants.get(agent.tenant).and_then(|tenant| tenant.desk.clone()) {
            Some(desk) => {
                shifts.spawn(agent.clone().keep_shifts(run.clone()));
                working.spawn(agent.on_duty(run.clone(), desk, waiting))
            }
            None => working.spawn(agent.work(run.clone(), waiting)),
        };
    }
    for tenant in &tenants {
        if let (Some(supervisor), Some(desk)) = (&tenant.supervisor, &tenant.desk) {
            shifts.spawn(supervisor.clone().watch(run.clone(), desk.clone()));
        }
    }
    visitors.known.into_iter().for_each(|(tenant, member)| player(tenant, Arc::new(member), true, false));
    let visitors: Vec<Arc<Visitor>> = visitors.visitors.into_iter().map(Arc::new).collect();
    for visitor in &visitors {
        visitor.member().live(run.stall()).await?;
    }

    let begin = *run.begun.get_or_init(Instant::now);
    let mut playing = JoinSet::new();
    for visitor in &visitors {
        let (visitor, run) = (visitor.clone(), run.clone());
        playing.spawn(async move { visitor.play(&run).await });
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    while !playing.is_empty() {
        tokio::select! {
            _ = playing.join_next() => {}
            _ = tick.tick() => tell(status(run)),
        }
    }
    let took = begin.elapsed();
    shifts.shutdown().await;
    for visitor in &visitors {
        player(visitor.tenant, visitor.member(), true, false);
        if let Some(former) = visitor.former() {
            player(visitor.tenant, former, true, true);
        }
    }
    tell(format!("{}; healing and judging", status(run)));
    let _quiet = quiet.lock().await;
    collect::heal(run, &players).await;
    let verdict = collect::verdict(run, &tenants, &players).await;
    working.shutdown().await;
    for device in players.iter().flat_map(|player| player.member.devices()) {
        device.stop().await;
    }
    let (violations, routing) = verdict?;
    Ok(Outcome { violations, took, routing })
}

/// One line of progress.
fn status(run: &Run) -> String {
    let counters = &run.history.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let of = match run.plays {
        usize::MAX => String::new(),
        plays => format!(" of {plays}"),
    };
    format!(
        "{}{of} dialogues, {} messages, {} cuts, {} drops, {} unknown, {} errors",
        count(&counters.dialogues),
        count(&counters.messages),
        count(&counters.cuts),
        count(&counters.drops),
        count(&counters.unknown),
        run.history.error_kind().len(),
    )
}
