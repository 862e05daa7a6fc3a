//! The routes of codes.

use actix_web::{HttpResponse, get, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::api::{CreateMessageBinding, ListMessageBindings, MessageBinding};
use super::service;
use crate::app::App;
use crate::auth::{Authenticated, Staff};
use crate::centre::channels::transport::Transport;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{MessageBindingId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_message_binding);
    config.service(list_message_bindings);
    config.service(get_message_binding);
    config.service(cancel_message_binding);
    config.service(get_message_binding_svg);
    config.service(get_message_binding_png);
}

/// Create a binding code
///
/// Has WeChat make a QR code. Whoever scans it with WeChat before its end is, from then on, the person to the official
/// account: it binds once. Customers make one for themselves; agents as well for customers in whose open conversations they
/// are; supervisors and administrators for anybody. A new code of a person ends its pending one at the account. At most 10
/// for a person, and 4,000 of an account (3,000 for customers themselves), within an hour; then `429 rate_limited`. When
/// WeChat makes none within 10 seconds: `502 provider_failed`, with `context.outcome`, and for supervisors and administrators
/// what WeChat said.
#[utoipa::path(tag = "message-centre", request_body = CreateMessageBinding, responses(
    (status = 201, description = "Made.", body = MessageBinding),
))]
#[post("/message-bindings")]
pub async fn create_message_binding(
    app: web::Data<App>,
    transport: web::Data<Transport>,
    caller: Authenticated,
    input: Body<CreateMessageBinding>,
) -> Result<HttpResponse> {
    let row = service::create(&app, &transport, caller.actor, input.into_inner().into()).await?;
    Ok(HttpResponse::Created().json(MessageBinding::of(row, app.clock.now())))
}

/// List binding codes
///
/// In the order of their ids. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(ListMessageBindings), responses(
    (status = 200, description = "A page of codes.", body = Page<MessageBinding>),
))]
#[get("/message-bindings")]
pub async fn list_message_bindings(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMessageBindings>,
) -> Result<web::Json<Page<MessageBinding>>> {
    let ListMessageBindings { person_id, account_id, limit, cursor } = query.into_inner();
    let of = (person_id, account_id);
    let page = service::list(&app, caller.actor, of, PageQuery { limit, cursor }).await?;
    let now = app.clock.now();
    Ok(web::Json(page.map(|row| MessageBinding::of(row, now))))
}

/// Get a binding code
///
/// Tells whether it was scanned; a client that shows a code asks every few seconds. For who had it made, whom it binds,
/// supervisors and administrators.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageBindingId, Path, description = "The code.")),
    responses((status = 200, description = "The code.", body = MessageBinding)),
)]
#[get("/message-bindings/{id}")]
pub async fn get_message_binding(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<MessageBindingId>,
) -> Result<web::Json<MessageBinding>> {
    let row = service::get(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(MessageBinding::of(row, app.clock.now())))
}

/// Cancel a binding code
///
/// Nobody can scan it any more. One that is not pending is refused with `409 invalid_transition`.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageBindingId, Path, description = "The code.")),
    responses((status = 200, description = "The code.", body = MessageBinding)),
)]
#[post("/message-bindings/{id}/cancel")]
pub async fn cancel_message_binding(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<MessageBindingId>,
) -> Result<web::Json<MessageBinding>> {
    let row = service::cancel(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(MessageBinding::of(row, app.clock.now())))
}

/// Get a binding code as SVG
///
/// One that is not pending is refused with `409 invalid_transition`.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageBindingId, Path, description = "The code.")),
    responses((status = 200, description = "The picture.", body = String, content_type = "image/svg+xml")),
)]
#[get("/message-bindings/{id}/qr.svg")]
pub async fn get_message_binding_svg(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<MessageBindingId>,
) -> Result<HttpResponse> {
    let picture = service::svg(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::Ok().content_type("image/svg+xml").body(picture))
}

/// Get a binding code as PNG
///
/// In black and white, eight points for each module. One that is not pending is refused with `409 invalid_transition`.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageBindingId, Path, description = "The code.")),
    responses((status = 200, description = "The picture.", body = String, content_type = "image/png")),
)]
#[get("/message-bindings/{id}/qr.png")]
pub async fn get_message_binding_png(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<MessageBindingId>,
) -> Result<HttpResponse> {
    let picture = service::png(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::Ok().content_type("image/png").body(picture))
}
