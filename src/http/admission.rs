//! How many connections there may be: in all and of one address. Owns the counts, the descriptors that are kept back
//! for the database and for files, and what a connection over the limit is told.
//!
//! Invariants: a connection holds its permit as long as it lives; memory is bounded by the number of connections. An
//! address is one IPv4 address or one /64 of IPv6. Behind a proxy every peer is the proxy, so addresses are not
//! counted there; sockets and requests of one client still are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::kernel::network::AddressBlock;
use crate::settings::Settings;

/// Most connections of one process when the settings leave the number to it.
const CONNECTIONS_MAX: usize = 100_000;
/// Admission over the limit that may be open for the moment in which they are refused, for each worker.
const REFUSING: usize = 8;
/// Descriptors that one database connection may take: SQLite opens the file, its log and its index of the log.
const PER_DATABASE_CONNECTION: usize = 4;
/// Descriptors of the process itself: standard streams, listener, signals, files that are opened for a moment.
const PROCESS: usize = 32;
/// Descriptors of a worker's event loop.
const PER_WORKER: usize = 4;

/// Counts the connections of one server. Cloning shares the counts.
#[derive(Debug, Clone)]
pub struct Admission {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: usize,
    per_address: Option<usize>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    addresses: HashMap<AddressBlock, usize>,
}

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The process has as many as it can serve.
    Full,
    /// The address has as many as one may have.
    Address,
}

impl Refusal {
    /// The whole answer: no request was read, so there is no request id and no problem document.
    pub const fn answer(self) -> &'static [u8] {
        match self {
            Self::Full => {
                b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            }
            Self::Address => {
                b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            }
        }
    }
}

impl Admission {
    /// The limits of these settings for a process with so many workers, which may open so many descriptors.
    pub fn new(settings: &Settings, workers: usize, descriptors: Option<u64>) -> Self {
        let open_files = descriptors.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let most = open_files.saturating_sub(reserved(settings, workers)).max(1);
        let total = match settings.connections {
            0 => most.min(CONNECTIONS_MAX),
            wanted if wanted > most => {
                log::warn!(
                    target: "deskwire::http",
                    "{wanted} connections were asked for, but the limit of open files ({open_files}) leaves {most}"
                );
                most
            }
            wanted => wanted,
        };
        let per_address = match (settings.trusted_proxies, settings.connections_per_address) {
            (0, 0) => Some(settings.sockets_per_address.saturating_mul(2)),
            (0, wanted) => Some(wanted),
            (_, _) => None,
        };
        Self { shared: Arc::new(Shared { total, per_address, open: Mutex::default() }) }
    }

    /// Most connections in all.
    pub fn total(&self) -> usize {
        self.shared.total
    }

    /// Most connections that one of so many workers takes from the system, those to be refused included.
    pub fn per_worker(&self, workers: usize) -> usize {
        self.shared.total.div_ceil(workers.max(1)).saturating_add(REFUSING)
    }

    /// Counts a new connection from this address.
    pub fn enter(&self, address: IpAddr) -> Result<AdmissionPermit, Refusal> {
        let address = AddressBlock::of(address);
        let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.shared.total {
            return Err(Refusal::Full);
        }
        if let Some(most) = self.shared.per_address {
            let count = open.addresses.entry(address).or_insert(0);
            if *count >= most {
                return Err(Refusal::Address);
            }
            *count += 1;
        }
        open.total += 1;
        Ok(AdmissionPermit { shared: self.shared.clone(), address })
    }
}

/// Descriptors that connections must leave to the rest of the process.
fn reserved(settings: &Settings, workers: usize) -> usize {
    let pool = usize::try_from(settings.database.pool_size).unwrap_or(usize::MAX);
    // Reads, writes beside the log, lanes, and connections for a moment (migrations, node numbers).
    let database =
        pool.saturating_mul(2).saturating_add(usize::from(settings.database.lanes)).saturating_add(4);
    database
        .saturating_mul(PER_DATABASE_CONNECTION)
        .saturating_add(workers.saturating_mul(PER_WORKER + REFUSING))
        .saturating_add(PROCESS)
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub struct AdmissionPermit {
    shared: Arc<Shared>,
    address: AddressBlock,
}

impl Drop for AdmissionPermit {
    fn drop(&mut self) {
        let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(count) = open.addresses.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]))
    }

    #[test]
    fn connections_are_counted_in_all_and_by_network() {
        let mut settings = Settings::defaults();
        (settings.connections, settings.connections_per_address) = (3, 2);
        let admission = Admission::new(&settings, 1, None);
        let first = admission.enter(address("2001:db8::1"));
        let second = admission.enter(address("2001:db8::ffff:2"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(
            admission.enter(address("2001:db8::3")).err(),
            Some(Refusal::Address),
            "one /64 is one address"
        );
        let other = admission.enter(address("192.0.2.1"));
        assert!(other.is_ok());
        assert_eq!(admission.enter(address("192.0.2.2")).err(), Some(Refusal::Full));
        drop((first, second, other));
        assert!(admission.enter(address("2001:db8::1")).is_ok());
        let open = admission.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(open.total == 0 && open.addresses.is_empty());
    }

    #[test]
    fn descriptors_are_kept_back_for_the_database() {
        let settings = Settings::defaults();
        let total = |descriptors| Admission::new(&settings, 2, Some(descriptors)).total();
        assert!((100..200).contains(&total(256)), "{}", total(256));
        assert_eq!(total(16), 1);
        assert_eq!(total(u64::MAX), CONNECTIONS_MAX);
    }

    #[test]
    fn behind_a_proxy_addresses_are_not_counted() {
        let mut settings = Settings::defaults();
        (settings.trusted_proxies, settings.connections_per_address) = (1, 1);
        let admission = Admission::new(&settings, 1, None);
        let both = (admission.enter(address("10.0.0.1")), admission.enter(address("10.0.0.1")));
        assert!(both.0.is_ok() && both.1.is_ok());
    }
}
