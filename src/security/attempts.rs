//! Failed sign-ins by account and origin, in memory: the first lock against guessing. It stops one guesser and
//! leaves the account's owner, who comes from elsewhere, alone; the second lock, for the whole account, is slow and
//! stands in the store (`auth::store::count_for`).
//!
//! Invariants: an attempt is counted before its password is checked, so parallel guesses do not pass; memory is
//! bounded, and the record that was used longest ago gives way, so nobody's sign-in is refused for want of conversation;
//! names that do not exist cannot push out the records of accounts.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use crate::kernel::network::AddressBlock;
use crate::kernel::{Code, Error, Millis, Result, SessionId};

/// Failures after which an account is locked for an origin.
pub const FAILURES_MAX: u32 = 5;
/// How often during a lock a known origin that gives the right password is told of the lock. Beyond that it is
/// answered like a wrong one: else the lock would not end the guessing, only the signing in.
pub const TOLD_MAX: u32 = 5;
/// How long such a lock lasts, and how long a failure counts, in milliseconds.
pub const LOCK_MS: i64 = 15 * 60 * 1_000;
const RECORDS_MAX: usize = 65_536;

/// Where an attempt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An address (a /64 network of IPv6).
    Address(AddressBlock),
    /// A device that showed that it had this session of the account.
    Device(SessionId),
}

type Records = Mutex<LruCache<(String, Origin), Record>>;

/// The counters of one process.
#[derive(Debug, Clone)]
pub struct Attempts {
    accounts: Arc<Records>,
    made_up: Arc<Records>,
    most: usize,
}

impl Default for Attempts {
    fn default() -> Self {
        Self::with_room(RECORDS_MAX)
    }
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

/// Whether an account is open to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It is.
    Open,
    /// It is not, and a known origin that gives the right password may be told so.
    LockedVisible,
    /// It is not, and nobody is told anything.
    LockedHidden,
}

/// One attempt that is under way.
#[derive(Debug)]
pub struct Attempt {
    records: Arc<Records>,
    key: (String, Origin),
    lock: Lock,
    password: u64,
    is_running: bool,
}

impl Attempts {
    fn with_room(most: usize) -> Self {
        let records = || Arc::new(Mutex::new(LruCache::unbounded()));
        Self { accounts: records(), made_up: records(), most }
    }

    /// Begins an attempt on an account, which is named by what the client sent and may not exist. Fails with
    /// `rate_limited` when so many attempts are under way that together they could be one failure too many.
    pub fn begin(&self, account: String, exists: bool, origin: Origin, now: Millis) -> Result<Attempt> {
        let key = (account, origin);
        let table = if exists { &self.accounts } else { &self.made_up };
        let mut records = table.lock().unwrap_or_else(PoisonError::into_inner);
        while records.len() >= self.most && !records.contains(&key) && records.pop_lru().is_some() {}
        let record = records.get_or_insert_mut(key.clone(), Record::default);
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
        Ok(Attempt { records: table.clone(), key, lock, password, is_running: true })
    }

    /// Forgets every failure of an account, from whatever origin.
    pub fn forget(&self, account: &str) {
        let mut records = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, record) in records.iter_mut() {
            if key.0 == account {
                (record.failures, record.while_locked) = (0, 0);
            }
        }
    }
}

impl Attempt {
    /// The lock that stands against this password hash. A password that was set after the failures is not locked.
    pub fn lock(&self, password_hash: Option<&str>) -> Lock {
        match self.password == mark(password_hash) {
            true => self.lock,
            false => Lock::Open,
        }
    }

