//! Tokens of the short-lived links through which a member reads the content of an attachment, also where no header can be
//! sent, as in an `img` element. No I/O.
//!
//! A token names the member, its session, the attachment and its own end, under a mark that only this service can make. Nothing
//! is stored: whoever uses the link must check that the session lives and that the member may still read the attachment.

use super::marks::Marks;
use crate::domain::actor::{Actor, DeviceMark, Origin};
use crate::domain::member::Role;
use crate::domain::operation::OperationSet;
use crate::kernel::secret::Secret;
use crate::kernel::{AttachmentId, MemberId, Result, SessionId, TenantId};

/// How long a link admits, in milliseconds: five minutes.
pub const FILE_LINK_MS: i64 = 300_000;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLink {
    /// Who asked for it, with the device that its session named.
    pub actor: Actor,
    /// What is read.
    pub attachment: AttachmentId,
    /// Its thumbnail instead.
    pub thumbnail: bool,
    /// When the token ends, unix milliseconds.
    pub ends: i64,
}

/// Makes tokens and reads them.
pub struct FileLinkIssuer {
    marks: Marks,
}

impl FileLinkIssuer {
    /// An issuer whose mark is derived from the master key.
    pub fn new(master: &Secret) -> Self {
        Self { marks: Marks::new(master, "deskwire file link v1", "dwf_") }
    }

    /// The token of a link.
    pub fn issue(&self, link: &FileLink) -> Result<Secret> {
        let FileLink { actor, attachment, thumbnail, ends } = link;
        let Actor { tenant, member, role, session, origin, .. } = actor;
        let thumbnail = i64::from(*thumbnail);
        let device = origin.device.map(DeviceMark::text).unwrap_or_default();
        let numbers = format!("{tenant}-{member}-{session}-{attachment}-{thumbnail}-{ends}");
        self.marks.issue(&format!("{numbers}-{device}-{role}"))
    }

    /// What a token is for; `None` when this service did not make it.
    pub fn read(&self, token: &str) -> Result<Option<FileLink>> {
        let parts = self.marks.read(token)?.and_then(|said| {
            let (rest, role) = said.rsplit_once('-')?;
            let (numbers, device) = rest.rsplit_once('-')?;
            Some((numbers, device, role))
        });
        let Some((numbers, device, role)) = parts else { return Ok(None) };
        let numbers: Vec<i64> = numbers.split('-').filter_map(|number| number.parse().ok()).collect();
        let ([tenant, member, session, attachment, thumbnail, ends], Ok(role)) =
            (&numbers[..], role.parse::<Role>())
        else {
            return Ok(None);
        };
        let actor = Actor {
            tenant: TenantId(*tenant),
            member: MemberId(*member),
            role,
            session: SessionId(*session),
            origin: Origin { device: DeviceMark::parse(device), ..Origin::default() },
            operations: OperationSet::ALL,
        };
        let (attachment, thumbnail) = (AttachmentId(*attachment), *thumbnail == 1);
        Ok(Some(FileLink { actor, attachment, thumbnail, ends: *ends }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::rating_links::RatingLinkIssuer;
    use super::*;

    #[test]
    fn only_what_was_issued_is_read() {
        let master = Secret::new("master");
        let origin = Origin { device: DeviceMark::of("phone-1"), ..Origin::default() };
        let (tenant, member, session) = (TenantId(1), MemberId(2), SessionId(3));
        let actor =
            Actor { tenant, member, role: Role::Customer, session, origin, operations: OperationSet::ALL };
        let link = FileLink { actor, attachment: AttachmentId(i64::MAX), thumbnail: true, ends: 99 };
        let issuer = FileLinkIssuer::new(&master);
        let token = issuer.issue(&link).unwrap();
        let token = token.expose();
        assert_eq!(issuer.read(token).unwrap(), Some(link));
        assert_eq!(FileLinkIssuer::new(&Secret::new("other")).read(token).unwrap(), None);
        let renamed = token.replacen("dwf_", "dwk_", 1);
        assert_eq!(RatingLinkIssuer::new(&master).read(&renamed).unwrap(), None, "for another purpose");
        for at in 0..token.len() {
            let mut forged = token.to_owned();
            let other = if &forged[at..=at] == "1" { "0" } else { "1" };
            forged.replace_range(at..=at, other);
            assert_eq!(issuer.read(&forged).unwrap(), None, "{forged}");
            assert_eq!(issuer.read(&token[..at]).unwrap(), None);
        }
    }
}
