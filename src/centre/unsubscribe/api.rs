//! The route of links.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use minijinja::HtmlEscape;
use utoipa_actix_web::service_config::ServiceConfig;

use super::link::Link;
use super::service;
use crate::app::App;
use crate::http::client_ip;
use crate::http::json::Raw;
use crate::kernel::{Error, Result};
use crate::limits::Key;

/// Asks whether it is meant.
const ASK: &str = include_str!("ask.html");
/// Says that it is done.
const DONE: &str = include_str!("done.html");

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(show_unsubscribe);
    config.service(unsubscribe);
}

/// The link that was followed, within its rate.
fn followed(app: &App, request: &HttpRequest, token: &str) -> Result<Link> {
    let Ok(link) = Link::open(app.auth.vault(), token) else {
        // Who guesses is counted as everybody without a token; a mail service follows links of many persons from one
        // address.
        app.limiter.check(Key::address(client_ip(request, &app.settings)))?;
        return Err(Error::not_found());
    };
    app.limiter.check(Key::Person(link.tenant, link.person))?;
    Ok(link)
}

fn page(page: &str, merchant: &str) -> HttpResponse {
    let body = page.replace("{{ merchant }}", &HtmlEscape(merchant).to_string());
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body)
}

/// Show the page of a link
///
/// Where the `List-Unsubscribe` of an e-mail leads: a page with one button. Looking at it changes nothing.
#[utoipa::path(
    tag = "message-centre", security(()),
    params(("token" = String, Path, description = "The end of the link.")),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
#[get("/unsubscribe/{token}")]
pub async fn show_unsubscribe(
    app: web::Data<App>,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse> {
    let link = followed(&app, &request, &token)?;
    Ok(page(ASK, &service::merchant(&app, link).await?))
}

/// Unsubscribe
///
/// Called by the page, and by mail services for their user (RFC 8058). The receiver of the e-mail is sent no more e-mails of
/// its priority, also what is queued already: it gets an opt-out with the source `person`. Safe to repeat.
#[utoipa::path(
    tag = "message-centre", security(()),
    params(("token" = String, Path, description = "The end of the link.")),
    request_body(
        content = String, content_type = "application/x-www-form-urlencoded",
        description = "`List-Unsubscribe=One-Click`; what is there is not read.",
    ),
    responses((status = 200, description = "Done: a page that says so.", body = String, content_type = "text/html")),
)]
#[post("/unsubscribe/{token}")]
pub async fn unsubscribe(
    app: web::Data<App>,
    request: HttpRequest,
    token: web::Path<String>,
    _body: Raw,
) -> Result<HttpResponse> {
    let link = followed(&app, &request, &token)?;
    Ok(page(DONE, &service::unsubscribe(&app, link).await?))
}
