//! The routes of business hours.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::check::{Given, GivenException};
use super::service::{self, Kept, Told};
use crate::app::App;
use crate::auth::extract::{Authenticated, Staff};
use crate::domain::business_hours::{HoursException, Weekday, WeeklyInterval, clock};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{BusinessHoursId, GroupId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    // Before the one with an id, which takes every word.
    config.service(get_desk_status);
    config.service(create_business_hours);
    config.service(list_business_hours);
    config.service(get_business_hours);
    config.service(update_business_hours);
    config.service(delete_business_hours);
    config.service(get_business_hours_status);
}

/// An interval that repeats every week.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeeklyHours {
    /// The day on which it begins.
    day: Weekday,
    /// When it begins, `HH:MM`.
    from: String,
    /// When it ends, `HH:MM`. What ends on the next day, or the one after, ends at `24:00` or later, up to `48:00`: `26:00` is two
    /// o'clock of the next day.
    until: String,
}

/// An interval of an exception.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoursInterval {
    /// When it begins, `HH:MM`.
    from: String,
    /// When it ends, `HH:MM`, up to `48:00`.
    until: String,
}

/// Days on which other intervals begin than in other weeks. What began on the day before goes on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionalHours {
    /// The first day, `YYYY-MM-DD`.
    from_date: String,
    /// The last day; absent: the first.
    #[serde(default)]
    until_date: Option<String>,
    /// What it is for; may be empty.
    #[serde(default)]
    name: String,
    /// What begins on each of these days; nothing: it is closed.
    #[serde(default)]
    intervals: Vec<HoursInterval>,
}

/// When a desk is open.
#[derive(Debug, Serialize, ToSchema)]
pub struct BusinessHours {
    /// The business hours.
    id: BusinessHoursId,
    /// What they are called.
    name: String,
    /// The time zone, by the names of the IANA.
    time_zone: String,
    /// What repeats every week.
    weekly: Vec<WeeklyHours>,
    /// The days with other hours, in their order.
    exceptions: Vec<ExceptionalHours>,
    /// The groups whose they are.
    group_ids: Vec<GroupId>,
    /// Whether they are those of all that is no group's with business hours of its own.
    is_default: bool,
    /// When they were made.
    created_at: Millis,
    /// When they were last changed.
    updated_at: Millis,
}

impl From<Kept> for BusinessHours {
    fn from(kept: Kept) -> Self {
        Self {
            id: kept.row.id,
            name: kept.row.name,
            time_zone: kept.row.time_zone,
            weekly: kept.weekly.iter().map(WeeklyHours::from).collect(),
            exceptions: kept.exceptions.into_iter().map(ExceptionalHours::from).collect(),
            group_ids: kept.applies.groups,
            is_default: kept.applies.is_default,
            created_at: Millis(kept.row.created_at),
            updated_at: Millis(kept.row.updated_at),
        }
    }
}

impl From<&WeeklyInterval> for WeeklyHours {
    fn from(one: &WeeklyInterval) -> Self {
        Self { day: one.day, from: clock(one.interval.from), until: clock(one.interval.until) }
    }
}

impl From<HoursException> for ExceptionalHours {
    fn from(one: HoursException) -> Self {
        let intervals = one.intervals.iter();
        let interval = |from, until| HoursInterval { from: clock(from), until: clock(until) };
        Self {
            from_date: one.from_date,
            until_date: Some(one.until_date),
            name: one.name,
            intervals: intervals.map(|one| interval(one.from, one.until)).collect(),
        }
    }
}

/// Business hours that are to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBusinessHours {
    /// What they are called, at most 100 characters; unique in the tenant.
    name: String,
    /// The time zone, by the names of the IANA.
    time_zone: String,
    /// What repeats every week: at most ten intervals begin on a day. Those that touch or overlap are one.
    weekly: Vec<WeeklyHours>,
    /// The days with other hours; no day is covered twice.
    #[serde(default)]
    exceptions: Vec<ExceptionalHours>,
    /// The groups whose they are. A group has one: it loses the others that it had.
    #[serde(default)]
    group_ids: Vec<GroupId>,
    /// Whether they are those of all that is no group's with business hours of its own. The tenant has one such: the others that
    /// were it are not any more. Absent: no.
    #[serde(default)]
    is_default: bool,
}

/// A change of business hours. An absent field stays; a list that is there takes the place of the one that was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateBusinessHours {
    /// What they are called.
    #[serde(default)]
    name: Option<String>,
    /// The time zone.
    #[serde(default)]
    time_zone: Option<String>,
    /// What repeats every week.
    #[serde(default)]
    weekly: Option<Vec<WeeklyHours>>,
    /// The days with other hours.
    #[serde(default)]
    exceptions: Option<Vec<ExceptionalHours>>,
    /// The groups whose they are.
    #[serde(default)]
    group_ids: Option<Vec<GroupId>>,
    /// Whether they are those of all that is no group's with business hours of its own.
    #[serde(default)]
    is_default: Option<bool>,
}

impl From<UpdateBusinessHours> for Given {
    fn from(given: UpdateBusinessHours) -> Self {
        let weekly = |one: WeeklyHours| (one.day, (one.from, one.until));
        let exception = |one: ExceptionalHours| GivenException {
            from_date: one.from_date,
            until_date: one.until_date,
            name: one.name,
            intervals: one.intervals.into_iter().map(|one| (one.from, one.until)).collect(),
        };
        Self {
            name: given.name,
            time_zone: given.time_zone,
            weekly: given.weekly.map(|all| all.into_iter().map(weekly).collect()),
            exceptions: given.exceptions.map(|all| all.into_iter().map(exception).collect()),
            groups: given.group_ids,
            is_default: given.is_default,
        }
    }
}

