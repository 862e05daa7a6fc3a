//! Network addresses as limits count them and as bans name them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

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

/// The addresses that begin with the same bits. IPv4 that is written as IPv6 is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    length: u8,
}

impl Network {
    /// How many bits an IPv4 network that is read may have in common.
    pub const IPV4_LENGTHS: RangeInclusive<u8> = 8..=32;
    /// The same of IPv6. Beyond 64 bits nothing is told apart: a subscriber takes these addresses at will.
    pub const IPV6_LENGTHS: RangeInclusive<u8> = 32..=64;

    /// What one subscriber has, by one of its addresses: an IPv4 address, or the first 64 bits of an IPv6 address.
    pub fn of_subscriber(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::around(address, if address.is_ipv4() { 32 } else { 64 })
    }

    /// One address, and no other.
    pub fn exactly(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::around(address, if address.is_ipv4() { 32 } else { 128 })
    }

    /// Whether the address lies in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        address.to_canonical().is_ipv4() == self.first.is_ipv4()
            && Self::around(address, self.length) == *self
    }

    /// The network of this length that an address lies in.
    pub fn around(address: IpAddr, length: u8) -> Self {
        let first = match address.to_canonical() {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length.into())).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Self { first, length }
    }

    /// Reads `ADDRESS/LENGTH`; bits behind the length are dropped. `None` for other text, and for lengths outside
    /// [`Network::IPV4_LENGTHS`] and [`Network::IPV6_LENGTHS`].
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let plain = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u8 = length.parse().ok().filter(|_| plain)?;
        let canonical = address.to_canonical();
        let is_mapped = address.is_ipv6() && canonical.is_ipv4();
        let length = if is_mapped { length.checked_sub(96)? } else { length };
        let allowed = if canonical.is_ipv4() { Self::IPV4_LENGTHS } else { Self::IPV6_LENGTHS };
        allowed.contains(&length).then(|| Self::around(canonical, length))
    }

    /// The family and the length: what an address is cut to before it is looked for among networks of the same kind.
    pub const fn shape(&self) -> (bool, u8) {
        (self.first.is_ipv4(), self.length)
    }

    /// A subscriber's network as people write it: an IPv4 address alone, IPv6 with its length.
    pub fn subscriber_text(&self) -> String {
        if self.first.is_ipv4() { self.first.to_string() } else { self.to_string() }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.first, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    fn read(text: &str) -> Option<String> {
        Network::parse(text).map(|network| network.to_string())
    }

    #[test]
    fn networks_have_one_form() {
        let form = |text: &str| Some(text.to_owned());
        assert_eq!(read("10.1.2.3/8"), form("10.0.0.0/8"));
        assert_eq!(read("203.0.113.9/32"), form("203.0.113.9/32"));
        assert_eq!(read("2001:DB8:1:2:3::/64"), form("2001:db8:1:2::/64"));
        assert_eq!(read("::ffff:203.0.113.9/120"), form("203.0.113.0/24"));
        for wrong in [
            "10.0.0.0/7",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0",
            "2001:db8::/31",
            "2001:db8::/65",
            "::ffff:10.0.0.0/8",
            "::ffff:10.0.0.0/103",
            "shop/8",
            "10.0.0/8",
            "",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_subscriber_is_an_address_or_a_block_of_ipv6() -> Result<(), std::net::AddrParseError> {
        let of = |text: &str| text.parse().map(|address| Network::of_subscriber(address).subscriber_text());
        assert_eq!(of("203.0.113.9")?, "203.0.113.9");
        assert_eq!(of("::ffff:203.0.113.9")?, "203.0.113.9");
        assert_eq!(of("2001:db8::1")?, of("2001:db8::ffff:1")?);
        assert_ne!(of("2001:db8::1")?, of("2001:db8:0:1::1")?);
        Ok(())
    }
}
