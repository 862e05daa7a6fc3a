//! What database errors mean: the one place where three databases' messages are read. Diesel gives neither SQLSTATE
//! nor error number, only a few kinds; so every connection asks for English messages, and where the statement alone
//! says what an unnamed error means (a lock), its caller says so with [`lock_error`].

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::kernel::{Code, Error};

/// What a database error means for the one who holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DbErrorKind {
    /// Another transaction was in the way: the same work may succeed at once (deadlock, serialization, locks).
    Conflict,
    /// The connection is gone; whether the last statement took effect is unknown.
    Connection,
    /// The store cannot take writes (full disk, read-only, starting up).
    Storage,
    /// A unique index refused a row.
    Unique,
    /// Anything else: the statement itself.
    Statement,
}

/// Reads a Diesel error. The kinds that Diesel does not name are told by the databases' own messages
/// (PostgreSQL 40P01, 55P03, 57014, 57P0x, 53100; MySQL 1205, 1213, 2006, 2013, 1021; SQLite BUSY, FULL, IOERR).
pub fn error_kind(error: &DieselError) -> DbErrorKind {
    let DieselError::DatabaseError(kind, information) = error else {
        return match error {
            DieselError::BrokenTransactionManager => DbErrorKind::Connection,
            DieselError::RollbackErrorOnCommit { commit_error, .. } => error_kind(commit_error),
            _ => DbErrorKind::Statement,
        };
    };
    error_kind_of(kind, information.message())
}

fn error_kind_of(kind: &DatabaseErrorKind, message: &str) -> DbErrorKind {
    match kind {
        DatabaseErrorKind::UniqueViolation => return DbErrorKind::Unique,
        DatabaseErrorKind::SerializationFailure => return DbErrorKind::Conflict,
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
            return DbErrorKind::Connection;
        }
        DatabaseErrorKind::ReadOnlyTransaction => return DbErrorKind::Storage,
        _ => {}
    }
    let message = message.to_lowercase();
    let any = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if any(&[
        "deadlock",
        "lock wait timeout",
        "lock timeout",
        "database is locked",
        "statement timeout",
        "could not obtain lock",
        "record has changed since",
        "max_statement_time exceeded",
        "maximum statement execution time exceeded",
    ]) {
        DbErrorKind::Conflict
    } else if any(&[
        "server has gone away",
        "lost connection",
        "server closed the connection",
        "connection not open",
        "terminating connection",
        "connection was killed",
        "no connection to the server",
        "commands out of sync",
        "could not receive data",
        "could not send data",
        "connection refused",
        "broken pipe",
        "connection reset",
        "connection timed out",
        "is shutting down",
        "shutdown in progress",
    ]) {
        DbErrorKind::Connection
    } else if any(&[
        "disk is full",
        "disk full",
        "no space left",
        "disk i/o error",
        "readonly database",
        "read only",
        "read-only",
        "unable to open database",
        "could not extend file",
        "table is full",
        "the database system is",
    ]) {
        DbErrorKind::Storage
    } else {
        DbErrorKind::Statement
    }
}

/// Reads the error of a statement that does nothing but take locks: what Diesel does not name, in whatever language, is
/// a lock that was not given.
pub fn lock_error(error: DieselError) -> DieselError {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, information)
            if error_kind_of(&DatabaseErrorKind::Unknown, information.message())
                == DbErrorKind::Statement =>
        {
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, information)
        }
        other => other,
    }
}

impl From<DieselError> for Error {
    #[track_caller]
    fn from(cause: DieselError) -> Self {
        let error = match error_kind(&cause) {
            DbErrorKind::Conflict => Error::new(Code::Busy, Code::Busy.meaning()).retry_after(500),
            DbErrorKind::Connection | DbErrorKind::Storage => {
                Error::new(Code::StorageUnavailable, Code::StorageUnavailable.meaning()).retry_after(2_000)
            }
            DbErrorKind::Unique | DbErrorKind::Statement => Error::internal("a statement failed"),
        };
        error.caused_by(cause)
    }
}

impl Error {
    /// The database's part in this error, if it has one.
    pub fn error_kind(&self) -> Option<DbErrorKind> {
        self.source.as_ref()?.downcast_ref::<DieselError>().map(error_kind)
    }
}
