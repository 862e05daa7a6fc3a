//! Where a reader of a tenant's log stands, as one opaque text.
//!
//! Owns the text form and the check that a cursor is used by the reader that it was made for. A reader is a member of
//! a tenant in one history of the store, or, for the tenant's feed, the tenant as a whole. Invariant: a cursor of
//! another reader, of another history or beyond the head is `cursor_reset` and never hides a change.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::actor::Actor;
use crate::kernel::{Code, Error, MemberId, Result, TenantId};

/// The first byte of a cursor.
const VERSION: u8 = 2;
/// How cursors of earlier releases begin; they named no reader, so they are answered with `cursor_reset`.
const OLD: &[u8] = b"v1.";
/// Bytes of a cursor: version, reader, rev.
const BYTES: usize = 17;

/// For whom cursors are made: a digest of the store's epoch, the tenant and the member. It protects against mistakes,
/// not against forgery: a forged cursor shows its owner nothing that it may not read anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader(u64);

impl Reader {
    /// A member of a tenant.
    pub fn member(epoch: &str, tenant: TenantId, member: MemberId) -> Self {
        Self::digest(epoch, tenant, member.0)
    }

    /// The member who acts.
    pub fn of(epoch: &str, actor: &Actor) -> Self {
        Self::member(epoch, actor.tenant, actor.member)
    }

    /// The readers of a tenant's whole feed.
    pub fn tenant(epoch: &str, tenant: TenantId) -> Self {
        Self::digest(epoch, tenant, 0)
    }

    /// FNV-1a, which is the same in every process and release.
    fn digest(epoch: &str, tenant: TenantId, member: i64) -> Self {
        let bytes = tenant.0.to_be_bytes().into_iter().chain(member.to_be_bytes()).chain(epoch.bytes());
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, step))
    }

    /// The cursor of this reader that says "everything up to and including this rev has been handed out".
    pub fn at(self, rev: i64) -> Cursor {
        Cursor { reader: self, rev: rev.max(0) }
    }
}

/// A place in a tenant's log. Its text is base64url of 17 bytes; clients take it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    reader: Reader,
    /// Everything up to and including this rev has been handed out.
    pub rev: i64,
}

impl Cursor {
    /// The length of a cursor's text.
    pub const TEXT: usize = 23;

    /// Adds the text of the cursor. Every frame to every member has one, so nothing is allocated for it.
    pub fn push_to(&self, out: &mut String) {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.reader.0.to_be_bytes());
        bytes[9..].copy_from_slice(&self.rev.to_be_bytes());
        let mut text = [0; Self::TEXT];
        let length = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).unwrap_or_default();
        out.push_str(std::str::from_utf8(&text[..length]).unwrap_or_default());
    }

    /// The rev, when the cursor was made for this reader and does not lie beyond the head. Otherwise `cursor_reset`:
    /// what the client holds may be another member's, or may never have happened.
    pub fn check(&self, reader: Reader, head: i64) -> Result<i64> {
        if self.reader != reader || self.rev > head {
            return Err(Error::new(Code::CursorReset, Code::CursorReset.meaning()));
        }
        Ok(self.rev)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(Self::TEXT);
        self.push_to(&mut text);
        out.write_str(&text)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::new(Code::InvalidParameter, "invalid cursor");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        if bytes.starts_with(OLD) {
            return Ok(Self { reader: Reader(0), rev: 0 });
        }
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| malformed())?;
        let (head, rev) = bytes.split_at(9);
        let reader: [u8; 8] = head[1..].try_into().map_err(|_| malformed())?;
        let rev = i64::from_be_bytes(rev.try_into().map_err(|_| malformed())?);
        if head[0] != VERSION || rev < 0 {
            return Err(malformed());
        }
        Ok(Self { reader: Reader(u64::from_be_bytes(reader)), rev })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(1);
    const MEMBER: MemberId = MemberId(2);

    #[test]
    fn a_cursor_survives_its_text() -> Result<()> {
        let cursor = Reader::member("e.1", TENANT, MEMBER).at(42);
        assert_eq!(cursor.to_string().parse::<Cursor>()?, cursor);
        Ok(())
    }

    #[test]
    fn strange_text_is_refused() {
        let negative = Cursor { reader: Reader(1), rev: -1 }.to_string();
        for text in ["", "x", "djEu=", "12", &negative, &URL_SAFE_NO_PAD.encode("v2.e.1")] {
            let code = text.parse::<Cursor>().map_err(|error| error.code);
            assert_eq!(code, Err(Code::InvalidParameter), "{text}");
        }
    }

    #[test]
    fn cursors_of_other_readers_and_of_the_future_are_refused() -> Result<()> {
        let reader = Reader::member("e", TENANT, MEMBER);
        let cursor = reader.at(5);
        let reset = Err(Code::CursorReset);
        let checked = |reader, head| cursor.check(reader, head).map_err(|error| error.code);
        assert_eq!(checked(reader, 5), Ok(5));
        assert_eq!(checked(reader, 4), reset);
        assert_eq!(checked(Reader::member("f", TENANT, MEMBER), 9), reset);
        assert_eq!(checked(Reader::member("e", TenantId(3), MEMBER), 9), reset);
        assert_eq!(checked(Reader::member("e", TENANT, MemberId(3)), 9), reset);
        assert_eq!(checked(Reader::tenant("e", TENANT), 9), reset);
        let old: Cursor = URL_SAFE_NO_PAD.encode("v1.e.5").parse()?;
        assert_eq!(old.check(reader, 9).map_err(|error| error.code), reset);
        Ok(())
    }
}
