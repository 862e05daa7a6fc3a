//! Commands about the store: migrations and checks.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use diesel::connection::SimpleConnection;

use super::say;
use crate::app::App;
use crate::db::connection::Purpose;
use crate::db::snapshot::snapshot;
use crate::db::{AnyConnection, DatabaseKind, Target, migrate, node};
use crate::kernel::{Clock, Code, Error, Result};
use crate::queue::stranded;
use crate::security::Auth;
use crate::settings::Settings;
use crate::sync::verify::recompute_all;

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Revert every migration instead: all data is lost. Needs --yes, and no server that uses the database.
    #[arg(long)]
    revert: bool,

    /// Confirm --revert.
    #[arg(long, requires = "revert")]
    yes: bool,

    #[command(flatten)]
    settings: Settings,
}

/// The target of the settings.
pub fn target(settings: &Settings) -> Result<Target> {
    Target::parse(&settings.database.database_url, settings.database.durability)
}

/// The target of the settings, which must exist: a command in the wrong folder leaves no empty database behind.
pub fn existing(settings: &Settings) -> Result<Target> {
    let target = target(settings)?;
    if !target.kind.is_server() && !Path::new(&target.address).exists() {
        return Err(Error::new(
            Code::InvalidParameter,
            format!("there is no database at {}: set DATABASE_URL or change the folder", target.address),
        ));
    }
    Ok(target)
}

/// Runs work on an open store, beside a running server or without one.
pub fn with_app<T>(settings: Settings, work: impl AsyncFnOnce(Arc<App>) -> Result<T>) -> Result<T> {
    let target = existing(&settings)?;
    let pending = migrate::pending(&mut target.connect(Purpose::Write)?)?;
    if !pending.is_empty() {
        return Err(Error::new(
            Code::StorageUnavailable,
            "migrations are pending: run `deskwire migrate` first",
        ));
    }
    let app = Arc::new(App::open(settings, Clock::default())?);
    let runtime = super::runtime()?;
    let done = runtime.block_on(work(app.clone()));
    app.close();
    done
}

/// Recomputes every number that is kept beside the log, on one snapshot of the store, and tells what differs.
pub fn verify_unread(settings: &Settings) -> Result<()> {
    let target = existing(settings)?;
    let mut connection = target.connect(Purpose::Read)?;
    if target.kind == DatabaseKind::Postgresql {
        // All of it takes as long as it takes.
        connection.batch_execute("SET statement_timeout = 0")?;
    }
    let report = snapshot(&mut connection, |connection| recompute_all(connection, None))?;
    for difference in &report.told {
        say(difference);
    }
    say(format_args!("{} numbers recomputed, {} differ", report.checked, report.drift));
    match report.drift {
        0 => Ok(()),
        drift => Err(Error::internal(format!("{drift} numbers have drifted: this is a bug"))),
    }
}

/// Applies or reverts migrations and tells which.
pub fn migrate(arguments: &Migrate) -> Result<()> {
    let (target, done, names) = match arguments.revert {
        true => {
            let target = existing(&arguments.settings)?;
            check_revert(&target, arguments.yes)?;
            let names = migrate::revert_all(&target)?;
            (target, "reverted", names)
        }
        false => {
            let target = target(&arguments.settings)?;
            let names = migrate::run_pending(&target)?;
            (target, "applied", names)
        }
    };
    for name in &names {
        say(format_args!("{done} {name}"));
    }
    say(format_args!("{} migrations {done} on {}", names.len(), target.display()));
    Ok(())
}

/// Fails without a confirmation, and while a process holds a node number of the store.
fn check_revert(target: &Target, confirmed: bool) -> Result<()> {
    if !confirmed {
        let detail = format!("--revert deletes all data at {}: confirm with --yes", target.display());
        return Err(Error::new(Code::InvalidParameter, detail));
    }
    let mut connection = target.connect(Purpose::Write)?;
    if !migrate::has_any(&mut connection)? {
        return Ok(());
    }
    let live = node::live(&mut connection)?;
    if live > 0 {
        let detail = format!(
            "{live} running processes use the database: stop them first. The lease of a killed process ends after \
             {} seconds",
            node::LEASE_MS / 1_000
        );
        return Err(Error::new(Code::Busy, detail));
    }
    Ok(())
}

/// Checks everything that `serve` needs and tells each step.
pub fn check(settings: &Settings) -> Result<()> {
    let target = target(settings)?;
    say(format_args!("database   {} at {}", target.kind.name(), target.display()));
    if !target.kind.is_server() && !Path::new(&target.address).exists() {
        say("           the file does not exist yet: `deskwire serve` makes it");
        return Ok(());
    }
    let mut connection = target.connect(Purpose::Write)?;
    say("reachable  yes");
    let pending = migrate::pending(&mut connection)?;
    if !pending.is_empty() {
        let detail = format!("migrations are pending ({}): run `deskwire migrate`", pending.join(", "));
        return Err(Error::new(Code::StorageUnavailable, detail));
    }
    say("migrations all applied");
    Auth::open(settings, &target, &Clock::default())?;
    say("secrets    valid");
    say(format_args!("listen     {}", settings.listen));
    tell_stranded(&mut connection)
}

/// Most stranded conversations that are told one by one.
const TOLD: usize = 100;

/// Tells which conversations nobody would ever serve.
fn tell_stranded(connection: &mut AnyConnection) -> Result<()> {
    let now = Clock::default().now().0;
    let found = snapshot(connection, |connection| stranded::find(connection, now))?;
    say(format_args!("stranded   {} conversations that nobody of the staff could serve", found.len()));
    for one in found.iter().take(TOLD) {
        let skills: Vec<String> = one.needs.required.iter().map(ToString::to_string).collect();
        let why = match skills.is_empty() {
            true if one.docked => "nobody is in the group that serves it".to_owned(),
            true => "nobody may see it and accepts conversations".to_owned(),
            false => format!("nobody who may see it has the skills {}", skills.join(", ")),
        };
        say(format_args!("           {} of {}: {why}", one.conversation, one.tenant));
    }
    Ok(())
}
