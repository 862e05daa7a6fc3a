//! The task that keeps a process's leases, finds who fell silent anywhere, and asks the journal for what follows.
//!
//! Every process runs one. What it finds is only a reason to ask: the commands decide again, so that processes that find
//! the same at once do no harm. Invariants: within a round leases are renewed before dead ones are looked for, so a
//! process that was stopped for long judges nobody by its own silence; a jump of the database's clock ends no lease.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::leases::{self, CHUNK, LEASE_MS};
use super::{Attendance, Who};
use crate::db::Db;
use crate::domain::actor::Principal;
use crate::journal::commands::{Action, RequeueAbsent, SetConnected};
use crate::journal::{Command, Journal};
use crate::kernel::clock::jumped;
use crate::kernel::{Clock, Code, MemberId, Result, TenantId};

/// How often dead leases are looked for, and how soon a refused command is tried again.
const LOOK: Duration = Duration::from_secs(1);
/// How often leases are renewed: a third of what they last.
const RENEW: Duration = Duration::from_millis(LEASE_MS.unsigned_abs() / 3);
/// How often agents are looked for who may lose their conversations.
const REQUEUE: Duration = Duration::from_secs(5);
/// How often everything is compared, for what was lost on the way.
const COMPARE: Duration = Duration::from_secs(60);
/// How long nobody is found silent after a jump: by then every process has renewed its leases by the new time.
const CALM: Duration = Duration::from_millis(LEASE_MS.unsigned_abs() / 2);
/// Commands under way at once: a small part of what a tenant may queue.
const AT_ONCE: usize = 32;
/// Commands that free one agent's conversations in one round.
const PIECES: usize = 10;
/// How long the task rests after an error.
const REST: Duration = Duration::from_secs(2);

/// What the task works with.
#[derive(Clone)]
pub struct Keeper {
    /// The store.
    pub db: Db,
    /// Which decides.
    pub journal: Journal,
    /// The process's own time.
    pub clock: Clock,
    /// Who has sockets here.
    pub attendance: Attendance,
}

/// Keeps the leases until the server stops; then it ends them, so that others need not wait for their end.
pub async fn run(keeper: Keeper, shutdown: CancellationToken) {
    let mut work = Work::new(keeper);
    let mut rest = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = work.keeper.attendance.changed() => {}
            () = shutdown.cancelled() => break,
        }
        rest = match work.round(&shutdown).await {
            Ok(()) => LOOK,
            Err(error) => {
                log::warn!(target: "deskwire::attendance", "who is connected could not be kept: {error}");
                REST
            }
        };
    }
    if let Err(error) = work.end(work.leased.clone()).await {
        log::debug!(target: "deskwire::attendance", "the leases end by themselves: {error}");
    }
}

struct Work {
    keeper: Keeper,
    /// Whether what the store says of this process was read.
    began: bool,
    /// Whose leases this process holds.
    leased: BTreeSet<Who>,
    /// About whom the journal is to be asked.
    unsettled: BTreeSet<Who>,
    renewed: Option<Instant>,
    judged: Option<Instant>,
    requeued: Option<Instant>,
    compared: Option<Instant>,
    /// The database's clock and this process's at the last look.
    looked: Option<(i64, Instant)>,
    jumped: Option<Instant>,
}

fn is_due(last: Option<Instant>, every: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= every)
}

fn chunks(members: &BTreeSet<Who>) -> Vec<Vec<Who>> {
    members.iter().copied().collect::<Vec<_>>().chunks(CHUNK).map(<[Who]>::to_vec).collect()
}

impl Work {
    fn new(keeper: Keeper) -> Self {
        Self {
            keeper,
            began: false,
            leased: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            renewed: None,
            judged: None,
            requeued: None,
            compared: None,
            looked: None,
            jumped: None,
        }
    }

