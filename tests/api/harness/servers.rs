//! Database servers of the tests' own: PostgreSQL and MariaDB, each on a free port in a temporary folder.
//!
//! Invariants: nothing outlives the test process, however it ends (a watchdog kills the server and removes the
//! folder when the pipe to the test process closes); both servers refuse to run as root, so there they run as an
//! unprivileged user; a server whose program is absent is skipped, unless `DESKWIRE_TEST_REQUIRE` names it.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use deskwire::db::DatabaseKind;

/// How long a server may take to answer after its start.
const START: Duration = Duration::from_secs(30);

/// A running database server. Dropping it stops it and removes its data.
pub struct Server {
    kind: DatabaseKind,
    port: u16,
    folder: PathBuf,
    process: Mutex<Child>,
    watchdog: Child,
}

/// The server that all tests of this process share; `None` when its program is absent.
pub fn shared(kind: DatabaseKind) -> Option<&'static Server> {
    static POSTGRESQL: OnceLock<Option<Server>> = OnceLock::new();
    static MYSQL: OnceLock<Option<Server>> = OnceLock::new();
    match kind {
        DatabaseKind::Sqlite => None,
        DatabaseKind::Postgresql => POSTGRESQL.get_or_init(|| Server::start(kind)).as_ref(),
        DatabaseKind::Mysql => MYSQL.get_or_init(|| Server::start(kind)).as_ref(),
    }
}

/// Whether tests can run on this database; says so when they cannot.
pub fn available(kind: DatabaseKind) -> bool {
    if kind == DatabaseKind::Sqlite || programs(kind).is_some() {
        return true;
    }
    let required = std::env::var("DESKWIRE_TEST_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|one| one.trim() == kind.name()),
        "DESKWIRE_TEST_REQUIRE names {}, but its server program is not installed",
        kind.name()
    );
    eprintln!("SKIPPED: no server program for {} is installed", kind.name());
    false
}

impl Server {
    /// Makes a data folder and starts a server on it; `None` when the program is absent.
    #[expect(clippy::zombie_processes, reason = "the watchdog is waited for when the server is dropped")]
    pub fn start(kind: DatabaseKind) -> Option<Self> {
        let (install, serve) = programs(kind)?;
        let mut temporary = tempfile::Builder::new();
        let temporary = temporary.prefix("deskwire-test-");
        let folder = match memory() {
            Some(memory) => temporary.tempdir_in(memory),
            None => temporary.tempdir(),
        };
        let folder = folder.unwrap().keep();
        let user = unprivileged_user(kind);
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let watchdog = watchdog(kind, &folder);
        let mut command = as_user(&install, user, &folder);
        match kind {
            DatabaseKind::Postgresql => command
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
                .arg("--pgdata")
                .arg(folder.join("data")),
            _ => command
                .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
                .arg(format!("--datadir={}", folder.join("data").display())),
        };
        let made = command.stdout(log(&folder, "install.log")).stderr(log(&folder, "install.err")).status();
        assert!(
            made.is_ok_and(|status| status.success()),
            "{}",
            tail(&folder, &["install.log", "install.err"])
        );
        std::fs::write(
            folder.join("init.sql"),
            "CREATE USER IF NOT EXISTS 'deskwire'@'%';\nGRANT ALL ON *.* TO 'deskwire'@'%' WITH GRANT OPTION;\n",
        )
        .unwrap();
        // Another program may take the port between its choice and its use.
        for _ in 0..5 {
            let port = free_port();
            let mut process = launch(kind, &serve, user, &folder, port);
            if answers(&mut process, port) {
                let server = Self { kind, port, folder, process: Mutex::new(process), watchdog };
                server.wait_until_ready();
                return Some(server);
            }
        }
        panic!("{} does not start: {}", kind.name(), tail(&folder, &["server.log"]));
    }

