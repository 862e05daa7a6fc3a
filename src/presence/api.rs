//! The routes of presence.

use actix_web::{get, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use super::store::{Only, PresenceRow};
use crate::app::App;
use crate::auth::Staff;
use crate::conversations::view::Card;
use crate::domain::member::Role;
use crate::domain::presence::{AgentStatusRow, PresenceChangeRow, PresenceStatus};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{MemberId, Millis, PresenceChangeId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_presence);
    config.service(set_presence);
    config.service(list_presence_history);
}

/// What a member of the staff is, and how many conversations it serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Presence {
    /// Who.
    member: Card,
    /// What it may do.
    role: Role,
    /// What it says that it is; `offline` when it never said anything.
    status: PresenceStatus,
    /// What it is for others: `status` while it is connected, else `offline`.
    effective_status: PresenceStatus,
    /// Whether it has a live socket, or had one less than `presence_grace_seconds` ago.
    connected: bool,
    /// Why, for the staff; may be empty.
    reason: String,
    /// Since when it says so; null when it never said anything.
    #[schema(required)]
    since: Option<Millis>,
    /// When its last socket was known to live; while it is connected, when it came. Null when it never was connected.
    #[schema(required)]
    last_seen: Option<Millis>,
    /// How many conversations it serves.
    current_accept: i64,
    /// How many it accepts at once. When the limit was lowered, it may serve more than that.
    max_accept: i32,
}

impl From<PresenceRow> for Presence {
    fn from(row: PresenceRow) -> Self {
        let PresenceRow { id, nickname, avatar, role, max_accept, kept } = row;
        let effective_status = kept.effective();
        let AgentStatusRow { status, connected, reason, since, last_seen, current_accept, .. } = kept;
        Self {
            member: Card { id, nickname, avatar },
            role,
            status,
            effective_status,
            connected,
            reason,
            since: since.map(Millis),
            last_seen: last_seen.map(Millis),
            current_accept,
            max_accept,
        }
    }
}

/// What one is: the body of the request and the data of the frame. The staff only.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPresence {
    /// What one is.
    pub status: PresenceStatus,
    /// Why, for the staff; at most 200 characters. Absent: no reason.
    #[serde(default)]
    pub reason: String,
}

/// Which part of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListPresence {
    /// Only who says that it is this.
    status: Option<PresenceStatus>,
    /// Only who is this for others.
    effective_status: Option<PresenceStatus>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// List the staff's presence
///
/// Everybody of the staff whose account is enabled, in the order of their ids, with how many conversations each serves.
/// After it the `presence` frames of the socket tell every change.
#[utoipa::path(tag = "presence", params(ListPresence), responses(
    (status = 200, description = "A page of presences.", body = Page<Presence>),
))]
#[get("/presence")]
pub async fn list_presence(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListPresence>,
) -> Result<web::Json<Page<Presence>>> {
    let ListPresence { status, effective_status, limit, cursor } = query.into_inner();
    let only = Only { status, effective: effective_status, member: None };
    let page = service::list(&app, caller.actor, only, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(Presence::from)))
}

/// Set your presence
///
/// Colleagues are told at once. It stays until it is set again, or the account is disabled: signing out and losing the
/// connection do not change `status`, though who is not connected is `offline` for others. Setting the same again
/// changes nothing.
#[utoipa::path(tag = "presence", request_body = SetPresence, responses(
    (status = 200, description = "The own presence as it is now.", body = Presence),
))]
#[put("/presence")]
pub async fn set_presence(
    app: web::Data<App>,
    caller: Staff,
    input: Body<SetPresence>,
) -> Result<web::Json<Presence>> {
    let SetPresence { status, reason } = input.into_inner();
    service::set(&app, caller.actor, status, &reason).await.map(|row| web::Json(row.into()))
}

/// What a member of the staff was from one time on.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresenceChange {
    /// The change.
    id: PresenceChangeId,
    /// From when on.
    at: Millis,
    /// What it said that it is.
    status: PresenceStatus,
    /// What it was for others.
    effective_status: PresenceStatus,
    /// Why, for the staff; may be empty.
    reason: String,
}

impl From<PresenceChangeRow> for PresenceChange {
    fn from(row: PresenceChangeRow) -> Self {
        let PresenceChangeRow { id, at, status, effective_status, reason, .. } = row;
        Self { id, at: Millis(at), status, effective_status, reason }
    }
}

/// List the history of a presence
///
/// What a member of the staff was, newest first: one row for each time that it said something else, came or went.
/// Agents read their own, supervisors and administrators everybody's, also of accounts that are disabled or deleted.
/// Rows are removed after some time, which the operator decides.
#[utoipa::path(
    tag = "presence",
    params(("member_id" = MemberId, Path, description = "The member of the staff."), PageQuery),
    responses((status = 200, description = "A page of changes.", body = Page<PresenceChange>)),
)]
#[get("/presence/{member_id}/history")]
pub async fn list_presence_history(
    app: web::Data<App>,
    caller: Staff,
    member: web::Path<MemberId>,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<PresenceChange>>> {
    let page = service::history(&app, caller.actor, member.into_inner(), query.into_inner()).await?;
    Ok(web::Json(page.map(PresenceChange::from)))
}
