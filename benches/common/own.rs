//! A server in this process, on a store of the bench's own, without the limits that would measure themselves.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use deskwire::app::App;
use deskwire::db::Target;
use deskwire::kernel::Clock;
use deskwire::kernel::secret::{Secret, random_key};
use deskwire::server::{self, Running};
use deskwire::settings::Settings;

use super::Outcome;

#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    settings: Settings,
}

/// The settings of every bench.
pub fn settings(database_url: &str) -> Outcome<Settings> {
    let mut settings = Defaults::try_parse_from(["bench"])?.settings;
    settings.database.database_url = database_url.to_owned();
    // Servers share their secrets between processes; here there is one process, and the secrets end with it.
    if !database_url.starts_with("sqlite:") {
        settings.secrets.jwt_keys = Some(Secret::new(format!("bench:{}", random_key(32))));
        settings.secrets.master_key = Some(Secret::new(random_key(32)));
    }
    settings.listen = ([127, 0, 0, 1], 0).into();
    settings.sign_up = true;
    settings.bcrypt_cost = 4;
    settings.requests_per_second = 0;
    settings.visitor_requests_per_second = 0;
    settings.address_requests_per_second = 0;
    settings.refreshes_per_minute = 0;
    settings.new_visitors_per_hour = 0;
    settings.new_conversations_per_hour = 0;
    settings.anonymous_per_minute = 0;
    settings.sockets_per_address = usize::MAX;
    settings.sockets_per_member = usize::MAX;
    settings.visitor_frames_per_second = 100_000;
    settings.staff_frames_per_second = 100_000;
    settings.access_token_seconds = 86_400;
    Ok(settings)
}

/// An opened store without a server.
pub fn app(settings: Settings) -> Outcome<Arc<App>> {
    let target = Target::parse(&settings.database.database_url, settings.database.durability)?;
    deskwire::db::migrate::run_pending(&target)?;
    Ok(Arc::new(App::open(settings, Clock::default())?))
}

/// A running server.
pub struct Own {
    pub running: Running,
    pub address: SocketAddr,
    _folder: Option<tempfile::TempDir>,
}

impl Own {
    /// On a SQLite file in a temporary folder.
    pub async fn sqlite() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite:{}", folder.path().join("bench.db").display());
        let app = tokio::task::spawn_blocking(move || app(settings(&url)?)).await??;
        let running = server::start(app).await?;
        Ok(Self { address: running.address, running, _folder: Some(folder) })
    }
}
