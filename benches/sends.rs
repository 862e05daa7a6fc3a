//! The message centre from the request to the provider's answer, on every database that this machine has: events a second
//! that are stored, messages a second to a provider that takes its time, against a bare loop that sends the same to the
//! same provider; with nothing else to do, from the event to the provider; and messages a second once more while another
//! tenant has many that wait for the limit of its account.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use common::cast::{self, Person, once};
use common::http::{Http, request};
use common::{FromCargo, Outcome, databases, milliseconds, own};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Parser)]
struct Arguments {
    /// Messages that wait when the clock starts.
    #[arg(long, default_value_t = 10_000)]
    sends: usize,
    /// Accounts that they go to, in turn.
    #[arg(long, default_value_t = 8)]
    accounts: usize,
    /// How long the provider takes, in milliseconds.
    #[arg(long, default_value_t = 20)]
    provider: u64,
    /// How often a single event is followed to the provider.
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// Messages of another tenant that wait for its account's limit.
    #[arg(long, default_value_t = 10_000)]
    parked: usize,
    /// Only this database.
    #[arg(long)]
    only: Option<String>,
    #[command(flatten)]
    cargo: FromCargo,
}

/// Events of one request.
const BATCH: usize = 100;
/// Requests of a webhook's account that are under way at once.
const UNDER_WAY: usize = 50;
/// How long so many messages may take before the bench gives up.
fn patience(count: usize) -> Duration {
    Duration::from_secs(120) + Duration::from_millis(count as u64)
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    common::head();
    let runtime = common::runtime()?;
    for database in databases::all()? {
        if arguments.only.as_ref().is_some_and(|only| !only.eq_ignore_ascii_case(database.name)) {
            continue;
        }
        let mut settings = own::settings(&database.url)?;
        settings.outbound_allow = "127.0.0.1".parse()?;
        let app = own::app(settings)?;
        runtime.block_on(async {
            let running = deskwire::server::start(app.clone()).await?;
            let measured = measure(running.address, database.name, &arguments).await;
            running.stop().await?;
            measured
        })?;
    }
    Ok(())
}

async fn measure(server: SocketAddr, name: &str, arguments: &Arguments) -> Outcome<()> {
    let provider = Provider::start(Duration::from_millis(arguments.provider)).await?;
    let admin = cast::tenant(server, "sends").await?;
    wire(server, &admin, &provider, arguments.accounts).await?;
    let (stored, sent) = burst(server, &admin, &provider, arguments).await?;
    common::row([
        &format!("events stored in requests of {BATCH}, {name}"),
        &format!("{stored:.0}/s"),
        "",
        "",
        "5,000/s",
        "",
    ]);
    let bare = bare(&provider, arguments).await?;
    common::row([
        &format!(
            "messages to a provider of {} ms, {} accounts, {name}",
            arguments.provider, arguments.accounts
        ),
        &format!("{sent:.0}/s"),
        &format!("the same requests in a bare loop {bare:.0}/s"),
        &format!("{:.0} %", 100.0 * sent / bare),
        if name == "PostgreSQL" { "2,000/s" } else { "" },
        if name == "PostgreSQL" { "5,000/s" } else { "" },
    ]);

    let mut waits = Vec::new();
    let body = json!({"key": "key-0", "payload": {"n": 1}});
    for _ in 0..arguments.rounds {
        let before = provider.count();
        let began = Instant::now();
        once(server, "POST", "/message-events", Some(&admin.token), &body).await?;
        provider.wait_for(before + 1).await?;
        waits.push(milliseconds(began.elapsed()));
    }
    waits.sort_by(f64::total_cmp);
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or(f64::NAN);
    common::row([
        &format!("from the event to the provider, p50 / p99, {name}"),
        &format!("{:.1} / {:.1} ms", at(50), at(99)),
        "",
        "",
        "p99 50 ms",
        "",
    ]);
    if arguments.parked == 0 {
        return Ok(());
    }
    park(server, &provider, arguments).await?;
    let (_, beside) = burst(server, &admin, &provider, arguments).await?;
    common::row([
        &format!("the same while {} of another tenant wait for their limit, {name}", arguments.parked),
        &format!("{beside:.0}/s"),
        &format!("without them {sent:.0}/s"),
        &format!("{:.0} %", 100.0 * beside / sent),
        "90 %",
        "",
    ]);
    Ok(())
}

/// How many events were stored a second, and then how many messages were sent a second. All are stored first, with every
/// account disabled, so that both are measured by themselves.
async fn burst(
    server: SocketAddr,
    admin: &Person,
    provider: &Provider,
    arguments: &Arguments,
) -> Outcome<(f64, f64)> {
    let ids = accounts(server, admin).await?;
    set_status(server, admin, &ids, "disabled").await?;
    let began = Instant::now();
    tell(server, admin, arguments.sends, arguments.accounts).await?;
    let stored = arguments.sends as f64 / began.elapsed().as_secs_f64();
    expanded(server, admin, arguments.sends).await?;
    let (before, began) = (provider.count(), Instant::now());
    set_status(server, admin, &ids, "active").await?;
    provider.wait_for(before + arguments.sends).await?;
    Ok((stored, arguments.sends as f64 / began.elapsed().as_secs_f64()))
}

