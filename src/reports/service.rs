//! What a report says, and to whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::tz::TimeZone;

use super::follower::REPORTS;
use super::store;
use crate::app::App;
use crate::db::AnyConnection;
use crate::db::rollup::{self, Sum};
use crate::db::snapshot::snapshot;
use crate::domain::actor::Actor;
use crate::domain::business_hours::Hours;
use crate::domain::centre::recipient::TIME_ZONE_MAX;
use crate::domain::permission::{Operation, Scope, require};
use crate::domain::rating::{SCORE_MAX, SCORE_MIN};
use crate::domain::report::histogram::percentile;
use crate::domain::report::periods::{Period, periods};
use crate::domain::report::{
    PERIODS_MAX, QUARTER_MS, RANGE_MAX_MS, REPORT_ROWS_MAX, ReportDimension, ReportInterval, ReportMetric,
};
use crate::groups;
use crate::journal::{follower, history};
use crate::kernel::{Code, Error, GroupId, Result, TenantId};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What was measured.
    pub metric: ReportMetric,
    /// By what it is divided.
    pub by: ReportDimension,
    /// By which hours durations are counted.
    pub hours: Hours,
    /// From when (included), unix milliseconds.
    pub from: i64,
    /// Until when (excluded), unix milliseconds.
    pub until: i64,
    /// Into what periods it is divided.
    pub interval: ReportInterval,
    /// Whose days they are, by the names of the IANA.
    pub time_zone: String,
}

/// What a report says.
#[derive(Debug, Clone)]
pub struct Told {
    /// What was asked for.
    pub asked: Asked,
    /// The time zone.
    pub zone: TimeZone,
    /// From when it is (included): `from`, made earlier to a whole quarter of an hour.
    pub from: i64,
    /// Until when it is (excluded): `until`, made later to a whole quarter of an hour.
    pub until: i64,
    /// Revs of the log that are not counted yet.
    pub lag_revs: i64,
    /// The rows by period, then by id.
    pub rows: Vec<Row>,
}

/// A row of a report.
#[derive(Debug, Clone)]
pub struct Row {
    /// From when to when.
    pub period: Period,
    /// The agent or group; 0: none, or the tenant.
    pub id: i64,
    /// What it is called.
    pub name: Option<String>,
    /// What was measured.
    pub figures: Figures,
}

/// The numbers of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// How many; of the load nothing.
    pub count: Option<i64>,
    /// Of durations the mean, milliseconds.
    pub mean_ms: Option<i64>,
    /// Of durations the median, milliseconds.
    pub p50_ms: Option<i64>,
    /// Of durations what nine of ten do not exceed, milliseconds.
    pub p90_ms: Option<i64>,
    /// Of ratings the mean.
    pub mean_score: Option<f64>,
    /// Of ratings how many there are of each score, from the lowest.
    pub scores: Option<Vec<i64>>,
    /// Of the load how many conversations on average.
    pub mean_load: Option<f64>,
}

/// Whose numbers somebody sees.
enum Reach {
    All,
    Only(BTreeSet<i64>),
}

impl Reach {
    fn holds(&self, id: i64) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(&id),
        }
    }
}

