//! One server: everything that its rooms share, built once. Owns start and stop; knows no feature.

use std::sync::Arc;

use crate::auth::Auth;
use crate::db::{Db, Target};
use crate::journal::Journal;
use crate::journal::feed::Feed;
use crate::kernel::shutdown::Shutdown;
use crate::kernel::{Clock, IdGenerator, Result};
use crate::metrics::Metrics;
use crate::settings::Settings;

/// What the rooms share. Handlers receive it as `web::Data<App>`.
pub struct App {
    /// What the service was told.
    pub settings: Settings,
    /// Time.
    pub clock: Clock,
    /// Identifiers.
    pub ids: Arc<IdGenerator>,
    /// The store.
    pub db: Db,
    /// Judges tokens.
    pub auth: Auth,
    /// The writer of the log.
    pub journal: Journal,
    /// From commit to readers.
    pub feed: Feed,
    /// Numbers for operators.
    pub metrics: Metrics,
    /// Tells every task to finish.
    pub shutdown: Shutdown,
}

impl App {
    /// Opens a migrated store and starts the lanes.
    pub fn open(settings: Settings, clock: Clock) -> Result<Self> {
        let target = Target::parse(&settings.database.database_url, settings.database.durability)?;
        let ids = Arc::new(IdGenerator::new(clock.clone()));
        let lease = crate::db::node::Lease::acquire(&target, &clock, &ids)?;
        let db = Db::open(&target, settings.database.pool_size)?;
        let auth = Auth::open(&settings, &target, &clock)?;
        auth.catch_up_blocking(&db)?;
        let feed = Feed::default();
        let journal = Journal::start(
            &db,
            ids.clone(),
            clock.clone(),
            feed.clone(),
            usize::from(settings.database.lanes),
        )?;
        let _ = lease;
        let metrics = Metrics::new()?;
        Ok(Self { settings, clock, ids, db, auth, journal, feed, metrics, shutdown: Shutdown::default() })
    }
}
