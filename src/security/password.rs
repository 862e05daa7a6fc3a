//! Passwords: hashing and checking with bcrypt, off the async workers. Owns the rules for passwords, after NIST
//! SP 800-63B: a least length, no common ones, and no rules of composition.
//!
//! Invariants: a name that does not exist costs the same work as a wrong password; sign-ins of strangers wait in a
//! queue of their own, so that they do not delay accounts on devices that are known; every queue and every wait has
//! a limit; a password is never printed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::common_passwords::is_common;
use super::foreign_password::ForeignHash;
use crate::kernel::secret::Secret;
use crate::kernel::text::login_name;
use crate::kernel::{Code, Error, Result};

/// Shortest password, in characters.
pub const PASSWORD_MIN: usize = 8;
/// Longest password, in characters.
pub const PASSWORD_MAX: usize = 256;
/// Fewest different characters of a password.
const DIFFERENT_MIN: usize = 3;
/// What bcrypt looks at, in bytes; a longer password is hashed with SHA-256 first.
const BCRYPT_MAX: usize = 72;
/// Longest wait for a core.
const WAIT: Duration = Duration::from_secs(10);

/// A password as a client sends it.
#[derive(Debug, Clone)]
pub struct Password(pub Secret);

impl Password {
    /// Fails when this password may not be set for an account with these names.
    pub fn check(&self, pointer: &str, names: &[&str]) -> Result<()> {
        let text = self.0.expose();
        let refused = |code: &'static str, detail: String| Err(Error::field(pointer, code, detail));
        let length = text.chars().count();
        if length < PASSWORD_MIN {
            return refused("too_short", format!("at least {PASSWORD_MIN} characters"));
        }
        if length > PASSWORD_MAX {
            return refused("too_long", format!("at most {PASSWORD_MAX} characters"));
        }
        let folded = login_name(text);
        if text.chars().collect::<HashSet<_>>().len() < DIFFERENT_MIN || is_common(&folded) {
            return refused("too_common", "this password is among the first that are guessed".to_owned());
        }
        if names.iter().any(|name| login_name(name) == folded) {
            return refused("too_common", "the password must not be the name".to_owned());
        }
        Ok(())
    }

    /// Whether this is the same password.
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// What bcrypt hashes: the password, or, where bcrypt would ignore its end, its SHA-256.
    fn for_bcrypt(&self) -> Secret {
        let text = self.0.expose();
        if text.len() <= BCRYPT_MAX {
            return self.0.clone();
        }
        let mut digest = Sha256::new();
        digest.update(b"deskwire password v1\0");
        digest.update(text.as_bytes());
        Secret::new(STANDARD_NO_PAD.encode(digest.finalize()))
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl utoipa::PartialSchema for Password {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .min_length(Some(PASSWORD_MIN))
            .max_length(Some(PASSWORD_MAX))
            .description(Some(
                "8 to 256 characters of any script, at least 3 of them different; common passwords are refused.",
            ))
            .into()
    }
}

impl utoipa::ToSchema for Password {}

/// Who waits for a password to be hashed or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Somebody signed in, or an account on a device or from an address that is known to it.
    Known,
    /// Everybody else, names that do not exist included.
    Strangers,
}

/// Hashes and checks.
pub struct Passwords {
    cost: u32,
    known: Line,
    strangers: Line,
}

/// The cores of one queue, and who waits for them.
struct Line {
    cores: Arc<Semaphore>,
    waiting: AtomicUsize,
    most: usize,
}

impl Line {
    fn new(cores: usize, most: usize) -> Self {
        Self { cores: Arc::new(Semaphore::new(cores)), waiting: AtomicUsize::new(0), most }
    }
}

