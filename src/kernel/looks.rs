//! Tasks that look at tenants now and then, for what time alone brings: somebody is silent, or waits, for too long.
//!
//! Owns whose turn it is and behind which place the next look at a tenant begins. Does not own what is looked at, nor what
//! follows ([`Looks`]).
//!
//! Invariants: nothing is remembered that the store does not know but where the next look begins, so a restart loses
//! nothing; one look reads at most so many pages, so that one tenant costs the others nothing; what fails of one tenant is
//! looked at again and holds up no other; all looks of a round have one time, and after a jump of the clock time is counted
//! anew, so that a jump brings nothing early.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use super::clock::Steady;
use super::{Clock, Result, TenantId};

/// How often it is looked for tenants that are to be looked at.
const TICK: Duration = Duration::from_secs(1);
/// A tenant is looked at so many times within its shortest time, but no more often than each tick.
const PER_TIME: u32 = 10;
/// Longest time between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// Tenants that are worked on at once.
const AT_ONCE: usize = 8;

/// The time before which nothing counts, since the clock jumped then, and the present time; unix milliseconds.
pub type Times = (i64, i64);

/// What is looked at.
pub trait Looks: Sync {
    /// The target of what is logged.
    const TARGET: &'static str;
    /// Pages that one look at a tenant reads; the next look goes on behind them.
    const PAGES: usize;
    /// What a tenant asks for.
    type Asked: Send + Sync;
    /// A place in what is looked at.
    type Place: Copy + Send + Sync;

    /// The tenants that ask for looks, each once.
    fn tenants(&self) -> impl Future<Output = Result<Vec<(TenantId, Self::Asked)>>> + Send;

    /// The shortest time that a tenant asks for, in seconds.
    fn shortest(asked: &Self::Asked) -> i64;

    /// Looks at one page of a tenant, from the beginning or behind a place, and does what is due. Gives the last place when
    /// there may be more.
    fn page(
        &self,
        tenant: TenantId,
        asked: &Self::Asked,
        after: Option<Self::Place>,
        times: Times,
    ) -> impl Future<Output = Result<Option<Self::Place>>> + Send;
}

/// What is remembered of a tenant.
#[derive(Debug, Clone, Copy)]
struct Looked<P> {
    /// When it was looked at last.
    at: Instant,
    /// Behind which place the next look begins; `None`: at the beginning.
    after: Option<P>,
}

/// Looks until shutdown. One supervised task in each process.
pub async fn run<L: Looks>(looks: L, clock: Clock, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut steady, mut known) = (Steady::default(), HashMap::new());
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        // One time for the whole round: a jump within it is seen by the next one, before it can count.
        let now = clock.now().0;
        let times = (steady.look(now, Instant::now()), now);
        let done = tokio::select! {
            done = round(&looks, times, &mut known) => done,
            () = shutdown.cancelled() => return,
        };
        if let Err(error) = done {
            log::debug!(target: L::TARGET, "the store could not be looked at: {error}");
        }
    }
}

/// Looks at every tenant whose turn it is.
async fn round<L: Looks>(
    looks: &L,
    times: Times,
    known: &mut HashMap<TenantId, Looked<L::Place>>,
) -> Result<()> {
    let tenants = looks.tenants().await?;
    let listed: BTreeSet<TenantId> = tenants.iter().map(|(id, _)| *id).collect();
    known.retain(|id, _| listed.contains(id));
    let at = Instant::now();
    let mut due = Vec::new();
    for (id, asked) in tenants {
        let looked = known.get(&id);
        let is_due =
            looked.is_none_or(|one| one.after.is_some() || one.at.elapsed() >= every(L::shortest(&asked)));
        if is_due {
            let after = looked.and_then(|one| one.after);
            due.push(async move {
                let after = look(looks, id, &asked, after, times).await;
                (id, Looked { at, after })
            });
        }
    }
    let looked: Vec<_> = stream::iter(due).buffer_unordered(AT_ONCE).collect().await;
    known.extend(looked);
    Ok(())
}

