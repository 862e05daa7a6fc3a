//! Time. Owns the one place where the system clock is read, and how an instant looks in JSON. Order in the
//! product never depends on these values.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The clock of one server. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset: Arc<AtomicI64>,
    /// Where it was stopped; 0 while it goes.
    stopped: Arc<AtomicI64>,
}

impl Clock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn now(&self) -> Millis {
        let real = match self.stopped.load(Ordering::Relaxed) {
            0 => system(),
            at => at,
        };
        Millis(real + self.offset.load(Ordering::Relaxed))
    }

    /// Stops this clock: from now on it moves by [`Clock::advance`] only, so that tests do several things within one
    /// millisecond.
    pub fn stop(&self) {
        self.stopped.store(system(), Ordering::Relaxed);
    }

    /// Moves this clock by so many milliseconds; tests live a day in a moment with it.
    pub fn advance(&self, milliseconds: i64) {
        self.offset.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

fn system() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}

/// A clock that moved so much more or less than the process counted jumped, in milliseconds.
const JUMP_MS: i64 = 5_000;

/// Whether a clock that moved so many milliseconds jumped, while this process counted at least and at most so much.
pub fn jumped(moved: i64, least: Duration, most: Duration) -> bool {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    !(ms(least) - JUMP_MS..=ms(most) + JUMP_MS).contains(&moved)
}

/// Since when a clock that may jump tells how long something took.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    seen: Option<(i64, Instant)>,
    since: i64,
}

impl Default for Steady {
    /// A clock that has not jumped.
    fn default() -> Self {
        Self { seen: None, since: i64::MIN }
    }
}

impl Steady {
    /// Takes note of the clock (unix milliseconds) at this moment. Gives the time before which nothing can be told: that
    /// of its last jump forward, until it goes back again.
    pub fn look(&mut self, now: i64, at: Instant) -> i64 {
        if let Some((then, before)) = self.seen.replace((now, at)) {
            let (moved, counted) = (now.saturating_sub(then), at.saturating_duration_since(before));
            if jumped(moved, counted, counted) {
                self.since = if moved > 0 { now } else { i64::MIN };
            }
        }
        self.since
    }
}

/// 0000-01-01T00:00:00.000Z.
const EARLIEST: i64 = -62_167_219_200_000;
/// 9999-12-30T21:59:59.999Z: the last whole second of the calendar in every time zone.
const LATEST: i64 = 253_402_207_199_999;

/// Whether the text has the form of RFC 3339 and no other: `2026-11-22T10:00:00Z`, with a fraction after a point and
/// an offset of hours and minutes if wanted. (The calendar's own parser takes much more.)
fn is_rfc3339(text: &str) -> bool {
    let fits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                b'T' => byte == b'T' || byte == b't',
                form => byte == form,
            })
    };
    let (Some(start), Some(rest)) = (text.get(..19), text.get(19..)) else { return false };
    let fraction = rest.strip_prefix('.').map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let zone = match fraction {
        None => rest,
        Some(digits @ 1..=9) => rest.get(digits + 1..).unwrap_or_default(),
        Some(_) => return false,
    };
    let offset = |sign: char| zone.strip_prefix(sign).is_some_and(|offset| fits(offset, "00:00"));
    fits(start, "0000-00-00T00:00:00") && (matches!(zone, "Z" | "z") || offset('+') || offset('-'))
}

/// An instant: unix milliseconds, UTC. RFC 3339 in JSON, `BIGINT` in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// This instant, so many milliseconds later.
    pub fn plus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a calendar cannot show (no input gets there) is shown as its end, so that JSON holds a time always.
        let shown = jiff::Timestamp::from_millisecond(self.0.clamp(EARLIEST, LATEST)).unwrap_or_default();
        write!(out, "{shown:.3}")
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant = text.parse::<jiff::Timestamp>().ok().filter(|_| is_rfc3339(&text));
        instant
            .map(jiff::Timestamp::as_millisecond)
            .filter(|instant| (EARLIEST..=LATEST).contains(instant))
            .map(Self)
            .ok_or_else(|| {
                serde::de::Error::custom("expected an RFC 3339 date and time, such as 2026-11-22T10:00:00Z")
            })
    }
}

impl utoipa::PartialSchema for Millis {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC, milliseconds."))
            .examples([serde_json::json!("2026-11-22T10:00:00.000Z")])
            .into()
    }
}

impl utoipa::ToSchema for Millis {}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Millis, Steady, jumped};

    #[test]
    fn a_jump_is_told_from_a_slow_answer() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        assert!(!jumped(1_000, second, second));
        // The answer took a minute: what it says may be from any moment of it.
        assert!(!jumped(1_000, second, minute) && !jumped(60_000, second, minute));
        // The process was stopped for a minute, and its clock with the database's.
        assert!(!jumped(60_000, minute, minute));
        assert!(jumped(3_600_000, second, second) && jumped(-3_600_000, second, second));
    }

    #[test]
    fn time_counts_from_the_last_jump_forward() {
        let (mut steady, start) = (Steady::default(), Instant::now());
        let mut look = |now: i64, second: u64| steady.look(now, start + Duration::from_secs(second));
        assert_eq!(look(1_000_000, 0), i64::MIN);
        assert_eq!(look(1_060_000, 60), i64::MIN, "the process was stopped, the clock was not");
        assert_eq!(look(4_660_000, 61), 4_660_000, "an hour within a second");
        assert_eq!(look(4_720_000, 121), 4_720_000 - 60_000);
        assert_eq!(look(1_121_000, 122), i64::MIN, "it was a mistake");
        assert_eq!(look(1_122_000, 123), i64::MIN);
    }

    #[test]
    fn an_instant_keeps_its_milliseconds_through_json() {
        let json = serde_json::to_string(&Millis(1_795_341_600_123)).ok();
        assert_eq!(json.as_deref(), Some("\"2026-11-22T10:00:00.123Z\""));
        let back: Option<Millis> = json.and_then(|json| serde_json::from_str(&json).ok());
        assert_eq!(back, Some(Millis(1_795_341_600_123)));
    }

    #[test]
    fn times_have_one_form() {
        let read = |text: &str| serde_json::from_value::<Millis>(serde_json::json!(text)).ok();
        for good in [
            "2026-11-22T10:00:00Z",
            "2026-11-22t10:00:00.5z",
            "2026-11-22T12:00:00.123456789+02:00",
            "2026-11-22T10:00:00-00:30",
            "0001-01-01T00:00:00Z",
        ] {
            assert!(read(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "2026-11-22",
            "2026-11-22T10Z",
            "2026-11-22T10:00Z",
            "2026-11-22T10:00:00",
            "2026-11-22 10:00:00Z",
            "2026-11-22T10:00:00,5Z",
            "2026-11-22T10:00:00.Z",
            "2026-11-22T10:00:00Z[UTC]",
            "2026-11-22T10:00:00+02",
            "2026-11-22T10:00:00+0200",
            "-000001-11-22T10:00:00Z",
            "+002026-11-22T10:00:00Z",
            "2026-13-22T10:00:00Z",
            "2026-02-30T10:00:00Z",
            "9999-12-30T22:00:00.999Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn whatever_is_stored_is_shown_as_a_time() {
        for stored in [i64::MIN, -1, i64::MAX] {
            let shown = Millis(stored).to_string();
            assert!(super::is_rfc3339(&shown), "{shown}");
        }
        assert_eq!(Millis(super::LATEST).to_string(), "9999-12-30T21:59:59.999Z");
    }
}
