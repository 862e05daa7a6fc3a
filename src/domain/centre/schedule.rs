//! Schedules of rules: cron expressions with a time zone, and the times that they mean. No clock and no I/O.
//!
//! Five fields (minute, hour, day of the month, month, day of the week) as in Vixie cron, with names, lists, ranges, steps and
//! `L`, `W` and `#` as the crate `croner` reads them, so never more often than once a minute. Where clocks change: a schedule
//! with one time a day happens at the first moment after a gap that swallows its time, and once, the first time, where its
//! time comes twice; one with several times leaves out what is swallowed and happens at each time that comes twice.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::recipient::TIME_ZONE_MAX;
use crate::kernel::Millis;

/// Longest expression, in bytes.
pub const CRON_MAX: usize = 100;
/// How long after its time a schedule is still told, in milliseconds: an hour. Of the times that were missed meanwhile only
/// the last one is.
pub const GRACE_MS: i64 = 3_600_000;
/// How many coming times a simulation shows.
pub const COMING: usize = 5;

/// When a rule sends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSchedule {
    /// Minute, hour, day of the month, month and day of the week, such as `0 9 * * MON-FRI`; at most 100 characters.
    pub cron: String,
    /// In whose time: a name of the IANA database, such as `Asia/Shanghai`.
    pub time_zone: String,
}

/// A schedule that can be asked for times.
#[derive(Debug, Clone)]
pub struct Times {
    cron: Cron,
    zone: TimeZone,
}

impl RuleSchedule {
    /// What can be asked for its times; otherwise in which field what is wrong. Whether there is any time is not looked at.
    pub fn times(&self) -> Result<Times, (&'static str, String)> {
        if self.cron.len() > CRON_MAX {
            return Err(("/cron", format!("at most {CRON_MAX} characters")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&self.cron).map_err(|cause| ("/cron", cause.to_string()))?;
        let zone = Some(&self.time_zone).filter(|name| name.len() <= TIME_ZONE_MAX);
        let zone = zone.and_then(|name| TimeZone::get(name).ok());
        let zone = zone.ok_or_else(|| ("/time_zone", "there is no such time zone".to_owned()))?;
        Ok(Times { cron, zone })
    }
}

impl Times {
    fn local(&self, at: i64) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(at).ok()?.to_zoned(self.zone.clone()))
    }

    /// The first time after this instant (unix milliseconds); `None`: there is none.
    pub fn after(&self, at: i64) -> Option<i64> {
        let next = self.cron.find_next_occurrence(&self.local(at)?, false).ok()?;
        Some(next.timestamp().as_millisecond()).filter(|next| *next > at)
    }

    /// The time that is to be told now, when those from `next` on were not: the last one that is not over for longer than
    /// [`GRACE_MS`].
    pub fn due(&self, next: i64, now: i64) -> Option<i64> {
        let from = next.max(now.saturating_sub(GRACE_MS)).saturating_sub(1);
        // At most one a minute, so sixty-one in all.
        std::iter::successors(self.after(from), |at| self.after(*at)).take_while(|at| *at <= now).last()
    }

    /// The next times after this instant.
    pub fn coming(&self, at: i64) -> Vec<i64> {
        std::iter::successors(self.after(at), |at| self.after(*at)).take(COMING).collect()
    }

