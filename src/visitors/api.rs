//! The routes of visitors.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, NewVisitor};
use crate::app::App;
use crate::auth::Authenticated;
use crate::auth::api::SignedIn;
use crate::auth::sessions::ClientInfo;
use crate::http::json::Body;
use crate::kernel::Result;
use crate::kernel::secret::Secret;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_visitor);
    config.service(identify_visitor);
}

/// A new visitor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVisitor {
    /// The tenant's slug.
    #[schema(example = "acme")]
    tenant: String,
    /// The name that the staff see, at most 50 characters; one is made up when absent.
    #[serde(default)]
    nickname: String,
    /// Which language it reads: a tag of BCP 47 such as `zh-CN`; a browser's `navigator.language` is one.
    #[serde(default)]
    locale: String,
    /// The client's own name for this device: `A-Z a-z 0-9 . _ : -`, at most 64.
    device: Option<String>,
}

/// A visitor's identity.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifyVisitor {
    /// The JWT that the tenant's own server signed with an identity key.
    identity_token: String,
}

/// Create a visitor
///
/// Makes an anonymous member with a session of its own. Keep the tokens: they are the only way back to its
/// conversations.
#[utoipa::path(tag = "visitors", request_body = CreateVisitor, security(()), responses(
    (status = 201, description = "The visitor and its tokens.", body = SignedIn),
))]
#[post("/visitors")]
pub async fn create_visitor(
    app: web::Data<App>,
    client: ClientInfo,
    input: Body<CreateVisitor>,
) -> Result<HttpResponse> {
    let CreateVisitor { tenant, nickname, locale, device } = input.into_inner();
    let tokens = service::create(&app, NewVisitor { tenant, nickname, locale, device }, &client).await?;
    Ok(HttpResponse::Created().json(SignedIn::from(tokens)))
}

/// Identify a visitor as a customer of the tenant
///
/// Send an identity token with the visitor's own access token. A customer not known yet: the visitor becomes it and
/// keeps everything. A known one: the anonymous visitor's conversations move there and its tokens and sockets end.
/// Replace both tokens by those of the answer. The stored cursor is then answered with `410 cursor_reset`: start
/// without one, so that the customer's older conversations come too.
///
/// An identity token is a JWT that the tenant's server signs with HS256 and an identity key (`kid` in its header).
/// `sub` (text or an integer) is the tenant's id of the customer; `exp` is required and at most 24 hours ahead. `nbf`
/// is obeyed; `aud`, when present, must be or hold `deskwire` or the tenant's slug, `iss` the tenant's slug.
/// `nickname`, `avatar`, `email`, `mobile` and `locale` (such as `zh-CN`) are optional: a nickname that is too long is
/// cut, another one that does not fit is ignored. E-mail and mobile count as verified. A token works once: only the
/// visitor who used it may send it again.
#[utoipa::path(tag = "visitors", request_body = IdentifyVisitor, responses(
    (status = 200, description = "The customer and its tokens.", body = SignedIn),
))]
#[post("/visitors/identify")]
pub async fn identify_visitor(
    app: web::Data<App>,
    caller: Authenticated,
    client: ClientInfo,
    input: Body<IdentifyVisitor>,
) -> Result<web::Json<SignedIn>> {
    let token = Secret::new(input.into_inner().identity_token);
    Ok(web::Json(service::identify(&app, caller.actor, token, &client).await?.into()))
}
