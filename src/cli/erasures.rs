//! Erasures of persons: printing the list, and doing them again after a restore.

use std::path::Path;

use super::{say, store};
use crate::db::migrate;
use crate::erasure::{adopt, list, restore};
use crate::kernel::{Code, Error, Result};
use crate::settings::Settings;

/// Prints the list of a store.
pub fn print(settings: Settings) -> Result<()> {
    let listed = store::with_app(settings, async |app| app.db.read(adopt::of_store).await)?;
    for one in listed {
        say(serde_json::to_string(&one).unwrap_or_default());
    }
    Ok(())
}

/// Does the erasures of a list on a restored store that no server uses. Without a file it is the list beside the embedded
/// database.
pub fn replay(settings: &Settings, file: Option<&Path>) -> Result<()> {
    let target = store::existing(settings)?;
    let beside = list::path(&target);
    let Some(path) = file.or(beside.as_deref()) else { return Ok(()) };
    if file.is_some() && !path.is_file() {
        return Err(Error::new(Code::InvalidParameter, format!("there is no file {}", path.display())));
    }
    let listed = list::read(path)?;
    if listed.is_empty() {
        return Ok(());
    }
    // A copy of an older program is brought to this program's tables: the erasures must not wait for the next start.
    for name in migrate::run_pending(&target)? {
        say(format_args!("applied migration {name}"));
    }
    let done = store::with_app(settings.clone(), async move |app| restore::replay(&app, listed).await)?;
    say(format_args!("{done} erasures done again; their files go when the server starts"));
    Ok(())
}