    /// What is known of this time.
    pub fn payload(&self, at: i64) -> Value {
        let local = self.local(at).map(|local| local.datetime().to_string());
        json!({"at": Millis(at), "local_time": local, "time_zone": self.zone.iana_name()})
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn schedule(cron: &str, time_zone: &str) -> RuleSchedule {
        RuleSchedule { cron: cron.to_owned(), time_zone: time_zone.to_owned() }
    }

    fn ms(at: &str) -> i64 {
        at.parse::<Timestamp>().unwrap().as_millisecond()
    }

    /// The next times after this one, as UTC.
    fn coming(cron: &str, time_zone: &str, after: &str, count: usize) -> Vec<String> {
        let times = schedule(cron, time_zone).times().unwrap();
        let shown = |at: i64| Timestamp::from_millisecond(at).unwrap().to_string();
        times.coming(ms(after)).into_iter().take(count).map(shown).collect()
    }

    #[test]
    fn times_are_those_of_the_zone() {
        assert_eq!(
            coming("0 9 * * MON", "Asia/Shanghai", "2026-11-29T00:00:00Z", 2),
            ["2026-11-30T01:00:00Z", "2026-12-07T01:00:00Z"]
        );
        assert_eq!(coming("* * * * *", "UTC", "2026-11-29T00:00:00Z", 1), ["2026-11-29T00:01:00Z"]);
        assert_eq!(coming("* * * * *", "UTC", "2026-11-29T00:00:59.999Z", 1), ["2026-11-29T00:01:00Z"]);
        assert_eq!(coming("0 0 29 2 *", "UTC", "2026-11-29T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
        assert!(coming("0 0 30 2 *", "UTC", "2026-11-29T00:00:00Z", 1).is_empty(), "there is no such day");
    }

    /// In Berlin 02:00 to 03:00 is left out on 2026-03-29.
    #[test]
    fn what_a_gap_swallows_happens_after_it_once_a_day_and_else_not() {
        assert_eq!(
            coming("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        assert_eq!(
            coming("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:10:00Z", 3),
            ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
        );
        assert_eq!(
            coming("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1),
            ["2026-03-30T00:00:00Z"]
        );
        // Where midnight is left out.
        assert_eq!(
            coming("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2),
            ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]
        );
    }

    /// In Berlin 02:00 to 03:00 comes twice on 2026-10-25.
    #[test]
    fn what_comes_twice_happens_once_a_day_and_else_each_time() {
        assert_eq!(
            coming("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        assert_eq!(
            coming("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", 1),
            ["2026-10-26T01:30:00Z"]
        );
        assert_eq!(
            coming("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", 4),
            ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"]
        );
    }

    #[test]
    fn of_what_was_missed_the_last_is_told_within_an_hour() {
        let due = |cron: &str, next: &str, now: &str| {
            let at = schedule(cron, "UTC").times().unwrap().due(ms(next), ms(now));
            at.map(|at| Timestamp::from_millisecond(at).unwrap().to_string())
        };
        let noon = "2026-11-29T12:00:00Z";
        assert_eq!(due("0 12 * * *", noon, "2026-11-29T11:59:59.999Z"), None);
        assert_eq!(due("0 12 * * *", noon, noon).as_deref(), Some(noon));
        assert_eq!(due("0 12 * * *", noon, "2026-11-29T13:00:00Z").as_deref(), Some(noon));
        assert_eq!(due("0 12 * * *", noon, "2026-11-29T13:00:00.001Z"), None);
        assert_eq!(
            due("*/10 * * * *", noon, "2026-11-29T12:25:00Z").as_deref(),
            Some("2026-11-29T12:20:00Z")
        );
        assert_eq!(
            due("*/10 * * * *", noon, "2026-12-29T12:25:00Z").as_deref(),
            Some("2026-12-29T12:20:00Z")
        );
        // What was told is not told again.
        assert_eq!(due("*/10 * * * *", "2026-11-29T12:30:00Z", "2026-11-29T12:25:00Z"), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_its_place() {
        for cron in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "x * * * *",
            "* * 32 * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "@reboot",
        ] {
            assert_eq!(schedule(cron, "UTC").times().unwrap_err().0, "/cron", "{cron}");
        }
        let long = format!("0{} * * * *", ",0".repeat(CRON_MAX));
        assert_eq!(schedule(&long, "UTC").times().unwrap_err().0, "/cron");
        for zone in ["", "Mars", "+08:00", &"A".repeat(TIME_ZONE_MAX + 1)] {
            assert_eq!(schedule("* * * * *", zone).times().unwrap_err().0, "/time_zone", "{zone}");
        }
    }
}
