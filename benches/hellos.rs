//! A reconnect storm and delivery under load: a thousand hellos in one instant, and how long after its acknowledgement
//! a message is on the other side's screen while `deskwire replay` plays. The server is a process of its own.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use common::child::Served;
use common::socket::Socket;
use common::{FromCargo, Outcome, cast, median, milliseconds};
use serde_json::Value;

#[derive(Parser)]
struct Arguments {
    /// Sockets that say hello in the same instant.
    #[arg(long, default_value_t = 1_000)]
    hellos: usize,
    /// How often.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Visitors of the load, each with an agent's answers.
    #[arg(long, default_value_t = 200)]
    visitors: u32,
    /// Dialogues of the load.
    #[arg(long, default_value_t = 400)]
    dialogues: u32,
    /// Messages a second of the load: about half of what these clients and the server reach together on two cores.
    /// Beyond that both numbers tell how long the queues are.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    #[command(flatten)]
    cargo: FromCargo,
}

/// The default of the server.
const READERS: usize = 8;

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let served = Served::start(&folder.path().join("hellos.db"), READERS)?;
    common::head();
    common::runtime()?.block_on(async {
        served.answers("/readyz").await?;
        cast::tenant(served.address, "hellos").await?;
        let visitors = cast::visitors(served.address, "hellos", arguments.hellos).await?;
        cast::conversations(served.address, &visitors).await?;
        let (mut took, mut refused) = (Vec::new(), 0);
        for _ in 0..arguments.rounds {
            let (one, told) = storm(&served, &visitors).await?;
            took.push(milliseconds(one));
            refused += told;
        }
        common::row([
            &format!("{} hellos in one instant, until all are live", visitors.len()),
            &format!("{:.0} ms", median(&took)),
            &format!("refused: {refused}"),
            "",
            "2,000 ms, none refused",
            "",
        ]);
        Outcome::Ok(())
    })?;
    delivery(&served, &arguments)
}

/// All sockets are connected; then all say hello. Returns how long it took until the last was live, and how many were
/// refused.
async fn storm(served: &Served, visitors: &[cast::Person]) -> Outcome<(Duration, usize)> {
    let instant = Arc::new(tokio::sync::Barrier::new(visitors.len() + 1));
    let doors = Arc::new(tokio::sync::Semaphore::new(32));
    let refused = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for visitor in visitors.iter().cloned() {
        let (instant, doors, refused) = (instant.clone(), doors.clone(), refused.clone());
        let address = served.address;
        tasks.spawn(async move {
            let door = doors.acquire().await?;
            let opened = Socket::open(address, None, "/api/v1/ws", 4_096).await;
            drop(door);
            instant.wait().await;
            let mut socket = opened?;
            if socket.hello(&visitor.token, "storm").await.is_err() {
                refused.fetch_add(1, Ordering::Relaxed);
            }
            // The caller ends all sockets together.
            Outcome::Ok(socket)
        });
    }
    instant.wait().await;
    let begin = Instant::now();
    let mut sockets = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        sockets.push(ended??);
    }
    Ok((begin.elapsed(), refused.load(Ordering::Relaxed)))
}

/// Plays against the same server and compares delivery with acknowledgement.
fn delivery(served: &Served, arguments: &Arguments) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report.json");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_deskwire"))
        .args(["replay", "--quiet", "--devices=1", "--reconnects=0", "--tenants=2", "--agents=8"])
        .args(["--url", &format!("http://{}", served.address)])
        .args(["--visitors", &arguments.visitors.to_string()])
        .args(["--dialogues", &arguments.dialogues.to_string()])
        .args(["--rate", &arguments.rate.to_string()])
        .arg("--report")
        .arg(&report)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stdout).into_owned().into());
    }
    let report: Value = serde_json::from_slice(&std::fs::read(&report)?)?;
    let point = |what: &str| report[what]["p50"].as_f64().ok_or_else(|| format!("no p50 of {what}"));
    let (delivery, acknowledgement) = (point("delivery")?, point("acknowledgement")?);
    let rate = report["messages_per_second"].as_f64().unwrap_or_default();
    common::row([
        &format!("delivery under the load of replay, {rate:.0} messages/s, p50"),
        &format!("{delivery:.1} ms"),
        &format!("acknowledgement {acknowledgement:.1} ms"),
        &format!("{:.2} ×", delivery / acknowledgement.max(0.001)),
        "1.3 ×",
        "",
    ]);
    Ok(())
}
