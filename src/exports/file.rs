//! The files of exports in the folder of files: one for each owner that an export had, under its id and the owner's fence. All
//! functions block.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::files::Folder;
use crate::kernel::ExportId;

/// How the names of files end.
const ENDING: &str = ".jsonl.gz";

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is on the disk.
    Whole,
    /// What was written before is not there any more.
    Lost,
}

/// A file in the folder of exports.
#[derive(Debug)]
pub struct Found {
    /// The export.
    pub id: ExportId,
    /// Of which owner.
    pub fence: i64,
    /// When it was last written.
    pub modified: SystemTime,
    path: PathBuf,
}

/// Where the file of an export's owner lies.
pub fn path(folder: &Folder, id: ExportId, fence: i64) -> PathBuf {
    folder.exports().join(format!("{id}-{fence}{ENDING}"))
}

/// One member of gzip.
pub fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::default());
    encoder.write_all(text)?;
    encoder.finish()
}

/// Writes behind the first bytes of a file; what stood there goes. At 0 the file is made.
pub fn append(folder: &Folder, id: ExportId, fence: i64, at: i64, bytes: &[u8]) -> io::Result<Written> {
    let path = path(folder, id, fence);
    let mut file = match at {
        0 => {
            removed(fs::remove_file(&path))?;
            let made = Folder::create(&path).map_err(|error| io::Error::other(error.to_string()))?;
            Folder::settle(&made, &path).map_err(|error| io::Error::other(error.to_string()))?;
            made
        }
        _ => match OpenOptions::new().write(true).open(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Written::Lost),
            opened => opened?,
        },
    };
    let at = u64::try_from(at).unwrap_or_default();
    if file.metadata()?.len() < at {
        return Ok(Written::Lost);
    }
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    file.sync_data()?;
    Ok(Written::Whole)
}

/// Copies what an owner wrote to the file of the next one, so that the former, should it go on, spoils nothing.
pub fn adopt(folder: &Folder, id: ExportId, (from, to): (i64, i64), bytes: i64) -> io::Result<Written> {
    let source = match File::open(path(folder, id, from)) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Written::Lost),
        opened => opened?,
    };
    let bytes = u64::try_from(bytes).unwrap_or_default();
    let path = path(folder, id, to);
    removed(fs::remove_file(&path))?;
    let mut target = Folder::create(&path).map_err(|error| io::Error::other(error.to_string()))?;
    let copied = io::copy(&mut source.take(bytes), &mut target)?;
    Folder::settle(&target, &path).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(if copied == bytes { Written::Whole } else { Written::Lost })
}

/// The files that there are.
pub fn all(folder: &Folder) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(folder.exports()) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let named = name.to_str().and_then(|name| name.strip_suffix(ENDING)?.split_once('-'));
        let Some((Ok(id), Ok(fence))) = named.map(|(id, fence)| (id.parse(), fence.parse())) else {
            continue;
        };
        let modified = match entry.metadata() {
            // Somebody else removed it.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?.modified()?,
        };
        found.push(Found { id, fence, modified, path: entry.path() });
    }
    Ok(found)
}

impl Found {
    /// Removes it; what is not there is removed.
    pub fn remove(&self) -> io::Result<()> {
        removed(fs::remove_file(&self.path))
    }
}

/// Removes every file of an export but that of this owner.
pub fn remove(folder: &Folder, id: ExportId, but: Option<i64>) -> io::Result<()> {
    all(folder)?.iter().filter(|file| file.id == id && Some(file.fence) != but).try_for_each(Found::remove)
}

fn removed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const ID: ExportId = ExportId(7);

    /// A folder and what is appended to the export's first file.
    fn begun() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::at(place.path());
        assert_eq!(append(&folder, ID, 1, 0, b"first").unwrap(), Written::Whole);
        (place, folder)
    }

    #[test]
    fn what_was_written_and_not_stored_is_replaced() {
        let (_place, folder) = begun();
        assert_eq!(append(&folder, ID, 1, 5, b", a long second").unwrap(), Written::Whole);
        assert_eq!(append(&folder, ID, 1, 5, b", short").unwrap(), Written::Whole);
        assert_eq!(fs::read(path(&folder, ID, 1)).unwrap(), b"first, short");
        assert_eq!(append(&folder, ID, 1, 0, b"anew").unwrap(), Written::Whole);
        assert_eq!(fs::read(path(&folder, ID, 1)).unwrap(), b"anew");
    }

    #[test]
    fn a_file_that_lacks_what_was_stored_is_lost() {
        let (_place, folder) = begun();
        assert_eq!(append(&folder, ID, 1, 6, b"more").unwrap(), Written::Lost);
        assert_eq!(append(&folder, ID, 2, 5, b"more").unwrap(), Written::Lost);
        assert_eq!(adopt(&folder, ID, (1, 2), 6).unwrap(), Written::Lost);
        assert_eq!(adopt(&folder, ID, (3, 2), 5).unwrap(), Written::Lost);
    }

    #[test]
    fn the_next_owner_has_what_was_stored_and_the_former_spoils_nothing() {
        let (_place, folder) = begun();
        append(&folder, ID, 1, 5, b" garbage").unwrap();
        assert_eq!(adopt(&folder, ID, (1, 2), 5).unwrap(), Written::Whole);
        append(&folder, ID, 1, 5, b" late").unwrap();
        append(&folder, ID, 2, 5, b" second").unwrap();
        assert_eq!(fs::read(path(&folder, ID, 2)).unwrap(), b"first second");
        remove(&folder, ID, Some(2)).unwrap();
        assert_eq!(all(&folder).unwrap().iter().map(|file| file.fence).collect::<Vec<_>>(), [2]);
    }
}
