//! What the scripted server does next, and the records that it keeps: types without behaviour.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc;

/// A broken rule, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The rule's name in `CLIENT_RULES`.
    pub rule: &'static str,
    /// One sentence.
    pub why: String,
}

impl Broken {
    /// A rule was broken.
    pub fn new(rule: &'static str, why: impl Into<String>) -> Self {
        Self { rule, why: why.into() }
    }
}

/// What goes out on a socket.
#[derive(Debug, Clone)]
pub enum Out {
    /// A frame.
    Frame(String),
    /// A close frame; the connection ends when the client answered.
    Close(u16, &'static str),
    /// The connection is reset without a word.
    Cut,
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The scenario ended it.
    Server,
    /// The client said Close.
    ClientClose,
    /// The client is gone without a word.
    ClientGone,
}

/// A socket that was opened.
#[derive(Debug)]
pub struct Socket {
    /// When.
    pub opened: Instant,
    /// Frames from the client, in order.
    pub frames: Vec<(Instant, Value)>,
    /// When `live` was said.
    pub live: Option<Instant>,
    /// When and how it ended.
    pub ended: Option<(Instant, Ending)>,
    /// To the socket.
    pub out: mpsc::Sender<Out>,
    /// The data of its hello.
    pub hello: Option<Value>,
    /// It is being cut: what still comes was lost on the way.
    pub dead: bool,
}

impl Socket {
    /// A socket that has just connected.
    pub fn new(out: mpsc::Sender<Out>) -> Self {
        Self {
            opened: Instant::now(),
            frames: Vec::new(),
            live: None,
            ended: None,
            out,
            hello: None,
            dead: false,
        }
    }
}

/// What is done with a frame or a request instead of the usual.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing is done, and the connection is cut.
    CutBefore,
    /// It is done, and the connection is cut before the answer.
    CutAfter,
    /// It is not done, and never answered.
    Ignore,
    /// It is done, and never answered.
    Silent,
    /// It is done, and answered after this time.
    Slow(Duration),
    /// `error` with this code, and whether and when it may be repeated.
    Refuse(&'static str, bool, Option<u64>),
    /// A bare HTTP status, with `Retry-After` in seconds.
    Status(u16, Option<u64>),
}

/// A message that the client sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// When it came.
    pub at: Instant,
    /// On which socket.
    pub socket: usize,
    /// Its key.
    pub key: String,
    /// Its text.
    pub text: String,
}

/// What the server does next, and how long it says that the client should wait.
#[derive(Debug)]
pub struct Plan {
    /// For the next hellos; `None` is the usual.
    pub hello: VecDeque<Option<Fault>>,
    /// For the next messages.
    pub send: VecDeque<Option<Fault>>,
    /// For the next `sync`.
    pub sync: VecDeque<Option<Fault>>,
    /// For the next `pull`.
    pub pull: VecDeque<Option<Fault>>,
    /// For the next refreshes.
    pub refresh: VecDeque<Option<Fault>>,
    /// For the next upgrades.
    pub upgrade: VecDeque<Option<Fault>>,
    /// `reset` with `all` goes before the next `ready`.
    pub reset_all: bool,
    /// The next rows of `sync` come in two pages.
    pub pages: bool,
    /// Whether the client's pings are answered.
    pub pongs: bool,
    /// How often the server pings.
    pub ping_every: Duration,
    /// The limit `silence`.
    pub silence_ms: u64,
    /// The limit `answer`.
    pub answer_ms: u64,
    /// How long an access token is good when it is new.
    pub token_ms: i64,
    /// How long the access token of a hello is still good, if not as long as it was.
    pub hello_token_ms: Option<i64>,
    /// Durable frames carry a cursor that must not be stored.
    pub lagging: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            hello: VecDeque::new(),
            send: VecDeque::new(),
            sync: VecDeque::new(),
            pull: VecDeque::new(),
            refresh: VecDeque::new(),
            upgrade: VecDeque::new(),
            reset_all: false,
            pages: false,
            pongs: true,
            ping_every: Duration::from_secs(5),
            silence_ms: 60_000,
            answer_ms: 15_000,
            token_ms: 3_600_000,
            hello_token_ms: None,
            lagging: false,
        }
    }
}
