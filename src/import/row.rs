//! A row of another system, and how its texts are read: numbers, times, lists.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::kernel::Result as Outcome;

/// A row whose columns could be read.
#[derive(Debug, Clone)]
pub struct Row {
    /// The value of its table's key.
    pub id: i64,
    /// Its columns by name.
    pub fields: BTreeMap<String, Option<String>>,
}

/// Why a row is refused.
pub type Refusal = String;

impl Row {
    /// A column as text; empty when it is null or not there.
    pub fn text(&self, column: &str) -> &str {
        self.fields.get(column).and_then(Option::as_deref).unwrap_or_default()
    }

    /// The same, unless there is nothing in it.
    pub fn some(&self, column: &str) -> Option<&str> {
        Some(self.text(column).trim()).filter(|text| !text.is_empty())
    }

    /// A column as a number.
    pub fn number(&self, column: &str) -> Option<i64> {
        self.some(column)?.parse().ok()
    }

    /// A moment, unix milliseconds; `None` when there is none. What is no moment is refused: MySQL keeps days that never were.
    pub fn moment(&self, column: &str, zone: &TimeZone) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.some(column) else { return Ok(None) };
        let wrong = || format!("{column} is no time: {text:?}");
        let (text, zone) = match text.strip_suffix('Z') {
            Some(text) => (text, &TimeZone::UTC),
            None => (text, zone),
        };
        let local: DateTime = text.parse().map_err(|_| wrong())?;
        let at = zone.to_timestamp(local).map_err(|_| wrong())?.as_millisecond();
        match (0..=LATEST).contains(&at) {
            true => Ok(Some(at)),
            false => Err(wrong()),
        }
    }

    /// The parts of a list with commas.
    pub fn list(&self, column: &str) -> Vec<String> {
        let parts = self.text(column).split([',', '，']).map(str::trim).filter(|part| !part.is_empty());
        parts.map(ToOwned::to_owned).collect()
    }
}

/// The latest moment that is taken: the end of the year 9998.
const LATEST: i64 = 253_370_764_800_000;

/// The time zone of another system's clock: a name of the IANA. Errors: `invalid_parameter`.
pub fn time_zone(name: &str) -> Outcome<TimeZone> {
    TimeZone::get(name).map_err(|cause| {
        let detail = format!("--time-zone: {name:?} is no time zone; use a name such as Asia/Shanghai");
        crate::kernel::Error::new(crate::kernel::Code::InvalidParameter, detail).caused_by(cause)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_other_clock() {
        let zone = time_zone("Asia/Shanghai").unwrap();
        let row =
            |text: &str| Row { id: 1, fields: BTreeMap::from([("at".to_owned(), Some(text.to_owned()))]) };
        assert_eq!(row("1970-01-01 08:00:01").moment("at", &zone), Ok(Some(1_000)));
        assert_eq!(row("1970-01-01 00:00:01.5Z").moment("at", &zone), Ok(Some(1_500)));
        assert_eq!(row("").moment("at", &zone), Ok(None));
        for wrong in ["0000-00-00 00:00:00", "2020-02-30 00:00:00", "soon", "1960-01-01 00:00:00", "Z"] {
            assert!(row(wrong).moment("at", &zone).is_err(), "{wrong}");
        }
        assert!(time_zone("+8").is_err());
        let list = Row { id: 1, fields: BTreeMap::from([("l".to_owned(), Some(" a,b，c,, ".to_owned()))]) };
        assert_eq!(list.list("l"), ["a", "b", "c"]);
    }
}
