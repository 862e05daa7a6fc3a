//! The route of reports.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::csv;
use super::service::{self, Asked, Row, Told};
use crate::app::App;
use crate::auth::Staff;
use crate::domain::business_hours::Hours;
use crate::domain::report::{ReportDimension, ReportFormat, ReportInterval, ReportMetric};
use crate::kernel::{Millis, Result};

/// The media type of a table.
const TABLE: &str = "text/csv";

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_report);
}

/// Which report is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GetReport {
    /// What was measured.
    metric: ReportMetric,
    /// From when (included). It is made earlier to a whole quarter of an hour.
    from: Millis,
    /// Until when (excluded), at most 400 days later. It is made later to a whole quarter of an hour.
    until: Millis,
    /// By what the report is divided; by the tenant when absent, agents: by themselves.
    by: Option<ReportDimension>,
    /// By which hours durations are counted; `calendar_hours` when absent. What does not last has no business hours.
    hours: Option<Hours>,
    /// Into what periods it is divided, at most 750; not at all when absent.
    interval: Option<ReportInterval>,
    /// Whose hours, days, weeks and months they are, by the names of the IANA such as `Asia/Shanghai`; UTC when absent.
    #[param(max_length = 64)]
    time_zone: Option<String>,
    /// In what form it is answered; when absent, by the header `Accept`.
    format: Option<ReportFormat>,
}

/// A report.
#[derive(Debug, Serialize, ToSchema)]
pub struct Report {
    /// What was measured.
    metric: ReportMetric,
    /// By what it is divided.
    by: ReportDimension,
    /// By which hours durations are counted.
    hours: Hours,
    /// Into what periods it is divided.
    interval: ReportInterval,
    /// Whose hours, days, weeks and months they are.
    time_zone: String,
    /// From when it is (included).
    from: Millis,
    /// Until when it is (excluded).
    until: Millis,
    /// How many revs of the log are not counted yet; 0: the report is whole.
    lag_revs: i64,
    /// The rows by period, then by id. Where nothing was measured there is none. At most 10,000.
    data: Vec<ReportRow>,
}

/// A row of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportRow {
    /// When its period begins (included).
    starts_at: Millis,
    /// When its period ends (excluded).
    ends_at: Millis,
    /// The agent or group; null by the tenant, and for what no agent or no group had.
    #[schema(required)]
    id: Option<String>,
    /// What it is called now; null without one.
    #[schema(required)]
    name: Option<String>,
    /// How many were measured; null for `load`.
    #[schema(required)]
    count: Option<i64>,
    /// Of durations: the mean, in milliseconds.
    #[schema(required)]
    mean_ms: Option<i64>,
    /// Of durations: the median, in milliseconds, from a histogram (at most 6.5 % away).
    #[schema(required)]
    p50_ms: Option<i64>,
    /// Of durations: what nine of ten do not exceed, in milliseconds, from a histogram (at most 6.5 % away).
    #[schema(required)]
    p90_ms: Option<i64>,
    /// Of `rating`: the mean score.
    #[schema(required)]
    mean_score: Option<f64>,
    /// Of `rating`: how many there are of each score, from 1 to 5.
    #[schema(required)]
    scores: Option<Vec<i64>>,
    /// Of `load`: how many conversations were served at the same time, on average.
    #[schema(required)]
    mean_load: Option<f64>,
}

impl From<Row> for ReportRow {
    fn from(row: Row) -> Self {
        let figures = row.figures;
        Self {
            starts_at: Millis(row.period.0),
            ends_at: Millis(row.period.1),
            id: Some(row.id).filter(|id| *id != 0).map(|id| id.to_string()),
            name: row.name,
            count: figures.count,
            mean_ms: figures.mean_ms,
            p50_ms: figures.p50_ms,
            p90_ms: figures.p90_ms,
            mean_score: figures.mean_score,
            scores: figures.scores,
            mean_load: figures.mean_load,
        }
    }
}

impl From<Told> for Report {
    fn from(told: Told) -> Self {
        Self {
            metric: told.asked.metric,
            by: told.asked.by,
            hours: told.asked.hours,
            interval: told.asked.interval,
            time_zone: told.asked.time_zone,
            from: Millis(told.from),
            until: Millis(told.until),
            lag_revs: told.lag_revs,
            data: told.rows.into_iter().map(ReportRow::from).collect(),
        }
    }
}

/// Read a report
///
/// One metric, divided by agent, group or not at all, and by time. What each metric means stands in `/docs/reports`. Agents read
/// their own numbers; supervisors who are in groups those of their groups and of no group, and of who is in them; the others of
/// the staff all. Reports follow the log within seconds.
#[utoipa::path(
    tag = "reports", params(GetReport),
    responses((status = 200, description = "The report.", content(
        (Report = "application/json"),
        (String = "text/csv"),
    ))),
)]
#[get("/reports")]
pub async fn get_report(
    app: web::Data<App>,
    caller: Staff,
    request: HttpRequest,
    query: web::Query<GetReport>,
) -> Result<HttpResponse> {
    let GetReport { metric, from, until, by, hours, interval, time_zone, format } = query.into_inner();
    let by = by.unwrap_or_else(|| service::natural(&caller.actor));
    let asked = Asked {
        metric,
        by,
        hours: hours.unwrap_or(Hours::Calendar),
        from: from.0,
        until: until.0,
        interval: interval.unwrap_or(ReportInterval::Total),
        time_zone: time_zone.unwrap_or_else(|| "UTC".to_owned()),
    };
    let told = service::get(&app, caller.actor, asked).await?;
    match format.unwrap_or_else(|| accepted(&request)) {
        ReportFormat::Json => Ok(HttpResponse::Ok().json(Report::from(told))),
        ReportFormat::Csv => {
            let kind = format!("{TABLE}; charset=utf-8; header=present");
            let name = format!("attachment; filename=\"{}-{}.csv\"", told.asked.metric, told.asked.by);
            Ok(HttpResponse::Ok()
                .insert_header((header::CONTENT_TYPE, kind))
                .insert_header((header::CONTENT_DISPOSITION, name))
                .body(csv::table(&told)))
        }
    }
}

/// The form that the header `Accept` asks for: a table where it names one, before JSON.
fn accepted(request: &HttpRequest) -> ReportFormat {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kinds = accept.split(',').map(|one| one.split(';').next().unwrap_or("").trim());
    let named = kinds.filter_map(|kind| match kind {
        _ if kind.eq_ignore_ascii_case(TABLE) => Some(ReportFormat::Csv),
        _ if kind.eq_ignore_ascii_case("application/json") => Some(ReportFormat::Json),
        _ => None,
    });
    named.into_iter().next().unwrap_or(ReportFormat::Json)
}
