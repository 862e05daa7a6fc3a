//! Network addresses as limits count them.

use std::net::IpAddr;

/// The addresses that one subscriber can take at will, counted together: an IPv4 address, or the first 64 bits of an
/// IPv6 address (RFC 6177 recommends that sites get at least that much).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressBlock(u64);

impl AddressBlock {
    /// The block of an address. An IPv4 address that is written as IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits())),
            IpAddr::V6(v6) => Self((v6.to_bits() >> 64) as u64),
        }
    }
}
