//! The dispatcher: hands messages to their channel accounts and writes down what came of it.
//!
//! Owns which account is worked on when, claims with leases, and the completion of attempts. The unit of fairness is an
//! account: a worker for each, at most one in a process, so that nobody waits for another's slow or limited provider;
//! accounts whose attempts may take minutes (mail servers) have workers of their own.
//!
//! Invariants: a send is claimed in a short transaction and its request is made outside of any; the attempt is stored
//! before the request, and, unless the receiver knows repeats, that something may have gone out as well; what a worker
//! writes holds only while it has the claim (`number` is the fence); what a dead worker left is taken up when its lease
//! ends, and is uncertain only if something may have gone out. Hints are only hints: the store is looked at every second.

mod claim;
mod complete;
pub mod limit;
mod store;
mod sweep;
mod worker;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::channels::transport::Transport;
use super::tokens::Tokens;
use crate::app::App;
use crate::db::Db;
use crate::domain::centre::account::{Channel, Provider};
use crate::domain::centre::send::Outcome;
use crate::journal::Journal;
use crate::journal::fail_point::FailPoint;
use crate::kernel::secret::{Vault, random_key};
use crate::kernel::{ChannelAccountId, Clock, Error, IdGenerator, Result};
use crate::metrics::Metrics;

/// How often the store is looked at without a hint.
const TICK: Duration = Duration::from_secs(1);
/// How often what dead workers left is looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// Accounts that are worked on at once, of those whose attempts take seconds and of those whose attempts may take minutes.
const AT_ONCE: usize = 64;
/// Accounts that one look finds.
const ACCOUNTS: i64 = 1_000;

/// What the dispatcher works with.
#[derive(Clone)]
pub struct Dispatch {
    db: Db,
    /// Takes notifications, and has fail points.
    journal: Journal,
    clock: Clock,
    /// For the fallbacks that it makes.
    ids: Arc<IdGenerator>,
    vault: Vault,
    transport: Transport,
    tokens: Tokens,
    /// The address at which the world reaches this service.
    public_url: Option<String>,
    metrics: Metrics,
    news: Arc<Notify>,
    /// Names this process in leases.
    owner: String,
}

impl Dispatch {
    /// With the handles of this server.
    pub fn new(app: &App, transport: Transport) -> Self {
        // An outcome that has not happened yet is told as 0, so that alarms can be written.
        for channel in Channel::ALL {
            for outcome in Outcome::ALL {
                let labels = [channel.as_str(), outcome.as_str()];
                app.metrics.message_attempts.with_label_values(&labels).inc_by(0);
            }
        }
        let vault = app.auth.vault().clone();
        let tokens = Tokens::new(app.db.clone(), app.clock.clone(), vault.clone(), transport.clone());
        Self {
            db: app.db.clone(),
            journal: app.journal.clone(),
            clock: app.clock.clone(),
            ids: app.ids.clone(),
            vault,
            transport,
            tokens,
            public_url: app.settings.public_url.clone(),
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

    /// Some accounts behind this one that something waits for and nothing speaks against, and behind which one to look
    /// next. Whoever comes first in a long list comes no oftener than the last.
    async fn due(&self, after: ChannelAccountId) -> Result<(Vec<Due>, ChannelAccountId)> {
        let now = self.clock.now().0;
        let found = self.db.read(move |connection| store::due(connection, after, now, ACCOUNTS)).await?;
        let is_full = i64::try_from(found.len()).is_ok_and(|count| count == ACCOUNTS);
        let next =
            found.last().map(|(account, _)| *account).filter(|_| is_full).unwrap_or(ChannelAccountId(0));
        Ok((found, next))
    }
}

/// An account that something waits for, and whose protocol it speaks.
type Due = (ChannelAccountId, Provider);

/// Accounts that wait for a worker, and how many have one.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<ChannelAccountId>,
    busy: usize,
}

/// What a piece of work leaves.
enum Done {
    /// This account of this queue was worked on; whether anything was done.
    Account(ChannelAccountId, usize, bool),
    /// The store was looked at: something waits for these, and behind this one is looked next.
    Looked(Vec<Due>, ChannelAccountId),
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
    // Accounts are worked on in the order in which they were found, so that none waits for another's second turn.
    // Who may have to be waited for for minutes has a queue of its own: nobody else stands behind it.
    let (mut queues, mut listed) = ([Queue::default(), Queue::default()], HashSet::new());
    let (mut looking, mut again, mut sweeping) = (false, false, false);
    let mut after = ChannelAccountId(0);
    loop {
        for (index, queue) in queues.iter_mut().enumerate() {
            while queue.busy < AT_ONCE
                && let Some(account) = queue.waiting.pop_front()
            {
                queue.busy += 1;
                let turn = worker::run(dispatch.clone(), account, shutdown.clone());
                work.push(turn.map(move |did| Done::Account(account, index, did)).boxed());
            }
        }
        if again && !looking {
            (looking, again) = (true, false);
            let dispatch = dispatch.clone();
            let look = async move {
                let found = dispatch.due(after).await.unwrap_or_else(|error| {
                    log::debug!(target: "deskwire::centre", "sends could not be looked for: {error}");
                    (Vec::new(), after)
                });
                Done::Looked(found.0, found.1)
            };
            work.push(look.boxed());
        }
        tokio::select! {
            Some(done) = work.next(), if !work.is_empty() => match done {
                // What came meanwhile for an account in work is found by the next look. When nothing could be done, because
                // of a limit or of another process, the next tick is soon enough.
                Done::Account(account, index, did) => {
                    queues[index].busy -= 1;
                    listed.remove(&account);
                    again |= did;
                }
                Done::Looked(accounts, next) => {
                    looking = false;
                    again |= next.0 > 0 && next != after;
                    after = next;
                    for (account, provider) in accounts {
                        if listed.insert(account) {
                            queues[usize::from(provider.is_patient())].waiting.push_back(account);
                        }
                    }
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
