//! A whole server for one test.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use deskwire::app::App;
use deskwire::db::{DatabaseKind, Durability};
use deskwire::kernel::Clock;
use deskwire::kernel::secret::Secret;
use deskwire::server::{self, Running};
use deskwire::settings::Settings;

use super::database::TestDatabase;

/// The bearer key that may create tenants.
pub const PLATFORM_KEY: &str = "platform-key-of-the-tests-0123456789";

/// A running server on its own database. Cloning shares it; it dereferences to the [`App`], so that
/// `app.journal.submit(..)`, `app.advance(..)` and `app.db.read(..)` work.
#[derive(Clone)]
pub struct TestApp {
    shared: Arc<Shared>,
}

struct Shared {
    app: Arc<App>,
    running: Mutex<Option<Running>>,
    base: String,
    http: reqwest::Client,
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
        if database.kind().is_server() {
            settings.files.files = Some(database.files());
        }
        change(&mut settings);
        let app =
            actix_web::rt::task::spawn_blocking(move || App::open(settings, clock)).await.unwrap().unwrap();
        let app = Arc::new(app);
        let running = server::start(app.clone()).await.unwrap();
        let base = format!("http://{}", running.address);
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(std::time::Duration::from_secs(60))
            .build()
            .unwrap();
        let running = Mutex::new(Some(running));
        Self { shared: Arc::new(Shared { app, running, base, http, database, others: Mutex::default() }) }
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

    /// Lets so much time pass, and waits until the server has noticed (its node number is leased by time).
    pub async fn advance(&self, milliseconds: i64) {
        self.clock.advance(milliseconds);
        super::eventually("the node number is leased again", || async { self.ids.next().ok() }).await;
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

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        &self.shared.base
    }

    /// The HTTP client that all personas share.
    pub fn http(&self) -> &reqwest::Client {
        &self.shared.http
    }

    /// Stops this server and those that it brought up.
    pub async fn stop(&self) {
        let others = std::mem::take(&mut *self.shared.others.lock().unwrap());
        for other in others {
            Box::pin(other.stop()).await;
        }
        let running = self.shared.running.lock().unwrap().take();
        if let Some(running) = running {
            running.stop().await.unwrap();
        }
    }
}

/// The settings of tests: small pools because many servers run at once on few cores, cheap password hashes, and no
/// limits on rates, which their own tests switch on.
pub fn settings(url: &str) -> Settings {
    let mut settings = Settings::defaults();
    settings.database.database_url = url.to_owned();
    settings.database.durability = Durability::Process;
    settings.database.pool_size = 4;
    settings.database.lanes = 2;
    settings.secrets.jwt_keys = Some(Secret::new("test:0123456789abcdef0123456789abcdef"));
    settings.secrets.master_key = Some(Secret::new("fedcba9876543210fedcba9876543210"));
    settings.secrets.platform_key = Some(Secret::new(PLATFORM_KEY));
    settings.listen = "127.0.0.1:0".parse().unwrap();
    settings.workers = 2;
    settings.bcrypt_cost = 4;
    settings.visitor_frames_per_second = 100_000;
    settings.staff_frames_per_second = 100_000;
    settings.requests_per_second = 0;
    settings.visitor_requests_per_second = 0;
    settings.address_requests_per_second = 0;
    settings.refreshes_per_minute = 0;
    settings.new_visitors_per_hour = 0;
    settings.new_conversations_per_hour = 0;
    settings.anonymous_per_minute = 1_000_000;
    settings.sockets_per_address = 10_000;
    settings.drain_seconds = 0;
    settings.cleaning.cleaning_minutes = 0;
    settings.outbound_allow = "127.0.0.1".parse().unwrap();
    settings.public_url = Some("https://desk.example".to_owned());
    settings
}
