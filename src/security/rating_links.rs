//! Tokens of the links through which a customer rates a conversation without signing in. No I/O.
//!
//! A token names its tenant, its conversation, the end that is rated, and its own end, under a mark that only this service
//! can make. Nothing is stored: a token admits to one rating only, which is given once and changed for a day.

use super::marks::Marks;
use crate::kernel::secret::Secret;
use crate::kernel::{ConversationId, Result, TenantId};

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
    marks: Marks,
}

impl RatingLinkIssuer {
    /// An issuer whose mark is derived from the master key.
    pub fn new(master: &Secret) -> Self {
        Self { marks: Marks::new(master, "deskwire rating link v1", "dwk_") }
    }

    /// The token of a link.
    pub fn issue(&self, link: &RatingLink) -> Result<Secret> {
        let RatingLink { tenant, conversation, close_seq, ends } = link;
        self.marks.issue(&format!("{tenant}-{conversation}-{close_seq}-{ends}"))
    }

    /// What a token is for; `None` when this service did not make it.
    pub fn read(&self, token: &str) -> Result<Option<RatingLink>> {
        let Some(said) = self.marks.read(token)? else { return Ok(None) };
        let numbers: Vec<i64> = said.split('-').filter_map(|number| number.parse().ok()).collect();
        let [tenant, conversation, close_seq, ends] = numbers[..] else { return Ok(None) };
        let (tenant, conversation) = (TenantId(tenant), ConversationId(conversation));
        Ok(Some(RatingLink { tenant, conversation, close_seq, ends }))
    }
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
