//! One socket of the scripted server: the handshake, pings, the way of frames in and out, and its end. What a frame
//! is answered with stands in `answers`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::answers;
use super::plan::{Ending, Out, Socket};
use super::shared::Shared;
use crate::gateway::protocol::{SUB_PROTOCOL, table};

/// Frames that wait for the client.
const QUEUE: usize = 1_024;
/// A message of the client is not larger.
const MESSAGE_BYTES: usize = 1 << 20;
/// Sockets in one scenario; a client that opens more is not let in any more.
const SOCKETS: usize = 5_000;
/// How long the network may take with a frame, and a client with the answer to Close.
const WITHIN: Duration = Duration::from_secs(10);

/// Answers the handshake and serves the socket to its end.
pub async fn accept(mut stream: TcpStream, key: &str, offered: bool, rest: Vec<u8>, shared: &Arc<Shared>) {
    let protocol =
        if offered { format!("sec-websocket-protocol: {SUB_PROTOCOL}\r\n") } else { String::new() };
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {}\r\n{protocol}\r\n",
        derive_accept_key(key.as_bytes())
    );
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let (out, outgoing) = mpsc::channel(QUEUE);
    let number = {
        let mut state = shared.state();
        if state.sockets.len() >= SOCKETS {
            return;
        }
        state.sockets.push(Socket::new(out.clone()));
        state.sockets.len() - 1
    };
    shared.changed();
    let config =
        WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES)).max_frame_size(Some(MESSAGE_BYTES));
    let stream = WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
    let ending = serve(stream, number, &out, outgoing, shared).await;
    {
        let mut state = shared.state();
        if let Some(socket) = state.sockets.get_mut(number) {
            socket.ended = Some((Instant::now(), ending));
        }
    }
    shared.changed();
}

async fn serve(
    stream: WebSocketStream<TcpStream>,
    number: usize,
    out: &mpsc::Sender<Out>,
    mut outgoing: mpsc::Receiver<Out>,
    shared: &Arc<Shared>,
) -> Ending {
    let (mut sink, mut frames) = stream.split();
    let (mut pings, mut last_ping) = (0_u64, Instant::now());
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    // Once Close was said, nothing but the client's answer is awaited.
    let mut closing: Option<Instant> = None;
    loop {
        tokio::select! {
            frame = frames.next() => match frame {
                Some(Ok(Message::Text(text))) => answers::take(shared, number, out, &text),
                Some(Ok(Message::Binary(_))) => shared.state().broke("growth", "a binary message was sent"),
                Some(Ok(Message::Close(_))) => {
                    // The library has queued the answer; it goes out with this.
                    let _ = tokio::time::timeout(WITHIN, sink.flush()).await;
                    return if closing.is_some() { Ending::Server } else { Ending::ClientClose };
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    return if closing.is_some() { Ending::Server } else { Ending::ClientGone };
                }
            },
            next = outgoing.recv(), if closing.is_none() => {
                let message = match next {
                    Some(Out::Frame(text)) => Message::text(text),
                    Some(Out::Close(code, reason)) => {
                        closing = Some(Instant::now());
                        Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
                    }
                    Some(Out::Cut) | None => return Ending::Server,
                };
                if !matches!(tokio::time::timeout(WITHIN, sink.send(message)).await, Ok(Ok(()))) {
                    return Ending::ClientGone;
                }
            }
            _ = tick.tick() => {
                let (every, live) = {
                    let state = shared.state();
                    (state.plan.ping_every, state.sockets.get(number).is_some_and(|socket| socket.live.is_some()))
                };
                if closing.is_some_and(|since| since.elapsed() > WITHIN) {
                    return Ending::Server;
                }
                if live && closing.is_none() && last_ping.elapsed() >= every {
                    (pings, last_ping) = (pings + 1, Instant::now());
                    let ping = json!({ "type": table::PING.name, "data": { "nonce": format!("{number}.{pings}") } });
                    let _ = out.try_send(Out::Frame(ping.to_string()));
                }
            }
        }
        shared.changed();
    }
}

/// Whether the client answered a ping of this socket.
pub fn answered_ping(frames: &[(Instant, Value)], number: usize) -> bool {
    let nonce = format!("{number}.");
    frames.iter().any(|(_, frame)| {
        frame["type"] == "pong" && frame["data"]["nonce"].as_str().is_some_and(|one| one.starts_with(&nonce))
    })
}
