//! A soak: rounds of about a minute until the time is over or a signal comes, while processes of the own server are
//! killed now and then and their memory and descriptors are sampled. Each round is judged by itself, so that what the
//! clients remember stays small.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::sync::Mutex;

use super::history::History;
use super::own_processes::OwnProcesses;
use super::report::{Report, Soak, Totals};
use super::usage::{Meter, Sample, Usage};
use super::{Arguments, dialogue::Dialogue, new_run, round};

/// How long dialogues begin in one round.
const ROUND: Duration = Duration::from_secs(60);
/// How often memory and descriptors are sampled.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether every device is live again.
const SETTLED_EVERY: Duration = Duration::from_millis(100);
/// How often progress is printed.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The server of a soak.
pub enum Server {
    /// Started by the run.
    Own(OwnProcesses),
    /// Given by its URLs, with meters of the processes that are known.
    Given(Vec<String>, Vec<Meter>),
}

impl Server {
    /// A server that was given by its URLs.
    pub fn given(urls: Vec<String>, pids: &[u32]) -> Self {
        let meter = |pid: &u32| {
            let mut meter = Meter::new(pid.to_string());
            meter.follow(*pid);
            meter
        };
        Self::Given(urls, pids.iter().map(meter).collect())
    }

    fn urls(&self) -> Vec<String> {
        match self {
            Self::Own(own) => own.urls(),
            Self::Given(urls, _) => urls.clone(),
        }
    }

    fn sample(&mut self, begun: Instant) -> Vec<Sample> {
        match self {
            Self::Own(own) => own.sample(),
            Self::Given(_, meters) => meters.iter_mut().filter_map(|meter| meter.sample(begun)).collect(),
        }
    }

    fn usage(&self) -> Vec<Usage> {
        match self {
            Self::Own(own) => own.usage(),
            Self::Given(_, meters) => meters.iter().filter_map(Meter::usage).collect(),
        }
    }
}

/// What goes on beside the rounds.
struct Beside {
    server: Mutex<Server>,
    /// Held while a process is killed and started, and while a round is judged.
    quiet: Mutex<()>,
    stopped: Arc<AtomicBool>,
    troubles: Mutex<Vec<String>>,
    kills: std::sync::atomic::AtomicU32,
    latest: Mutex<Vec<Sample>>,
    /// What the clients of the present round record.
    playing: Mutex<Arc<History>>,
    begun: Instant,
}

/// Runs the soak. `tell` gets a line each minute.
pub async fn run(
    arguments: &Arguments,
    minutes: f64,
    dialogues: Vec<Dialogue>,
    server: Server,
    name: &str,
    tell: &mut dyn FnMut(String),
) -> Result<Report, String> {
    let urls = server.urls();
    let begun = Instant::now();
    let ends = begun + Duration::from_secs_f64(minutes * 60.0);
    let beside = Arc::new(Beside {
        server: Mutex::new(server),
        quiet: Mutex::default(),
        stopped: Arc::default(),
        troubles: Mutex::default(),
        kills: 0.into(),
        latest: Mutex::default(),
        playing: Mutex::default(),
        begun,
    });
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(sample(beside.clone()));
    tasks.spawn(stop_on_signal(beside.clone()));
    if let Some(seconds) = arguments.kill_every {
        tasks.spawn(kill(beside.clone(), seconds, Duration::from_secs(arguments.patience)));
    }
    let mut totals = Totals::default();
    let mut rounds = 0;
    let mut told = Instant::now();
    while Instant::now() < ends && !beside.stopped.load(Ordering::Relaxed) {
        rounds += 1;
        let mut one = new_run(arguments, format!("{name}{rounds}"), dialogues.clone());
        one.plays = usize::MAX;
        // The time of the first round begins when everybody is there, however busy the machine is.
        let left = if rounds == 1 { ends - begun } else { ends.saturating_duration_since(Instant::now()) };
        one.lasts = Some(left.min(ROUND));
        one.stopped = beside.stopped.clone();
        let one = Arc::new(one);
        *beside.playing.lock().await = one.history.clone();
        let outcome = round::play(arguments, &one, urls.clone(), &beside.quiet, &mut |_| {}).await;
        match outcome {
            Ok(outcome) => totals.add(&one.history, outcome),
            Err(failure) => {
                one.history.complain(format!("round {rounds} ended early: {failure}"));
                totals.add(&one.history, round::Outcome::default());
            }
        }
        if told.elapsed() >= TELL_EVERY || Instant::now() >= ends {
            told = Instant::now();
            let samples = beside.latest.lock().await.clone();
            let kills = beside.kills.load(Ordering::Relaxed);
            tell(progress(begun, rounds, kills, &totals, &samples));
        }
    }
    tasks.shutdown().await;
    let beside = Arc::into_inner(beside).ok_or("a task of the soak does not end")?;
    let server = beside.server.into_inner();
    let soak = Soak {
        minutes: begun.elapsed().as_secs_f64() / 60.0,
        rounds,
        kills: beside.kills.into_inner(),
        processes: server.usage(),
    };
    totals.errors.extend(beside.troubles.into_inner());
    if let Server::Own(own) = server {
        totals.errors.extend(own.stop().await);
    }
    Ok(totals.report(arguments, urls.join(" "), Some(soak)))
}