/// Reads a report. Errors: `forbidden`; `invalid_parameter` for an unknown time zone, for business hours of what does not last,
/// and for what would be too long.
pub async fn get(app: &App, actor: Actor, asked: Asked) -> Result<Told> {
    let scope = require(&actor, Operation::ReadReports)?;
    if scope != Scope::Tenant && asked.by != ReportDimension::Agent {
        return Err(Error::new(Code::Forbidden, "an agent reads its own numbers only: by=agent"));
    }
    let wrong = |detail: String| Error::new(Code::InvalidParameter, detail);
    let zone = Some(&asked.time_zone).filter(|zone| zone.chars().count() <= TIME_ZONE_MAX);
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok());
    let zone =
        zone.ok_or_else(|| wrong("time_zone must be a name of the IANA, such as Asia/Shanghai".to_owned()))?;
    if asked.hours == Hours::Business && !asked.metric.is_duration() {
        return Err(wrong(format!("{} is not counted in hours: hours=calendar_hours", asked.metric)));
    }
    let length = asked.until.saturating_sub(asked.from);
    if length <= 0 || length > RANGE_MAX_MS {
        let days = RANGE_MAX_MS / 86_400_000;
        return Err(wrong(format!("until must be later than from, by at most {days} days")));
    }
    let periods = periods(asked.from, asked.until, asked.interval, &zone).ok_or_else(|| {
        wrong(format!("a report has at most {PERIODS_MAX} periods: take a longer interval"))
    })?;
    let (Some((from, _)), Some((_, until))) = (periods.first().copied(), periods.last().copied()) else {
        return Err(Error::internal("a range without a period"));
    };
    let now = app.clock.now().0;
    let read = move |connection: &mut AnyConnection| {
        snapshot(connection, |connection| {
            let reach = match scope {
                Scope::Tenant => reach(connection, &actor, asked.by)?,
                _ => Reach::Only(BTreeSet::from([actor.member.0])),
            };
            let tenant = actor.tenant;
            let head = history::head(connection, tenant)?;
            let lag_revs = head - follower::position(connection, REPORTS, tenant)?;
            let rows = match asked.metric {
                ReportMetric::Load => load(connection, tenant, &asked, &periods, now, &reach)?,
                _ => figures(connection, tenant, &asked, &periods, &reach)?,
            };
            let rows = named(connection, tenant, asked.by, rows)?;
            Ok(Told { asked, zone, from, until, lag_revs, rows })
        })
    };
    app.db.read(read).await
}

/// What a supervisor or an administrator sees. Errors: `forbidden`.
fn reach(connection: &mut AnyConnection, actor: &Actor, by: ReportDimension) -> Result<Reach> {
    let sight = groups::store::sight(connection, actor)?;
    if sight.is_whole() {
        return Ok(Reach::All);
    }
    let groups: Vec<GroupId> = sight.groups().collect();
    match by {
        // Of no group as well, as of conversations.
        ReportDimension::Group => Ok(Reach::Only(groups.iter().map(|group| group.0).chain([0]).collect())),
        ReportDimension::Agent => {
            let colleagues = store::colleagues(connection, actor.tenant, &groups)?;
            let seen = colleagues.into_iter().chain([actor.member]).map(|member| member.0);
            Ok(Reach::Only(seen.collect()))
        }
        ReportDimension::Tenant => {
            let detail = "who is in groups reads the numbers of the groups: by=group or by=agent";
            Err(Error::new(Code::Forbidden, detail))
        }
    }
}

/// The quarters of an hour of a period.
const fn quarters((from, until): Period) -> (i64, i64) {
    (from.div_euclid(QUARTER_MS), until.div_euclid(QUARTER_MS))
}

type Unnamed = (Period, i64, Figures);

fn keep(rows: &mut Vec<Unnamed>, row: Unnamed) -> Result<()> {
    if rows.len() == REPORT_ROWS_MAX {
        let detail = format!("a report has at most {REPORT_ROWS_MAX} rows: take a longer interval");
        return Err(Error::new(Code::InvalidParameter, detail));
    }
    rows.push(row);
    Ok(())
}

fn figures(
    connection: &mut AnyConnection,
    tenant: TenantId,
    asked: &Asked,
    periods: &[Period],
    reach: &Reach,
) -> Result<Vec<Unnamed>> {
    let (metric, by) = (asked.metric, asked.by);
    let words = match asked.hours {
        Hours::Calendar => vec![metric.as_str()],
        Hours::Business => vec![metric.as_str(), metric.business_word()],
    };
    let mut rows = Vec::new();
    for period in periods {
        let window = quarters(*period);
        let sums = rollup::sums(connection, tenant, &words, by.as_str(), window)?;
        for sums in sums.chunk_by(|one, next| one.dimension_id == next.dimension_id) {
            let Some(id) = sums.first().map(|sum| sum.dimension_id).filter(|id| reach.holds(*id)) else {
                continue;
            };
            let figures = figures_of(metric, sums);
            if figures.count.is_some_and(|count| count > 0) {
                keep(&mut rows, (*period, id, figures))?;
            }
        }
    }
    Ok(rows)
}

