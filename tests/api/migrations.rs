//! The three sets of migrations: reversible, and equal in names, tables and columns to `src/db/schema.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deskwire::db::{AnyConnection, DatabaseKind, migrate};
use deskwire::kernel::Code;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::harness::database::target;
use crate::harness::{TestDatabase, servers};

on_every_database! {
    /// A migration that cannot be taken back, or not be applied again, is found here and not in a bad night.
    fn they_go_up_and_down_and_up_again(kind: DatabaseKind) {
        let database = TestDatabase::empty(kind);
        let target = target(&database.url);
        let first = migrate::run_pending(&target).unwrap();
        assert!(!first.is_empty());
        let before = columns(&mut database.connect());
        assert!(migrate::run_pending(&target).unwrap().is_empty(), "a second run finds nothing to do");
        let reverted = migrate::revert_all(&target).unwrap();
        assert_eq!(reverted.len(), first.len());
        assert_eq!(columns(&mut database.connect()), BTreeMap::new(), "down leaves a table behind");
        assert_eq!(migrate::run_pending(&target).unwrap(), first);
        assert_eq!(columns(&mut database.connect()), before);
        assert!(migrate::pending(&mut database.connect()).unwrap().is_empty());
    }

    /// Diesel trusts `src/db/schema.rs`; this says that it may.
    fn the_schema_file_describes_the_migrated_store(kind: DatabaseKind) {
        let database = TestDatabase::migrated(kind);
        assert_eq!(columns(&mut database.connect()), schema_file());
    }

    /// Processes that start together race for the migrations: one applies them, the others find them applied.
    fn processes_that_start_together_apply_them_once(kind: DatabaseKind) {
        let database = TestDatabase::empty(kind);
        let known = migrate::pending(&mut database.connect()).unwrap().len();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let target = target(&database.url);
                std::thread::spawn(move || migrate::run_pending(&target).unwrap().len())
            })
            .collect();
        let applied: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(applied, known);
    }
}

/// A process that migrates keeps the others out for as long as it takes: they give up, and apply nothing.
fn nobody_migrates_beside_another(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    let database = TestDatabase::empty(kind);
    let target = target(&database.url);
    let mut other = database.connect();
    let lock = match kind {
        DatabaseKind::Sqlite => "BEGIN IMMEDIATE".to_owned(),
        DatabaseKind::Postgresql => format!("SELECT pg_advisory_lock({})", 0x6465_736b_7769_7265_i64),
        DatabaseKind::Mysql => "DO GET_LOCK(CONCAT('deskwire.migrations.', MD5(DATABASE())), 1)".to_owned(),
    };
    other.batch_execute(&lock).unwrap();
    let refused = migrate::run_pending_within(&target, Duration::from_secs(1)).unwrap_err();
    assert_eq!(refused.code, Code::Busy, "{refused}");
    drop(other);
    assert_eq!(columns(&mut database.connect()), BTreeMap::new());
    assert!(!migrate::run_pending(&target).unwrap().is_empty());
}

#[cfg(feature = "sqlite")]
#[test]
fn nobody_migrates_beside_another_on_sqlite() {
    nobody_migrates_beside_another(DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn nobody_migrates_beside_another_on_postgresql() {
    nobody_migrates_beside_another(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn nobody_migrates_beside_another_on_mysql() {
    nobody_migrates_beside_another(DatabaseKind::Mysql);
}

/// Diesel knows a migration by its number alone: of two with one number it would leave one out, silently.
#[test]
fn every_migration_has_a_number_of_its_own() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let names = |folder: &str| {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<String>>()
    };
    let sqlite = names("sqlite");
    let numbers: BTreeSet<&str> = sqlite.iter().filter_map(|name| name.split('_').next()).collect();
    assert_eq!(numbers.len(), sqlite.len(), "two migrations have one number: {sqlite:?}");
    assert_eq!((names("postgresql"), names("mysql")), (sqlite.clone(), sqlite));
}

/// Which error it is does not depend on the language in which the server tells it.
#[cfg(feature = "mysql")]
#[test]
fn a_lock_that_is_not_given_is_known_in_every_language() {
    use deskwire::db::error_kind::error_kind;
    if !servers::available(DatabaseKind::Mysql) {
        return;
    }
    let server = std::sync::Arc::new(servers::Server::start(DatabaseKind::Mysql).unwrap());
    let database = TestDatabase::on(&server);
    database.connect().batch_execute("SET GLOBAL lc_messages = 'de_DE'").unwrap();
    let (mut holder, mut other) = (database.connect(), database.connect());
    holder.batch_execute("INSERT INTO tenant_log VALUES (1, 1)").unwrap();
    holder.batch_execute("BEGIN").unwrap();
    holder.batch_execute("UPDATE tenant_log SET rev = 2").unwrap();
    other.batch_execute("SET SESSION innodb_lock_wait_timeout = 1").unwrap();
    let refused = other.batch_execute("UPDATE tenant_log SET rev = 3").unwrap_err();
    assert_eq!(error_kind(&refused), deskwire::db::DbErrorKind::Conflict, "{refused}");
}

/// The folders of `migrations` hold the same names, each with both directions.
#[test]
fn the_three_sets_have_equal_names() {
    let names = |set: &str| -> BTreeSet<String> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(set);
        let mut names = BTreeSet::new();
        for one in std::fs::read_dir(folder).unwrap() {
            let one = one.unwrap().path();
            assert!(one.join("up.sql").is_file() && one.join("down.sql").is_file(), "{}", one.display());
            names.insert(one.file_name().unwrap().to_string_lossy().into_owned());
        }
        names
    };
    assert_eq!(names("sqlite"), names("postgresql"));
    assert_eq!(names("sqlite"), names("mysql"));
}

#[derive(diesel::QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Every table of the store with its columns, in the order of the store.
pub fn columns(connection: &mut AnyConnection) -> BTreeMap<String, Vec<String>> {
    let information = |schema: &str| {
        format!(
            "SELECT table_name AS \"table\", column_name AS name FROM information_schema.columns \
             WHERE table_schema = {schema} ORDER BY table_name, ordinal_position"
        )
    };
    let rows: Vec<Column> = match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => diesel::sql_query(
            "SELECT m.name AS \"table\", c.name AS name FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid",
        )
        .load(inner)
        .unwrap(),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => {
            diesel::sql_query(information("current_schema()")).load(inner).unwrap()
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => {
            diesel::sql_query(information("database()").replace('"', "`")).load(inner).unwrap()
        }
    };
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Column { table, name } in rows {
        tables.entry(table).or_default().push(name);
    }
    tables.remove("__diesel_schema_migrations");
    tables
}

/// The tables and columns that `src/db/schema.rs` and its parts declare.
fn schema_file() -> BTreeMap<String, Vec<String>> {
    let text = concat!(
        include_str!("../../src/db/schema.rs"),
        include_str!("../../src/db/schema/attributes.rs"),
        include_str!("../../src/db/schema/centre.rs"),
        include_str!("../../src/db/schema/desk.rs"),
        include_str!("../../src/db/schema/reports.rs"),
        include_str!("../../src/db/schema/sla.rs")
    );
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with('{')) {
            current = Some(name.to_owned());
            tables.insert(name.to_owned(), Vec::new());
        } else if let (Some(table), Some((column, _))) = (&current, line.split_once(" -> ")) {
            tables.get_mut(table).unwrap().push(column.to_owned());
        } else if line == "}" {
            current = None;
        }
    }
    tables
}
