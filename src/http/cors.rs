//! Browsers of other origins. Owns which origins may call, for REST and for sockets alike.

use actix_cors::Cors;
use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, header};

use crate::kernel::{Code, Error, Result};
use crate::settings::Settings;

/// Headers that scripts of other origins may read.
const EXPOSED: [&str; 7] = [
    "etag",
    "x-request-id",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "www-authenticate",
];

/// The middleware that answers preflights and marks answers for the allowed origins. It refuses no request by its
/// origin: every request needs a bearer token, which no browser adds by itself.
pub fn middleware(settings: &Settings) -> Cors {
    let cors = Cors::default()
        .allowed_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, header::IF_MATCH])
        .allowed_header("x-request-id")
        .expose_headers(EXPOSED)
        .max_age(3_600)
        .block_on_origin_mismatch(false);
    let (any, origins) = allowed(settings);
    if any {
        return cors.allow_any_origin().send_wildcard();
    }
    cors.allowed_origin_fn(move |origin, head| may_call(origin, head, &origins))
}

/// Refuses a socket that a page of another origin opens: allowed are no `Origin` at all (no browser), the service's
/// own host, and the allow-list. The same rule as for requests.
pub fn check_origin(request: &HttpRequest, settings: &Settings) -> Result<()> {
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return Ok(());
    };
    let (any, origins) = allowed(settings);
    match any || may_call(origin, request.head(), &origins) {
        true => Ok(()),
        false => Err(Error::new(Code::OriginRefused, Code::OriginRefused.meaning())),
    }
}

/// The one rule. A refusal is logged, because the browser tells nobody what was refused.
fn may_call(origin: &HeaderValue, head: &RequestHead, listed: &[String]) -> bool {
    let text = String::from_utf8_lossy(origin.as_bytes());
    let fits = is_own(&text, head) || listed.iter().any(|one| one.eq_ignore_ascii_case(&text));
    if !fits {
        let origin: String = text.chars().take(200).collect();
        log::info!(
            target: "deskwire::http",
            "a page of {origin:?} was refused: if it may call, add its origin to DESKWIRE_ALLOWED_ORIGINS"
        );
    }
    fits
}

fn allowed(settings: &Settings) -> (bool, Vec<String>) {
    let listed = settings.allowed_origins.iter().map(|one| one.trim().trim_end_matches('/'));
    let origins: Vec<String> = listed.filter(|one| !one.is_empty()).map(str::to_owned).collect();
    (origins.iter().any(|one| one == "*"), origins)
}

/// Whether the page comes from the host that it calls.
fn is_own(origin: &str, head: &RequestHead) -> bool {
    let host = head.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.split_once("://").map(|(_, host)| host);
    host.zip(of_origin).is_some_and(|(host, of_origin)| host.eq_ignore_ascii_case(of_origin))
}

#[cfg(test)]
mod tests {
    use super::check_origin;
    use crate::settings::Settings;
    use actix_web::test::TestRequest;

    #[test]
    fn sockets_are_open_to_the_list_the_own_host_and_programs() {
        let mut settings = Settings::defaults();
        settings.allowed_origins = vec!["https://shop.example".to_owned()];
        let from = |origin: &str| {
            let request = TestRequest::default().insert_header(("host", "desk.example:8080"));
            request.insert_header(("origin", origin)).to_http_request()
        };
        let refused =
            |request: &actix_web::HttpRequest, settings: &Settings| check_origin(request, settings).is_err();
        assert!(!refused(&TestRequest::default().to_http_request(), &settings));
        assert!(!refused(&from("https://shop.example"), &settings));
        assert!(!refused(&from("http://desk.example:8080"), &settings));
        assert!(
            !refused(&from("https://SHOP.example"), &settings)
                && !refused(&from("http://Desk.example:8080"), &settings)
        );
        assert!(refused(&from("http://desk.example"), &settings), "another port is another origin");
        assert!(refused(&from("https://shop.example.evil"), &settings));
        assert!(refused(&from("null"), &settings));
        settings.allowed_origins = vec!["*".to_owned()];
        assert!(!refused(&from("https://anywhere.example"), &settings));
    }
}
