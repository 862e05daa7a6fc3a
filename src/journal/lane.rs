//! A lane: a thread with its own connection that drains its queue and commits what waits in one transaction.
//!
//! Owns the retry, bisection and unknown-outcome rules. On servers each lane has a second thread with a connection of
//! its own, which waits for the locks of tenants that another process holds, so that the lane itself never does. Keeps
//! no database state between batches, so other processes and the command line stay correct, and a thread that panicked
//! begins anew with a new connection. Invariants: every command gets exactly one answer; an answer is given only after
//! the commit; a poisoned command fails alone; the lane never waits for a reader; no batch is tried without end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::bans::BanList;
use super::batch::{Context, Done, Failure, attempt};
use super::fail_point::{FailPoint, FailPoints};
use super::feed::Feed;
use super::queue::{DEADLINE, Next, Pending, Queue, SKIP_PATIENCE, overdue};
use super::statistics::Statistics;
use super::store::transaction::{self, Wait};
use crate::db::connection::Purpose;
use crate::db::probe::Refusals;
use crate::db::write_queue::{WriteJob, WriteQueue};
use crate::db::{AnyConnection, DbErrorKind, Target};
use crate::kernel::{Clock, Code, Error, IdGenerator, Result, TenantId};

/// Tries of a batch that meets conflicts before it is split.
const ATTEMPTS: u32 = 4;
/// Write closures in one batch.
const BATCH_JOBS: usize = 64;
/// How often old receipts are removed, in batches.
const RECEIPTS_EVERY: u64 = 1_000;

/// How long a thread that panicked pauses before it begins anew.
const RESTART_PAUSE: Duration = Duration::from_millis(50);

/// What a thread of a lane does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Commits what waits, batch by batch.
    Batches,
    /// Waits for the locks of tenants that another process holds, one tenant at a time.
    HeldTenants,
}

/// Everything that a lane works with.
pub struct Lane {
    /// Where the data is.
    pub target: Target,
    /// What waits.
    pub queue: Arc<Queue>,
    /// On SQLite: the write closures, which run on this thread.
    pub jobs: Option<Arc<WriteQueue>>,
    /// Makes ids.
    pub ids: Arc<IdGenerator>,
    /// Tells the time.
    pub clock: Clock,
    /// To the readers.
    pub feed: Feed,
    /// Who is banned.
    pub bans: BanList,
    /// Counts.
    pub statistics: Arc<Statistics>,
    /// Where it is noted that the store refused a write.
    pub refusals: Arc<Refusals>,
    /// Failures that tests ask for.
    pub fail_points: Arc<FailPoints>,
    /// The lane's own connection.
    pub connection: Option<AnyConnection>,
}

impl Lane {
    /// Works until the queue is stopped and empty. A panic costs the batch that was under way, whose callers are told
    /// `busy`; the thread goes on with nothing kept.
    pub fn run(mut self, role: Role) {
        Statistics::add(&self.statistics.lanes_alive, 1);
        loop {
            let ended = catch_unwind(AssertUnwindSafe(|| match role {
                Role::Batches => self.work(),
                Role::HeldTenants => self.work_alone(),
            }));
            if ended.is_ok() {
                break;
            }
            self.connection = None;
            self.statistics.lane_restarted();
            log::error!(target: "deskwire::journal", "a lane panicked and begins anew");
            std::thread::sleep(RESTART_PAUSE);
        }
        self.statistics.lanes_alive.fetch_sub(1, Ordering::Relaxed);
    }

    fn work(&mut self) {
        while let Next::Batch(commands, turns) = self.queue.next() {
            let jobs = self.jobs.as_ref().map(|jobs| jobs.take(BATCH_JOBS)).unwrap_or_default();
            self.commit(commands, jobs, Wait::Skip);
            drop(turns);
            if self.jobs.as_ref().is_some_and(|jobs| !jobs.is_empty()) {
                self.queue.nudge();
            }
        }
        // Nobody queues a closure any more; those that came until now are still done.
        let rest = self.jobs.as_ref().map(|jobs| jobs.close()).unwrap_or_default();
        self.commit(Vec::new(), rest, Wait::Skip);
    }

    fn work_alone(&mut self) {
        while let Some((commands, turns)) = self.queue.next_alone() {
            self.commit(commands, Vec::new(), Wait::Short);
            drop(turns);
        }
    }