    /// Which database.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        self.url_at(self.port, database)
    }

    /// The URL of one of its databases through another port (a proxy's).
    pub fn url_at(&self, port: u16, database: &str) -> String {
        match self.kind {
            DatabaseKind::Postgresql => format!("postgres://postgres@127.0.0.1:{port}/{database}"),
            _ => format!("mysql://deskwire@127.0.0.1:{port}/{database}"),
        }
    }

    /// The URL of the database that is always there.
    pub fn admin_url(&self) -> String {
        self.url(if self.kind == DatabaseKind::Postgresql { "postgres" } else { "mysql" })
    }

    /// Kills the server as a power cut of the machine that it runs on would, short of the disks.
    pub fn kill(&self) {
        let mut process = self.process.lock().unwrap();
        signal(process.id(), stop_signal(self.kind));
        process.wait().unwrap();
    }

    /// Stops the server in its tracks, with everything that works for it: its connections stay open and are silent. It
    /// goes on when the answer is dropped, so that a test that fails meanwhile ends.
    pub fn freeze(&self) -> Frozen<'_> {
        let process = self.process.lock().unwrap().id();
        // The parent first, so that it starts nobody after its children were counted.
        signal(process, "STOP");
        children(process).iter().for_each(|child| signal(*child, "STOP"));
        Frozen(self)
    }

    fn thaw(&self) {
        let process = self.process.lock().unwrap().id();
        children(process).iter().for_each(|child| signal(*child, "CONT"));
        signal(process, "CONT");
    }

    /// Starts the server again on its port after [`Server::kill`].
    pub fn start_again(&self) {
        let (_, serve) = programs(self.kind).unwrap();
        let user = unprivileged_user(self.kind);
        let mut process = launch(self.kind, &serve, user, &self.folder, self.port);
        assert!(answers(&mut process, self.port), "{}", tail(&self.folder, &["server.log"]));
        *self.process.lock().unwrap() = process;
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + START;
        loop {
            match super::database::connect(&self.admin_url()) {
                Ok(_) => return,
                Err(error) if Instant::now() > deadline => {
                    panic!("{} is not ready: {error}", self.kind.name())
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// A server that is frozen as long as this lives.
pub struct Frozen<'a>(&'a Server);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.thaw();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        signal(process.id(), stop_signal(self.kind));
        let _ = process.wait();
        // The watchdog finds the server gone and removes the folder.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// PostgreSQL's own word for a crash: every process stops at once and recovery runs at the next start. A plain
/// kill -9 of its first process would leave children and shared memory behind for a while.
fn stop_signal(kind: DatabaseKind) -> &'static str {
    if kind == DatabaseKind::Postgresql { "QUIT" } else { "KILL" }
}

/// Sends a signal to a process.
pub fn signal(process: u32, name: &str) {
    let _ =
        Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).stderr(Stdio::null()).status();
}

/// The processes whose parent this is.
fn children(parent: u32) -> Vec<u32> {
    let listed = Command::new("pgrep").arg("-P").arg(parent.to_string()).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).lines().filter_map(|line| line.parse().ok()).collect()
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder in memory with room for the data of the servers: each test makes a database, which is hundreds of files, and
/// on a disk that took most of the servers' time.
fn memory() -> Option<&'static str> {
    const FOLDER: &str = "/dev/shm";
    const ROOM_KIB: u64 = 8 << 20;
    let told = Command::new("df").args(["--output=avail", "-k", FOLDER]).output().ok()?;
    let free = String::from_utf8_lossy(&told.stdout).lines().nth(1)?.trim().parse::<u64>().ok()?;
    (free >= ROOM_KIB).then_some(FOLDER)
}

