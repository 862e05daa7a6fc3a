//! The scripted server's port: reads the head of each request, answers `POST /auth/refresh`, and hands upgrades to
//! `socket`. Owns no state but the port.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::plan::Fault;
use super::shared::Shared;
use super::socket;

/// A head is not longer.
const HEAD_BYTES: usize = 16_384;
/// A body is not longer.
const BODY_BYTES: usize = 65_536;
/// A request comes within this time.
const REQUEST_WITHIN: Duration = Duration::from_secs(20);

/// A request.
struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    /// What came behind the head.
    rest: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this future, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, shared.clone()))),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let Ok(Some(request)) = tokio::time::timeout(REQUEST_WITHIN, read_head(&mut stream)).await else {
        return;
    };
    if request.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return upgrade(stream, request, &shared).await;
    }
    let answer = match (request.method.as_str(), request.path.as_str()) {
        ("OPTIONS", _) => Some((204, Vec::new(), Value::Null)),
        ("POST", "/api/v1/auth/refresh") => {
            match tokio::time::timeout(REQUEST_WITHIN, read_body(&mut stream, &request)).await {
                Ok(Some(body)) => refresh(&shared, &body).await,
                _ => return,
            }
        }
        // Lists of the REST interface; nothing waits and nothing is older than what the socket says.
        ("GET", _) => Some((200, Vec::new(), json!({ "data": [], "next_cursor": null }))),
        _ => Some((404, Vec::new(), problem(404, "not_found", false))),
    };
    if let Some((status, headers, body)) = answer {
        respond(&mut stream, status, &headers, &body).await;
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(length) = parsed.parse(&bytes).ok()? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
            return Some(Request {
                method: parsed.method?.to_owned(),
                path: parsed.path?.split('?').next().unwrap_or_default().to_owned(),
                headers: parsed.headers.iter().map(|one| (one.name.to_owned(), text(one.value))).collect(),
                rest: bytes.split_off(length),
            });
        }
        if bytes.len() > HEAD_BYTES || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn read_body(stream: &mut TcpStream, request: &Request) -> Option<Value> {
    let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
    let mut bytes = request.rest.clone();
    while bytes.len() < length.min(BODY_BYTES) {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    serde_json::from_slice(&bytes).ok().or(Some(Value::Null))
}

async fn upgrade(mut stream: TcpStream, request: Request, shared: &Arc<Shared>) {
    let fault = {
        let mut state = shared.state();
        state.upgrades.push(Instant::now());
        state.plan.upgrade.pop_front().flatten()
    };
    shared.changed();
    match fault {
        None => {}
        Some(Fault::Status(status, after)) => {
            let headers = after.map(|seconds| ("retry-after", seconds.to_string()));
            return respond(&mut stream, status, headers.as_slice(), &problem(status, "draining", true))
                .await;
        }
        Some(_) => return,
    }
    let Some(key) = request.header("sec-websocket-key") else { return };
    let offered = request.header("sec-websocket-protocol").is_some();
    socket::accept(stream, key, offered, request.rest.clone(), shared).await;
}

type Answer = Option<(u16, Vec<(&'static str, String)>, Value)>;

/// `POST /auth/refresh`; none cuts the connection.
async fn refresh(shared: &Arc<Shared>, body: &Value) -> Answer {
    let given = body["refresh_token"].as_str().unwrap_or_default().to_owned();
    let (fault, answer) = {
        let mut state = shared.state();
        state.refreshes.push((Instant::now(), given.clone()));
        let fault = state.plan.refresh.pop_front().flatten();
        // The present token, or the one before it: the answer may have been lost.
        let known = given == state.refresh_token() || given == format!("refresh-{}", state.token - 1);
        let answer = match (&fault, known) {
            (Some(Fault::Status(status, after)), _) => {
                let headers = after.map(|seconds| ("retry-after", seconds.to_string()));
                Some((*status, headers.into_iter().collect(), Value::Null))
            }
            (Some(Fault::CutBefore), _) => None,
            (_, false) => {
                state.broke("refresh", format!("the refresh token {given:?} is not the newest one"));
                Some((401, Vec::new(), problem(401, "session_revoked", false)))
            }
            (_, true) => {
                state.renew();
                let tokens = json!({
                    "access_token": state.access_token(), "access_expires_at": state.expires,
                    "refresh_token": state.refresh_token(), "refresh_expires_at": state.now().plus(86_400_000),
                    "member": { "id": super::state::MEMBER, "role": "agent" },
                });
                Some((200, Vec::new(), tokens))
            }
        };
        (fault, answer)
    };
    shared.changed();
    match fault {
        Some(Fault::CutAfter | Fault::CutBefore) => None,
        Some(Fault::Slow(wait)) => {
            tokio::time::sleep(wait).await;
            answer
        }
        _ => answer,
    }
}

fn problem(status: u16, code: &str, retryable: bool) -> Value {
    json!({ "type": "about:blank", "title": code, "status": status, "code": code, "detail": code, "retryable": retryable })
}

async fn respond(stream: &mut TcpStream, status: u16, headers: &[(&'static str, String)], body: &Value) {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let kind = if status < 300 { "application/json" } else { "application/problem+json" };
    let mut head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\
         access-control-allow-origin: *\r\naccess-control-allow-headers: *\r\n",
        text.len()
    );
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    let written = async {
        stream.write_all(format!("{head}\r\n{text}").as_bytes()).await?;
        stream.shutdown().await
    };
    // A client that is gone needs no answer.
    let _ = tokio::time::timeout(REQUEST_WITHIN, written).await;
}