    /// Commits a batch, however often it takes; splits it when something in it is poison.
    fn commit(&mut self, mut commands: Vec<Pending>, mut jobs: Vec<Box<dyn WriteJob>>, wait: Wait) {
        for round in 1.. {
            if round > 1 {
                commands = answer_overdue(commands);
            }
            if commands.is_empty() && jobs.is_empty() {
                return;
            }
            let error = match self.try_once(&commands, &mut jobs, wait) {
                Ok(done) => return self.finish(commands, jobs, done),
                Err(Failure::Unknown { batch, tenants, done }) => {
                    let newest = commands.iter().map(|pending| pending.since).max();
                    let until = newest.unwrap_or_else(Instant::now) + DEADLINE;
                    match self.find_out(batch, &tenants, until) {
                        Ok(true) => return self.finish(commands, jobs, *done),
                        Ok(false) if round < ATTEMPTS => continue,
                        Ok(false) => {
                            let error =
                                Error::new(Code::Busy, "the database lost this write again and again");
                            return refuse(commands, jobs, &error.retry_after(1_000));
                        }
                        Err(error) => {
                            log::warn!(target: "deskwire::journal", "the outcome of a commit stays unknown: {error}");
                            return refuse(commands, jobs, &overdue());
                        }
                    }
                }
                Err(Failure::Nothing(error)) => error,
            };
            match error.error_kind() {
                Some(DbErrorKind::Conflict) if wait == Wait::Short => {
                    return self.set_aside(commands, jobs);
                }
                Some(DbErrorKind::Conflict) if round < ATTEMPTS => {
                    Statistics::add(&self.statistics.retries, 1);
                    std::thread::sleep(Duration::from_millis(u64::from(2 * round)));
                    continue;
                }
                // A fresh connection tells a restarted database from a dead one.
                Some(DbErrorKind::Connection) if round < ATTEMPTS => {
                    self.connection = None;
                    continue;
                }
                Some(kind @ (DbErrorKind::Connection | DbErrorKind::Storage)) => {
                    self.connection = None;
                    if kind == DbErrorKind::Storage {
                        self.refusals.note();
                    }
                    return refuse(commands, jobs, &error);
                }
                None if error.code == Code::StorageUnavailable || error.code == Code::Busy => {
                    return refuse(commands, jobs, &error);
                }
                _ => {}
            }
            log::warn!(target: "deskwire::journal", "a batch of {} failed: {error}", commands.len() + jobs.len());
            return self.split(commands, jobs, wait, &error);
        }
    }

