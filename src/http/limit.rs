//! How much one member or one address may ask for. Owns the counters, in memory and per process; decides before
//! anything is read or written, so a flood costs nobody else anything.
//!
//! Invariant: memory is bounded: a counter that is full again is forgotten, and a shard that holds too many
//! starts anew.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::kernel::network::AddressBlock;
use crate::kernel::{Code, Error, MemberId, TenantId};
use crate::settings::Settings;

const SHARDS: usize = 16;
/// Counters of a shard before the full ones are swept out.
const SHARD_LIMIT: usize = 8_192;
const SECOND: i64 = 1_000_000;

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A signed-in member.
    Member(TenantId, MemberId),
    /// An address without a valid token.
    Address(AddressBlock),
}

impl Key {
    /// The key of an address.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(AddressBlock::of(address))
    }
}

/// How fast a counter refills.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Microseconds for one request.
    interval: i64,
    /// Requests at once.
    burst: i64,
}

/// What a counter said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Requests that may come at once.
    pub limit: i64,
    /// How many of them are left.
    pub remaining: i64,
    /// Microseconds until the counter is full again, or, when refused, until the next request may come.
    wait: i64,
}

impl Verdict {
    /// The refusal, if it is one.
    pub fn check(&self) -> Result<(), Error> {
        match self.allowed {
            true => Ok(()),
            false => Err(Error::new(Code::RateLimited, Code::RateLimited.meaning())
                .retry_after(self.wait.unsigned_abs().div_ceil(1_000))),
        }
    }

    /// Tells the counter in the `RateLimit-*` headers.
    pub fn write(&self, headers: &mut HeaderMap) {
        let seconds = self.wait.unsigned_abs().div_ceil(SECOND.unsigned_abs());
        headers.insert(HeaderName::from_static("ratelimit-limit"), HeaderValue::from(self.limit));
        headers.insert(HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(self.remaining));
        headers.insert(HeaderName::from_static("ratelimit-reset"), HeaderValue::from(seconds));
    }
}

/// The counters of one server.
#[derive(Debug)]
pub struct Limiter {
    start: Instant,
    member: Option<Rate>,
    address: Option<Rate>,
    /// For each key the instant, in microseconds since `start`, at which its counter is full again.
    shards: [Mutex<HashMap<Key, i64>>; SHARDS],
}

impl Limiter {
    /// Counters with the limits of the settings; 0 switches a limit off.
    pub fn new(settings: &Settings) -> Self {
        let rate = |amount: u32, per: i64, burst: i64| {
            let amount = i64::from(amount);
            // An interval of nothing would leave no room at all.
            (amount > 0).then(|| Rate { interval: (per / amount).max(1), burst: (amount * burst).max(1) })
        };
        Self {
            start: Instant::now(),
            member: rate(settings.requests_per_second, SECOND, 4),
            address: rate(settings.anonymous_per_minute, 60 * SECOND, 1),
            shards: Default::default(),
        }
    }

    /// Counts one request. `None` when this kind of request has no limit.
    pub fn take(&self, key: Key) -> Option<Verdict> {
        let now = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.take_at(key, now)
    }

    fn take_at(&self, key: Key, now: i64) -> Option<Verdict> {
        let rate = match key {
            Key::Member(..) => self.member?,
            Key::Address(_) => self.address?,
        };
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shard = self.shards.get(hasher.finish() as usize % SHARDS)?;
        // A counter has no state that a panic could leave half done.
        let mut counters = shard.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if counters.len() >= SHARD_LIMIT {
            counters.retain(|_, full_at| *full_at > now);
            if counters.len() >= SHARD_LIMIT {
                counters.clear();
            }
        }
        let full_at = counters.entry(key).or_insert(now);
        let debt = (*full_at - now).max(0);
        let capacity = rate.interval * rate.burst;
        let next = debt + rate.interval;
        if next > capacity {
            return Some(Verdict { allowed: false, limit: rate.burst, remaining: 0, wait: next - capacity });
        }
        *full_at = now + next;
        let remaining = (capacity - next) / rate.interval.max(1);
        Some(Verdict { allowed: true, limit: rate.burst, remaining, wait: next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let mut settings = Settings::defaults();
        settings.requests_per_second = 10;
        let limiter = Limiter::new(&settings);
        let key = Key::Member(TenantId(1), MemberId(2));
        let passed =
            (0..100).filter(|_| limiter.take_at(key, 0).is_some_and(|verdict| verdict.allowed)).count();
        assert_eq!(passed, 40);
        let refused = limiter.take_at(key, 0).and_then(|verdict| verdict.check().err());
        assert_eq!(refused.and_then(|error| error.retry_after_ms), Some(100));
        let later =
            (0..100).filter(|_| limiter.take_at(key, SECOND).is_some_and(|verdict| verdict.allowed)).count();
        assert_eq!(later, 10);
        let other = limiter.take_at(Key::Member(TenantId(1), MemberId(3)), 0);
        assert!(other.is_some_and(|verdict| verdict.allowed && verdict.remaining == 39));
    }

    #[test]
    fn counters_stay_bounded_and_zero_means_no_limit() {
        let mut settings = Settings::defaults();
        settings.requests_per_second = 0;
        let limiter = Limiter::new(&settings);
        assert!(limiter.take_at(Key::Member(TenantId(1), MemberId(1)), 0).is_none());
        for address in 0..(SHARDS * SHARD_LIMIT * 2) as u32 {
            limiter.take_at(Key::address(std::net::Ipv4Addr::from_bits(address).into()), 0);
        }
        let held: usize =
            limiter.shards.iter().filter_map(|shard| shard.lock().ok().map(|map| map.len())).sum();
        assert!(held <= SHARDS * SHARD_LIMIT);
    }
}
