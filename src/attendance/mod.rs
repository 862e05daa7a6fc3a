//! Attendance: which members of the staff have a live socket, over all processes.
//!
//! Owns who of them has one in this process ([`Attendance`]), the table `agent_connection` by which the processes tell
//! each other (`leases`), and the task that keeps both and asks the journal for what follows (`keeper`): who is
//! connected, and whose conversations wait again. Does not own the rules (`domain::presence`) nor `agent_status` (the
//! journal).
//!
//! Invariants: a process writes a member's lease before it asks the journal about the member, and the journal reads the
//! leases under the tenant's lock, so whatever two processes decide at once, the later command sees both; a row of
//! `agent_connection` stays until the member is known to be absent, so nothing that a dead process knew is lost; the
//! task keeps nothing that it could not read again.

mod keeper;
mod leases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::kernel::secret::random_key;
use crate::kernel::{MemberId, TenantId};

pub use keeper::{Keeper, run};

/// A member of the staff.
pub type Who = (TenantId, MemberId);

/// The staff with live sockets in this process. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Attendance {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Names this process in the store.
    node: String,
    seats: Mutex<BTreeMap<Who, usize>>,
    changed: Notify,
}

impl Default for Attendance {
    /// Nobody yet, under a name that no other process has.
    fn default() -> Self {
        let (seats, changed) = (Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { node: random_key(16), seats, changed }) }
    }
}

impl Attendance {
    /// A member of the staff has a live socket until the seat is dropped.
    pub fn enter(&self, tenant: TenantId, member: MemberId) -> Seat {
        let who = (tenant, member);
        let mut seats = self.seats();
        let count = seats.entry(who).or_insert(0);
        *count += 1;
        let first = *count == 1;
        drop(seats);
        if first {
            self.shared.changed.notify_one();
        }
        Seat { attendance: self.clone(), who }
    }

    /// Who has a live socket now.
    fn present(&self) -> BTreeSet<Who> {
        self.seats().keys().copied().collect()
    }

    /// Returns when somebody came or went since it was last asked.
    async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    fn node(&self) -> &str {
        &self.shared.node
    }

    fn seats(&self) -> MutexGuard<'_, BTreeMap<Who, usize>> {
        self.shared.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One live socket's place; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    attendance: Attendance,
    who: Who,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.attendance.seats();
        if let Some(count) = seats.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                seats.remove(&self.who);
                drop(seats);
                self.attendance.shared.changed.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_several_sockets_is_there_until_the_last_one_goes() {
        let attendance = Attendance::default();
        let who = (TenantId(1), MemberId(2));
        let seats: Vec<Seat> = (0..3).map(|_| attendance.enter(who.0, who.1)).collect();
        for seat in seats {
            assert_eq!(attendance.present(), BTreeSet::from([who]));
            drop(seat);
        }
        assert!(attendance.present().is_empty());
        assert_ne!(attendance.node(), Attendance::default().node());
    }
}
