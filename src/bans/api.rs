//! The routes of bans.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Asked, NewBan, Patch};
use crate::app::App;
use crate::auth::extract::Staff;
use crate::domain::ban::{BanKind, BanRow};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{BanId, MemberId, Millis, Result};
use crate::members::api::present;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_ban);
    config.service(list_bans);
    config.service(get_ban);
    config.service(update_ban);
    config.service(delete_ban);
}

/// Whom the tenant does not let in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ban {
    /// The ban.
    id: BanId,
    /// What it names.
    kind: BanKind,
    /// Which one, in its one form: an IPv6 address is shown as its /64, a network by its first address.
    value: String,
    /// Why; may be empty. Customers are not told.
    reason: String,
    /// When it ends; null: when it is deleted.
    #[schema(required)]
    expires_at: Option<Millis>,
    /// Whether it holds now. What ended stays in the list until it is deleted or gives way to another ban.
    active: bool,
    /// Who made it.
    created_by: MemberId,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
}

impl Ban {
    fn new(row: BanRow, now: Millis) -> Self {
        Self {
            active: row.holds(now.0),
            id: row.id,
            kind: row.kind,
            value: row.value,
            reason: row.reason,
            expires_at: row.expires_at.map(Millis),
            created_by: row.created_by,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}

/// A ban that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBan {
    /// What it names.
    kind: BanKind,
    /// Which one: the id of a customer, an address, a network, an e-mail address, or the name of a device.
    value: String,
    /// Why, at most 500 characters. Customers are not told.
    #[serde(default)]
    reason: String,
    /// When it ends, later than now; absent: when it is deleted.
    #[serde(default)]
    expires_at: Option<Millis>,
}

/// A change of a ban. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateBan {
    /// Why.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    reason: Option<String>,
    /// When it ends, later than now; null: when it is deleted. One that ended holds again.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Millis>)]
    expires_at: Option<Option<Millis>>,
}

/// Which bans are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListBans {
    /// Only of this kind.
    kind: Option<BanKind>,
    /// Only of this value, in whatever form it could be given.
    value: Option<String>,
    /// Only those that hold now (true), or only those that ended (false).
    active: Option<bool>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Ban a customer
///
/// By its account, its e-mail address, its device, or the address or network that it comes from. Whoever is met is answered
/// `403 banned` from now on, whatever it asks: reading and writing, new visitors from there, sign-in, refresh, identifying,
/// links to rate. Its sockets are closed with 4502 (`banned`), in other processes within a second, and no command of it is
/// committed any more. The staff are never met, so that nobody locks them out. IPv6 addresses are banned by their /64. A
/// device is what the client calls it; a client that lies about it is not met. Behind proxies, addresses are right only if
/// the service is told of the proxies (`DESKWIRE_TRUSTED_PROXIES`).
///
/// What is banned already is answered `409 name_taken` with `context.ban_id`; a ban that ended gives way. A tenant has at
/// most 1000; at the limit, those that ended give way, the first that ended first.
#[utoipa::path(tag = "bans", request_body = CreateBan, responses(
    (status = 201, description = "Banned.", body = Ban),
))]
#[post("/bans")]
pub async fn create_ban(app: web::Data<App>, caller: Staff, input: Body<CreateBan>) -> Result<HttpResponse> {
    let CreateBan { kind, value, reason, expires_at } = input.into_inner();
    let row = service::create(&app, caller.actor, NewBan { kind, value, reason, expires_at }).await?;
    Ok(HttpResponse::Created().json(Ban::new(row, app.clock.now())))
}

/// List bans
///
/// The newest first, those that ended among them.
#[utoipa::path(tag = "bans", params(ListBans), responses(
    (status = 200, description = "A page of bans.", body = Page<Ban>),
))]
#[get("/bans")]
pub async fn list_bans(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListBans>,
) -> Result<web::Json<Page<Ban>>> {
    let ListBans { kind, value, active, limit, cursor } = query.into_inner();
    let asked = Asked { kind, value, active };
    let page = service::list(&app, caller.actor, asked, PageQuery { limit, cursor }).await?;
    let now = app.clock.now();
    Ok(web::Json(page.map(|row| Ban::new(row, now))))
}

/// Read a ban
///
/// Also one that ended.
#[utoipa::path(
    tag = "bans", params(("id" = BanId, Path, description = "The ban.")),
    responses((status = 200, description = "The ban.", body = Ban)),
)]
#[get("/bans/{id}")]
pub async fn get_ban(app: web::Data<App>, caller: Staff, id: web::Path<BanId>) -> Result<web::Json<Ban>> {
    let row = service::get(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(Ban::new(row, app.clock.now())))
}

/// Update a ban
///
/// Why it is there and when it ends. To ban something else, make another one; to end it now, delete it.
#[utoipa::path(
    tag = "bans", params(("id" = BanId, Path, description = "The ban.")), request_body = UpdateBan,
    responses((status = 200, description = "The ban as it is now.", body = Ban)),
)]
#[patch("/bans/{id}")]
pub async fn update_ban(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<BanId>,
    input: Body<UpdateBan>,
) -> Result<web::Json<Ban>> {
    let UpdateBan { reason, expires_at } = input.into_inner();
    let row = service::update(&app, caller.actor, id.into_inner(), Patch { reason, expires_at }).await?;
    Ok(web::Json(Ban::new(row, app.clock.now())))
}

/// Delete a ban
///
/// Whom it met may come in again, unless another ban meets it.
#[utoipa::path(
    tag = "bans", params(("id" = BanId, Path, description = "The ban.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/bans/{id}")]
pub async fn delete_ban(app: web::Data<App>, caller: Staff, id: web::Path<BanId>) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
