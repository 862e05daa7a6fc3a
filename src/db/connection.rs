//! One connection to one of three databases. Owns the choice by URL scheme, the settings that every connection
//! gets, and the mapping of database errors to ours. Does not own pools or transactions (`db`).

#[cfg(feature = "mysql")]
use diesel::MysqlConnection;
#[cfg(feature = "postgres")]
use diesel::PgConnection;
#[cfg(feature = "sqlite")]
use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;

use crate::kernel::{Code, Error, Result};

pub use any::AnyConnection;

mod any {
    #![allow(missing_docs, reason = "the derive makes public items without comments")]

    /// A connection to any of the databases that were compiled in.
    #[derive(diesel::MultiConnection)]
    pub enum AnyConnection {
        /// Embedded SQLite.
        #[cfg(feature = "sqlite")]
        Sqlite(diesel::SqliteConnection),
        /// PostgreSQL.
        #[cfg(feature = "postgres")]
        Postgresql(diesel::PgConnection),
        /// MySQL or MariaDB.
        #[cfg(feature = "mysql")]
        Mysql(diesel::MysqlConnection),
    }
}

impl AnyConnection {
    /// Which database it is of.
    pub const fn kind(&self) -> DatabaseKind {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => DatabaseKind::Sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgresql(_) => DatabaseKind::Postgresql,
            #[cfg(feature = "mysql")]
            Self::Mysql(_) => DatabaseKind::Mysql,
        }
    }

    /// Whether the database is a server that other processes may use at the same time.
    pub const fn is_server(&self) -> bool {
        self.kind().is_server()
    }
}

/// Which database a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// `sqlite:PATH`
    Sqlite,
    /// `postgres://` or `postgresql://`
    Postgresql,
    /// `mysql://` or `mariadb://`
    Mysql,
}

impl DatabaseKind {
    /// The name, as in the folders of `migrations`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
        }
    }

    /// Whether the database is a server that other processes may use at the same time.
    pub const fn is_server(self) -> bool {
        !matches!(self, Self::Sqlite)
    }

    const fn is_compiled(self) -> bool {
        match self {
            Self::Sqlite => cfg!(feature = "sqlite"),
            Self::Postgresql => cfg!(feature = "postgres"),
            Self::Mysql => cfg!(feature = "mysql"),
        }
    }
}

/// When a commit on SQLite counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Durability {
    /// After the disk has it (`synchronous=FULL`): survives power loss.
    #[default]
    Disk,
    /// After the operating system has it (`synchronous=NORMAL`): survives kill -9, not power loss.
    Process,
}

/// How long a server may take to take a connection and its settings.
#[cfg(any(feature = "postgres", feature = "mysql"))]
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
/// Connections that may be under way to a server that does not answer; beyond it none is tried.
#[cfg(any(feature = "postgres", feature = "mysql"))]
const LATE_CONNECTIONS: usize = 32;

/// Where the data is: a parsed `DATABASE_URL`.
#[derive(Clone)]
pub struct Target {
    /// Which database.
    pub kind: DatabaseKind,
    /// For SQLite the path of the file; for servers the URL as the client library takes it.
    pub address: String,
    /// How durable a SQLite commit is.
    pub durability: Durability,
}

/// Makes an empty file that only its owner may read and write. A file that exists stays as it is.
pub fn create_private(file: &std::path::Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(cause) if cause.kind() != std::io::ErrorKind::AlreadyExists => Err(cause),
        _ => Ok(()),
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reads only; on SQLite enforced by the connection itself.
    Read,
    /// Reads and writes.
    Write,
}

