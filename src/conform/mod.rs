//! `deskwire conform`: a scripted server that speaks the real protocol and behaves badly, for a client under test.
//! Plays scenario after scenario, judges what the client did on the wire and what it showed, and says rule by rule
//! what was kept.
//!
//! Reading order: `arguments` (how a client is started and instructed), `scenarios` (what happens), `script` (what they
//! use), `state` and `plan` (the scripted server's state), `recorder` and `answers` (what is wrong in every scenario),
//! `http` and `socket` (the network), `command` (the client's process), `report`. Uses the frame table and the frames'
//! types of `gateway::protocol`, and no service and no database.
//!
//! Invariants: every wait has a limit, and limits are generous, since machines are busy; a rule is broken only by what
//! was seen; a client is killed when its scenario ends.

mod answers;
mod arguments;
mod command;
#[cfg(test)]
mod frames_tests;
mod http;
mod plan;
mod recorder;
mod report;
mod scenarios;
mod script;
mod shared;
mod socket;
mod state;

use std::io::Write;
use std::time::{Duration, Instant};

use futures_util::StreamExt;

pub use arguments::Arguments;
pub use report::{Outcome, Report, Verdict};
pub use scenarios::{SCENARIOS, Scenario};

use script::{Script, Stop};

/// A scenario takes no longer.
const SCENARIO_WITHIN: Duration = Duration::from_secs(180);

/// Plays and judges. The error is a sentence for the terminal.
pub fn play(arguments: &Arguments, progress: &mut (dyn Write + Send)) -> Result<Report, String> {
    let unknown =
        arguments.scenario.iter().find(|name| SCENARIOS.iter().all(|one| one.name != name.as_str()));
    if let Some(name) = unknown {
        let names: Vec<_> = SCENARIOS.iter().map(|one| one.name).collect();
        return Err(format!("there is no scenario {name:?}; there are: {}", names.join(", ")));
    }
    let chosen: Vec<_> = SCENARIOS
        .iter()
        .filter(|one| arguments.scenario.is_empty() || arguments.scenario.iter().any(|name| name == one.name))
        .collect();
    let jobs = if arguments.listen.ends_with(":0") { usize::from(arguments.jobs) } else { 1 };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| format!("no runtime: {cause}"))?;
    let outcomes = runtime.block_on(async {
        let mut playing = futures_util::stream::iter(chosen.into_iter().enumerate())
            .map(|(number, scenario)| play_one(arguments, number, scenario))
            .buffer_unordered(jobs);
        let mut outcomes = Vec::new();
        while let Some(outcome) = playing.next().await {
            let _ = writeln!(progress, "{outcome}");
            outcomes.push(outcome);
        }
        outcomes
    });
    Ok(Report::new(outcomes))
}

async fn play_one(arguments: &Arguments, number: usize, scenario: &'static Scenario) -> Outcome {
    let began = Instant::now();
    let state = std::env::temp_dir().join(format!("deskwire-conform-{}-{number}", std::process::id()));
    let played = async {
        std::fs::create_dir_all(&state).map_err(|cause| format!("no folder: {cause}"))?;
        let script = Script::open(&arguments.listen, &arguments.command, state).await?;
        let end = match tokio::time::timeout(SCENARIO_WITHIN, (scenario.play)(&script)).await {
            Ok(end) => end,
            Err(_) => Err(Stop::NotPlayed(format!("not over within {} s", SCENARIO_WITHIN.as_secs()))),
        };
        Ok((end, script.seen_broken()))
    };
    let (end, seen) = played.await.unwrap_or_else(|cause: String| (Err(Stop::NotPlayed(cause)), Vec::new()));
    Outcome::new(scenario, end, seen, began.elapsed())
}
