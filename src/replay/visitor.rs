//! A visitor: opens a conversation, says its turns once the turn before was seen, reads, waits for the end, and
//! begins the next dialogue.

use serde_json::json;

use super::client::fact::id;
use super::client::view::{Log, View};
use super::client::{Backoff, Device, Failure};
use super::dialogue::Speaker;
use super::history::{Deed, Id, Key, count};
use super::play::{Door, Run, Speech, body, speak, words};

/// A visitor with its device.
#[derive(Debug)]
pub struct Visitor {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// The signed-in device.
    pub device: Device,
}

impl Visitor {
    /// Plays dialogues until none is left. A dialogue that cannot go on is told and left.
    pub async fn play(&self, run: &Run) {
        while let Some(number) = run.take() {
            match self.dialogue(run, number).await {
                Ok(()) => count(&run.history.counters.dialogues),
                Err(failure) => {
                    run.history
                        .complain(format!("{} in dialogue {number}: {failure}", self.device.shared.name));
                    if let Failure::Over(_) = failure {
                        return;
                    }
                }
            }
        }
    }

    async fn dialogue(&self, run: &Run, number: usize) -> Result<(), Failure> {
        let dialogue = run.dialogue(number);
        let with_message = run.chance(0.5);
        let first = run.key(number, 0);
        let conversation = self.open(run, number, with_message.then_some(&first)).await?;
        for (index, turn) in dialogue.turns.iter().enumerate() {
            if turn.role != Speaker::Customer || (index == 0 && with_message) {
                continue;
            }
            if let Some(before) = index.checked_sub(1) {
                self.see(run, conversation, &run.key(number, before)).await?;
            }
            if run.chance(0.7) {
                self.read(conversation).await;
            }
            // People's own words travel over the socket; now and then an application uses REST.
            let door = if run.chance(0.9) { Door::Socket } else { Door::Rest };
            let key = run.key(number, index);
            speak(run, &self.device, Speech { tenant: self.tenant, conversation, key, turn, door }).await?;
            run.maybe_cut(&self.device).await;
        }
        let last = run.key(number, dialogue.turns.len() - 1);
        self.see(run, conversation, &last).await?;
        if run.chance(0.5) {
            self.read(conversation).await;
        }
        let closed = |view: &View| view.logs.get(&conversation)?.has_kind("closed").then_some(());
        self.device.until(run.stall(), &format!("the end of {conversation}"), closed).await
    }

    /// Opens over REST, with the first message or without; repeated until it is answered.
    async fn open(&self, run: &Run, number: usize, first: Option<&Key>) -> Result<Id, Failure> {
        run.pace.wait().await;
        let turn = &run.dialogue(number).turns[0];
        let mut request = json!({ "subject": format!("{} {number}", run.name) });
        if let Some(key) = first {
            request["message"] = body(key, turn, None);
        }
        let member = self.device.member();
        let mut backoff = Backoff::new(run.patience);
        loop {
            if let Some(key) = first {
                run.history.invoke(self.tenant, member, key, None, words(turn));
            }
            let failure = match self.device.shared.rest.post("/conversations", &request).await {
                Ok(answer) => {
                    let view = answer.get("conversation").unwrap_or(&answer);
                    let conversation = view.get("id").and_then(id).ok_or_else(|| {
                        Failure::Over(format!("no conversation in the answer to opening: {answer}"))
                    })?;
                    if let (Some(key), Some(seq)) = (first, answer["entry"]["seq"].as_i64()) {
                        run.history.acknowledge(key, conversation, seq);
                    }
                    return Ok(conversation);
                }
                Err(failure) => failure,
            };
            match (&failure, first) {
                (Failure::Unknown(_), Some(key)) => run.history.lose_sight(key),
                (Failure::Refused { retryable: false, code, .. }, Some(key)) => run.history.refuse(key, code),
                _ => {}
            }
            backoff.after(failure).await?;
        }
    }

    /// Waits until a message is on this visitor's screen.
    async fn see(&self, run: &Run, conversation: Id, key: &Key) -> Result<(), Failure> {
        let shown = |view: &View| view.logs.get(&conversation)?.has_key(key).then_some(());
        self.device.until(run.stall(), &format!("{key} in {conversation}"), shown).await
    }

    /// Reads everything that is on the screen.
    async fn read(&self, conversation: Id) {
        let have = self.device.shared.view().logs.get(&conversation).map_or(0, Log::have);
        self.device.read(conversation, have).await;
    }
}

/// Reads a conversation to its end over REST and notes the acknowledgement.
pub async fn read_for_good(run: &Run, device: &Device, conversation: Id) -> Result<(), Failure> {
    let (seq, read_ver) = {
        let view = device.shared.view();
        let seq = view.logs.get(&conversation).map_or(0, Log::have);
        (seq, view.rows.get(&conversation).map_or(0, |row| row.read_ver))
    };
    let mut backoff = Backoff::new(run.patience);
    let request = json!({ "seq": seq, "read_ver": read_ver });
    loop {
        match device.shared.rest.post(&format!("/conversations/{conversation}/read"), &request).await {
            Ok(answer) => {
                // An older version of the position than the server's is ignored, and the answer says so.
                if answer["read_ver"].as_i64() == Some(read_ver) {
                    run.history.note(device.member(), conversation, Deed::Read(seq));
                }
                return Ok(());
            }
            Err(failure) => backoff.after(failure).await?,
        }
    }
}
