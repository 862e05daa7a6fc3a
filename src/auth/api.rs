//! The routes of sign-in and sessions.

use actix_web::{HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Authenticated;
use super::service::{self, Credentials};
use super::sessions::{self, ClientInfo, Tokens};
use super::store::SessionRow;
use crate::app::App;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::secret::Secret;
use crate::kernel::{Millis, Result, SessionId};
use crate::members::view::Me;
use crate::security::password::Password;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(login);
    config.service(refresh_tokens);
    config.service(logout);
    config.service(list_sessions);
    config.service(revoke_sessions);
    config.service(revoke_session);
    config.service(change_password);
}

/// What to send to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The tenant's slug.
    #[schema(example = "acme")]
    tenant: String,
    /// The login name; case and outer spaces do not matter.
    #[schema(example = "eva")]
    name: String,
    /// The password. One from another system may be shorter than those that are set here.
    #[schema(value_type = String, format = Password, max_length = 256)]
    password: Password,
    /// The client's own name for this device: `A-Z a-z 0-9 . _ : -`, at most 64.
    device: Option<String>,
    /// The last refresh token that this device held for the account, valid or not. It shows that the account knows
    /// the device, so that failed sign-ins of others cannot lock it out.
    refresh_token: Option<String>,
}

/// What to send for new tokens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshTokens {
    /// The newest refresh token that the client holds.
    refresh_token: String,
}

/// What to send to change the own password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The present password. One from another system may be shorter than those that are set here.
    #[schema(value_type = String, format = Password, max_length = 256)]
    current_password: Password,
    /// The new one.
    new_password: Password,
}

/// Tokens, and whose they are.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    /// Send it as `Authorization: Bearer …`, and in the socket's `hello`.
    access_token: String,
    /// When it ends; refresh a little earlier.
    access_expires_at: Millis,
    /// Exchange it at `/auth/refresh`. Each one is used once; after a lost answer the same one may be sent again. Tabs
    /// that share a session share it.
    refresh_token: String,
    /// When the session ends unless it is refreshed.
    refresh_expires_at: Millis,
    /// Who signed in.
    member: Me,
}

impl From<Tokens> for SignedIn {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token.expose().to_owned(),
            access_expires_at: tokens.access_expires_at,
            refresh_token: tokens.refresh_token.expose().to_owned(),
            refresh_expires_at: tokens.refresh_expires_at,
            member: tokens.member.into(),
        }
    }
}

/// A signed-in device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// The session.
    id: SessionId,
    /// The client's own name for the device; empty when it gave none.
    device: String,
    /// The `User-Agent` at sign-in.
    user_agent: String,
    /// The address of the last refresh.
    ip: String,
    /// When it signed in.
    created_at: Millis,
    /// When it last refreshed.
    last_used_at: Millis,
    /// When it ends unless it is refreshed.
    expires_at: Millis,
    /// Whether it is the one that asks.
    current: bool,
}

impl Session {
    fn new(row: SessionRow, current: SessionId) -> Self {
        Self {
            id: row.id,
            device: row.device,
            user_agent: row.user_agent,
            ip: row.ip,
            created_at: Millis(row.created_at),
            last_used_at: Millis(row.last_used_at),
            expires_at: Millis(row.expires_at),
            current: row.id == current,
        }
    }
}

/// Sign in
///
/// Whatever does not fit together answers `invalid_credentials`; only the right password is told `account_disabled`
/// or `tenant_suspended`. Five failures from one address lock the account for that address for 15 minutes; fifty in
/// a row lock it for every address and device that the account does not know. A locked account answers
/// `invalid_credentials` to every password; only a known address or device is told `account_locked`. An address is
/// known when a session of the account was used from it, a device by `refresh_token`.
#[utoipa::path(tag = "auth", request_body = Login, security(()), responses(
    (status = 200, description = "Signed in.", body = SignedIn),
))]
#[post("/auth/login")]
pub async fn login(
    app: web::Data<App>,
    client: ClientInfo,
    input: Body<Login>,
) -> Result<web::Json<SignedIn>> {
    let Login { tenant, name, password, device, refresh_token } = input.into_inner();
    let refresh_token = refresh_token.map(Secret::new);
    let given = Credentials { tenant, name, password, device, refresh_token };
    service::login(&app, given, &client).await.map(|tokens| web::Json(tokens.into()))
}

/// Exchange a refresh token for new tokens
///
/// The answer replaces both tokens. If it is lost, send the same refresh token again: it stays valid until one of
/// its successors is used. Two tabs that send the same token at once get two successors; when one of them is used,
/// the other stays valid for 60 seconds. A token that was valid once and is used later is a copy: the whole session
/// is revoked (`session_revoked`).
#[utoipa::path(tag = "auth", request_body = RefreshTokens, security(()), responses(
    (status = 200, description = "New tokens.", body = SignedIn),
))]
#[post("/auth/refresh")]
pub async fn refresh_tokens(
    app: web::Data<App>,
    client: ClientInfo,
    input: Body<RefreshTokens>,
) -> Result<web::Json<SignedIn>> {
    let token = Secret::new(input.into_inner().refresh_token);
    Ok(web::Json(sessions::refresh(&app, &token, &client).await?.into()))
}

/// Sign out this device
///
/// Its tokens end at once and its sockets are closed.
#[utoipa::path(tag = "auth", responses((status = 204, description = "Signed out.")))]
#[post("/auth/logout")]
pub async fn logout(app: web::Data<App>, caller: Authenticated) -> Result<HttpResponse> {
    sessions::end(&app, caller.actor, Some(caller.session), None, "signed_out").await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List your sessions
///
/// Newest first.
#[utoipa::path(tag = "auth", params(PageQuery), responses(
    (status = 200, description = "A page of live sessions.", body = Page<Session>),
))]
#[get("/auth/sessions")]
pub async fn list_sessions(
    app: web::Data<App>,
    caller: Authenticated,
    page: web::Query<PageQuery>,
) -> Result<web::Json<Page<Session>>> {
    let rows = sessions::list(&app, caller.actor, page.into_inner()).await?;
    Ok(web::Json(rows.map(|row| Session::new(row, caller.session))))
}

/// Sign out all other devices
///
/// The session that asks stays.
#[utoipa::path(tag = "auth", responses((status = 204, description = "All other sessions are over.")))]
#[delete("/auth/sessions")]
pub async fn revoke_sessions(app: web::Data<App>, caller: Authenticated) -> Result<HttpResponse> {
    sessions::end(&app, caller.actor, None, Some(caller.session), "revoked").await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out one device
///
/// One of the caller's own sessions; others are not found.
#[utoipa::path(tag = "auth", params(("id" = SessionId, Path, description = "The session.")), responses(
    (status = 204, description = "The session is over."),
))]
#[delete("/auth/sessions/{id}")]
pub async fn revoke_session(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<SessionId>,
) -> Result<HttpResponse> {
    sessions::revoke(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Change your password
///
/// All other sessions of the member end. The new password has 8 to 256 characters, is not a common one, not the login
/// name, and not the present one. A wrong present password is a wrong field and counts as a failed sign-in.
#[utoipa::path(tag = "auth", request_body = ChangePassword, responses(
    (status = 204, description = "Changed."),
))]
#[put("/auth/password")]
pub async fn change_password(
    app: web::Data<App>,
    caller: Authenticated,
    client: ClientInfo,
    input: Body<ChangePassword>,
) -> Result<HttpResponse> {
    let ChangePassword { current_password, new_password } = input.into_inner();
    service::change_password(&app, caller.actor, current_password, new_password, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}
