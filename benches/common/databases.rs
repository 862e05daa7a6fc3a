//! The databases that a bench can use: SQLite in a temporary folder, and PostgreSQL and MariaDB servers that are
//! started here with their own folders, durable as they are by default (every commit reaches the disk).

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Outcome;

/// A database for the time of a bench.
pub struct Database {
    pub name: &'static str,
    pub url: String,
    process: Option<Child>,
    _folder: tempfile::TempDir,
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // An orderly end: both servers leave nothing behind after SIGTERM (PostgreSQL waits for clients, SIGINT
            // does not).
            let name = if self.name == "PostgreSQL" { "-INT" } else { "-TERM" };
            let _ = Command::new("kill").args([name, &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }
}

/// Every database that this machine has.
pub fn all() -> Outcome<Vec<Database>> {
    let mut found = vec![sqlite()?];
    found.extend(if cfg!(feature = "postgres") { postgresql()? } else { None });
    found.extend(if cfg!(feature = "mysql") { mariadb()? } else { None });
    Ok(found)
}

pub fn sqlite() -> Outcome<Database> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("bench.db").display());
    Ok(Database { name: "SQLite", url, process: None, _folder: folder })
}

fn postgresql() -> Outcome<Option<Database>> {
    let (Some(install), Some(serve)) = (program(&["initdb"]), program(&["postgres"])) else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let user = unprivileged("postgres", folder.path())?;
    let mut command = as_user(&install, user, folder.path());
    command
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--pgdata"])
        .arg(&data);
    succeed(command)?;
    let port = free_port()?;
    let mut command = as_user(&serve, user, folder.path());
    command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", ""]);
    let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    ready(Database { name: "PostgreSQL", url, process: Some(process), _folder: folder }).map(Some)
}

fn mariadb() -> Outcome<Option<Database>> {
    let (Some(install), Some(serve)) = (program(&["mariadb-install-db"]), program(&["mariadbd"])) else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let user = unprivileged("mysql", folder.path())?;
    let mut command = as_user(&install, user, folder.path());
    command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    command.arg(format!("--datadir={}", data.display()));
    succeed(command)?;
    let init = folder.path().join("init.sql");
    std::fs::write(
        &init,
        "CREATE USER IF NOT EXISTS 'bench'@'%';\nGRANT ALL ON *.* TO 'bench'@'%';\n\
         CREATE DATABASE IF NOT EXISTS bench CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n",
    )?;
    let port = free_port()?;
    let mut command = as_user(&serve, user, folder.path());
    command.args([
        "--no-defaults",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        &format!("--port={port}"),
    ]);
    command.arg(format!("--datadir={}", data.display()));
    command.arg(format!("--socket={}", folder.path().join("s").display()));
    command.arg(format!("--pid-file={}", folder.path().join("pid").display()));
    command.arg(format!("--init-file={}", init.display()));
    let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let url = format!("mysql://bench@127.0.0.1:{port}/bench");
    ready(Database { name: "MariaDB", url, process: Some(process), _folder: folder }).map(Some)
}

fn ready(database: Database) -> Outcome<Database> {
    let begin = Instant::now();
    let target = deskwire::db::Target::parse(&database.url, deskwire::db::Durability::Disk)?;
    loop {
        match target.connect(deskwire::db::connection::Purpose::Write) {
            Ok(_) => return Ok(database),
            Err(cause) if begin.elapsed() > Duration::from_secs(60) => {
                return Err(format!("{} does not start: {cause}", database.name).into());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn free_port() -> Outcome<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn succeed(mut command: Command) -> Outcome<()> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

/// Both servers refuse to run as root; there they run as their own user, who then owns the folder.
fn unprivileged(name: &str, folder: &Path) -> Outcome<Option<(u32, u32)>> {
    if std::fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let user = users.lines().map(fields).find(|fields| fields[0] == name || fields[0] == "nobody");
    let user = user.ok_or("no user to run the server as")?;
    let user = (user[2].parse()?, user[3].parse()?);
    chown(folder, Some(user.0), Some(user.1))?;
    Ok(Some(user))
}

fn as_user(program: &Path, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("HOME", folder).process_group(0);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|one| one.path().join("bin")));
    }
    folders
        .iter()
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file())
}
