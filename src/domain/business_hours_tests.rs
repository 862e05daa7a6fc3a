//! Business hours against the clock of their place, and against a count of every minute.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn interval(from: &str, until: &str) -> Interval {
    Interval { from: minutes(from).unwrap(), until: minutes(until).unwrap() }
}

fn weekly(days: &[Weekday], from: &str, until: &str) -> Vec<WeeklyInterval> {
    days.iter().map(|day| WeeklyInterval { day: *day, interval: interval(from, until) }).collect()
}

fn exception(from: &str, until: &str, intervals: Vec<Interval>) -> HoursException {
    HoursException {
        from_date: from.to_owned(),
        until_date: until.to_owned(),
        name: String::new(),
        intervals,
    }
}

fn open(until: &str) -> HoursStatus {
    HoursStatus { open: true, opens_at: None, closes_at: Some(at(until)) }
}

fn closed(until: &str) -> HoursStatus {
    HoursStatus { open: false, opens_at: Some(at(until)), closes_at: None }
}

const NEVER: HoursStatus = HoursStatus { open: false, opens_at: None, closes_at: None };

#[test]
fn a_day_has_several_intervals_by_the_clock_of_the_place() {
    let mut week = weekly(&Weekday::ALL[..5], "09:00", "12:00");
    week.extend(weekly(&Weekday::ALL[..5], "13:30", "18:00"));
    let hours = Calendar::new("Asia/Shanghai", week, &[]).unwrap();
    // Friday 2026-11-27, eight hours ahead of UTC.
    assert_eq!(hours.status(at("2026-11-27T00:59:59.999Z")), closed("2026-11-27T01:00:00Z"));
    assert_eq!(hours.status(at("2026-11-27T01:00:00Z")), open("2026-11-27T04:00:00Z"));
    assert_eq!(hours.status(at("2026-11-27T04:00:00Z")), closed("2026-11-27T05:30:00Z"));
    assert_eq!(hours.status(at("2026-11-27T10:00:00Z")), closed("2026-11-30T01:00:00Z"), "the weekend");
}

#[test]
fn intervals_pass_midnight_and_grow_together() {
    let night = Calendar::new("UTC", weekly(&[Weekday::Saturday], "22:00", "30:00"), &[]).unwrap();
    assert_eq!(night.status(at("2026-11-29T05:59:00Z")), open("2026-11-29T06:00:00Z"));
    assert_eq!(night.status(at("2026-11-29T06:00:00Z")), closed("2026-12-05T22:00:00Z"));
    let mut week = weekly(&[Weekday::Monday], "08:00", "24:00");
    week.extend(weekly(&[Weekday::Tuesday], "00:00", "02:00"));
    week.extend(weekly(&[Weekday::Monday], "20:00", "25:00"));
    let touching = Calendar::new("UTC", week, &[]).unwrap();
    assert_eq!(touching.status(at("2026-11-30T09:00:00Z")), open("2026-12-01T02:00:00Z"));
    let always = Calendar::new("Europe/Berlin", weekly(Weekday::ALL, "00:00", "24:00"), &[]).unwrap();
    let status = always.status(at("2026-11-30T09:00:00Z"));
    assert_eq!(status, HoursStatus { open: true, opens_at: None, closes_at: None });
}

#[test]
fn exceptions_say_what_begins_on_their_days() {
    let days = [
        exception("2026-12-24", "2026-12-26", vec![]),
        exception("2026-12-27", "2026-12-27", vec![interval("10:00", "12:00")]),
    ];
    let hours = Calendar::new("UTC", weekly(Weekday::ALL, "20:00", "26:00"), &days).unwrap();
    // What began on the evening of the 23rd goes on.
    assert_eq!(hours.status(at("2026-12-24T01:00:00Z")), open("2026-12-24T02:00:00Z"));
    assert_eq!(hours.status(at("2026-12-24T20:00:00Z")), closed("2026-12-27T10:00:00Z"));
    assert_eq!(hours.status(at("2026-12-27T21:00:00Z")), closed("2026-12-28T20:00:00Z"));
    let only = Calendar::new("UTC", vec![], &days).unwrap();
    assert_eq!(only.status(at("2026-12-27T13:00:00Z")), NEVER);
    assert_eq!(Calendar::new("UTC", vec![], &[]).unwrap().status(0), NEVER);
    let endless = exception("2026-01-01", "2027-12-31", vec![]);
    let hours = Calendar::new("UTC", weekly(Weekday::ALL, "09:00", "17:00"), &[endless]).unwrap();
    assert_eq!(hours.status(at("2026-11-30T09:00:00Z")), NEVER);
}

