//! From an HTTP request to a socket: the checks that need no token.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};

use super::hub::Hub;
use super::protocol::SUB_PROTOCOL;
use super::session::SessionTask;
use super::socket::Socket;
use crate::app::App;
use crate::http::client_ip::client_ip;
use crate::kernel::{Code, Error, Result};

/// Opens a socket
///
/// The sub-protocol is `deskwire.v1`; its frames, close codes and limits are described by the AsyncAPI document
/// (`/api/v1/asyncapi.json`). The access token is not given here but in the first frame, `hello`, within five
/// seconds. A browser's `Origin` must be on the allow-list or be the service's own host.
#[utoipa::path(
    tag = "socket",
    security(()),
    responses(
        (status = 101, description = "Switching to the WebSocket."),
        (status = 400, description = "No WebSocket request, or another sub-protocol: `invalid_parameter`.", body = crate::http::problem::Problem, content_type = "application/problem+json"),
        (status = 403, description = "`origin_refused`.", body = crate::http::problem::Problem, content_type = "application/problem+json"),
        (status = 429, description = "This address has too many sockets: `rate_limited`.", body = crate::http::problem::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`draining`.", body = crate::http::problem::Problem, content_type = "application/problem+json"),
    )
)]
#[get("/ws")]
pub async fn open_socket(
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    if app.tasks.shutdown().is_cancelled() {
        return Err(Error::new(Code::Draining, Code::Draining.meaning()).retry_after(1_000));
    }
    check_origin(&request, &app.settings.allowed_origins)?;
    check_protocol(&request)?;
    let settings = &app.settings;
    let address = client_ip(&request, settings);
    let Some(place) = app.connections.enter(address, settings.sockets_per_address) else {
        let detail = format!("an address has at most {} sockets", settings.sockets_per_address);
        return Err(Error::new(Code::RateLimited, detail).retry_after(30_000));
    };
    let id = app.connections.next_id(app.clock.now());
    let (response, connection, stream) = actix_ws::handle_with_protocols(&request, payload, &[SUB_PROTOCOL])
        .map_err(|cause| Error::new(Code::InvalidParameter, format!("no WebSocket request: {cause}")))?;
    let limit = settings.frame_limit;
    let stream = stream.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    let hub = Hub::of(&app);
    let socket = Socket::new(id, hub.clone(), connection, place);
    hub.enter(&socket);
    actix_web::rt::spawn(SessionTask::new(socket, stream));
    Ok(response)
}

/// Browsers always send an Origin, other clients rarely do.
fn check_origin(request: &HttpRequest, allowed: &[String]) -> Result<()> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let listed = |one: &String| one == "*" || one.eq_ignore_ascii_case(origin);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").map(|(_, host)| host);
    if allowed.iter().any(listed) || own.zip(host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Error::new(Code::OriginRefused, Code::OriginRefused.meaning()))
}

/// A client that offers sub-protocols must offer ours; one that offers none gets it unnamed.
fn check_protocol(request: &HttpRequest) -> Result<()> {
    let mut offered = request
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .peekable();
    if offered.peek().is_none() || offered.any(|one| one == SUB_PROTOCOL) {
        return Ok(());
    }
    Err(Error::new(Code::InvalidParameter, format!("the sub-protocol is {SUB_PROTOCOL}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn origins_are_checked_when_present() {
        let from = |origin: &str| {
            TestRequest::default()
                .insert_header((header::HOST, "chat.example:8080"))
                .insert_header((header::ORIGIN, origin.to_owned()))
                .to_http_request()
        };
        let allowed = ["https://shop.example".to_owned()];
        assert!(check_origin(&TestRequest::default().to_http_request(), &allowed).is_ok());
        assert!(check_origin(&from("https://shop.example"), &allowed).is_ok());
        assert!(check_origin(&from("http://chat.example:8080"), &allowed).is_ok());
        assert!(check_origin(&from("https://evil.example"), &allowed).is_err());
        assert!(check_origin(&from("null"), &allowed).is_err());
        assert!(check_origin(&from("https://evil.example"), &["*".to_owned()]).is_ok());
    }

    #[test]
    fn another_sub_protocol_is_refused() {
        let offering = |list: &str| {
            TestRequest::default()
                .insert_header((header::SEC_WEBSOCKET_PROTOCOL, list.to_owned()))
                .to_http_request()
        };
        assert!(check_protocol(&TestRequest::default().to_http_request()).is_ok());
        assert!(check_protocol(&offering("other, deskwire.v1")).is_ok());
        assert!(check_protocol(&offering("deskwire.v2")).is_err());
    }
}