/// Another tenant, all of whose messages but one have to wait for an hour.
async fn park(server: SocketAddr, provider: &Provider, arguments: &Arguments) -> Outcome<()> {
    let admin = cast::tenant(server, "parked").await?;
    wire(server, &admin, provider, 1).await?;
    for id in accounts(server, &admin).await? {
        let body = json!({"limit": {"count": 1, "seconds": 3_600}});
        once(server, "PATCH", &format!("/channel-accounts/{id}"), Some(&admin.token), &body).await?;
    }
    tell(server, &admin, arguments.parked, 1).await?;
    expanded(server, &admin, arguments.parked).await
}

/// An account and a rule for each key.
async fn wire(server: SocketAddr, admin: &Person, provider: &Provider, accounts: usize) -> Outcome<()> {
    let post = async |path: &str, body: Value| once(server, "POST", path, Some(&admin.token), &body).await;
    let body = json!({"name": "all", "channel": "webhook", "webhook": {"type": "it.happened"}});
    let template = post("/message-templates", body).await?["id"].clone();
    let id = template.as_str().ok_or("no template")?;
    post(&format!("/message-templates/{id}/publish"), json!({})).await?;
    for number in 0..accounts {
        let body = json!({"name": "a", "provider": "webhook", "url": format!("http://{}/{number}", provider.address)});
        let account = post("/channel-accounts", body).await?["account"]["id"].clone();
        let key = format!("key-{number}");
        let body = json!({"title": key, "key": key, "template_id": template, "account_id": account});
        post("/message-rules", body).await?;
    }
    Ok(())
}

async fn accounts(server: SocketAddr, admin: &Person) -> Outcome<Vec<String>> {
    let page = once(server, "GET", "/channel-accounts?limit=200", Some(&admin.token), &json!({})).await?;
    let ids = page["data"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_str());
    Ok(ids.map(str::to_owned).collect())
}

async fn set_status(server: SocketAddr, admin: &Person, ids: &[String], status: &str) -> Outcome<()> {
    for id in ids {
        let path = format!("/channel-accounts/{id}");
        once(server, "PATCH", &path, Some(&admin.token), &json!({"status": status})).await?;
    }
    Ok(())
}

/// Tells all events, sixteen requests at once.
async fn tell(server: SocketAddr, admin: &Person, count: usize, keys: usize) -> Outcome<()> {
    let batches = (0..count / BATCH).map(|batch| {
        let events: Vec<Value> = (0..BATCH)
            .map(|n| json!({"key": format!("key-{}", n % keys), "payload": {"batch": batch, "n": n}}))
            .collect();
        async move {
            let body = json!({"events": events});
            once(server, "POST", "/message-events/batch", Some(&admin.token), &body).await.map(|_| ())
        }
    });
    stream::iter(batches).buffer_unordered(16).try_collect().await
}

/// Waits until the rules of the newest event were applied: they are applied in the order of events.
async fn expanded(server: SocketAddr, admin: &Person, count: usize) -> Outcome<()> {
    let began = Instant::now();
    loop {
        let page = once(server, "GET", "/message-events?limit=1", Some(&admin.token), &json!({})).await?;
        if !page["data"][0]["expanded_at"].is_null() {
            common::say(format!(
                "<!-- {count} rules applied in {:.1} s more -->",
                began.elapsed().as_secs_f64()
            ));
            return Ok(());
        }
        if began.elapsed() > patience(count) {
            return Err("the rules are not applied".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same requests without a store: as many under way as the accounts have, over kept connections.
async fn bare(provider: &Provider, arguments: &Arguments) -> Outcome<f64> {
    let address = provider.address;
    let body =
        json!({"type": "it.happened", "timestamp": "2026-11-28T00:00:00.000Z", "data": {"batch": 1, "n": 1}})
            .to_string();
    let left = Arc::new(AtomicU64::new(arguments.sends as u64));
    let began = Instant::now();
    let workers = (0..arguments.accounts * UNDER_WAY).map(|_| {
        let (left, body) = (left.clone(), body.clone());
        async move {
            let mut http = Http::connect(address).await?;
            let bytes = request("POST", "/bare", None, Some(&body));
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                http.call(&bytes).await?;
            }
            Outcome::Ok(())
        }
    });
    futures_util::future::try_join_all(workers).await?;
    Ok(arguments.sends as f64 / began.elapsed().as_secs_f64())
}

/// A provider that takes its time and says 200; it counts what it has read.
#[derive(Clone)]
struct Provider {
    address: SocketAddr,
    count: Arc<AtomicU64>,
    news: Arc<Notify>,
}

impl Provider {
    async fn start(time: Duration) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let provider = Self { address: listener.local_addr()?, count: Arc::default(), news: Arc::default() };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream, time));
            }
        });
        Ok(provider)
    }

    fn count(&self) -> usize {
        usize::try_from(self.count.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    async fn wait_for(&self, count: usize) -> Outcome<()> {
        let began = Instant::now();
        while self.count() < count {
            let _ = tokio::time::timeout(Duration::from_millis(50), self.news.notified()).await;
            if began.elapsed() > patience(count) {
                return Err(format!("{} of {count} messages came", self.count()).into());
            }
        }
        Ok(())
    }

    async fn serve(self, stream: TcpStream, time: Duration) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        loop {
            let (mut length, mut line) = (0, String::new());
            loop {
                line.clear();
                if stream.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                if line == "\r\n" {
                    break;
                }
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            self.count.fetch_add(1, Ordering::Relaxed);
            self.news.notify_one();
            tokio::time::sleep(time).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
        }
    }
}
