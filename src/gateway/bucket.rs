//! The token bucket of one socket: how many frames it may send. No I/O.

use std::time::{Duration, Instant};

use super::protocol::limits::{FLOOD_FRAMES, FLOOD_SECONDS};

/// Frames refused longer apart than this belong to different floods.
const CALM: Duration = Duration::from_secs(2);

/// What the bucket says about a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be done.
    Pass,
    /// It is over the limit; the next one may come after so long.
    Wait(Duration),
    /// Frames over the limit kept coming for too long.
    Flood,
}

/// Frames over the limit, one soon after the other.
#[derive(Debug, Clone, Copy)]
struct Flood {
    since: Instant,
    last: Instant,
    frames: u32,
}

/// A bucket of frames that refills steadily.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: f32,
    burst: f32,
    level: f32,
    filled_at: Instant,
    flood: Option<Flood>,
}

impl Bucket {
    /// A full bucket: `rate` frames a second, `burst` at once. A rate of 0 means no limit.
    pub fn new(rate: u32, burst: u32, now: Instant) -> Self {
        let burst = burst.max(1) as f32;
        Self { rate: rate as f32, burst, level: burst, filled_at: now, flood: None }
    }

    /// Takes one frame.
    pub fn take(&mut self, now: Instant) -> Verdict {
        if self.rate == 0.0 {
            return Verdict::Pass;
        }
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f32();
        self.level = (self.level + passed * self.rate).min(self.burst);
        self.filled_at = now;
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Verdict::Pass;
        }
        let flood = match self.flood {
            Some(flood) if now.saturating_duration_since(flood.last) < CALM => {
                Flood { last: now, frames: flood.frames.saturating_add(1), ..flood }
            }
            _ => Flood { since: now, last: now, frames: 1 },
        };
        self.flood = Some(flood);
        let lasts = now.saturating_duration_since(flood.since) > Duration::from_secs(FLOOD_SECONDS);
        if lasts || flood.frames > FLOOD_FRAMES {
            return Verdict::Flood;
        }
        Verdict::Wait(Duration::from_secs_f32((1.0 - self.level) / self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(5, 20, start);
        assert!((0..20).all(|_| bucket.take(start) == Verdict::Pass));
        let wait = match bucket.take(start) {
            Verdict::Wait(wait) => wait.as_millis(),
            _ => 0,
        };
        assert!((199..=201).contains(&wait), "{wait} ms");
        assert_eq!(bucket.take(start + Duration::from_millis(250)), Verdict::Pass);
    }

    #[test]
    fn only_a_lasting_flood_is_one() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1, 1, start);
        let mut flooded_at = None;
        for tick in 0..200u64 {
            let now = start + Duration::from_millis(tick * 100);
            if bucket.take(now) == Verdict::Flood {
                flooded_at = Some(tick);
                break;
            }
        }
        assert_eq!(flooded_at, Some(102));

        // Somebody who is over the limit now and then is not flooding.
        let mut bucket = Bucket::new(1, 1, start);
        for round in 0..20u64 {
            let now = start + Duration::from_secs(round * 4);
            assert_eq!(bucket.take(now), Verdict::Pass);
            assert_ne!(bucket.take(now), Verdict::Flood);
        }
    }
    #[test]
    fn a_thousand_frames_over_the_limit_are_a_flood_at_once() {
        let start = Instant::now();
        let mut bucket = Bucket::new(5, 20, start);
        let verdicts: Vec<Verdict> = (0..1_021).map(|_| bucket.take(start)).collect();
        assert!(verdicts[..1_020].iter().all(|one| *one != Verdict::Flood));
        assert_eq!(verdicts[1_020], Verdict::Flood);
    }
}
