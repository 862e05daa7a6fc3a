//! How a connection begins and what its end means. Owns the upgrade and the reading of close codes and `bye`; does not
//! own the connection (`line`).

use std::time::Duration;

use rand::RngExt;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::backoff::Failure;
use super::line::End;
use super::rest::Rest;

pub(super) type Stream = WebSocketStream<TcpStream>;

/// Connects to any process of the server and asks for the sub-protocol. The caller limits the time.
pub(super) async fn connect(rest: &Rest) -> Result<Stream, Failure> {
    let unsent = |cause: &dyn std::fmt::Display| Failure::Unsent(format!("cannot connect: {cause}"));
    let (host, source) = rest.site.socket_address(rest.number);
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address = tokio::net::lookup_host(with_port.as_str()).await.map_err(|cause| unsent(&cause))?.next();
    let address = address.ok_or_else(|| unsent(&"the name has no address"))?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|cause| unsent(&cause))?;
    if let Some(source) = source {
        socket.bind((source, 0).into()).map_err(|cause| unsent(&cause))?;
    }
    let stream = socket.connect(address).await.map_err(|cause| unsent(&cause))?;
    stream.set_nodelay(true).map_err(|cause| unsent(&cause))?;
    let mut request =
        format!("ws://{host}/api/v1/ws").into_client_request().map_err(|cause| unsent(&cause))?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("deskwire.v1"));
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((stream, _)) => Ok(stream),
        Err(SocketError::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Err(unsent(&format!("{} {}", response.status(), String::from_utf8_lossy(body))))
        }
        Err(cause) => Err(unsent(&cause)),
    }
}

/// What a close frame (or none) means: below 4500 come again, from 4500 on never.
pub(super) fn closed(close: Option<(u16, String)>) -> End {
    match close {
        Some((4006, _)) => End::Expired,
        Some((code, reason)) if code >= 4500 => End::Never(format!("closed with {code} {reason}")),
        Some((code, reason)) => End::Lost(Failure::Unknown(format!("closed with {code} {reason}"))),
        None => End::Lost(Failure::Unknown("the connection ended".to_owned())),
    }
}

/// The wait that a `bye` asks for.
pub(super) fn bye(data: &Value) -> End {
    let number = |name: &str| data[name].as_u64().unwrap_or_default();
    let reason = format!("{} {}", data["code"], data["reason"]);
    match (data["code"].as_u64(), data["reconnect"].as_bool()) {
        (Some(4006), _) => End::Expired,
        (_, Some(false)) => End::Never(format!("sent away: {reason}")),
        _ => {
            let spread = rand::rng().random_range(0..=number("spread_ms"));
            End::Bye(Duration::from_millis(number("after_ms") + spread))
        }
    }
}
