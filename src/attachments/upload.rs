//! Taking the content of an attachment: its bytes come into the folder of files, are looked at and scanned, and then count.
//!
//! A content is what was announced or nothing: neither longer nor shorter, of a type that is taken, and found harmless where
//! somebody scans. Equal contents of a tenant are kept once; that is found out from the bytes, never from what a client says.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::store;
use crate::app::App;
use crate::db::{AnyConnection, blocking};
use crate::domain::actor::Actor;
use crate::domain::attachment::{AttachmentRow, AttachmentState, StoredFileRow, StoredFileState};
use crate::files::picture::{self, Picture};
use crate::files::scan::Verdict;
use crate::files::{Folder, media, unwritable};
use crate::kernel::{AttachmentId, Code, Error, Result, StoredFileId};

/// Bytes a second that an upload must bring beyond its first seconds.
const LEAST_RATE: u64 = 16_384;
/// Bytes that are collected before they are written.
const PIECE: usize = 262_144;
/// How long after its latest possible end an upload that did not end is cleaned up, in milliseconds.
const SLACK_MS: i64 = 600_000;

/// Takes the content of an attachment of the actor. The same content again changes nothing. Errors: `attachments_off`, `busy`,
/// `rate_limited`, `not_found`, `payload_too_large`, `upload_mismatch`, `request_timeout`, `file_type_refused`, `attachment_infected`,
/// `scanner_unavailable`, `quota_exceeded`, `storage_unavailable`.
pub async fn receive(
    app: &App,
    actor: Actor,
    id: AttachmentId,
    length: Option<u64>,
    body: Payload,
) -> Result<AttachmentRow> {
    let folder = app.files.folder()?.clone();
    let _turn = app.files.upload_turn(actor.member)?;
    let file = StoredFileId(app.ids.next()?);
    let (now, patience) = (app.clock.now().0, Duration::from_secs(app.settings.body_seconds));
    let row = app.db.write(move |connection| expect(connection, actor, id, file, now, patience)).await?;
    let size = u64::try_from(row.size).unwrap_or_default();
    let path = folder.content(actor.tenant, file);
    let kept = async {
        if length.is_some_and(|length| length != size) {
            return Err(mismatch(format!("{size} bytes were announced")));
        }
        let written = write(body, &path, size, patience).await?;
        if row.state == AttachmentState::Ready {
            return same_again(app, &row, written.sha256).await;
        }
        let stored = inspect(app, &row, &folder, file, written).await?;
        keep(app, actor, id, stored).await
    };
    let kept = kept.await;
    let used = kept.as_ref().is_ok_and(|kept| kept.stored_file_id == Some(file));
    if !used {
        discard(app, actor, file).await;
    }
    if kept.as_ref().is_err_and(|error| error.code == Code::AttachmentInfected) {
        let now = app.clock.now().0;
        app.db.write(move |connection| store::erase_unused(connection, actor.tenant, id, now)).await?;
    }
    kept
}

fn mismatch(detail: String) -> Error {
    Error::new(Code::UploadMismatch, detail)
}

/// Says that a file comes, before its first byte.
fn expect(
    connection: &mut AnyConnection,
    actor: Actor,
    id: AttachmentId,
    file: StoredFileId,
    now: i64,
    patience: Duration,
) -> Result<AttachmentRow> {
    let row = store::own(connection, actor, id)?;
    let seconds = row.size / i64::try_from(LEAST_RATE).unwrap_or(1);
    let patience = i64::try_from(patience.as_millis()).unwrap_or_default();
    let latest = now.saturating_add(seconds.saturating_mul(1_000)).saturating_add(patience);
    store::expect_file(
        connection,
        &StoredFileRow {
            id: file,
            tenant_id: actor.tenant,
            state: StoredFileState::Uploading,
            sha256: None,
            size: row.size,
            media_type: None,
            width: None,
            height: None,
            thumbnail_type: None,
            created_at: now,
            sweep_at: Some(latest.saturating_add(SLACK_MS)),
        },
    )?;
    Ok(row)
}

/// What was written.
struct Written {
    path: PathBuf,
    head: Vec<u8>,
    sha256: String,
}

