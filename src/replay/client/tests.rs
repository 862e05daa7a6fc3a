//! The client against servers that misbehave: every wait ends, and what may work later is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::device::Plan;
use super::{Backoff, Device, Failure, Rest, Site};
use crate::replay::history::History;

type Problem = Box<dyn std::error::Error>;

fn rest(listener: &TcpListener) -> Result<Arc<Rest>, Problem> {
    let base = format!("http://{}", listener.local_addr()?);
    Ok(Arc::new(Rest::anonymous(Site::new(vec![base], 0)?, 0, Some("token"))))
}

fn device(listener: &TcpListener) -> Result<(Device, Arc<History>), Problem> {
    let history = Arc::<History>::default();
    let plan = Plan {
        member: 1,
        rest: rest(listener)?,
        name: "d".to_owned(),
        patience: Duration::from_secs(20),
        waiting: None,
    };
    Ok((Device::start(plan, history.clone()), history))
}

#[allow(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
fn choose(
    _: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    let name = tokio_tungstenite::tungstenite::http::HeaderValue::from_static("deskwire.v1");
    response.headers_mut().insert("sec-websocket-protocol", name);
    Ok(response)
}

/// Accepts a socket and goes live, announcing these limits in milliseconds.
async fn accept(
    listener: &TcpListener,
    silence: u64,
    answer: u64,
) -> Result<WebSocketStream<TcpStream>, Problem> {
    let (stream, _) = listener.accept().await?;
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, choose).await?;
    let hello = next(&mut socket).await?;
    let limits = json!([{"name": "silence", "value": silence}, {"name": "answer", "value": answer}]);
    let ready = json!({"type": "ready", "reply_to": hello["id"], "data": {"rows": [], "limits": limits}});
    socket.send(Message::text(ready.to_string())).await?;
    let live = json!({"type": "live", "data": {"cursor": "c"}});
    socket.send(Message::text(live.to_string())).await?;
    Ok(socket)
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Result<Value, Problem> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
            Some(Ok(_)) => {}
            other => return Err(format!("no frame: {other:?}").into()),
        }
    }
}

/// The server answers pings for ever and this request never: the outcome is unknown after the announced time, and the
/// next connection gets the answer.
#[tokio::test]
async fn a_request_without_an_answer_ends_as_unknown() -> Result<(), Problem> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (device, history) = device(&listener)?;
    let mut socket = accept(&listener, 60_000, 1_500).await?;
    let begin = Instant::now();
    let (answer, ()) = tokio::join!(device.request("message.send", json!({}), false), async {
        // Frames keep coming: it is not silence that ends this.
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let ping = json!({"type": "ping", "data": {"nonce": "n"}});
            if socket.send(Message::text(ping.to_string())).await.is_err() {
                break;
            }
        }
    });
    assert!(matches!(answer, Err(Failure::Unknown(_))), "{answer:?}");
    assert!(begin.elapsed() < Duration::from_secs(10));
    let mut socket = accept(&listener, 60_000, 1_500).await?;
    let (answer, served) = tokio::join!(device.request("message.send", json!({"n": 1}), false), async {
        let frame = next(&mut socket).await?;
        let ok = json!({"type": "ok", "reply_to": frame["id"], "data": {"seq": 1}});
        socket.send(Message::text(ok.to_string())).await?;
        Ok::<(), Problem>(())
    });
    served?;
    assert_eq!(answer.map_err(|failure| failure.to_string())?["seq"], 1);
    assert!(history.error_kind().is_empty());
    Ok(())
}

/// Nothing comes for longer than the server announced: the client connects again.
#[tokio::test]
async fn silence_beyond_the_announced_time_means_reconnect() -> Result<(), Problem> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (device, _) = device(&listener)?;
    let socket = accept(&listener, 1_200, 60_000).await?;
    let again = tokio::time::timeout(Duration::from_secs(10), accept(&listener, 60_000, 60_000)).await??;
    device.live(Duration::from_secs(5)).await.map_err(|failure| failure.to_string())?;
    drop((socket, again));
    Ok(())
}

/// A bare 408, a bare 503 and a `busy` mean: the same request, later.
#[tokio::test]
async fn temporary_refusals_are_repeated() -> Result<(), Problem> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let rest = rest(&listener)?;
    let busy = r#"{"code":"busy","retryable":true}"#;
    let answers = [
        "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{busy}",
            busy.len()
        ),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned(),
    ];
    let serve = async {
        for answer in answers {
            let (mut stream, _) = listener.accept().await?;
            let _ = stream.read(&mut [0; 4_096]).await?;
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let call = async {
        let mut backoff = Backoff::new(Duration::from_secs(20));
        let mut tries = 0;
        loop {
            tries += 1;
            match rest.post("/conversations/1/claim", &json!({})).await {
                Ok(_) => return Ok::<_, Failure>(tries),
                Err(failure) => backoff.after(failure).await?,
            }
        }
    };
    let (served, tries) = tokio::join!(serve, call);
    served?;
    assert_eq!(tries.map_err(|failure| failure.to_string())?, 4);
    Ok(())
}
