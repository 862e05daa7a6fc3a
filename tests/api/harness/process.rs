//! The real program as a process of its own, for what one cannot do to oneself: kill -9, a full disk, the command
//! line.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use deskwire::db::DatabaseKind;
use serde_json::{Value, json};

use super::app::PLATFORM_KEY;
use super::client::Client;
use super::servers::{free_port, signal};

/// A running `deskwire serve`. Dropping it kills it.
pub struct Process {
    child: Child,
    port: u16,
}

/// The program with the settings of tests and this database.
pub fn program(arguments: &[&str], url: &str) -> Command {
    configured(Command::new(env!("CARGO_BIN_EXE_deskwire")), arguments, url)
}

fn configured(mut command: Command, arguments: &[&str], url: &str) -> Command {
    command.args(arguments).stdin(Stdio::null());
    for (name, value) in [
        ("DATABASE_URL", url),
        ("DESKWIRE_DURABILITY", "process"),
        ("DESKWIRE_POOL_SIZE", "4"),
        ("DESKWIRE_LANES", "2"),
        ("DESKWIRE_WORKERS", "2"),
        ("DESKWIRE_BCRYPT_COST", "4"),
        ("DESKWIRE_REQUESTS_PER_SECOND", "0"),
        ("DESKWIRE_VISITOR_REQUESTS_PER_SECOND", "0"),
        ("DESKWIRE_ADDRESS_REQUESTS_PER_SECOND", "0"),
        ("DESKWIRE_REFRESHES_PER_MINUTE", "0"),
        ("DESKWIRE_NEW_VISITORS_PER_HOUR", "0"),
        ("DESKWIRE_NEW_CONVERSATIONS_PER_HOUR", "0"),
        ("DESKWIRE_ANONYMOUS_PER_MINUTE", "1000000"),
        ("DESKWIRE_VISITOR_FRAMES_PER_SECOND", "100000"),
        ("DESKWIRE_STAFF_FRAMES_PER_SECOND", "100000"),
        ("DESKWIRE_SOCKETS_PER_ADDRESS", "10000"),
        ("DESKWIRE_DRAIN_SECONDS", "0"),
        ("DESKWIRE_OUTBOUND_ALLOW", "127.0.0.1"),
        ("DESKWIRE_JWT_KEYS", "test:0123456789abcdef0123456789abcdef"),
        ("DESKWIRE_MASTER_KEY", "fedcba9876543210fedcba9876543210"),
        ("DESKWIRE_PLATFORM_KEY", PLATFORM_KEY),
    ] {
        command.env(name, value);
    }
    command
}

/// Runs a sub-command to its end.
pub fn finish(arguments: &[&str], url: &str) -> Output {
    program(arguments, url).output().unwrap()
}

impl Process {
    /// Serves this database on a free port; returns when it is ready.
    pub fn serve(url: &str) -> Self {
        Self::serve_on(url, free_port(), &[])
    }

    /// Serves on this port, with more environment.
    pub fn serve_on(url: &str, port: u16, environment: &[(&str, &str)]) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_deskwire")), url, port, environment)
    }

    /// Serves with files limited to so many bytes, as on a full disk: what would grow a file beyond it fails.
    /// [`Process::free_the_disk`] ends that.
    pub fn serve_with_file_limit(url: &str, bytes: u64) -> Self {
        let mut command = Command::new("sh");
        // Ignored signals stay ignored across exec, so the write fails instead of the process.
        command.args(["-c", "trap '' XFSZ; exec prlimit \"$0\" \"$@\""]);
        command.arg(format!("--fsize={bytes}:unlimited")).arg(env!("CARGO_BIN_EXE_deskwire"));
        Self::start(command, url, free_port(), &[])
    }

    /// Serves with so many open files at most, and more environment.
    pub fn serve_with_open_files(url: &str, files: u64, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={files}:{files}")).arg(env!("CARGO_BIN_EXE_deskwire"));
        Self::start(command, url, free_port(), environment)
    }

    fn start(command: Command, url: &str, port: u16, environment: &[(&str, &str)]) -> Self {
        let mut command = configured(command, &["serve"], url);
        command.env("DESKWIRE_LISTEN", format!("127.0.0.1:{port}")).stdout(Stdio::null());
        for (name, value) in environment {
            command.env(name, value);
        }
        let mut process = Self { child: command.spawn().unwrap(), port };
        process.wait_until_it_answers();
        process
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("deskwire serve ended at once: {status}");
            }
            assert!(Instant::now() < deadline, "deskwire serve does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where it listens.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory that it has had, in bytes.
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).expect("the line of the name");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number")
            * 1_024
    }

    /// A client without a token.
    pub fn client(&self) -> Client {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        Client { http, base: self.base(), token: None, actor: None }
    }

    /// Signs a new visitor of this tenant in; gives its access token.
    pub async fn visitor_token(&self, slug: &str) -> String {
        let answer = self.client().post("/visitors", json!({ "tenant": slug })).await.ok();
        find_token(&answer).unwrap_or_else(|| panic!("no access token in {answer}"))
    }

    /// Signs the administrator of a seeded tenant in; gives the access token.
    pub async fn admin_token(&self, slug: &str) -> String {
        let body =
            json!({"tenant": slug, "name": "admin", "password": super::seed::PASSWORD, "device": "test"});
        let answer = self.client().post("/auth/login", body).await.ok();
        find_token(&answer).unwrap_or_else(|| panic!("no access token in {answer}"))
    }

    /// Waits until the process has ended by itself.
    pub fn wait(mut self) {
        self.child.wait().unwrap();
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        signal(self.child.id(), "TERM");
        self.child.wait().unwrap().code()
    }

    /// Stops the process in its tracks: SIGSTOP.
    pub fn freeze(&self) {
        signal(self.child.id(), "STOP");
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        signal(self.child.id(), "CONT");
    }

    /// Takes back the limit of [`Process::serve_with_file_limit`].
    pub fn free_the_disk(&self) {
        let pid = self.child.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find_token(value: &Value) -> Option<String> {
    match value.get("access_token").and_then(Value::as_str) {
        Some(token) => Some(token.to_owned()),
        None => value.as_object()?.values().find_map(find_token),
    }
}

/// How often a process is killed in the crash tests, from `DESKWIRE_TEST_KILLS`.
pub fn kills(kind: DatabaseKind) -> u32 {
    let _ = kind;
    std::env::var("DESKWIRE_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}