#[test]
fn clocks_that_change_are_followed() {
    let hours = Calendar::new("Europe/Berlin", weekly(&[Weekday::Sunday], "01:00", "04:00"), &[]).unwrap();
    // In spring the hour from 2 to 3 is left out, in autumn it comes twice.
    assert_eq!(hours.status(at("2026-03-29T00:30:00Z")), open("2026-03-29T02:00:00Z"));
    assert_eq!(hours.status(at("2026-10-24T23:30:00Z")), open("2026-10-25T03:00:00Z"));
    // 02:30 does not exist on that day: it is 03:30. Nothing is left of an interval that lies within the hour.
    let half = Calendar::new("Europe/Berlin", weekly(&[Weekday::Sunday], "02:30", "05:00"), &[]).unwrap();
    assert_eq!(half.status(at("2026-03-29T01:00:00Z")), closed("2026-03-29T01:30:00Z"));
    let nothing = Calendar::new("Europe/Berlin", weekly(&[Weekday::Sunday], "02:00", "03:00"), &[]).unwrap();
    assert_eq!(nothing.status(at("2026-03-28T12:00:00Z")), closed("2026-04-05T00:00:00Z"));
}

#[test]
fn times_and_dates_are_written_one_way() {
    assert_eq!(minutes("00:00"), Some(0));
    assert_eq!(minutes("48:00"), Some(END_MAX));
    for text in ["", "9:00", "09:0", "09:60", "48:01", "+9:00", "09-00", "009:00", "0９:00", "-1:00"] {
        assert_eq!(minutes(text), None, "{text}");
    }
    assert_eq!(clock(1_830), "30:30");
    assert!(date("2028-02-29").is_some());
    for text in ["", "2026-02-29", "2026-2-9", "20260229", "1969-12-31", "2026-01-01T", "+2026-01-1"] {
        assert_eq!(date(text), None, "{text}");
    }
    assert!(Calendar::new("Mars/Phobos", vec![], &[]).is_none());
}

fn any_interval() -> impl Strategy<Value = Interval> {
    (0..DAY_MINUTES, 1..END_MAX)
        .prop_map(|(from, length)| Interval { from, until: (from + length).min(END_MAX) })
}

fn any_weekly() -> impl Strategy<Value = Vec<WeeklyInterval>> {
    let one = (0..7_usize, any_interval())
        .prop_map(|(day, interval)| WeeklyInterval { day: Weekday::ALL[day], interval });
    prop::collection::vec(one, 0..6)
}

const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];

proptest! {
    /// Open is what lies in an interval, and the next change is the first instant, by minutes, at which that is different.
    /// The two weeks hold a change of the clocks in three of the zones.
    #[test]
    fn status_is_what_the_intervals_say(
        weekly in any_weekly(),
        closed in prop::collection::vec((0..14_i64, prop::option::of(any_interval())), 0..3),
        zone in 0..ZONES.len(),
        minute in 0..14 * DAY_MINUTES,
    ) {
        let first = date("2026-10-19").unwrap();
        let exceptions: Vec<HoursException> = closed
            .iter()
            .map(|(day, interval)| {
                let day = first.checked_add(day.days()).unwrap().to_string();
                exception(&day, &day, interval.iter().copied().collect())
            })
            .collect();
        let hours = Calendar::new(ZONES[zone], weekly, &exceptions).unwrap();
        let all: Vec<(i64, i64)> =
            (-3..30_i64).flat_map(|day| hours.instants(first.checked_add(day.days()).unwrap())).collect();
        let is_open = |at: i64| all.iter().any(|(from, until)| (*from..*until).contains(&at));
        let now = at("2026-10-19T12:00:00Z") + minute * 60_000;
        let status = hours.status(now);
        prop_assert_eq!(status.open, is_open(now));
        let one_way = !(status.opens_at.is_some() && status.closes_at.is_some());
        prop_assert!(one_way && status.opens_at.is_none() == (status.open || status == NEVER));
        let change = (1..10 * DAY_MINUTES).map(|ahead| now + ahead * 60_000).find(|at| is_open(*at) != status.open);
        let told = status.opens_at.or(status.closes_at);
        match change {
            Some(change) => prop_assert_eq!(told, Some(change)),
            None => prop_assert!(told.is_none_or(|told| told >= now + 10 * DAY_MINUTES * 60_000)),
        }
    }
}

fn any_calendar(weekly: Vec<WeeklyInterval>, closed: &[(i64, Option<Interval>)], zone: usize) -> Calendar {
    let first = date("2026-10-19").unwrap();
    let exceptions: Vec<HoursException> = closed
        .iter()
        .map(|(day, interval)| {
            let day = first.checked_add(day.days()).unwrap().to_string();
            exception(&day, &day, interval.iter().copied().collect())
        })
        .collect();
    Calendar::new(ZONES[zone], weekly, &exceptions).unwrap()
}

