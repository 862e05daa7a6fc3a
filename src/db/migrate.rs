//! Migrations: three embedded sets with equal names, applied under a lock so that processes that start together
//! do not race. Invariant: without the lock nothing is applied.

use std::time::Duration;

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{AnyConnection, Purpose, Target};
use crate::kernel::{Error, Result};

#[cfg(feature = "sqlite")]
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
#[cfg(feature = "postgres")]
const POSTGRESQL: EmbeddedMigrations = embed_migrations!("migrations/postgresql");
#[cfg(feature = "mysql")]
const MYSQL: EmbeddedMigrations = embed_migrations!("migrations/mysql");

/// Any 64-bit number that no other program uses on this server.
#[cfg(feature = "postgres")]
const LOCK: i64 = 0x6465_736b_7769_7265;

/// How long a process waits for another one that migrates.
const PATIENCE: Duration = Duration::from_secs(60);

/// Applies what is pending and returns the names that were applied.
pub fn run_pending(target: &Target) -> Result<Vec<String>> {
    run_pending_within(target, PATIENCE)
}

/// [`run_pending`], with another patience for a process that migrates already. Errors: `busy` when it is over.
pub fn run_pending_within(target: &Target, patience: Duration) -> Result<Vec<String>> {
    with_lock(target, patience, |connection| {
        let ran = match connection {
            #[cfg(feature = "sqlite")]
            AnyConnection::Sqlite(inner) => names(inner.run_pending_migrations(SQLITE)),
            #[cfg(feature = "postgres")]
            AnyConnection::Postgresql(inner) => names(inner.run_pending_migrations(POSTGRESQL)),
            #[cfg(feature = "mysql")]
            AnyConnection::Mysql(inner) => names(inner.run_pending_migrations(MYSQL)),
        };
        ran.map_err(|cause| Error::internal("a migration failed").caused_by(cause))
    })
}

/// Takes back everything, newest first, and returns the names.
pub fn revert_all(target: &Target) -> Result<Vec<String>> {
    with_lock(target, PATIENCE, |connection| {
        let reverted = match connection {
            #[cfg(feature = "sqlite")]
            AnyConnection::Sqlite(inner) => names(inner.revert_all_migrations(SQLITE)),
            #[cfg(feature = "postgres")]
            AnyConnection::Postgresql(inner) => names(inner.revert_all_migrations(POSTGRESQL)),
            #[cfg(feature = "mysql")]
            AnyConnection::Mysql(inner) => names(inner.revert_all_migrations(MYSQL)),
        };
        reverted.map_err(|cause| Error::internal("a migration could not be reverted").caused_by(cause))
    })
}

/// Names of the migrations that this program knows and the store has not.
pub fn pending(connection: &mut AnyConnection) -> Result<Vec<String>> {
    let pending = match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            inner.pending_migrations(SQLITE).map(|all| all.iter().map(|one| one.name().to_string()).collect())
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => inner
            .pending_migrations(POSTGRESQL)
            .map(|all| all.iter().map(|one| one.name().to_string()).collect()),
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => {
            inner.pending_migrations(MYSQL).map(|all| all.iter().map(|one| one.name().to_string()).collect())
        }
    };
    pending.map_err(|cause| Error::internal("the migrations cannot be listed").caused_by(cause))
}

/// Whether any migration is applied.
pub fn has_any(connection: &mut AnyConnection) -> Result<bool> {
    // Makes the table of migrations where there is none yet.
    pending(connection)?;
    Ok(!applied_and_known(connection)?.0.is_empty())
}

/// Whether every migration of this program is applied; works on connections that may only read.
pub fn is_current(connection: &mut AnyConnection) -> Result<bool> {
    let (applied, known) = applied_and_known(connection)?;
    Ok(known.iter().all(|version| applied.contains(version)))
}

/// Whether this program knows every migration that is applied: `false` means that a newer one was here.
pub fn is_known(connection: &mut AnyConnection) -> Result<bool> {
    let (applied, known) = applied_and_known(connection)?;
    Ok(applied.iter().all(|version| known.contains(version)))
}

