//! Commands about the store: migrations and checks.

use clap::Args;

use super::say;
use crate::auth::Auth;
use crate::db::connection::Purpose;
use crate::db::{Target, migrate};
use crate::kernel::{Clock, Code, Error, Result};
use crate::settings::Settings;

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Take every migration back instead: all data is lost.
    #[arg(long)]
    revert: bool,

    #[command(flatten)]
    settings: Settings,
}

/// The target of the settings.
pub fn target(settings: &Settings) -> Result<Target> {
    Target::parse(&settings.database.database_url, settings.database.durability)
}

/// Applies or reverts migrations and tells which.
pub fn migrate(arguments: &Migrate) -> Result<()> {
    let target = target(&arguments.settings)?;
    let (done, names) = match arguments.revert {
        true => ("reverted", migrate::revert_all(&target)?),
        false => ("applied", migrate::run_pending(&target)?),
    };
    for name in &names {
        say(format_args!("{done} {name}"));
    }
    say(format_args!("{} migrations {done} on {}", names.len(), target.display()));
    Ok(())
}

/// Checks everything that `serve` needs and tells each step.
pub fn check(settings: &Settings) -> Result<()> {
    let target = target(settings)?;
    say(format_args!("database   {} at {}", target.kind.name(), target.display()));
    if !target.kind.is_server() && !std::path::Path::new(&target.address).exists() {
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
    Ok(())
}
