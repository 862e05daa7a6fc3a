//! Durable sends over 1,000 conversations on SQLite with FULL durability.
//!
//! Over REST, against an empty actix handler that checks the same token: same process, same clients. Over a fleet of
//! sockets, against the statements of full batches replayed without rules and gateway.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::{App as ActixApp, HttpResponse, HttpServer, web};
use clap::Parser;
use common::cast::Person;
use common::ceiling::{self, Place};
use common::http::{Http, request};
use common::own::Own;
use common::socket::Socket;
use common::{FromCargo, Outcome, cast, median};
use deskwire::app::App;
use deskwire::auth::extract::Authenticated;
use serde_json::{Value, json};

#[derive(Parser)]
struct Arguments {
    /// Conversations, each of its own visitor.
    #[arg(long, default_value_t = 1_000)]
    conversations: usize,
    /// Connections over which requests go.
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// How often each is measured, in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    cargo: FromCargo,
}

/// Conversations with their visitors.
type Places = Arc<Vec<(Person, String)>>;

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(async {
        let own = Own::sqlite().await?;
        let empty = empty_server(own.running.app().clone())?;
        let places = places(&own, arguments.conversations).await?;
        // The statements have a store of their own: the server would have to look for what it was not told.
        let bare = Own::sqlite().await?;
        let actors = actors(&bare, arguments.conversations).await?;

        let (mut ceiling, mut rest, mut sockets) = (Vec::new(), Vec::new(), Vec::new());
        let mut statements = Vec::new();
        for _ in 0..arguments.rounds {
            ceiling.push(over_rest(empty, &places, &arguments).await?);
            rest.push(over_rest(own.address, &places, &arguments).await?);
            let (app, actors, seconds) = (bare.running.app().clone(), actors.clone(), arguments.seconds);
            let alone = move || ceiling::statements(&app, &actors, BATCH, seconds, TEXT);
            statements.push(tokio::task::spawn_blocking(alone).await??);
            sockets.push(over_sockets(own.address, &places, &arguments).await?);
        }
        let share = 100.0 * median(&rest) / median(&ceiling);
        let work = format!("durable send over REST, {} conversations, SQLite FULL", places.len());
        let (measured, against) = (median(&rest), median(&ceiling));
        common::head();
        common::row([
            &work,
            &format!("{measured:.0}/s"),
            &format!("empty handler {against:.0}/s"),
            &format!("{share:.0} %"),
            "15 %",
            "30 %",
        ]);
        let share = 100.0 * median(&sockets) / median(&statements);
        let (measured, against) = (median(&sockets), median(&statements));
        common::row([
            "durable send over a socket fleet",
            &format!("{measured:.0}/s"),
            &format!("the statements alone {against:.0}/s"),
            &format!("{share:.0} %"),
            "60 %",
            "80 %",
        ]);
        own.running.stop().await?;
        bare.running.stop().await?;
        Ok(())
    })
}

/// Eight tenants, since one may fill only a quarter of the queue.
const TENANTS: usize = 8;
/// The largest batch of a lane.
const BATCH: usize = 256;
const TEXT: &str = "Hello, where is my parcel? 你好，我的包裹在哪里？";

async fn places(own: &Own, conversations: usize) -> Outcome<Places> {
    let mut places = Vec::new();
    for tenant in 0..TENANTS {
        let slug = format!("send-{tenant}");
        cast::tenant(own.address, &slug).await?;
        let visitors = cast::visitors(own.address, &slug, conversations / TENANTS).await?;
        let rooms = cast::conversations(own.address, &visitors).await?;
        places.extend(visitors.into_iter().zip(rooms));
    }
    Ok(Arc::new(places))
}

async fn actors(own: &Own, conversations: usize) -> Outcome<Arc<Vec<Place>>> {
    let auth = &own.running.app().auth;
    let places = places(own, conversations).await?;
    let actor =
        |(visitor, room): &(Person, String)| Ok((auth.verify(&visitor.token, None)?.actor, room.parse()?));
    Ok(Arc::new(places.iter().map(actor).collect::<Outcome<_>>()?))
}

