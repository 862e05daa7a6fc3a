//! Business hours: when a desk is open, by the clock of its own place. Pure functions; no I/O, no clock.
//!
//! How it works: intervals repeat every week, each on the day on which it begins, and may reach into the next day or the one
//! after. On a day that an exception covers, the exception's intervals begin instead; what began the day before goes on.
//! Times of the day become instants by the rules of the time zone: one that does not exist, because the clocks are put
//! forward, is moved by as much; of one that comes twice the first counts (`compatible` of jiff, as RFC 5545 says). Intervals
//! that touch or overlap are one.

use std::collections::HashMap;

use diesel::prelude::*;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil};
use serde::{Deserialize, Serialize};

use crate::db::schema::business_hours;
use crate::kernel::{BusinessHoursId, Error, GroupId, Result, TenantId};
use crate::text_enum;

/// Most business hours of a tenant.
pub const BUSINESS_HOURS_MAX: i64 = 100;
/// Longest name, of business hours and of an exception, in characters.
pub const HOURS_NAME_MAX: usize = 100;
/// Most intervals that begin on one day.
pub const INTERVALS_MAX: usize = 10;
/// Most exceptions.
pub const EXCEPTIONS_MAX: usize = 400;
/// Most days that one exception covers.
pub const EXCEPTION_DAYS_MAX: i32 = 366;
/// The minutes of a day.
pub const DAY_MINUTES: i64 = 1_440;
/// The latest end of an interval, in minutes from the midnight before its begin: two days.
pub const END_MAX: i64 = 2 * DAY_MINUTES;
/// So many days ahead the next change is looked for.
const HORIZON_DAYS: i64 = 370;
/// So many days ahead open times are added up.
const WALK_DAYS: i64 = 3_660;

text_enum! {
    /// A day of the week.
    Weekday {
        /// Monday.
        Monday = "monday",
        /// Tuesday.
        Tuesday = "tuesday",
        /// Wednesday.
        Wednesday = "wednesday",
        /// Thursday.
        Thursday = "thursday",
        /// Friday.
        Friday = "friday",
        /// Saturday.
        Saturday = "saturday",
        /// Sunday.
        Sunday = "sunday",
    }
}

/// From when until when a desk is open, in minutes from the midnight before its begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// Its begin: 0 to 1,439.
    pub from: i64,
    /// Its end, later than its begin and at most [`END_MAX`].
    pub until: i64,
}

/// An interval that repeats every week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyInterval {
    /// The day on which it begins.
    pub day: Weekday,
    /// When.
    #[serde(flatten)]
    pub interval: Interval,
}

/// Days on which other intervals begin than in other weeks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoursException {
    /// The first day, `YYYY-MM-DD`.
    pub from_date: String,
    /// The last day.
    pub until_date: String,
    /// What it is for.
    pub name: String,
    /// What begins on each of these days; nothing: the desk is closed.
    pub intervals: Vec<Interval>,
}

/// A row of `business_hours`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = business_hours)]
pub struct BusinessHoursRow {
    /// The business hours.
    pub id: BusinessHoursId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What they are called, unique in the tenant.
    pub name: String,
    /// The time zone, by the names of the IANA.
    pub time_zone: String,
    /// JSON: a list of [`WeeklyInterval`].
    pub weekly: String,
    /// JSON: a list of [`HoursException`].
    pub exceptions: String,
    /// When they were made, unix milliseconds.
    pub created_at: i64,
    /// When they were last changed, unix milliseconds.
    pub updated_at: i64,
}

impl BusinessHoursRow {
    /// The intervals of the week and the exceptions. Fails when the row is not as this program writes it.
    pub fn parts(&self) -> Result<(Vec<WeeklyInterval>, Vec<HoursException>)> {
        let wrong =
            |cause: serde_json::Error| Error::internal(format!("business hours {}: {cause}", self.id));
        Ok((
            serde_json::from_str(&self.weekly).map_err(wrong)?,
            serde_json::from_str(&self.exceptions).map_err(wrong)?,
        ))
    }