/// A file that is being written.
struct Writing {
    file: File,
    digest: Sha256,
    head: Vec<u8>,
}

impl Writing {
    fn write(mut self, piece: &Bytes) -> Result<Self> {
        self.file.write_all(piece).map_err(unwritable)?;
        self.digest.update(piece);
        let missing = media::HEAD - self.head.len();
        self.head.extend_from_slice(&piece[..piece.len().min(missing)]);
        Ok(self)
    }
}

/// Writes a body of exactly `size` bytes, within `patience` and what [`LEAST_RATE`] adds to it.
async fn write(mut body: Payload, path: &Path, size: u64, patience: Duration) -> Result<Written> {
    let started = Instant::now();
    let opened = path.to_owned();
    let mut writing = blocking(move || {
        Ok(Writing { file: Folder::create(&opened)?, digest: Sha256::new(), head: Vec::new() })
    })
    .await?;
    let (mut came, mut piece) = (0u64, BytesMut::new());
    loop {
        let earned = Duration::from_millis(came * 1_000 / LEAST_RATE);
        let Ok(chunk) = timeout_at(started + patience + earned, body.next()).await else {
            return Err(Error::new(Code::RequestTimeout, Code::RequestTimeout.meaning()));
        };
        let is_last = chunk.is_none();
        if let Some(chunk) = chunk {
            let chunk =
                chunk.map_err(|cause| mismatch("the content ended early".to_owned()).caused_by(cause))?;
            came += chunk.len() as u64;
            if came > size {
                let detail = format!("the content is longer than the {size} bytes that were announced");
                return Err(Error::new(Code::PayloadTooLarge, detail));
            }
            piece.extend_from_slice(&chunk);
        }
        if piece.len() >= PIECE || (is_last && !piece.is_empty()) {
            let bytes = piece.split().freeze();
            writing = blocking(move || writing.write(&bytes)).await?;
        }
        if is_last {
            break;
        }
    }
    if came < size {
        return Err(mismatch(format!("{came} bytes came, and {size} were announced")));
    }
    let path = path.to_owned();
    blocking(move || {
        Folder::settle(&writing.file, &path)?;
        let sha256 = writing.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Written { path, head: writing.head, sha256 })
    })
    .await
}

/// The attachment as it is, when what came is what it has.
async fn same_again(app: &App, row: &AttachmentRow, sha256: String) -> Result<AttachmentRow> {
    let (tenant, file) = (row.tenant_id, row.stored_file_id);
    let find = move |connection: &mut AnyConnection| match file {
        Some(file) => store::file(connection, tenant, file),
        None => Ok(None),
    };
    let had = app.db.read(find).await?.and_then(|file| file.sha256);
    match had == Some(sha256) {
        true => Ok(row.clone()),
        false => Err(mismatch("another content came before".to_owned())),
    }
}

/// What a written content is. Errors: `file_type_refused`, `payload_too_large`, `attachment_infected`, `scanner_unavailable`.
async fn inspect(
    app: &App,
    row: &AttachmentRow,
    folder: &Folder,
    file: StoredFileId,
    written: Written,
) -> Result<StoredFileRow> {
    let refused = || Error::new(Code::FileTypeRefused, Code::FileTypeRefused.meaning());
    let media_type = media::media_type(&written.head, &row.name).ok_or_else(refused)?;
    let is_picture = media::is_picture(media_type);
    let limit = app.settings.files.picture_limit;
    if is_picture && usize::try_from(row.size).is_ok_and(|size| size > limit) {
        return Err(Error::new(Code::PayloadTooLarge, format!("a picture has at most {limit} bytes")));
    }
    scan(app, written.path.clone()).await?;
    let picture = match is_picture {
        true => Some(look(app, written.path).await?.ok_or_else(refused)?),
        false => None,
    };
    let (width, height) = match &picture {
        Some(picture) => (Some(i64::from(picture.width)), Some(i64::from(picture.height))),
        None => (None, None),
    };
    let thumbnail = picture.and_then(|picture| picture.thumbnail);
    let thumbnail_type = thumbnail.as_ref().map(|thumbnail| thumbnail.media_type.to_owned());
    if let Some(thumbnail) = thumbnail {
        let path = folder.thumbnail(row.tenant_id, file);
        blocking(move || {
            let mut small = Folder::create(&path)?;
            small.write_all(&thumbnail.bytes).map_err(unwritable)?;
            Folder::settle(&small, &path)
        })
        .await?;
    }
    Ok(StoredFileRow {
        id: file,
        tenant_id: row.tenant_id,
        state: StoredFileState::Ready,
        sha256: Some(written.sha256),
        size: row.size,
        media_type: Some(media_type.to_owned()),
        width,
        height,
        thumbnail_type,
        created_at: row.created_at,
        sweep_at: None,
    })
}

