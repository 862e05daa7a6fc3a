//! Failed sign-ins by account and address, in memory: the first lock against guessing. It stops one guesser and
//! leaves the account's owner, who comes from elsewhere, alone; the second lock, for the whole account, is slow and
//! stands in the store (`auth::store::count_attempt`).
//!
//! Invariants: an attempt is counted before its password is checked, so parallel guesses do not pass; memory is
//! bounded.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::kernel::network::AddressBlock;
use crate::kernel::{Code, Error, Millis, Result};

/// Failures after which an account is locked for an address.
pub const FAILURES_MAX: u32 = 5;
/// How often during a lock the right password is told of it. Beyond that it is answered like a wrong one: else the
/// lock would not end the guessing, only the signing in.
pub const TOLD_MAX: u32 = 5;
/// How long such a lock lasts, and how long a failure counts, in milliseconds.
pub const LOCK_MS: i64 = 15 * 60 * 1_000;
const RECORDS_MAX: usize = 65_536;

type Records = Mutex<HashMap<(String, AddressBlock), Record>>;

/// The counters of one process.
#[derive(Debug, Default, Clone)]
pub struct Attempts {
    records: Arc<Records>,
}

#[derive(Debug, Default)]
struct Record {
    failures: u32,
    running: u32,
    last_failure: Millis,
    /// Attempts since the lock began.
    while_locked: u32,
    /// Of which password the failures were; a new password starts anew.
    password: u64,
}

/// Whether an account is open to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It is.
    Open,
    /// It is not, and who knows the password may be told so.
    LockedVisible,
    /// It is not, and nobody is told anything.
    LockedHidden,
}

impl Record {
    fn is_current(&self, now: Millis) -> bool {
        self.running > 0 || (self.failures > 0 && now < self.last_failure.plus(LOCK_MS))
    }
}

/// One attempt that is under way.
#[derive(Debug)]
pub struct Attempt {
    records: Arc<Records>,
    key: (String, AddressBlock),
    lock: Lock,
    password: u64,
}

impl Attempts {
    /// Begins an attempt on an account, which is named by what the client sent. Fails with `rate_limited` when so
    /// many attempts are under way that together they could be one failure too many.
    pub fn begin(&self, account: String, address: IpAddr, now: Millis) -> Result<Attempt> {
        let key = (account, AddressBlock::of(address));
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= RECORDS_MAX {
            records.retain(|_, record| record.is_current(now));
        }
        if records.len() >= RECORDS_MAX && !records.contains_key(&key) {
            return Err(Error::new(Code::RateLimited, "too many failed sign-ins").retry_after(60_000));
        }
        let record = records.entry(key.clone()).or_default();
        if record.failures > 0 && now >= record.last_failure.plus(LOCK_MS) {
            (record.failures, record.while_locked) = (0, 0);
        }
        let lock = match record.failures >= FAILURES_MAX {
            false => Lock::Open,
            true if record.while_locked < TOLD_MAX => Lock::LockedVisible,
            true => Lock::LockedHidden,
        };
        if lock == Lock::Open && record.failures + record.running >= FAILURES_MAX {
            return Err(Error::new(Code::RateLimited, "too many sign-ins at once").retry_after(1_000));
        }
        if lock != Lock::Open {
            record.while_locked = record.while_locked.saturating_add(1);
        }
        record.running += 1;
        let password = record.password;
        Ok(Attempt { records: self.records.clone(), key, lock, password })
    }

    /// Forgets every failure of an account, from whatever address.
    pub fn forget(&self, account: &str) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, record) in records.iter_mut() {
            if key.0 == account {
                (record.failures, record.while_locked) = (0, 0);
            }
        }
        records.retain(|_, record| record.failures > 0 || record.running > 0);
    }
}

impl Attempt {
    /// Whether attempts from this address count no further: neither here nor for the whole account.
    pub fn is_locked(&self) -> bool {
        self.lock != Lock::Open
    }

    /// The lock that stands against this password hash. A password that was set after the failures is not locked.
    pub fn lock(&self, password_hash: Option<&str>) -> Lock {
        match self.password == mark(password_hash) {
            true => self.lock,
            false => Lock::Open,
        }
    }