    fn try_once(
        &mut self,
        commands: &[Pending],
        jobs: &mut [Box<dyn WriteJob>],
        wait: Wait,
    ) -> std::result::Result<Done, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.target.connect(Purpose::Write)?,
        };
        let batches = self.statistics.batches.load(Ordering::Relaxed);
        let context = Context {
            ids: &self.ids,
            clock: &self.clock,
            bans: &self.bans,
            fail_points: &self.fail_points,
            forget_receipts: batches % RECEIPTS_EVERY == RECEIPTS_EVERY - 1,
        };
        // A panic in one command's rules must cost that command, not the lane; the connection is in doubt then.
        let tried =
            catch_unwind(AssertUnwindSafe(|| attempt(&mut connection, &context, commands, jobs, wait)));
        match tried {
            Ok(Err(Failure::Unknown { batch, tenants, done })) => {
                Err(Failure::Unknown { batch, tenants, done })
            }
            Ok(tried) => {
                self.connection = Some(connection);
                tried
            }
            Err(_) => {
                Statistics::add(&self.statistics.command_panics, 1);
                Err(Failure::Nothing(Error::internal("a command's rules panicked")))
            }
        }
    }

    /// Learns the outcome of a lost COMMIT: on a new connection, behind the same tenant locks (the old session may
    /// still be committing), the receipt is there or it is not. Gives up when no caller waits for it any more: readers
    /// then learn from the store whether it was committed, and callers by their keys.
    fn find_out(&mut self, batch: i64, tenants: &[TenantId], until: Instant) -> Result<bool> {
        Statistics::add(&self.statistics.unknown_commits, 1);
        self.connection = None;
        loop {
            match self.look_up(batch, tenants) {
                Ok(found) => return Ok(found),
                Err(error) if Instant::now() >= until => return Err(error),
                Err(error) => {
                    log::warn!(target: "deskwire::journal", "the outcome of a commit is still unknown: {error}");
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        }
    }

    fn look_up(&mut self, batch: i64, tenants: &[TenantId]) -> Result<bool> {
        let mut connection = self.target.connect(Purpose::Write)?;
        transaction::begin(&mut connection)?;
        transaction::lock_tenants(&mut connection, tenants, Wait::Long)?;
        let found = transaction::has_receipt(&mut connection, batch)?;
        transaction::rollback(&mut connection)?;
        self.connection = Some(connection);
        Ok(found)
    }

    /// Halves a failed batch until the poison stands alone.
    fn split(
        &mut self,
        mut commands: Vec<Pending>,
        mut jobs: Vec<Box<dyn WriteJob>>,
        wait: Wait,
        error: &Error,
    ) {
        if commands.len() + jobs.len() <= 1 {
            return refuse(commands, jobs, error);
        }
        Statistics::add(&self.statistics.bisections, 1);
        let right_commands = commands.split_off(commands.len().div_ceil(2).min(commands.len()));
        let right_jobs = jobs.split_off(jobs.len() / 2);
        if right_commands.is_empty() && right_jobs.is_empty() {
            // One command beside one closure: apart they are two batches.
            self.commit(commands, Vec::new(), wait);
            return self.commit(Vec::new(), jobs, wait);
        }
        self.commit(commands, jobs, wait);
        self.commit(right_commands, right_jobs, wait);
    }

    /// Answers the callers, then tells the readers.
    fn finish(&mut self, commands: Vec<Pending>, jobs: Vec<Box<dyn WriteJob>>, done: Done) {
        let has_commands = !commands.is_empty();
        if has_commands {
            self.fail_points.hit(FailPoint::AfterCommit);
        }
        let size = (commands.len() + jobs.len()) as u64;
        Statistics::add(&self.statistics.batches, 1);
        Statistics::add(&self.statistics.commands, size);
        self.statistics.last_batch.store(size, Ordering::Relaxed);
        let mut skipped = Vec::new();
        for (pending, answer) in commands.into_iter().zip(done.answers) {
            match answer {
                Some(answer) => pending.answer(answer),
                None => skipped.push(pending),
            }
        }
        for job in jobs {
            job.finish(Ok(()));
        }
        if has_commands && self.fail_points.hit(FailPoint::BeforePublish) {
            for changes in done.changes {
                self.feed.note_committed(changes.tenant, changes.rev_to);
            }
        } else {
            for changes in done.changes {
                self.feed.publish(Arc::new(changes));
            }
            for item in done.ephemeral {
                self.feed.ephemeral(item);
            }
        }
        self.set_aside(skipped, Vec::new());
    }

    /// Lets commands wait whose tenant another process holds; those that waited too long are told so.
    fn set_aside(&mut self, commands: Vec<Pending>, jobs: Vec<Box<dyn WriteJob>>) {
        if commands.is_empty() && jobs.is_empty() {
            return;
        }
        Statistics::add(&self.statistics.skips, commands.len() as u64);
        let (late, early): (Vec<_>, Vec<_>) =
            commands.into_iter().partition(|pending| pending.since.elapsed() > SKIP_PATIENCE);
        let error = Error::new(Code::Busy, "another process holds this tenant's log").retry_after(500);
        refuse(late, jobs, &error);
        self.queue.hold(early);
    }
}

/// Lets those go whose callers went away; gives the others back.
fn answer_overdue(commands: Vec<Pending>) -> Vec<Pending> {
    let (late, early): (Vec<_>, Vec<_>) = commands.into_iter().partition(Pending::is_overdue);
    refuse(late, Vec::new(), &overdue());
    early
}

/// Gives everybody the same error.
fn refuse(commands: Vec<Pending>, jobs: Vec<Box<dyn WriteJob>>, error: &Error) {
    let again = || {
        let copy = Error::new(error.code, error.detail.clone());
        match error.retry_after_ms {
            Some(milliseconds) => copy.retry_after(milliseconds),
            None => copy,
        }
    };
    if error.code == Code::Internal && !(commands.is_empty() && jobs.is_empty()) {
        log::error!(target: "deskwire::journal", "a command failed: {error}");
    }
    for pending in commands {
        pending.answer(Err(again()));
    }
    for job in jobs {
        job.finish(Err(again()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{DEADLINE, Pending, answer_overdue};
    use crate::domain::actor::{Actor, Origin};
    use crate::domain::member::Role;
    use crate::domain::operation::OperationSet;
    use crate::journal::Command;
    use crate::journal::commands::Claim;
    use crate::kernel::{Code, ConversationId, MemberId, Result, SessionId, TenantId};

    #[test]
    fn a_batch_that_is_tried_again_leaves_out_whom_nobody_waits_for() {
        let (tenant, member, session) = (TenantId(1), MemberId(1), SessionId(1));
        let actor = Actor {
            tenant,
            member,
            role: Role::Agent,
            session,
            origin: Origin::default(),
            operations: OperationSet::ALL,
        };
        let pending = || Pending::new(Command::new(actor, Claim { conversation: ConversationId(1) }));
        let ((mut late, mut told), (early, mut waits)) = (pending(), pending());
        late.since = Instant::now().checked_sub(DEADLINE).unwrap_or(late.since);
        assert_eq!(answer_overdue(vec![late, early]).len(), 1);
        let told = told.try_recv().ok().and_then(Result::err).map(|error| error.code);
        assert_eq!(told, Some(Code::Busy));
        assert!(waits.try_recv().is_err(), "the other one is still being worked on");
    }
}
