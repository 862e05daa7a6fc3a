//! What people do beside sending: typing, reporting what was delivered, editing, recalling, writing notes, marking as
//! unread. Each is done at random, again and again, through both doors; what is acknowledged is recorded.

use serde_json::{Value, json};

use super::client::fact::{digest, id};
use super::client::view::Log;
use super::client::{Backoff, Device, Failure};
use super::history::{Action, Id, Key, count};
use super::play::{Run, Transport};

/// How likely each is at a turn.
const TYPES: f64 = 0.3;
/// How likely one who types says that it stopped.
const STOPS_TYPING: f64 = 0.3;
const REPORTS_DELIVERED: f64 = 0.3;
const EDITS: f64 = 0.1;
const RECALLS: f64 = 0.05;
const NOTES: f64 = 0.2;
const MARKS_UNREAD: f64 = 0.15;

/// What nobody answers: types, mostly without taking it back, and reports delivered positions, twice in a row.
pub fn signal(run: &Run, device: &Device, conversation: Id) {
    let id = conversation.to_string();
    if run.chance(TYPES) {
        count(&run.history.counters.typings);
        device.tell("typing", json!({ "conversation_id": id, "on": true }));
        if run.chance(STOPS_TYPING) {
            device.tell("typing", json!({ "conversation_id": id, "on": false }));
        }
    }
    if run.chance(REPORTS_DELIVERED) {
        let have = device.shared.view().logs.get(&conversation).map_or(0, Log::have);
        for nonce in ["first", "second"] {
            count(&run.history.counters.delivered_reports);
            device.tell("ping", json!({ "nonce": nonce, "delivered": [[id, have]] }));
        }
    }
}

/// Now and then edits, where that may be done, or recalls a message that was just sent.
pub async fn change(
    run: &Run,
    device: &Device,
    (conversation, key, seq): (Id, &Key, i64),
    editable: bool,
) -> Result<(), Failure> {
    let message = Message { conversation, key, seq };
    if editable && run.chance(EDITS) {
        message.edit(run, device).await?;
    }
    if run.chance(RECALLS) {
        message.recall(run, device).await?;
    }
    Ok(())
}

/// A message of one's own.
struct Message<'a> {
    conversation: Id,
    key: &'a Key,
    seq: i64,
}

impl Message<'_> {
    async fn edit(&self, run: &Run, device: &Device) -> Result<(), Failure> {
        let body = json!({ "kind": "text", "content": { "text": format!("{} as it was meant", self.key) } });
        run.history.edit(self.key, digest(&body["content"]));
        if self.insist(run, device, "message.edit", reqwest::Method::PATCH, Some(body)).await? {
            run.history.edited(self.key);
        }
        Ok(())
    }

    async fn recall(&self, run: &Run, device: &Device) -> Result<(), Failure> {
        run.history.recall(self.key, false);
        if self.insist(run, device, "message.recall", reqwest::Method::DELETE, None).await? {
            run.history.recall(self.key, true);
        }
        Ok(())
    }

    /// Repeats until there is an answer. Returns whether it was done; a refusal is counted.
    async fn insist(
        &self,
        run: &Run,
        device: &Device,
        frame: &'static str,
        method: reqwest::Method,
        body: Option<Value>,
    ) -> Result<bool, Failure> {
        let mut backoff = Backoff::new(run.patience);
        let mut transport = if run.chance(0.5) { Transport::Socket } else { Transport::Rest };
        loop {
            let answer = match transport {
                Transport::Socket => {
                    let mut data = body.clone().unwrap_or_else(|| json!({}));
                    data["conversation_id"] = self.conversation.to_string().into();
                    data["seq"] = self.seq.into();
                    device.request(frame, data, run.chance(run.faults / 2.0)).await
                }
                Transport::Rest => {
                    let path = format!("/conversations/{}/messages/{}", self.conversation, self.seq);
                    device.shared.rest.call(method.clone(), &path, body.as_ref()).await
                }
            };
            match answer {
                Ok(_) => return Ok(true),
                Err(Failure::Refused { retryable: false, code, .. })
                    if matches!(
                        code.as_str(),
                        "conversation_closed" | "window_expired" | "message_recalled"
                    ) =>
                {
                    count(&run.history.counters.changes_refused);
                    return Ok(false);
                }
                Err(failure) => backoff.after(failure).await?,
            }
            transport = transport.other();
        }
    }
}

/// Now and then writes a note behind the conversation. The key leads back to the dialogue as all keys do.
pub async fn note(
    run: &Run,
    device: &Device,
    tenant: usize,
    conversation: Id,
    key: Key,
) -> Result<(), Failure> {
    if !run.chance(NOTES) {
        return Ok(());
    }
    let body =
        json!({ "client_msg_id": &*key, "kind": "text", "content": { "text": format!("note {key}") } });
    let words = digest(&body["content"]);
    let path = format!("/conversations/{conversation}/notes");
    let mut backoff = Backoff::new(run.patience);
    loop {
        run.history.invoke(tenant, device.member(), &key, None, words);
        let failure = match device.shared.rest.post(&path, &body).await {
            Ok(answer) => {
                let entry = &answer["entry"];
                let (Some(log), Some(seq)) =
                    (entry.get("conversation_id").and_then(id), entry["seq"].as_i64())
                else {
                    return Err(Failure::Over(format!("a note without conversation and seq: {answer}")));
                };
                run.history.acknowledge(&key, log, seq);
                count(&run.history.counters.notes);
                return Ok(());
            }
            Err(failure) => failure,
        };
        match &failure {
            failure if failure.leaves_doubt() => run.history.lose_sight(&key),
            Failure::Refused { retryable: false, code, .. } => run.history.refuse(&key, code),
            _ => {}
        }
        backoff.after(failure).await?;
    }
}

/// Now and then marks the conversation as unread from somewhere on.
pub async fn mark_unread(run: &Run, device: &Device, conversation: Id) -> Result<(), Failure> {
    if !run.chance(MARKS_UNREAD) {
        return Ok(());
    }
    let have = device.shared.view().logs.get(&conversation).map_or(0, Log::have);
    let seq = run.below(have);
    let path = format!("/conversations/{conversation}/mark_unread");
    let mut backoff = Backoff::new(run.patience);
    loop {
        match device.shared.rest.post(&path, &json!({ "seq": seq })).await {
            Ok(answer) => {
                count(&run.history.counters.marked_unread);
                let version = answer["read_ver"].as_i64().unwrap_or_default();
                run.history.note(device.member(), conversation, Action::MarkedUnread { version });
                return Ok(());
            }
            Err(failure) => backoff.after(failure).await?,
        }
    }
}
