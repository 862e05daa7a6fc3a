//! What all workers of one process share about sockets: how many an address and a member have, and how many are
//! open. Owns the caps. The locks are held for a map access and never across an await.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::kernel::network::AddressBlock;
use crate::kernel::{Code, Error, MemberId, Millis, Result, TenantId};

/// Connections that may at one time be told by a close code that their address has too many.
const REFUSALS: usize = 64;

/// The sockets of one process. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

type Devices = HashMap<(TenantId, MemberId), Vec<(Arc<str>, i64)>>;

#[derive(Debug)]
struct Shared {
    hellos: Semaphore,
    open: AtomicUsize,
    last_id: AtomicI64,
    closed: Notify,
    addresses: Mutex<HashMap<AddressBlock, usize>>,
    refusals: AtomicUsize,
    devices: Mutex<Devices>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    /// No sockets yet. Of the database's connections for reading at most half answer hellos.
    pub fn new(pool_size: u32) -> Self {
        let shared = Shared {
            hellos: Semaphore::new((pool_size as usize / 2).max(1)),
            open: AtomicUsize::new(0),
            last_id: AtomicI64::new(0),
            closed: Notify::new(),
            addresses: Mutex::default(),
            refusals: AtomicUsize::new(0),
            devices: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Waits for the turn of a hello to be answered, which lasts until the answer is dropped.
    pub async fn hello_turn(&self, patience: Duration) -> Result<SemaphorePermit<'_>> {
        match tokio::time::timeout(patience, self.shared.hellos.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Error::new(Code::Busy, "too many devices connect at once").retry_after(1_000)),
        }
    }

    /// Sockets that are open in this process.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// An id for a socket: higher than all before it in this process, and after a restart too. It does not come from
    /// the generator of ids, because a socket must be able to open while the node number is renewed.
    pub fn next_id(&self, now: Millis) -> i64 {
        let floor = now.0 << 10;
        let rise = |last: i64| Some(floor.max(last + 1));
        let last = self.shared.last_id.fetch_update(Ordering::SeqCst, Ordering::SeqCst, rise);
        floor.max(last.unwrap_or(floor) + 1)
    }

    /// Takes a place for a socket from this address, counted as requests are: the first 64 bits of an IPv6 address.
    pub fn enter(&self, address: IpAddr, cap: usize) -> Admission {
        let shared = &self.shared;
        let key = AddressBlock::of(address);
        let counted = {
            let mut addresses = lock(&shared.addresses);
            let count = addresses.entry(key).or_insert(0);
            let free = *count < cap;
            *count += usize::from(free);
            if *count == 0 {
                addresses.remove(&key);
            }
            free
        };
        let permit = |key| {
            shared.open.fetch_add(1, Ordering::SeqCst);
            ConnectionPermit { connections: self.clone(), key, client: address }
        };
        if counted {
            return Admission::Place(permit(Some(key)));
        }
        let more = |count: usize| (count < REFUSALS).then_some(count + 1);
        match shared.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more) {
            Ok(_) => Admission::Refusal(permit(None)),
            Err(_) => Admission::Nothing,
        }
    }

    /// Gives a device's place to this socket, which replaces the device's older one; none when the member has `cap`
    /// other devices connected.
    pub fn slot(
        &self,
        tenant: TenantId,
        member: MemberId,
        device: &Arc<str>,
        socket: i64,
        cap: usize,
    ) -> Option<DeviceSlot> {
        let mut devices = lock(&self.shared.devices);
        let slots = devices.entry((tenant, member)).or_default();
        let full = slots.len() >= cap;
        match slots.iter_mut().find(|(one, _)| one == device) {
            Some(slot) => slot.1 = slot.1.max(socket),
            None if full => return None,
            None => slots.push((device.clone(), socket)),
        }
        Some(DeviceSlot { connections: self.clone(), tenant, member, device: device.clone(), socket })
    }

    /// Whether a member has a live socket in this process.
    pub fn has(&self, tenant: TenantId, member: MemberId) -> bool {
        lock(&self.shared.devices).get(&(tenant, member)).is_some_and(|slots| !slots.is_empty())
    }

    /// Returns when no socket is open any more, or after `patience`.
    pub async fn drained(&self, patience: Duration) {
        let wait = async {
            loop {
                let mut closed = std::pin::pin!(self.shared.closed.notified());
                closed.as_mut().enable();
                if self.open() == 0 {
                    return;
                }
                closed.await;
            }
        };
        if tokio::time::timeout(patience, wait).await.is_err() {
            log::warn!(target: "deskwire::gateway", "{} sockets did not close in time", self.open());
        }
    }
}

