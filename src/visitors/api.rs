//! The routes of visitors.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, NewVisitor};
use crate::app::App;
use crate::auth::Authenticated;
use crate::auth::api::TokensView;
use crate::auth::sessions::Caller;
use crate::http::json::Body;
use crate::kernel::Result;
use crate::kernel::secret::Secret;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_visitor);
    config.service(identify_visitor);
}

/// A new visitor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VisitorIn {
    /// The tenant's slug.
    #[schema(example = "acme")]
    tenant: String,
    /// The name that the staff see, at most 50 characters; one is made up when absent.
    #[serde(default)]
    nickname: String,
    /// The client's own name for this device: `A-Z a-z 0-9 . _ : -`, at most 64.
    device: Option<String>,
}

/// A visitor's identity.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifyIn {
    /// The JWT that the tenant's own server signed with an identity key.
    identity_token: String,
}

/// Come in as a new visitor
///
/// Makes an anonymous member with a session of its own. Keep the tokens: they are the only way back to its
/// conversations.
#[utoipa::path(tag = "visitors", request_body = VisitorIn, security(()), responses(
    (status = 201, description = "The visitor and its tokens.", body = TokensView),
))]
#[post("/visitors")]
pub async fn create_visitor(
    app: web::Data<App>,
    caller: Caller,
    body: Body<VisitorIn>,
) -> Result<HttpResponse> {
    let VisitorIn { tenant, nickname, device } = body.into_inner();
    let tokens = service::create(&app, NewVisitor { tenant, nickname, device }, &caller).await?;
    Ok(HttpResponse::Created().json(TokensView::from(tokens)))
}

/// Identify a visitor as a customer of the tenant
///
/// Send the tenant's signed word with the visitor's own access token. A customer not known yet: the visitor becomes
/// it and keeps everything. A known one: the anonymous visitor's conversations move there and its tokens and
/// sockets end. Replace both tokens by those of the answer.
#[utoipa::path(tag = "visitors", request_body = IdentifyIn, responses(
    (status = 200, description = "The customer and its tokens.", body = TokensView),
))]
#[post("/visitors/identify")]
pub async fn identify_visitor(
    app: web::Data<App>,
    who: Authenticated,
    caller: Caller,
    body: Body<IdentifyIn>,
) -> Result<web::Json<TokensView>> {
    let token = Secret::new(body.into_inner().identity_token);
    Ok(web::Json(service::identify(&app, who.actor, token, &caller).await?.into()))
}
