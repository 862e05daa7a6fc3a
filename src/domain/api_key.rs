//! API keys: what one looks like, what it may be limited to, and where it may come from. No I/O.
//!
//! A key is `dk_PREFIX_SECRET_CHECK`: 12 characters that name it and may be shown, 256 random bits in hexadecimal, and the
//! first 8 hexadecimal digits of the SHA-256 of what stands before, so that a slip of the pen, and what scanners of secrets
//! find, is told from a key without a look at the store. Invariant: only the hash of a key is kept.

use std::net::IpAddr;

use diesel::prelude::*;
use sha2::{Digest, Sha256};

use super::operation::Operation;
use crate::db::schema::api_key;
use crate::db::types::Json;
use crate::kernel::network::Network;
use crate::kernel::secret::Secret;
use crate::kernel::{ApiKeyId, MemberId, TenantId};

/// Most API keys of a tenant, those that ended and are still listed included.
pub const API_KEYS_MAX: i64 = 500;
/// Longest name, in characters.
pub const API_KEY_NAME_MAX: usize = 100;
/// Most networks that one key may be limited to.
pub const API_KEY_NETWORKS_MAX: usize = 20;

/// What every key begins with.
const MARK: &str = "dk_";
const PREFIX_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 64;
const CHECK_LENGTH: usize = 8;

/// A row of `api_key`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = api_key)]
pub struct ApiKeyRow {
    /// The key.
    pub id: ApiKeyId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The service account that it acts as.
    pub member_id: MemberId,
    /// What people call it.
    pub name: String,
    /// What it is named by in its own text; unique.
    pub prefix: String,
    /// The hash of the whole text.
    pub secret_hash: String,
    /// What it may be used for.
    pub operations: Json<Vec<Operation>>,
    /// From where, in their one form; none: from everywhere.
    pub networks: Json<Vec<String>>,
    /// When it ends, unix milliseconds.
    pub expires_at: Option<i64>,
    /// When it was last used, unix milliseconds, some seconds late.
    pub last_used_at: Option<i64>,
    /// From which address; empty when never.
    pub last_used_ip: String,
    /// Who made it.
    pub created_by: MemberId,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it was last changed, unix milliseconds.
    pub updated_at: i64,
    /// When it was revoked, unix milliseconds.
    pub revoked_at: Option<i64>,
    /// Who revoked it.
    pub revoked_by: Option<MemberId>,
}

impl ApiKeyRow {
    /// Whether it may be used at this time, unix milliseconds.
    pub fn is_active(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// What no key can be limited to, because no key may ever do it: what belongs to a person's sessions, and keys themselves.
const NEVER: [Operation; 2] = [Operation::UseAccount, Operation::ManageApiKeys];

/// Whether a key may be given this.
pub fn is_grantable(operation: Operation) -> bool {
    !NEVER.contains(&operation)
}

/// A new key: its prefix and its text.
pub fn issue() -> (String, Secret) {
    let mut random = [0u8; PREFIX_LENGTH + SECRET_LENGTH / 2];
    rand::fill(&mut random[..]);
    let (name, secret) = random.split_at(PREFIX_LENGTH);
    let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letter = |byte: &u8| letters.get(usize::from(*byte) % letters.len()).copied().map_or('a', char::from);
    let prefix: String = name.iter().map(letter).collect();
    let said = format!("{MARK}{prefix}_{}", hexadecimal(secret));
    let check = check(&said);
    (prefix, Secret::new(format!("{said}_{check}")))
}

/// Whether this is meant to be an API key and no other token.
pub fn is_meant(text: &str) -> bool {
    text.starts_with(MARK)
}

/// The prefix of a well-formed key; `None` for any other text. Whether there is such a key, the store says.
pub fn prefix(text: &str) -> Option<&str> {
    let (said, given) = text.rsplit_once('_')?;
    let (prefix, secret) = said.strip_prefix(MARK)?.split_once('_')?;
    let fits = prefix.len() == PREFIX_LENGTH && secret.len() == SECRET_LENGTH && given.len() == CHECK_LENGTH;
    (fits && check(said) == given).then_some(prefix)
}

fn check(said: &str) -> String {
    let mut check = hexadecimal(&Sha256::digest(said.as_bytes()));
    check.truncate(CHECK_LENGTH);
    check
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads an address, or a network as [`Network::parse`] does. `None` for other text.
pub fn network(text: &str) -> Option<Network> {
    text.parse().ok().map(Network::exactly).or_else(|| Network::parse(text))
}

/// Whether a key that is limited to these networks may come from this address.
pub fn allows(networks: &[Network], address: IpAddr) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.holds(address))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_key_tells_its_prefix_and_nothing_else_does() {
        let (name, text) = issue();
        let text = text.expose();
        assert!(is_meant(text) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        assert_eq!(prefix(text), Some(name.as_str()));
        assert_ne!(issue().0, name);
        for at in 0..text.len() {
            let mut slip = text.to_owned();
            let other = if &slip[at..=at] == "b" { "c" } else { "b" };
            slip.replace_range(at..=at, other);
            assert_eq!(prefix(&slip), None, "{slip}");
            assert_eq!(prefix(&text[..at]), None);
        }
        for wrong in ["", "dk_", "dk___", "dk_a_b_c", "eyJhbGciOiJIUzI1NiJ9"] {
            assert_eq!(prefix(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn networks_hold_their_addresses_only() {
        let networks: Vec<Network> =
            ["203.0.113.9", "10.1.0.0/16", "2001:db8::5"].iter().filter_map(|text| network(text)).collect();
        assert_eq!(networks.len(), 3);
        let held = |address: &str| allows(&networks, address.parse().unwrap());
        for inside in ["203.0.113.9", "::ffff:203.0.113.9", "10.1.255.1", "2001:db8::5"] {
            assert!(held(inside), "{inside}");
        }
        for outside in ["203.0.113.8", "10.2.0.1", "2001:db8::6", "::1"] {
            assert!(!held(outside), "{outside}");
        }
        assert!(allows(&[], "::1".parse().unwrap()));
        for wrong in ["0.0.0.0/0", "::/0", "shop", "", "10.0.0.0/33"] {
            assert_eq!(network(wrong), None, "{wrong}");
        }
    }
}
