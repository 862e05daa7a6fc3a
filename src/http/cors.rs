//! Browsers of other origins. Owns which origins may call, for REST and for sockets alike.

use actix_cors::Cors;
use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use actix_web::http::{Method, header};

use crate::settings::Settings;

/// Headers that scripts of other origins may read.
const EXPOSED: [&str; 5] =
    ["x-request-id", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"];

/// The middleware that answers preflights and marks answers for the allowed origins. It refuses no request by its
/// origin: every request needs a bearer token, which no browser adds by itself.
pub fn middleware(settings: &Settings) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
        .allowed_header("x-request-id")
        .expose_headers(EXPOSED)
        .max_age(3_600)
        .block_on_origin_mismatch(false);
    let (any, origins) = allowed(settings);
    if any {
        return cors.allow_any_origin().send_wildcard();
    }
    cors.allowed_origin_fn(move |origin, head| {
        origin.to_str().is_ok_and(|origin| {
            is_own(origin, head) || origins.iter().any(|one| one.eq_ignore_ascii_case(origin))
        })
    })
}

/// Whether a request with this `Origin` header may open a socket: none at all (no browser), the service's own
/// host, or one of the allow-list.
pub fn origin_allowed(request: &HttpRequest, settings: &Settings) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return true;
    };
    let (any, origins) = allowed(settings);
    any || origin.to_str().is_ok_and(|origin| {
        is_own(origin, request.head()) || origins.iter().any(|one| one.eq_ignore_ascii_case(origin))
    })
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
    host.is_some() && host == of_origin
}

#[cfg(test)]
mod tests {
    use super::origin_allowed;
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
        assert!(origin_allowed(&TestRequest::default().to_http_request(), &settings));
        assert!(origin_allowed(&from("https://shop.example"), &settings));
        assert!(origin_allowed(&from("http://desk.example:8080"), &settings));
        assert!(!origin_allowed(&from("https://shop.example.evil"), &settings));
        assert!(!origin_allowed(&from("null"), &settings));
        settings.allowed_origins = vec!["*".to_owned()];
        assert!(origin_allowed(&from("https://anywhere.example"), &settings));
    }
}