/// The numbers of one agent, group or tenant.
fn figures_of(metric: ReportMetric, sums: &[Sum]) -> Figures {
    let count: i64 = sums.iter().map(|sum| sum.measures).sum();
    let total: i64 = sums.iter().map(|sum| sum.total).sum();
    let counted = Figures { count: Some(count), ..Figures::default() };
    if count <= 0 {
        return counted;
    }
    if metric.is_duration() {
        let histogram: Vec<(i16, i64)> = sums.iter().map(|sum| (sum.bucket, sum.measures)).collect();
        return Figures {
            mean_ms: Some(total / count),
            p50_ms: percentile(&histogram, 50),
            p90_ms: percentile(&histogram, 90),
            ..counted
        };
    }
    if metric == ReportMetric::Rating {
        let of = |score: i16| sums.iter().filter(|sum| sum.bucket == score).map(|sum| sum.measures).sum();
        return Figures {
            mean_score: Some(ratio(total, count)),
            scores: Some((SCORE_MIN..=SCORE_MAX).map(of).collect()),
            ..counted
        };
    }
    counted
}

/// A ratio with three digits behind the point.
fn ratio(part: i64, whole: i64) -> f64 {
    (part as f64 / whole as f64 * 1_000.0).round() / 1_000.0
}

/// The load: what is served as far as the log was read, less what was begun since the range began, and what of it ended, is what
/// was served at its begin. From there each step adds the time from it to the end of its period, or to now.
fn load(
    connection: &mut AnyConnection,
    tenant: TenantId,
    asked: &Asked,
    periods: &[Period],
    now: i64,
    reach: &Reach,
) -> Result<Vec<Unnamed>> {
    let (metric, by) = (&[ReportMetric::Load.as_str()], asked.by.as_str());
    let mut served: BTreeMap<i64, i64> = store::served(connection, tenant, asked.by)?.into_iter().collect();
    let begin = periods.first().map_or(0, |period| quarters(*period).0);
    for sum in rollup::sums(connection, tenant, metric, by, (begin, i64::MAX))? {
        *served.entry(sum.dimension_id).or_insert(0) -= sum.measures;
    }
    let mut rows = Vec::new();
    for period in periods {
        let (from, until) = (period.0, period.1.min(now));
        if until <= from {
            break;
        }
        let mut times: BTreeMap<i64, i64> =
            served.iter().map(|(id, count)| (*id, count * (until - from))).collect();
        for sum in rollup::sums(connection, tenant, metric, by, quarters(*period))? {
            let time = sum.measures * until - sum.moment * QUARTER_MS - sum.total;
            *times.entry(sum.dimension_id).or_insert(0) += time;
            *served.entry(sum.dimension_id).or_insert(0) += sum.measures;
        }
        for (id, time) in times.into_iter().filter(|(id, time)| *time > 0 && reach.holds(*id)) {
            let figures = Figures { mean_load: Some(ratio(time, until - from)), ..Figures::default() };
            keep(&mut rows, (*period, id, figures))?;
        }
    }
    Ok(rows)
}

fn named(
    connection: &mut AnyConnection,
    tenant: TenantId,
    by: ReportDimension,
    rows: Vec<Unnamed>,
) -> Result<Vec<Row>> {
    let ids: BTreeSet<i64> = rows.iter().map(|(_, id, _)| *id).filter(|id| *id != 0).collect();
    let names: HashMap<i64, String> = match ids.is_empty() {
        true => HashMap::new(),
        false => store::names(connection, tenant, by, ids)?,
    };
    let named = rows.into_iter().map(|(period, id, figures)| Row {
        period,
        id,
        name: names.get(&id).cloned(),
        figures,
    });
    Ok(named.collect())
}

/// By what a report is divided when nobody says it: agents read their own numbers.
pub fn natural(actor: &Actor) -> ReportDimension {
    match require(actor, Operation::ReadReports) {
        Ok(Scope::Tenant) => ReportDimension::Tenant,
        _ => ReportDimension::Agent,
    }
}
