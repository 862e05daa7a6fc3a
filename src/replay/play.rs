//! One dialogue between one visitor and one agent, as both sides know it: which message is which turn, and how a
//! turn is sent. Owns the faults on the way: cut sockets, and sends repeated through another transport.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::{Value, json};

use super::client::fact::{digest, id};
use super::client::{Backoff, Device, Failure};
use super::dialogue::{Dialogue, Turn};
use super::history::{History, Id, Key, count};
use super::pace::Pace;

/// What everybody in a run shares.
#[derive(Debug)]
pub struct Run {
    /// Sets this run's keys apart from those of all others.
    pub name: String,
    /// The dialogues of the file.
    pub dialogues: Vec<Dialogue>,
    /// How many are to be played.
    pub plays: usize,
    /// The next one to be played.
    pub next: AtomicUsize,
    /// For so long dialogues begin.
    pub lasts: Option<Duration>,
    /// Since when, once everybody is there.
    pub begun: OnceLock<Instant>,
    /// No dialogue begins any more.
    pub stopped: Arc<AtomicBool>,
    /// Devices of each member.
    pub devices: u8,
    /// How likely a fault is at each turn, from 0 to 1.
    pub faults: f64,
    /// How long to go on without a server.
    pub patience: Duration,
    /// How fast messages go out.
    pub pace: Pace,
    /// What happened.
    pub history: Arc<History>,
}

/// How long something that must come may take while there is a server.
const STALL: Duration = Duration::from_secs(60);

/// A way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// The device's socket.
    Socket,
    /// A request of its own.
    Rest,
}

impl Transport {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Socket => Self::Rest,
            Self::Rest => Self::Socket,
        }
    }
}

impl Run {
    /// The number of the next dialogue to play, while there is one.
    pub fn take(&self) -> Option<usize> {
        if self.stopped.load(Ordering::Relaxed) || self.is_late() {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.plays).then_some(number)
    }

    /// The dialogue that is played under this number.
    pub fn dialogue(&self, number: usize) -> &Dialogue {
        &self.dialogues[number % self.dialogues.len()]
    }

    /// The key of a turn; it says which dialogue it belongs to.
    pub fn key(&self, number: usize, turn: usize) -> Key {
        format!("{}.{number}.{turn}", self.name).into()
    }

    /// A key of words that are no turn of a dialogue and belong to it all the same.
    pub fn aside(&self, number: usize, place: usize) -> Key {
        format!("{}.{number}.aside.{place}.{}", self.name, self.below(i64::MAX)).into()
    }

    /// The number of the dialogue that a key belongs to.
    pub fn number(&self, key: &str) -> Option<usize> {
        let (number, _) = key.strip_prefix(self.name.as_str())?.strip_prefix('.')?.split_once('.')?;
        number.parse().ok().filter(|number| *number < self.plays)
    }

    /// Whether no dialogue begins any more, because the time is over.
    fn is_late(&self) -> bool {
        let begun = self.begun.get().map(Instant::elapsed);
        self.lasts.zip(begun).is_some_and(|(lasts, begun)| begun >= lasts)
    }

    /// How long to wait for something that must come.
    pub fn stall(&self) -> Duration {
        STALL + self.patience
    }

    /// Whether something of this likelihood happens now.
    pub fn chance(&self, likelihood: f64) -> bool {
        rand::rng().random_bool(likelihood)
    }

    /// A number from 0 to below this one; 0 when there is none.
    pub fn below(&self, end: i64) -> i64 {
        rand::rng().random_range(0..end.max(1))
    }

    /// A fault beside the messages: the socket is cut while nothing is under way.
    pub fn maybe_cut(&self, device: &Device) {
        if self.chance(self.faults / 2.0) {
            device.cut();
        }
    }
}

/// The body that both doors take.
pub fn body(key: &str, turn: &Turn, read_seq: Option<i64>) -> Value {
    let mut body = json!({ "client_msg_id": key, "kind": "text", "content": { "text": &*turn.text } });
    if let Some(seq) = read_seq {
        body["read_seq"] = seq.into();
    }
    body
}

/// The digest of a turn's content as every entry carries it.
pub fn words(turn: &Turn) -> u64 {
    digest(&json!({ "text": &*turn.text }))
}

/// A file that was uploaded.
#[derive(Debug)]
pub struct Attached {
    /// What a message that carries it must say.
    pub content: Value,
}

