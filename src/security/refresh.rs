//! Refresh tokens: their form, and the rules by which a family of them is renewed. No I/O.
//!
//! A session is one family. Its newest generation holds one token, or several siblings when answers were lost on
//! the way or two tabs refreshed at once: the predecessor stays valid until one of its successors is used, and each
//! time yields another sibling. When one sibling is used the others stay valid for [`SIBLING_GRACE_MS`], so that the
//! other tab is not signed out. Whoever presents a token that was valid once and is no longer has a copy of it: the
//! family is revoked.
//!
//! Invariants: the store holds hashes only; text that was never issued harms nobody, because a token carries a
//! mark that only this service can make; a token whose successor was used is never accepted again.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::hs256;
use crate::kernel::secret::{Secret, random_key, same, token_hash};
use crate::kernel::{Millis, Result, SessionId};

/// Most tokens of the newest generation; the oldest one gives way. As many tabs of one session can refresh at once
/// without one of them being taken for a thief.
pub const SIBLINGS_MAX: usize = 32;

/// How long unused siblings stay valid after one of them was used, in milliseconds.
pub const SIBLING_GRACE_MS: i64 = 60_000;

const PREFIX: &str = "dwr_";
/// Characters of the random part: 32 bytes.
const RANDOM_LENGTH: usize = 43;
/// Characters of the mark: 132 bits.
const MARK_LENGTH: usize = 22;

/// Makes tokens and reads them.
pub struct RefreshTokenIssuer {
    key: [u8; 32],
}

/// A token that somebody presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// The family that it names.
    pub session: SessionId,
    /// Its hash.
    pub hash: String,
    /// Whether this service issued it once.
    pub genuine: bool,
}

impl RefreshTokenIssuer {
    /// An issuer whose mark is derived from the master key.
    pub fn new(master: &Secret) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"deskwire refresh v1\0");
        digest.update(master.expose().as_bytes());
        Self { key: digest.finalize().into() }
    }

    /// A new token of a family, and its hash for the store.
    pub fn issue(&self, session: SessionId) -> Result<(Secret, String)> {
        let random = random_key(32);
        let token = format!("{PREFIX}{session}_{random}{}", self.mark(session, &random)?);
        let hash = token_hash(&token);
        Ok((Secret::new(token), hash))
    }

    /// Reads a presented token; `None` when it has not the form of one.
    pub fn read(&self, token: &str) -> Result<Option<Presented>> {
        let parts = token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((Ok(session), secret)) = parts.map(|(session, secret)| (session.parse(), secret)) else {
            return Ok(None);
        };
        let (Some(random), Some(mark)) = (secret.get(..RANDOM_LENGTH), secret.get(RANDOM_LENGTH..)) else {
            return Ok(None);
        };
        let expected = self.mark(session, random)?;
        let genuine = same(mark.as_bytes(), expected.as_bytes());
        Ok(Some(Presented { session, hash: token_hash(token), genuine }))
    }

    fn mark(&self, session: SessionId, random: &str) -> Result<String> {
        let message = format!("{session}_{random}");
        let mut mark = URL_SAFE_NO_PAD.encode(hs256::mac(&self.key, message.as_bytes())?);
        mark.truncate(MARK_LENGTH);
        Ok(mark)
    }
}

/// The tokens of a session that are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// How often it was renewed.
    pub generation: i32,
    /// Hash of the token from which the newest generation came.
    pub parent: Option<String>,
    /// Hashes of the parent's siblings that were not used.
    pub siblings: Vec<String>,
    /// When the newest generation began.
    pub rotated_at: Millis,
    /// Hashes of the newest generation, oldest first.
    pub current: Vec<String>,
}

impl Family {
    /// A new family with its first token.
    pub fn new(first: String) -> Self {
        Self {
            generation: 0,
            parent: None,
            siblings: Vec::new(),
            rotated_at: Millis::default(),
            current: vec![first],
        }
    }

    /// Hashes as a column of the store keeps them.
    pub fn column(hashes: &[String]) -> String {
        hashes.join(" ")
    }

    /// Reads [`Family::column`].
    pub fn hashes(column: &str) -> Vec<String> {
        column.split_ascii_whitespace().map(str::to_owned).collect()
    }

    /// What the family becomes when somebody presents a token and gets `successor` for it; `None` when the token
    /// is not valid (any more).
    pub fn present(&self, presented: &str, successor: String, now: Millis) -> Option<Self> {
        if self.current.iter().any(|hash| hash == presented) {
            return Some(Self {
                generation: self.generation.saturating_add(1),
                parent: Some(presented.to_owned()),
                siblings: self.current.iter().filter(|hash| *hash != presented).cloned().collect(),
                rotated_at: now,
                current: vec![successor],
            });
        }
        if self.parent.as_deref() == Some(presented) {
            return Some(self.sibling(successor));
        }
        let tolerated = self.siblings.iter().any(|hash| hash == presented)
            && now <= self.rotated_at.plus(SIBLING_GRACE_MS);
        tolerated.then(|| self.sibling(successor))
    }

