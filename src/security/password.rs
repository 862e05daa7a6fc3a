//! Passwords: hashing and checking with bcrypt, off the async workers and at most as many at once as there are
//! cores. Owns the rule how long a password is.
//!
//! Invariants: a name that does not exist costs the same work as a wrong password; a password is never printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Deserializer};
use tokio::sync::Semaphore;

use crate::kernel::secret::Secret;
use crate::kernel::{Code, Error, Result};

/// Shortest password, in bytes of UTF-8.
pub const PASSWORD_MIN: usize = 8;
/// Longest password, in bytes of UTF-8: bcrypt would ignore what follows.
pub const PASSWORD_MAX: usize = 72;
/// How many may wait for a core; beyond it callers are told `busy`.
const WAITING_MAX: usize = 256;

/// A password as a client sends it.
#[derive(Debug, Clone)]
pub struct Password(pub Secret);

impl Password {
    /// Fails when a password of this length may not be set.
    pub fn check(&self, pointer: &str) -> Result<()> {
        let length = self.0.expose().len();
        if length < PASSWORD_MIN {
            return Err(Error::field(pointer, "too_short", format!("at least {PASSWORD_MIN} bytes")));
        }
        if length > PASSWORD_MAX {
            return Err(Error::field(pointer, "too_long", format!("at most {PASSWORD_MAX} bytes of UTF-8")));
        }
        Ok(())
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
            .description(Some("8 to 72 bytes of UTF-8."))
            .into()
    }
}

impl utoipa::ToSchema for Password {}

/// Hashes and checks.
pub struct Passwords {
    cost: u32,
    cores: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Passwords {
    /// New hashes get this cost.
    pub fn new(cost: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cost, cores: Arc::new(Semaphore::new(cores)), waiting: AtomicUsize::new(0) }
    }

    /// The hash to keep; the salt is in it.
    pub async fn hash(&self, password: &Password) -> Result<String> {
        let (password, cost) = (password.0.clone(), self.cost);
        self.work(move || {
            bcrypt::hash(password.expose(), cost)
                .map_err(|cause| Error::internal("a password could not be hashed").caused_by(cause))
        })
        .await
    }

    /// Whether the password fits the hash. Without a hash the same work is done for nothing.
    pub async fn verify(&self, password: &Password, hash: Option<String>) -> Result<bool> {
        let password = password.0.clone();
        let known = hash.is_some() && password.expose().len() <= PASSWORD_MAX;
        // Well formed and of the usual cost, and made from no password: dots are zeros in bcrypt's alphabet.
        let hash = hash.unwrap_or_else(|| format!("$2b${:02}${}", self.cost, ".".repeat(53)));
        self.work(move || {
            let fits = bcrypt::verify(password.expose(), &hash)
                .map_err(|cause| Error::internal("a kept password hash is malformed").caused_by(cause))?;
            Ok(fits && known)
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let _waiting = Waiting::enter(&self.waiting)?;
        let permit = self.cores.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::new(Code::Draining, Code::Draining.meaning()))?;
        crate::db::blocking(move || {
            let _permit = permit;
            work()
        })
        .await
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Result<Self> {
        let guard = Self(count);
        match count.fetch_add(1, Ordering::SeqCst) >= WAITING_MAX {
            true => Err(Error::new(Code::Busy, "too many sign-ins are waiting").retry_after(1_000)),
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

    #[tokio::test]
    async fn a_password_fits_its_hash_and_nothing_else_does() -> Result<()> {
        let passwords = Passwords::new(4);
        let long = "p".repeat(PASSWORD_MAX);
        let hash = passwords.hash(&password(&long)).await?;
        assert!(passwords.verify(&password(&long), Some(hash.clone())).await?);
        assert!(!passwords.verify(&password(&format!("{long}x")), Some(hash.clone())).await?, "truncated");
        assert!(!passwords.verify(&password("wrong words"), Some(hash)).await?);
        assert!(!passwords.verify(&password(&long), None).await?, "an unknown name runs the same path");
        Ok(())
    }

    #[test]
    fn lengths_are_counted_in_bytes() {
        assert!(password("1234567").check("/password").is_err());
        assert!(password("12345678").check("/password").is_ok());
        assert!(password(&"密".repeat(24)).check("/password").is_ok());
        assert!(password(&"密".repeat(25)).check("/password").is_err());
    }
}
