//! Sending everybody away when the server shuts down: a slice of the sockets at a time, so that they do not come back
//! to the next process at once. A socket whose commands are under way goes when they are answered.

use std::rc::Rc;
use std::time::Duration;

use super::hub::Hub;
use super::protocol::close;

/// Slices a second.
const SLICES: u64 = 5;

/// Starts it. New sockets are refused from now on.
pub fn start(hub: &Rc<Hub>) {
    actix_web::rt::spawn(run(hub.clone()));
}

async fn run(hub: Rc<Hub>) {
    let seconds = hub.app.settings.drain_seconds;
    let slices = (seconds * SLICES).max(1);
    let total = hub.open_sockets().len();
    let size = total.div_ceil(slices as usize).max(1);
    for slice in 0..=slices {
        let last = slice == slices;
        let open = hub.open_sockets();
        if open.is_empty() && slice > 0 {
            return;
        }
        let idle = open.iter().filter(|socket| last || socket.unanswered.get() == 0);
        for socket in idle.take(if last { open.len() } else { size }) {
            // Those who go first come back last, so that the whole is spread over the drain and no more.
            let after = 500 + (slices - slice) * 1_000 / SLICES / 2;
            socket.close_spread(close::DRAINING, close::DRAINING.name, after, seconds * 500);
        }
        if seconds > 0 {
            tokio::time::sleep(Duration::from_millis(1_000 / SLICES)).await;
        }
    }
}