/// Looks at a picture; `None` when it is none. Errors: `busy` when its turn does not come in time.
async fn look(app: &App, path: PathBuf) -> Result<Option<Picture>> {
    let Some(turn) = app.files.picture_turn().await else {
        return Err(Error::new(Code::Busy, "too many pictures are looked at").retry_after(2_000));
    };
    blocking(move || {
        let _turn = turn;
        Ok(picture::inspect(&path))
    })
    .await
}

/// Has a content scanned, where somebody scans.
async fn scan(app: &App, path: PathBuf) -> Result<()> {
    let Some(scanner) = app.files.scanner().cloned() else { return Ok(()) };
    match blocking(move || scanner.scan(&path)).await {
        Ok(Verdict::Clean) => Ok(()),
        Ok(Verdict::Found(name)) => {
            log::warn!(target: "deskwire::attachments", "the scanner found {name:?}");
            Err(Error::new(Code::AttachmentInfected, Code::AttachmentInfected.meaning()))
        }
        Err(error) if error.code == Code::ScannerUnavailable && app.settings.files.clamd_optional => Ok(()),
        Err(error) => Err(error),
    }
}

/// Lets a whole content count: as a file of its own, or as the equal one that is there.
async fn keep(app: &App, actor: Actor, id: AttachmentId, stored: StoredFileRow) -> Result<AttachmentRow> {
    let (now, limit) = (app.clock.now().0, app.settings.files.tenant_files_limit);
    let write = move |connection: &mut AnyConnection| {
        let used = store::hold_usage(connection, actor.tenant)?;
        let row = store::hold(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        if row.state != AttachmentState::Pending {
            return Err(mismatch("another content came at the same time".to_owned()));
        }
        let sha256 = stored.sha256.as_deref().unwrap_or_default();
        let file = match store::hold_equal(connection, actor.tenant, sha256)? {
            Some(equal) => equal,
            None => {
                quota(used, stored.size, limit)?;
                if !store::file_is_whole(connection, &stored)? {
                    return Err(Error::new(Code::RequestTimeout, "the upload took too long"));
                }
                store::add_usage(connection, actor.tenant, stored.size)?;
                stored.clone()
            }
        };
        let row = AttachmentRow {
            state: AttachmentState::Ready,
            stored_file_id: Some(file.id),
            media_type: file.media_type,
            width: file.width,
            height: file.height,
            has_thumbnail: file.thumbnail_type.is_some(),
            updated_at: now,
            ..row
        };
        store::is_ready(connection, &row)?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Fails with `quota_exceeded` when so many bytes more are too many for a tenant.
pub fn quota(used: i64, more: i64, limit: u64) -> Result<()> {
    let after = u64::try_from(used.saturating_add(more)).unwrap_or_default();
    if limit == 0 || after <= limit {
        return Ok(());
    }
    Err(Error::new(Code::QuotaExceeded, Code::QuotaExceeded.meaning())
        .with("bytes", used)
        .with("quota", limit))
}

/// Gives up what did not count; the sweep removes it. Whether it counted is decided by the store: an answer that did not come
/// in time says nothing.
async fn discard(app: &App, actor: Actor, file: StoredFileId) {
    let (tenant, now) = (actor.tenant, app.clock.now().0);
    let given_up = app.db.write(move |connection| store::abandon(connection, tenant, file, now)).await;
    if let Err(error) = given_up {
        log::debug!(target: "deskwire::attachments", "an upload that failed is cleaned up later: {error}");
    }
}
