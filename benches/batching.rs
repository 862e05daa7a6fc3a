//! Messages a second with many in flight (a batch is whatever waits when the last commit is done) against one in
//! flight (each message is a transaction of its own), on every database that this machine has. One lane.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use common::ceiling::{Place, say_at};
use common::{FromCargo, Outcome, cast, databases, median, own};
use deskwire::app::App;

#[derive(Parser)]
struct Arguments {
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often both are measured, in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Messages in flight, in four tenants.
    #[arg(long, default_value_t = 256)]
    in_flight: usize,
    /// Only this database.
    #[arg(long)]
    only: Option<String>,
    #[command(flatten)]
    cargo: FromCargo,
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let runtime = common::runtime()?;
    common::head();
    for database in databases::all()? {
        if arguments.only.as_ref().is_some_and(|only| !only.eq_ignore_ascii_case(database.name)) {
            continue;
        }
        let mut settings = own::settings(&database.url)?;
        settings.database.lanes = 1;
        let app = own::app(settings)?;
        let (single, batched) = runtime.block_on(measure(&app, &arguments))?;
        let ratio = median(&batched) / median(&single);
        let (must, aim) = match database.name {
            "PostgreSQL" => ("8 ×", "16 ×"),
            "SQLite" => ("4 ×", "6 ×"),
            _ => ("4 ×", "8 ×"),
        };
        common::row([
            &format!("batching, {}", database.name),
            &format!("{:.0}/s", median(&batched)),
            &format!("{:.0}/s one by one", median(&single)),
            &format!("{ratio:.1} ×"),
            must,
            aim,
        ]);
    }
    Ok(())
}

async fn measure(app: &Arc<App>, arguments: &Arguments) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let running = deskwire::server::start(app.clone()).await?;
    let mut places: Vec<Place> = Vec::new();
    for tenant in 0..4 {
        let slug = format!("batching-{tenant}");
        cast::tenant(running.address, &slug).await?;
        let visitors = cast::visitors(running.address, &slug, 100).await?;
        let rooms = cast::conversations(running.address, &visitors).await?;
        for (visitor, room) in visitors.iter().zip(rooms) {
            places.push((app.auth.verify(&visitor.token, None)?.actor, room.parse()?));
        }
    }
    let places = Arc::new(places);
    let (mut single, mut batched) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        single.push(rate(app, &places, 1, arguments.seconds).await?);
        batched.push(rate(app, &places, arguments.in_flight, arguments.seconds).await?);
    }
    running.stop().await?;
    Ok((single, batched))
}

/// Messages a second with so many in flight.
async fn rate(app: &Arc<App>, places: &Arc<Vec<Place>>, in_flight: usize, seconds: f64) -> Outcome<f64> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let sent = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let until = begin + Duration::from_secs_f64(seconds);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..in_flight {
        let (app, places, sent) = (app.clone(), places.clone(), sent.clone());
        tasks.spawn(async move {
            let mut place = task;
            while Instant::now() < until {
                let key = format!("b{}", NEXT.fetch_add(1, Ordering::Relaxed));
                let command =
                    say_at(places[place % places.len()], key, "Where is my parcel? 我的包裹在哪里？")?;
                place += in_flight;
                app.journal.submit(command).await?;
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
