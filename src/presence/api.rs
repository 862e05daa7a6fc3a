//! The routes of presence.

use actix_web::{get, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use super::store::PresenceRow;
use crate::app::App;
use crate::auth::Staff;
use crate::conversations::view::Card;
use crate::domain::member::Role;
use crate::domain::presence::{AgentStatusRow, PresenceStatus};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_presence);
    config.service(set_presence);
}

/// What a member of the staff says that it is, and how many conversations it serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Presence {
    /// Who.
    member: Card,
    /// What it may do.
    role: Role,
    /// What it says that it is; `offline` when it never said anything. It is not known here whether it is connected.
    status: PresenceStatus,
    /// Why, for the staff; may be empty.
    reason: String,
    /// Since when it is that; null when it never said anything.
    #[schema(required)]
    since: Option<Millis>,
    /// How many conversations it serves.
    current_accept: i64,
    /// How many it accepts at once. When the limit was lowered, it may serve more than that.
    max_accept: i32,
}

impl From<PresenceRow> for Presence {
    fn from(row: PresenceRow) -> Self {
        let PresenceRow { id, nickname, avatar, role, max_accept, kept } = row;
        let AgentStatusRow { status, reason, since, current_accept, .. } = kept;
        let member = Card { id, nickname, avatar };
        Self { member, role, status, reason, since: since.map(Millis), current_accept, max_accept }
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
    /// Only with this status.
    status: Option<PresenceStatus>,
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
    let ListPresence { status, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, status, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(Presence::from)))
}

/// Set your presence
///
/// Colleagues are told at once. It stays until it is set again, or the account is disabled: signing out and losing the
/// connection do not change it. Setting the same again changes nothing.
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
