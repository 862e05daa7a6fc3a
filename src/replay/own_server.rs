//! A server for a run that was given none: on `DATABASE_URL` when that is set, else on a SQLite file in a temporary
//! folder that goes when the run ends.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;

use crate::app::App;
use crate::db::Target;
use crate::kernel::secret::{Secret, random_key};
use crate::kernel::{Clock, Error, Result};
use crate::server::{self, Running};
use crate::settings::Settings;

/// The settings with their defaults and the environment's values.
#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    settings: Settings,
}

/// A temporary folder; it goes when this does.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one for the run with this name.
    pub fn create(name: &str) -> std::io::Result<Self> {
        let folder = Self(std::env::temp_dir().join(format!("deskwire-replay-{name}")));
        std::fs::create_dir_all(&folder.0)?;
        Ok(folder)
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server of the run's own.
pub struct OwnServer {
    running: Running,
    _folder: Folder,
}

impl OwnServer {
    /// Starts it on a free port of this machine. The limits that protect a public service from a single machine are
    /// lifted: here one machine plays everybody.
    pub async fn start(name: &str) -> Result<Self> {
        let parsed = Defaults::try_parse_from(["replay"]);
        let mut settings = parsed.map_err(|cause| Error::internal(cause.to_string()))?.settings;
        let folder =
            Folder::create(name).map_err(|cause| Error::internal("no temporary folder").caused_by(cause))?;
        settings.files.files.get_or_insert_with(|| folder.file("files").into());
        let on_server = std::env::var_os("DATABASE_URL").is_some();
        if !on_server {
            settings.database.database_url = format!("sqlite:{}", folder.file("replay.db"));
        }
        // A run leaves no session behind that would have to outlive its secrets.
        if on_server {
            let made = || Secret::new(random_key(32));
            settings
                .secrets
                .jwt_keys
                .get_or_insert_with(|| Secret::new(format!("replay:{}", made().expose())));
            settings.secrets.master_key.get_or_insert_with(made);
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
        settings.visitor_frames_per_second = 1_000;
        settings.staff_frames_per_second = 10_000;
        settings.drain_seconds = 1;
        let app = crate::db::blocking(move || {
            let target = Target::parse(&settings.database.database_url, settings.database.durability)?;
            crate::db::migrate::run_pending(&target)?;
            App::open(settings, Clock::default())
        })
        .await?;
        let running = server::start(Arc::new(app)).await?;
        Ok(Self { running, _folder: folder })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// Stops it.
    pub async fn stop(self) -> Result<()> {
        self.running.stop().await
    }
}
