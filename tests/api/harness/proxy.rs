//! A TCP proxy between the service and its database that fails as networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The proxy. Its threads end with their connections.
pub struct Proxy {
    port: u16,
    late_commits: Arc<AtomicU32>,
    cut: Arc<AtomicU32>,
    /// How many connections there were.
    opened: Arc<AtomicU32>,
    /// How many of them, from the first on, are silent now.
    silent: Arc<AtomicU32>,
}

/// As long as it lives, the connections that were there before it pass nothing on, and are not closed.
pub struct Silence(Arc<AtomicU32>);

impl Drop for Silence {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

impl Proxy {
    /// Forwards to this port of 127.0.0.1.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (late_commits, cut) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (armed, done) = (late_commits.clone(), cut.clone());
        let (opened, silent) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (count, hushed) = (opened.clone(), silent.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let (armed, done, hushed) = (armed.clone(), done.clone(), hushed.clone());
                let number = count.fetch_add(1, Ordering::SeqCst);
                let wait = move || {
                    while number < hushed.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                };
                std::thread::spawn(move || forward(client, server, &armed, &done, wait));
            }
        });
        Self { port, late_commits, cut, opened, silent }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next so many COMMITs of lanes lose their client at once and reach the server half a second later.
    pub fn delay_commits(&self, count: u32) {
        self.late_commits.store(count, Ordering::SeqCst);
    }

    /// Lets every connection that there is fall silent, as if a machine between were gone. New ones work.
    pub fn silence(&self) -> Silence {
        self.silent.store(self.opened.load(Ordering::SeqCst), Ordering::SeqCst);
        Silence(self.silent.clone())
    }

    /// How many COMMITs were cut.
    pub fn cut(&self) -> u32 {
        self.cut.load(Ordering::SeqCst)
    }
}

/// Passes on what a client says; `wait` returns when its connection is not silent.
fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    armed: &AtomicU32,
    done: &AtomicU32,
    wait: impl Fn(),
) {
    let mut buffer = vec![0; 65_536];
    let mut writes_log = false;
    loop {
        let size = match client.read(&mut buffer) {
            Ok(size) if size > 0 => size,
            _ => break,
        };
        wait();
        let bytes = &buffer[..size];
        // The statement, and not the isolation level READ COMMITTED at a BEGIN.
        let begins = |at: usize| bytes[at..].starts_with(b"COMMIT") && !bytes[at..].starts_with(b"COMMITTED");
        let commits = (0..size).any(begins);
        // Others write beside the lanes, each on connections of its own.
        writes_log |= (0..size).any(|at| bytes[at..].starts_with(b"INSERT INTO group_message "));
        let late = commits
            && writes_log
            && armed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if late {
            let _ = client.shutdown(Shutdown::Both);
            done.fetch_add(1, Ordering::SeqCst);
            // The delay is the fault itself: the server learns of the COMMIT long after its client is gone.
            std::thread::sleep(Duration::from_millis(500));
        }
        if server.write_all(bytes).is_err() || late {
            break;
        }
    }
    // Half open for a moment, so that the server reads what was sent before it sees the end.
    let _ = server.shutdown(Shutdown::Write);
    let _ = client.shutdown(Shutdown::Read);
}
