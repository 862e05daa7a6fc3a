//! Work that is looked for at every tick, until shutdown.
//!
//! Owns when it is looked. Does not own what is done; a round must find its work in the store, so that a restart loses nothing.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Result;

/// Does a round at every tick, and the next at once while there may be more. What fails is logged under this target with what
/// it was, and tried again at the next tick. No round begins after a shutdown.
pub async fn run<F>(
    every: Duration,
    shutdown: CancellationToken,
    (target, what): (&'static str, &'static str),
    round: impl Fn() -> F,
) where
    F: Future<Output = Result<bool>>,
{
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        loop {
            let done = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                done = round() => done,
            };
            match done {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    log::debug!(target: target, "{what} could not be looked at: {error}");
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Mutex;

    use super::super::{Code, Error};
    use super::*;

    /// Rounds follow at once while there may be more; after a failure the next tick tries again; a shutdown ends it.
    #[tokio::test(start_paused = true)]
    async fn a_round_follows_while_there_is_more() {
        let shutdown = CancellationToken::new();
        let began = tokio::time::Instant::now();
        let (rounds, stop) = (Mutex::new(Vec::new()), shutdown.clone());
        let round = || {
            let mut rounds = rounds.lock().unwrap();
            rounds.push(began.elapsed().as_secs());
            let answer = match rounds.len() {
                1 | 2 => Ok(true),
                4 => Err(Error::new(Code::Busy, "not now")),
                6 => {
                    stop.cancel();
                    Ok(true)
                }
                _ => Ok(false),
            };
            std::future::ready(answer)
        };
        run(Duration::from_secs(1), shutdown, ("deskwire::test", "tests"), round).await;
        assert_eq!(*rounds.lock().unwrap(), [0, 0, 0, 1, 2, 3]);
    }
}
