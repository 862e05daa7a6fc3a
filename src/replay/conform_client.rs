//! Replay's own client as `deskwire conform` tests it: instructions come on standard input, reports go to standard
//! output. Owns the outbox of what it is to send; everything else is the client that replay plays with.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::client::device::{LinkState, Plan};
use super::client::fact::id;
use super::client::view::{Shown, View};
use super::client::{Backoff, Device, Failure, Rest, Site};
use super::history::Id;

/// How long to go on without a server.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the connection may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Instructions, and messages of one conversation, that may wait.
const QUEUE: usize = 256;

/// Serves until standard input ends or says stop. The error is a sentence for the terminal.
pub fn run() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| format!("no runtime: {cause}"))?;
    runtime.block_on(serve())
}

fn report(event: &str, mut data: Value) {
    data["event"] = event.into();
    // Whoever does not listen any more is gone.
    let _ = writeln!(std::io::stdout(), "{data}");
}

async fn serve() -> Result<(), String> {
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let rest = Rest::anonymous(Site::new(vec![variable("CONFORM_URL")?], 0)?, 0, None);
    let tokens = json!({
        "access_token": variable("CONFORM_ACCESS_TOKEN")?, "refresh_token": variable("CONFORM_REFRESH_TOKEN")?,
    });
    rest.sign_in(&tokens).map_err(|failure| failure.to_string())?;
    let member =
        variable("CONFORM_MEMBER_ID")?.parse().map_err(|_| "CONFORM_MEMBER_ID is no id".to_owned())?;
    let (name, rest) = (variable("CONFORM_DEVICE")?, Arc::new(rest));
    let plan = Plan { member, rest, name, patience: PATIENCE, waiting: None };
    let device = Arc::new(Device::start(plan, Arc::default()));
    device.shared.view().shown = Some(Vec::new());
    report("started", json!({ "supports": ["read", "unread"] }));

    let mut lines = instructions();
    let mut changes = device.shared.changes.subscribe();
    let mut client =
        Client { device, outboxes: HashMap::new(), displayed: HashMap::new(), unread: HashMap::new() };
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) if line["do"] != "stop" => client.follow(&line),
                _ => break,
            },
            changed = changes.changed() => match changed {
                Ok(()) => client.show(),
                Err(_) => break,
            },
        }
    }
    // The connection ends in good order before the process does.
    let mut link_state = client.device.shared.link_state.subscribe();
    client.device.stop().await;
    let over = link_state.wait_for(|state| matches!(state, LinkState::Over(_)));
    let _ = tokio::time::timeout(STOP_WITHIN, over).await;
    Ok(())
}

/// Standard input, line by line.
fn instructions() -> mpsc::Receiver<Value> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            let instruction = serde_json::from_str(&line).unwrap_or_default();
            if sender.blocking_send(instruction).is_err() {
                return;
            }
        }
    });
    receiver
}

struct Client {
    device: Arc<Device>,
    /// What is to be sent, in order, by conversation.
    outboxes: HashMap<Id, mpsc::Sender<Value>>,
    displayed: HashMap<Id, i64>,
    /// The numbers that were shown last.
    unread: HashMap<Id, i64>,
}

impl Client {
    fn follow(&mut self, instruction: &Value) {
        let Some(conversation) = id(&instruction["conversation_id"]) else { return };
        match instruction["do"].as_str() {
            Some("send") => {
                let key = format!("r.{:016x}", rand::rng().random::<u64>());
                let mut message = json!({
                    "conversation_id": conversation.to_string(), "client_msg_id": key, "kind": "text",
                    "content": { "text": instruction["text"] },
                });
                if let Some(seq) = self.displayed.get(&conversation) {
                    message["read_seq"] = (*seq).into();
                }
                let outbox = self.outboxes.entry(conversation).or_insert_with(|| {
                    let (sender, messages) = mpsc::channel(QUEUE);
                    tokio::spawn(deliver(self.device.clone(), messages));
                    sender
                });
                if outbox.try_send(message).is_err() {
                    report("failed", json!({ "client_msg_id": key, "code": "busy" }));
                }
            }
            Some("read") => {
                let seq = instruction["seq"].as_i64().unwrap_or_default();
                self.displayed.insert(conversation, seq);
                self.device.read(conversation, seq);
            }
            _ => {}
        }
    }

    /// Reports what changed.
    fn show(&mut self) {
        let (shown, unread) = {
            let mut view = self.device.shared.view();
            (view.shown.as_mut().map(std::mem::take).unwrap_or_default(), unread(&view))
        };
        for one in shown {
            match one {
                Shown::Entry(conversation, seq, kind) => {
                    report(
                        "entry",
                        json!({ "conversation_id": conversation.to_string(), "seq": seq, "kind": kind }),
                    );
                }
                Shown::Changed(conversation, seq, recalled) => {
                    let id = conversation.to_string();
                    report("changed", json!({ "conversation_id": id, "seq": seq, "recalled": recalled }));
                }
                Shown::Erased(conversation, through) => {
                    let id = conversation.to_string();
                    report("erased", json!({ "conversation_id": id, "through_seq": through }));
                }
                Shown::Dropped(conversation) => {
                    let id = conversation.map(|conversation| conversation.to_string());
                    report("dropped", json!({ "conversation_id": id }));
                }
            }
        }
        for (conversation, unread) in &unread {
            if self.unread.get(conversation) != Some(unread) {
                report("unread", json!({ "conversation_id": conversation.to_string(), "unread": unread }));
            }
        }
        self.unread = unread;
    }
}

/// The numbers that a screen would show.
fn unread(view: &View) -> HashMap<Id, i64> {
    view.rows.keys().filter_map(|conversation| Some((*conversation, view.unread(*conversation)?))).collect()
}

/// Sends one message after another, each until it is answered, as replay's dialogues do.
async fn deliver(device: Arc<Device>, mut messages: mpsc::Receiver<Value>) {
    while let Some(message) = messages.recv().await {
        let mut backoff = Backoff::new(PATIENCE);
        while let Err(failure) = device.request("message.send", message.clone(), false).await {
            if let Failure::Refused { retryable: false, code, .. } = &failure {
                report("failed", json!({ "client_msg_id": message["client_msg_id"], "code": code }));
            }
            if backoff.after(failure).await.is_err() {
                break;
            }
        }
    }
}
