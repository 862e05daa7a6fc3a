//! Tokens of the links through which a customer rates a conversation without signing in. No I/O.
//!
//! A token names its tenant, its conversation, the end that is rated, and its own end, under a mark that only this service
//! can make. Nothing is stored: a token admits to one rating only, which is given once and changed for a day.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::hs256;
use crate::kernel::secret::{Secret, same};
use crate::kernel::{ConversationId, Result, TenantId};

const PREFIX: &str = "dwk_";
/// Characters of the mark: 132 bits.
const MARK_LENGTH: usize = 22;
/// Longest token, in bytes: a prefix, four numbers of at most 19 digits with separators, and a mark.
pub const RATING_TOKEN_MAX: usize = 128;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatingLink {
    /// Whose.
    pub tenant: TenantId,
    /// What is rated.
    pub conversation: ConversationId,
    /// The entry with which it ended.
    pub close_seq: i64,
    /// When the token ends, unix milliseconds.
    pub ends: i64,
}

/// Makes tokens and reads them.
pub struct RatingLinkIssuer {
    key: [u8; 32],
}

impl RatingLinkIssuer {
    /// An issuer whose mark is derived from the master key.
    pub fn new(master: &Secret) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"deskwire rating link v1\0");
        digest.update(master.expose().as_bytes());
        Self { key: digest.finalize().into() }
    }

    /// The token of a link.
    pub fn issue(&self, link: &RatingLink) -> Result<Secret> {
        let RatingLink { tenant, conversation, close_seq, ends } = link;
        let said = format!("{tenant}-{conversation}-{close_seq}-{ends}");
        let mark = self.mark(&said)?;
        Ok(Secret::new(format!("{PREFIX}{said}-{mark}")))
    }

    /// What a token is for; `None` when this service did not make it.
    pub fn read(&self, token: &str) -> Result<Option<RatingLink>> {
        let Some((said, mark)) = token.strip_prefix(PREFIX).and_then(split_mark) else { return Ok(None) };
        if !same(mark.as_bytes(), self.mark(said)?.as_bytes()) {
            return Ok(None);
        }
        let numbers: Vec<i64> = said.split('-').filter_map(|number| number.parse().ok()).collect();
        let [tenant, conversation, close_seq, ends] = numbers[..] else { return Ok(None) };
        let (tenant, conversation) = (TenantId(tenant), ConversationId(conversation));
        Ok(Some(RatingLink { tenant, conversation, close_seq, ends }))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const LINK: RatingLink =
        RatingLink { tenant: TenantId(1), conversation: ConversationId(i64::MAX), close_seq: 7, ends: 99 };

    #[test]
    fn only_what_was_issued_is_read() {
        let issuer = RatingLinkIssuer::new(&Secret::new("master"));
        let token = issuer.issue(&LINK).unwrap();
        let token = token.expose();
        assert!(token.len() <= RATING_TOKEN_MAX);
        assert_eq!(issuer.read(token).unwrap(), Some(LINK));
        assert_eq!(RatingLinkIssuer::new(&Secret::new("other")).read(token).unwrap(), None);
        for at in 0..token.len() {
            let mut forged = token.to_owned();
            let other = if &forged[at..=at] == "7" { "8" } else { "7" };
            forged.replace_range(at..=at, other);
            assert_eq!(issuer.read(&forged).unwrap(), None, "{forged}");
            assert_eq!(issuer.read(&token[..at]).unwrap(), None);
        }
        for text in ["", "dwk_", "dwk_-", "dwk_é", "dwk_1-2-3-4-ééééééééééééééééééé"] {
            assert_eq!(issuer.read(text).unwrap(), None, "{text}");
        }
    }
}
