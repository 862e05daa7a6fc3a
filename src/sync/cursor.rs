//! Where a reader of a tenant's log stands: the store's epoch and a rev, as one opaque text.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::kernel::{Code, Error, Result};

/// A place in a tenant's log. Its text is base64url of `v1.<epoch>.<rev>`; clients take it as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The history that the rev belongs to; changes when a backup is restored.
    pub epoch: String,
    /// Everything up to and including this rev has been handed out.
    pub rev: i64,
}

impl Cursor {
    /// A place in the history with this epoch.
    pub fn new(epoch: &str, rev: i64) -> Self {
        Self { epoch: epoch.to_owned(), rev }
    }

    /// The rev, when the cursor belongs to this history and does not lie beyond its head. Otherwise `cursor_reset`:
    /// the store went back in time, and what the client holds may never have happened.
    pub fn check(&self, epoch: &str, head: i64) -> Result<i64> {
        if self.epoch != epoch || self.rev > head {
            return Err(Error::new(Code::CursorReset, Code::CursorReset.meaning()));
        }
        Ok(self.rev)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&URL_SAFE_NO_PAD.encode(format!("v1.{}.{}", self.epoch, self.rev)))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::new(Code::InvalidParameter, "this is no cursor of ours");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let plain = String::from_utf8(bytes).map_err(|_| malformed())?;
        let rest = plain.strip_prefix("v1.").ok_or_else(malformed)?;
        let (epoch, rev) = rest.rsplit_once('.').ok_or_else(malformed)?;
        let rev = rev.parse().ok().filter(|rev| *rev >= 0).ok_or_else(malformed)?;
        Ok(Self { epoch: epoch.to_owned(), rev })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() -> Result<()> {
        let cursor = Cursor::new("e.1", 42);
        assert_eq!(cursor.to_string().parse::<Cursor>()?, cursor);
        Ok(())
    }

    #[test]
    fn strange_text_is_refused() {
        for text in
            ["", "x", "djEu", "12", &URL_SAFE_NO_PAD.encode("v1.e.-1"), &URL_SAFE_NO_PAD.encode("v2.e.1")]
        {
            assert_eq!(
                text.parse::<Cursor>().map_err(|error| error.code),
                Err(Code::InvalidParameter),
                "{text}"
            );
        }
    }

    #[test]
    fn another_history_and_the_future_are_refused() {
        let cursor = Cursor::new("e", 5);
        assert_eq!(cursor.check("e", 5).ok(), Some(5));
        assert_eq!(cursor.check("e", 4).map_err(|error| error.code), Err(Code::CursorReset));
        assert_eq!(cursor.check("f", 9).map_err(|error| error.code), Err(Code::CursorReset));
    }
}
