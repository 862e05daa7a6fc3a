//! `deskwire replay`: plays dialogues over the public interface, visitors and agents at once, with cut sockets and
//! repeated sends on the way, and judges at the end that every promise was kept. Demo, load program and black-box
//! judge in one.
//!
//! Reading order: `dialogue` (what is played), `setup` (tenants and members), `desk` (how a tenant routes), `member` (its
//! devices), `visitor`, `agent`, `duty`, `moves`, `supervisor`, `actions` and `identify` (what they do), `play` (how a
//! turn is sent), `ratings` (what visitors say of it), `files` (what they upload), `client` and `requests` (how a device behaves), `history` and
//! `counters` (what is recorded), `collect` and `collect_desk` and `collect_search`, `judge`, `judge_live`, `judge_ratings`, `judge_files`
//! and `judge_search`, for tenants that route `judge_events`, `judge_desk`, `judge_offers`, `judge_kept`, `judge_sight`,
//! `judge_turns` and `judge_waiting` (the end), `round` (all of that once), `soak` and `usage` (for hours),
//! `routing_figures` and `report`. Owns no table and calls no service: only HTTP and WebSocket, except that
//! `own_server` and `own_processes` start servers.

mod actions;
mod agent;
mod arguments;
mod client;
mod collect;
mod collect_desk;
mod collect_search;
pub mod conform_client;
mod counters;
mod desk;
mod dialogue;
mod duty;
mod evidence;
mod files;
mod history;
mod identify;
mod judge;
mod judge_desk;
mod judge_events;
mod judge_files;
mod judge_kept;
mod judge_live;
mod judge_offers;
mod judge_ratings;
mod judge_search;
mod judge_sight;
mod judge_turns;
mod judge_waiting;
mod member;
mod moves;
mod own_processes;
mod own_server;
mod pace;
mod play;
mod ratings;
mod report;
mod requests;
mod round;
mod routing_figures;
mod setup;
mod soak;
mod supervisor;
mod usage;
mod visitor;

use std::io::Write;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand::RngExt;

pub use arguments::{Arguments, Routing};
pub use evidence::Violation;
pub use report::{Percentiles, Report};

use own_processes::OwnProcesses;
use own_server::OwnServer;
use play::Run;
use soak::Server;

/// Plays and judges. The error is a sentence for the terminal.
pub fn play(arguments: &Arguments, progress: &mut (dyn Write + Send)) -> Result<Report, String> {
    let dialogues = dialogue::load(arguments.file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| format!("no runtime: {cause}"))?;
    let mut tell = |text: String| {
        if !arguments.quiet {
            let _ = writeln!(progress, "{text}");
        }
    };
    runtime.block_on(async {
        let name = format!("r{:08x}", rand::rng().random::<u32>());
        match arguments.soak {
            Some(minutes) => {
                let server = match arguments.url.is_empty() {
                    true => Server::Own(OwnProcesses::start(&name, arguments.processes).await?),
                    false => Server::given(arguments.url.clone(), &arguments.pid),
                };
                soak::run(arguments, minutes, dialogues, server, &name, &mut tell).await
            }
            None => once(arguments, new_run(arguments, name, dialogues), &mut tell).await,
        }
    })
}

/// A run of one round.
fn new_run(arguments: &Arguments, name: String, dialogues: Vec<dialogue::Dialogue>) -> Run {
    let plays =
        arguments.dialogues.map_or(dialogues.len(), |wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
    Run {
        name,
        dialogues,
        plays,
        next: AtomicUsize::new(0),
        lasts: None,
        begun: OnceLock::new(),
        stopped: Arc::default(),
        devices: arguments.devices,
        faults: arguments.reconnects,
        patience: Duration::from_secs(arguments.patience),
        pace: pace::Pace::new(arguments.rate),
        history: Arc::default(),
    }
}

/// Plays one round against the given server, or one of its own.
async fn once(arguments: &Arguments, run: Run, tell: &mut dyn FnMut(String)) -> Result<Report, String> {
    let run = Arc::new(run);
    let (mut in_process, mut processes) = (None, None);
    let urls = match (arguments.url.is_empty(), arguments.processes) {
        (false, _) => arguments.url.clone(),
        (true, 1) => {
            let own = OwnServer::start(&run.name).await.map_err(|cause| cause.to_string())?;
            vec![in_process.insert(own).url()]
        }
        (true, many) => processes.insert(OwnProcesses::start(&run.name, many).await?).urls(),
    };
    tell(format!("playing at {}", urls.join(" ")));
    let played = round::play(arguments, &run, urls.clone(), &tokio::sync::Mutex::default(), tell).await;
    if let Some(own) = in_process
        && let Err(cause) = own.stop().await
    {
        run.history.complain(format!("the server does not stop: {cause}"));
    }
    if let Some(own) = processes {
        own.stop().await.into_iter().for_each(|wrong| run.history.complain(wrong));
    }
    let mut totals = report::Totals::default();
    totals.add(&run.history, played.map_err(|failure| failure.to_string())?);
    totals.dialogues = Some(run.plays);
    Ok(totals.report(arguments, urls.join(" "), None))
}
