//! The periods of a report: hours, days, weeks and months of a time zone, over the change of clocks.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::{PERIODS_MAX, QUARTER_MS, ReportInterval};

/// A period: from its begin (included) to its end (excluded), unix milliseconds.
pub type Period = (i64, i64);

/// The periods between two times, which are made wider to whole quarters of an hour. `None` when they are more than
/// [`PERIODS_MAX`], or out of the calendar. The first and the last one end where the range ends.
pub fn periods(from: i64, until: i64, interval: ReportInterval, zone: &TimeZone) -> Option<Vec<Period>> {
    let from = from.div_euclid(QUARTER_MS) * QUARTER_MS;
    let until = until.checked_add(QUARTER_MS - 1)?.div_euclid(QUARTER_MS) * QUARTER_MS;
    let mut periods = Vec::new();
    let mut begin = from;
    while begin < until {
        if periods.len() == PERIODS_MAX {
            return None;
        }
        let end = match interval {
            ReportInterval::Total => until,
            _ => next(begin, interval, zone)?.min(until),
        };
        periods.push((begin, end));
        begin = end;
    }
    Some(periods)
}

/// Where the period that holds this time ends.
fn next(at: i64, interval: ReportInterval, zone: &TimeZone) -> Option<i64> {
    let now = Timestamp::from_millisecond(at).ok()?.to_zoned(zone.clone());
    if interval == ReportInterval::Hour {
        let into = i64::from(now.minute()) * 60_000 + i64::from(now.second()) * 1_000;
        return at.checked_add(3_600_000 - into);
    }
    let mut day = following(&now, interval)?;
    loop {
        let begins = day.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
        // A day that a zone left out has no time of its own.
        if begins > at {
            return Some(begins);
        }
        day = day.tomorrow().ok()?;
    }
}

/// The first day of the next period.
fn following(now: &Zoned, interval: ReportInterval) -> Option<Date> {
    let today = now.date();
    match interval {
        ReportInterval::Week => {
            let days = 7 - i64::from(today.weekday().to_monday_zero_offset());
            today.checked_add(days.days()).ok()
        }
        ReportInterval::Month => today.first_of_month().checked_add(1.month()).ok(),
        _ => today.tomorrow().ok(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn begins(zone: &str, from: &str, until: &str, interval: ReportInterval) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let found = periods(at(from), at(until), interval, &zone).unwrap();
        assert!(found.windows(2).all(|pair| pair[0].1 == pair[1].0), "they touch");
        assert!(found.iter().all(|(from, until)| from < until && from % QUARTER_MS == 0), "{found:?}");
        let shown = |at: &i64| {
            Timestamp::from_millisecond(*at)
                .unwrap()
                .to_zoned(zone.clone())
                .strftime("%m-%d %H:%M")
                .to_string()
        };
        let last = found.last().map(|(_, until)| shown(until));
        found.iter().map(|(from, _)| shown(from)).chain(last).collect()
    }

    #[test]
    fn days_are_those_of_the_zone() {
        use ReportInterval::{Day, Hour, Month, Total, Week};
        let days = begins("Asia/Kolkata", "2026-11-01T12:00:00Z", "2026-11-03T00:00:00Z", Day);
        assert_eq!(days, ["11-01 17:30", "11-02 00:00", "11-03 00:00", "11-03 05:30"]);
        let hours = begins("Asia/Kathmandu", "2026-11-01T00:00:00Z", "2026-11-01T02:00:00Z", Hour);
        assert_eq!(hours, ["11-01 05:45", "11-01 06:00", "11-01 07:00", "11-01 07:45"]);
        let weeks = begins("Asia/Shanghai", "2026-11-01T00:00:00Z", "2026-11-10T00:00:00Z", Week);
        assert_eq!(weeks, ["11-01 08:00", "11-02 00:00", "11-09 00:00", "11-10 08:00"]);
        let months = begins("UTC", "2026-11-10T00:07:00Z", "2027-01-01T00:01:00Z", Month);
        assert_eq!(months, ["11-10 00:00", "12-01 00:00", "01-01 00:00", "01-01 00:15"]);
        assert_eq!(begins("UTC", "2026-11-10T00:00:00Z", "2027-01-01T00:00:00Z", Total).len(), 2);
    }

    #[test]
    fn the_change_of_clocks_makes_days_longer_and_shorter() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let hours = |from: &str, until: &str| {
            let days = periods(at(from), at(until), ReportInterval::Day, &zone).unwrap();
            days.iter().map(|(from, until)| (until - from) / 3_600_000).collect::<Vec<_>>()
        };
        assert_eq!(hours("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z"), [24, 25, 24]);
        assert_eq!(hours("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z"), [24, 23, 24]);
        // Every hour once, also where it comes twice.
        let night =
            begins("Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z", ReportInterval::Hour);
        assert_eq!(night, ["10-25 01:00", "10-25 02:00", "10-25 02:00", "10-25 03:00", "10-25 04:00"]);
        // A day that a zone left out.
        let days =
            begins("Pacific/Apia", "2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z", ReportInterval::Day);
        assert_eq!(days, ["12-29 00:00", "12-31 00:00", "01-01 00:00"]);
    }

    #[test]
    fn there_are_not_too_many() {
        let hours = i64::try_from(PERIODS_MAX).unwrap() * 3_600_000;
        let hourly = |until| periods(0, until, ReportInterval::Hour, &TimeZone::UTC);
        assert_eq!(hourly(hours).map(|found| found.len()), Some(PERIODS_MAX));
        assert_eq!(hourly(hours + 1), None);
        assert_eq!(periods(0, 0, ReportInterval::Day, &TimeZone::UTC), Some(Vec::new()));
    }
}
