//! What is given of business hours, checked. No I/O.

use jiff::tz::TimeZone;

use crate::domain::business_hours::{
    DAY_MINUTES, EXCEPTION_DAYS_MAX, EXCEPTIONS_MAX, HOURS_NAME_MAX, HoursException, INTERVALS_MAX, Interval,
    Weekday, WeeklyInterval, date, minutes,
};
use crate::domain::centre::recipient::TIME_ZONE_MAX;
use crate::domain::group::GROUPS_MAX;
use crate::kernel::{GroupId, Result};
use crate::members::profile::Checker;

/// From when until when, `HH:MM` each.
pub type GivenInterval = (String, String);

/// An exception as it is given.
#[derive(Debug, Clone)]
pub struct GivenException {
    /// The first day.
    pub from_date: String,
    /// The last day; absent: the first.
    pub until_date: Option<String>,
    /// What it is for.
    pub name: String,
    /// What begins on each of these days.
    pub intervals: Vec<GivenInterval>,
}

/// What is said of business hours; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// What they are called.
    pub name: Option<String>,
    /// The time zone.
    pub time_zone: Option<String>,
    /// What repeats every week.
    pub weekly: Option<Vec<(Weekday, GivenInterval)>>,
    /// The days with other hours.
    pub exceptions: Option<Vec<GivenException>>,
    /// For which groups.
    pub groups: Option<Vec<GroupId>>,
    /// For all else.
    pub is_default: Option<bool>,
}

/// The same, checked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What they are called.
    pub name: Option<String>,
    /// The time zone.
    pub time_zone: Option<String>,
    /// What repeats every week.
    pub weekly: Option<Vec<WeeklyInterval>>,
    /// The days with other hours, in their order.
    pub exceptions: Option<Vec<HoursException>>,
    /// For which groups, each once.
    pub groups: Option<Vec<GroupId>>,
    /// For all else.
    pub is_default: Option<bool>,
}

/// Checks it. Errors: `validation_failed`, with every wrong field.
pub fn checked(given: Given) -> Result<Checked> {
    let mut check = Checker::default();
    let name = given.name.map(|name| check.required_line("/name", &name, HOURS_NAME_MAX));
    if let Some(zone) = &given.time_zone
        && (zone.chars().count() > TIME_ZONE_MAX || TimeZone::get(zone).is_err())
    {
        check.wrong("/time_zone", "invalid", "expected a name of the IANA, such as Asia/Shanghai");
    }
    let weekly = given.weekly.map(|weekly| week(&mut check, weekly));
    let exceptions = given.exceptions.map(|exceptions| all_exceptions(&mut check, exceptions));
    let groups = given.groups.map(|mut groups| {
        groups.sort_unstable();
        groups.dedup();
        if groups.len() > GROUPS_MAX {
            check.wrong("/group_ids", "too_long", format!("at most {GROUPS_MAX} groups"));
        }
        groups
    });
    check.finish()?;
    Ok(Checked { name, time_zone: given.time_zone, weekly, exceptions, groups, is_default: given.is_default })
}

fn week(check: &mut Checker, given: Vec<(Weekday, GivenInterval)>) -> Vec<WeeklyInterval> {
    for day in Weekday::ALL {
        if given.iter().filter(|(one, _)| one == day).count() > INTERVALS_MAX {
            check.wrong("/weekly", "too_long", format!("at most {INTERVALS_MAX} intervals begin on a day"));
        }
    }
    let mut week = Vec::with_capacity(given.len().min(Weekday::ALL.len() * INTERVALS_MAX));
    for (index, (day, times)) in given.iter().enumerate().take(Weekday::ALL.len() * INTERVALS_MAX) {
        let interval = interval(check, &format!("/weekly/{index}"), times);
        week.extend(interval.map(|interval| WeeklyInterval { day: *day, interval }));
    }
    week
}

fn interval(check: &mut Checker, pointer: &str, (from, until): &GivenInterval) -> Option<Interval> {
    let begin = minutes(from).filter(|from| *from < DAY_MINUTES);
    if begin.is_none() {
        check.wrong(&format!("{pointer}/from"), "invalid", "expected a time of the day, such as 09:00");
    }
    let end = minutes(until);
    let Some(end) = end else {
        let detail = "expected a time, such as 18:00, or 26:00 for two o'clock of the next day";
        check.wrong(&format!("{pointer}/until"), "invalid", detail);
        return None;
    };
    let begin = begin?;
    if end <= begin {
        let detail = "it ends after it begins; an end on the next day is written as 24:00 and more";
        check.wrong(&format!("{pointer}/until"), "out_of_range", detail);
        return None;
    }
    Some(Interval { from: begin, until: end })
}

fn all_exceptions(check: &mut Checker, given: Vec<GivenException>) -> Vec<HoursException> {
    if given.len() > EXCEPTIONS_MAX {
        check.wrong("/exceptions", "too_long", format!("at most {EXCEPTIONS_MAX} exceptions"));
        return Vec::new();
    }
    let mut all: Vec<HoursException> =
        given.into_iter().enumerate().filter_map(|(index, one)| exception(check, index, one)).collect();
    all.sort_by(|one, other| one.from_date.cmp(&other.from_date));
    let twice = all.iter().zip(all.iter().skip(1)).find(|(one, next)| next.from_date <= one.until_date);
    if let Some((_, next)) = twice {
        check.wrong("/exceptions", "invalid", format!("two of them cover {}", next.from_date));
    }
    all
}

fn exception(check: &mut Checker, index: usize, given: GivenException) -> Option<HoursException> {
    let at = |field: &str| format!("/exceptions/{index}/{field}");
    let expected = "expected a date, such as 2026-12-24";
    let until_text = given.until_date.unwrap_or_else(|| given.from_date.clone());
    let (from, until) = (date(&given.from_date), date(&until_text));
    if from.is_none() {
        check.wrong(&at("from_date"), "invalid", expected);
    } else if until.is_none() {
        check.wrong(&at("until_date"), "invalid", expected);
    }
    let days = from.zip(until).and_then(|(from, until)| until.since(from).ok()).map(|span| span.get_days());
    if days.is_some_and(|days| !(0..EXCEPTION_DAYS_MAX).contains(&days)) {
        let detail = format!("not before from_date, and at most {EXCEPTION_DAYS_MAX} days");
        check.wrong(&at("until_date"), "out_of_range", detail);
    }
    if given.intervals.len() > INTERVALS_MAX {
        check.wrong(&at("intervals"), "too_long", format!("at most {INTERVALS_MAX} intervals"));
        return None;
    }
    let name = check.line(&at("name"), &given.name, HOURS_NAME_MAX);
    let intervals = given.intervals.iter().enumerate();
    let intervals: Vec<Interval> = intervals
        .filter_map(|(place, times)| interval(check, &at(&format!("intervals/{place}")), times))
        .collect();
    Some(HoursException { from_date: from?.to_string(), until_date: until?.to_string(), name, intervals })
}
