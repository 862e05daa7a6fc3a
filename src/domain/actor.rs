//! Actors: on whose behalf something is done.
//!
//! [`Actor`] is a member on whose behalf a request is made. [`Principal`] is anybody on whose behalf a command of
//! the journal can be done: a member, or the service itself, or its operator, who are no members and have no id.
//! An API key acts as its service account, limited to the operations of the key.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::member::Role;
use super::operation::OperationSet;
use crate::kernel::{ApiKeyId, MemberId, SessionId, TenantId};

/// A signed-in member, or a service account: what a verified token or API key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The tenant; every query is scoped by it.
    pub tenant: TenantId,
    /// The member.
    pub member: MemberId,
    /// The member's role when the token was made; journal commands check the present one.
    pub role: Role,
    /// The signed-in device; of an API key its id.
    pub session: SessionId,
    /// Where it comes from, as far as that is known.
    pub origin: Origin,
    /// What it is limited to by its API key; a signed-in member is not.
    pub operations: OperationSet,
}

impl Actor {
    /// The API key with which this is done; `None` for who signed in.
    pub fn api_key(&self) -> Option<ApiKeyId> {
        (self.operations != OperationSet::ALL).then_some(ApiKeyId(self.session.0))
    }
}

/// Where somebody comes from: what else than an account can be banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// The address of the request or of the socket; IPv4 is never written as IPv6.
    pub address: Option<IpAddr>,
    /// The device that was named when the session began.
    pub device: Option<DeviceMark>,
    /// The device that the socket named in its `hello`.
    pub socket_device: Option<DeviceMark>,
}

/// What a device is recognised by: the first 64 bits of a hash of the name that its client gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceMark(u64);

impl DeviceMark {
    /// The mark of a device with this name; `None` for one without a name.
    pub fn of(name: &str) -> Option<Self> {
        let digest = Sha256::digest(name.as_bytes());
        let first: [u8; 8] = digest.first_chunk().copied().unwrap_or_default();
        (!name.is_empty()).then_some(Self(u64::from_be_bytes(first)))
    }

    /// As it stands in access tokens: 16 hexadecimal digits.
    pub fn text(self) -> String {
        format!("{:016x}", self.0)
    }

    /// Reads that text. `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self).filter(|mark| mark.text() == text)
    }
}

/// On whose behalf a command is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// A member. The journal checks its present role and state, not the token's.
    Member(Actor),
    /// The service itself, such as cleaning up.
    System(TenantId),
    /// Who runs the service, by the command line.
    Operator(TenantId),
}

impl Principal {
    /// The tenant that it acts in.
    pub const fn tenant(&self) -> TenantId {
        match self {
            Self::Member(actor) => actor.tenant,
            Self::System(tenant) | Self::Operator(tenant) => *tenant,
        }
    }

    /// The member, when it is one.
    pub const fn member(&self) -> Option<MemberId> {
        match self {
            Self::Member(actor) => Some(actor.member),
            Self::System(_) | Self::Operator(_) => None,
        }
    }

    /// The member's role, when it is one.
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::Member(actor) => Some(actor.role),
            Self::System(_) | Self::Operator(_) => None,
        }
    }
}

impl From<Actor> for Principal {
    fn from(actor: Actor) -> Self {
        Self::Member(actor)
    }
}

#[cfg(test)]
mod tests {
    use super::DeviceMark;

    #[test]
    fn a_mark_comes_back_from_its_text() {
        let mark = DeviceMark::of("phone");
        assert!(mark.is_some() && mark != DeviceMark::of("laptop") && DeviceMark::of("").is_none());
        assert_eq!(mark.and_then(|mark| DeviceMark::parse(&mark.text())), mark);
        for wrong in ["", "1", "+00000000000000f", "zz00000000000000"] {
            assert_eq!(DeviceMark::parse(wrong), None, "{wrong}");
        }
    }
}