/// The ceiling: reads the body, checks the token, answers.
async fn empty_handler(_caller: Authenticated, _room: web::Path<String>, body: web::Bytes) -> HttpResponse {
    let _ = body;
    HttpResponse::Created().finish()
}

fn empty_server(app: Arc<App>) -> Outcome<SocketAddr> {
    let shared = web::Data::from(app);
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(shared.clone())
            .route("/api/v1/conversations/{id}/messages", web::post().to(empty_handler))
    })
    .disable_signals()
    .bind("127.0.0.1:0")?;
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    Ok(address)
}

/// A key that was never used.
fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn message() -> Value {
    json!({
        "client_msg_id": key(), "kind": "text",
        "content": { "text": TEXT },
    })
}

/// Requests a second; every answer must be a 2xx.
async fn over_rest(server: SocketAddr, places: &Places, arguments: &Arguments) -> Outcome<f64> {
    let sent = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let until = begin + Duration::from_secs_f64(arguments.seconds);
    let mut tasks = tokio::task::JoinSet::new();
    let step = arguments.connections;
    for task in 0..arguments.connections {
        let (places, sent) = (places.clone(), sent.clone());
        tasks.spawn(async move {
            let mut http = Http::connect(server).await?;
            let mut place = task;
            while Instant::now() < until {
                let (visitor, room) = &places[place % places.len()];
                place += step;
                let path = format!("/api/v1/conversations/{room}/messages");
                let body = message().to_string();
                let answer = http.call(&request("POST", &path, Some(&visitor.token), Some(&body))).await?;
                if !(200..300).contains(&answer.status) {
                    return Err(
                        format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into()
                    );
                }
                sent.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(sent.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
}

/// Acknowledged sends a second; every visitor has a socket and one message under way.
async fn over_sockets(server: SocketAddr, places: &Places, arguments: &Arguments) -> Outcome<f64> {
    let sent = Arc::new(AtomicU64::new(0));
    let ready = Arc::new(tokio::sync::Barrier::new(places.len() + 1));
    let doors = Arc::new(tokio::sync::Semaphore::new(32));
    let seconds = Duration::from_secs_f64(arguments.seconds);
    let mut tasks = tokio::task::JoinSet::new();
    for place in 0..places.len() {
        let (places, sent, ready, doors) = (places.clone(), sent.clone(), ready.clone(), doors.clone());
        tasks.spawn(async move {
            let (visitor, room) = &places[place];
            let door = doors.acquire().await?;
            let mut socket = Socket::open(server, None, "/api/v1/ws", 2_048).await?;
            socket.hello(&visitor.token, "bench").await?;
            drop(door);
            ready.wait().await;
            let until = Instant::now() + seconds;
            while Instant::now() < until {
                let mut data = message();
                data["conversation_id"] = room.as_str().into();
                let frame = json!({ "type": "message.send", "id": "s", "data": data });
                socket.send(&frame.to_string()).await?;
                acknowledged(&mut socket).await?;
                sent.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Ok(())
        });
    }
    tokio::select! {
        _ = ready.wait() => {}
        Some(ended) = tasks.join_next() => ended??,
    }
    let begin = Instant::now();
    let mut took = Duration::ZERO;
    while let Some(ended) = tasks.join_next().await {
        ended??;
        took = begin.elapsed();
    }
    Ok(sent.load(Ordering::Relaxed) as f64 / took.as_secs_f64())
}

/// Reads until the answer to the frame `s`; the own entry comes before or after it.
async fn acknowledged(socket: &mut Socket) -> Outcome<()> {
    loop {
        let frame = socket.next().await?;
        let begins_as = |start: &[u8]| frame.starts_with(start);
        if begins_as(b"{\"type\":\"ok\"") {
            return Ok(());
        }
        if begins_as(b"{\"type\":\"error\"") || begins_as(b"{\"type\":\"bye\"") {
            return Err(String::from_utf8_lossy(frame).into_owned().into());
        }
        if begins_as(b"{\"type\":\"ping\"") {
            let ping: Value = serde_json::from_slice(frame)?;
            let pong = json!({ "type": "pong", "data": { "nonce": ping["data"]["nonce"] } });
            socket.send(&pong.to_string()).await?;
        }
    }
}
