//! The socket of a device: connects, says hello with cursor and conversations, keeps the view by the client rules,
//! answers pings, and connects again with full jitter when the connection ends. Owns the connection and the requests
//! that wait for an answer; the handling of single frames stands in `frames`.
//!
//! Invariants: a request without an answer ends as unknown, never as failed. The cursor moves only on `live`, on
//! answers to `sync` and, while nothing is missing, on durable frames.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::backoff::{Backoff, Failure};
use super::device::{LinkState, Shared};
use super::view::Log;
use crate::replay::history::{Id, count};

/// What the owner of a device wants from its line.
pub(super) enum Ask {
    /// A frame that is answered.
    Request { frame: &'static str, data: Value, reply: oneshot::Sender<Result<Value, Failure>>, cut: bool },
    /// A frame that is not answered.
    Tell { frame: &'static str, data: Value },
    /// Cut the connection without a word; tell when it is down.
    Cut(Option<oneshot::Sender<()>>),
    /// End.
    Stop,
}

/// Who waits for an answer.
pub(super) enum Waiting {
    /// The owner.
    Owner(oneshot::Sender<Result<Value, Failure>>),
    /// The line: its hello.
    Hello,
    /// The line: entries of this conversation.
    Pull(Id),
    /// The line: inbox rows behind its cursor.
    Sync,
    /// The line: nothing depends on the answer.
    Nobody,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// As the owner wished; connect again at once.
    Cut(Option<oneshot::Sender<()>>),
    /// As the owner wished; for good.
    Stopped,
    /// The server sent us away and said when to come back.
    Bye(Duration),
    /// By itself.
    Lost(Failure),
    /// The access token has expired.
    Expired,
    /// The server says: never again.
    Never(String),
}

/// The task.
pub(super) struct Line {
    pub(super) shared: Arc<Shared>,
    asked: mpsc::Receiver<Ask>,
    pub(super) waiting: Option<mpsc::Sender<Id>>,
    pub(super) pending: HashMap<String, Waiting>,
    /// Frames that go out when the present event is handled.
    pub(super) out: Vec<String>,
    next_request: u64,
    pub(super) silence: Duration,
    pub(super) live: bool,
    /// How long an access token is good for, and when the present one is due to be renewed in place.
    pub(super) token: Option<(Duration, Instant)>,
}

type Stream = WebSocketStream<TcpStream>;

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

impl Line {
    pub(super) fn new(
        shared: Arc<Shared>,
        asked: mpsc::Receiver<Ask>,
        waiting: Option<mpsc::Sender<Id>>,
    ) -> Self {
        Self {
            shared,
            asked,
            waiting,
            pending: HashMap::new(),
            out: Vec::new(),
            next_request: 0,
            silence: Duration::from_secs(60),
            live: false,
            token: None,
        }
    }

    /// Connects again and again until the owner ends it, the server forbids it, or patience is over.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(self.shared.patience);
        let cause = loop {
            let end = self.session().await;
            let was_live = std::mem::take(&mut self.live);
            self.shared.link_state.send_replace(LinkState::Down);
            self.forget_pending();
            if was_live {
                backoff.calm();
            }
            let failure = match end {
                End::Stopped => break "stopped".to_owned(),
                End::Never(cause) => break cause,
                End::Cut(done) => {
                    count(&self.shared.history.counters.cuts);
                    done.map(|done| done.send(()));
                    continue;
                }
                End::Bye(wait) => {
                    count(&self.shared.history.counters.drops);
                    tokio::time::sleep(wait).await;
                    continue;
                }
                End::Expired => match self.renew().await {
                    Ok(()) => continue,
                    Err(failure) => failure,
                },
                End::Lost(failure) => {
                    if was_live {
                        count(&self.shared.history.counters.drops);
                    }
                    failure
                }
            };
            if let Err(failure) = backoff.after(failure).await {
                break failure.to_string();
            }
        };
        if cause != "stopped" {
            self.shared.history.complain(format!("{}: {cause}", self.shared.name));
        }
        self.shared.link_state.send_replace(LinkState::Over(cause));
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    async fn renew(&self) -> Result<(), Failure> {
        let token = self.shared.rest.access_token();
        self.shared.rest.renew(&token).await
    }

    /// Whoever waits for an answer learns that none will come.
    fn forget_pending(&mut self) {
        for (_, waiting) in self.pending.drain() {
            if let Waiting::Owner(reply) = waiting {
                let _ = reply.send(Err(Failure::Unknown("the connection ended".to_owned())));
            }
        }
        self.out.clear();
    }

    async fn connect(&self) -> Result<Stream, Failure> {
        let unsent = |cause: &dyn std::fmt::Display| Failure::Unsent(format!("cannot connect: {cause}"));
        let rest = &self.shared.rest;
        let (host, source) = rest.site.socket_address(rest.number);
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address =
            tokio::net::lookup_host(with_port.as_str()).await.map_err(|cause| unsent(&cause))?.next();
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

    /// One connection from beginning to end.
    async fn session(&mut self) -> End {
        let stream = match tokio::time::timeout(CONNECT_WITHIN, self.connect()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(failure)) => return End::Lost(failure),
            Err(_) => return End::Lost(Failure::Unsent("connecting took too long".to_owned())),
        };
        let (mut sink, mut frames) = stream.split();
        self.hello();
        let mut heard = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            for text in self.out.drain(..) {
                if let Err(cause) = sink.feed(Message::text(text)).await {
                    return End::Lost(Failure::Unknown(cause.to_string()));
                }
            }
            if let Err(cause) = sink.flush().await {
                return End::Lost(Failure::Unknown(cause.to_string()));
            }
            tokio::select! {
                frame = frames.next() => {
                    heard = Instant::now();
                    let end = match frame {
                        Some(Ok(Message::Text(text))) => self.frame(&text),
                        Some(Ok(Message::Close(close))) => Some(closed(close.map(|close| (close.code.into(), close.reason.to_string())))),
                        Some(Ok(_)) => None,
                        Some(Err(cause)) => Some(End::Lost(Failure::Unknown(cause.to_string()))),
                        None => Some(closed(None)),
                    };
                    if let Some(end) = end {
                        return end;
                    }
                }
                // Before the line is live the owner's frames wait: the server would refuse them.
                ask = self.asked.recv(), if self.live => match ask {
                    Some(Ask::Request { frame, data, reply, cut }) => {
                        self.ask(frame, &data, Waiting::Owner(reply));
                        if cut {
                            for text in self.out.drain(..) {
                                let _ = sink.send(Message::text(text)).await;
                            }
                            return End::Cut(None);
                        }
                    }
                    Some(Ask::Tell { frame, data }) => self.out.push(json!({ "type": frame, "data": data }).to_string()),
                    Some(Ask::Cut(done)) => return End::Cut(done),
                    Some(Ask::Stop) | None => return End::Stopped,
                },
                _ = tick.tick() => {
                    if heard.elapsed() > self.silence {
                        return End::Lost(Failure::Unknown("the server has fallen silent".to_owned()));
                    }
                    self.pull_what_is_behind();
                    if let Err(failure) = self.renew_in_place().await {
                        return End::Lost(failure);
                    }
                }
            }
        }
    }

    /// Shows the server a fresh access token before the present one ends, on the same connection.
    async fn renew_in_place(&mut self) -> Result<(), Failure> {
        if let (Some((lifetime, due)), true) = (self.token, self.live)
            && Instant::now() >= due
        {
            self.renew().await?;
            count(&self.shared.history.counters.renewals);
            self.token = Some((lifetime, Instant::now() + lifetime.mul_f64(0.7)));
            self.ask("auth", &json!({ "token": self.shared.rest.access_token() }), Waiting::Nobody);
        }
        Ok(())
    }

    fn hello(&mut self) {
        self.out.clear();
        let (cursor, points) = {
            let view = self.shared.view();
            (view.cursor.clone(), view.resume_points(100))
        };
        let mut data = json!({ "token": self.shared.rest.access_token(), "device": self.shared.name });
        if let Some(cursor) = cursor {
            let points: Vec<_> =
                points.into_iter().map(|(room, have)| json!([room.to_string(), have])).collect();
            data["cursor"] = cursor.into();
            data["conversations"] = points.into();
        }
        self.ask("hello", &data, Waiting::Hello);
    }

    /// Sends a frame whose answer is awaited.
    pub(super) fn ask(&mut self, frame: &str, data: &Value, waiting: Waiting) {
        self.next_request += 1;
        let request = format!("r{}", self.next_request);
        self.out.push(json!({ "type": frame, "id": request, "data": data }).to_string());
        self.pending.insert(request, waiting);
    }

    /// Asks for the entries of every log that has a hole or a missing end, unless that was asked already.
    pub(super) fn pull_what_is_behind(&mut self) {
        if !self.live {
            return;
        }
        let behind: Vec<Id> = self.shared.view().behind().iter().copied().collect();
        for conversation in behind {
            let asked = |waiting: &Waiting| matches!(waiting, Waiting::Pull(other) if *other == conversation);
            if !self.pending.values().any(asked) {
                self.pull(conversation);
            }
        }
    }

    /// Asks for the entries behind the last one that the view has.
    pub(super) fn pull(&mut self, conversation: Id) {
        count(&self.shared.history.counters.pulls);
        let have = self.shared.view().logs.get(&conversation).map_or(0, Log::have);
        let data = json!({ "conversation_id": conversation.to_string(), "after_seq": have, "limit": 200 });
        self.ask("pull", &data, Waiting::Pull(conversation));
    }
}

/// What a close frame (or none) means: below 4500 come again, from 4500 on never.
fn closed(close: Option<(u16, String)>) -> End {
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
