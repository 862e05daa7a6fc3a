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
}

impl Clock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(since.as_millis() as i64 + self.offset.load(Ordering::Relaxed))
    }

    /// Moves this clock by so many milliseconds; tests live a day in a moment with it.
    pub fn advance(&self, milliseconds: i64) {
        self.offset.fetch_add(milliseconds, Ordering::Relaxed);
    }
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
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(out, "{instant:.3}"),
            Err(_) => write!(out, "{}ms", self.0),
        }
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
        let instant: jiff::Timestamp = text.parse().map_err(|_| {
            serde::de::Error::custom("expected an RFC 3339 date and time, such as 2026-11-22T10:00:00Z")
        })?;
        Ok(Self(instant.as_millisecond()))
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
}