    /// The attempt failed; the account has this hash. While the lock holds, further failures do not lengthen it.
    /// Whether this failure made the lock.
    pub fn failed(&mut self, password_hash: Option<&str>, now: Millis) -> bool {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.get_or_insert_mut(self.key.clone(), Record::default);
        let password = mark(password_hash);
        if record.password != password {
            (record.failures, record.while_locked, record.password) = (0, 0, password);
        }
        if self.lock(password_hash) != Lock::Open {
            return false;
        }
        record.failures += 1;
        record.last_failure = now;
        // From here on it counts as a failure: whoever begins meanwhile must not find it as both.
        record.running = record.running.saturating_sub(u32::from(self.is_running));
        self.is_running = false;
        record.failures == FAILURES_MAX
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
        if let Some(record) = records.peek_mut(&self.key) {
            record.running = record.running.saturating_sub(u32::from(self.is_running));
            if record.running == 0 && record.failures == 0 {
                records.pop(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: Origin = Origin::Device(SessionId(1));
    const HASH: Option<&str> = Some("a hash");

    const HERE: [u8; 4] = [192, 0, 2, 1];
    const THERE: [u8; 4] = [192, 0, 2, 2];

    fn begin(attempts: &Attempts, origin: impl Into<Origin>, now: i64) -> Result<Attempt> {
        attempts.begin("shop/eva".to_owned(), true, origin.into(), Millis(now))
    }

    impl From<[u8; 4]> for Origin {
        fn from(address: [u8; 4]) -> Self {
            Self::Address(AddressBlock::of(address.into()))
        }
    }

    #[test]
    fn five_failures_lock_an_account_for_one_origin_for_a_quarter_of_an_hour() -> Result<()> {
        let attempts = Attempts::default();
        for round in 0..5 {
            let mut attempt = begin(&attempts, HERE, round)?;
            assert_eq!(attempt.lock(HASH), Lock::Open);
            assert_eq!(attempt.failed(HASH, Millis(round)), round == 4);
        }
        assert_eq!(begin(&attempts, HERE, 5)?.lock(HASH), Lock::LockedVisible);
        assert_eq!(begin(&attempts, HERE, 5)?.lock(Some("a newer hash")), Lock::Open);
        begin(&attempts, HERE, 6)?.failed(HASH, Millis(6));
        assert_eq!(begin(&attempts, THERE, 6)?.lock(HASH), Lock::Open, "its owner comes from elsewhere");
        assert_eq!(begin(&attempts, DEVICE, 6)?.lock(HASH), Lock::Open, "or with a device that is known");
        assert_eq!(begin(&attempts, HERE, LOCK_MS + 3)?.lock(HASH), Lock::LockedVisible);
        assert_eq!(
            begin(&attempts, HERE, LOCK_MS + 4)?.lock(HASH),
            Lock::Open,
            "failures during the lock lengthen nothing"
        );
        Ok(())
    }

    #[test]
    fn a_new_password_is_guarded_like_the_old_one() -> Result<()> {
        let attempts = Attempts::default();
        for _ in 0..FAILURES_MAX {
            begin(&attempts, HERE, 0)?.failed(HASH, Millis(0));
        }
        let newer = Some("a newer hash");
        for _ in 0..FAILURES_MAX {
            let mut attempt = begin(&attempts, HERE, 0)?;
            assert_eq!(attempt.lock(newer), Lock::Open);
            attempt.failed(newer, Millis(0));
        }
        assert_eq!(begin(&attempts, HERE, 0)?.lock(newer), Lock::LockedVisible);
        Ok(())
    }

    #[test]
    fn who_goes_on_guessing_is_told_nothing_any_more() -> Result<()> {
        let attempts = Attempts::default();
        for _ in 0..FAILURES_MAX {
            begin(&attempts, HERE, 0)?.failed(HASH, Millis(0));
        }
        for _ in 0..TOLD_MAX {
            assert_eq!(begin(&attempts, HERE, 0)?.lock(HASH), Lock::LockedVisible);
        }
        assert_eq!(begin(&attempts, HERE, 0)?.lock(HASH), Lock::LockedHidden);
        attempts.forget("shop/eva");
        assert_eq!(begin(&attempts, HERE, 0)?.lock(HASH), Lock::Open);
        Ok(())
    }

    #[test]
    fn parallel_guesses_are_counted_before_they_are_checked() -> Result<()> {
        let attempts = Attempts::default();
        let running: Vec<_> = (0..5).map(|_| begin(&attempts, HERE, 0)).collect::<Result<_>>()?;
        assert!(begin(&attempts, HERE, 0).is_err_and(|error| error.code == Code::RateLimited));
        drop(running);
        assert_eq!(begin(&attempts, HERE, 0)?.lock(HASH), Lock::Open, "what was not judged does not count");
        assert!(attempts.accounts.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
        Ok(())
    }

    #[test]
    fn an_attempt_is_never_counted_as_running_and_as_failed() -> Result<()> {
        let attempts = Attempts::default();
        let mut all: Vec<_> = (0..4).map(|_| begin(&attempts, HERE, 0)).collect::<Result<_>>()?;
        for attempt in &mut all {
            attempt.failed(HASH, Millis(0));
        }
        let fifth = begin(&attempts, HERE, 0)?;
        assert!(begin(&attempts, HERE, 0).is_err_and(|error| error.code == Code::RateLimited));
        drop((all, fifth));
        assert_eq!(begin(&attempts, HERE, 0)?.lock(HASH), Lock::Open);
        Ok(())
    }

    #[test]
    fn a_success_clears_the_failures() -> Result<()> {
        let attempts = Attempts::default();
        for _ in 0..4 {
            begin(&attempts, HERE, 0)?.failed(HASH, Millis(0));
        }
        begin(&attempts, HERE, 0)?.succeeded();
        for _ in 0..4 {
            begin(&attempts, HERE, 0)?.failed(HASH, Millis(0));
        }
        assert_eq!(begin(&attempts, HERE, 0)?.lock(HASH), Lock::Open);
        Ok(())
    }

    #[test]
    fn made_up_names_refuse_nobody_and_push_no_account_out() -> Result<()> {
        let attempts = Attempts::with_room(8);
        for _ in 0..FAILURES_MAX {
            begin(&attempts, HERE, 0)?.failed(HASH, Millis(0));
        }
        for number in 0..100 {
            attempts.begin(format!("shop/{number}"), false, HERE.into(), Millis(0))?.failed(None, Millis(0));
        }
        assert_eq!(attempts.made_up.lock().unwrap_or_else(PoisonError::into_inner).len(), 8);
        assert_eq!(begin(&attempts, HERE, 0)?.lock(HASH), Lock::LockedVisible, "the account is locked still");
        Ok(())
    }
}
