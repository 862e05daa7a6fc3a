//! What was measured, added up before it is stored: for each measure a number for its agent, its group and the tenant, in the
//! quarter of an hour in which it came to its end.
//!
//! Business time is kept as what it differs by from all hours: where a measure is shorter by business hours, it is taken out of
//! the bucket of its length and put into that of its length by business hours, under the metric's other word
//! ([`ReportMetric::business_word`]). So both are stored once where they are the same, and the sum of both words is a report by
//! business hours.

use std::collections::BTreeMap;

use super::histogram::bucket_of;
use super::{QUARTER_MS, ReportDimension, ReportMetric};
use crate::db::rollup::{Cell, Numbers};
use crate::domain::business_hours::Calendars;
use crate::kernel::{GroupId, MemberId};

/// Whose a measure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// The member of the staff, when a single one is meant.
    pub agent: Option<MemberId>,
    /// The group whose matter the conversation is.
    pub group: Option<GroupId>,
}

/// What was measured.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    cells: BTreeMap<Cell, Numbers>,
    calendars: Calendars,
}

impl Tally {
    /// Nothing yet; business time goes by these calendars.
    pub fn new(calendars: Calendars) -> Self {
        Self { cells: BTreeMap::new(), calendars }
    }

    /// Every cell that something is added to, in order.
    pub fn cells(&self) -> impl Iterator<Item = (&Cell, &Numbers)> {
        self.cells.iter()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Something happened once.
    pub fn count(&mut self, metric: ReportMetric, at: i64, credit: Credit) {
        self.add(metric.as_str(), at, credit, 0, Numbers { measures: 1, total: 0 });
    }

    /// Something lasted from one time to another. Where the clock was set back it lasted no time.
    pub fn duration(&mut self, metric: ReportMetric, since: i64, at: i64, credit: Credit) {
        let took = at.saturating_sub(since).max(0);
        self.add(metric.as_str(), at, credit, bucket_of(took), Numbers { measures: 1, total: took });
        let open = self.calendars.of(credit.group).map_or(took, |calendar| calendar.open_between(since, at));
        if open < took {
            let word = metric.business_word();
            self.add(word, at, credit, bucket_of(took), Numbers { measures: -1, total: -took });
            self.add(word, at, credit, bucket_of(open), Numbers { measures: 1, total: open });
        }
    }

    /// A rating that was given at this time has this score, or has it no more.
    pub fn rating(&mut self, at: i64, score: i16, is_given: bool, credit: Credit) {
        let sign = if is_given { 1 } else { -1 };
        let numbers = Numbers { measures: sign, total: sign * i64::from(score) };
        self.add(ReportMetric::Rating.as_str(), at, credit, score, numbers);
    }

    /// One conversation more is served, or one less.
    pub fn load(&mut self, at: i64, is_more: bool, credit: Credit) {
        self.add(ReportMetric::Load.as_str(), at, credit, 0, Self::step(at, is_more));
    }

    /// What is served is another group's matter from now on.
    pub fn move_load(&mut self, at: i64, from: Option<GroupId>, to: Option<GroupId>) {
        for (group, is_more) in [(from, false), (to, true)] {
            let id = group.map_or(0, |group| group.0);
            let step = Self::step(at, is_more);
            self.add_to(ReportMetric::Load.as_str(), ReportDimension::Group, at, id, 0, step);
        }
    }

    /// The total of a step is how late in its quarter of an hour it came, from which the time that was served is computed.
    fn step(at: i64, is_more: bool) -> Numbers {
        let sign = if is_more { 1 } else { -1 };
        Numbers { measures: sign, total: sign * at.rem_euclid(QUARTER_MS) }
    }

    fn add(&mut self, metric: &'static str, at: i64, credit: Credit, bucket: i16, numbers: Numbers) {
        let agent = credit.agent.map_or(0, |agent| agent.0);
        let group = credit.group.map_or(0, |group| group.0);
        self.add_to(metric, ReportDimension::Agent, at, agent, bucket, numbers);
        self.add_to(metric, ReportDimension::Group, at, group, bucket, numbers);
        self.add_to(metric, ReportDimension::Tenant, at, 0, bucket, numbers);
    }

    fn add_to(
        &mut self,
        metric: &'static str,
        dimension: ReportDimension,
        at: i64,
        dimension_id: i64,
        bucket: i16,
        numbers: Numbers,
    ) {
        let cell = Cell {
            metric,
            dimension: dimension.as_str(),
            quarter_hour: at.div_euclid(QUARTER_MS),
            dimension_id,
            bucket,
        };
        let kept = self.cells.entry(cell).or_default();
        kept.measures += numbers.measures;
        kept.total += numbers.total;
    }
}
