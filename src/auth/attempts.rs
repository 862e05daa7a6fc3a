//! Failed sign-ins by account and address, in memory: the first lock against guessing. It stops one guesser and
//! leaves the account's owner, who comes from elsewhere, alone; the second lock, for the whole account, is slow and
//! stands in the store (`auth::store::count_attempt`).
//!
//! Invariants: an attempt is counted before its password is checked, so parallel guesses do not pass; memory is
//! bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::limit::Key;
use crate::kernel::{Code, Error, Millis, Result};

/// Failures after which an account is locked for an address.
pub const FAILURES_MAX: u32 = 5;
/// How long such a lock lasts, and how long a failure counts, in milliseconds.
pub const LOCK_MS: i64 = 15 * 60 * 1_000;
const RECORDS_MAX: usize = 65_536;

type Records = Mutex<HashMap<(String, Key), Record>>;

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
    key: (String, Key),
    /// Whether the account is locked for this address: even the right password does not open it now.
    pub locked: bool,
}

impl Attempts {
    /// Begins an attempt on an account, which is named by what the client sent. Fails with `rate_limited` when so
    /// many attempts are under way that together they could be one failure too many.
    pub fn begin(&self, account: String, address: IpAddr, now: Millis) -> Result<Attempt> {
        let key = (account, Key::address(address));
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= RECORDS_MAX {
            records.retain(|_, record| record.is_current(now));
        }
        if records.len() >= RECORDS_MAX && !records.contains_key(&key) {
            return Err(Error::new(Code::RateLimited, "too many failed sign-ins").retry_after(60_000));
        }
        let record = records.entry(key.clone()).or_default();
        if record.failures > 0 && now >= record.last_failure.plus(LOCK_MS) {
            record.failures = 0;
        }
        let locked = record.failures >= FAILURES_MAX;
        if !locked && record.failures + record.running >= FAILURES_MAX {
            return Err(Error::new(Code::RateLimited, "too many sign-ins at once").retry_after(1_000));
        }
        record.running += 1;
        Ok(Attempt { records: self.records.clone(), key, locked })
    }

    /// Forgets every failure of an account, from whatever address.
    pub fn forget(&self, account: &str) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, record) in records.iter_mut() {
            if key.0 == account {
                record.failures = 0;
            }
        }
        records.retain(|_, record| record.failures > 0 || record.running > 0);
    }
}

impl Attempt {
    /// The password was wrong. While the lock holds, further failures do not lengthen it.
    pub fn failed(self, now: Millis) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get_mut(&self.key)
            && !self.locked
        {
            record.failures += 1;
            record.last_failure = now;
        }
    }

    /// The password was right and let its owner in.
    pub fn succeeded(self) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get_mut(&self.key) {
            record.failures = 0;
        }
    }
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
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn five_failures_lock_an_account_for_one_address_for_a_quarter_of_an_hour() -> Result<()> {
        let attempts = Attempts::default();
        let begin = |address, now| attempts.begin("shop/eva".to_owned(), address, Millis(now));
        for round in 0..5 {
            let attempt = begin(HERE, round)?;
            assert!(!attempt.locked);
            attempt.failed(Millis(round));
        }
        assert!(begin(HERE, 5)?.locked);
        begin(HERE, 6)?.failed(Millis(6));
        assert!(!begin(THERE, 6)?.locked, "its owner comes from elsewhere");
        assert!(begin(HERE, LOCK_MS + 3)?.locked);
        assert!(!begin(HERE, LOCK_MS + 4)?.locked, "failures during the lock do not lengthen it");
        Ok(())
    }

    #[test]
    fn parallel_guesses_are_counted_before_they_are_checked() -> Result<()> {
        let attempts = Attempts::default();
        let begin = || attempts.begin("shop/eva".to_owned(), HERE, Millis(0));
        let running: Vec<_> = (0..5).map(|_| begin()).collect::<Result<_>>()?;
        assert!(begin().is_err_and(|error| error.code == Code::RateLimited));
        drop(running);
        assert!(!begin()?.locked, "what was not judged does not count");
        assert!(attempts.records.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
        Ok(())
    }

    #[test]
    fn a_success_or_an_administrator_clears_the_failures() -> Result<()> {
        let attempts = Attempts::default();
        let begin = || attempts.begin("shop/eva".to_owned(), HERE, Millis(0));
        for _ in 0..4 {
            begin()?.failed(Millis(0));
        }
        begin()?.succeeded();
        for _ in 0..5 {
            begin()?.failed(Millis(0));
        }
        assert!(begin()?.locked);
        attempts.forget("shop/eva");
        assert!(!begin()?.locked);
        Ok(())
    }
}
