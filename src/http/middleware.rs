//! What surrounds every request, outermost first: the connection's clock, request id, panics, security headers,
//! metrics, log lines; and, inside the one for other origins, the rate limit. Owns that every answer carries its request id and that every
//! refusal is a problem, the framework's own included.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError, web};
use futures_util::FutureExt;

use super::authorization::bearer;
use super::connection::ConnectionState;
use super::problem::{ForPeople, Problem};
use super::{api_keys, client_ip, parameters};
use crate::app::App;
use crate::domain::api_key::is_meant;
use crate::kernel::network::AddressBlock;
use crate::kernel::text::is_key;
use crate::kernel::{Code, Error, secret, trace};
use crate::limits::{Key, Verdict};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The portal's pages bring their own scripts and styles, in files of their own, and talk to their own host only.
const PORTAL_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

type Answer = Result<ServiceResponse<BoxBody>, actix_web::Error>;

/// The outermost middleware.
pub async fn request(mut request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Answer {
    let started = Instant::now();
    let request_id: Arc<str> = match request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok())
    {
        Some(given) if is_key(given) => given.into(),
        _ => secret::random_key(12).into(),
    };
    let connection = request.conn_data::<ConnectionState>().cloned();
    if let Some(connection) = &connection {
        connection.begin();
    }
    let method = request.method().clone();
    // HEAD is GET without the body, which the encoder leaves out. A socket is opened by GET only.
    if method == Method::HEAD && !request.headers().contains_key(header::UPGRADE) {
        request.head_mut().method = Method::GET;
    }
    let answer =
        trace::within(request_id.clone(), surrounded(request, next, method, &request_id, started)).await;
    if let Some(connection) = &connection {
        let upgraded = matches!(&answer, Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS);
        connection.end(upgraded);
    }
    answer
}

