//! Contents outside the database: the folder in which they are kept, what they are, small pictures of them, and their scanner.
//!
//! Owns how files lie in the folder and how much work on them one process does at a time. Does not own which contents there
//! are and who may read them (`attachments`): a file without a row in the store is never made, since the row comes first.
//! Functions of [`Folder`], [`picture`] and [`scan`] block.

pub mod media;
pub mod picture;
pub mod scan;

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::db::Target;
use crate::kernel::{Code, Error, MemberId, Result, StoredFileId, TenantId};
use crate::settings::FileSettings;
use scan::Scanner;

/// Uploads that one process takes at a time.
const UPLOADS: usize = 64;
/// Those of one member among them: so many slow ones keep nobody else out.
pub const MEMBER_UPLOADS: usize = 16;
/// Pictures that one process decodes at a time: each may take some 200 MiB.
const PICTURES: usize = 2;
/// How long an upload waits for its turn to have its picture decoded.
const PICTURE_WAIT: Duration = Duration::from_secs(10);

/// What the process knows of files. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Files {
    folder: Option<Folder>,
    scanner: Option<Scanner>,
    uploads: Arc<Semaphore>,
    uploading: Arc<Mutex<HashMap<MemberId, usize>>>,
    pictures: Arc<Semaphore>,
}

impl Files {
    /// The files of these settings. The folder is made when it is first written to.
    pub fn new(settings: &FileSettings, target: &Target) -> Result<Self> {
        let beside = || Path::new(&target.address).with_file_name("deskwire-files");
        let root = settings.files.clone().or_else(|| (!target.kind.is_server()).then(beside));
        Ok(Self {
            folder: root.map(|root| Folder::at(&root)),
            scanner: settings.clamd.as_deref().map(Scanner::at).transpose()?,
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            uploading: Arc::default(),
            pictures: Arc::new(Semaphore::new(PICTURES)),
        })
    }

    /// The folder. Errors: `attachments_off`.
    pub fn folder(&self) -> Result<&Folder> {
        self.folder.as_ref().ok_or_else(|| Error::new(Code::AttachmentsOff, Code::AttachmentsOff.meaning()))
    }

    /// Who scans contents, when somebody does.
    pub fn scanner(&self) -> Option<&Scanner> {
        self.scanner.as_ref()
    }

    /// A turn to take an upload of this member. Errors: `busy`; `rate_limited` when the member has too many under way.
    pub fn upload_turn(&self, member: MemberId) -> Result<UploadTurn> {
        let process = self.uploads.clone().try_acquire_owned().map_err(|_| {
            Error::new(Code::Busy, "this process takes as many uploads as it can").retry_after(2_000)
        })?;
        let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        let count = uploading.entry(member).or_default();
        if *count >= MEMBER_UPLOADS {
            let detail = format!("at most {MEMBER_UPLOADS} uploads of a member at a time");
            return Err(Error::new(Code::RateLimited, detail).retry_after(2_000));
        }
        *count += 1;
        Ok(UploadTurn { member, uploading: self.uploading.clone(), _process: process })
    }

    /// A turn to decode a picture; `None` when it does not come in time.
    pub async fn picture_turn(&self) -> Option<OwnedSemaphorePermit> {
        tokio::time::timeout(PICTURE_WAIT, self.pictures.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// The turn of an upload, until it is dropped.
#[derive(Debug)]
pub struct UploadTurn {
    member: MemberId,
    uploading: Arc<Mutex<HashMap<MemberId, usize>>>,
    _process: OwnedSemaphorePermit,
}

impl Drop for UploadTurn {
    fn drop(&mut self) {
        let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        let left = uploading.get(&self.member).map_or(0, |count| count.saturating_sub(1));
        match left {
            0 => drop(uploading.remove(&self.member)),
            left => drop(uploading.insert(self.member, left)),
        }
    }
}

/// The folder in which contents are kept: a folder for each tenant, and in it each content under the id of its stored file; a
/// folder for exports.
#[derive(Debug, Clone)]
pub struct Folder {
    root: Arc<Path>,
}

impl Folder {
    /// The folder at this path; it is made when it is first written to.
    pub fn at(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// Where a content lies.
    pub fn content(&self, tenant: TenantId, file: StoredFileId) -> PathBuf {
        self.root.join(tenant.to_string()).join(file.to_string())
    }

    /// Where the thumbnail of a picture lies.
    pub fn thumbnail(&self, tenant: TenantId, file: StoredFileId) -> PathBuf {
        self.content(tenant, file).with_extension("thumbnail")
    }

    /// Where exports lie, of all tenants.
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }

    /// Makes a new file that only the service's user reads. Errors: `storage_unavailable`.
    pub fn create(path: &Path) -> Result<File> {
        let mut folders = DirBuilder::new();
        folders.recursive(true);
        let mut file = OpenOptions::new();
        file.write(true).create_new(true);
        #[cfg(unix)]
        {
            std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
            std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        }
        let made = path.parent().map_or(Ok(()), |parent| folders.create(parent));
        made.and_then(|()| file.open(path)).map_err(unwritable)
    }

    /// Makes a written file outlast a loss of power, its name as well. Errors: `storage_unavailable`.
    pub fn settle(file: &File, path: &Path) -> Result<()> {
        let named = || path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all());
        file.sync_all().and_then(|()| named()).map_err(unwritable)
    }

    /// Removes a content and its thumbnail; what is not there is removed.
    pub fn remove(&self, tenant: TenantId, file: StoredFileId) -> io::Result<()> {
        for path in [self.thumbnail(tenant, file), self.content(tenant, file)] {
            match std::fs::remove_file(path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The folder cannot be written.
pub fn unwritable(cause: io::Error) -> Error {
    log::warn!(target: "deskwire::files", "the folder of files cannot be written: {cause}");
    Error::new(Code::StorageUnavailable, "the folder of files cannot be written")
        .retry_after(2_000)
        .caused_by(cause)
}
