//! All timers of one worker in one place: four looks a second at the sockets that collected something, one look a
//! second at the rest. No socket has a timer of its own.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::hub::Hub;
use super::protocol::client::Ping;
use super::protocol::close;
use super::protocol::limits::{HELLO_SECONDS, PONG_SECONDS, RESUME_SECONDS, STALL_SECONDS};
use super::protocol::table;
use super::rebuild::Suspect;
use super::socket::{Phase, Socket};
use super::{access, collect, drain, keys};

/// How long a socket may take to be gone once its close was decided.
const GOODBYE: Duration = Duration::from_secs(STALL_SECONDS);
/// How long the client may take to end the connection once the close frame is out.
const LINGER: Duration = Duration::from_secs(2);

/// One look.
pub fn tick(hub: &Rc<Hub>) {
    if hub.app.tasks.shutdown().is_cancelled() && !hub.draining.replace(true) {
        drain::start(hub);
    }
    collect::flush(hub);
    hub.look_behind(false);
    let now = Instant::now();
    let due: Vec<Rc<Socket>> =
        hub.sockets.borrow().values().filter(|socket| socket.look_at.get() <= now).cloned().collect();
    for socket in due {
        hub.suspect.set(Some(Suspect::Socket(socket.id)));
        look(&socket, now);
    }
    hub.suspect.set(None);
}

fn look(socket: &Rc<Socket>, now: Instant) {
    let stalled =
        socket.stalled_since.get().is_some_and(|since| now >= since + Duration::from_secs(STALL_SECONDS));
    if stalled && socket.phase.get() != Phase::Closing {
        // Should the client read again before the connection is given up, it still learns why.
        socket.close(close::TOO_SLOW, close::TOO_SLOW.name);
        return;
    }
    match socket.phase.get() {
        Phase::AwaitingHello => {
            let end = socket.opened_at + Duration::from_secs(HELLO_SECONDS);
            match now >= end {
                true => socket.close(close::HELLO_TIMEOUT, close::HELLO_TIMEOUT.name),
                false => socket.look_at.set(end),
            }
        }
        Phase::Resuming => {
            let end = socket.hello_at.get() + Duration::from_secs(RESUME_SECONDS);
            match now >= end {
                true => socket.close(close::INTERNAL, "resume_timeout"),
                false => socket.look_at.set(now + Duration::from_secs(1)),
            }
        }
        Phase::Closing => {
            let over = match socket.said_close() {
                Some(at) => now >= at + LINGER,
                None => socket.closed_at.get().is_none_or(|at| now >= at + GOODBYE),
            };
            if over {
                socket.cut();
            }
            socket.look_at.set(now + Duration::from_secs(1));
        }
        Phase::Live => live(socket, now),
    }
}

fn live(socket: &Rc<Socket>, now: Instant) {
    if socket.hub.app.clock.now() >= socket.token_expires_at.get() {
        let is_key = socket.key.borrow().is_some();
        match is_key {
            true => socket.close(close::AUTH_FAILED, "api_key_expired"),
            false => socket.close(close::TOKEN_EXPIRED, close::TOKEN_EXPIRED.name),
        }
        return;
    }
    keys::look(socket);
    // Access notices close at once; this finds who said hello while its revocation was on its way.
    if access::bar(socket) {
        return;
    }
    let patience = Duration::from_secs(PONG_SECONDS);
    match socket.pinged_at.get() {
        Some(at) if now >= at + patience => {
            socket.close(close::NO_PONG, close::NO_PONG.name);
            return;
        }
        Some(_) => {}
        None if now >= socket.ping_at.get() => {
            if socket.is_replaced() {
                // The word of the newer socket got lost.
                socket.close(close::REPLACED, close::REPLACED.name);
                return;
            }
            socket.pinged_at.set(Some(now));
            socket.ping_at.set(now + next_ping(socket.hub.app.settings.ping_seconds));
            let nonce = format!("{:x}", rand::random::<u32>());
            socket.reply(super::wire::frame(table::PING, &Ping { nonce, delivered: Vec::new() }));
        }
        None => {}
    }
    // The clock of tokens can be moved by hand, so expiry is looked at every second; the look costs next to nothing.
    socket.look_at.set(now + Duration::from_secs(1));
}

/// The time to the next ping: a fifth more or less, so that sockets that came together do not ping together.
pub fn next_ping(seconds: u64) -> Duration {
    let base = seconds as f64;
    Duration::from_secs_f64(base * rand::random_range(0.8..1.2))
}