impl Target {
    /// Parses a `DATABASE_URL`. An unknown or uncompiled scheme is refused by name: guessing would quietly make an
    /// empty file where somebody mistyped the address of a server.
    pub fn parse(url: &str, durability: Durability) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(Error::new(
                Code::InvalidParameter,
                "DATABASE_URL has no scheme: use sqlite:PATH, postgres://… or mysql://…",
            ));
        };
        let kind = match scheme {
            "sqlite" | "file" => DatabaseKind::Sqlite,
            "postgres" | "postgresql" => DatabaseKind::Postgresql,
            "mysql" | "mariadb" => DatabaseKind::Mysql,
            _ => {
                return Err(Error::new(
                    Code::InvalidParameter,
                    format!("DATABASE_URL: unknown scheme {scheme:?}: use sqlite:, postgres: or mysql:"),
                ));
            }
        };
        if !kind.is_compiled() {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("DATABASE_URL: this program was built without {}", kind.name()),
            ));
        }
        let address = match kind {
            DatabaseKind::Sqlite => rest.strip_prefix("//").unwrap_or(rest).to_owned(),
            DatabaseKind::Postgresql => url.to_owned(),
            DatabaseKind::Mysql => format!("mysql:{rest}"),
        };
        if kind == DatabaseKind::Sqlite && (address.is_empty() || address.contains(":memory:")) {
            return Err(Error::new(
                Code::InvalidParameter,
                "DATABASE_URL: SQLite needs the path of a file, such as sqlite:deskwire.db",
            ));
        }
        Ok(Self { kind, address, durability })
    }

    /// The address for logs: of a server's URL only the host, the port and the database, because passwords stand in
    /// more than one place of it.
    pub fn display(&self) -> String {
        if !self.kind.is_server() {
            return self.address.clone();
        }
        let scheme = self.address.split(':').next().unwrap_or_default();
        let parsed = url::Url::parse(&self.address).ok();
        let host = parsed.as_ref().and_then(|url| url.host_str().map(|host| (url, host)));
        match host {
            Some((url, host)) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                let user = if url.username().is_empty() { "" } else { "…@" };
                format!("{scheme}://{user}{host}{port}{}", url.path())
            }
            None => format!("{scheme}://…"),
        }
    }

    /// Opens a connection and gives it its settings. Servers answer or fail within seconds.
    pub fn connect(&self, purpose: Purpose) -> Result<AnyConnection> {
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        if self.kind.is_server() {
            return self.connect_in_time(purpose);
        }
        self.connect_here(purpose)
    }

    fn connect_here(&self, purpose: Purpose) -> Result<AnyConnection> {
        let mut connection = self.establish()?;
        self.settings(purpose)
            .iter()
            .try_for_each(|statement| connection.batch_execute(statement))
            .map_err(Error::from)?;
        Ok(connection)
    }

    fn cannot_open(&self, cause: &dyn std::fmt::Display) -> Error {
        Error::new(Code::StorageUnavailable, "cannot open the database")
            .caused_by(format!("{}: {cause}", self.display()))
    }

    fn establish(&self) -> Result<AnyConnection> {
        #[allow(unused_imports, reason = "unused when no database is compiled in")]
        use diesel::Connection;
        // The address and the cause are for the log and the operator: answers show the detail only.
        let failed = |cause: diesel::ConnectionError| self.cannot_open(&cause);
        match self.kind {
            #[cfg(feature = "sqlite")]
            DatabaseKind::Sqlite => {
                // SQLite gives its side files the mode of the database. A folder that is missing is told below.
                match create_private(std::path::Path::new(&self.address)) {
                    Err(cause) if cause.kind() == std::io::ErrorKind::PermissionDenied => {
                        return Err(self.cannot_open(&cause));
                    }
                    _ => {}
                }
                SqliteConnection::establish(&self.address).map(AnyConnection::Sqlite).map_err(failed)
            }
            #[cfg(feature = "postgres")]
            DatabaseKind::Postgresql => {
                let url = with_default_option(&self.address, "connect_timeout", "5");
                // A machine that went silent is noticed while something is under way to it, and while it is waited for.
                let url = with_default_option(&url, "tcp_user_timeout", "10000");
                let url = with_default_option(&url, "keepalives_idle", "10");
                let url = with_default_option(&url, "keepalives_interval", "5");
                let url = with_default_option(&url, "keepalives_count", "2");
                PgConnection::establish(&url).map(AnyConnection::Postgresql).map_err(failed)
            }
            #[cfg(feature = "mysql")]
            DatabaseKind::Mysql => {
                MysqlConnection::establish(&self.address).map(AnyConnection::Mysql).map_err(failed)
            }
            #[allow(unreachable_patterns, reason = "reachable when a feature is off")]
            _ => Err(Error::internal("this database was not compiled in")),
        }
    }

    /// The client libraries would wait without end for a server that takes connections and says nothing, or falls
    /// silent while the settings are made. So a thread of its own opens the connection, and is left to itself when it
    /// is late.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    fn connect_in_time(&self, purpose: Purpose) -> Result<AnyConnection> {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static LATE: AtomicUsize = AtomicUsize::new(0);
        let silent = || {
            let detail = format!("{} takes connections and does not answer", self.display());
            Error::new(Code::StorageUnavailable, detail).retry_after(2_000)
        };
        if LATE.load(Ordering::Relaxed) >= LATE_CONNECTIONS {
            return Err(silent());
        }
        let target = self.clone();
        let (opened, result) = std::sync::mpsc::sync_channel(1);
        LATE.fetch_add(1, Ordering::Relaxed);
        let spawned = std::thread::Builder::new().name("db-connect".to_owned()).spawn(move || {
            let _ = opened.send(target.connect_here(purpose));
            LATE.fetch_sub(1, Ordering::Relaxed);
        });
        if let Err(cause) = spawned {
            LATE.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::internal("a thread for a connection did not start").caused_by(cause));
        }
        result.recv_timeout(CONNECT_TIMEOUT).unwrap_or_else(|_| Err(silent()))
    }

    fn settings(&self, purpose: Purpose) -> Vec<String> {
        match self.kind {
            DatabaseKind::Sqlite => {
                let synchronous = match self.durability {
                    Durability::Disk => "FULL",
                    Durability::Process => "NORMAL",
                };
                let mut statements = vec![
                    "PRAGMA busy_timeout = 10000".to_owned(),
                    "PRAGMA journal_mode = WAL".to_owned(),
                    format!("PRAGMA synchronous = {synchronous}"),
                    "PRAGMA foreign_keys = ON".to_owned(),
                    "PRAGMA temp_store = MEMORY".to_owned(),
                    "PRAGMA cache_size = -65536".to_owned(),
                    "PRAGMA mmap_size = 268435456".to_owned(),
                    // 32 MiB between checkpoints: with the default of 4 every other batch under load would copy
                    // the same hot pages into the file again.
                    "PRAGMA wal_autocheckpoint = 8192".to_owned(),
                    "PRAGMA journal_size_limit = 67108864".to_owned(),
                    // What is deleted or replaced is overwritten: an erasure leaves no words in free pages.
                    "PRAGMA secure_delete = ON".to_owned(),
                ];
                if purpose == Purpose::Read {
                    statements.push("PRAGMA query_only = ON".to_owned());
                }
                statements
            }
            DatabaseKind::Postgresql => {
                let mut statements = vec![
                    "SET default_transaction_isolation = 'read committed'".to_owned(),
                    "SET idle_in_transaction_session_timeout = '10s'".to_owned(),
                    "SET statement_timeout = '10s'".to_owned(),
                    "SET lock_timeout = '5s'".to_owned(),
                    "SET client_min_messages = 'warning'".to_owned(),
                    "SET timezone = 'UTC'".to_owned(),
                    // Errors that Diesel does not name are told by their text. Only some roles may set this; for the
                    // others `lock_tenants` knows a lock that was not given without reading.
                    "DO $$ BEGIN SET lc_messages = 'C'; EXCEPTION WHEN OTHERS THEN NULL; END $$".to_owned(),
                ];
                if purpose == Purpose::Read {
                    statements.push("SET default_transaction_read_only = on".to_owned());
                }
                statements
            }
            DatabaseKind::Mysql => {
                let mut statements = vec![
                    "SET NAMES utf8mb4 COLLATE utf8mb4_bin".to_owned(),
                    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'".to_owned(),
                    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
                    "SET SESSION innodb_lock_wait_timeout = 5".to_owned(),
                    "SET SESSION lc_messages = 'en_US'".to_owned(),
                    // Each for its own server; the other one takes it for a comment.
                    "/*M!100101 SET SESSION max_statement_time = 10 */".to_owned(),
                    "/*!50708 SET SESSION max_execution_time = 10000 */".to_owned(),
                ];
                if purpose == Purpose::Write {
                    // MariaDB ends a transaction that a stopped process left open; on MySQL the variable does not
                    // exist and an executable comment for MariaDB is skipped.
                    statements
                        .push("/*M!100300 SET SESSION idle_write_transaction_timeout = 10 */".to_owned());
                }
                statements
            }
        }
    }
}

#[cfg(feature = "postgres")]
fn with_default_option(url: &str, name: &str, value: &str) -> String {
    if url.contains(&format!("{name}=")) {
        return url.to_owned();
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{name}={value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_schemes_are_refused_by_name() {
        for url in ["postgress://x", "deskwire.db", "sqlite:", "sqlite::memory:"] {
            assert!(Target::parse(url, Durability::Disk).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_displayed() {
        let display = |address: &str| {
            let (kind, durability) = (DatabaseKind::Postgresql, Durability::Disk);
            Target { kind, address: address.into(), durability }.display()
        };
        assert_eq!(display("postgres://me:secret@host:5433/db"), "postgres://…@host:5433/db");
        assert_eq!(display("postgres://host/db?user=me&password=secret"), "postgres://host/db");
        for address in [
            "postgres://host/db?password=se@secret",
            "postgres://me:sec?ret@secret@host/db",
            "postgres://me:secret@/db",
            "postgres:///db?password=secret&host=/run",
            "postgres:secret",
            "postgres://me:secret#1@host/db",
        ] {
            assert!(!display(address).contains("ret"), "{}", display(address));
        }
    }
}
