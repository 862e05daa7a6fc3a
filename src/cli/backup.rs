//! `backup` and `restore` of the embedded database. Owns how a copy is made while the server runs and how one is
//! put back; servers have tools of their own, which are named.
//!
//! Invariant: after a restore the store has another epoch, so every client that knew more than the copy starts anew
//! instead of trusting a cursor into another history.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::{erasures, say, store};
use crate::db::connection::{Purpose, create_private};
use crate::db::instance::renew_epoch;
use crate::db::schema::instance;
use crate::db::{AnyConnection, DatabaseKind, Target, migrate};
use crate::kernel::{Clock, Code, Error, Result};
use crate::settings::Settings;

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write; it must not exist.
    file: PathBuf,

    #[command(flatten)]
    settings: Settings,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The copy to put in the database's place.
    #[arg(required_unless_present = "new_epoch", conflicts_with = "new_epoch")]
    file: Option<PathBuf>,

    /// Only give the store a new epoch: run this after a server database was restored with its own tools.
    #[arg(long)]
    new_epoch: bool,

    /// The list of erasures to do again (as `deskwire erasures` prints it); of the embedded database, the list beside it is
    /// taken when none is given.
    #[arg(long, value_name = "FILE")]
    erasures: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

/// Writes a copy of the database as of now.
pub fn backup(arguments: &Backup) -> Result<()> {
    let target = embedded(&arguments.settings)?;
    let file = &arguments.file;
    if file.exists() {
        return Err(refused(format!("{} exists already", file.display())));
    }
    if !Path::new(&target.address).exists() {
        return Err(refused(format!("there is no database at {}", target.address)));
    }
    // A copy that was cut short must not look like one, and goes whatever fails.
    let partial = Partial::create(beside(file, "partial"))?;
    let mut source = target.connect(Purpose::Write)?;
    let path = partial.file.to_str().ok_or_else(|| refused("the path of the file is not UTF-8"))?;
    source.batch_execute(&format!("VACUUM INTO '{}'", path.replace('\'', "''")))?;
    verify(&target, &partial.file)?;
    sync(&partial.file)?;
    fs::rename(&partial.file, file).map_err(|cause| failed(file, cause))?;
    say(format_args!("backup of {} written to {}", target.address, file.display()));
    let secrets = crate::security::secrets::path(&arguments.settings, &target);
    if secrets.exists() {
        say(format_args!("keep {} with it: without it identity keys cannot be read", secrets.display()));
    }
    Ok(())
}

/// A database file in the making: readable by its owner only, and removed with its side files when it is dropped.
/// Renaming the file keeps it.
struct Partial {
    file: PathBuf,
}

impl Partial {
    fn create(file: PathBuf) -> Result<Self> {
        parts(&file).iter().try_for_each(|part| remove(part))?;
        create_private(&file).map_err(|cause| failed(&file, cause))?;
        Ok(Self { file })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        for part in parts(&self.file) {
            // Nothing more can be done: the error that brought us here is told.
            let _ = remove(&part);
        }
    }
}

/// Puts a copy in the database's place, or only changes the epoch.
pub fn restore(arguments: &Restore) -> Result<()> {
    let Some(file) = &arguments.file else {
        let target = store::existing(&arguments.settings)?;
        let epoch = renew_epoch(&mut target.connect(Purpose::Write)?)?;
        say(format_args!("the epoch is now {epoch}: restart every server; clients start anew"));
        return erasures::replay(&arguments.settings, arguments.erasures.as_deref());
    };
    let target = embedded(&arguments.settings)?;
    let database = PathBuf::from(&target.address);
    verify(&target, file)?;
    ensure_unused(&target, &database)?;
    let fresh = Partial::create(beside(&database, "restoring"))?;
    copy(file, &fresh.file)?;
    let copy = Target { address: fresh.file.to_string_lossy().into_owned(), ..target.clone() };
    let epoch = {
        let mut connection = copy.connect(Purpose::Write)?;
        let epoch = renew_epoch(&mut connection)?;
        // Everything into the one file that is moved.
        connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?;
        connection.batch_execute("PRAGMA journal_mode = DELETE")?;
        epoch
    };
    sync(&fresh.file)?;
    let kept = put_aside(&database)?;
    fs::rename(&fresh.file, &database).map_err(|cause| failed(&database, cause))?;
    say(format_args!("{} restored from {}; its epoch is now {epoch}", database.display(), file.display()));
    if let Some(kept) = kept {
        say(format_args!("the former database is kept as {}", kept.display()));
    }
    erasures::replay(&arguments.settings, arguments.erasures.as_deref())
}

