//! The dispatcher: hands messages to their channel accounts and writes down what came of it.
//!
//! Owns which account is worked on when, claims with leases, and the completion of attempts. The unit of fairness is an
//! account: a worker for each, at most one in a process, so that nobody waits for another's slow or limited provider.
//!
//! Invariants: a send is claimed in a short transaction and its request is made outside of any; the attempt is stored
//! before the request, and, unless the receiver knows repeats, that something may have gone out as well; what a worker
//! writes holds only while it has the claim (`number` is the fence); what a dead worker left is taken up when its lease
//! ends, and is uncertain only if something may have gone out. Hints are only hints: the store is looked at every second.

mod claim;
mod complete;
mod store;
mod sweep;
mod worker;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::channels::transport::Transport;
use crate::app::App;
use crate::db::Db;
use crate::domain::centre::send::Outcome;
use crate::journal::Journal;
use crate::journal::fail_point::FailPoint;
use crate::kernel::secret::{Vault, random_key};
use crate::kernel::{ChannelAccountId, Clock, Error, Result};
use crate::metrics::Metrics;

/// How often the store is looked at without a hint.
const TICK: Duration = Duration::from_secs(1);
/// How often what dead workers left is looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// Accounts that are worked on at once.
const AT_ONCE: usize = 64;
/// Accounts that one look finds.
const ACCOUNTS: i64 = 1_000;

/// What the dispatcher works with.
#[derive(Clone)]
pub struct Dispatch {
    db: Db,
    /// For its fail points only: the dispatcher writes nothing of the log.
    journal: Journal,
    clock: Clock,
    vault: Vault,
    transport: Transport,
    metrics: Metrics,
    news: Arc<Notify>,
    /// Names this process in leases.
    owner: String,
}

impl Dispatch {
    /// With the handles of this server.
    pub fn new(app: &App, transport: Transport) -> Self {
        // An outcome that has not happened yet is told as 0, so that alarms can be written.
        for outcome in Outcome::ALL {
            app.metrics.message_attempts.with_label_values(&[outcome.as_str()]).inc_by(0);
        }
        Self {
            db: app.db.clone(),
            journal: app.journal.clone(),
            clock: app.clock.clone(),
            vault: app.auth.vault().clone(),
            transport,
            metrics: app.metrics.clone(),
            news: app.message_sends.clone(),
            owner: random_key(16),
        }
    }

    /// Fails where a test lets a worker die.
    fn survives(&self, point: FailPoint) -> Result<()> {
        match self.journal.fail_points().hit(point) {
            true => Err(Error::internal("a test lets this worker die")),
            false => Ok(()),
        }
    }

    /// Accounts that something waits for and nothing speaks against.
    async fn due(&self) -> Result<Vec<ChannelAccountId>> {
        let now = self.clock.now().0;
        self.db.read(move |connection| store::due(connection, now, ACCOUNTS)).await
    }
}

/// What a piece of work leaves.
enum Done {
    /// This account was worked on.
    Account(ChannelAccountId),
    /// The store was looked at; something waits for these.
    Looked(Vec<ChannelAccountId>),
    /// What dead workers left was looked for.
    Swept,
}

/// Runs until shutdown. One supervised task in each process.
pub async fn run(dispatch: Dispatch, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    let mut sweeps = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut work: FuturesUnordered<BoxFuture<'static, Done>> = FuturesUnordered::new();
    let (mut waiting, mut busy) = (BTreeSet::new(), HashSet::new());
    let (mut looking, mut again, mut sweeping) = (false, false, false);
    loop {
        while busy.len() < AT_ONCE
            && let Some(account) = waiting.pop_first()
        {
            if busy.insert(account) {
                let (dispatch, shutdown) = (dispatch.clone(), shutdown.clone());
                work.push(
                    worker::run(dispatch, account, shutdown).map(move |()| Done::Account(account)).boxed(),
                );
            }
        }
        if again && !looking && !shutdown.is_cancelled() {
            (looking, again) = (true, false);
            let dispatch = dispatch.clone();
            let look = async move {
                Done::Looked(dispatch.due().await.unwrap_or_else(|error| {
                    log::debug!(target: "deskwire::centre", "sends could not be looked for: {error}");
                    Vec::new()
                }))
            };
            work.push(look.boxed());
        }
        tokio::select! {
            Some(done) = work.next(), if !work.is_empty() => match done {
                // What came meanwhile for an account in work is found by the next look.
                Done::Account(account) => {
                    busy.remove(&account);
                    again = true;
                }
                Done::Looked(accounts) => {
                    looking = false;
                    waiting.extend(accounts.into_iter().filter(|account| !busy.contains(account)));
                }
                Done::Swept => {
                    sweeping = false;
                    again = true;
                }
            },
            _ = ticks.tick() => again = true,
            () = dispatch.news.notified() => again = true,
            _ = sweeps.tick(), if !sweeping => {
                sweeping = true;
                work.push(sweep::run(dispatch.clone()).map(|()| Done::Swept).boxed());
            }
            () = shutdown.cancelled() => {
                // Workers end by themselves: what they began is written down first.
                while work.next().await.is_some() {}
                return;
            }
        }
    }
}
