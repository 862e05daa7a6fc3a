//! The routes of rooms.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, put, web};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use crate::app::App;
use crate::auth::Staff;
use crate::conversations::view::View;
use crate::http::json::Body;
use crate::kernel::{MemberId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(make_room);
    config.service(open_direct_room);
}

/// A room that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeRoom {
    /// Its name, at most 200 characters.
    subject: String,
    /// Who is in it beside oneself: at most 199 members of the staff. More can be added later.
    #[serde(default)]
    member_ids: Vec<MemberId>,
}

/// Make a room of the staff
///
/// A conversation of the kind `group` without a customer: messages, reads, members and frames work as in any other, and
/// only who is in it sees it. One manages what one made: takes others out, and gives it another name like everybody in
/// it. When the last manager leaves, who has been there longest manages it. Made twice, there are two.
#[utoipa::path(tag = "rooms", request_body = MakeRoom, responses(
    (status = 201, description = "Made.", body = View),
))]
#[post("/rooms")]
pub async fn make_room(app: web::Data<App>, caller: Staff, input: Body<MakeRoom>) -> Result<HttpResponse> {
    let MakeRoom { subject, member_ids } = input.into_inner();
    let room = service::make(&app, caller.actor, &subject, member_ids).await?;
    Ok(HttpResponse::Created().json(room))
}

/// Open a direct room
///
/// A conversation of the kind `direct` between oneself and another member of the staff: the same two have one, whoever
/// asks first. Nobody else comes into it, and nobody leaves it.
#[utoipa::path(
    tag = "rooms",
    params(("member_id" = MemberId, Path, description = "The other member of the staff.")),
    responses(
        (status = 201, description = "Made.", body = View),
        (status = 200, description = "The one that was there.", body = View),
    )
)]
#[put("/rooms/direct/{member_id}")]
pub async fn open_direct_room(
    app: web::Data<App>,
    caller: Staff,
    member: web::Path<MemberId>,
) -> Result<HttpResponse> {
    let (room, created) = service::direct(&app, caller.actor, member.into_inner()).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(HttpResponse::build(status).json(room))
}
