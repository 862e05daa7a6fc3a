//! The client under test as a process: started with variables, instructed by lines on its standard input, heard by
//! lines on its standard output. Owns the process and what it starts; all are killed when this is dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use serde_json::Value;

use super::shared::Shared;

/// Lines that wait for the client.
const QUEUE: usize = 256;
/// A line of the client is not longer; what follows is read as another one.
const LINE_BYTES: u64 = 65_536;

/// A running client.
#[derive(Debug)]
pub struct Client {
    child: Child,
    lines: SyncSender<String>,
}

impl Client {
    /// Starts the command with these variables. What it prints goes to `shared`.
    pub fn start(
        command: &[String],
        variables: &[(&str, String)],
        state: &Path,
        shared: &Arc<Shared>,
    ) -> Result<Self, String> {
        let (program, arguments) = command.split_first().ok_or("no command")?;
        let mut child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
            .env("CONFORM_STATE", state)
            // A group of its own, so that a client behind a script is ended, too.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|cause| format!("{program} cannot be started: {cause}"))?;
        let (lines, orders) = sync_channel::<String>(QUEUE);
        if let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) {
            // Both end with the process: its pipes are closed then.
            std::thread::spawn(move || {
                for line in orders {
                    if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
                        break;
                    }
                }
            });
            let shared = shared.clone();
            std::thread::spawn(move || hear(BufReader::new(stdout), &shared));
        }
        Ok(Self { child, lines })
    }

    /// Asks the client to do something. A client that reads nothing is judged by what it does not do.
    pub fn instruct(&self, line: &Value) {
        let _ = self.lines.try_send(format!("{line}\n"));
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lines that are JSON objects are taken; others are the client's own talk.
fn hear(mut stdout: impl BufRead, shared: &Arc<Shared>) {
    let mut bytes = Vec::new();
    while stdout.by_ref().take(LINE_BYTES).read_until(b'\n', &mut bytes).is_ok_and(|size| size > 0) {
        if let Ok(line @ Value::Object(_)) = serde_json::from_slice(&bytes) {
            shared.state().record(Instant::now(), line);
            shared.changed();
        }
        bytes.clear();
    }
}
