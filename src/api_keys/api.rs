//! The routes of API keys.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, NewApiKey, Patch};
use super::store::Filter;
use crate::app::App;
use crate::auth::extract::{Admin, Authenticated};
use crate::domain::api_key::ApiKeyRow;
use crate::domain::operation::Operation;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ApiKeyId, MemberId, Millis, Result};
use crate::members::api::present;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_api_key);
    config.service(list_api_keys);
    // Before the one that takes an id.
    config.service(get_current_api_key);
    config.service(get_api_key);
    config.service(update_api_key);
    config.service(revoke_api_key);
}

/// A key of a service account.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKey {
    /// The key.
    id: ApiKeyId,
    /// The service account that it acts as.
    member_id: MemberId,
    /// What people call it.
    name: String,
    /// The 12 characters behind `dk_` in its text: which key it is.
    prefix: String,
    /// What it may be used for, as far as the role of its account may.
    operations: Vec<Operation>,
    /// The addresses and networks from which it may be used; none: from everywhere.
    networks: Vec<String>,
    /// When it ends; null: when it is revoked.
    #[schema(required)]
    expires_at: Option<Millis>,
    /// Whether it may be used now, if its account may.
    active: bool,
    /// When it was last used, up to ten seconds late; null: never.
    #[schema(required)]
    last_used_at: Option<Millis>,
    /// From which address; empty when never.
    last_used_ip: String,
    /// Who made it.
    created_by: MemberId,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
    /// When it was revoked; null: it was not.
    #[schema(required)]
    revoked_at: Option<Millis>,
    /// Who revoked it; null: nobody did.
    #[schema(required)]
    revoked_by: Option<MemberId>,
}

impl ApiKey {
    fn new(row: ApiKeyRow, now: Millis) -> Self {
        Self {
            active: row.is_active(now.0),
            id: row.id,
            member_id: row.member_id,
            name: row.name,
            prefix: row.prefix,
            operations: row.operations.0,
            networks: row.networks.0,
            expires_at: row.expires_at.map(Millis),
            last_used_at: row.last_used_at.map(Millis),
            last_used_ip: row.last_used_ip,
            created_by: row.created_by,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
            revoked_at: row.revoked_at.map(Millis),
            revoked_by: row.revoked_by,
        }
    }
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedApiKey {
    /// The key.
    api_key: ApiKey,
    /// What the program sends as `Authorization: Bearer`. It is shown this once: keep it where secrets are kept.
    secret: String,
}

/// A key that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// The service account that it acts as.
    member_id: MemberId,
    /// What people call it, 1 to 100 characters.
    name: String,
    /// What it may be used for, at least one; nothing that the role of its account may not do.
    operations: Vec<Operation>,
    /// At most 20 addresses and networks from which it may be used; none: from everywhere.
    #[serde(default)]
    networks: Vec<String>,
    /// When it ends, later than now; absent: when it is revoked.
    #[serde(default)]
    expires_at: Option<Millis>,
}

/// A change of a key. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateApiKey {
    /// What people call it, 1 to 100 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    name: Option<String>,
    /// All that it may be used for, at least one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<Operation>, required = false)]
    operations: Option<Vec<Operation>>,
    /// All addresses and networks from which it may be used; none: from everywhere.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    networks: Option<Vec<String>>,
    /// When it ends, later than now; null: when it is revoked.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Millis>)]
    expires_at: Option<Option<Millis>>,
}

/// Which keys are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListApiKeys {
    /// Only of this service account.
    member_id: Option<MemberId>,
    /// Only those that may be used (true), or only those that ended or were revoked (false).
    active: Option<bool>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Create an API key
