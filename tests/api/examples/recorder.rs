//! Makes requests and speaks frames, and keeps what was said on both sides.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::normal::Normal;
use crate::harness::{Answer, Client, Socket, TestApp};

/// What was recorded so far.
pub struct Recorder<'a> {
    /// The server.
    pub app: &'a TestApp,
    /// A socket that stays open meanwhile: each call answers the server's pings, however slow the machine is.
    pub desk: Option<Socket>,
    normal: Normal,
    operations: BTreeMap<String, Value>,
    frames: BTreeMap<String, Value>,
    session: Vec<Value>,
}

impl<'a> Recorder<'a> {
    /// Nothing yet.
    pub fn new(app: &'a TestApp) -> Self {
        let normal = Normal::new(app.clock.now());
        Self {
            app,
            desk: None,
            normal,
            operations: BTreeMap::new(),
            frames: BTreeMap::new(),
            session: Vec::new(),
        }
    }

    /// Performs an operation, which must succeed, a second after what came before. The first call of an operation
    /// becomes its example. Gives the answer's body.
    pub async fn call(&mut self, operation: &str, by: &Client, line: &str, body: Option<Value>) -> Value {
        self.perform(operation, by, line, body, None).await
    }

    /// [`Recorder::call`] with a content as the body, which the example leaves out.
    pub async fn upload(&mut self, operation: &str, by: &Client, line: &str, content: Vec<u8>) -> Value {
        self.perform(operation, by, line, None, Some(content)).await
    }

    async fn perform(
        &mut self,
        operation: &str,
        by: &Client,
        line: &str,
        body: Option<Value>,
        bytes: Option<Vec<u8>>,
    ) -> Value {
        self.app.clock.advance(1_000);
        if let Some(desk) = &mut self.desk {
            desk.barrier().await;
        }
        let (method, path) = line.split_once(' ').unwrap();
        let request = by.request(method.parse::<Method>().unwrap(), path);
        let request = match (&body, bytes) {
            (Some(body), _) => request.json(body),
            (None, Some(bytes)) => request.body(bytes),
            (None, None) => request,
        };
        let answer = Answer::of(request).await;
        assert!((200..300).contains(&answer.status), "{operation}: {} {}", answer.status, answer.body);
        let path = match path.starts_with("http") {
            true => path.replacen(self.app.base(), "", 1),
            false => format!("/api/v1{path}"),
        };
        let mut example = json!({"method": method, "path": self.normal.path(&path), "status": answer.status});
        if let Some(body) = body {
            example["request"] = self.normal.value("", &body);
        }
        if !answer.body.is_null() {
            example["answer"] = self.normal.value("", &answer.body);
        }
        self.operations.entry(operation.to_owned()).or_insert(example);
        answer.body
    }

    /// Sends a frame and keeps it as the example of its type.
    pub async fn send(&mut self, socket: &mut Socket, kind: &str, data: Value) -> String {
        let id = socket.send_frame(kind, data.clone()).await;
        let frame = json!({"type": kind, "id": id, "data": data});
        self.keep("client", format!("client.{kind}"), &frame);
        id
    }

    /// Waits for a frame of this type and keeps it.
    pub async fn expect(&mut self, socket: &mut Socket, kind: &str) -> Value {
        let frame = socket.expect_frame(kind).await;
        self.keep("server", format!("server.{kind}"), &frame);
        frame
    }

    /// Sends a frame, waits for its `ok` and keeps it as the example of a reply with data of this name.
    pub async fn ask(&mut self, socket: &mut Socket, kind: &str, data: Value, reply: &str) -> Value {
        let id = self.send(socket, kind, data).await;
        let frame =
            socket.wait(&format!("the reply to {kind}"), |frame| frame["reply_to"] == id.as_str()).await;
        let name = match frame["type"].as_str() {
            Some("ok") => format!("server.ok.{reply}"),
            other => format!("server.{}", other.unwrap_or_default()),
        };
        self.keep("server", name, &frame);
        frame["data"].clone()
    }

    /// Keeps a frame that was said.
    pub fn keep(&mut self, from: &str, name: String, frame: &Value) {
        let frame = self.normal.value("", frame);
        self.session.push(json!({"from": from, "frame": frame}));
        self.frames.entry(name).or_insert(frame);
    }

    /// From now on a session is recorded.
    pub fn begin_session(&mut self) {
        self.session.clear();
    }

    /// The session that was recorded since [`Recorder::begin_session`].
    pub fn end_session(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.session)
    }

    /// Everything, as it is kept in the file.
    pub fn finish(self, session: Vec<Value>) -> Value {
        json!({"operations": self.operations, "frames": self.frames, "session": session})
    }
}

/// The text of a field.
pub fn string(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
