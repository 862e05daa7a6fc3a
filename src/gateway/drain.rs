//! Sending everybody away when the server shuts down: a slice of the sockets at a time, so that they do not come back
//! to the next process at once. A socket whose commands are under way goes when they are answered. Until it is sent
//! away a socket may still read.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::hub::Hub;
use super::protocol::close;
use super::rebuild::Suspect;
use super::socket::Socket;

/// Slices a second.
const SLICES: u64 = 5;
/// How long the last ones may wait for the answers to their commands.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// When to come back to another process, and over how long all of them spread.
const ELSEWHERE_MS: (u64, u64) = (1_000, 2_000);

/// Starts it. New sockets are refused from now on.
pub fn start(hub: &Rc<Hub>) {
    // No socket is to blame when it fails.
    hub.spawn(Suspect::Socket(0), run(hub.clone()));
}

async fn run(hub: Rc<Hub>) {
    let seconds = hub.app.settings.drain_seconds;
    let slices = (seconds * SLICES).max(1);
    let total = hub.open_sockets().len();
    let size = total.div_ceil(usize::try_from(slices).unwrap_or(usize::MAX)).max(1);
    for left in (0..slices).rev() {
        let open = hub.open_sockets();
        if open.is_empty() {
            return;
        }
        let idle = open.iter().filter(|socket| socket.unanswered.get() == 0);
        for socket in idle.take(size) {
            send_away_with(socket, left * 1_000 / SLICES);
        }
        if seconds > 0 {
            tokio::time::sleep(Duration::from_millis(1_000 / SLICES)).await;
        }
    }
    let end = Instant::now() + LAST_ANSWERS;
    loop {
        let late = Instant::now() >= end;
        let mut busy = false;
        for socket in hub.open_sockets() {
            match late || socket.unanswered.get() == 0 {
                true => send_away_with(&socket, 0),
                false => busy = true,
            }
        }
        if !busy {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends a socket away that connected while the shutdown began.
pub fn send_away(socket: &Socket) {
    send_away_with(socket, 0);
}

/// `rest_ms`: how long the drain still goes on.
fn send_away_with(socket: &Socket, rest_ms: u64) {
    let app = &socket.hub.app;
    let (after_ms, spread_ms) = match app.db.kind().is_server() {
        // Another process on the same database may serve at once.
        true => ELSEWHERE_MS,
        // The only process has to end and start first. Who goes first comes back last, so that all of them spread
        // over the drain and no more.
        false => (500 + rest_ms / 2, app.settings.drain_seconds * 500),
    };
    socket.close_spread(close::DRAINING, close::DRAINING.name, after_ms, spread_ms);
}