///
/// For a program, which sends the `secret` as `Authorization: Bearer` in the place of an access token. It acts as its service
/// account (`POST /members` with `service_account`), with the account's role and groups, limited to its `operations`: the
/// rights of `docs/rights`, and `x-rights` of each operation in this document. What it does not allow is answered
/// `403 forbidden` with `context.operations`. No key belongs to a person, or makes keys.
///
/// To replace a key make another one, let the program use it, and revoke the first. A tenant has at most 500; at the limit,
/// the oldest that was revoked or ended gives way.
#[utoipa::path(tag = "api-keys", request_body = CreateApiKey, responses(
    (status = 201, description = "Made. The secret is shown this once.", body = CreatedApiKey),
))]
#[post("/api-keys")]
pub async fn create_api_key(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateApiKey>,
) -> Result<HttpResponse> {
    let CreateApiKey { member_id, name, operations, networks, expires_at } = input.into_inner();
    let new = NewApiKey { member: member_id, name, operations, networks, expires_at };
    let (row, secret) = service::create(&app, caller.actor, new).await?;
    let api_key = ApiKey::new(row, app.clock.now());
    Ok(HttpResponse::Created().json(CreatedApiKey { api_key, secret: secret.expose().to_owned() }))
}

/// List API keys
///
/// The newest first, those that ended or were revoked among them.
#[utoipa::path(tag = "api-keys", params(ListApiKeys), responses(
    (status = 200, description = "A page of keys.", body = Page<ApiKey>),
))]
#[get("/api-keys")]
pub async fn list_api_keys(
    app: web::Data<App>,
    caller: Admin,
    query: web::Query<ListApiKeys>,
) -> Result<web::Json<Page<ApiKey>>> {
    let ListApiKeys { member_id, active, limit, cursor } = query.into_inner();
    let filter = Filter { member: member_id, active };
    let page = service::list(&app, caller.actor, filter, PageQuery { limit, cursor }).await?;
    let now = app.clock.now();
    Ok(web::Json(page.map(|row| ApiKey::new(row, now))))
}

/// Read the API key of this request
///
/// Every key may: a program learns what it is allowed, and when its key ends. Who signed in is answered `403 forbidden`.
#[utoipa::path(tag = "api-keys", responses((status = 200, description = "The key.", body = ApiKey)))]
#[get("/api-keys/current")]
pub async fn get_current_api_key(app: web::Data<App>, caller: Authenticated) -> Result<web::Json<ApiKey>> {
    let row = service::current(&app, caller.actor).await?;
    Ok(web::Json(ApiKey::new(row, app.clock.now())))
}

/// Read an API key
///
/// Also one that ended or was revoked.
#[utoipa::path(
    tag = "api-keys", params(("id" = ApiKeyId, Path, description = "The key.")),
    responses((status = 200, description = "The key.", body = ApiKey)),
)]
#[get("/api-keys/{id}")]
pub async fn get_api_key(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ApiKeyId>,
) -> Result<web::Json<ApiKey>> {
    let row = service::get(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(ApiKey::new(row, app.clock.now())))
}

/// Update an API key
///
/// Its name, what it may be used for, from where, and when it ends; one that ended may be used again with a later end. The
/// change holds in every process within a second. One that was revoked stays so (`invalid_transition`).
#[utoipa::path(
    tag = "api-keys", params(("id" = ApiKeyId, Path, description = "The key.")), request_body = UpdateApiKey,
    responses((status = 200, description = "The key as it is now.", body = ApiKey)),
)]
#[patch("/api-keys/{id}")]
pub async fn update_api_key(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ApiKeyId>,
    input: Body<UpdateApiKey>,
) -> Result<web::Json<ApiKey>> {
    let UpdateApiKey { name, operations, networks, expires_at } = input.into_inner();
    let patch = Patch { name, operations, networks, expires_at };
    let row = service::update(&app, caller.actor, id.into_inner(), patch).await?;
    Ok(web::Json(ApiKey::new(row, app.clock.now())))
}

/// Revoke an API key
///
/// At once in the process that answers, within a second in every other one, and for ever. It stays in the list, so that it
/// is known who made it and when it was last used.
#[utoipa::path(
    tag = "api-keys", params(("id" = ApiKeyId, Path, description = "The key.")),
    responses((status = 204, description = "Revoked.")),
)]
#[delete("/api-keys/{id}")]
pub async fn revoke_api_key(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ApiKeyId>,
) -> Result<HttpResponse> {
    service::revoke(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
