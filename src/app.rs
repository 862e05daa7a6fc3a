//! What the handlers of one server share: the handles of the layers below, built once. Owns the start and the end of
//! the lanes and of the tasks that run beside the requests. Knows no feature.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use crate::assigning::{Assigning, Nudges};
use crate::attendance::{Attendance, Keeper};
use crate::cleaning::Cleaning;
use crate::connections::Connections;
use crate::db::node::{LEASE_MS, Lease};
use crate::db::{Db, Target};
use crate::domain::actor::Actor;
use crate::files::Files;
use crate::journal::Journal;
use crate::journal::audit::Auditor;
use crate::journal::feed::Feed;
use crate::journal::follower::{Follower, Lags};
use crate::kernel::tasks::Tasks;
use crate::kernel::{Clock, IdGenerator, Result, looks};
use crate::lifecycle::Lifecycle;
use crate::limits::Limiter;
use crate::metrics::Metrics;
use crate::security::Auth;
use crate::settings::Settings;

/// How often the lease of the node number is looked at, which costs nothing.
const LEASE_LOOK: Duration = Duration::from_millis(200);
/// Searches that one process does at a time, so that they leave room for other reads.
const SEARCHES: usize = 4;

/// The shared handles. Handlers receive it as `web::Data<App>`.
pub struct App {
    /// What the service was told.
    pub settings: Settings,
    /// Time.
    pub clock: Clock,
    /// Identifiers.
    pub ids: Arc<IdGenerator>,
    /// The store.
    pub db: Db,
    /// Verifies tokens.
    pub auth: Auth,
    /// The writer of the log.
    pub journal: Journal,
    /// From commit to readers.
    pub feed: Feed,
    /// How much one member or address may ask for.
    pub limiter: Limiter,
    /// The live sockets of this process.
    pub connections: Connections,
    /// The staff with live sockets in this process.
    pub attendance: Attendance,
    /// Numbers for operators.
    pub metrics: Metrics,
    /// Which history the store holds; cursors embed it.
    pub epoch: String,
    /// The long-lived tasks, and the signal that ends them.
    pub tasks: Tasks,
    /// Has a tenant's waiting conversations looked at.
    pub nudges: Nudges,
    /// Says that message events were stored, whose rules are to be applied.
    pub message_events: Arc<Notify>,
    /// Says that messages wait to be sent.
    pub message_sends: Arc<Notify>,
    /// Turns of searches in this process.
    pub searches: Arc<Semaphore>,
    /// Contents outside the store.
    pub files: Files,
    /// How far the followers of the log are behind.
    pub lags: Lags,
    lease: Mutex<Lease>,
}

impl App {
    /// Opens a migrated store and starts the lanes.
    pub fn open(settings: Settings, clock: Clock) -> Result<Self> {
        let target = Target::parse(&settings.database.database_url, settings.database.durability)?;
        let ids = Arc::new(IdGenerator::new(clock.clone()));
        let lease = Mutex::new(Lease::acquire(&target, &clock, &ids)?);
        let epoch = crate::db::instance::epoch(&target, &clock)?;
        let db = Db::open(&target, settings.database.pool_size)?;
        let files = Files::new(&settings.files, &target)?;
        let auth = Auth::open(&settings, &target, &clock)?;
        auth.catch_up_blocking(&db)?;
        let feed = Feed::default();
        let journal = Journal::start(
            &db,
            ids.clone(),
            clock.clone(),
            feed.clone(),
            auth.bans().clone(),
            usize::from(settings.database.lanes),
        )?;
        let metrics = Metrics::new()?;
        let tasks = Tasks::default();
        let connections = Connections::new(settings.database.pool_size);
        let (lags, attendance) = (Lags::default(), Attendance::default());
        let limiter = Limiter::new(&settings);
        Ok(Self {
            settings,
            clock,
            ids,
            db,
            auth,
            journal,
            feed,
            limiter,
            connections,
            attendance,
            metrics,
            epoch,
            tasks,
            nudges: Nudges::default(),
            message_events: Arc::default(),
            message_sends: Arc::default(),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            files,
            lags,
            lease,
        })
    }