#[test]
fn business_time_stands_still_while_the_desk_is_closed() {
    const HOUR: i64 = 3_600_000;
    let mut week = weekly(&Weekday::ALL[..5], "09:00", "12:00");
    week.extend(weekly(&Weekday::ALL[..5], "13:00", "18:00"));
    let hours = Calendar::new("Asia/Shanghai", week.clone(), &[]).unwrap();
    let after = |from: &str, ms| hours.after(at(from), ms);
    // Friday, 17:00 there: an hour is left on that day, and what is reached at 18:00 is reached then.
    assert_eq!(after("2026-11-27T09:00:00Z", HOUR), Some(at("2026-11-27T10:00:00Z")));
    assert_eq!(after("2026-11-27T09:00:00Z", HOUR + 1), Some(at("2026-11-30T01:00:00.001Z")));
    assert_eq!(
        after("2026-11-28T00:00:00Z", 4 * HOUR),
        Some(at("2026-11-30T06:00:00Z")),
        "over the noon break"
    );
    assert_eq!(after("2026-11-28T00:00:00Z", 0), Some(at("2026-11-28T00:00:00Z")));
    assert_eq!(hours.open_between(at("2026-11-27T09:00:00Z"), at("2026-11-30T02:00:00Z")), 2 * HOUR);
    assert_eq!(hours.open_between(at("2026-11-30T02:00:00Z"), at("2026-11-27T09:00:00Z")), 0);
    // Every week has forty hours: a year of them is found at the end of a week.
    assert_eq!(after("2026-11-30T00:00:00Z", 52 * 40 * HOUR), Some(at("2027-11-26T10:00:00Z")));
    // Of hours that touch or overlap none counts twice.
    let mut night = weekly(Weekday::ALL, "20:00", "30:00");
    night.extend(weekly(Weekday::ALL, "05:00", "08:00"));
    let night = Calendar::new("UTC", night, &[]).unwrap();
    assert_eq!(night.open_between(at("2026-11-30T00:00:00Z"), at("2026-12-01T00:00:00Z")), 12 * HOUR);
    assert_eq!(night.after(at("2026-11-30T10:00:00Z"), 12 * HOUR), Some(at("2026-12-01T08:00:00Z")));
    // In spring an hour of the night is left out, in autumn one comes twice.
    let berlin = Calendar::new("Europe/Berlin", weekly(&[Weekday::Sunday], "01:00", "04:00"), &[]).unwrap();
    assert_eq!(berlin.after(at("2026-03-28T00:00:00Z"), 2 * HOUR + 1), Some(at("2026-04-04T23:00:00.001Z")));
    assert_eq!(berlin.after(at("2026-10-24T12:00:00Z"), 4 * HOUR), Some(at("2026-10-25T03:00:00Z")));
    // What never opens, or not for a year, or too seldom.
    assert_eq!(Calendar::new("UTC", vec![], &[]).unwrap().after(0, 1), None);
    let endless = exception("2026-01-01", "2027-12-31", vec![]);
    let shut = Calendar::new("UTC", weekly(Weekday::ALL, "09:00", "17:00"), &[endless]).unwrap();
    assert_eq!(
        (shut.after(at("2026-06-01T00:00:00Z"), 1), shut.open_between(0, at("2026-06-01T00:00:00Z")) > 0),
        (None, true)
    );
    let seldom = Calendar::new("UTC", weekly(&[Weekday::Monday], "09:00", "09:01"), &[]).unwrap();
    assert_eq!(seldom.after(at("2026-11-30T00:00:00Z"), 600 * 60_000), None);
    assert_eq!(seldom.after(at("2026-11-30T00:00:00Z"), 52 * 60_000), Some(at("2027-11-22T09:01:00Z")));
}

proptest! {
    /// Business time is the number of minutes that are open, and the instant after so much of it is the first before which as
    /// many were. The four weeks hold a change of the clocks in three of the zones.
    #[test]
    fn business_time_is_what_the_minutes_say(
        weekly in any_weekly(),
        closed in prop::collection::vec((0..14_i64, prop::option::of(any_interval())), 0..3),
        zone in 0..ZONES.len(),
        minute in 0..10 * DAY_MINUTES,
        length in 0..10 * DAY_MINUTES,
        target in 1..5 * DAY_MINUTES,
    ) {
        const MINUTE: i64 = 60_000;
        let hours = any_calendar(weekly, &closed, zone);
        let from = at("2026-10-19T00:00:00Z") + minute * MINUTE;
        let first = date("2026-10-19").unwrap();
        let all: Vec<(i64, i64)> =
            (-4..40_i64).flat_map(|day| hours.instants(first.checked_add(day.days()).unwrap())).collect();
        let open: Vec<bool> = (0..28 * DAY_MINUTES)
            .map(|ahead| from + ahead * MINUTE)
            .map(|at| all.iter().any(|(begin, end)| (*begin..*end).contains(&at)))
            .collect();
        let counted = open[..length as usize].iter().filter(|open| **open).count() as i64;
        prop_assert_eq!(hours.open_between(from, from + length * MINUTE), counted * MINUTE);
        let mut left = target;
        let reached = open.iter().position(|open| {
            left -= i64::from(*open);
            left == 0
        });
        let told = hours.after(from, target * MINUTE);
        match reached {
            Some(ahead) => prop_assert_eq!(told, Some(from + (ahead as i64 + 1) * MINUTE)),
            None => prop_assert!(told.is_none_or(|told| told > from + 28 * DAY_MINUTES * MINUTE)),
        }
        if let Some(told) = told {
            prop_assert_eq!(hours.open_between(from, told), target * MINUTE);
        }
    }
}
