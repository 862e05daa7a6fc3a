//! A whole server for one test.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use clap::Parser;
use deskwire::app::App;
use deskwire::db::DatabaseKind;
use deskwire::kernel::Clock;
use deskwire::settings::Settings;

use super::database::TestDatabase;

/// The bearer key that may create tenants.
pub const PLATFORM_KEY: &str = "platform-key-of-the-tests-0123456789";

/// A running server on its own database. Cloning shares it; it dereferences to the [`App`], so that
/// `app.journal.submit(..)`, `app.clock.advance(..)` and `app.db.read(..)` work.
#[derive(Clone)]
pub struct TestApp {
    shared: Arc<Shared>,
}

struct Shared {
    app: Arc<App>,
    database: Arc<TestDatabase>,
    /// Servers that this one brought up beside itself.
    others: Mutex<Vec<TestApp>>,
}

impl Deref for TestApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.shared.app
    }
}

impl TestApp {
    /// A server on a new database with the settings of tests.
    pub async fn start(kind: DatabaseKind) -> Self {
        Self::with(kind, |_| {}).await
    }

    /// A server on a new database with settings of its own.
    pub async fn with(kind: DatabaseKind, change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(Arc::new(TestDatabase::migrated(kind)), Clock::default(), change).await
    }

    /// A server on this database.
    pub async fn on(database: Arc<TestDatabase>, clock: Clock, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(&database.url);
        change(&mut settings);
        let app =
            actix_web::rt::task::spawn_blocking(move || App::open(settings, clock)).await.unwrap().unwrap();
        let app = Arc::new(app);
        Self { shared: Arc::new(Shared { app, database, others: Mutex::default() }) }
    }

    /// Another process on the same database, as far as one process can be two: nothing is shared but the store
    /// and the clock. Servers only: an SQLite file has one process.
    pub async fn second(&self) -> Self {
        assert!(self.kind().is_server(), "a SQLite file has one process");
        let other = Self::on(self.shared.database.clone(), self.clock.clone(), |_| {}).await;
        self.shared.others.lock().unwrap().push(other.clone());
        other
    }

    /// Stops this server and starts another one on the same database, with other settings.
    pub async fn restarted(&self, change: impl FnOnce(&mut Settings)) -> Self {
        self.stop().await;
        let other = Self::on(self.shared.database.clone(), self.clock.clone(), change).await;
        self.shared.others.lock().unwrap().push(other.clone());
        other
    }

    /// Which database.
    pub fn kind(&self) -> DatabaseKind {
        self.shared.database.kind()
    }

    /// The database.
    pub fn database(&self) -> &TestDatabase {
        &self.shared.database
    }

    /// What the rooms share.
    pub fn app(&self) -> &Arc<App> {
        &self.shared.app
    }

    /// Stops this server and those that it brought up.
    pub async fn stop(&self) {
        let others = std::mem::take(&mut *self.shared.others.lock().unwrap());
        for other in others {
            Box::pin(other.stop()).await;
        }
        let app = self.shared.app.clone();
        app.shutdown.trigger();
        actix_web::rt::task::spawn_blocking(move || app.journal.stop()).await.unwrap();
    }
}

/// The settings of tests: small pools because many servers run at once on few cores, cheap password hashes, and no
/// limits on rates, which their own tests switch on.
pub fn settings(url: &str) -> Settings {
    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }
    let arguments = [
        ("--database-url", url),
        ("--durability", "process"),
        ("--pool-size", "4"),
        ("--lanes", "2"),
        ("--listen", "127.0.0.1:0"),
        ("--workers", "2"),
        ("--bcrypt-cost", "4"),
        ("--requests-per-second", "0"),
        ("--anonymous-per-minute", "1000000"),
        ("--visitor-frames-per-second", "100000"),
        ("--staff-frames-per-second", "100000"),
        ("--drain-seconds", "0"),
        ("--jwt-keys", "test:0123456789abcdef0123456789abcdef"),
        ("--master-key", "fedcba9876543210fedcba9876543210"),
        ("--platform-key", PLATFORM_KEY),
    ];
    let arguments = arguments.iter().map(|(name, value)| format!("{name}={value}"));
    Program::parse_from(std::iter::once("deskwire".to_owned()).chain(arguments)).settings
}
