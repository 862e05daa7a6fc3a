//! What a store with many entries costs against a store with 10,000: history page, inbox page, unread, sync delta.
//! Both stores are SQLite files, filled directly; both are asked over REST in turn, by the same client.

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use clap::Parser;
use common::cast::Person;
use common::http::{Http, request};
use common::{FromCargo, Outcome, cast, milliseconds, own, say};
use deskwire::server::Running;
use deskwire::sync::cursor::Reader;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

#[derive(Parser)]
struct Arguments {
    /// Entries of the large store; the small one has 10,000. Ten million take about 4 GB and some minutes.
    #[arg(long, default_value_t = 200_000)]
    entries: u64,
    /// How often each question is asked of each store.
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    #[command(flatten)]
    cargo: FromCargo,
}

const SMALL: u64 = 10_000;
/// Entries of an ordinary conversation.
const ORDINARY: u64 = 1_000;
/// Conversations in which the agent is active, in both stores.
const ACTIVE: u64 = 10;

/// The path that is asked of a store in a round.
type Question = fn(&Store, u64) -> String;

/// A filled store with its server.
struct Store {
    address: SocketAddr,
    token: String,
    large_room: u64,
    large_head: u64,
    cursor: String,
    running: Running,
    _folder: tempfile::TempDir,
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(async {
        let small = fill(SMALL).await?;
        let begin = Instant::now();
        let large = fill(arguments.entries).await?;
        say(format!("{} entries, filled in {:.0} s\n", arguments.entries, begin.elapsed().as_secs_f64()));
        common::head();
        let questions: [(&str, Question); 6] = [
            ("history, newest", |store, _| format!("/conversations/{}/messages?limit=50", store.large_room)),
            ("history, anywhere", |store, round| {
                let before = 60 + round * 7_919 % (store.large_head - 60);
                format!("/conversations/{}/messages?limit=50&before_seq={before}", store.large_room)
            }),
            ("entries, anywhere", |store, round| {
                let after = round * 7_919 % (store.large_head - 60);
                format!("/conversations/{}/entries?limit=50&after_seq={after}", store.large_room)
            }),
            ("inbox page", |_, _| "/inbox?limit=10".to_owned()),
            ("unread total", |_, _| "/inbox?limit=1".to_owned()),
            ("sync delta", |store, _| format!("/sync?cursor={}", store.cursor)),
        ];
        for (name, question) in questions {
            let (mut few, mut many) = (Client::of(&small).await?, Client::of(&large).await?);
            for round in 0..arguments.rounds as u64 {
                few.ask(&question(&small, round)).await?;
                many.ask(&question(&large, round)).await?;
            }
            let ((few, _), (many, worst)) = (few.percentiles(), many.percentiles());
            common::row([
                &format!("{name}: {} entries", arguments.entries),
                &format!("{many:.3} ms p50, {worst:.2} ms p99"),
                &format!("{SMALL} entries: {few:.3} ms"),
                &format!("{:.2} ×", many / few),
                "1.3 ×",
                "1.1 ×",
            ]);
        }
        small.running.stop().await?;
        large.running.stop().await?;
        Ok(())
    })
}

struct Client<'a> {
    http: Http,
    store: &'a Store,
    times: Vec<f64>,
}

impl<'a> Client<'a> {
    async fn of(store: &'a Store) -> Outcome<Self> {
        Ok(Self { http: Http::connect(store.address).await?, store, times: Vec::new() })
    }

    async fn ask(&mut self, path: &str) -> Outcome<()> {
        let question = request("GET", &format!("/api/v1{path}"), Some(&self.store.token), None);
        let begin = Instant::now();
        let answer = self.http.call(&question).await?;
        self.times.push(milliseconds(begin.elapsed()));
        answer.json().map(|_| ()).map_err(|cause| format!("{path}: {cause}").into())
    }

    /// p50 and p99, the first tenth (warming up) left out.
    fn percentiles(mut self) -> (f64, f64) {
        self.times.drain(..self.times.len() / 10);
        self.times.sort_by(f64::total_cmp);
        (self.times[self.times.len() / 2], self.times[self.times.len() * 99 / 100])
    }
}