    /// Starts what runs beside the requests: the tail of other processes' commits, the repair of what readers missed,
    /// the revocations and bans, the uses of API keys, who of the staff is connected, routing, what follows groups and silence, the renewal of the node
    /// number and cleaning. Ends by `shutdown`. Must be called on a tokio runtime.
    pub fn spawn_tasks(self: &Arc<Self>) {
        let (db, feed, shutdown) = (self.db.clone(), self.feed.clone(), self.tasks.shutdown().clone());
        self.tasks
            .spawn("tail", move || crate::cluster::tail::run(db.clone(), feed.clone(), shutdown.clone()));
        let (auth, db, feed) = (self.auth.clone(), self.db.clone(), self.feed.clone());
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("revocations", move || {
            crate::security::revocation::follow(auth.clone(), db.clone(), feed.clone(), shutdown.clone())
        });
        let (auth, db, feed) = (self.auth.clone(), self.db.clone(), self.feed.clone());
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("bans", move || {
            crate::security::bans::follow(auth.clone(), db.clone(), feed.clone(), shutdown.clone())
        });
        let (auth, db, shutdown) = (self.auth.clone(), self.db.clone(), self.tasks.shutdown().clone());
        self.tasks.spawn("api_keys", move || {
            crate::security::api_keys::keep_uses(auth.clone(), db.clone(), shutdown.clone())
        });
        let (db, feed, shutdown) = (self.db.clone(), self.feed.clone(), self.tasks.shutdown().clone());
        let repairs = self.metrics.repairs.clone();
        self.tasks.spawn("repair", move || {
            crate::cluster::repair::run(db.clone(), feed.clone(), repairs.clone(), shutdown.clone())
        });
        let (keeper, shutdown) = (self.keeper(), self.tasks.shutdown().clone());
        self.tasks.spawn("attendance", move || crate::attendance::run(keeper.clone(), shutdown.clone()));
        let assigning = Assigning {
            db: self.db.clone(),
            journal: self.journal.clone(),
            feed: self.feed.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            nudges: self.nudges.clone(),
        };
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("assigning", move || crate::assigning::run(assigning.clone(), shutdown.clone()));
        let (db, journal, shutdown) = (self.db.clone(), self.journal.clone(), self.tasks.shutdown().clone());
        self.tasks
            .spawn("docking", move || crate::docking::run(db.clone(), journal.clone(), shutdown.clone()));
        let lifecycle = Lifecycle { db: self.db.clone(), journal: self.journal.clone() };
        let (clock, shutdown) = (self.clock.clone(), self.tasks.shutdown().clone());
        self.tasks.spawn("lifecycle", move || looks::run(lifecycle.clone(), clock.clone(), shutdown.clone()));
        let app = self.clone();
        self.tasks.spawn("node_lease", move || app.clone().keep_lease());
        if self.settings.cleaning.cleaning_minutes > 0 {
            self.follow(Arc::new(Cleaning {
                db: self.db.clone(),
                journal: self.journal.clone(),
                clock: self.clock.clone(),
                settings: self.settings.cleaning.clone(),
            }));
        }
    }

    /// What stores one act of this actor in the audit log, within the transaction that does it. Errors: `busy`.
    pub fn auditor(&self, actor: &Actor) -> Result<Auditor> {
        Auditor::new(actor, &self.ids, &self.clock)
    }

    fn keeper(&self) -> Keeper {
        Keeper {
            db: self.db.clone(),
            journal: self.journal.clone(),
            clock: self.clock.clone(),
            attendance: self.attendance.clone(),
        }
    }

    /// Runs a follower of the log beside the requests, until shutdown. Must be called on a tokio runtime.
    pub fn follow(&self, follower: Arc<dyn Follower>) {
        let (db, lags, shutdown) = (self.db.clone(), self.lags.clone(), self.tasks.shutdown().clone());
        self.tasks.spawn(follower.name(), move || {
            crate::journal::follower::run(db.clone(), lags.clone(), follower.clone(), shutdown.clone())
        });
    }

    /// Renews the node number until shutdown. It looks often and renews seldom: when the machine's clock is set
    /// forward, the lease has run out at once and nothing can be written until it is renewed.
    async fn keep_lease(self: Arc<Self>) {
        while !self.tasks.shutdown().is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(LEASE_LOOK) => {}
                () = self.tasks.shutdown().cancelled() => return,
            }
            if self.ids.lease_left() > LEASE_MS / 4 * 3 {
                continue;
            }
            let renewing = self.clone();
            if let Err(error) = crate::db::blocking(move || renewing.renew_lease()).await {
                if error.error_kind() == Some(crate::db::DbErrorKind::Storage) {
                    self.db.refusals().note();
                }
                log::warn!(target: "deskwire::app", "the node number could not be renewed: {error}");
            }
        }
    }

    fn renew_lease(&self) -> Result<()> {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.renew(self.db.target(), &self.clock, &self.ids)
    }

    /// Finishes the batches that are under way, ends the lanes and gives the node number back. Blocks.
    pub fn close(&self) {
        self.tasks.shutdown().cancel();
        self.journal.stop();
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = lease.release(self.db.target(), &self.clock) {
            log::debug!(target: "deskwire::app", "the node number could not be given back: {error}");
        }
    }
}
