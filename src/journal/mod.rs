//! The journal: the first of the two doors through which data is written, and the only writer of tenant_log,
//! conversation, conversation_member, conversation_needs, conversation_reminder, group_message, message_revision,
//! assignment, transfer, offer, notification, agent_status, chat_group and group_member.
//!
//! Owns commands, their rules, lanes, batches and what readers are told. Does not own who asks (`auth`), how it
//! looks (`conversations`, `messages`, `sync`) or who is connected (`gateway`).
//!
//! Read in this order: `command` and `commands` (what can be asked, with the rules of each, pure), `decide` (what
//! they share), `working_set` and `table` (what they work on), `wants` (how it is loaded), `store` (the statements),
//! `batch` and `lane` (the shell), `feed` (to the readers), `history` (the repair path).
//!
//! Invariants: an acknowledged command is committed (P1); one entry per (conversation, sender, client_msg_id) (P2);
//! `seq` is dense (P3); revs are given out without holes in commit order; one bad command spoils no other.

pub mod audit;
pub mod bans;
mod batch;
pub mod calendars;
pub mod command;
pub mod commands;
pub mod decide;
pub mod endings;
pub mod ephemeral;
pub mod fail_point;
pub mod feed;
pub mod follower;
pub mod follows;
pub mod history;
mod lane;
pub mod overdue;
mod queue;
pub mod routable;
pub mod routing_set;
pub mod routing_snapshot;
pub mod statistics;
pub mod store;
pub mod table;
pub mod wants;
pub mod working_set;

use std::sync::{Arc, Mutex, PoisonError};

pub use command::{Command, Draft, LogRef, Reply};
pub use commands::Action;
pub use feed::{Changes, Feed};

use crate::db::Db;
use crate::kernel::{Clock, Code, Error, IdGenerator, Result, TenantId};
use bans::BanList;
use fail_point::FailPoints;
use lane::{Lane, Role};
pub use queue::DEADLINE;
use queue::Queue;
use statistics::Statistics;

/// The handle through which commands are submitted. Cloning shares it.
#[derive(Clone)]
pub struct Journal {
    lanes: Arc<Vec<Arc<Queue>>>,
    /// How many threads there should be.
    expected: u64,
    threads: Arc<Mutex<Vec<std::thread::JoinHandle<()>>>>,
    statistics: Arc<Statistics>,
    fail_points: Arc<FailPoints>,
}

impl Journal {
    /// Starts the lanes: one on SQLite, `lanes` on servers.
    pub fn start(
        db: &Db,
        ids: Arc<IdGenerator>,
        clock: Clock,
        feed: Feed,
        bans: BanList,
        lanes: usize,
    ) -> Result<Self> {
        let server = db.kind().is_server();
        let count = if server { lanes.max(1) } else { 1 };
        let statistics = Arc::new(Statistics::default());
        let fail_points = Arc::new(FailPoints::from_environment());
        let mut queues = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        let spawn = |name: String, lane: Lane, role: Role| {
            std::thread::Builder::new()
                .name(name)
                .spawn(move || lane.run(role))
                .map_err(|cause| Error::internal("a lane's thread did not start").caused_by(cause))
        };
        for number in 0..count {
            let queue = Arc::new(Queue::default());
            if !server {
                let waker = queue.clone();
                db.write_queue().on_push(Box::new(move || waker.nudge()));
            }
            let lane = |jobs| Lane {
                target: db.target().clone(),
                queue: queue.clone(),
                jobs,
                ids: ids.clone(),
                clock: clock.clone(),
                feed: feed.clone(),
                bans: bans.clone(),
                statistics: statistics.clone(),
                refusals: db.refusals().clone(),
                fail_points: fail_points.clone(),
                connection: None,
            };
            let jobs = (!server).then(|| db.write_queue().clone());
            threads.push(spawn(format!("lane-{number}"), lane(jobs), Role::Batches)?);
            // On SQLite no other process can hold a tenant.
            if server {
                threads.push(spawn(format!("lane-{number}-held"), lane(None), Role::HeldTenants)?);
            }
            queues.push(queue);
        }
        let expected = threads.len() as u64;
        let threads = Arc::new(Mutex::new(threads));
        Ok(Self { expected, lanes: Arc::new(queues), threads, statistics, fail_points })
    }

    /// Does one command and returns after its commit. Errors: `busy` (queue full, database in the way, no answer
    /// within [`DEADLINE`]), `tenant_busy` (the tenant's share of the queue is full), `storage_unavailable`, and what
    /// the command's own rules say. A retry with the same client_msg_id is always safe.
    pub async fn submit(&self, command: Command) -> Result<Reply> {
        let answer = self.lane(command.tenant())?.push(command)?;
        match tokio::time::timeout(DEADLINE, answer).await {
            Ok(answer) => answer.map_err(|_| lost())?,
            Err(_) => Err(queue::overdue()),
        }
    }

    /// Finishes what waits and ends the lanes. Blocks until they are gone.
    pub fn stop(&self) {
        for queue in self.lanes.iter() {
            queue.stop();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                log::error!(target: "deskwire::journal", "a lane panicked");
            }
        }
    }

    /// Commands that wait, over all lanes.
    pub fn depth(&self) -> usize {
        self.lanes.iter().map(|queue| queue.len()).sum()
    }

    /// How many threads of lanes there should be.
    pub fn lanes(&self) -> u64 {
        self.expected
    }

    /// What the lanes count.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Failures that tests ask for; release builds have none.
    pub fn fail_points(&self) -> &FailPoints {
        &self.fail_points
    }

    fn lane(&self, tenant: TenantId) -> Result<&Arc<Queue>> {
        // Ids are time-ordered with a counter at the end; mixing spreads neighbours over the lanes.
        let mixed = (tenant.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let index = mixed as usize % self.lanes.len().max(1);
        self.lanes.get(index).ok_or_else(lost)
    }
}

fn lost() -> Error {
    Error::new(Code::Busy, "the writer stopped before it answered; repeat with the same client_msg_id")
}
