//! Cleaning up: what no message carried in time is erased, and contents that nobody has any more are removed.
//!
//! One supervised task in each process that has the folder. Everything to do is found in the store by its time, so that a
//! restart loses nothing and processes may do the same twice.

use std::sync::Arc;
use std::time::Duration;

use super::store;
use crate::app::App;
use crate::db::{AnyConnection, blocking};
use crate::domain::attachment::{AttachmentRow, AttachmentState, StoredFileRow, StoredFileState};
use crate::files::Folder;
use crate::kernel::Result;

/// How often it is looked for what is due.
const EVERY: Duration = Duration::from_secs(5);
/// Attachments and files of one look.
const ROWS: i64 = 100;
/// After how long a file that could not be removed is tried again, in milliseconds.
const AGAIN_MS: i64 = 60_000;

/// Starts the task, where there is a folder. Must be called on a tokio runtime.
pub fn spawn(app: &Arc<App>) {
    let Ok(folder) = app.files.folder().cloned() else { return };
    let (app, shutdown) = (app.clone(), app.tasks.shutdown().clone());
    app.clone().tasks.spawn("attachments", move || {
        let (app, folder, shutdown) = (app.clone(), folder.clone(), shutdown.clone());
        async move {
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = shutdown.cancelled() => return,
                }
                if let Err(error) = look(&app, &folder).await {
                    log::debug!(target: "deskwire::attachments", "cleaning up goes on later: {error}");
                }
            }
        }
    });
}

/// Does what is due, in pieces.
async fn look(app: &App, folder: &Folder) -> Result<()> {
    loop {
        let now = app.clock.now().0;
        let due = app.db.read(move |connection| store::due_attachments(connection, now, ROWS)).await?;
        let files = app.db.read(move |connection| store::due_files(connection, now, ROWS)).await?;
        let more = [due.len(), files.len()].iter().any(|count| i64::try_from(*count) == Ok(ROWS));
        for row in due {
            app.db.write(move |connection| clean(connection, &row, now)).await?;
        }
        for row in files {
            remove(app, folder, row, now).await?;
        }
        if !more || app.tasks.shutdown().is_cancelled() {
            return Ok(());
        }
    }
}

/// Erases an attachment that no message carries, and parts an erased one from its file.
fn clean(connection: &mut AnyConnection, row: &AttachmentRow, now: i64) -> Result<()> {
    if row.state != AttachmentState::Erased && !store::erase_unused(connection, row.tenant_id, row.id, now)? {
        return Ok(());
    }
    store::part(connection, row, now)
}

/// Removes a file. One that was expected and did not come is given up first, since its upload may end at this moment.
async fn remove(app: &App, folder: &Folder, row: StoredFileRow, now: i64) -> Result<()> {
    if row.state == StoredFileState::Uploading {
        let (tenant, file) = (row.tenant_id, row.id);
        return app.db.write(move |connection| store::abandon(connection, tenant, file, now)).await;
    }
    let (folder, tenant, file) = (folder.clone(), row.tenant_id, row.id);
    let removed = blocking(move || Ok(folder.remove(tenant, file))).await?;
    let write = move |connection: &mut AnyConnection| match &removed {
        Ok(()) => store::forget_file(connection, &row),
        Err(cause) => {
            log::warn!(target: "deskwire::attachments", "the file {} cannot be removed: {cause}", row.id);
            store::put_off(connection, &row, now + AGAIN_MS)
        }
    };
    app.db.write(write).await
}