    async fn round(&mut self, shutdown: &CancellationToken) -> Result<()> {
        if !self.began {
            self.begin().await?;
        }
        self.keep().await?;
        self.settle().await;
        if is_due(self.judged, LOOK) {
            self.find_silent(shutdown).await?;
            self.judged = Some(Instant::now());
        }
        if is_due(self.requeued, REQUEUE) {
            self.requeue(shutdown).await?;
            self.requeued = Some(Instant::now());
        }
        if is_due(self.compared, COMPARE) {
            self.compare().await?;
            self.compared = Some(Instant::now());
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<()> {
        let node = self.keeper.attendance.node().to_owned();
        if !self.keeper.db.kind().is_server() {
            let (asked, ended) = (node.clone(), node.clone());
            let others =
                self.keeper.db.read(move |connection| leases::others_hold(connection, &asked)).await?;
            if others {
                self.keeper.db.write(move |connection| leases::end_others(connection, &ended)).await?;
            }
        }
        self.leased = self.keeper.db.read(move |connection| leases::held(connection, &node)).await?;
        self.began = true;
        Ok(())
    }

    /// Takes the leases of who came, ends those of who went, and renews the rest in time.
    async fn keep(&mut self) -> Result<()> {
        let present = self.keeper.attendance.present();
        let all = is_due(self.renewed, RENEW);
        let renewing: BTreeSet<Who> =
            present.iter().filter(|who| all || !self.leased.contains(who)).copied().collect();
        for members in chunks(&renewing) {
            let (node, now) = (self.keeper.attendance.node().to_owned(), self.keeper.clock.now().0);
            let taken = members.clone();
            let without =
                self.keeper.db.write(move |connection| leases::renew(connection, &node, &taken, now)).await?;
            self.leased.extend(members);
            // Who had no live lease is new here, or was held for dead while this process was away.
            self.unsettled.extend(without);
        }
        if all {
            self.renewed = Some(Instant::now());
        }
        self.end(self.leased.difference(&present).copied().collect()).await
    }

    async fn end(&mut self, gone: BTreeSet<Who>) -> Result<()> {
        for members in chunks(&gone) {
            let (node, now) = (self.keeper.attendance.node().to_owned(), self.keeper.clock.now().0);
            let ended = members.clone();
            self.keeper.db.write(move |connection| leases::end(connection, &node, &ended, now)).await?;
            self.leased.retain(|who| !members.contains(who));
        }
        Ok(())
    }

    /// Asks the journal about those of whom something changed. What is refused is asked again in the next round.
    async fn settle(&mut self) {
        let asked: Vec<Who> = self.unsettled.iter().copied().collect();
        for some in asked.chunks(AT_ONCE) {
            let commands = some
                .iter()
                .map(|(tenant, member)| self.submit(*tenant, SetConnected { member: *member }.into()));
            for (who, answer) in some.iter().zip(join_all(commands).await) {
                match answer {
                    Ok(_) => {
                        self.unsettled.remove(who);
                    }
                    Err(error) => {
                        log::debug!(target: "deskwire::attendance", "member {} is asked about again: {error}", who.1);
                    }
                }
            }
        }
    }

    /// Whether the journal did it; gives whether more is left. Who is not there any more needs nothing.
    async fn submit(&self, tenant: TenantId, action: Action) -> Result<bool> {
        match self.keeper.journal.submit(Command::new(Principal::System(tenant), action)).await {
            Ok(reply) => Ok(reply.more),
            Err(error) if matches!(error.code, Code::NotFound | Code::TenantSuspended) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks about those whose leases all ended longer ago than their tenant's grace, and takes spent rows away.
    async fn find_silent(&mut self, shutdown: &CancellationToken) -> Result<()> {
        let mut after = Some(MemberId(0));
        while let Some(from) = after {
            let asked = Instant::now();
            let found = self.keeper.db.read(move |connection| leases::dead(connection, from)).await?;
            if self.has_jumped(asked, found.at) {
                self.keep().await?;
                self.keeper.db.write(leases::begin_anew).await?;
            }
            if !is_due(self.jumped, CALM) {
                return Ok(());
            }
            after = found.more_after.filter(|_| !shutdown.is_cancelled());
            self.unsettled.extend(found.silent);
            for (node, members) in found.spent {
                self.keeper.db.write(move |connection| leases::forget(connection, &node, &members)).await?;
            }
            self.settle().await;
        }
        Ok(())
    }

    /// Whether the database's clock, which said `now` after `asked`, jumped since the last look. Then all leases are to
    /// be renewed at once, and nobody is judged for a while.
    fn has_jumped(&mut self, asked: Instant, now: i64) -> bool {
        let before = self.looked.replace((now, asked));
        let Some((then, at)) = before else { return false };
        let jumped = jumped(now - then, asked - at, at.elapsed());
        if jumped {
            log::warn!(target: "deskwire::attendance", "the database's clock jumped: it moved {} ms", now - then);
            (self.jumped, self.renewed) = (Some(Instant::now()), None);
        }
        jumped
    }

    async fn requeue(&mut self, shutdown: &CancellationToken) -> Result<()> {
        let mut after = Some(MemberId(0));
        while let Some(from) = after {
            let now = self.keeper.clock.now().0;
            let found = self.keeper.db.read(move |connection| leases::absent(connection, from, now, CHUNK));
            let (agents, more_after) = found.await?;
            after = more_after.filter(|_| !shutdown.is_cancelled());
            for some in agents.chunks(AT_ONCE) {
                join_all(some.iter().map(|who| self.requeue_of(*who)))
                    .await
                    .into_iter()
                    .collect::<Result<()>>()?;
            }
        }
        Ok(())
    }

    async fn requeue_of(&self, (tenant, agent): Who) -> Result<()> {
        for _ in 0..PIECES {
            if !self.submit(tenant, RequeueAbsent { agent }.into()).await? {
                break;
            }
        }
        Ok(())
    }

    /// Finds what was lost on the way: who has a socket here and is not kept as connected, and who is kept so though no
    /// process knows of it.
    async fn compare(&mut self) -> Result<()> {
        for members in chunks(&self.leased) {
            let unknown =
                self.keeper.db.read(move |connection| leases::unknown(connection, &members)).await?;
            self.unsettled.extend(unknown);
        }
        self.unsettled.extend(self.keeper.db.read(leases::orphans).await?);
        self.settle().await;
        Ok(())
    }
}
