//! One batch in one transaction: write closures, lock, load, decide, flush, commit. A functional core in an imperative shell.
//!
//! Owns a single attempt; what to do with a failed one is the lane's business. Invariants: an attempt that fails has
//! left nothing in the store, unless it says that the outcome is unknown; closures and commands of one batch have the effect
//! of the closures followed by the commands.

use std::collections::BTreeSet;
use std::sync::Arc;

use diesel::Connection;

use super::bans::BanList;
use super::command::Reply;
use super::decide::decide;
use super::ephemeral::Ephemeral;
use super::fail_point::{FailPoint, FailPoints};
use super::feed::Changes;
use super::queue::Pending;
use super::store::flush;
use super::store::transaction::{self, Wait};
use super::wants;
use super::working_set::WorkingSet;
use crate::db::error_kind::error_kind;
use crate::db::write_queue::WriteJob;
use crate::db::{AnyConnection, DbErrorKind};
use crate::kernel::id::first_id_at;
use crate::kernel::{Clock, Error, IdGenerator, Result, TenantId};

/// How long a batch's receipt is kept, in milliseconds: far longer than any lane asks for it.
const RECEIPT_MS: i64 = 600_000;

/// What an attempt made, for the callers and the readers.
pub struct Done {
    /// One answer for each command; `None` where another process held the tenant.
    pub answers: Vec<Option<Result<Reply>>>,
    /// What each tenant's readers must learn.
    pub changes: Vec<Changes>,
    /// What is told and forgotten.
    pub ephemeral: Vec<Ephemeral>,
}

/// Why an attempt failed.
pub enum Failure {
    /// Nothing was stored.
    Nothing(Error),
    /// COMMIT was sent and its answer never came; the done work holds if the receipt is there.
    Unknown {
        /// The receipt.
        batch: i64,
        /// The tenants to lock before looking.
        tenants: Vec<TenantId>,
        /// What to tell if it was committed.
        done: Box<Done>,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Nothing(error)
    }
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Nothing(error.into())
    }
}

/// What an attempt needs beside its connection.
pub struct Context<'a> {
    /// Makes ids.
    pub ids: &'a Arc<IdGenerator>,
    /// Tells the time.
    pub clock: &'a Clock,
    /// Who is banned.
    pub bans: &'a BanList,
    /// Failures that tests ask for.
    pub fail_points: &'a FailPoints,
    /// Whether old receipts are due to be removed.
    pub forget_receipts: bool,
}

/// Tries a batch once.
pub fn attempt(
    connection: &mut AnyConnection,
    context: &Context<'_>,
    commands: &[Pending],
    jobs: &mut [Box<dyn WriteJob>],
    wait: Wait,
) -> std::result::Result<Done, Failure> {
    let batch = context.ids.next()?;
    transaction::begin(connection)?;
    let (done, tenants) = match work(connection, context, commands, jobs, wait, batch) {
        Ok(worked) => worked,
        Err(error) => {
            // The first error counts; a connection that cannot even roll back is dropped by the lane.
            let _ = transaction::rollback(connection);
            return Err(Failure::Nothing(error));
        }
    };
    if done.writes == 0 {
        // Nothing to write: the answers stand on what was committed before.
        transaction::rollback(connection)?;
        return Ok(done.done);
    }
    // When followers write is no test's to know.
    let fails = |point| !commands.is_empty() && context.fail_points.hit(point);
    if fails(FailPoint::BeforeCommit) || fails(FailPoint::CommitLost) {
        let _ = transaction::rollback(connection);
        return Err(Failure::Unknown { batch, tenants, done: Box::new(done.done) });
    }
    match transaction::commit(connection) {
        Ok(()) if fails(FailPoint::CommitAnswerLost) => {
            Err(Failure::Unknown { batch, tenants, done: Box::new(done.done) })
        }
        Ok(()) => Ok(done.done),
        Err(error) if error_kind(&error) == DbErrorKind::Connection => {
            Err(Failure::Unknown { batch, tenants, done: Box::new(done.done) })
        }
        Err(error) => {
            let _ = transaction::rollback(connection);
            Err(error.into())
        }
    }
}

struct Worked {
    done: Done,
    writes: usize,
}