/// Whether a desk is open, and when that changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct BusinessHoursStatus {
    /// Whether it is open. Without business hours it always is.
    pub open: bool,
    /// When it opens; null while it is open, and when it does not within a year.
    #[schema(required)]
    pub opens_at: Option<Millis>,
    /// When it closes; null while it is closed, and when it does not within a year.
    #[schema(required)]
    pub closes_at: Option<Millis>,
    /// The time zone of the business hours; null without any.
    #[schema(required)]
    pub time_zone: Option<String>,
}

impl From<Option<Told>> for BusinessHoursStatus {
    fn from(told: Option<Told>) -> Self {
        match told {
            None => Self { open: true, opens_at: None, closes_at: None, time_zone: None },
            Some(Told { status, time_zone }) => Self {
                open: status.open,
                opens_at: status.opens_at.map(Millis),
                closes_at: status.closes_at.map(Millis),
                time_zone: Some(time_zone),
            },
        }
    }
}

/// For which instant it is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AtInstant {
    /// The instant; absent: now.
    at: Option<Millis>,
}

/// Of whom it is asked, and for which instant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeskAtInstant {
    /// The group; absent: what is no group's.
    group_id: Option<GroupId>,
    /// The instant; absent: now.
    at: Option<Millis>,
}

/// Tell whether the desk is open
///
/// For visitors and staff: show it before somebody writes. Conversations are opened at all hours.
#[utoipa::path(tag = "business-hours", params(DeskAtInstant), responses(
    (status = 200, description = "Whether it is open.", body = BusinessHoursStatus),
))]
#[get("/business-hours/status")]
pub async fn get_desk_status(
    app: web::Data<App>,
    caller: Authenticated,
    query: web::Query<DeskAtInstant>,
) -> Result<web::Json<BusinessHoursStatus>> {
    let DeskAtInstant { group_id, at } = query.into_inner();
    let told = service::status_of_group(&app, caller.actor, group_id, at).await?;
    Ok(web::Json(told.into()))
}

/// Create business hours
///
/// There are at most 100 of a tenant.
#[utoipa::path(tag = "business-hours", request_body = CreateBusinessHours, responses(
    (status = 201, description = "Made.", body = BusinessHours),
))]
#[post("/business-hours")]
pub async fn create_business_hours(
    app: web::Data<App>,
    caller: Staff,
    input: Body<CreateBusinessHours>,
) -> Result<HttpResponse> {
    let CreateBusinessHours { name, time_zone, weekly, exceptions, group_ids, is_default } =
        input.into_inner();
    let given = UpdateBusinessHours {
        name: Some(name),
        time_zone: Some(time_zone),
        weekly: Some(weekly),
        exceptions: Some(exceptions),
        group_ids: Some(group_ids),
        is_default: Some(is_default),
    };
    let kept = service::create(&app, caller.actor, given.into()).await?;
    Ok(HttpResponse::Created().json(BusinessHours::from(kept)))
}

/// List business hours
///
/// In the order of their ids.
#[utoipa::path(tag = "business-hours", params(PageQuery), responses(
    (status = 200, description = "A page of business hours.", body = Page<BusinessHours>),
))]
#[get("/business-hours")]
pub async fn list_business_hours(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<BusinessHours>>> {
    let page = service::list(&app, caller.actor, query.into_inner()).await?;
    Ok(web::Json(page.map(BusinessHours::from)))
}

/// Read business hours
///
/// With the groups whose they are.
#[utoipa::path(
    tag = "business-hours", params(("id" = BusinessHoursId, Path, description = "The business hours.")),
    responses((status = 200, description = "The business hours.", body = BusinessHours)),
)]
#[get("/business-hours/{id}")]
pub async fn get_business_hours(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<BusinessHoursId>,
) -> Result<web::Json<BusinessHours>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|kept| web::Json(kept.into()))
}

/// Update business hours
///
/// An absent field stays; a list that is there takes the place of the one that was.
#[utoipa::path(
    tag = "business-hours", params(("id" = BusinessHoursId, Path, description = "The business hours.")),
    request_body = UpdateBusinessHours,
    responses((status = 200, description = "The business hours as they are now.", body = BusinessHours)),
)]
#[patch("/business-hours/{id}")]
pub async fn update_business_hours(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<BusinessHoursId>,
    input: Body<UpdateBusinessHours>,
) -> Result<web::Json<BusinessHours>> {
    let kept = service::update(&app, caller.actor, id.into_inner(), input.into_inner().into()).await?;
    Ok(web::Json(kept.into()))
}

/// Delete business hours
///
/// The groups whose they were have the tenant's from now on, if there are any.
#[utoipa::path(
    tag = "business-hours", params(("id" = BusinessHoursId, Path, description = "The business hours.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/business-hours/{id}")]
pub async fn delete_business_hours(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<BusinessHoursId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Tell what business hours say of an instant
///
/// To try them out, whoever they are for.
#[utoipa::path(
    tag = "business-hours",
    params(("id" = BusinessHoursId, Path, description = "The business hours."), AtInstant),
    responses((status = 200, description = "Whether it is open.", body = BusinessHoursStatus)),
)]
#[get("/business-hours/{id}/status")]
pub async fn get_business_hours_status(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<BusinessHoursId>,
    query: web::Query<AtInstant>,
) -> Result<web::Json<BusinessHoursStatus>> {
    let told = service::status(&app, caller.actor, id.into_inner(), query.into_inner().at).await?;
    Ok(web::Json(Some(told).into()))
}
