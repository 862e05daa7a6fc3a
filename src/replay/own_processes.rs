//! Server processes of a run's own, for what one cannot do to oneself: kill -9, and measuring memory apart from the
//! clients'. On `DATABASE_URL` when that is set, else one process on a SQLite file in a temporary folder.
//!
//! Invariant: whatever happens to the run, its processes end with it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::RngExt;

use super::own_server::Folder;
use super::usage::{Meter, Usage};
use crate::kernel::secret::random_key;

/// How long a process may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a process may take to end after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// One process.
struct Process {
    child: Child,
    port: u16,
    meter: Meter,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes.
pub struct OwnProcesses {
    processes: Vec<Process>,
    environment: Vec<(&'static str, String)>,
    http: reqwest::Client,
    begun: Instant,
    _folder: Folder,
}

impl OwnProcesses {
    /// Starts so many. The error is a sentence for the terminal.
    pub async fn start(name: &str, processes: u8) -> Result<Self, String> {
        let folder = Folder::create(name).map_err(|cause| cause.to_string())?;
        let url =
            std::env::var("DATABASE_URL").unwrap_or_else(|_| format!("sqlite:{}", folder.file("replay.db")));
        if processes > 1 && (url.starts_with("sqlite:") || url.starts_with("file:")) {
            return Err("several processes need a database server in DATABASE_URL".to_owned());
        }
        let mut own = Self {
            processes: Vec::new(),
            environment: environment(url, folder.file("files")),
            http: reqwest::Client::builder()
                .no_proxy()
                // Only servers without TLS are asked.
                .tls_certs_only([])
                .timeout(Duration::from_secs(5))
                .build()
                .map_err(|cause| format!("cannot make an HTTP client: {cause}"))?,
            begun: Instant::now(),
            _folder: folder,
        };
        for _ in 0..processes {
            let port = free_port().map_err(|cause| format!("no free port: {cause}"))?;
            let child = own.spawn(port)?;
            let meter = Meter::new(format!("http://127.0.0.1:{port}"));
            own.processes.push(Process { child, port, meter });
            own.ready(own.processes.len() - 1).await?;
        }
        Ok(own)
    }

    /// Their base URLs.
    pub fn urls(&self) -> Vec<String> {
        self.processes.iter().map(|process| base(process.port)).collect()
    }

    fn spawn(&self, port: u16) -> Result<Child, String> {
        let program =
            std::env::current_exe().map_err(|cause| format!("this program has no path: {cause}"))?;
        let mut command = Command::new(program);
        command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null());
        // What protects a public service from a single machine is lifted: here one machine plays everybody.
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("DESKWIRE_LISTEN", format!("127.0.0.1:{port}"));
        command.spawn().map_err(|cause| format!("the server cannot be started: {cause}"))
    }