    /// The family with one more token of the newest generation.
    pub fn sibling(&self, token: String) -> Self {
        let mut family = self.clone();
        family.current.push(token);
        let surplus = family.current.len().saturating_sub(SIBLINGS_MAX);
        family.current.drain(..surplus);
        family
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_known_again_and_made_up_text_is_not() -> Result<()> {
        let refresh_tokens = RefreshTokenIssuer::new(&Secret::new("master"));
        let (token, hash) = refresh_tokens.issue(SessionId(7))?;
        let read = refresh_tokens.read(token.expose())?;
        assert_eq!(read, Some(Presented { session: SessionId(7), hash, genuine: true }));
        let made_up = format!("dwr_7_{}", "x".repeat(65));
        assert_eq!(refresh_tokens.read(&made_up)?.map(|read| read.genuine), Some(false));
        let moved = token.expose().replace("dwr_7_", "dwr_8_");
        assert_eq!(refresh_tokens.read(&moved)?.map(|read| read.genuine), Some(false));
        for text in ["", "dwr_", "dwr_7_short", "dwr_x_", "Bearer", "dwr_7_密密密密密密密密密密密密密密密密"]
        {
            assert_eq!(refresh_tokens.read(text)?, None, "{text}");
        }
        Ok(())
    }

    /// A server that keeps one family and gives out numbered tokens.
    struct Server {
        family: Family,
        issued: u32,
        now: Millis,
    }

    impl Server {
        fn new() -> Self {
            Self { family: Family::new("t0".to_owned()), issued: 0, now: Millis(0) }
        }

        fn refresh(&mut self, presented: &str) -> Option<String> {
            self.issued += 1;
            let successor = format!("t{}", self.issued);
            self.family = self.family.present(presented, successor.clone(), self.now)?;
            Some(successor)
        }
    }

    proptest! {
        /// A day of refreshing every fifteen minutes; one answer in ten is lost, and the client repeats.
        #[test]
        fn lost_answers_lock_nobody_out(losses in prop::collection::vec(prop::bool::weighted(0.1), 400)) {
            let mut server = Server::new();
            let mut held = "t0".to_owned();
            let mut losses = losses.into_iter().cycle();
            for _ in 0..96 {
                server.now = server.now.plus(900_000);
                for repeat in 0.. {
                    let answer = server.refresh(&held);
                    prop_assert!(answer.is_some(), "locked out");
                    if losses.next() == Some(false) || repeat > 20 {
                        held = answer.unwrap_or_default();
                        break;
                    }
                }
            }
        }

        /// Somebody copies a token; both go on refreshing. Whoever is second to use it is refused.
        #[test]
        fn a_thief_is_caught(before in 0..20usize, turns in prop::collection::vec(any::<bool>(), 8)) {
            let mut server = Server::new();
            let mut owner = "t0".to_owned();
            for _ in 0..before {
                owner = server.refresh(&owner).unwrap_or_default();
            }
            let mut thief = owner.clone();
            let mut caught = false;
            for owners_turn in turns.into_iter().chain([true, false, true, false, true]) {
                server.now = server.now.plus(SIBLING_GRACE_MS + 1);
                let held = if owners_turn { &mut owner } else { &mut thief };
                match server.refresh(held) {
                    Some(next) => *held = next,
                    None => {
                        caught = true;
                        break;
                    }
                }
            }
            prop_assert!(caught);
        }
    }

    #[test]
    fn siblings_are_bounded_and_each_of_them_is_good() {
        let mut server = Server::new();
        let last = (0..40).filter_map(|_| server.refresh("t0")).last();
        assert_eq!(last.as_deref(), Some("t40"));
        assert_eq!(server.family.current.len(), SIBLINGS_MAX);
        for sibling in &server.family.current {
            assert!(server.family.present(sibling, "next".to_owned(), server.now).is_some());
        }
    }

    #[test]
    fn two_tabs_that_refresh_at_once_both_stay_signed_in() {
        let mut server = Server::new();
        let mut tabs = ["t0".to_owned(), "t0".to_owned()];
        for _ in 0..10 {
            for tab in &mut tabs {
                server.now = server.now.plus(SIBLING_GRACE_MS / 2);
                let next = server.refresh(tab);
                assert!(next.is_some(), "signed out");
                *tab = next.unwrap_or_default();
            }
            server.now = server.now.plus(900_000);
        }
        // A tab that comes later than that holds a copy.
        server.refresh(&tabs[0]);
        server.now = server.now.plus(SIBLING_GRACE_MS + 1);
        assert_eq!(server.refresh(&tabs[1]), None);
    }
}
