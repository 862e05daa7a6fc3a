//! The routes of tenants and identity keys.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::bot::UpdateBotSettings;
use super::identity_keys::{self, IdentityKeyRow};
use super::routing::{UpdateQueueSettings, UpdateRoutingSettings};
use super::service::{self, NewTenant, Patch};
use super::timers::UpdateTimerSettings;
use super::view::Tenant;
use crate::app::App;
use crate::auth::extract::carries_key;
use crate::auth::{Admin, Authenticated};
use crate::http::client_ip;
use crate::http::json::Body;
use crate::http::page::Page;
use crate::kernel::{Code, Error, IdentityKeyId, Millis, Result};
use crate::members::view::Member;
use crate::security::password::Password;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_tenant);
    config.service(get_tenant);
    config.service(update_tenant);
    config.service(create_identity_key);
    config.service(list_identity_keys);
    config.service(delete_identity_key);
}

/// A new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// The name in addresses and at sign-in: `A-Z a-z 0-9 . _ : -`, at most 64.
    #[schema(example = "acme")]
    slug: String,
    /// The name for people; the slug when absent.
    #[serde(default)]
    name: String,
    /// The first administrator.
    admin: FirstAdmin,
}

/// The first administrator of a new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstAdmin {
    /// The name to sign in with.
    #[schema(example = "root")]
    login_name: String,
    /// The password.
    password: Password,
    /// The name that others see; the login name when absent.
    #[serde(default)]
    nickname: String,
}

/// What to change about the tenant; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTenant {
    /// The name for people.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = String, required = false)]
    name: Option<String>,
    /// The settings to change.
    #[serde(default)]
    settings: UpdateTenantSettings,
}

/// Settings to change; absent ones stay.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTenantSettings {
    /// How long a message may be edited by its sender, in seconds; 0 means never, at most a week.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = i64, required = false)]
    edit_window_seconds: Option<i64>,
    /// How long a message may be recalled by its sender, in seconds; 0 means never, at most a week.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = i64, required = false)]
    recall_window_seconds: Option<i64>,
    /// How long after its end a customer may reopen a conversation, in seconds; at most a year, 0 means never. The staff
    /// may at any time. null: the customer may at any time.
    #[serde(default, deserialize_with = "crate::kernel::json::given")]
    #[schema(value_type = Option<i64>)]
    reopen_window_seconds: Option<Option<i64>>,
    /// How long after its end a customer may rate a conversation, in seconds; 0 means never, at most a year.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = i64, required = false)]
    rating_window_seconds: Option<i64>,
    /// Whether a member of the staff may claim more conversations than its `max_accept`.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = bool, required = false)]
    claim_above_max_accept: Option<bool>,
    /// Whether a member of the staff may be assigned more conversations than its `max_accept`.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = bool, required = false)]
    assign_above_max_accept: Option<bool>,
    /// Whether a member of the staff may get more conversations by transfer than its `max_accept`.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = bool, required = false)]
    transfer_above_max_accept: Option<bool>,
    /// How often a conversation may be transferred within an hour, 0 to 100; 0 means never.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = i64, required = false)]
    transfer_limit: Option<i64>,
    /// Whether, while an agent serves a conversation, only that agent of the staff may write in it. Notes stay open to
    /// all who are in it.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = bool, required = false)]
    only_assignee_answers: Option<bool>,
    /// How long a member of the staff without a live socket still counts as connected, in seconds; 0 to 600.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = i64, required = false)]
    presence_grace_seconds: Option<i64>,
    /// After how many seconds as offline an agent loses the conversations that it serves: they wait again. 0 to 86,400;
    /// null: it keeps them.
    #[serde(default, deserialize_with = "crate::kernel::json::given")]
    #[schema(value_type = Option<i64>)]
    disconnect_requeue_seconds: Option<Option<i64>>,
    /// After how many seconds as away an agent loses the conversations that it serves: they wait again. 0 to 86,400;
    /// null: it keeps them.
    #[serde(default, deserialize_with = "crate::kernel::json::given")]
    #[schema(value_type = Option<i64>)]
    away_requeue_seconds: Option<Option<i64>>,
    /// So many days after a support conversation was closed its words and files are erased, for good; 1 to 36,500.
    /// null: never.
    #[serde(default, deserialize_with = "crate::kernel::json::given")]
    #[schema(value_type = Option<i64>)]
    retention_days: Option<Option<i64>>,
    /// After how much silence somebody is reminded, or a conversation closed.
    #[serde(default)]
    timers: UpdateTimerSettings,
    /// How waiting conversations find their agents.
    #[serde(default)]
    routing: UpdateRoutingSettings,
    /// How the queue is bounded.
    #[serde(default)]
    queue: UpdateQueueSettings,
    /// Which bot answers customers before the staff do.
    #[serde(default)]
    bot: UpdateBotSettings,
}

/// A new tenant and its first administrator.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedTenant {
    /// The tenant.
    tenant: Tenant,
    /// Its administrator, who signs in with the password that was sent.
    admin: Member,
}

/// A new identity key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateIdentityKey {
    /// The key's name, for the header `kid` of identity tokens; made up when absent.
    kid: Option<String>,
}

/// A key with which the tenant signs who its visitors are.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentityKey {
    /// The key.
    id: IdentityKeyId,
    /// Its name, for the header `kid` of identity tokens.
    kid: String,
    /// When it was made.
    created_at: Millis,
}

impl From<IdentityKeyRow> for IdentityKey {
    fn from(row: IdentityKeyRow) -> Self {
        Self { id: row.id, created_at: row.created(), kid: row.kid }
    }
}

