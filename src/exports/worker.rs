//! The task that writes exports. One in each process that has the folder; over all processes one export is written at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::file::{self, Written};
use super::{store, window};
use crate::app::App;
use crate::db::{AnyConnection, blocking};
use crate::domain::export::{ExportFailure, ExportRow, ExportState};
use crate::files::Folder;
use crate::kernel::secret::random_key;
use crate::kernel::{Error, Result};

/// How often it is looked for exports.
const EVERY: Duration = Duration::from_secs(1);
/// How long the task rests after an error.
const REST: Duration = Duration::from_secs(5);
/// How long one export is written while others wait.
const TURN: Duration = Duration::from_secs(10);

/// Starts the task. Must be called on a tokio runtime.
pub(super) fn spawn(app: &Arc<App>, folder: &Folder) {
    let (handle, folder, shutdown) = (app.clone(), folder.clone(), app.tasks.shutdown().clone());
    app.tasks.spawn("exports", move || {
        // An owner of its own after each start: what the former one had begun to write may still be under way.
        let worker = Worker { app: handle.clone(), folder: folder.clone(), owner: random_key(16) };
        let shutdown = shutdown.clone();
        async move {
            let mut rest = EVERY;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = shutdown.cancelled() => return,
                }
                rest = match worker.look().await {
                    Ok(()) => EVERY,
                    Err(error) => {
                        log::warn!(target: "deskwire::exports", "an export goes on later: {error}");
                        REST
                    }
                };
            }
        }
    });
}

struct Worker {
    app: Arc<App>,
    folder: Folder,
    owner: String,
}

impl Worker {
    /// Writes while there is something to write, in turns.
    async fn look(&self) -> Result<()> {
        while self.app.db.read(store::count_unfinished).await? > 0 {
            let (owner, now) = (self.owner.clone(), self.app.clock.now().0);
            let taken = self.app.db.write(move |connection| store::take(connection, &owner, now)).await?;
            let Some(taken) = taken else { return Ok(()) };
            let row = taken.row.clone();
            let turned = self.turn(taken).await;
            let given = self.app.db.write(move |connection| store::give_back(connection, &row)).await;
            turned.and(given)?;
            if self.app.tasks.shutdown().is_cancelled() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn turn(&self, taken: store::Taken) -> Result<()> {
        let began = Instant::now();
        let Some(mut row) = self.adopted(taken).await? else { return Ok(()) };
        while began.elapsed() < TURN && !self.app.tasks.shutdown().is_cancelled() {
            match self.step(row).await? {
                Some(next) if next.state == ExportState::Running => row = next,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes over what another owner wrote. `None`: the export ended.
    async fn adopted(&self, store::Taken { row, former }: store::Taken) -> Result<Option<ExportRow>> {
        if former == row.fence {
            return Ok(Some(row));
        }
        let (folder, id, fences, bytes) = (self.folder.clone(), row.id, (former, row.fence), row.byte_count);
        let adopt = move || {
            let adopted = match bytes {
                0 => Ok(Written::Whole),
                _ => file::adopt(&folder, id, fences, bytes),
            };
            let cleared =
                adopted.and_then(|adopted| file::remove(&folder, id, Some(fences.1)).map(|()| adopted));
            Ok(cleared)
        };
        match blocking(adopt).await? {
            Ok(Written::Whole) => Ok(Some(row)),
            Ok(Written::Lost) => self.restarted(row).await,
            Err(cause) => self.failed(&row, cause).await.map(|()| None),
        }
    }

    /// Does one step. `None`: the export ended, or is another owner's.
    async fn step(&self, row: ExportRow) -> Result<Option<ExportRow>> {
        let window = window::build(&self.app, &row).await?;
        let (folder, id, fence, at) = (self.folder.clone(), row.id, row.fence, row.byte_count);
        let (written, window) = blocking(move || {
            let written = file::append(&folder, id, fence, at, &window.bytes);
            Ok((written, window))
        })
        .await?;
        match written {
            Ok(Written::Whole) => {}
            Ok(Written::Lost) => return self.restarted(row).await,
            Err(cause) => return self.failed(&row, cause).await.map(|()| None),
        }
        let (now, size) = (self.app.clock.now().0, u64::try_from(window.bytes.len()).unwrap_or(u64::MAX));
        let of = row.clone();
        let advance = move |connection: &mut AnyConnection| store::advance(connection, &of, &window, now);
        let advanced = self.app.db.write(advance).await?;
        self.app.metrics.export_bytes.inc_by(size);
        match &advanced {
            None => self.clear(&row).await?,
            Some(next) if next.state == ExportState::Done => {
                let (id, tenant, lines) = (next.id, next.tenant_id, next.line_count);
                log::info!(target: "deskwire::exports", "export {id} of tenant {tenant} is done: {lines} lines");
            }
            Some(_) => {}
        }
        Ok(advanced)
    }

    /// Begins anew: the file is gone, or lies in the folder of another process that has one of its own.
    async fn restarted(&self, row: ExportRow) -> Result<Option<ExportRow>> {
        log::warn!(target: "deskwire::exports", "the file of export {} is lost: it is written anew", row.id);
        self.app.db.write(move |connection| store::restart(connection, &row)).await
    }

    async fn failed(&self, row: &ExportRow, cause: std::io::Error) -> Result<()> {
        log::warn!(target: "deskwire::exports", "export {} cannot be written: {cause}", row.id);
        let (id, now) = (row.id, self.app.clock.now().0);
        let fail = move |connection: &mut AnyConnection| {
            store::fail(connection, id, ExportFailure::StorageUnavailable, now)
        };
        self.app.db.write(fail).await
    }

    /// Removes what was written after the export had ended, or had gone to another owner.
    async fn clear(&self, row: &ExportRow) -> Result<()> {
        let path = file::path(&self.folder, row.id, row.fence);
        blocking(move || match std::fs::remove_file(path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::internal("the file of an ended export cannot be removed").caused_by(cause))
            }
            _ => Ok(()),
        })
        .await
    }
}
