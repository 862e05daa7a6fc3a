//! Password hashes of other systems: MD5, as their databases hold it, with a salt or without.
//!
//! Owns their marked form in `member.password_hash`, `md5:DIGEST:SALT`, and their check. Does not own when they are replaced
//! (`auth`): at the first sign-in that gives the right password. Invariants: digests are compared in constant time; nothing new
//! is ever hashed so.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// What marks such a hash.
const MARK: &str = "md5:";
/// Longest salt, in bytes.
const SALT_MAX: usize = 200;

/// A password hash of another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignHash {
    digest: String,
    salt: String,
}

impl ForeignHash {
    /// From what another system holds: 32 hexadecimal digits, and its salt, which may be empty. `None` for anything else.
    pub fn new(digest: &str, salt: &str) -> Option<Self> {
        let digest = digest.trim().to_ascii_lowercase();
        let is_digest = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_digest && salt.len() <= SALT_MAX).then(|| Self { digest, salt: salt.to_owned() })
    }

    /// From the stored form; `None` when the account's hash is of our own.
    pub fn read(stored: &str) -> Option<Self> {
        let (digest, salt) = stored.strip_prefix(MARK)?.split_once(':')?;
        Self::new(digest, salt)
    }

    /// The form in which it is stored.
    pub fn stored(&self) -> String {
        format!("{MARK}{}:{}", self.digest, self.salt)
    }

    /// Whether the password fits. With a salt the three usual orders are tried, since nothing says which one it was: password
    /// and salt, salt and password, MD5 of the password and salt. All are computed, whichever fits.
    pub fn fits(&self, password: &str) -> bool {
        let salt = &self.salt;
        let inner = hex(password);
        let forms = match salt.is_empty() {
            true => vec![inner],
            false => vec![
                hex(&format!("{password}{salt}")),
                hex(&format!("{salt}{password}")),
                hex(&format!("{inner}{salt}")),
            ],
        };
        let fits = |form: &String| form.as_bytes().ct_eq(self.digest.as_bytes());
        forms.iter().fold(subtle::Choice::from(0), |found, form| found | fits(form)).into()
    }
}

fn hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn md5_is_known_in_its_usual_forms_and_nothing_else_fits() {
        // RFC 1321, A.5.
        assert_eq!(hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        let plain = ForeignHash::new("E10ADC3949BA59ABBE56E057F20F883E", "").unwrap();
        assert!(plain.fits("123456") && !plain.fits("1234567") && !plain.fits(""));
        assert_eq!(ForeignHash::read(&plain.stored()), Some(plain));
        for text in ["secret:s$1", "s$1secret", &format!("{}:s$1", hex("secret"))] {
            let text = text.replace("secret:s$1", "secrets$1").replace(":s$1", "s$1");
            let salted = ForeignHash::new(&hex(&text), "s$1").unwrap();
            assert!(salted.fits("secret") && !salted.fits("secrets$1"), "{text}");
            assert_eq!(ForeignHash::read(&salted.stored()), Some(salted));
        }
        for wrong in ["", "e10adc", "$2b$10$abcdefghijklmnopqrstuv", "g10adc3949ba59abbe56e057f20f883e"] {
            assert_eq!(ForeignHash::new(wrong, ""), None);
        }
        assert_eq!(ForeignHash::read("$2b$04$xyz"), None);
    }
}
