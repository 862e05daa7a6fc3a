//! Texts under a mark that only this service can make: what tokens of links are made of. No I/O.
//!
//! A token is a prefix, what it says, and the first 132 bits of an HMAC of that. Nothing is stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::hs256;
use crate::kernel::Result;
use crate::kernel::secret::{Secret, same};

/// Characters of the mark: 132 bits.
const MARK_LENGTH: usize = 22;

/// Makes and reads texts under a mark.
pub struct Marks {
    key: [u8; 32],
    prefix: &'static str,
}

impl Marks {
    /// Marks of tokens that begin with `prefix`; their key is derived from the master key and `purpose`, so that a token for one
    /// purpose is none for another.
    pub fn new(master: &Secret, purpose: &str, prefix: &'static str) -> Self {
        let mut digest = Sha256::new();
        digest.update(purpose.as_bytes());
        digest.update([0]);
        digest.update(master.expose().as_bytes());
        Self { key: digest.finalize().into(), prefix }
    }

    /// The token that says this.
    pub fn issue(&self, said: &str) -> Result<Secret> {
        let mark = self.mark(said)?;
        Ok(Secret::new(format!("{}{said}-{mark}", self.prefix)))
    }

    /// What a token says; `None` when this service did not make it for this purpose.
    pub fn read<'a>(&self, token: &'a str) -> Result<Option<&'a str>> {
        let Some((said, mark)) = token.strip_prefix(self.prefix).and_then(split_mark) else {
            return Ok(None);
        };
        Ok(same(mark.as_bytes(), self.mark(said)?.as_bytes()).then_some(said))
    }

    fn mark(&self, said: &str) -> Result<String> {
        let mut mark = URL_SAFE_NO_PAD.encode(hs256::mac(&self.key, said.as_bytes())?);
        mark.truncate(MARK_LENGTH);
        Ok(mark)
    }
}

/// The mark may hold separators itself, so that it is cut off by its length.
fn split_mark(text: &str) -> Option<(&str, &str)> {
    let at = text.len().checked_sub(MARK_LENGTH)?;
    let (said, mark) = (text.get(..at)?, text.get(at..)?);
    Some((said.strip_suffix('-')?, mark))
}
