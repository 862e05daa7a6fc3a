//! A database of its own for every test, cloned from a template that is migrated once per test process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use deskwire::db::connection::Purpose;
use deskwire::db::schema::group_message;
use deskwire::db::{AnyConnection, DatabaseKind, Durability, Target, migrate};
use deskwire::kernel::Result;
#[cfg(feature = "mysql")]
use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::{QueryDsl, RunQueryDsl};

use super::servers::{self, Server};

const TEMPLATE: &str = "deskwire_template";

/// A database that ends with this value.
pub struct TestDatabase {
    kind: DatabaseKind,
    /// As for `DATABASE_URL`.
    pub url: String,
    /// The name on its server.
    name: String,
    /// SQLite: where the file is.
    folder: Option<tempfile::TempDir>,
    /// Servers: where contents of attachments are kept.
    files: OnceLock<tempfile::TempDir>,
    /// Where the server is that holds it, unless it is the shared one.
    server: Option<Arc<Server>>,
}

impl TestDatabase {
    /// A migrated, otherwise empty database. The server must be there: see [`servers::available`].
    pub fn migrated(kind: DatabaseKind) -> Self {
        match kind {
            DatabaseKind::Sqlite => {
                let folder = tempfile::Builder::new().prefix("deskwire-test-").tempdir().unwrap();
                let file = folder.path().join("test.db");
                std::fs::write(&file, sqlite_template()).unwrap();
                let url = format!("sqlite:{}", file.display());
                Self {
                    kind,
                    url,
                    name: String::new(),
                    folder: Some(folder),
                    files: OnceLock::new(),
                    server: None,
                }
            }
            DatabaseKind::Postgresql | DatabaseKind::Mysql => {
                let server = servers::shared(kind).expect("the server's program is there");
                let name = clone_template(server);
                Self {
                    kind,
                    url: server.url(&name),
                    name,
                    folder: None,
                    files: OnceLock::new(),
                    server: None,
                }
            }
        }
    }

    /// A database without any table.
    pub fn empty(kind: DatabaseKind) -> Self {
        match kind {
            DatabaseKind::Sqlite => {
                let folder = tempfile::Builder::new().prefix("deskwire-test-").tempdir().unwrap();
                let url = format!("sqlite:{}", folder.path().join("test.db").display());
                Self {
                    kind,
                    url,
                    name: String::new(),
                    folder: Some(folder),
                    files: OnceLock::new(),
                    server: None,
                }
            }
            DatabaseKind::Postgresql | DatabaseKind::Mysql => {
                let server = servers::shared(kind).expect("the server's program is there");
                let name = next_name();
                create(server, &name, None);
                Self {
                    kind,
                    url: server.url(&name),
                    name,
                    folder: None,
                    files: OnceLock::new(),
                    server: None,
                }
            }
        }
    }

    /// A migrated database on a server of its own, for tests that stop or cut it.
    pub fn on(server: &Arc<Server>) -> Self {
        let name = next_name();
        create(server, &name, None);
        let url = server.url(&name);
        migrate::run_pending(&target(&url)).unwrap();
        Self {
            kind: server.kind(),
            url,
            name,
            folder: None,
            files: OnceLock::new(),
            server: Some(server.clone()),
        }
    }

    /// Which database.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The name of the database on its server; empty on SQLite.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SQLite: the folder that holds the file and what stands beside it.
    pub fn folder(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path().to_owned())
    }

    /// Where the processes on this database keep contents of attachments.
    pub fn files(&self) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.path().join("deskwire-files"),
            None => {
                let make = || tempfile::Builder::new().prefix("deskwire-files-").tempdir().unwrap();
                self.files.get_or_init(make).path().to_owned()
            }
        }
    }

    /// A connection beside those of the service, for looking at what is stored.
    pub fn connect(&self) -> AnyConnection {
        connect(&self.url).unwrap()
    }

    /// Waits until a load that another process makes is on: the log has entries. Fails after 60 s.
    pub fn under_load(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut connection = self.connect();
        loop {
            let entries: i64 = group_message::table.count().get_result(&mut connection).unwrap();
            if entries > 10 {
                return;
            }
            assert!(Instant::now() < deadline, "no load within 60 s");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = match &self.server {
            Some(own) => Some(own.as_ref()),
            None if self.kind.is_server() => servers::shared(self.kind),
            None => None,
        };
        if let Some(server) = server
            && let Ok(mut connection) = connect(&server.admin_url())
        {
            let force = if self.kind == DatabaseKind::Postgresql { " WITH (FORCE)" } else { "" };
            let _ = connection.batch_execute(&format!("DROP DATABASE IF EXISTS {}{force}", self.name));
        }
    }
}