/// Makes a store with so many entries and serves it.
async fn fill(entries: u64) -> Outcome<Store> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pages.db");
    let url = format!("sqlite:{}", file.display());
    let running = deskwire::server::start(own::app(own::settings(&url)?)?).await?;
    let agent = cast::tenant(running.address, "pages").await?;
    let visitors = cast::visitors(running.address, "pages", 1).await?;
    let tenant = running.app().auth.verify(&agent.token, None)?.actor.tenant.0;
    running.stop().await?;

    let rev = {
        let (file, agent, visitor) = (file.clone(), agent.clone(), visitors[0].clone());
        tokio::task::spawn_blocking(move || write(&file, tenant, &agent, &visitor, entries)).await??
    };
    let app = own::app(own::settings(&url)?)?;
    // Behind the last twenty entries of the store: what a device misses after a short absence.
    let reader = Reader::of(&app.epoch, &app.auth.verify(&agent.token, None)?.actor);
    let cursor = reader.at(i64::try_from(rev)? - 20);
    let running = deskwire::server::start(app).await?;
    Ok(Store {
        address: running.address,
        token: agent.token,
        large_room: 1,
        large_head: large(entries),
        cursor: cursor.to_string(),
        running,
        _folder: folder,
    })
}

/// The length of the one long conversation.
fn large(entries: u64) -> u64 {
    (entries / 10).max(ORDINARY)
}

/// Writes the rows; the long conversation comes last, so that it is the newest. Returns the last rev.
fn write(file: &Path, tenant: i64, agent: &Person, visitor: &Person, entries: u64) -> Outcome<u64> {
    let mut store = SqliteConnection::establish(&file.display().to_string())?;
    store
        .batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144")?;
    let ordinary = (entries - large(entries)) / ORDINARY;
    // Above everything that signing in has used.
    let mut rev = 1_000;
    store.batch_execute("BEGIN")?;
    for room in (1..=ordinary + 1).rev() {
        let length = if room == 1 { large(entries) } else { ORDINARY };
        let active = room <= ACTIVE;
        store.batch_execute(&format!(
            "WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {length})
             INSERT INTO group_message SELECT {room}, seq, {tenant}, {rev} + seq, 1, 'text',
                CASE seq % 2 WHEN 1 THEN {customer} ELSE {agent} END,
                CASE seq % 2 WHEN 1 THEN 'customer' ELSE 'admin' END, 'Somebody', '', 'b' || seq, 0,
                '{{\"text\":\"Where is my parcel? It should have been here on Monday. 我的包裹在哪里？\"}}', NULL,
                seq, 0, 1700000000000 + seq, NULL, NULL FROM n",
            customer = visitor.id,
            agent = agent.id,
        ))?;
        rev += length;
        let status = if active { "'pending'" } else { "'closed'" };
        let closed = if active { "NULL, NULL" } else { "1700000000000, 'resolved'" };
        store.batch_execute(&format!(
            "INSERT INTO conversation VALUES ({room}, {tenant}, 'support', NULL, NULL, {customer}, {agent}, {status},
                'normal', '', '[]', {length}, {length}, 0, {rev}, {rev}, 1, {length}, {length} - 5, {length}, {length},
                NULL, 1700000000000, 1700000000000, 1700000000000, 1700000000000, {closed});
             INSERT INTO conversation_member VALUES
                ({room}, {customer}, {tenant}, 'customer', {active}, 0, NULL, {length}, 0, {length}, {length}, 0, {rev}, {rev}, 1700000000000),
                ({room}, {agent}, {tenant}, 'manager', {active}, 0, NULL, {length} - 5, 0, {length}, {length}, 0, {rev}, {rev}, 1700000000000)",
            customer = visitor.id,
            agent = agent.id,
        ))?;
        if room % 100 == 0 {
            store.batch_execute("COMMIT; BEGIN")?;
        }
    }
    store.batch_execute(&format!(
        "UPDATE tenant_log SET rev = {rev} WHERE tenant_id = {tenant};
         UPDATE tenant SET rev = {rev} WHERE id = {tenant}; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)"
    ))?;
    Ok(rev)
}
