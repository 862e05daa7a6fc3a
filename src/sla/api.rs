//! The routes of SLA policies and clocks.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::check::Given;
use super::service::{self, Told};
use crate::app::App;
use crate::auth::extract::Staff;
use crate::domain::business_hours::Hours;
use crate::domain::conversation::Priority;
use crate::domain::sla::clock::SlaState;
use crate::domain::sla::{SlaMetric, SlaPolicyRow};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ConversationId, GroupId, Millis, Result, SlaPolicyId};
use crate::members::api::present;
use crate::text_enum;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_sla_policy);
    config.service(list_sla_policies);
    config.service(get_sla_policy);
    config.service(update_sla_policy);
    config.service(delete_sla_policy);
    config.service(list_sla_clocks);
}

/// How fast customers are to be answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlaPolicy {
    /// The policy.
    id: SlaPolicyId,
    /// What it is called.
    name: String,
    /// Its place among the others: of several that fit, a conversation has the first.
    position: i64,
    /// For conversations of these groups; none: of all, and of no group.
    group_ids: Vec<GroupId>,
    /// For conversations of these priorities; none: of all.
    priorities: Vec<Priority>,
    /// Target of the first response, in seconds; null for none.
    #[schema(required)]
    first_response_seconds: Option<i64>,
    /// Target of each further response, in seconds; null for none.
    #[schema(required)]
    next_response_seconds: Option<i64>,
    /// Target of the resolution, in seconds; null for none.
    #[schema(required)]
    resolution_seconds: Option<i64>,
    /// How long before a target is missed the staff are warned, in seconds; null: they are not.
    #[schema(required)]
    warn_before_seconds: Option<i64>,
    /// By which hours its clocks run.
    hours: Hours,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
}

impl From<SlaPolicyRow> for SlaPolicy {
    fn from(row: SlaPolicyRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            position: row.position,
            group_ids: row.group_ids.0,
            priorities: row.priorities.0,
            first_response_seconds: row.first_response_seconds,
            next_response_seconds: row.next_response_seconds,
            resolution_seconds: row.resolution_seconds,
            warn_before_seconds: row.warn_before_seconds,
            hours: row.hours,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}

/// An SLA policy that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSlaPolicy {
    /// What it is called, at most 100 characters; unique in the tenant.
    name: String,
    /// Its place among the others; absent: 0. Of equal ones the older is before.
    #[serde(default)]
    position: i64,
    /// For conversations of these groups; absent or empty: of all, and of no group.
    #[serde(default)]
    group_ids: Vec<GroupId>,
    /// For conversations of these priorities; absent or empty: of all.
    #[serde(default)]
    priorities: Vec<Priority>,
    /// Target of the first response, in seconds.
    #[serde(default)]
    first_response_seconds: Option<i64>,
    /// Target of each further response, in seconds.
    #[serde(default)]
    next_response_seconds: Option<i64>,
    /// Target of the resolution, in seconds.
    #[serde(default)]
    resolution_seconds: Option<i64>,
    /// How long before a target is missed the staff are warned, in seconds: shorter than every target.
    #[serde(default)]
    warn_before_seconds: Option<i64>,
    /// By which hours its clocks run; absent: at all hours.
    #[serde(default)]
    hours: Option<Hours>,
}

impl From<CreateSlaPolicy> for Given {
    fn from(given: CreateSlaPolicy) -> Self {
        Self {
            name: Some(given.name),
            position: Some(given.position),
            groups: Some(given.group_ids),
            priorities: Some(given.priorities),
            first_response: Some(given.first_response_seconds),
            next_response: Some(given.next_response_seconds),
            resolution: Some(given.resolution_seconds),
            warn_before: Some(given.warn_before_seconds),
            hours: given.hours,
        }
    }
}

/// A change of an SLA policy. An absent field stays; a list that is there takes the place of the one that was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateSlaPolicy {
    /// What it is called.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    name: Option<String>,
    /// Its place among the others.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false)]
    position: Option<i64>,
    /// For conversations of these groups; empty: of all, and of no group.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<GroupId>, required = false)]
    group_ids: Option<Vec<GroupId>>,
    /// For conversations of these priorities; empty: of all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<Priority>, required = false)]
    priorities: Option<Vec<Priority>>,
    /// Target of the first response, in seconds; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    first_response_seconds: Option<Option<i64>>,
    /// Target of each further response, in seconds; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    next_response_seconds: Option<Option<i64>>,
    /// Target of the resolution, in seconds; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    resolution_seconds: Option<Option<i64>>,
    /// How long before a target is missed the staff are warned, in seconds; null: they are not.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    warn_before_seconds: Option<Option<i64>>,
    /// By which hours its clocks run.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Hours, required = false)]
    hours: Option<Hours>,
}

impl From<UpdateSlaPolicy> for Given {
    fn from(given: UpdateSlaPolicy) -> Self {
        Self {
            name: given.name,
            position: given.position,
            groups: given.group_ids,
            priorities: given.priorities,
            first_response: given.first_response_seconds,
            next_response: given.next_response_seconds,
            resolution: given.resolution_seconds,
            warn_before: given.warn_before_seconds,
            hours: given.hours,
        }
    }
}

text_enum! {
    /// Where an SLA clock stands.
    SlaClockState {
        /// It runs.
        Running = "running",
        /// It stands still, because the desk is closed.
        Paused = "paused",
        /// What it measures came.
        Met = "met",
        /// It ended without that: the conversation was closed, or no policy sets the target any more.
        Ended = "ended",
    }
}