    /// The calendar. Fails when the row is not as this program writes it.
    pub fn calendar(&self) -> Result<Calendar> {
        let (weekly, exceptions) = self.parts()?;
        Calendar::new(&self.time_zone, weekly, &exceptions)
            .ok_or_else(|| Error::internal(format!("business hours {} have no such zone or date", self.id)))
    }
}

/// Whether a desk is open, and when that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoursStatus {
    /// It is open.
    pub open: bool,
    /// When it opens, unix milliseconds; `None` while it is open, and when it does not within a year.
    pub opens_at: Option<i64>,
    /// When it closes, unix milliseconds; `None` while it is closed, and when it does not within a year.
    pub closes_at: Option<i64>,
}

/// Business hours, ready to be asked.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    weekly: Vec<WeeklyInterval>,
    exceptions: Vec<(civil::Date, civil::Date, Vec<Interval>)>,
}

impl Calendar {
    /// A calendar; `None` when there is no such time zone, or a date is none.
    pub fn new(zone: &str, weekly: Vec<WeeklyInterval>, exceptions: &[HoursException]) -> Option<Self> {
        let days = |one: &HoursException| {
            Some((date(&one.from_date)?, date(&one.until_date)?, one.intervals.clone()))
        };
        let exceptions = exceptions.iter().map(days).collect::<Option<_>>()?;
        Some(Self { zone: TimeZone::get(zone).ok()?, weekly, exceptions })
    }

    /// Whether it is open at this instant, unix milliseconds.
    pub fn status(&self, at: i64) -> HoursStatus {
        let closed = HoursStatus { open: false, opens_at: None, closes_at: None };
        let Ok(now) = Timestamp::from_millisecond(at) else { return closed };
        let today = now.to_zoned(self.zone.clone()).date();
        let mut found: Option<(i64, i64)> = None;
        // What began two days ago may go on until today's midnight.
        for ahead in -2..HORIZON_DAYS {
            let Ok(day) = today.checked_add(ahead.days()) else { break };
            for (from, until) in self.instants(day) {
                found = match found {
                    _ if until <= at => found,
                    None => Some((from, until)),
                    Some((begin, end)) if from <= end => Some((begin, end.max(until))),
                    Some(found) => return status(found, at),
                };
            }
        }
        // Nothing comes between it and the horizon: of one that reaches the horizon the end is not known.
        let horizon = today.checked_add((HORIZON_DAYS - 1).days()).ok().and_then(|day| self.instant(day, 0));
        match found {
            None => closed,
            Some((begin, end)) if horizon.is_some_and(|horizon| end < horizon) => status((begin, end), at),
            Some((begin, _)) => HoursStatus { closes_at: None, ..status((begin, i64::MAX), at) },
        }
    }

    /// How long it is open between two instants, in milliseconds. Of more than ten years the first ten count.
    pub fn open_between(&self, from: i64, until: i64) -> i64 {
        let mut open = 0;
        self.walk(
            from,
            |begin, end| {
                open += (end.min(until) - begin).max(0);
                end < until && begin < until
            },
            Some(until),
        );
        open
    }

    /// The first instant at which it was open for so many milliseconds since another; `None` when that does not come within ten
    /// years, or it does not open for a year. What is reached when it closes is reached then, and not when it opens again.
    pub fn after(&self, from: i64, ms: i64) -> Option<i64> {
        if ms <= 0 {
            return Some(from);
        }
        let (mut left, mut reached) = (ms, None);
        self.walk(
            from,
            |begin, end| {
                let length = end - begin;
                if length >= left {
                    reached = Some(begin + left);
                    return false;
                }
                left -= length;
                true
            },
            None,
        );
        reached
    }

    /// Visits the times after an instant at which it is open, in their order and none twice, until the visitor has enough, they
    /// begin after `until`, or the days are too many.
    fn walk(&self, from: i64, mut visit: impl FnMut(i64, i64) -> bool, until: Option<i64>) {
        let Ok(start) = Timestamp::from_millisecond(from) else { return };
        let today = start.to_zoned(self.zone.clone()).date();
        let (mut reached, mut idle) = (from, 0);
        for ahead in -2..WALK_DAYS {
            let Ok(day) = today.checked_add(ahead.days()) else { return };
            if idle > HORIZON_DAYS
                || until.is_some_and(|until| self.instant(day, 0).is_some_and(|midnight| midnight >= until))
            {
                return;
            }
            idle += 1;
            for (begin, end) in self.instants(day) {
                let begin = begin.max(reached);
                if begin < end {
                    (reached, idle) = (end, 0);
                    if !visit(begin, end) {
                        return;
                    }
                }
            }
        }
    }

