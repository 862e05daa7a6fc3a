//! The task that removes the files of exports that ended, and files that belong to no export. What is to be done is found in
//! the store and in the folder, so that a restart loses nothing and processes may do the same twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::{file, store};
use crate::app::App;
use crate::db::{AnyConnection, blocking};
use crate::files::{Folder, unwritable};
use crate::kernel::{ExportId, Result};

/// How often it is looked for what is due.
const EVERY: Duration = Duration::from_secs(1);
/// After how many looks the folder is looked through.
const LOOKS: u32 = 30;
/// Exports of one look.
const ROWS: i64 = 100;
/// After how long a file that could not be removed is tried again, in milliseconds.
const AGAIN_MS: i64 = 60_000;
/// How long a file is left alone that no row names, in milliseconds: somebody may just put back a database.
const STRANGE_MS: i64 = 3_600_000;

/// Starts the task. Must be called on a tokio runtime.
pub(super) fn spawn(app: &Arc<App>, folder: &Folder) {
    let (handle, folder, shutdown) = (app.clone(), folder.clone(), app.tasks.shutdown().clone());
    app.tasks.spawn("export_files", move || {
        let (app, folder, shutdown) = (handle.clone(), folder.clone(), shutdown.clone());
        async move {
            let mut looks: u32 = 0;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = shutdown.cancelled() => return,
                }
                let looked = async {
                    look(&app, &folder).await?;
                    if looks.is_multiple_of(LOOKS) { look_through(&app, &folder).await } else { Ok(()) }
                };
                if let Err(error) = looked.await {
                    log::debug!(target: "deskwire::exports", "files of exports are removed later: {error}");
                }
                looks = looks.wrapping_add(1);
            }
        }
    });
}

/// Removes what is due.
async fn look(app: &App, folder: &Folder) -> Result<()> {
    let unfinished = app.db.read(store::count_unfinished).await?;
    app.metrics.exports_unfinished.set(unfinished);
    let now = app.clock.now().0;
    if !app.db.read(move |connection| store::is_due(connection, now)).await? {
        return Ok(());
    }
    app.db.write(move |connection| store::expire(connection, now)).await?;
    for id in app.db.read(move |connection| store::to_remove(connection, now, ROWS)).await? {
        let folder = folder.clone();
        let removed = blocking(move || Ok(file::remove(&folder, id, None))).await?;
        let again = removed.is_err().then_some(now + AGAIN_MS);
        if let Err(cause) = removed {
            log::warn!(target: "deskwire::exports", "the file of export {id} cannot be removed: {cause}");
        }
        app.db.write(move |connection| store::removed(connection, id, again)).await?;
    }
    Ok(())
}

/// Removes files that belong to no export, or to one that ended: what the death of a process, or a database that was put
/// back, left behind.
async fn look_through(app: &App, folder: &Folder) -> Result<()> {
    let of = folder.clone();
    let files = blocking(move || file::all(&of).map_err(unwritable)).await?;
    if files.is_empty() {
        return Ok(());
    }
    let ids: Vec<ExportId> = files.iter().map(|file| file.id).collect();
    let read = move |connection: &mut AnyConnection| store::files_of(connection, ids);
    let known: HashMap<ExportId, (bool, i64)> =
        app.db.read(read).await?.into_iter().map(|(id, has_file, fence)| (id, (has_file, fence))).collect();
    let now = app.clock.now().0;
    let age = |file: &file::Found| {
        let written = file.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        now.saturating_sub(i64::try_from(written).unwrap_or(i64::MAX))
    };
    let is_strange = |file: &file::Found| match known.get(&file.id) {
        // A newer owner copies what the one before it wrote.
        Some((true, fence)) => file.fence + 1 < *fence,
        Some((false, _)) => true,
        None => age(file) > STRANGE_MS,
    };
    let strange: Vec<file::Found> = files.into_iter().filter(is_strange).collect();
    blocking(move || {
        for file in strange {
            log::info!(target: "deskwire::exports", "a file of export {} that nobody needs is removed", file.id);
            file.remove().map_err(unwritable)?;
        }
        Ok(())
    })
    .await
}
