//! Bans: whom a tenant does not let in any more, and whom that meets. No I/O.
//!
//! Invariants: only customers are met, whatever a ban names, so that nobody locks the staff out; a ban holds until the
//! millisecond of its end, by the clock and without any write.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;

use super::actor::{DeviceMark, Origin};
use crate::db::schema::ban;
use crate::kernel::network::Network;
use crate::kernel::{BanId, MemberId, TenantId};
use crate::text_enum;

/// Most bans of a tenant, those that ended and are still listed included.
pub const BANS_MAX: i64 = 1_000;
/// Longest reason, in characters.
pub const BAN_REASON_MAX: usize = 500;
/// Longest value that is given, in characters: an e-mail address.
pub const BAN_VALUE_MAX: usize = 125;

text_enum! {
    /// What a ban names.
    BanKind {
        /// A customer, by its member id.
        Member = "member",
        /// An address: an IPv4 address, or the first 64 bits of an IPv6 address.
        Ip = "ip",
        /// A network: `ADDRESS/LENGTH`, of IPv4 from /8 to /32, of IPv6 from /32 to /64.
        Cidr = "cidr",
        /// An e-mail address: every customer who has it.
        Email = "email",
        /// A device, by the name that its client gives it when a session begins or in a socket's `hello`.
        Device = "device",
    }
}

/// A row of `ban`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = ban, treat_none_as_default_value = false)]
pub struct BanRow {
    /// The ban.
    pub id: BanId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What it names.
    pub kind: BanKind,
    /// Which one, in its one form.
    pub value: String,
    /// Why; may be empty. Customers are not told.
    pub reason: String,
    /// When it ends, unix milliseconds; `None`: when it is deleted.
    pub expires_at: Option<i64>,
    /// Who made it.
    pub created_by: MemberId,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it was last changed, unix milliseconds.
    pub updated_at: i64,
}

impl BanRow {
    /// Whether it holds at this time, unix milliseconds.
    pub fn holds(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// When a ban ends, unix milliseconds.
type End = i64;

/// The bans of one tenant, ready to be asked about a customer.
#[derive(Debug, Clone, Default)]
pub struct BanSet {
    /// The named members, and those who have a named e-mail address.
    members: HashMap<MemberId, End>,
    devices: HashMap<DeviceMark, End>,
    /// By their shape, so that an address is looked up once for each shape and not once for each network.
    networks: BTreeMap<(bool, u8), HashMap<Network, End>>,
}

impl BanSet {
    /// The set of these bans. `owners` are the members who have an e-mail address that one of them names.
    pub fn new(rows: &[BanRow], owners: &[(String, MemberId)]) -> Self {
        let mut set = Self::default();
        let mut emails: HashMap<&str, End> = HashMap::new();
        for row in rows {
            let end = row.expires_at.unwrap_or(End::MAX);
            match row.kind {
                BanKind::Member => {
                    row.value.parse().into_iter().for_each(|member| later(&mut set.members, member, end));
                }
                BanKind::Email => later(&mut emails, &row.value, end),
                BanKind::Device => {
                    let mark = DeviceMark::of(&row.value);
                    mark.into_iter().for_each(|mark| later(&mut set.devices, mark, end));
                }
                BanKind::Ip | BanKind::Cidr => {
                    let address = || row.value.parse().ok().map(Network::of_subscriber);
                    if let Some(network) = Network::parse(&row.value).or_else(address) {
                        later(set.networks.entry(network.shape()).or_default(), network, end);
                    }
                }
            }
        }
        for (email, member) in owners {
            if let Some(end) = emails.get(email.as_str()) {
                later(&mut set.members, *member, *end);
            }
        }
        set
    }

    /// Whether a customer is banned at this time, unix milliseconds; without a member, somebody new from there.
    pub fn bars(&self, member: Option<MemberId>, origin: &Origin, now: i64) -> bool {
        let holds = |end: Option<&End>| end.is_some_and(|end| now < *end);
        let devices = [origin.device, origin.socket_device];
        holds(member.and_then(|member| self.members.get(&member)))
            || devices.into_iter().flatten().any(|device| holds(self.devices.get(&device)))
            || origin.address.is_some_and(|address| {
                let own = self.networks.iter().filter(|((ipv4, _), _)| *ipv4 == address.is_ipv4());
                own.into_iter()
                    .any(|((_, length), known)| holds(known.get(&Network::around(address, *length))))
            })
    }
}

/// Of two bans of the same the longer one counts.
fn later<K: std::hash::Hash + Eq>(ends: &mut HashMap<K, End>, key: K, end: End) {
    let known = ends.entry(key).or_insert(end);
    *known = end.max(*known);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000;

    fn row(kind: BanKind, value: &str, expires_at: Option<i64>) -> BanRow {
        BanRow {
            id: BanId(1),
            tenant_id: TenantId(1),
            kind,
            value: value.to_owned(),
            reason: String::new(),
            expires_at,
            created_by: MemberId(1),
            created_at: 0,
            updated_at: 0,
        }
    }

    fn from(address: &str) -> Origin {
        Origin { address: address.parse().ok(), ..Origin::default() }
    }

    #[test]
    fn addresses_are_met_by_their_networks_only() {
        let set = BanSet::new(
            &[
                row(BanKind::Ip, "203.0.113.9", None),
                row(BanKind::Ip, "2001:db8:0:1::/64", None),
                row(BanKind::Ip, "::/64", None),
                row(BanKind::Cidr, "198.51.100.0/24", None),
            ],
            &[],
        );
        for met in ["203.0.113.9", "2001:db8:0:1::5", "2001:db8:0:1:ffff::5", "::1", "198.51.100.200"] {
            assert!(set.bars(None, &from(met), NOW), "{met}");
        }
        for free in ["203.0.113.10", "2001:db8:0:2::5", "198.51.101.1", "0.0.0.1"] {
            assert!(!set.bars(None, &from(free), NOW), "{free}");
        }
        assert!(!set.bars(Some(MemberId(1)), &Origin::default(), NOW));
    }

    #[test]
    fn a_ban_ends_by_the_clock_and_the_longer_one_counts() {
        let rows =
            [row(BanKind::Member, "7", Some(NOW + 1)), row(BanKind::Email, "a@example.com", Some(NOW + 9))];
        let set = BanSet::new(&rows, &[("a@example.com".to_owned(), MemberId(7))]);
        let bars = |now| set.bars(Some(MemberId(7)), &Origin::default(), now);
        assert!(bars(NOW) && bars(NOW + 8) && !bars(NOW + 9));
        assert!(!set.bars(Some(MemberId(8)), &Origin::default(), NOW));
        assert!(rows[0].holds(NOW) && !rows[0].holds(NOW + 1));
    }

    #[test]
    fn either_name_of_a_device_is_met() {
        let set = BanSet::new(&[row(BanKind::Device, "phone", None)], &[]);
        let phone = DeviceMark::of("phone");
        assert!(set.bars(None, &Origin { device: phone, ..Origin::default() }, NOW));
        assert!(set.bars(None, &Origin { socket_device: phone, ..Origin::default() }, NOW));
        let other = Origin { device: DeviceMark::of("laptop"), ..Origin::default() };
        assert!(!set.bars(None, &other, NOW));
    }
}
