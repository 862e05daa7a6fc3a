//! Routing with a long queue: how fast waiting conversations are given to agents who come online, and how long it takes
//! from a place that becomes free to the next assignment. On SQLite FULL, in this process.

mod common;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clap::Parser;
use common::cast::{self, PASSWORD, Person, once};
use common::own::Own;
use common::{FromCargo, Outcome};
use deskwire::domain::entry::EntryKind;
use deskwire::journal::feed::FeedItem;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::sync::mpsc::Receiver;

#[derive(Parser)]
struct Arguments {
    /// Conversations that wait all the time.
    #[arg(long, default_value_t = 10_000)]
    waiting: usize,
    /// Members of the staff.
    #[arg(long, default_value_t = 200)]
    agents: usize,
    /// How many conversations each accepts.
    #[arg(long, default_value_t = 3)]
    max_accept: usize,
    /// How often a place is made free.
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    #[command(flatten)]
    cargo: FromCargo,
}

/// How long an assignment may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    common::head();
    common::runtime()?.block_on(async {
        let own = Own::sqlite().await?;
        let admin = cast::tenant(own.address, "routing").await?;
        let agents = agents(&own, &admin, &arguments).await?;
        let places = agents.len() * arguments.max_accept;
        let visitors = cast::visitors(own.address, "routing", arguments.waiting + places).await?;
        cast::conversations(own.address, &visitors).await?;
        let app = own.running.app().clone();
        // A seat is what a live socket has.
        let tenant = app.auth.verify(&admin.token, None)?.actor.tenant;
        let mut seats = Vec::new();
        for agent in &agents {
            seats.push(app.attendance.enter(tenant, agent.id.parse()?));
        }
        tokio::time::sleep(Duration::from_secs(3)).await;

        let mut changes = app.feed.subscribe(65_536);
        let routing = json!({"settings": {"routing": {"strategy": "least_loaded"}}});
        let began = Instant::now();
        once(own.address, "PATCH", "/tenant", Some(&admin.token), &routing).await?;
        let mut served = VecDeque::new();
        while served.len() < places {
            served.extend(assigned(&mut changes).await?);
        }
        let took = began.elapsed().as_secs_f64();
        common::row([
            &format!("assignments, {} agents come online, {} wait", agents.len(), visitors.len()),
            &format!("{:.0}/s", places as f64 / took),
            "",
            "",
            "",
            "",
        ]);

        let mut waits = Vec::new();
        for _ in 0..arguments.rounds {
            let Some(room) = served.pop_front() else { break };
            let (path, nothing) = (format!("/conversations/{room}/close"), json!({}));
            let (closed, next) = tokio::join!(
                once(own.address, "POST", &path, Some(&admin.token), &nothing),
                after_close(&mut changes)
            );
            closed?;
            let (wait, rooms) = next?;
            waits.push(wait.as_secs_f64() * 1_000.0);
            served.extend(rooms);
        }
        waits.sort_by(f64::total_cmp);
        let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or(f64::NAN);
        common::row([
            &format!("from a free place to the next assignment, {} wait, p50 / p99", arguments.waiting),
            &format!("{:.1} / {:.1} ms", at(50), at(99)),
            "",
            "",
            "p99 100 ms",
            "",
        ]);
        Ok(())
    })
}

/// Agents who say that they are online.
async fn agents(own: &Own, admin: &Person, arguments: &Arguments) -> Outcome<Vec<Person>> {
    let one = |number: usize| async move {
        let name = format!("agent-{number}");
        let body = json!({
            "role": "agent", "login_name": name, "password": PASSWORD, "nickname": name,
            "max_accept": arguments.max_accept,
        });
        let made = once(own.address, "POST", "/members", Some(&admin.token), &body).await?;
        let id = made["id"].as_str().ok_or_else(|| format!("no agent in {made}"))?.to_owned();
        let login = json!({ "tenant": "routing", "name": name, "password": PASSWORD, "device": "bench" });
        let tokens = once(own.address, "POST", "/auth/login", None, &login).await?;
        let token =
            tokens["access_token"].as_str().ok_or_else(|| format!("no token in {tokens}"))?.to_owned();
        let online = json!({"status": "online"});
        once(own.address, "PUT", "/presence", Some(&token), &online).await?;
        Ok::<Person, Box<dyn std::error::Error + Send + Sync>>(Person { id, token })
    };
    stream::iter((0..arguments.agents).map(one)).buffered(4).try_collect().await
}

/// The conversations that were assigned with the next changes, if any were.
async fn assigned(changes: &mut Receiver<FeedItem>) -> Outcome<Vec<String>> {
    Ok(next(changes, EntryKind::Assigned).await?.1)
}

/// How long it takes from the next close to the assignment behind it.
async fn after_close(changes: &mut Receiver<FeedItem>) -> Outcome<(Duration, Vec<String>)> {
    let (freed, _) = next(changes, EntryKind::Closed).await?;
    let (given, rooms) = next(changes, EntryKind::Assigned).await?;
    Ok((given - freed, rooms))
}

/// When the next notice of this kind was committed, and in which conversations.
async fn next(changes: &mut Receiver<FeedItem>, kind: EntryKind) -> Outcome<(Instant, Vec<String>)> {
    loop {
        let item = tokio::time::timeout(PATIENCE, changes.recv()).await?.ok_or("the feed ended")?;
        let at = Instant::now();
        let FeedItem::Changes(changes) = item else { continue };
        let entries = changes.entries.iter().filter(|entry| entry.kind == kind);
        let rooms: Vec<String> = entries.map(|entry| entry.conversation_id.to_string()).collect();
        if !rooms.is_empty() {
            return Ok((at, rooms));
        }
    }
}