/// What a URL names.
pub fn target(url: &str) -> Target {
    Target::parse(url, Durability::Process).unwrap()
}

/// Opens a connection that may write.
pub fn connect(url: &str) -> Result<AnyConnection> {
    target(url).connect(Purpose::Write)
}

fn next_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("deskwire_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The bytes of a migrated SQLite file.
fn sqlite_template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.db");
        let url = format!("sqlite:{}", file.display());
        migrate::run_pending(&target(&url)).unwrap();
        // Everything in one file, so that its bytes are the database.
        connect(&url).unwrap().batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        std::fs::read(file).unwrap()
    })
}

fn clone_template(server: &Server) -> String {
    // One at a time: PostgreSQL refuses to copy a database that somebody is connected to.
    static POSTGRESQL: Mutex<bool> = Mutex::new(false);
    let name = next_name();
    match server.kind() {
        DatabaseKind::Postgresql => {
            let mut made = POSTGRESQL.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if !*made {
                create(server, TEMPLATE, None);
                migrate::run_pending(&target(&server.url(TEMPLATE))).unwrap();
                *made = true;
            }
            create(server, &name, Some(TEMPLATE));
        }
        #[cfg(feature = "mysql")]
        DatabaseKind::Mysql => {
            // Declared by the database's own words, so that a clone costs one round trip and no migration.
            static MYSQL: Mutex<Option<String>> = Mutex::new(None);
            let mut script = MYSQL.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let script = script.get_or_insert_with(|| {
                create(server, TEMPLATE, None);
                migrate::run_pending(&target(&server.url(TEMPLATE))).unwrap();
                dump(server)
            });
            create(server, &name, None);
            connect(&server.url(&name)).unwrap().batch_execute(script).unwrap();
        }
        kind => panic!("{} has no server", kind.name()),
    }
    name
}

fn create(server: &Server, name: &str, template: Option<&str>) {
    let mut connection = connect(&server.admin_url()).unwrap();
    let statement = match template {
        Some(template) => format!("CREATE DATABASE {name} TEMPLATE {template}"),
        None => format!("CREATE DATABASE {name}"),
    };
    // A backend of PostgreSQL ends a moment after its client has gone.
    for _ in 0..100 {
        match connection.batch_execute(&statement) {
            Ok(()) => return,
            Err(error) if error.to_string().contains("being accessed by other users") => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Err(error) => panic!("{statement}: {error}"),
        }
    }
    panic!("{statement}: the template stays in use");
}

/// The statements that make MariaDB's template again, table by table.
#[cfg(feature = "mysql")]
fn dump(server: &Server) -> String {
    use diesel::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    #[derive(diesel::QueryableByName)]
    struct Definition {
        #[diesel(sql_type = diesel::sql_types::Text, column_name = "Create Table")]
        text: String,
    }
    let mut connection = diesel::MysqlConnection::establish(&server.url(TEMPLATE)).unwrap();
    let tables: Vec<Name> = diesel::sql_query(format!(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = '{TEMPLATE}'"
    ))
    .load(&mut connection)
    .unwrap();
    let mut script = "SET foreign_key_checks = 0;".to_owned();
    for Name { name } in tables {
        let definition: Definition =
            diesel::sql_query(format!("SHOW CREATE TABLE {name}")).get_result(&mut connection).unwrap();
        script.push_str(&definition.text);
        script.push_str(&format!(";INSERT INTO {name} SELECT * FROM {TEMPLATE}.{name};"));
    }
    script.push_str("SET foreign_key_checks = 1;");
    script
}