impl Passwords {
    /// New hashes get this cost. Strangers get half of the cores.
    pub fn new(cost: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cost, known: Line::new(cores, 256), strangers: Line::new(cores.div_ceil(2), 128) }
    }

    /// The hash to keep; the salt is in it.
    pub async fn hash(&self, password: &Password, queue: Queue) -> Result<String> {
        let (password, cost) = (password.for_bcrypt(), self.cost);
        self.work(queue, move || {
            bcrypt::hash(password.expose(), cost)
                .map_err(|cause| Error::internal("a password could not be hashed").caused_by(cause))
        })
        .await
    }

    /// Whether the password fits the hash. Without a hash, and with one of another system, the same work is done for nothing.
    pub async fn verify(&self, password: &Password, hash: Option<String>, queue: Queue) -> Result<bool> {
        let foreign = hash.as_deref().and_then(ForeignHash::read);
        let fits_there = foreign.as_ref().is_some_and(|foreign| foreign.fits(password.0.expose()));
        let hash = hash.filter(|_| foreign.is_none());
        let password = password.for_bcrypt();
        let known = hash.is_some();
        // Well formed and of the usual cost, and made from no password: dots are zeros in bcrypt's alphabet.
        let hash = hash.unwrap_or_else(|| format!("$2b${:02}${}", self.cost, ".".repeat(53)));
        self.work(queue, move || {
            let fits = bcrypt::verify(password.expose(), &hash)
                .map_err(|cause| Error::internal("a stored password hash is malformed").caused_by(cause))?;
            Ok((fits && known) || fits_there)
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        queue: Queue,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let line = match queue {
            Queue::Known => &self.known,
            Queue::Strangers => &self.strangers,
        };
        let _waiting = Waiting::enter(line)?;
        let permit = tokio::time::timeout(WAIT, line.cores.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| busy())?;
        let permit = permit.map_err(|_| Error::new(Code::Draining, Code::Draining.meaning()))?;
        crate::db::blocking(move || {
            let _permit = permit;
            work()
        })
        .await
    }
}

fn busy() -> Error {
    Error::new(Code::Busy, "too many sign-ins are waiting").retry_after(1_000)
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(line: &'a Line) -> Result<Self> {
        let guard = Self(&line.waiting);
        match line.waiting.fetch_add(1, Ordering::SeqCst) >= line.most {
            true => Err(busy()),
            false => Ok(guard),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password(Secret::new(text))
    }

    fn code(text: &str) -> Option<String> {
        let error = password(text).check("/password", &["eva.lang@example.com"]).err()?;
        error.fields.first().map(|field| field.code.to_string())
    }

    #[tokio::test]
    async fn a_password_fits_its_hash_and_nothing_else_does() -> Result<()> {
        let passwords = Passwords::new(4);
        for long in ["p".repeat(BCRYPT_MAX), "密".repeat(64), "p".repeat(PASSWORD_MAX)] {
            let hash = passwords.hash(&password(&long), Queue::Known).await?;
            let fits = |text: String| {
                let (passwords, hash) = (&passwords, hash.clone());
                async move { passwords.verify(&password(&text), Some(hash), Queue::Strangers).await }
            };
            assert!(fits(long.clone()).await?);
            assert!(!fits(format!("{long}x")).await?, "truncated");
            assert!(!fits("wrong words".to_owned()).await?);
            assert!(!passwords.verify(&password(&long), None, Queue::Known).await?, "an unknown name");
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_hash_from_before_long_passwords_still_fits() -> Result<()> {
        let old = bcrypt::hash("correct horse battery", 4).map_err(|_| Error::internal("bcrypt"))?;
        let passwords = Passwords::new(4);
        assert!(passwords.verify(&password("correct horse battery"), Some(old), Queue::Known).await?);
        Ok(())
    }

    #[tokio::test]
    async fn a_hash_of_another_system_fits_its_password_only() -> Result<()> {
        let passwords = Passwords::new(4);
        for (text, fits) in [("123456", true), ("12345", false), ("", false)] {
            let hash = Some("md5:e10adc3949ba59abbe56e057f20f883e:".to_owned());
            assert_eq!(passwords.verify(&password(text), hash, Queue::Known).await?, fits, "{text}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn strangers_fill_their_own_queue_only() -> Result<()> {
        let mut passwords = Passwords::new(4);
        passwords.strangers.most = 0;
        let refused = passwords.verify(&password("some words"), None, Queue::Strangers).await;
        assert!(refused.is_err_and(|error| error.code == Code::Busy));
        assert_eq!(passwords.strangers.waiting.load(Ordering::SeqCst), 0);
        passwords.verify(&password("some words"), None, Queue::Known).await.map(drop)
    }

    #[test]
    fn characters_are_counted_and_what_is_guessed_first_is_refused() {
        assert_eq!(code("1234567").as_deref(), Some("too_short"));
        assert_eq!(code("😀😀").as_deref(), Some("too_short"));
        assert_eq!(code(&"密码安全".repeat(16)), None);
        assert_eq!(code(&"abc".repeat(86)).as_deref(), Some("too_long"));
        for common in ["password", "Password1", "12345678", "        ", "aaaaaaab", "QWERTYUIOP", "iloveyou"]
        {
            assert_eq!(code(common).as_deref(), Some("too_common"), "{common}");
        }
        assert_eq!(code("Eva.Lang@Example.com").as_deref(), Some("too_common"));
        assert_eq!(code("correct horse battery"), None);
    }
}