    /// Waits until a process says that it is ready.
    async fn ready(&mut self, number: usize) -> Result<(), String> {
        let Some(process) = self.processes.get_mut(number) else { return Ok(()) };
        process.meter.follow(process.child.id());
        let deadline = Instant::now() + READY_WITHIN;
        let url = format!("{}/readyz", base(process.port));
        loop {
            if let Ok(answer) = self.http.get(&url).send().await
                && answer.status().is_success()
            {
                return Ok(());
            }
            if let Ok(Some(status)) = process.child.try_wait() {
                return Err(format!("the server ended while it started: {status}"));
            }
            if Instant::now() > deadline {
                return Err(format!("the server is not ready after {} s", READY_WITHIN.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills any of them without a warning and starts it again on the same port.
    pub async fn kill_one(&mut self) -> Result<(), String> {
        let number = rand::rng().random_range(0..self.processes.len());
        let Some(process) = self.processes.get_mut(number) else { return Ok(()) };
        process.child.kill().and_then(|()| process.child.wait()).map_err(|cause| format!("kill: {cause}"))?;
        self.start_again(number).await
    }

    /// Starts those again that ended by themselves, and tells how they ended.
    pub async fn revive(&mut self) -> Result<Vec<String>, String> {
        let mut ended = Vec::new();
        for number in 0..self.processes.len() {
            let status =
                self.processes.get_mut(number).and_then(|process| process.child.try_wait().ok().flatten());
            if let Some(status) = status {
                ended.push(format!("a server process ended by itself: {status}"));
                self.start_again(number).await?;
            }
        }
        Ok(ended)
    }

    async fn start_again(&mut self, number: usize) -> Result<(), String> {
        let Some(port) = self.processes.get(number).map(|process| process.port) else { return Ok(()) };
        let child = self.spawn(port)?;
        if let Some(process) = self.processes.get_mut(number) {
            process.child = child;
        }
        self.ready(number).await
    }

    /// Samples memory and descriptors.
    pub fn sample(&mut self) -> Vec<super::usage::Sample> {
        self.processes.iter_mut().filter_map(|process| process.meter.sample(self.begun)).collect()
    }

    /// What they used.
    pub fn usage(&self) -> Vec<Usage> {
        self.processes.iter().filter_map(|process| process.meter.usage()).collect()
    }

    /// Asks all of them to end and waits for it. Tells what went wrong.
    pub async fn stop(mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        // One that is just being started again ends by the signal itself, and not as it does in service.
        for number in 0..self.processes.len() {
            if let Err(cause) = self.ready(number).await {
                wrong.push(cause);
            }
        }
        for process in &self.processes {
            let pid = process.child.id().to_string();
            if let Err(cause) = Command::new("kill").args(["-TERM", &pid]).status() {
                wrong.push(format!("a server process cannot be signalled: {cause}"));
            }
        }
        let deadline = Instant::now() + STOP_WITHIN;
        for process in &mut self.processes {
            loop {
                match process.child.try_wait() {
                    Ok(Some(status)) if status.success() => break,
                    Ok(Some(status)) => {
                        wrong.push(format!("a server process ended with {status}"));
                        break;
                    }
                    Ok(None) if Instant::now() < deadline => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Ok(None) => {
                        wrong.push("a server process does not stop".to_owned());
                        break;
                    }
                    Err(cause) => {
                        wrong.push(format!("a server process cannot be waited for: {cause}"));
                        break;
                    }
                }
            }
        }
        wrong
    }
}

fn base(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn environment(url: String, files: String) -> Vec<(&'static str, String)> {
    let limits = [
        ("DESKWIRE_SIGN_UP", "true"),
        ("DESKWIRE_MIGRATE", "true"),
        ("DESKWIRE_BCRYPT_COST", "4"),
        ("DESKWIRE_REQUESTS_PER_SECOND", "0"),
        ("DESKWIRE_ANONYMOUS_PER_MINUTE", "0"),
        ("DESKWIRE_SOCKETS_PER_ADDRESS", "1000000"),
        ("DESKWIRE_VISITOR_FRAMES_PER_SECOND", "1000"),
        ("DESKWIRE_STAFF_FRAMES_PER_SECOND", "10000"),
        ("DESKWIRE_DRAIN_SECONDS", "1"),
        ("RUST_LOG", "error"),
        ("DESKWIRE_CONNECTIONS_PER_ADDRESS", "100000"),
        ("DESKWIRE_VISITOR_REQUESTS_PER_SECOND", "0"),
        ("DESKWIRE_ADDRESS_REQUESTS_PER_SECOND", "0"),
        ("DESKWIRE_REFRESHES_PER_MINUTE", "0"),
        ("DESKWIRE_NEW_VISITORS_PER_HOUR", "0"),
        ("DESKWIRE_NEW_CONVERSATIONS_PER_HOUR", "0"),
    ];
    let mut environment: Vec<_> = limits.map(|(name, value)| (name, value.to_owned())).into();
    // What is set for this program is set for its servers, too.
    environment.retain(|(name, _)| std::env::var_os(name).is_none());
    environment.push(("DATABASE_URL", url));
    for (name, value) in [
        ("DESKWIRE_JWT_KEYS", format!("replay:{}", random_key(32))),
        ("DESKWIRE_MASTER_KEY", random_key(32)),
        ("DESKWIRE_FILES", files),
    ] {
        if std::env::var_os(name).is_none() {
            environment.push((name, value));
        }
    }
    environment
}