fn embedded(settings: &Settings) -> Result<Target> {
    let target = store::target(settings)?;
    let tools = match target.kind {
        DatabaseKind::Sqlite => return Ok(target),
        DatabaseKind::Postgresql => "pg_dump and pg_restore",
        DatabaseKind::Mysql => "mariadb-dump --single-transaction and mariadb",
    };
    Err(refused(format!(
        "this is for the embedded database; use {tools}, and after a restore `deskwire restore --new-epoch`"
    )))
}

/// Fails unless the file is a whole database of ours that this program understands.
fn verify(target: &Target, file: &Path) -> Result<()> {
    if !file.is_file() {
        return Err(refused(format!("there is no file {}", file.display())));
    }
    let target = Target { address: file.to_string_lossy().into_owned(), ..target.clone() };
    let mut connection = target.connect(Purpose::Write)?;
    let check = || refused(format!("{} is not a whole Deskwire database", file.display()));
    let rows: i64 = instance::table.count().get_result(&mut connection).map_err(|_| check())?;
    if rows != 1 || !integrity(&mut connection)? {
        return Err(check());
    }
    match migrate::is_known(&mut connection)? {
        true => Ok(()),
        false => Err(refused(format!("{} was written by a newer program", file.display()))),
    }
}

fn integrity(connection: &mut AnyConnection) -> Result<bool> {
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            let answer = diesel::dsl::sql::<diesel::sql_types::Text>(
                "SELECT integrity_check FROM pragma_integrity_check LIMIT 1",
            );
            let answer: String = answer.get_result(inner)?;
            Ok(answer == "ok")
        }
        #[allow(unreachable_patterns, reason = "reachable when a server is compiled in")]
        _ => Err(Error::internal("only the embedded database is checked here")),
    }
}

/// Fails while a server uses the database. Leaves it in one file.
fn ensure_unused(target: &Target, database: &Path) -> Result<()> {
    if !database.exists() {
        return Ok(());
    }
    // Leaving WAL mode needs every other connection to be gone.
    let mut connection = target.connect(Purpose::Write)?;
    ["PRAGMA busy_timeout = 500", "PRAGMA journal_mode = DELETE", "BEGIN EXCLUSIVE", "ROLLBACK"]
        .iter()
        .try_for_each(|statement| connection.batch_execute(statement))
        .map_err(|cause| {
            let detail = format!("{} is in use: stop the server first", database.display());
            Error::new(Code::Busy, detail).caused_by(cause)
        })
}

/// Moves the present database out of the way, if there is one.
fn put_aside(database: &Path) -> Result<Option<PathBuf>> {
    if !database.exists() {
        return Ok(None);
    }
    let kept = beside(database, &format!("before-restore-{}", Clock::default().now().0));
    fs::rename(database, &kept).map_err(|cause| failed(database, cause))?;
    Ok(Some(kept))
}

/// Copies the bytes into a file that exists, whose mode stays.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = fs::File::open(from).map_err(|cause| failed(from, cause))?;
    let mut copy = fs::OpenOptions::new().write(true).open(to).map_err(|cause| failed(to, cause))?;
    std::io::copy(&mut source, &mut copy).map_err(|cause| failed(to, cause))?;
    Ok(())
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn parts(database: &Path) -> [PathBuf; 3] {
    let with = |ending: &str| {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    [database.to_owned(), with("-wal"), with("-shm")]
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(failed(file, cause)),
        _ => Ok(()),
    }
}

fn sync(file: &Path) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|open| open.sync_all())
        .map_err(|cause| failed(file, cause))
}

fn failed(file: &Path, cause: std::io::Error) -> Error {
    Error::new(Code::StorageUnavailable, format!("{}: {cause}", file.display()))
}

fn refused(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidParameter, detail)
}
