//! A real WebSocket client.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::documented;

/// How long a frame that must come may take.
const PATIENCE: Duration = Duration::from_secs(60);

type Stream = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// One connection. It answers the server's pings while it waits for something; frames that nobody asked for yet
/// are kept in order.
pub struct Socket {
    stream: Stream,
    kept: VecDeque<Value>,
    closed: Option<(u16, String)>,
    next_id: u64,
    barriers: u64,
    /// What was sent with an id and not answered yet.
    asked: HashMap<String, Value>,
    /// The `data` of `ready`, once hello was said.
    pub ready: Value,
    /// The cursor of `live`, once hello was said.
    pub live: String,
    /// The last `ping` of the server, which was answered.
    pub last_ping: Option<Value>,
}

impl Socket {
    /// A connection on which nothing was said yet.
    pub async fn connect(base: &str) -> Self {
        Self::try_connect(base, &[]).await.unwrap_or_else(|cause| panic!("no socket: {cause}"))
    }

    /// [`Socket::connect`] with more headers, and the refusal if there is one.
    pub async fn try_connect(
        base: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, tokio_tungstenite::tungstenite::Error> {
        let url = format!("{}/api/v1/ws", base.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("deskwire.v1"));
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value)?);
        }
        let connected = tokio_tungstenite::connect_async(request).await;
        if let Err(tokio_tungstenite::tungstenite::Error::Http(refusal)) = &connected {
            documented::check_upgrade(
                refusal.status().as_u16(),
                refusal.body().as_deref().unwrap_or_default(),
            );
        }
        let (stream, _) = connected?;
        Ok(Self {
            stream,
            kept: VecDeque::new(),
            closed: None,
            next_id: 1,
            barriers: 0,
            asked: HashMap::new(),
            ready: Value::Null,
            live: String::new(),
            last_ping: None,
        })
    }

    /// Says hello and waits for `live`. What is replayed before it is kept for [`Socket::expect`].
    pub async fn hello(&mut self, data: Value) -> Value {
        self.send_frame("hello", data).await;
        self.ready = self.expect("ready").await;
        self.live = self.expect("live").await["cursor"].as_str().expect("a cursor").to_owned();
        self.ready.clone()
    }

    /// Sends a frame and gives its id.
    pub async fn send_frame(&mut self, kind: &str, data: Value) -> String {
        let id = format!("f{}", self.next_id);
        self.next_id += 1;
        self.send_text(json!({"type": kind, "id": id, "data": data}).to_string()).await;
        id
    }

    /// Sends any text as one message.
    pub async fn send_text(&mut self, text: String) {
        if let Ok(frame) = serde_json::from_str::<Value>(&text)
            && frame["id"].is_string() | frame["id"].is_number()
        {
            self.asked.insert(frame["id"].to_string(), frame);
        }
        self.send_message(Message::text(text)).await;
    }

    /// Sends any message. That the server has closed shows when something is expected.
    pub async fn send_message(&mut self, message: Message) {
        let _ = self.stream.send(message).await;
    }

    /// Sends a frame and waits for its `ok`, which is given.
    pub async fn ask(&mut self, kind: &str, data: Value) -> Value {
        let reply = self.ask_any(kind, data).await;
        assert_eq!(reply["type"], "ok", "{kind} was answered {reply}");
        reply["data"].clone()
    }

    /// Sends a frame and waits for its `error`, whose code must be this one; gives the error's data.
    pub async fn ask_refused(&mut self, kind: &str, data: Value, code: &str) -> Value {
        let reply = self.ask_any(kind, data).await;
        assert_eq!((&reply["type"], &reply["data"]["code"]), (&json!("error"), &json!(code)), "{reply}");
        reply["data"].clone()
    }

    /// Sends a frame and waits for the frame that answers it.
    pub async fn ask_any(&mut self, kind: &str, data: Value) -> Value {
        let id = self.send_frame(kind, data).await;
        self.wait(&format!("the answer to {kind}"), |frame| frame["reply_to"] == id.as_str()).await
    }

    /// Sends a text message and waits for its `ok`.
    pub async fn say(&mut self, room: &str, key: &str, text: &str) -> Value {
        let data =
            json!({"conversation_id": room, "client_msg_id": key, "kind": "text", "content": {"text": text}});
        self.ask("message.send", data).await
    }

    /// The `data` of the next frame of this type. Other frames that come before it are kept.
    pub async fn expect(&mut self, kind: &str) -> Value {
        self.expect_frame(kind).await["data"].clone()
    }

    /// The next frame of this type, whole (with its `cursor`).
    pub async fn expect_frame(&mut self, kind: &str) -> Value {
        self.wait(kind, |frame| frame["type"] == kind).await
    }

    /// The first frame, kept or new, that fits.
    pub async fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&fits) {
            return self.kept.remove(at).expect("it is there");
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match tokio::time::timeout_at(deadline, self.next()).await {
                Ok(Some(frame)) if fits(&frame) => return frame,
                Ok(Some(frame)) => self.kept.push_back(frame),
                Ok(None) => panic!("closed with {:?} before {what}; kept: {:?}", self.closed, self.kept),
                Err(_) => panic!("no {what} within {PATIENCE:?}; kept: {:?}", self.kept),
            }
        }
    }

    /// Waits for an entry of this room with at least this seq; gives all entries of the room received so far, in
    /// the order of their arrival, whether they came alone or in a batch.
    pub async fn entries_up_to(&mut self, room: &str, seq: i64) -> Vec<Value> {
        let mut entries = Vec::new();
        loop {
            let of_room = |frame: &Value| {
                matches!(frame["type"].as_str(), Some("entry" | "entries"))
                    && frame["data"]["conversation_id"] == room
            };
            let frame = self.wait(&format!("entry {seq} of {room}"), of_room).await;
            match frame["data"]["entries"].as_array() {
                Some(batch) => entries.extend(batch.iter().cloned()),
                None => entries.push(frame["data"].clone()),
            }
            if entries.last().is_some_and(|entry| entry["seq"].as_i64() >= Some(seq)) {
                return entries;
            }
        }
    }

    /// Waits until the server closes; gives the close code. A `bye` before it must say the same code.
    pub async fn expect_close(&mut self) -> u16 {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.closed.is_none() {
            match tokio::time::timeout_at(deadline, self.next()).await {
                Ok(Some(frame)) => self.kept.push_back(frame),
                Ok(None) => break,
                Err(_) => panic!("not closed within {PATIENCE:?}; kept: {:?}", self.kept),
            }
        }
        let code = self.closed.as_ref().map_or(1006, |(code, _)| *code);
        if let Some(bye) = self.kept.iter().find(|frame| frame["type"] == "bye") {
            assert_eq!(bye["data"]["code"], code, "bye and close differ: {bye}");
        }
        code
    }

    /// Says ping and waits for its pong: everything that the server had written before is received then.
    pub async fn barrier(&mut self) {
        self.barriers += 1;
        let nonce = format!("barrier-{}", self.barriers);
        self.send_text(json!({"type": "ping", "data": {"nonce": nonce}}).to_string()).await;
        self.wait("pong", |frame| frame["type"] == "pong" && frame["data"]["nonce"] == nonce.as_str()).await;
    }

    /// Takes all frames that were received and not asked for.
    pub fn take_kept(&mut self) -> Vec<Value> {
        self.kept.drain(..).collect()
    }

    /// Closes in good order.
    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }

    /// The next frame from the server; `None` when it is closed. Answers pings.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).expect("frames are JSON");
                    let asked = frame.get("reply_to").and_then(|id| self.asked.remove(&id.to_string()));
                    documented::check_frame(&frame, asked.as_ref());
                    if frame["type"] == "ping" {
                        let pong = json!({"type": "pong", "data": {"nonce": frame["data"]["nonce"]}});
                        self.send_text(pong.to_string()).await;
                        self.last_ping = Some(frame);
                        continue;
                    }
                    return Some(frame);
                }
                Some(Ok(Message::Close(frame))) => {
                    self.closed = Some(frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.to_string())
                    }));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}