fn every(seconds: i64) -> Duration {
    (Duration::from_secs(u64::try_from(seconds).unwrap_or(0)) / PER_TIME).min(EVERY)
}

/// Looks at some pages of a tenant. Gives behind which place to go on.
async fn look<L: Looks>(
    looks: &L,
    tenant: TenantId,
    asked: &L::Asked,
    mut after: Option<L::Place>,
    times: Times,
) -> Option<L::Place> {
    for _ in 0..L::PAGES {
        match looks.page(tenant, asked, after, times).await {
            Ok(next) => after = next,
            Err(error) => {
                log::debug!(target: L::TARGET, "tenant {tenant} is looked at again: {error}");
                break;
            }
        }
        if after.is_none() {
            break;
        }
    }
    after
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Mutex;

    use super::super::{Code, Error};
    use super::*;

    /// Tenants with so many pages each; what was looked at, and which tenant fails.
    #[derive(Default)]
    struct Pages {
        tenants: Mutex<Vec<(TenantId, i64)>>,
        looked: Mutex<Vec<(TenantId, i64)>>,
        fails: Mutex<Option<TenantId>>,
    }

    impl Pages {
        fn taken(&self) -> Vec<(i64, i64)> {
            let mut looked: Vec<(i64, i64)> =
                self.looked.lock().unwrap().drain(..).map(|(tenant, page)| (tenant.0, page)).collect();
            looked.sort_unstable();
            looked
        }
    }

    impl Looks for Pages {
        const TARGET: &'static str = "deskwire::test";
        const PAGES: usize = 2;
        type Asked = i64;
        type Place = i64;

        async fn tenants(&self) -> Result<Vec<(TenantId, i64)>> {
            Ok(self.tenants.lock().unwrap().clone())
        }

        fn shortest(_: &i64) -> i64 {
            1_000
        }

        async fn page(
            &self,
            tenant: TenantId,
            pages: &i64,
            after: Option<i64>,
            _: Times,
        ) -> Result<Option<i64>> {
            if *self.fails.lock().unwrap() == Some(tenant) {
                return Err(Error::new(Code::Busy, "not now"));
            }
            let page = after.unwrap_or(0) + 1;
            self.looked.lock().unwrap().push((tenant, page));
            Ok((page < *pages).then_some(page))
        }
    }

    #[tokio::test]
    async fn a_look_goes_on_where_the_one_before_ended() {
        let (looks, mut known) = (Pages::default(), HashMap::new());
        *looks.tenants.lock().unwrap() = vec![(TenantId(1), 5), (TenantId(2), 1)];
        for expected in [vec![(1, 1), (1, 2), (2, 1)], vec![(1, 3), (1, 4)], vec![(1, 5)], vec![]] {
            round(&looks, (i64::MIN, 0), &mut known).await.unwrap();
            assert_eq!(looks.taken(), expected);
        }
    }

    #[tokio::test]
    async fn what_fails_is_looked_at_again_from_its_place_and_holds_up_no_other() {
        let (looks, mut known) = (Pages::default(), HashMap::new());
        *looks.tenants.lock().unwrap() = vec![(TenantId(1), 3), (TenantId(2), 3)];
        for (fails, expected) in [
            (None, vec![(1, 1), (1, 2), (2, 1), (2, 2)]),
            (Some(TenantId(1)), vec![(2, 3)]),
            (None, vec![(1, 3)]),
        ] {
            *looks.fails.lock().unwrap() = fails;
            round(&looks, (i64::MIN, 0), &mut known).await.unwrap();
            assert_eq!(looks.taken(), expected);
        }
        looks.tenants.lock().unwrap().clear();
        round(&looks, (i64::MIN, 0), &mut known).await.unwrap();
        assert!(known.is_empty(), "who asks no more is forgotten");
    }

    #[test]
    fn a_tenant_is_looked_at_ten_times_within_its_shortest_time() {
        for (seconds, expected) in [(-1, 0), (0, 0), (5, 500), (60, 6_000), (100, 10_000), (86_400, 10_000)] {
            assert_eq!(every(seconds), Duration::from_millis(expected), "{seconds}");
        }
    }
}