/// A new identity key with its secret.
#[derive(Serialize, ToSchema)]
pub struct CreatedIdentityKey {
    /// The key.
    id: IdentityKeyId,
    /// Its name, for the header `kid` of identity tokens.
    kid: String,
    /// The secret: sign HS256 with the bytes of this text. It is shown now and never again.
    secret: String,
    /// When it was made.
    created_at: Millis,
}

/// Create a tenant with its first administrator
///
/// Open to everybody when the service allows sign-up; else it needs the platform key as a bearer token. A slug that
/// is in use answers `name_taken`.
#[utoipa::path(tag = "tenants", request_body = CreateTenant, security((), ("platform_key" = [])), responses(
    (status = 201, description = "The new tenant.", body = CreatedTenant),
))]
#[post("/tenants")]
pub async fn create_tenant(
    app: web::Data<App>,
    request: HttpRequest,
    input: Body<CreateTenant>,
) -> Result<HttpResponse> {
    if !app.settings.sign_up {
        let Some(key) = &app.settings.secrets.platform_key else {
            return Err(Error::new(Code::Forbidden, "this service lets nobody create tenants over HTTP"));
        };
        if !carries_key(&request, key)? {
            return Err(Error::new(Code::TokenInvalid, "this is not the platform key"));
        }
    }
    let input = input.into_inner();
    let new = NewTenant {
        slug: input.slug,
        name: input.name,
        admin_name: input.admin.login_name,
        admin_password: input.admin.password,
        admin_nickname: input.admin.nickname,
    };
    let (tenant, admin) = service::create(&app, new, Some(client_ip(&request, &app.settings))).await?;
    let tenant = Tenant::new(tenant, admin.role);
    Ok(HttpResponse::Created().json(CreatedTenant { tenant, admin: admin.into() }))
}

/// Read the tenant
///
/// The one that the caller belongs to, with the settings that its clients obey.
#[utoipa::path(tag = "tenants", responses((status = 200, description = "The tenant.", body = Tenant)))]
#[get("/tenant")]
pub async fn get_tenant(app: web::Data<App>, caller: Authenticated) -> Result<web::Json<Tenant>> {
    let row = service::get(&app, caller.actor).await?;
    Ok(web::Json(Tenant::new(row, caller.actor.role)))
}

/// Update the tenant
///
/// Absent fields and settings stay. Administrators only.
#[utoipa::path(tag = "tenants", request_body = UpdateTenant, responses(
    (status = 200, description = "The tenant as it is now.", body = Tenant),
))]
#[patch("/tenant")]
pub async fn update_tenant(
    app: web::Data<App>,
    caller: Admin,
    input: Body<UpdateTenant>,
) -> Result<web::Json<Tenant>> {
    let UpdateTenant { name, settings } = input.into_inner();
    let patch = Patch {
        name,
        edit_window_seconds: settings.edit_window_seconds,
        recall_window_seconds: settings.recall_window_seconds,
        reopen_window_seconds: settings.reopen_window_seconds,
        rating_window_seconds: settings.rating_window_seconds,
        claim_above_max_accept: settings.claim_above_max_accept,
        assign_above_max_accept: settings.assign_above_max_accept,
        transfer_above_max_accept: settings.transfer_above_max_accept,
        transfer_limit: settings.transfer_limit,
        only_assignee_answers: settings.only_assignee_answers,
        presence_grace_seconds: settings.presence_grace_seconds,
        disconnect_requeue_seconds: settings.disconnect_requeue_seconds,
        away_requeue_seconds: settings.away_requeue_seconds,
        retention_days: settings.retention_days,
        timers: settings.timers,
        routing: settings.routing,
        queue: settings.queue,
        bot: settings.bot,
    };
    let row = service::update(&app, caller.actor, patch).await?;
    Ok(web::Json(Tenant::new(row, caller.actor.role)))
}

/// Create an identity key
///
/// The tenant's own server signs identity tokens with it: JWT, HS256, header `kid`, claims `sub` (the tenant's id
/// of the customer), `exp` (at most 24 hours ahead) and, if wanted, `nickname`, `avatar`, `email`, `mobile`,
/// `locale`. At most ten keys live at once.
#[utoipa::path(tag = "tenants", request_body = CreateIdentityKey, responses(
    (status = 201, description = "The new key with its secret.", body = CreatedIdentityKey),
))]
#[post("/identity-keys")]
pub async fn create_identity_key(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateIdentityKey>,
) -> Result<HttpResponse> {
    let (row, secret) = identity_keys::create(&app, caller.actor, input.into_inner().kid).await?;
    Ok(HttpResponse::Created().json(CreatedIdentityKey {
        id: row.id,
        created_at: row.created(),
        kid: row.kid,
        secret: secret.expose().to_owned(),
    }))
}

/// List identity keys
///
/// The live ones, oldest first, all on one page; secrets are not shown.
#[utoipa::path(tag = "tenants", responses(
    (status = 200, description = "The live keys.", body = Page<IdentityKey>),
))]
#[get("/identity-keys")]
pub async fn list_identity_keys(app: web::Data<App>, caller: Admin) -> Result<web::Json<Page<IdentityKey>>> {
    let rows = identity_keys::list(&app, caller.actor).await?;
    Ok(web::Json(Page { data: rows.into_iter().map(IdentityKey::from).collect(), next_cursor: None }))
}

/// Delete an identity key
///
/// Tokens that were signed with it are refused from now on; its name is not used again.
#[utoipa::path(tag = "tenants", params(("id" = IdentityKeyId, Path, description = "The key.")), responses(
    (status = 204, description = "Deleted."),
))]
#[delete("/identity-keys/{id}")]
pub async fn delete_identity_key(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<IdentityKeyId>,
) -> Result<HttpResponse> {
    identity_keys::revoke(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
