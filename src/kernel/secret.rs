//! Secrets: text that never shows itself in logs, hashing of tokens, random keys, and sealing of what must be kept
//! at rest but read again (ChaCha20-Poly1305 under the service's master key).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit};
use sha2::{Digest, Sha256};

use super::error::{Code, Error, Result};

/// Text that `Debug` and `Display` never print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; the caller must not log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("…")
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

/// Random bytes from the operating system's generator, as URL-safe base64 without padding.
pub fn random_key(bytes: usize) -> String {
    let mut buffer = vec![0u8; bytes];
    rand::fill(&mut buffer[..]);
    URL_SAFE_NO_PAD.encode(buffer)
}

/// SHA-256 as URL-safe base64: how bearer tokens are kept at rest. Tokens are 256 random bits, so no salt or
/// slow hash is needed.
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(one, other).into()
}

/// The service's master key: seals what is kept at rest and must be read again.
#[derive(Clone)]
pub struct Vault {
    cipher: ChaCha20Poly1305,
}

impl Vault {
    /// A vault under a key derived from the master secret.
    pub fn new(master: &Secret) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"deskwire vault v1\0");
        digest.update(master.expose().as_bytes());
        Self { cipher: ChaCha20Poly1305::new(&digest.finalize()) }
    }

    /// Seals the text. The same text gives another result each time.
    pub fn seal(&self, text: &Secret) -> Result<String> {
        let mut nonce = [0u8; 12];
        rand::fill(&mut nonce[..]);
        let sealed = self
            .cipher
            .encrypt(&nonce.into(), text.expose().as_bytes())
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed[..]].concat()))
    }

    /// Opens what [`Vault::seal`] made; fails with `internal` when the master key is another one.
    pub fn open(&self, sealed: &str) -> Result<Secret> {
        let refused =
            || Error::new(Code::Internal, "a stored secret cannot be decrypted: was the master key changed?");
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| refused())?;
        if bytes.len() < 12 {
            return Err(refused());
        }
        let (nonce, body) = bytes.split_at(12);
        let nonce: [u8; 12] = nonce.try_into().map_err(|_| refused())?;
        let text = self.cipher.decrypt(&nonce.into(), body).map_err(|_| refused())?;
        String::from_utf8(text).map(Secret).map_err(|_| refused())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Vault(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_own_key_only() -> Result<()> {
        let vault = Vault::new(&Secret::new("one"));
        let sealed = vault.seal(&Secret::new("words"))?;
        assert!(!sealed.contains("words"));
        assert_eq!(vault.open(&sealed)?.expose(), "words");
        assert!(Vault::new(&Secret::new("two")).open(&sealed).is_err());
        Ok(())
    }

    #[test]
    fn secrets_do_not_print() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?} {secret}").contains("hunter2"));
    }
}
