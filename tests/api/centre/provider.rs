//! A provider that speaks the protocols of webhooks, group robots, text messages and WeChat on the loopback, checks signatures itself, remembers
//! what it was given, and misbehaves as it is told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the provider does with one request, after it has read it.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers with this status, these header lines and this body.
    Answer(u16, &'static str, &'static str),
    /// Takes it and ends the connection without an answer.
    Close,
    /// Takes it and answers after so many milliseconds as if nothing were.
    Wait(u64),
}

/// One request that was read to its end.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The path without the query.
    pub path: String,
    /// The query.
    pub query: HashMap<String, String>,
    /// The headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// The body as it came.
    pub raw: String,
    /// The body; null when it is no JSON.
    pub body: Value,
    /// When it was read.
    pub at: Instant,
}

#[derive(Default)]
struct State {
    deliveries: Vec<Delivery>,
    script: HashMap<String, VecDeque<Act>>,
    always: HashMap<String, Act>,
    /// Which access token holds, as WeChat.
    token: u64,
}

/// A running provider; it ends with the test.
#[derive(Clone)]
pub struct Provider {
    base: String,
    state: Arc<Mutex<State>>,
}

impl Provider {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self { base, state: Arc::default() };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        provider
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What it does with the next requests to this path.
    pub fn script(&self, path: &str, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().script.entry(path.to_owned()).or_default().extend(acts);
    }

    /// What it does with every request to this path for which nothing else is written.
    pub fn always(&self, path: &str, act: Option<Act>) {
        let mut state = self.state.lock().unwrap();
        match act {
            Some(act) => state.always.insert(path.to_owned(), act),
            None => state.always.remove(path),
        };
    }

    /// What came to this path.
    pub fn deliveries(&self, path: &str) -> Vec<Delivery> {
        let state = self.state.lock().unwrap();
        state.deliveries.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// Lets the access token that holds end, as another system that uses the official account may.
    pub fn revoke(&self) {
        self.state.lock().unwrap().token += 1;
    }

    fn accept(&self, delivery: &Delivery) -> (u16, &'static str, String) {
        if !delivery.headers.contains_key("content-length") {
            return (411, "", String::new());
        }
        let token = self.state.lock().unwrap().token;
        super::wechat_provider::accept(delivery, token).unwrap_or_else(|| accept(delivery))
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(delivery) = read(&mut stream).await {
            let act = {
                let mut state = self.state.lock().unwrap();
                state.deliveries.push(delivery.clone());
                let next = state.script.get_mut(&delivery.path).and_then(VecDeque::pop_front);
                next.or_else(|| state.always.get(&delivery.path).cloned())
            };
            let (status, headers, body) = match act {
                Some(Act::Answer(status, headers, body)) => (status, headers, body.to_owned()),
                Some(Act::Close) => return,
                Some(Act::Wait(milliseconds)) => {
                    tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
                    self.accept(&delivery)
                }
                None => self.accept(&delivery),
            };
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
            if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// One request; `None` when the connection ends.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Delivery> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut bytes = vec![0u8; length];
    stream.read_exact(&mut bytes).await.ok()?;
    let url = url::Url::parse(&format!("http://x{target}")).ok()?;
    let raw = String::from_utf8(bytes).ok()?;
    Some(Delivery {
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: serde_json::from_str(&raw).unwrap_or_default(),
        raw,
        at: Instant::now(),
    })
}

/// The secret of the robots that sign.
pub const ROBOT_SECRET: &str = "SECof-the-tests";

/// What each provider says to a request that it likes, and that DingTalk and Feishu say to a wrong signature.
fn accept(delivery: &Delivery) -> (u16, &'static str, String) {
    if let Some(answer) = super::sms_provider::accept(delivery) {
        return answer;
    }
    let (part, signs) = match delivery.path.trim_start_matches('/').split_once('/') {
        Some((part, rest)) => (part, rest == "signed"),
        None => (delivery.path.trim_start_matches('/'), false),
    };
    let body = match part {
        "wecom" => json!({"errcode": 0, "errmsg": "ok"}),
        "dingtalk" => {
            let text = |name: &str| delivery.query.get(name).cloned().unwrap_or_default();
            let right =
                hmac(ROBOT_SECRET.as_bytes(), format!("{}\n{ROBOT_SECRET}", text("timestamp")).as_bytes());
            match signs && text("sign") != right {
                true => json!({"errcode": 310000, "errmsg": "sign not match"}),
                false => json!({"errcode": 0, "errmsg": "ok"}),
            }
        }
        "feishu" => {
            let time = delivery.body["timestamp"].as_str().unwrap_or_default();
            let right = hmac(format!("{time}\n{ROBOT_SECRET}").as_bytes(), b"");
            match signs && delivery.body["sign"] != json!(right) {
                true => json!({"code": 19021, "msg": "sign match fail"}),
                false => json!({"code": 0, "msg": "success", "data": {}}),
            }
        }
        "slack" => return (200, "", "ok".to_owned()),
        _ => return (204, "", String::new()),
    };
    (200, "content-type: application/json\r\n", body.to_string())
}

/// HMAC-SHA256 as base64, written a second time.
pub fn hmac(key: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Whether a webhook is signed by this secret (Standard Webhooks).
pub fn is_signed(delivery: &Delivery, secret: &str) -> bool {
    let header = |name: &str| delivery.headers.get(name).cloned().unwrap_or_default();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let text = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), delivery.raw);
    let right = format!("v1,{}", hmac(&key, text.as_bytes()));
    header("webhook-signature").split(' ').any(|one| one == right)
}