    /// The password was wrong; the account has this hash. While the lock holds, further failures do not lengthen it.
    pub fn failed(self, password_hash: Option<&str>, now: Millis) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(record) = records.get_mut(&self.key) else { return };
        let password = mark(password_hash);
        if record.password != password {
            (record.failures, record.while_locked, record.password) = (0, 0, password);
        }
        if self.lock(password_hash) == Lock::Open {
            record.failures += 1;
            record.last_failure = now;
        }
    }

    /// The password was right and let its owner in.
    pub fn succeeded(self) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get_mut(&self.key) {
            (record.failures, record.while_locked) = (0, 0);
        }
    }
}

fn mark(password_hash: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    password_hash.hash(&mut hasher);
    hasher.finish()
}

impl Drop for Attempt {
    /// An attempt that ends otherwise, because the store failed or the client went away, counts for nothing.
    fn drop(&mut self) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get_mut(&self.key) {
            record.running = record.running.saturating_sub(1);
            if record.running == 0 && record.failures == 0 {
                records.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const HASH: Option<&str> = Some("a hash");
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn five_failures_lock_an_account_for_one_address_for_a_quarter_of_an_hour() -> Result<()> {
        let attempts = Attempts::default();
        let begin = |address, now| attempts.begin("shop/eva".to_owned(), address, Millis(now));
        for round in 0..5 {
            let attempt = begin(HERE, round)?;
            assert_eq!(attempt.lock(HASH), Lock::Open);
            attempt.failed(HASH, Millis(round));
        }
        assert_eq!(begin(HERE, 5)?.lock(HASH), Lock::LockedVisible);
        assert_eq!(begin(HERE, 5)?.lock(Some("a newer hash")), Lock::Open);
        begin(HERE, 6)?.failed(HASH, Millis(6));
        assert_eq!(begin(THERE, 6)?.lock(HASH), Lock::Open, "its owner comes from elsewhere");
        assert_eq!(begin(HERE, LOCK_MS + 3)?.lock(HASH), Lock::LockedVisible);
        assert_eq!(
            begin(HERE, LOCK_MS + 4)?.lock(HASH),
            Lock::Open,
            "failures during the lock lengthen nothing"
        );
        Ok(())
    }

    #[test]
    fn a_new_password_is_guarded_like_the_old_one() -> Result<()> {
        let attempts = Attempts::default();
        let begin = || attempts.begin("shop/eva".to_owned(), HERE, Millis(0));
        for _ in 0..FAILURES_MAX {
            begin()?.failed(HASH, Millis(0));
        }
        let newer = Some("a newer hash");
        for _ in 0..FAILURES_MAX {
            let attempt = begin()?;
            assert_eq!(attempt.lock(newer), Lock::Open);
            attempt.failed(newer, Millis(0));
        }
        assert_eq!(begin()?.lock(newer), Lock::LockedVisible);
        Ok(())
    }

    #[test]
    fn who_goes_on_guessing_is_told_nothing_any_more() -> Result<()> {
        let attempts = Attempts::default();
        let begin = || attempts.begin("shop/eva".to_owned(), HERE, Millis(0));
        for _ in 0..FAILURES_MAX {
            begin()?.failed(HASH, Millis(0));
        }
        for _ in 0..TOLD_MAX {
            assert_eq!(begin()?.lock(HASH), Lock::LockedVisible);
        }
        assert_eq!(begin()?.lock(HASH), Lock::LockedHidden);
        attempts.forget("shop/eva");
        assert_eq!(begin()?.lock(HASH), Lock::Open);
        Ok(())
    }

    #[test]
    fn parallel_guesses_are_counted_before_they_are_checked() -> Result<()> {
        let attempts = Attempts::default();
        let begin = || attempts.begin("shop/eva".to_owned(), HERE, Millis(0));
        let running: Vec<_> = (0..5).map(|_| begin()).collect::<Result<_>>()?;
        assert!(begin().is_err_and(|error| error.code == Code::RateLimited));
        drop(running);
        assert_eq!(begin()?.lock(HASH), Lock::Open, "what was not judged does not count");
        assert!(attempts.records.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
        Ok(())
    }

    #[test]
    fn a_success_clears_the_failures() -> Result<()> {
        let attempts = Attempts::default();
        let begin = || attempts.begin("shop/eva".to_owned(), HERE, Millis(0));
        for _ in 0..4 {
            begin()?.failed(HASH, Millis(0));
        }
        begin()?.succeeded();
        for _ in 0..4 {
            begin()?.failed(HASH, Millis(0));
        }
        assert_eq!(begin()?.lock(HASH), Lock::Open);
        Ok(())
    }
}