/// A turn that is to be spoken.
pub struct Outgoing<'a> {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// Where.
    pub conversation: Id,
    /// Under which key.
    pub key: Key,
    /// What.
    pub turn: &'a Turn,
    /// The transport that is tried first.
    pub transport: Transport,
    /// The file by which it is said.
    pub attached: Option<&'a Attached>,
}

impl Outgoing<'_> {
    /// The digest of its content as every entry carries it.
    fn words(&self) -> u64 {
        self.attached.map_or_else(|| words(self.turn), |attached| digest(&attached.content))
    }
}

/// Says something and returns when it was acknowledged: an attempt without an answer is repeated with the same key
/// through the other transport until there is one. Returns the message's seq.
pub async fn send_message(run: &Run, device: &Device, message: Outgoing<'_>) -> Result<i64, Failure> {
    run.pace.wait().await;
    let history = &run.history;
    let displayed = device.shared.view().logs.get(&message.conversation).map(super::client::view::Log::have);
    let mut body = body(&message.key, message.turn, displayed);
    if let Some(attached) = message.attached {
        body["kind"] = "file".into();
        body["content"] = json!({"attachment_id": attached.content["attachment_id"]});
    }
    let words = message.words();
    let sender = device.member();
    let mut cut = run.chance(run.faults / 2.0);
    let mut transport = if cut { Transport::Socket } else { message.transport };
    let mut backoff = Backoff::new(run.patience);
    let seq = loop {
        history.invoke(message.tenant, sender, &message.key, Some(message.conversation), words);
        match send(device, &message, &body, transport, std::mem::take(&mut cut)).await {
            Ok(seq) => {
                if history.acknowledge(&message.key, message.conversation, seq)
                    && transport == Transport::Socket
                {
                    count(&history.counters.over_socket);
                }
                break seq;
            }
            Err(failure) => {
                match &failure {
                    failure if failure.leaves_doubt() => history.lose_sight(&message.key),
                    Failure::Refused { retryable: true, .. } => count(&history.counters.deferred),
                    Failure::Refused { code, .. } => history.refuse(&message.key, code),
                    _ => {}
                }
                backoff.after(failure).await?;
                transport = transport.other();
            }
        }
    };
    if run.chance(run.faults) {
        count(&history.counters.repeats);
        history.invoke(message.tenant, sender, &message.key, Some(message.conversation), words);
        match send(device, &message, &body, transport.other(), false).await {
            Ok(seq) => {
                history.acknowledge(&message.key, message.conversation, seq);
            }
            Err(Failure::Refused { retryable: false, code, .. }) => {
                history.complain(format!("{}: repeated and refused with {code}", message.key));
            }
            // It was acknowledged before; a repetition without an answer takes nothing back.
            Err(_) => {}
        }
    }
    Ok(seq)
}

/// One attempt. Returns the seq that the acknowledgement names.
async fn send(
    device: &Device,
    message: &Outgoing<'_>,
    body: &Value,
    transport: Transport,
    cut: bool,
) -> Result<i64, Failure> {
    let conversation = message.conversation.to_string();
    let answer = match transport {
        Transport::Socket => {
            let mut data = body.clone();
            data["conversation_id"] = conversation.into();
            device.request("message.send", data, cut).await?
        }
        Transport::Rest => {
            device.shared.rest.post(&format!("/conversations/{conversation}/messages"), body).await?
        }
    };
    let told = answer.get("conversation_id").or_else(|| answer["entry"].get("conversation_id"));
    match (answer["seq"].as_i64(), told.and_then(id)) {
        (Some(seq), Some(told)) if told == message.conversation => Ok(seq),
        _ => Err(Failure::Over(format!("an acknowledgement without conversation and seq: {answer}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_back_to_their_dialogue() {
        let run = Run {
            name: "r1".to_owned(),
            dialogues: Vec::new(),
            plays: 20,
            next: AtomicUsize::new(19),
            lasts: None,
            begun: OnceLock::new(),
            stopped: Arc::default(),
            devices: 1,
            faults: 0.0,
            patience: STALL,
            pace: Pace::new(None),
            history: Arc::default(),
        };
        assert_eq!(run.number(&run.key(17, 3)), Some(17));
        assert_eq!(run.number(&run.aside(17, 3)), Some(17));
        assert_eq!(run.number("r1.99.0"), None);
        assert_eq!(run.number("r2.17.0"), None);
        assert_eq!((run.take(), run.take()), (Some(19), None));
    }
}
