//! The state as the parts of one scenario share it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::state::ServerState;

/// The state, and the count of its changes.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<ServerState>,
    changes: watch::Sender<u64>,
}

impl Shared {
    /// A new state.
    pub fn new() -> Self {
        Self { state: Mutex::new(ServerState::new()), changes: watch::Sender::new(0) }
    }

    /// Waits until the state shows something; none when it does not in time.
    pub async fn until<T>(&self, limit: Duration, look: impl Fn(&ServerState) -> Option<T>) -> Option<T> {
        let mut changes = self.changes.subscribe();
        let search = async {
            loop {
                changes.borrow_and_update();
                let found = look(&self.state());
                if found.is_some() {
                    return found;
                }
                if changes.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(limit, search).await.unwrap_or_default()
    }

    /// The state; never held across an await.
    pub fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened.
    pub fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}
