//! Search in a tenant with many messages, on every database that this machine has: what the index costs the writers of the log,
//! how fast it catches up, and how long searches take over REST, alone and one after the other.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use common::cast::{self, Person};
use common::http::{Http, request};
use common::{FromCargo, Outcome, databases, milliseconds, own};
use deskwire::app::App;
use deskwire::db::AnyConnection;
use deskwire::db::schema::follower as table;
use deskwire::domain::actor::Actor;
use deskwire::domain::content::Body;
use deskwire::journal::{Action, Command, Draft, LogRef, commands, follower, history};
use deskwire::kernel::{ConversationId, TenantId};
use deskwire::search::index::SEARCH;
use diesel::prelude::*;
use futures_util::{StreamExt, TryStreamExt, stream};

#[derive(Parser)]
struct Arguments {
    /// Messages in the log when searches begin.
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
    /// Conversations that they stand in.
    #[arg(long, default_value_t = 200)]
    conversations: usize,
    /// Searches of each kind.
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// Only this database.
    #[arg(long)]
    only: Option<String>,
    #[command(flatten)]
    cargo: FromCargo,
}

/// Messages that are under way at once.
const UNDER_WAY: usize = 128;
/// Words of each language. The rank of a word is drawn with a skew, so that some are common and most are rare.
const WORDS: u64 = 20_000;

/// What is looked for in a round.
type Words = fn(u64) -> String;

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    common::head();
    let runtime = common::runtime()?;
    for database in databases::all()? {
        if arguments.only.as_ref().is_some_and(|only| !only.eq_ignore_ascii_case(database.name)) {
            continue;
        }
        let app = own::app(own::settings(&database.url)?)?;
        runtime.block_on(async {
            let running = deskwire::server::start(app.clone()).await?;
            let admin = cast::tenant(running.address, "search").await?;
            let visitors = cast::visitors(running.address, "search", arguments.conversations).await?;
            let rooms = cast::conversations(running.address, &visitors).await?;
            let bench = Bench { app, admin, visitors, rooms, name: database.name };
            let measured = bench.measure(running.address, &arguments).await;
            running.stop().await?;
            measured
        })?;
    }
    Ok(())
}

struct Bench {
    app: Arc<App>,
    admin: Person,
    visitors: Vec<Person>,
    rooms: Vec<String>,
    name: &'static str,
}

impl Bench {
    async fn measure(&self, server: std::net::SocketAddr, arguments: &Arguments) -> Outcome<()> {
        let (half, quarter, name) = (arguments.messages / 2, arguments.messages / 4, self.name);
        // Both quarters stand on a store of about the same size.
        self.fill(0, half).await?;
        self.indexed().await?;
        let alone = self.one_by_one(half, arguments.rounds).await?;
        let from = half + arguments.rounds;
        self.hold().await?;
        let without = self.fill(from, quarter).await?;
        let began = Instant::now();
        let tenant = self.tenant()?;
        self.app.db.write(move |connection| follower::resume(connection, SEARCH, tenant)).await?;
        let beside = self.one_by_one(from + quarter, arguments.rounds).await?;
        self.indexed().await?;
        let caught_up = quarter as f64 / began.elapsed().as_secs_f64();
        let with = self.fill(from + quarter + arguments.rounds, quarter).await?;
        let began = Instant::now();
        self.indexed().await?;
        let behind = began.elapsed().as_secs_f64();
        common::row([
            &format!("messages sent while the index is written, {name}"),
            &format!("{with:.0}/s, then {behind:.1} s to catch up"),
            &format!("without the index {without:.0}/s"),
            &format!("{:.0} %", 100.0 * with / without),
            "85 %",
            "",
        ]);
        common::row([
            &format!("one message after the other while the index catches up, p50 / p99, {name}"),
            &format!("{:.2} / {:.2} ms", beside.0, beside.1),
            &format!("with nothing to index {:.2} / {:.2} ms", alone.0, alone.1),
            "",
            "",
            "",
        ]);
        common::row([
            &format!("messages indexed from the log, {name}"),
            &format!("{caught_up:.0}/s"),
            "",
            "",
            "",
            "",
        ]);

        let visitor = &self.visitors[0];
        let kinds: [(&str, &Person, Words); 7] = [
            ("a word of two characters", &self.admin, |n| chinese(skewed(n))),
            ("the most common word", &self.admin, |_| chinese(0)),
            ("a word of English", &self.admin, |n| english(skewed(n))),
            ("four characters", &self.admin, |n| chinese(skewed(n)) + &chinese(skewed(n + 1))),
            ("two words", &self.admin, |n| format!("{} {}", chinese(skewed(n)), english(skewed(n + 7)))),
            ("a word that is nowhere", &self.admin, |n| format!("nowhere{n}")),
            ("a customer's own, common word", visitor, |n| chinese(n % 20)),
        ];
        let messages = arguments.messages;
        for (kind, person, words) in kinds {
            let mut times = Vec::new();
            let mut http = Http::connect(server).await?;
            for round in 0..arguments.rounds {
                let words: String = url_encoded(&words(mixed(round as u64)));
                let path = format!("/api/v1/search/messages?limit=20&q={words}");
                let began = Instant::now();
                http.call(&request("GET", &path, Some(&person.token), None)).await?.json()?;
                times.push(milliseconds(began.elapsed()));
            }
            let (middle, worst) = percentiles(times);
            common::row([
                &format!("search of {kind}, {messages} messages, p50 / p99, {name}"),
                &format!("{middle:.2} / {worst:.2} ms"),
                "",
                "",
                if name == "MariaDB" { "p99 20 ms" } else { "p99 10 ms" },
                if name == "MariaDB" { "" } else { "p99 5 ms" },
            ]);
        }
        Ok(())
    }