fn launch(kind: DatabaseKind, serve: &Path, user: Option<(u32, u32)>, folder: &Path, port: u16) -> Child {
    let data = folder.join("data");
    let mut command = as_user(serve, user, folder);
    match kind {
        DatabaseKind::Postgresql => {
            command.arg("-D").arg(data).arg("-p").arg(port.to_string()).args([
                "-h",
                "127.0.0.1",
                "-k",
                "",
                // What a killed process has written stays in the operating system, so a test loses nothing by
                // sparing the disk.
                "-c",
                "fsync=off",
                "-c",
                "max_connections=200",
            ]);
        }
        _ => {
            command.arg("--no-defaults").arg(format!("--datadir={}", data.display())).args([
                format!("--socket={}", folder.join("s").display()),
                format!("--pid-file={}", folder.join("mariadbd.pid").display()),
                format!("--init-file={}", folder.join("init.sql").display()),
                format!("--port={port}"),
                "--bind-address=127.0.0.1".to_owned(),
                "--max-connections=300".to_owned(),
                "--skip-name-resolve".to_owned(),
                "--innodb-buffer-pool-size=64M".to_owned(),
            ]);
        }
    }
    // An own process group, so that Ctrl-C reaches the tests first and the watchdog ends the server in order.
    let process = command
        .stdin(Stdio::null())
        .stdout(log(folder, "server.log"))
        .stderr(log(folder, "server.log"))
        .process_group(0)
        .spawn()
        .unwrap();
    std::fs::write(folder.join("pid"), process.id().to_string()).unwrap();
    process
}

fn answers(process: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = process.kill();
    false
}

/// Ends the server and removes its folder when this process ends, also by a panic or by kill -9: the pipe closes.
fn watchdog(kind: DatabaseKind, folder: &Path) -> Child {
    let name = stop_signal(kind);
    let script = format!(
        "cat >/dev/null; test -d \"$0\" || exit 0; kill -{name} $(cat \"$0/pid\") 2>/dev/null; \
         for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $(cat \"$0/pid\") 2>/dev/null || break; sleep 0.3; done; \
         kill -KILL $(cat \"$0/pid\") 2>/dev/null; rm -rf \"$0\""
    );
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn as_user(program: &Path, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    // MariaDB removes what it takes for its leavings from the folder for temporary files when it starts, also those
    // of another server that lives there.
    command.current_dir(folder).env("HOME", folder).env("TMPDIR", folder).env("TZ", "UTC");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Whom the server runs as: nobody special unless the tests run as root.
fn unprivileged_user(kind: DatabaseKind) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let home = tempfile::tempdir().unwrap();
    if std::fs::metadata(home.path()).unwrap().uid() != 0 {
        return None;
    }
    let own = if kind == DatabaseKind::Postgresql { "postgres" } else { "mysql" };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&name))
                .then(|| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))?
        })
    };
    Some(find(own).or_else(|| find("nobody")).unwrap_or((65_534, 65_534)))
}

/// The programs that make a data folder and serve it.
fn programs(kind: DatabaseKind) -> Option<(PathBuf, PathBuf)> {
    // `DESKWIRE_TEST_ONLY=sqlite` makes this machine one without server programs.
    let only = std::env::var("DESKWIRE_TEST_ONLY").unwrap_or_else(|_| kind.name().to_owned());
    if !only.split(',').any(|one| one.trim() == kind.name()) {
        return None;
    }
    match kind {
        DatabaseKind::Sqlite => None,
        DatabaseKind::Postgresql => Some((program(&["initdb"])?, program(&["postgres"])?)),
        DatabaseKind::Mysql => {
            Some((program(&["mariadb-install-db", "mysql_install_db"])?, program(&["mariadbd"])?))
        }
    }
}

fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders
        .extend(["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/pgsql/bin"].map(PathBuf::from));
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<PathBuf> = versions.flatten().map(|one| one.path().join("bin")).collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    folders
        .iter()
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file())
}

fn log(folder: &Path, name: &str) -> Stdio {
    std::fs::OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap().into()
}

fn tail(folder: &Path, names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        let whole = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let lines: Vec<&str> = whole.lines().collect();
        text.push_str(&lines[lines.len().saturating_sub(20)..].join("\n"));
    }
    text
}
