//! The socket of a device: connects, says hello with cursor and conversations, keeps the view by the client rules,
//! answers pings, and connects again with full jitter when the connection ends. Owns the connection and the requests
//! that wait for an answer; the handling of single frames stands in `frames`.
//!
//! Invariants: every wait has a limit: connecting, writing, going live, silence, an answer. A request without an
//! answer ends as unknown, never as failed. The cursor moves only on `live`, on
//! answers to `sync` and, while nothing is missing, on durable frames.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

use super::backoff::{Backoff, Failure};
use super::connect::{Stream, closed, connect};
use super::device::{LinkState, Shared};
use super::signal::Signal;
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
    /// End the connection without a word, and stay away for so long.
    Leave(Duration),
    /// End.
    Stop,
}

/// Who waits for an answer.
pub(super) enum Waiting {
    /// The owner.
    Owner(oneshot::Sender<Result<Value, Failure>>),
    /// The line: its hello.
    Hello,
    /// The line: entries of this conversation; asked after so many rows.
    Pull(Id, u64),
    /// The line: this message of this conversation again, since the notice with this seq; asked after so many rows.
    Refresh(Id, i64, i64, u64),
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
    /// As the owner wished; connect again after so long.
    Left(Duration),
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
    /// Requests without an answer yet, and since when.
    pub(super) pending: HashMap<String, (Waiting, Instant)>,
    /// Frames that go out when the present event is handled.
    pub(super) out: Vec<String>,
    next_request: u64,
    pub(super) limits: Limits,
    pub(super) live: bool,
    /// It is counted among the devices that are not live and want to be.
    trying: bool,
    /// How long an access token is good for, and when the present one is due to be renewed in place.
    pub(super) token: Option<(Duration, Instant)>,
}

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long a hello may take until the line is live, as long as the server says nothing else.
const LIVE_WITHIN: Duration = Duration::from_secs(60);
/// Changed messages that are read again at a time.
const REFRESHED_AT_ONCE: usize = 16;
/// How long the server may take with the answer to Close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// How long the network may take with the bytes of a frame.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// How long to wait within a connection; `ready` announces both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Without any frame from the server.
    pub(super) silence: Duration,
    /// For the answer to a frame.
    pub(super) answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { silence: Duration::from_secs(30), answer: Duration::from_secs(15) }
    }
}

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
            limits: Limits::default(),
            live: false,
            trying: false,
            token: None,
        }
    }

    /// Connects again and again until the owner ends it, the server forbids it, or patience is over.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(self.shared.patience);
        let cause = loop {
            self.count_trying(true);
            let end = self.session().await;
            // From here on, not from the next attempt.
            self.count_trying(true);
            let was_live = std::mem::take(&mut self.live);
            self.shared.view().hear(Signal::Ended);
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
                End::Left(absence) => {
                    count(&self.shared.history.counters.absences);
                    self.count_trying(false);
                    tokio::time::sleep(absence).await;
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
        self.count_trying(false);
        if cause != "stopped" && !self.shared.may_end.load(Ordering::Relaxed) {
            self.shared.history.complain(format!("{}: {cause}", self.shared.name));
        }
        self.shared.link_state.send_replace(LinkState::Over(cause));
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    /// Says whether this device is one that is not live and wants to be.
    pub(super) fn count_trying(&mut self, trying: bool) {
        if std::mem::replace(&mut self.trying, trying) != trying {
            self.shared.history.tries(trying);
        }
    }

    async fn renew(&self) -> Result<(), Failure> {
        let token = self.shared.rest.access_token();
        self.shared.rest.renew(&token).await
    }

    /// Whoever waits for an answer learns that none will come.
    fn forget_pending(&mut self) {
        for (_, (waiting, _)) in self.pending.drain() {
            if let Waiting::Owner(reply) = waiting {
                let _ = reply.send(Err(Failure::Unknown("the connection ended".to_owned())));
            }
        }
        self.out.clear();
    }

    /// One connection from beginning to end.
    async fn session(&mut self) -> End {
        let stream = match tokio::time::timeout(CONNECT_WITHIN, connect(&self.shared.rest)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(failure)) => return End::Lost(failure),
            Err(_) => return End::Lost(Failure::Unsent("connecting took too long".to_owned())),
        };
        let (mut sink, mut frames) = stream.split();
        self.hello();
        let begin = Instant::now();
        let mut heard = begin;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            if let Err(failure) = self.write_out(&mut sink).await {
                return End::Lost(failure);
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
                            // The cut is what was asked for, whatever became of the frame.
                            let _ = self.write_out(&mut sink).await;
                            return End::Cut(None);
                        }
                    }
                    Some(Ask::Tell { frame, data }) => self.out.push(json!({ "type": frame, "data": data }).to_string()),
                    Some(Ask::Cut(done)) => return End::Cut(done),
                    Some(Ask::Leave(absence)) => return End::Left(absence),
                    Some(Ask::Stop) | None => {
                        let closed = async {
                            let _ = sink.close().await;
                            while let Some(Ok(_)) = frames.next().await {}
                        };
                        // The server answers with its own Close and ends the connection.
                        let _ = tokio::time::timeout(CLOSE_WITHIN, closed).await;
                        return End::Stopped;
                    }
                },
                _ = tick.tick() => {
                    if let Some(what) = self.overdue(begin, heard) {
                        count(&self.shared.history.counters.silences);
                        return End::Lost(Failure::Unknown(what.to_owned()));
                    }
                    self.pull_what_is_behind();
                    if let Err(failure) = self.renew_in_place().await {
                        return End::Lost(failure);
                    }
                }
            }
        }
    }

    /// Writes what waits to go out.
    async fn write_out(&mut self, sink: &mut SplitSink<Stream, Message>) -> Result<(), Failure> {
        let out = &mut self.out;
        let write = async {
            for text in out.drain(..) {
                sink.feed(Message::text(text)).await?;
            }
            sink.flush().await
        };
        match tokio::time::timeout(WRITE_WITHIN, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(Failure::Unknown(cause.to_string())),
            Err(_) => Err(Failure::Unknown("the server takes no more bytes".to_owned())),
        }
    }

    /// What has taken longer than the server announced: time to connect again.
    fn overdue(&self, begin: Instant, heard: Instant) -> Option<&'static str> {
        let now = Instant::now();
        if now - heard > self.limits.silence {
            return Some("the server has fallen silent");
        }
        if !self.live && now - begin > LIVE_WITHIN {
            return Some("the server did not go live");
        }
        let unanswered = |(_, since): &(Waiting, Instant)| now - *since > self.limits.answer;
        (self.live && self.pending.values().any(unanswered)).then_some("an answer did not come in time")
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
            let points: Vec<_> = points
                .into_iter()
                .map(|(conversation, have)| json!([conversation.to_string(), have]))
                .collect();
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
        self.pending.insert(request, (waiting, Instant::now()));
    }

    /// Asks for the entries of every log that has a hole or a missing end, and for messages that were changed, unless
    /// that was asked already.
    pub(super) fn pull_what_is_behind(&mut self) {
        if !self.live {
            return;
        }
        let behind: Vec<Id> = self.shared.view().behind().iter().copied().collect();
        for conversation in behind {
            let asked = |(waiting, _): &(Waiting, Instant)| matches!(waiting, Waiting::Pull(other, _) if *other == conversation);
            if !self.pending.values().any(asked) {
                self.pull(conversation);
            }
        }
        let stale: Vec<_> = self.shared.view().stale().take(REFRESHED_AT_ONCE).collect();
        for (conversation, message, notice) in stale {
            let asked = |(waiting, _): &(Waiting, Instant)| matches!(waiting, Waiting::Refresh(one, seq, since, _) if (*one, *seq, *since) == (conversation, message, notice));
            if !self.pending.values().any(asked) {
                let data = json!({ "conversation_id": conversation.to_string(), "after_seq": message - 1, "limit": 1 });
                let rows = self.shared.view().rows_taken;
                self.ask("pull", &data, Waiting::Refresh(conversation, message, notice, rows));
            }
        }
    }

    /// Asks for the entries behind the last one that the view has.
    pub(super) fn pull(&mut self, conversation: Id) {
        count(&self.shared.history.counters.pulls);
        let (have, rows) = {
            let view = self.shared.view();
            (view.logs.get(&conversation).map_or(0, Log::have), view.rows_taken)
        };
        let data = json!({ "conversation_id": conversation.to_string(), "after_seq": have, "limit": 200 });
        self.ask("pull", &data, Waiting::Pull(conversation, rows));
    }
}