    fn tenant(&self) -> Outcome<TenantId> {
        Ok(self.app.auth.verify(&self.admin.token, None)?.actor.tenant)
    }

    /// Keeps the index from being written until it is resumed.
    async fn hold(&self) -> Outcome<()> {
        let tenant = self.tenant()?;
        let hold = move |connection: &mut AnyConnection| {
            let row = table::table.filter(table::name.eq(SEARCH)).filter(table::tenant_id.eq(tenant));
            let held = (table::fence.eq(table::fence + 1), table::lease_until.eq(i64::MAX));
            Ok(diesel::update(row).set(held).execute(connection)?)
        };
        self.app.db.write(hold).await?;
        Ok(())
    }

    /// Sends messages one after the other; p50 and p99 in milliseconds.
    async fn one_by_one(&self, from: usize, count: usize) -> Outcome<(f64, f64)> {
        let actor = self.app.auth.verify(&self.visitors[0].token, None)?.actor;
        let room = ConversationId(self.rooms[0].parse()?);
        let mut times = Vec::with_capacity(count);
        for number in from..from + count {
            let began = Instant::now();
            self.send(actor, room, number).await?;
            times.push(milliseconds(began.elapsed()));
        }
        Ok(percentiles(times))
    }

    /// Sends messages; how many a second.
    async fn fill(&self, from: usize, count: usize) -> Outcome<f64> {
        let actors = self.visitors.iter().map(|one| Ok(self.app.auth.verify(&one.token, None)?.actor));
        let actors = actors.collect::<Outcome<Vec<Actor>>>()?;
        let rooms =
            self.rooms.iter().map(|id| Ok(ConversationId(id.parse()?))).collect::<Outcome<Vec<_>>>()?;
        let began = Instant::now();
        stream::iter(from..from + count)
            .map(|number| {
                let at = number % actors.len();
                self.send(actors[at], rooms[at], number)
            })
            .buffer_unordered(UNDER_WAY)
            .try_collect::<()>()
            .await?;
        Ok(count as f64 / began.elapsed().as_secs_f64())
    }

    async fn send(&self, actor: Actor, room: ConversationId, number: usize) -> Outcome<()> {
        let body = Body::text(&text(number as u64))?;
        let draft = Draft { client_msg_id: format!("m-{number}"), body, reply_to_seq: None, version: None };
        let send = commands::Send { log: LogRef::Log(room), draft, read_seq: None };
        self.app.journal.submit(Command::new(actor, Action::Send(send))).await?;
        Ok(())
    }

    async fn indexed(&self) -> Outcome<()> {
        let tenant = self.tenant()?;
        loop {
            let read = move |connection: &mut AnyConnection| {
                let head = history::head(connection, tenant)?;
                Ok(follower::position(connection, SEARCH, tenant)? >= head)
            };
            if self.app.db.read(read).await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// p50 and p99.
fn percentiles(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or(f64::NAN);
    (at(50), at(99))
}

/// A number that looks like chance, the same in every run (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The rank of a word: half of all words are among the first eighth of the ranks.
fn skewed(seed: u64) -> u64 {
    let part = (mixed(seed) >> 11) as f64 / (1u64 << 53) as f64;
    (part.powi(3) * WORDS as f64) as u64
}

/// Two characters.
fn chinese(rank: u64) -> String {
    let character = |n: u64| char::from_u32(0x4e00 + (n % 3_000) as u32).unwrap_or('一');
    [character(mixed(rank)), character(mixed(rank) >> 32)].iter().collect()
}

/// Four to nine letters.
fn english(rank: u64) -> String {
    let mut bits = mixed(rank + WORDS);
    let length = 4 + bits % 6;
    let mut word = String::new();
    for _ in 0..length {
        bits = mixed(bits);
        word.push(char::from(b"etaoinshrdlucmfwypvbgk"[(bits % 22) as usize]));
    }
    word
}

/// About forty characters in two languages.
fn text(number: u64) -> String {
    let seed = mixed(number) ^ number;
    let mut text = String::new();
    for n in 0..8 {
        text.push_str(&chinese(skewed(seed.wrapping_add(n))));
        // Pairs across two words are as rare as their words are many, which they are not in a real language.
        text.push_str(if n % 2 == 0 { "，" } else { "的" });
    }
    for n in 8..12 {
        text.push(' ');
        text.push_str(&english(skewed(seed.wrapping_add(n))));
    }
    text
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
