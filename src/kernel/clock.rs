//! Time. Owns the one place where the system clock is read, and how an instant looks in JSON. Order in the
//! product never depends on these values.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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
    use super::Millis;

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