async fn surrounded(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    method: Method,
    request_id: &str,
    started: Instant,
) -> Answer {
    let path = request.path().to_owned();
    let app = request.app_data::<web::Data<App>>().cloned();
    let refused = parameters::refuse_nul(request.head().uri.path_and_query().map_or("", |all| all.as_str()));
    let answer = match refused {
        Err(error) => Ok(Ok(request.error_response(error))),
        Ok(()) => {
            let answer = AssertUnwindSafe(next.call(request)).catch_unwind().await;
            answer.map(|answer| answer.map(ServiceResponse::map_into_boxed_body))
        }
    };
    let draining = app.as_ref().is_some_and(|app| app.tasks.shutdown().is_cancelled());
    let (mut answer, template) = match answer {
        Ok(Ok(response)) => {
            let response = as_problem(response);
            let template = response.request().match_pattern();
            (Ok(response), template)
        }
        Ok(Err(error)) => (Err((HttpResponse::from_error(error), "middleware".to_owned())), None),
        Err(panic) => {
            let text = panic_text(panic.as_ref());
            (Err((Error::internal("a handler panicked").error_response(), text)), None)
        }
    };
    let (status, headers) = match &mut answer {
        Ok(response) => (response.status(), response.headers_mut()),
        Err((response, _)) => (response.status(), response.headers_mut()),
    };
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    secure(headers, &path);
    // After a body that did not come nothing else can come on this connection.
    if draining && status != StatusCode::SWITCHING_PROTOCOLS || status == StatusCode::REQUEST_TIMEOUT {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let template = template.as_deref().unwrap_or("none");
    if let Some(app) = &app {
        if status == StatusCode::GONE {
            app.metrics.cursors_refused.inc();
        }
        app.metrics.request(method.as_str(), template, status.as_u16(), started.elapsed());
    }
    let cause = match &answer {
        Ok(response) => response.response().error().map(ToString::to_string),
        Err((_, cause)) => Some(cause.clone()),
    };
    log(&method, &path, status, started, cause.as_deref());
    answer.map_err(|(response, cause)| InternalError::from_response(cause, response).into())
}

/// Turns refusals that the framework wrote into problems.
fn as_problem(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error()
        || response.headers().get(header::CONTENT_TYPE) == Some(&PROBLEM)
        || response.response().extensions().contains::<ForPeople>()
    {
        return response;
    }
    let preflight = response.request().method() == Method::OPTIONS;
    let code = match status.as_u16() {
        400 if preflight => Code::OriginRefused,
        401 => Code::Unauthenticated,
        403 => Code::Forbidden,
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        408 => Code::RequestTimeout,
        413 => Code::PayloadTooLarge,
        415 => Code::UnsupportedMediaType,
        416 => Code::RangeNotSatisfiable,
        422 => Code::ValidationFailed,
        429 => Code::RateLimited,
        503 => Code::Busy,
        400..=499 => Code::InvalidParameter,
        _ => Code::Internal,
    };
    let request_id = trace::request_id().map(|id| id.to_string()).unwrap_or_default();
    let problem = Problem::new(&Error::new(code, code.meaning()), request_id);
    response.map_body(|head, _| {
        head.status = StatusCode::from_u16(code.status()).unwrap_or(status);
        head.headers_mut().insert(header::CONTENT_TYPE, PROBLEM);
        // A problem is neither the content that was asked for nor a file.
        head.headers_mut().remove(header::ETAG);
        head.headers_mut().remove(header::CONTENT_DISPOSITION);
        BoxBody::new(serde_json::to_vec(&problem).unwrap_or_default())
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

fn secure(headers: &mut HeaderMap, path: &str) {
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    set("x-content-type-options", "nosniff");
    set("referrer-policy", "no-referrer");
    if path == "/docs" || path.starts_with("/docs/") {
        set("content-security-policy", PORTAL_POLICY);
    } else {
        // What strangers uploaded runs nothing and has no origin, also where a browser shows it by itself.
        let policy = match path.starts_with(FILES) {
            true => "default-src 'none'; sandbox; frame-ancestors 'none'",
            false => "default-src 'none'; frame-ancestors 'none'",
        };
        set("content-security-policy", policy);
        set("cache-control", "no-store");
    }
}

fn log(method: &Method, path: &str, status: StatusCode, started: Instant, cause: Option<&str>) {
    let code = status.as_u16();
    let level = match code {
        500 => log::Level::Error,
        501.. => log::Level::Warn,
        _ => log::Level::Debug,
    };
    let milliseconds = started.elapsed().as_secs_f64() * 1_000.0;
    let cause = cause.unwrap_or("");
    let path = without_secret(path);
    log::log!(target: "deskwire::http", level, "{method} {path} {code} in {milliseconds:.1} ms {cause}");
}

/// What stands behind these in a path is a secret of whoever was given the address.
const BEFORE_SECRETS: [&str; 4] = ["/hooks/", "/unsubscribe/", "/rating-links/", "/files/"];

/// The path as the log may show it.
fn without_secret(path: &str) -> &str {
    let end = |before: &&str| path.find(*before).map(|at| at + before.len());
    let end = BEFORE_SECRETS.iter().filter_map(end).min();
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

/// The innermost middleware: counts the request for its member or address.
pub async fn limit(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Answer {
    let (verdict, admitted) = admit(&request).await;
    let mut response = match admitted {
        Err(error) => request.error_response(error),
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
    };
    if let Some(verdict) = verdict {
        tell(&verdict, response.headers_mut());
    }
    Ok(response)
}

/// Tells the counter in the `RateLimit-*` headers.
fn tell(verdict: &Verdict, headers: &mut HeaderMap) {
    headers.insert(HeaderName::from_static("ratelimit-limit"), HeaderValue::from(verdict.limit));
    headers.insert(HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(verdict.remaining));
    headers.insert(HeaderName::from_static("ratelimit-reset"), HeaderValue::from(verdict.reset_seconds()));
}

/// The route that exchanges a refresh token: counted apart, so that a crowd of strangers signs nobody out.
const REFRESH: &str = "/api/v1/auth/refresh";
/// Other routes that need no token. A token does not lift their limit by address: else every visitor that somebody
/// makes would let it make more.
const ANONYMOUS: &[&str] = &["/api/v1/auth/login", "/api/v1/tenants", "/api/v1/visitors"];

/// Where providers bring receipts and mail services follow links: who has no right token is counted there
/// (`centre::receipts`, `centre::unsubscribe`), who has one is not counted with the others of its address. Links to files are
/// counted likewise (`attachments`).
const TOKENS: [&str; 3] = ["/api/v1/hooks/", "/api/v1/unsubscribe/", FILES];
/// Where contents of attachments are read.
const FILES: &str = "/api/v1/files/";

/// What the counter says of a request, and the refusal if there is one.
async fn admit(request: &ServiceRequest) -> (Option<Verdict>, Result<(), Error>) {
    let app = request.app_data::<web::Data<App>>();
    if let (Some(app), Ok(text)) = (app, bearer(request.request()))
        && is_meant(text)
        && is_for_members(request.match_info().as_str())
    {
        return api_keys::admit(request, app, text, client_ip(request.request(), &app.settings)).await;
    }
    let verdict = verdict(request);
    (verdict, verdict.map_or(Ok(()), |verdict| verdict.check()))
}

/// Whether it is a route that asks for an access token or an API key.
fn is_for_members(path: &str) -> bool {
    is_counted(path)
        && path != REFRESH
        && !ANONYMOUS.contains(&path)
        && !TOKENS.iter().any(|prefix| path.starts_with(prefix))
}

/// Sockets have limits of their own (`gateway`); documents and probes are prepared or tiny.
fn is_counted(path: &str) -> bool {
    path.starts_with("/api/v1/") && path != "/api/v1/ws" && !path.ends_with("api.json")
}

fn verdict(request: &ServiceRequest) -> Option<Verdict> {
    let app = request.app_data::<web::Data<App>>()?;
    // The path as the routes see it: the raw one may hide what it is behind %-escapes.
    let path = request.match_info().as_str();
    if !is_counted(path) {
        return None;
    }
    let address = client_ip(request.request(), &app.settings);
    if path == REFRESH {
        return app.limiter.take(Key::refresh(address));
    }
    if TOKENS.iter().any(|prefix| path.starts_with(prefix)) {
        return app.limiter.look(Key::address(address));
    }
    if ANONYMOUS.contains(&path) {
        return app.limiter.take(Key::address(address));
    }
    match bearer(request.request()).ok().and_then(|token| app.auth.verify(token, Some(address)).ok()) {
        Some(verified) => {
            // The extractors need not verify the token a second time.
            request.extensions_mut().insert(verified);
            app.limiter.member(&verified.actor, AddressBlock::of(address))
        }
        None => app.limiter.take(Key::address(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::{REQUEST_ID, request, without_secret};
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, test, web};

    #[allow(clippy::panic, reason = "what the frame is there for")]
    async fn panics() -> HttpResponse {
        panic!("inner words")
    }

    async fn answered(path: &str) -> (u16, String, serde_json::Value) {
        let app = test::init_service(
            App::new()
                .route("/panics", web::get().to(panics))
                .route("/bare", web::get().to(|| async { HttpResponse::ImATeapot().body("inner words") }))
                .wrap(from_fn(request)),
        )
        .await;
        let get = test::TestRequest::get().uri(path).insert_header((REQUEST_ID, "r-1")).to_request();
        let response = match test::try_call_service(&app, get).await {
            Ok(response) => response.into_parts().1.map_into_boxed_body(),
            Err(error) => error.error_response(),
        };
        let status = response.status().as_u16();
        let id = response.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap_or_default();
        (status, id.unwrap_or_default(), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[actix_web::test]
    async fn a_panic_is_a_problem_without_inner_words() {
        let (status, id, problem) = answered("/panics").await;
        assert_eq!((status, id.as_str()), (500, "r-1"));
        assert_eq!(
            (problem["code"].as_str(), problem["request_id"].as_str()),
            (Some("internal"), Some("r-1"))
        );
        assert!(!problem.to_string().contains("inner words"));
    }

    #[actix_web::test]
    async fn bare_refusals_become_problems() {
        for (path, code) in
            [("/bare", "invalid_parameter"), ("/nothing", "not_found"), ("/a%00b", "invalid_parameter")]
        {
            let (_, id, problem) = answered(path).await;
            assert_eq!((id.as_str(), problem["code"].as_str()), ("r-1", Some(code)), "{path}");
            assert!(!problem.to_string().contains("inner words"));
        }
    }

    #[actix_web::test]
    async fn the_log_shows_no_secret_of_a_path() {
        assert_eq!(without_secret("/api/v1/rating-links/dwk_1-2"), "/api/v1/rating-links/");
        assert_eq!(without_secret("/api/v1/files/dwf_1-2"), "/api/v1/files/");
        assert_eq!(without_secret("/hooks/secret/rating-links/x"), "/hooks/");
        assert_eq!(without_secret("/api/v1/conversations/1"), "/api/v1/conversations/1");
    }
}