fn work(
    connection: &mut AnyConnection,
    context: &Context<'_>,
    commands: &[Pending],
    jobs: &mut [Box<dyn WriteJob>],
    wait: Wait,
    batch: i64,
) -> Result<(Worked, Vec<TenantId>)> {
    let tenants: Vec<TenantId> =
        commands.iter().map(Pending::tenant).collect::<BTreeSet<_>>().into_iter().collect();
    let mut set = WorkingSet::new(context.clock.now().0, context.ids.clone());
    let mut answers = Vec::with_capacity(commands.len());
    let mut locked = Vec::new();
    // The closures come first: the commands are decided on what is read after them, so that the batch is what it would be
    // one after the other.
    for job in jobs.iter_mut() {
        run_job(connection, job.as_mut())?;
    }
    if !tenants.is_empty() {
        let revs = transaction::lock_tenants(connection, &tenants, wait)?;
        locked = revs.keys().copied().collect();
        let runnable: Vec<_> = commands
            .iter()
            .filter(|pending| revs.contains_key(&pending.tenant()))
            .map(|pending| &pending.command)
            .collect();
        wants::load(connection, &mut set, &revs, &runnable)?;
        load_bans(connection, context.bans, &mut set, jobs.is_empty())?;
        for pending in commands {
            let known = revs.contains_key(&pending.tenant());
            answers.push(match known {
                true => Some(decide(&mut set, &pending.command)),
                // After a blocking wait, and where nothing is skipped, who is not there does not exist.
                false if wait != Wait::Skip || !connection.is_server() => Some(Err(Error::not_found())),
                false => None,
            });
        }
    }
    let changes = set.changes();
    let ephemeral = delivered(&set);
    let writes = jobs.len() + changes.len() + ephemeral.len() + usize::from(set.follows.is_touched());
    if writes > 0 {
        flush::flush(connection, &set)?;
        transaction::write_receipt(connection, batch)?;
        if context.forget_receipts {
            transaction::forget_receipts(connection, first_id_at(set.now - RECEIPT_MS))?;
        }
    }
    Ok((Worked { done: Done { answers, changes, ephemeral }, writes }, locked))
}

/// The bans of the tenants that ever had some, as they are while the tenants are locked. What closures of this batch changed
/// may still be rolled back, so the list does not learn it from here.
fn load_bans(
    connection: &mut AnyConnection,
    bans: &BanList,
    set: &mut WorkingSet,
    committed: bool,
) -> Result<()> {
    let versions = set.tenants.iter().map(|(id, facts)| (*id, facts.bans_version));
    let versions: Vec<(TenantId, i64)> = versions.filter(|(_, version)| *version > 0).collect();
    for (tenant, version) in versions {
        let banned = match committed {
            true => bans.at(connection, tenant, version)?,
            false => bans.read_at(connection, tenant, version)?,
        };
        set.bans.insert(tenant, banned);
    }
    Ok(())
}

/// Runs one write closure under a savepoint.
fn run_job(connection: &mut AnyConnection, job: &mut dyn WriteJob) -> Result<()> {
    enum End {
        Refused,
        Batch(Error),
    }
    impl From<diesel::result::Error> for End {
        fn from(error: diesel::result::Error) -> Self {
            Self::Batch(error.into())
        }
    }
    let ended = connection.transaction(|connection| match job.run(connection) {
        Ok(true) => Ok(()),
        Ok(false) => Err(End::Refused),
        Err(error) => Err(End::Batch(error)),
    });
    match ended {
        Ok(()) | Err(End::Refused) => Ok(()),
        Err(End::Batch(error)) => Err(error),
    }
}

fn delivered(set: &WorkingSet) -> Vec<Ephemeral> {
    let moved = set.delivered.iter();
    moved
        .filter_map(|(id, member, seq)| {
            let row = set.conversations.get(id)?;
            let recipients = set.participants_of(*id).filter(|one| one.is_in()).map(|one| one.member_id);
            Some(Ephemeral::Delivered {
                tenant: row.tenant_id,
                conversation: *id,
                member: *member,
                seq: *seq,
                recipients: recipients.collect(),
            })
        })
        .collect()
}
