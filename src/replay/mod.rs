//! `deskwire replay`: plays dialogues over the public interface, visitors and agents at once, with cut sockets and
//! repeated sends on the way, and judges at the end that every promise was kept. Demo, load program and black-box
//! judge in one.
//!
//! Reading order: `dialogue` (what is played), `stage` (the cast), `visitor` and `agent` (what they do), `play` (how a
//! turn is spoken), `client` (how a device behaves), `history` (what is recorded), `collect` and `judge` (the end),
//! `report`. Owns no table and calls no service: only HTTP and WebSocket, except that `own_server` starts a server.

mod agent;
mod arguments;
mod client;
mod collect;
mod dialogue;
mod history;
mod judge;
mod own_server;
mod pace;
mod play;
mod report;
mod stage;
mod visitor;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::task::JoinSet;

pub use arguments::Arguments;
pub use judge::Violation;
pub use report::{Percentiles, Report};

use agent::Agent;
use client::{Failure, Site};
use collect::Player;
use own_server::OwnServer;
use play::Run;
use visitor::Visitor;

/// Exit code of a run that found a broken promise.
const VIOLATED: u8 = 1;
/// Exit code of a run that could not be played to its end.
const TROUBLED: u8 = 2;

/// Plays, prints the table to `out` and progress to `progress`, and returns the exit code: 0 when every promise was
/// kept, 1 when one was broken, 2 when the run could not be played to its end.
pub fn run(arguments: &Arguments, out: &mut dyn Write, progress: &mut (dyn Write + Send)) -> ExitCode {
    let report = match play(arguments, progress) {
        Ok(report) => report,
        Err(cause) => {
            let _ = writeln!(progress, "replay: {cause}");
            return TROUBLED.into();
        }
    };
    let printed = report.print(out).and_then(|()| match &arguments.report {
        Some(path) => {
            let text = serde_json::to_string_pretty(&report).map_err(std::io::Error::other)?;
            std::fs::write(path, text + "\n")
        }
        None => Ok(()),
    });
    match printed {
        Err(cause) => {
            let _ = writeln!(progress, "replay: the result cannot be written: {cause}");
            TROUBLED.into()
        }
        Ok(()) if !report.violations.is_empty() => VIOLATED.into(),
        Ok(()) if !report.is_clean() => TROUBLED.into(),
        Ok(()) => ExitCode::SUCCESS,
    }
}

/// Plays and judges. The error is a sentence for the terminal.
pub fn play(arguments: &Arguments, progress: &mut (dyn Write + Send)) -> Result<Report, String> {
    let dialogues = dialogue::load(arguments.file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| format!("no runtime: {cause}"))?;
    runtime.block_on(async {
        let name = format!("r{:08x}", rand::rng().random::<u32>());
        let own = match arguments.url.is_empty() {
            true => Some(OwnServer::start(&name).await.map_err(|cause| cause.to_string())?),
            false => None,
        };
        let urls = own.as_ref().map_or_else(|| arguments.url.clone(), |own| vec![own.url()]);
        let plays = arguments
            .dialogues
            .map_or(dialogues.len(), |wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
        let run = Arc::new(Run {
            name,
            dialogues,
            plays,
            next: AtomicUsize::new(0),
            mischief: arguments.reconnects,
            patience: Duration::from_secs(arguments.patience),
            pace: pace::Pace::new(arguments.rate),
            history: Arc::default(),
        });
        let played = drama(arguments, &run, urls, progress).await;
        if let Some(own) = own
            && let Err(cause) = own.stop().await
        {
            run.history.complain(format!("the server does not stop: {cause}"));
        }
        played.map_err(|failure| failure.to_string())
    })
}

/// Sets the stage, plays, heals and judges.
async fn drama(
    arguments: &Arguments,
    run: &Arc<Run>,
    urls: Vec<String>,
    progress: &mut (dyn Write + Send),
) -> Result<Report, Failure> {
    let mut tell = |text: String| {
        if !arguments.quiet {
            let _ = writeln!(progress, "{text}");
        }
    };
    let many = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let server = urls.join(" ");
    tell(format!("setting the stage at {server}"));
    let site = Site::new(urls, arguments.sources).map_err(Failure::Over)?;
    let key = arguments.platform_key.as_ref().map(|key| key.expose());
    let (mut tenants, mut agents) = (Vec::new(), Vec::new());
    for number in 0..many(arguments.tenants) {
        let tenant = stage::tenant(run, &site, number, key).await?;
        agents.extend(stage::agents(run, &site, (number, &tenant), many(arguments.agents)).await?);
        tenants.push(tenant);
    }
    let visitors = stage::visitors(run, &site, &tenants, many(arguments.visitors).min(run.plays)).await?;

    let mut working = JoinSet::new();
    let agents: Vec<Arc<Agent>> = agents
        .into_iter()
        .map(|(agent, waiting)| {
            let agent = Arc::new(agent);
            working.spawn(agent.clone().work(run.clone(), waiting));
            agent
        })
        .collect();
    let visitors: Vec<Arc<Visitor>> = visitors.into_iter().map(Arc::new).collect();
    let players: Vec<Player<'_>> = visitors
        .iter()
        .map(|one| (one.tenant, &one.device))
        .chain(agents.iter().map(|one| (one.tenant, &one.device)))
        .collect();
    for (_, device) in &players {
        device.live(run.stall()).await?;
    }

    let begin = Instant::now();
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
    tell(format!("{}; healing and judging", status(run)));
    collect::heal(run, &players).await;
    let violations = collect::verdict(run, &tenants, &players).await?;
    working.shutdown().await;
    for (_, device) in &players {
        device.stop().await;
    }
    let mut report = Report {
        server,
        visitors: arguments.visitors,
        agents: arguments.agents,
        tenants: arguments.tenants,
        dialogues: run.plays,
        seconds: 0.0,
        messages_per_second: 0.0,
        acknowledgement: Percentiles::default(),
        delivery: Percentiles::default(),
        counts: std::collections::BTreeMap::new(),
        error_kind: Vec::new(),
        violations,
    };
    report.fill(&run.history, took);
    Ok(report)
}

/// One line of progress.
fn status(run: &Run) -> String {
    let counters = &run.history.counters;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    format!(
        "{} of {} dialogues, {} messages, {} cuts, {} drops, {} unknown, {} troubles",
        count(&counters.dialogues),
        run.plays,
        count(&counters.messages),
        count(&counters.cuts),
        count(&counters.drops),
        count(&counters.unknown),
        run.history.error_kind().len(),
    )
}