fn progress(begun: Instant, rounds: u32, kills: u32, totals: &Totals, samples: &[Sample]) -> String {
    let memory: Vec<_> = samples.iter().map(|sample| (sample.memory_kib / 1_024).to_string()).collect();
    let descriptors: Vec<_> = samples.iter().map(|sample| sample.descriptors.to_string()).collect();
    format!(
        "minute {:.0}: {rounds} rounds, {} dialogues, {} messages, {} cuts, {kills} kills, {} violations, {} errors; \
         memory {} MiB, descriptors {}",
        begun.elapsed().as_secs_f64() / 60.0,
        totals.count("dialogues"),
        totals.count("messages"),
        totals.count("cuts"),
        totals.violations.len(),
        totals.errors.len(),
        memory.join(" + "),
        descriptors.join(" + "),
    )
}

/// Samples the processes, and starts those again that ended by themselves.
async fn sample(beside: Arc<Beside>) {
    let mut tick = tokio::time::interval(SAMPLE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let mut server = beside.server.lock().await;
        let samples = server.sample(beside.begun);
        *beside.latest.lock().await = samples;
        if let Server::Own(own) = &mut *server {
            let ended = own.revive().await.unwrap_or_else(|cause| vec![cause]);
            beside.troubles.lock().await.extend(ended);
        }
    }
}

/// Kills a process about every so many seconds, except while a round is judged. The seconds begin when every device is
/// live: on a machine that is too busy for the schedule, a server would be killed before anybody is served.
async fn kill(beside: Arc<Beside>, seconds: u64, patience: Duration) {
    loop {
        settle(&beside, patience / 2).await;
        let pause = Duration::from_secs(seconds).mul_f64(rand::rng().random_range(0.5..1.5));
        tokio::time::sleep(pause).await;
        let _quiet = beside.quiet.lock().await;
        let mut server = beside.server.lock().await;
        if let Server::Own(own) = &mut *server {
            match own.kill_one().await {
                Ok(()) => drop(beside.kills.fetch_add(1, Ordering::Relaxed)),
                Err(cause) => beside.troubles.lock().await.push(cause),
            }
        }
    }
}

/// Waits until every device that wants to be is live, or the time is over.
async fn settle(beside: &Beside, limit: Duration) {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        let playing = beside.playing.lock().await.clone();
        if playing.is_settled() {
            return;
        }
        tokio::time::sleep(SETTLED_EVERY).await;
    }
}

/// The first signal ends the soak after the dialogues that were begun; the judgement follows.
async fn stop_on_signal(beside: Arc<Beside>) {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok::<(), std::io::Error>(())
    };
    match heard.await {
        Ok(()) => beside.stopped.store(true, Ordering::Relaxed),
        Err(cause) => beside.troubles.lock().await.push(format!("signals cannot be heard: {cause}")),
    }
}
