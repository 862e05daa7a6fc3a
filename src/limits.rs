//! How much one member or one address may ask for, over REST and sockets together. Owns the counters, in memory and
//! per process; decides before anything is read or written, so a flood costs nobody else anything.
//!
//! Invariant: memory is bounded. A counter that is full again is forgotten; when a shard holds too many that are not,
//! those that owe least are dropped, so whoever floods goes on being counted and nobody is refused for others.
//!
//! The rates are those of the generic cell rate algorithm, one number a counter. (The library that is known for it,
//! `governor`, keeps every key until somebody sweeps its store and cannot drop the least; here that is the point.)

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

use crate::domain::actor::Actor;
use crate::kernel::network::AddressBlock;
use crate::kernel::{ChannelAccountId, Code, Error, MemberId, PersonId, Result, TenantId};
use crate::settings::Settings;

const SHARDS: usize = 16;
/// Most counters of a shard.
const SHARD_LIMIT: usize = 8_192;
/// Counters that are dropped at once when a shard is full.
const EVICTED: usize = SHARD_LIMIT / 8;
/// How many times as often as a member of the staff a provider may come: some make a request for each message.
const RECEIPTS: u32 = 10;
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What is counted together. Addresses are those of one customer (`AddressBlock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// Requests and frames of a member of the staff.
    Staff(TenantId, MemberId),
    /// Requests and frames of a visitor.
    Visitor(TenantId, MemberId),
    /// Requests and frames of all visitors of an address.
    Visitors(AddressBlock),
    /// Requests of an address without a valid token, or to routes that need none.
    Anonymous(AddressBlock),
    /// Refreshes of tokens from an address.
    Refresh(AddressBlock),
    /// New visitors from an address.
    NewVisitor(AddressBlock),
    /// New conversations of a customer.
    NewConversation(TenantId, MemberId),
    /// Requests with the links in a person's e-mails.
    Person(TenantId, PersonId),
    /// Requests that bring receipts for a channel account.
    Receipts(ChannelAccountId),
}

impl Key {
    /// The key of an address without a valid token.
    pub fn address(address: IpAddr) -> Self {
        Self::Anonymous(AddressBlock::of(address))
    }

    /// The key of refreshes from an address.
    pub fn refresh(address: IpAddr) -> Self {
        Self::Refresh(AddressBlock::of(address))
    }

    /// The key of new visitors from an address.
    pub fn new_visitor(address: IpAddr) -> Self {
        Self::NewVisitor(AddressBlock::of(address))
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
    pub fn check(&self) -> Result<()> {
        match self.allowed {
            true => Ok(()),
            false => Err(Error::new(Code::RateLimited, Code::RateLimited.meaning())
                .retry_after(self.wait.unsigned_abs().div_ceil(1_000))),
        }
    }

    /// Seconds until the counter is full again, or, when refused, until the next request may come.
    pub fn reset_seconds(&self) -> u64 {
        self.wait.unsigned_abs().div_ceil(SECOND.unsigned_abs())
    }
}

/// The counters of one server.
#[derive(Debug)]
pub struct Limiter {
    start: Instant,
    staff: Option<Rate>,
    visitor: Option<Rate>,
    visitors: Option<Rate>,
    anonymous: Option<Rate>,
    refresh: Option<Rate>,
    new_visitor: Option<Rate>,
    new_conversation: Option<Rate>,
    receipts: Option<Rate>,
    /// For each key the instant, in microseconds since `start`, at which its counter is full again.
    shards: [Mutex<HashMap<Key, i64>>; SHARDS],
}

/// How many may come at once where so many a second are allowed.
pub const fn burst_of(rate: u32) -> u32 {
    rate.saturating_mul(4)
}

/// So many in so long; `burst` at once. None for 0.
fn rate(amount: u32, per: i64, burst: u32) -> Option<Rate> {
    let amount = i64::from(amount);
    // An interval of nothing would leave no room at all.
    (amount > 0).then(|| Rate { interval: (per / amount).max(1), burst: i64::from(burst).max(1) })
}

impl Limiter {
    /// Counters with the limits of the settings; 0 switches a limit off.
    pub fn new(settings: &Settings) -> Self {
        let second = |amount: u32| rate(amount, SECOND, burst_of(amount));
        let minute = |amount: u32| rate(amount, MINUTE, amount);
        Self {
            start: Instant::now(),
            staff: second(settings.requests_per_second),
            visitor: second(settings.visitor_requests_per_second),
            visitors: second(settings.address_requests_per_second),
            anonymous: minute(settings.anonymous_per_minute),
            refresh: minute(settings.refreshes_per_minute),
            new_visitor: rate(settings.new_visitors_per_hour, HOUR, settings.new_visitors_per_hour / 10),
            new_conversation: rate(
                settings.new_conversations_per_hour,
                HOUR,
                settings.new_conversations_per_hour / 2,
            ),
            receipts: second(settings.requests_per_second.saturating_mul(RECEIPTS)),
            shards: Default::default(),
        }
    }

    /// Counts one request or frame of a member from an address. The one budget of both doors: visitors are counted by
    /// member and by address, because whoever needs more makes another visitor. `None` when there is no limit.
    pub fn member(&self, actor: &Actor, address: AddressBlock) -> Option<Verdict> {
        if actor.role.is_staff() {
            return self.take(Key::Staff(actor.tenant, actor.member));
        }
        let own = self.take(Key::Visitor(actor.tenant, actor.member));
        if own.is_some_and(|verdict| !verdict.allowed) {
            return own;
        }
        let all = self.take(Key::Visitors(address));
        match (own, all) {
            (Some(own), Some(all)) if all.allowed && own.remaining <= all.remaining => Some(own),
            (own, all) => all.or(own),
        }
    }

    /// Counts one. `None` when this kind has no limit.
    pub fn take(&self, key: Key) -> Option<Verdict> {
        self.at(key, self.now(), true)
    }

    /// What [`Limiter::take`] would say, without counting.
    pub fn look(&self, key: Key) -> Option<Verdict> {
        self.at(key, self.now(), false)
    }

    /// Counts one and fails when it is one too many.
    pub fn check(&self, key: Key) -> Result<()> {
        self.take(key).map_or(Ok(()), |verdict| verdict.check())
    }

    fn now(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn rate(&self, key: Key) -> Option<Rate> {
        match key {
            Key::Staff(..) => self.staff,
            Key::Visitor(..) | Key::Person(..) => self.visitor,
            Key::Visitors(_) => self.visitors,
            Key::Anonymous(_) => self.anonymous,
            Key::Refresh(_) => self.refresh,
            Key::NewVisitor(_) => self.new_visitor,
            Key::NewConversation(..) => self.new_conversation,
            Key::Receipts(_) => self.receipts,
        }
    }

    fn at(&self, key: Key, now: i64, count: bool) -> Option<Verdict> {
        let rate = self.rate(key)?;
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shard = self.shards.get(hasher.finish() as usize % SHARDS)?;
        // A counter has no state that a panic could leave half done.
        let mut counters = shard.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let debt = counters.get(&key).map_or(0, |full_at| (full_at - now).max(0));
        let capacity = rate.interval * rate.burst;
        let next = debt + rate.interval;
        if next > capacity {
            return Some(Verdict { allowed: false, limit: rate.burst, remaining: 0, wait: next - capacity });
        }
        if count {
            if counters.len() >= SHARD_LIMIT && !counters.contains_key(&key) {
                make_room(&mut counters, now);
            }
            counters.insert(key, now + next);
        }
        let remaining = (capacity - next) / rate.interval.max(1);
        Some(Verdict { allowed: true, limit: rate.burst, remaining, wait: next })
    }
}

/// Drops the counters that are full, and, if all are in debt, those that owe least.
fn make_room(counters: &mut HashMap<Key, i64>, now: i64) {
    counters.retain(|_, full_at| *full_at > now);
    let surplus = (counters.len() + EVICTED).saturating_sub(SHARD_LIMIT);
    if surplus == 0 {
        return;
    }
    let mut debts: Vec<i64> = counters.values().copied().collect();
    let (_, &mut least, _) = debts.select_nth_unstable(surplus - 1);
    let mut left = surplus;
    counters.retain(|_, full_at| {
        let dropped = left > 0 && *full_at <= least;
        left -= usize::from(dropped);
        !dropped
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::domain::actor::Origin;
    use crate::domain::member::Role;
    use crate::domain::operation::OperationSet;
    use crate::kernel::SessionId;

    fn actor(member: i64, role: Role) -> Actor {
        Actor {
            operations: OperationSet::ALL,
            tenant: TenantId(1),
            member: MemberId(member),
            session: SessionId(1),
            role,
            origin: Origin::default(),
        }
    }

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let mut settings = Settings::defaults();
        settings.requests_per_second = 10;
        let limiter = Limiter::new(&settings);
        let key = Key::Staff(TenantId(1), MemberId(2));
        let passed =
            |now| (0..100).filter(|_| limiter.at(key, now, true).is_some_and(|one| one.allowed)).count();
        assert_eq!(passed(0), 40);
        let refused = limiter.at(key, 0, true).and_then(|verdict| verdict.check().err());
        assert_eq!(refused.and_then(|error| error.retry_after_ms), Some(100));
        assert_eq!(passed(SECOND), 10);
        let other = limiter.at(Key::Staff(TenantId(1), MemberId(3)), 0, true);
        assert!(other.is_some_and(|verdict| verdict.allowed && verdict.remaining == 39));
    }

    #[test]
    fn making_visitors_makes_no_budget() {
        let mut settings = Settings::defaults();
        (settings.visitor_requests_per_second, settings.address_requests_per_second) = (10, 15);
        let limiter = Limiter::new(&settings);
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let mut passed = 0;
        for number in 0..200u16 {
            let visitor = actor(i64::from(number / 10), Role::Customer);
            passed += usize::from(
                limiter.member(&visitor, AddressBlock::of(address(number))).is_none_or(|one| one.allowed),
            );
        }
        assert!((60..64).contains(&passed), "{passed} of a burst of 60 for the address");
        let agent = limiter.member(&actor(999, Role::Agent), AddressBlock::of(address(1)));
        assert!(agent.is_some_and(|verdict| verdict.allowed), "staff is not counted with the visitors");
    }

    #[test]
    fn zero_means_no_limit_and_looking_counts_nothing() {
        let mut settings = Settings::defaults();
        (settings.requests_per_second, settings.new_conversations_per_hour) = (0, 2);
        let limiter = Limiter::new(&settings);
        assert!(limiter.take(Key::Staff(TenantId(1), MemberId(1))).is_none());
        let key = Key::NewConversation(TenantId(1), MemberId(1));
        for _ in 0..5 {
            assert!(limiter.look(key).is_some_and(|verdict| verdict.allowed));
        }
        assert!(limiter.check(key).is_ok());
        assert!(limiter.look(key).is_some_and(|verdict| !verdict.allowed) && limiter.check(key).is_err());
    }

    #[test]
    fn a_crowd_of_addresses_does_not_free_who_floods() {
        let limiter = Limiter::new(&Settings::defaults());
        let flooder = Key::address(IpAddr::from([192, 0, 2, 1]));
        while limiter.at(flooder, 0, true).is_some_and(|verdict| verdict.allowed) {}
        for number in 0..(SHARDS * SHARD_LIMIT * 2) as u32 {
            let verdict =
                limiter.at(Key::address(IpAddr::from((0x0a00_0000 + number).to_be_bytes())), 0, true);
            assert!(verdict.is_some_and(|verdict| verdict.allowed), "nobody is refused for others");
        }
        assert!(limiter.at(flooder, 0, true).is_some_and(|verdict| !verdict.allowed));
        let held: usize =
            limiter.shards.iter().filter_map(|shard| shard.lock().ok().map(|map| map.len())).sum();
        assert!(held <= SHARDS * SHARD_LIMIT);
    }
}
