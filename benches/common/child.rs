//! `deskwire serve` in a process of its own: for what is measured of a process (memory, start).

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Outcome;
use super::http::{Http, request};

/// The process; dropping it kills it.
pub struct Served {
    process: Child,
    pub address: SocketAddr,
    pub started: Instant,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Served {
    /// Starts it on this SQLite file, with so many connections to it for reading.
    pub fn start(file: &Path, readers: usize) -> Outcome<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let started = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_deskwire"))
            .arg("serve")
            .env("DATABASE_URL", format!("sqlite:{}", file.display()))
            .env("DESKWIRE_LISTEN", address.to_string())
            .env("DESKWIRE_SIGN_UP", "true")
            .env("DESKWIRE_BCRYPT_COST", "4")
            .env("DESKWIRE_REQUESTS_PER_SECOND", "0")
            .env("DESKWIRE_VISITOR_REQUESTS_PER_SECOND", "0")
            .env("DESKWIRE_ADDRESS_REQUESTS_PER_SECOND", "0")
            .env("DESKWIRE_REFRESHES_PER_MINUTE", "0")
            .env("DESKWIRE_NEW_VISITORS_PER_HOUR", "0")
            .env("DESKWIRE_NEW_CONVERSATIONS_PER_HOUR", "0")
            .env("DESKWIRE_ANONYMOUS_PER_MINUTE", "0")
            .env("DESKWIRE_SOCKETS_PER_ADDRESS", "1000000")
            .env("DESKWIRE_STAFF_FRAMES_PER_SECOND", "100000")
            .env("DESKWIRE_VISITOR_FRAMES_PER_SECOND", "0")
            .env("DESKWIRE_POOL_SIZE", readers.to_string())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { process, address, started })
    }

    /// Waits until a request is answered; returns how long that took since the start.
    pub async fn answers(&self, path: &str) -> Outcome<Duration> {
        let question = request("GET", path, None, None);
        loop {
            if let Ok(mut http) = Http::connect(self.address).await
                && let Ok(answer) = http.call(&question).await
                && answer.status < 500
            {
                return Ok(self.started.elapsed());
            }
            if self.started.elapsed() > Duration::from_secs(30) {
                return Err("the server does not start".into());
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }

    /// Its resident memory, in bytes (Linux only).
    pub fn resident(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kibibytes: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
        Ok(kibibytes * 1_024)
    }
}
