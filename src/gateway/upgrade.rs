//! From an HTTP request to a socket: the checks that need no token.

use actix_web::body::BoxBody;
use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, get, web};

use super::connection::Connection;
use super::drain;
use super::handover::Upgradable;
use super::hub::Hub;
use super::protocol::{CloseCode, SUB_PROTOCOL, close};
use super::session::SessionTask;
use super::socket::Socket;
use crate::app::App;
use crate::connections::{Admission, ConnectionPermit};
use crate::http::client_ip::client_ip;
use crate::http::cors::check_origin;
use crate::kernel::{Code, Error, Result};

/// When a client whose address has too many sockets may come again, at the earliest.
const REFUSED_AFTER_MS: u64 = 30_000;
/// Over how long such clients are spread.
const REFUSED_SPREAD_MS: u64 = 30_000;

/// What an accepted request leaves in its answer: the place of the socket that its connection becomes.
pub struct Ticket {
    id: i64,
    app: web::Data<App>,
    permit: ConnectionPermit,
    refusal: Option<CloseCode>,
}

impl Ticket {
    /// The connection has become a socket. Returns its task.
    pub fn enter(self, connection: Connection) -> SessionTask {
        let hub = Hub::of(&self.app);
        let socket = Socket::new(self.id, hub.clone(), connection, self.permit);
        hub.enter(&socket);
        if let Some(code) = self.refusal {
            socket.close_spread(code, code.name, REFUSED_AFTER_MS, REFUSED_SPREAD_MS);
        } else if self.app.tasks.shutdown().is_cancelled() {
            // The shutdown began while the answer was on its way.
            drain::send_away(&socket);
        }
        SessionTask::new(socket)
    }
}

/// Open a WebSocket
///
/// The sub-protocol is `deskwire.v1`; its frames, close codes and limits are described by the AsyncAPI document
/// (`/api/v1/asyncapi.json`). The access token is not given here but in the first frame, `hello`, within five
/// seconds. A browser's `Origin` must be on the allow-list or be the service's own host. An address with far too many
/// sockets is answered 429; the first ones above the limit are accepted and closed with 4007, which a browser can read.
#[utoipa::path(
    tag = "socket",
    security(()),
    responses(
        (status = 101, description = "Switching to the WebSocket."),
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
    check_origin(&request, &app.settings)?;
    check_protocol(&request)?;
    // The library verifies the handshake and answers it; the frames go over a connection of our own (`handover`).
    let (mut response, ..) = actix_ws::handle_with_protocols(&request, payload, &[SUB_PROTOCOL])
        .map_err(|cause| Error::new(Code::InvalidParameter, format!("no WebSocket request: {cause}")))?;
    if !request.extensions().contains::<Upgradable>() {
        return Err(Error::new(Code::InvalidParameter, "a WebSocket request has no body"));
    }
    let settings = &app.settings;
    let (permit, refusal) =
        match app.connections.enter(client_ip(&request, settings), settings.sockets_per_address) {
            Admission::Place(permit) => (permit, None),
            // A browser cannot read the answer to a refused upgrade, but it can read a close code.
            Admission::Refusal(permit) => (permit, Some(close::ADDRESS_LIMIT)),
            Admission::Nothing => {
                let detail = format!("an address has at most {} sockets", settings.sockets_per_address);
                return Err(Error::new(Code::RateLimited, detail).retry_after(REFUSED_AFTER_MS));
            }
        };
    let id = app.connections.next_id(app.clock.now());
    response.extensions_mut().insert(Ticket { id, app, permit, refusal });
    Ok(response.set_body(BoxBody::new(())))
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
