//! What a link of an e-mail holds.

use crate::domain::centre::send::{MessagePriority, SendRow};
use crate::kernel::secret::{Secret, Vault};
use crate::kernel::{Error, PersonId, Result, TenantId};

/// Names what is sealed, so that nothing else that is sealed with the same key is taken for it.
const PURPOSE: &str = "unsubscribe";
/// Below which path links are followed.
const PATH: &str = "/api/v1/unsubscribe/";

/// Who wants no more of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Whose receiver.
    pub tenant: TenantId,
    /// The receiver.
    pub person: PersonId,
    /// What it wants no more of.
    pub priority: MessagePriority,
}

impl Link {
    /// The link of a send; `None` where its receiver is nobody, and of what somebody waits for: a code and what is urgent
    /// are no mass mail.
    pub fn of(send: &SendRow) -> Option<Self> {
        let priority = MessagePriority::from_rank(send.priority);
        let ends = matches!(priority, MessagePriority::Notice | MessagePriority::Marketing);
        let (_, person) = send.person().filter(|_| ends)?;
        Some(Self { tenant: send.tenant_id, person, priority })
    }

    /// Where it leads, at the address of this service. The same link reads otherwise each time.
    pub fn address(self, public_url: &str, vault: &Vault) -> Result<String> {
        Ok(format!("{public_url}{PATH}{}", self.sealed(vault)?))
    }

    fn sealed(self, vault: &Vault) -> Result<String> {
        let Self { tenant, person, priority } = self;
        vault.seal(&Secret::new(format!("{PURPOSE} {tenant} {person} {}", priority.as_str())))
    }

    /// Reads what stands at the end of [`Link::address`]. Errors: `not_found` of everything else.
    pub fn open(vault: &Vault, token: &str) -> Result<Self> {
        let opened = vault.open(token).map_err(|_| Error::not_found())?;
        let parts: Vec<&str> = opened.expose().split(' ').collect();
        let [PURPOSE, tenant, person, priority] = parts[..] else { return Err(Error::not_found()) };
        let read = || {
            let (tenant, person) = (tenant.parse().ok()?, person.parse().ok()?);
            Some(Self { tenant, person, priority: priority.parse().ok()? })
        };
        read().ok_or_else(Error::not_found)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_with_its_own_key_and_purpose() {
        let vault = Vault::new(&Secret::new("one"));
        let link = Link { tenant: TenantId(1), person: PersonId(2), priority: MessagePriority::Notice };
        let token = link.sealed(&vault).unwrap();
        assert!(token.chars().all(|one| one.is_ascii_alphanumeric() || "-_".contains(one)), "{token}");
        assert_eq!(Link::open(&vault, &token).unwrap(), link);
        assert!(Link::open(&Vault::new(&Secret::new("two")), &token).is_err());
        let (first, rest) = token.split_at(20);
        for forged in ["", "x", &token[1..], first, rest, &token.to_lowercase()] {
            assert!(Link::open(&vault, forged).is_err(), "{forged}");
        }
        for other in
            ["account 1 2 notice", "unsubscribe 1 2", "unsubscribe 1 2 none", "unsubscribe 1 2 notice more"]
        {
            let sealed = vault.seal(&Secret::new(other)).unwrap();
            assert!(Link::open(&vault, &sealed).is_err(), "{other}");
        }
    }
}
