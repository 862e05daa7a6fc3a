//! How fast messages go out, all visitors and agents together.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

/// Gives out evenly spaced moments; without a rate every moment is now.
#[derive(Debug)]
pub struct Pace {
    gap: Option<Duration>,
    next: Mutex<Instant>,
}

impl Pace {
    /// So many messages a second.
    pub fn new(rate: Option<f64>) -> Self {
        let gap = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        Self { gap, next: Mutex::new(Instant::now()) }
    }

    /// Waits for the next moment. Moments that nobody used are not saved up.
    pub async fn wait(&self) {
        let Some(gap) = self.gap else { return };
        let moment = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let moment = (*next).max(Instant::now());
            *next = moment + gap;
            moment
        };
        tokio::time::sleep_until(moment).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn moments_are_spaced() {
        let pace = Pace::new(Some(1_000.0));
        let begin = Instant::now();
        for _ in 0..20 {
            pace.wait().await;
        }
        assert!(begin.elapsed() >= Duration::from_millis(19));
        Pace::new(None).wait().await;
    }
}