fn applied_and_known(connection: &mut AnyConnection) -> Result<(Vec<String>, Vec<String>)> {
    diesel::table! {
        #[sql_name = "__diesel_schema_migrations"]
        applied (version) { version -> Text, }
    }
    let applied: Vec<String> = diesel::QueryDsl::select(applied::table, applied::version).load(connection)?;
    let known = match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(_) => versions::<diesel::sqlite::Sqlite>(&SQLITE),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(_) => versions::<diesel::pg::Pg>(&POSTGRESQL),
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => versions::<diesel::mysql::Mysql>(&MYSQL),
    };
    Ok((applied, known))
}

fn versions<DB: diesel::backend::Backend>(set: &EmbeddedMigrations) -> Vec<String> {
    use diesel::migration::MigrationSource;
    let all = MigrationSource::<DB>::migrations(set).unwrap_or_default();
    all.iter().map(|one| one.name().version().to_string()).collect()
}

type Ran<'a> = diesel::migration::Result<Vec<diesel::migration::MigrationVersion<'a>>>;

fn names(ran: Ran<'_>) -> diesel::migration::Result<Vec<String>> {
    Ok(ran?.iter().map(ToString::to_string).collect())
}

fn with_lock<T>(
    target: &Target,
    patience: Duration,
    work: impl FnOnce(&mut AnyConnection) -> Result<T>,
) -> Result<T> {
    let mut connection = target.connect(Purpose::Write)?;
    lock(&mut connection, patience)?;
    let done = work(&mut connection);
    unlock(&mut connection, done.is_ok())?;
    done
}

fn lock(connection: &mut AnyConnection, patience: Duration) -> Result<()> {
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            use diesel::connection::AnsiTransactionManager;
            inner.batch_execute(&format!("PRAGMA busy_timeout = {}", patience.as_millis()))?;
            AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE")?;
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => {
            let patience = patience.as_millis();
            inner
                .batch_execute(&format!("SET lock_timeout = {patience}; SET statement_timeout = '10min'"))?;
            let locked = diesel::sql_query(format!("SELECT pg_advisory_lock({LOCK})")).execute(inner);
            locked.map_err(super::error_kind::lock_error)?;
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => {
            use diesel::sql_types::{BigInt, Nullable};
            #[derive(diesel::QueryableByName)]
            struct Lock {
                #[diesel(sql_type = Nullable<BigInt>)]
                taken: Option<i64>,
            }
            inner.batch_execute("SET SESSION innodb_lock_wait_timeout = 60")?;
            inner.batch_execute("/*M!100101 SET SESSION max_statement_time = 600 */")?;
            inner.batch_execute("/*!50708 SET SESSION max_execution_time = 600000 */")?;
            // Such locks are the whole server's, so the name holds the database's.
            let lock: Lock = diesel::sql_query(format!(
                "SELECT CAST(GET_LOCK(CONCAT('deskwire.migrations.', MD5(DATABASE())), {}) AS SIGNED) AS taken",
                patience.as_secs()
            ))
            .get_result(inner)?;
            if lock.taken != Some(1) {
                let detail = "another process migrates this database; try again when it is done";
                return Err(Error::new(crate::kernel::Code::Busy, detail).retry_after(5_000));
            }
        }
    }
    Ok(())
}

fn unlock(connection: &mut AnyConnection, keep: bool) -> Result<()> {
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            use diesel::connection::{AnsiTransactionManager, TransactionManager};
            if keep {
                AnsiTransactionManager::commit_transaction(inner)?;
            } else {
                AnsiTransactionManager::rollback_transaction(inner)?;
            }
        }
        // The servers' locks end with the connection, which is dropped by the caller.
        #[allow(unreachable_patterns, reason = "reachable when a server is compiled in")]
        _ => {
            let _ = keep;
        }
    }
    Ok(())
}
