//! For which waiting conversations the service chooses agents while some desks are closed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::domain::business_hours::{Calendar, Interval, Weekday, WeeklyInterval};

/// The first millisecond of 1970 is a Thursday's.
const NOW: i64 = 0;

fn desk(is_open: bool) -> Calendar {
    let day = if is_open { Weekday::Thursday } else { Weekday::Friday };
    let weekly = vec![WeeklyInterval { day, interval: Interval { from: 0, until: 60 } }];
    Calendar::new("UTC", weekly, &[]).unwrap()
}

/// What is left is what is routed and open, whatever is the exception.
#[test]
fn closed_desks_are_left_out() {
    for case in 0..128_u32 {
        let bit = |at: u32| (case >> at) & 1 == 1;
        let mut calendars = Calendars::default();
        calendars.groups.insert(GroupId(1), desk(bit(0)));
        calendars.groups.insert(GroupId(2), desk(bit(1)));
        calendars.default = bit(2).then(|| desk(bit(3)));
        let exceptions = [(1, 4), (3, 5)].into_iter().filter(|(_, at)| bit(*at));
        let all = Automatic {
            by_default: bit(6),
            exceptions: exceptions.map(|(group, _)| GroupId(group)).collect(),
        };
        let open = all.clone().while_open(&calendars, NOW);
        for group in [None, Some(GroupId(1)), Some(GroupId(2)), Some(GroupId(3)), Some(GroupId(4))] {
            let expected = all.reaches(group) && calendars.is_open(group, NOW);
            assert_eq!(open.reaches(group), expected, "case {case:b}, {group:?}");
        }
    }
}
