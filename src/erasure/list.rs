//! The list of erasures beside the embedded database: a line of JSON for each, ids and times only. It is no part of a backup,
//! so that a restore knows what was erased after the backup was made.
//!
//! Server databases have no such file: `deskwire erasures` prints the same lines. Functions that touch the file block.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::db::Target;
use crate::domain::erasure::{ErasureRow, ErasureState};
use crate::kernel::{Code, ErasureId, Error, MemberId, Result, TenantId};

/// A line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The erasure.
    pub id: ErasureId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Whose data.
    pub member_id: MemberId,
    /// When it was asked for last, unix milliseconds.
    pub requested_at: i64,
}

impl From<&ErasureRow> for Listed {
    fn from(row: &ErasureRow) -> Self {
        let ErasureRow { id, tenant_id, member_id, requested_at, .. } = *row;
        Self { id, tenant_id, member_id, requested_at }
    }
}

impl Listed {
    /// The erasure that a restore begins.
    pub(super) fn row(self) -> ErasureRow {
        self.row_of(self.id)
    }

    /// The same under the id of an erasure that is there.
    pub(super) fn row_of(self, id: ErasureId) -> ErasureRow {
        ErasureRow {
            id,
            tenant_id: self.tenant_id,
            member_id: self.member_id,
            state: ErasureState::Running,
            requested_by: None,
            requested_at: self.requested_at,
            finished_at: None,
            receipt: "{}".to_owned(),
        }
    }
}

/// Where the list of a database is; `None` for a server database.
pub fn path(target: &Target) -> Option<PathBuf> {
    (!target.kind.is_server()).then(|| PathBuf::from(format!("{}.erasures.jsonl", target.address)))
}

/// Reads a list. One that is not there is empty; the end of a line that was cut short by a death is passed over.
pub fn read(path: &Path) -> Result<Vec<Listed>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(failed(path, cause)),
    };
    let mut all: Vec<Listed> = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|cause| failed(path, cause))?;
        if let Ok(listed) = serde_json::from_str(&line) {
            all.push(listed);
        }
    }
    Ok(all)
}

/// Adds an erasure that is not in the list, and makes it outlast a loss of power.
pub fn add(path: &Path, listed: Listed) -> Result<()> {
    if read(path)?.contains(&listed) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|cause| failed(path, cause))?;
    let line = serde_json::to_string(&listed).unwrap_or_default();
    // In one piece, behind whatever a death left of the line before.
    let written = file.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|cause| failed(path, cause))
}

fn failed(path: &Path, cause: std::io::Error) -> Error {
    Error::new(Code::StorageUnavailable, format!("{}: {cause}", path.display())).caused_by(cause)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_list_survives_a_line_that_was_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        assert_eq!(read(&path).unwrap(), []);
        let one =
            Listed { id: ErasureId(1), tenant_id: TenantId(2), member_id: MemberId(3), requested_at: 4 };
        add(&path, one).unwrap();
        add(&path, one).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":\"9").unwrap();
        let other = Listed { id: ErasureId(5), ..one };
        add(&path, other).unwrap();
        assert_eq!(read(&path).unwrap(), [one, other]);
    }
}
