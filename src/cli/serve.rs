//! `serve`: starts the server from its settings and stops it on a signal. Owns the order of start and stop and the
//! first start on an empty store. Does not own the server itself (`server`).
//!
//! Invariant: nothing is written to the store before the address is bound.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::{accounts, logging, say, store};
use crate::app::App;
use crate::db::connection::Purpose;
use crate::db::migrate;
use crate::kernel::{Clock, Code, Error, Result};
use crate::server;
use crate::settings::Settings;

/// Serves until a signal says to stop.
pub fn run(settings: Settings) -> Result<()> {
    logging::start(&settings.log);
    let started = Instant::now();
    // The address first: a start that cannot serve must not make an administrator whose password nobody sees.
    let listener = server::bind(settings.listen)?;
    let migrated = prepare(&settings)?;
    let app = Arc::new(App::open(settings, Clock::default())?);
    super::runtime()?.block_on(serve(app, listener, migrated, started))
}

/// Applies migrations where that was asked for, refuses to start on an older store otherwise. Returns whether this
/// process looks after the store's tables.
fn prepare(settings: &Settings) -> Result<bool> {
    let target = store::target(settings)?;
    let migrates = settings.migrate.unwrap_or(!target.kind.is_server());
    if migrates {
        for name in migrate::run_pending(&target)? {
            log::info!(target: "deskwire::db", "applied migration {name}");
        }
        return Ok(true);
    }
    let pending = migrate::pending(&mut target.connect(Purpose::Write)?)?;
    match pending.is_empty() {
        true => Ok(false),
        false => Err(Error::new(
            Code::StorageUnavailable,
            format!(
                "{} migrations are pending ({}): run `deskwire migrate` first, or start with --migrate",
                pending.len(),
                pending.join(", ")
            ),
        )),
    }
}

async fn serve(app: Arc<App>, listener: TcpListener, migrated: bool, started: Instant) -> Result<()> {
    let failed = |cause: std::io::Error| Error::internal("signals cannot be heard").caused_by(cause);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;

    let first = if migrated { accounts::first_start(&app).await? } else { None };
    let running = server::start_on(app, listener)?;
    let address = running.address;
    log::info!(
        target: "deskwire",
        "version {} serves {address} after {} ms on {}",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_millis(),
        running.app().db.target().display(),
    );
    say(format_args!("Deskwire {} at http://{address}", env!("CARGO_PKG_VERSION")));
    say(format_args!("Documents: http://{address}/docs/"));
    if let Some(first) = first {
        say("");
        say("This is the first start. An administrator was made; the password is shown only now:");
        say(format_args!(
            "  tenant {}   name {}   password {}",
            first.tenant,
            first.name,
            first.password.expose()
        ));
    }

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    log::info!(target: "deskwire", "stopping: a signal after the first second stops at once");
    let second_signal = async {
        // Supervisors and shells often signal the process and its group: that is one wish, not two.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Err(Error::new(Code::Draining, "stopped at once by a second signal"))
    };
    tokio::select! {
        stopped = running.stop() => stopped?,
        at_once = second_signal => return at_once,
    }
    log::info!(target: "deskwire", "stopped");
    Ok(())
}