    /// What begins on a day, as instants in the order of their begins.
    fn instants(&self, day: civil::Date) -> Vec<(i64, i64)> {
        let exception = self.exceptions.iter().find(|(from, until, _)| (*from..=*until).contains(&day));
        let weekday = day.weekday();
        let mut intervals: Vec<Interval> = match exception {
            Some((.., intervals)) => intervals.clone(),
            None => self.weekly.iter().filter(|one| one.day.is(weekday)).map(|one| one.interval).collect(),
        };
        intervals.sort_unstable();
        let instants = intervals.iter().filter_map(|one| {
            let (from, until) = (self.instant(day, one.from)?, self.instant(day, one.until)?);
            // Nothing is left of an interval within the hour that is left out in spring.
            (from < until).then_some((from, until))
        });
        instants.collect()
    }

    fn instant(&self, day: civil::Date, minutes: i64) -> Option<i64> {
        let time = day.to_datetime(civil::Time::midnight()).checked_add(minutes.minutes()).ok()?;
        let zoned = self.zone.to_ambiguous_zoned(time).compatible().ok()?;
        Some(zoned.timestamp().as_millisecond())
    }
}

impl Weekday {
    fn is(self, day: civil::Weekday) -> bool {
        let place = Self::ALL.iter().position(|one| *one == self).unwrap_or_default();
        usize::try_from(day.to_monday_zero_offset()) == Ok(place)
    }
}

fn status((begin, end): (i64, i64), at: i64) -> HoursStatus {
    match begin <= at {
        true => HoursStatus { open: true, opens_at: None, closes_at: Some(end) },
        false => HoursStatus { open: false, opens_at: Some(begin), closes_at: None },
    }
}

text_enum! {
    /// By which hours time is counted.
    Hours {
        /// All hours count.
        Calendar = "calendar_hours",
        /// The time counts in which the desk of the conversation's group is open.
        Business = "business_hours",
    }
}

/// The calendars of a tenant: of groups with hours of their own, and of all others.
#[derive(Debug, Clone, Default)]
pub struct Calendars {
    /// Of groups with business hours of their own.
    pub groups: HashMap<GroupId, Calendar>,
    /// Of what is no such group's; `None`: it is always open.
    pub default: Option<Calendar>,
}

impl Calendars {
    /// The calendar of this group, or of what is no group's; `None`: it is always open.
    pub fn of(&self, group: Option<GroupId>) -> Option<&Calendar> {
        group.and_then(|group| self.groups.get(&group)).or(self.default.as_ref())
    }

    /// Whether the desk of this group, or of what is no group's, is open at this instant. Without business hours it always is.
    pub fn is_open(&self, group: Option<GroupId>, at: i64) -> bool {
        self.of(group).is_none_or(|calendar| calendar.status(at).open)
    }
}

/// A date as it is written: `YYYY-MM-DD`, from 1970 on.
pub fn date(text: &str) -> Option<civil::Date> {
    let date = (text.len() == 10).then(|| text.parse::<civil::Date>().ok()).flatten()?;
    (date.to_string() == text && date.year() >= 1970).then_some(date)
}

/// `HH:MM` as minutes, up to `48:00`.
pub fn minutes(text: &str) -> Option<i64> {
    let two = |part: &str| part.bytes().all(|one| one.is_ascii_digit()).then(|| part.parse::<i64>().ok());
    let (hour, minute) =
        text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
    let (hour, minute) = (two(hour).flatten()?, two(minute).flatten()?);
    Some(hour * 60 + minute).filter(|minutes| minute < 60 && *minutes <= END_MAX)
}

/// Minutes as `HH:MM`.
pub fn clock(minutes: i64) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
#[path = "business_hours_tests.rs"]
mod tests;