/// A clock of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlaClock {
    /// What it measures.
    metric: SlaMetric,
    /// The policy that sets its target.
    policy_id: SlaPolicyId,
    /// What the policy is called; null: it was deleted.
    #[schema(required)]
    policy_name: Option<String>,
    /// Where it stands.
    state: SlaClockState,
    /// The entry of the conversation's log with which it began.
    started_seq: i64,
    /// Since when it runs.
    started_at: Millis,
    /// When its target is missed, or was; null: never.
    #[schema(required)]
    due_at: Option<Millis>,
    /// How much of its time is left, in milliseconds; 0 when it is late. null: it has ended, or is never due.
    #[schema(required)]
    remaining_ms: Option<i64>,
    /// When the staff were warned.
    #[schema(required)]
    warned_at: Option<Millis>,
    /// The due time that it missed, once the staff were told; null: it has missed none.
    #[schema(required)]
    breached_at: Option<Millis>,
    /// When it ended.
    #[schema(required)]
    ended_at: Option<Millis>,
}

impl From<Told> for SlaClock {
    fn from(told: Told) -> Self {
        let row = told.row;
        Self {
            metric: row.metric,
            policy_id: row.policy_id,
            policy_name: told.policy_name,
            state: match row.state {
                SlaState::Running if told.is_paused => SlaClockState::Paused,
                SlaState::Running => SlaClockState::Running,
                SlaState::Met => SlaClockState::Met,
                SlaState::Ended => SlaClockState::Ended,
            },
            started_seq: row.started_seq,
            started_at: Millis(row.started_at),
            due_at: row.due_at.map(Millis),
            remaining_ms: told.remaining_ms,
            warned_at: row.warned_at.map(Millis),
            breached_at: row.breached_at.map(Millis),
            ended_at: row.ended_at.map(Millis),
        }
    }
}

/// The clocks of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlaClocks {
    /// By metric and begin.
    data: Vec<SlaClock>,
}

/// Create an SLA policy
///
/// It holds for every conversation that is not over, from its begin on: what is late already is told at once. There are at most
/// 100 of a tenant.
#[utoipa::path(tag = "sla", request_body = CreateSlaPolicy, responses(
    (status = 201, description = "Made.", body = SlaPolicy),
))]
#[post("/sla-policies")]
pub async fn create_sla_policy(
    app: web::Data<App>,
    caller: Staff,
    input: Body<CreateSlaPolicy>,
) -> Result<HttpResponse> {
    let row = service::create(&app, caller.actor, input.into_inner().into()).await?;
    Ok(HttpResponse::Created().json(SlaPolicy::from(row)))
}

/// List SLA policies
///
/// In the order in which conversations are compared with them.
#[utoipa::path(tag = "sla", params(PageQuery), responses(
    (status = 200, description = "A page of SLA policies.", body = Page<SlaPolicy>),
))]
#[get("/sla-policies")]
pub async fn list_sla_policies(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<SlaPolicy>>> {
    let page = service::list(&app, caller.actor, query.into_inner()).await?;
    Ok(web::Json(page.map(SlaPolicy::from)))
}

/// Read an SLA policy
///
/// For all of the staff.
#[utoipa::path(
    tag = "sla", params(("id" = SlaPolicyId, Path, description = "The SLA policy.")),
    responses((status = 200, description = "The SLA policy.", body = SlaPolicy)),
)]
#[get("/sla-policies/{id}")]
pub async fn get_sla_policy(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<SlaPolicyId>,
) -> Result<web::Json<SlaPolicy>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|row| web::Json(row.into()))
}

/// Update an SLA policy
///
/// Clocks that run are given new targets, within a second or two; what was told of them stays.
#[utoipa::path(
    tag = "sla", params(("id" = SlaPolicyId, Path, description = "The SLA policy.")),
    request_body = UpdateSlaPolicy,
    responses((status = 200, description = "The SLA policy as it is now.", body = SlaPolicy)),
)]
#[patch("/sla-policies/{id}")]
pub async fn update_sla_policy(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<SlaPolicyId>,
    input: Body<UpdateSlaPolicy>,
) -> Result<web::Json<SlaPolicy>> {
    let row = service::update(&app, caller.actor, id.into_inner(), input.into_inner().into()).await?;
    Ok(web::Json(row.into()))
}

/// Delete an SLA policy
///
/// Clocks that run by it go by the next policy that fits, or end.
#[utoipa::path(
    tag = "sla", params(("id" = SlaPolicyId, Path, description = "The SLA policy.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/sla-policies/{id}")]
pub async fn delete_sla_policy(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<SlaPolicyId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List the SLA clocks of a conversation
///
/// Those that run, and those that ended since it was opened or reopened: of each metric the last one. They follow the log within
/// a second or two; warnings and breaches are the notices `sla_warned` and `sla_breached` behind the conversation.
#[utoipa::path(
    tag = "sla", params(("id" = ConversationId, Path, description = "The conversation.")),
    responses((status = 200, description = "Its clocks.", body = SlaClocks)),
)]
#[get("/conversations/{id}/sla-clocks")]
pub async fn list_sla_clocks(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
) -> Result<web::Json<SlaClocks>> {
    let told = service::clocks(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(SlaClocks { data: told.into_iter().map(SlaClock::from).collect() }))
}