/// Whether one more socket may come from an address.
#[derive(Debug)]
pub enum Admission {
    /// It may.
    Place(ConnectionPermit),
    /// The address has too many; there is a place for telling so.
    Refusal(ConnectionPermit),
    /// Not even that.
    Nothing,
}

/// One socket's place; given back when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    connections: Connections,
    /// Whose it is; none for a place to be refused in.
    key: Option<AddressBlock>,
    client: IpAddr,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let shared = &self.connections.shared;
        match &self.key {
            Some(key) => {
                let mut addresses = lock(&shared.addresses);
                if let Some(count) = addresses.get_mut(key) {
                    *count -= 1;
                    if *count == 0 {
                        addresses.remove(key);
                    }
                }
            }
            None => {
                shared.refusals.fetch_sub(1, Ordering::SeqCst);
            }
        }
        shared.open.fetch_sub(1, Ordering::SeqCst);
        shared.closed.notify_waiters();
    }
}

impl ConnectionPermit {
    /// The network that the socket comes from; none for one that is being refused.
    pub fn address(&self) -> Option<AddressBlock> {
        self.key
    }

    /// The address that the socket comes from.
    pub fn client(&self) -> IpAddr {
        self.client
    }
}

/// One device's slot; given back when dropped, unless a newer socket took it.
#[derive(Debug)]
pub struct DeviceSlot {
    connections: Connections,
    tenant: TenantId,
    member: MemberId,
    /// The device.
    pub device: Arc<str>,
    socket: i64,
}

impl DeviceSlot {
    /// Whether a newer socket of the same device has taken the slot.
    pub fn is_taken(&self) -> bool {
        let devices = lock(&self.connections.shared.devices);
        let slots = devices.get(&(self.tenant, self.member));
        !slots.is_some_and(|slots| slots.iter().any(|slot| slot.0 == self.device && slot.1 == self.socket))
    }
}

impl Drop for DeviceSlot {
    fn drop(&mut self) {
        let mut devices = lock(&self.connections.shared.devices);
        let key = (self.tenant, self.member);
        if let Some(slots) = devices.get_mut(&key) {
            slots.retain(|slot| slot.0 != self.device || slot.1 != self.socket);
            if slots.is_empty() {
                devices.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_capped_and_places_come_back() {
        let connections = Connections::new(4);
        let placed = |address: IpAddr| match connections.enter(address, 2) {
            Admission::Place(permit) => Some(permit),
            _ => None,
        };
        let address = IpAddr::from([192, 0, 2, 1]);
        let first = placed(address);
        let second = placed(address);
        assert!(first.is_some() && second.is_some() && placed(address).is_none());
        assert!(placed(IpAddr::from([192, 0, 2, 2])).is_some());
        drop(first);
        assert!(placed(address).is_some());
        drop(second);
        assert_eq!(connections.open(), 0);
        let network: Vec<_> =
            (1..=3).map(|host| placed(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]))).collect();
        assert!(network[1].is_some() && network[2].is_none(), "a /64 counts as one address");
    }

    #[test]
    fn refusals_are_bounded_too() {
        let connections = Connections::new(4);
        let address = IpAddr::from([192, 0, 2, 1]);
        let refused: Vec<_> = (0..REFUSALS).map(|_| connections.enter(address, 0)).collect();
        assert!(refused.iter().all(|one| matches!(one, Admission::Refusal(_))));
        assert!(matches!(connections.enter(address, 0), Admission::Nothing));
        drop(refused);
        assert!(matches!(connections.enter(address, 0), Admission::Refusal(_)));
    }

    #[test]
    fn a_device_keeps_its_seat_when_it_comes_again() {
        let connections = Connections::new(4);
        let slot =
            |device: &str, socket| connections.slot(TenantId(1), MemberId(2), &Arc::from(device), socket, 2);
        let old = slot("phone", 1);
        let new = slot("phone", 2);
        let other = slot("laptop", 3);
        assert!(
            old.as_ref().is_some_and(DeviceSlot::is_taken)
                && new.as_ref().is_some_and(|slot| !slot.is_taken())
        );
        assert!(other.is_some() && slot("tablet", 4).is_none());
        drop(old);
        assert!(slot("tablet", 4).is_none(), "the newer socket of the phone still sits there");
        drop(new);
        assert!(slot("tablet", 4).is_some());
    }

    #[test]
    fn mapped_addresses_are_counted_one_by_one() {
        let connections = Connections::new(4);
        let enter =
            |last: u8| connections.enter(std::net::Ipv4Addr::new(192, 0, 2, last).to_ipv6_mapped().into(), 1);
        let (first, other) = (enter(1), enter(2));
        assert!(matches!((&first, &other), (Admission::Place(_), Admission::Place(_))));
        assert!(!matches!(enter(1), Admission::Place(_)), "the first address is full");
    }
}
