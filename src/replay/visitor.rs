//! A visitor: opens a conversation, sends its turns once the turn before was seen, says on the way who it is, reads,
//! waits for the end, and begins the next dialogue. Some take their time, and some go away without a word.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::actions;
use super::client::fact::id;
use super::client::view::{Log, View};
use super::client::{Backoff, Device, Failure};
use super::desk::Desk;
use super::dialogue::Speaker;
use super::history::{Action, Id, Key, count};
use super::identify::{Identity, become_known};
use super::member::Member;
use super::play::{Outgoing, Run, Transport, body, send_message, words};
use super::{files, ratings};

/// A visitor with its devices.
#[derive(Debug)]
pub struct Visitor {
    /// The tenant's place in the run.
    pub tenant: usize,
    name: String,
    /// Who it will say that it is, once.
    identity: Mutex<Option<Identity>>,
    /// Who it is now, and who it was before it turned out to be somebody known.
    members: Mutex<(Arc<Member>, Option<Arc<Member>>)>,
    /// Where its tenant routes: what can be asked for.
    desk: Option<Arc<Desk>>,
}

/// How likely it is at a turn that a visitor says who it is.
const IDENTIFIES: f64 = 0.4;
/// How likely it is at a turn that a visitor takes its time, where somebody reminds it.
const THINKS: f64 = 0.06;
/// Of so many dialogues one visitor goes away in the middle, where what it left is closed.
const LEAVES: usize = 10;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Visitor {
    /// A visitor who may identify later.
    pub fn new(
        (tenant, desk): (usize, Option<Arc<Desk>>),
        name: String,
        member: Member,
        identity: Option<Identity>,
    ) -> Self {
        let members = Mutex::new((Arc::new(member), None));
        Self { tenant, name, identity: Mutex::new(identity), members, desk }
    }

    /// Who it is now.
    pub fn member(&self) -> Arc<Member> {
        lock(&self.members).0.clone()
    }

    /// Who it was before it turned out to be a known customer.
    pub fn former(&self) -> Option<Arc<Member>> {
        lock(&self.members).1.clone()
    }

    /// Plays dialogues until none is left. A dialogue that cannot go on is told and left.
    pub async fn play(&self, run: &Run) {
        while let Some(number) = run.take() {
            match self.dialogue(run, number).await {
                Ok(()) => count(&run.history.counters.dialogues),
                Err(failure) => {
                    run.history.complain(format!("{} in dialogue {number}: {failure}", self.name));
                    if let Failure::Over(_) = failure {
                        return;
                    }
                }
            }
        }
    }

    async fn dialogue(&self, run: &Run, number: usize) -> Result<(), Failure> {
        let with_message = run.chance(0.5);
        let first = run.key(number, 0);
        let conversation = self.open(run, number, with_message.then_some(&first)).await?;
        match self.talk(run, number, conversation, with_message).await {
            // The server may have ended it, where customers who are silent are given up.
            Err(failure) if failure.code() == Some("conversation_closed") && self.gives_up().is_some() => {
                match self.end(run, conversation).await?.as_deref() {
                    Some("timed_out") => {
                        count(&run.history.counters.timed_out);
                        Ok(())
                    }
                    _ => Err(failure),
                }
            }
            done => done,
        }
    }

    /// After how many seconds the tenant gives a silent customer up.
    fn gives_up(&self) -> Option<i64> {
        self.desk.as_ref().and_then(|desk| desk.timers.close)
    }

    /// Waits for the end, and returns why it came.
    async fn end(&self, run: &Run, conversation: Id) -> Result<Option<Box<str>>, Failure> {
        let closed = |view: &View| {
            let entries = &view.logs.get(&conversation)?.entries;
            entries.iter().find(|fact| &*fact.kind == "closed").map(|fact| fact.reason.clone())
        };
        self.member().first().until(run.stall(), &format!("the end of {conversation}"), closed).await
    }

    async fn talk(
        &self,
        run: &Run,
        number: usize,
        conversation: Id,
        with_message: bool,
    ) -> Result<(), Failure> {
        let dialogue = run.dialogue(number);
        for (index, turn) in dialogue.turns.iter().enumerate() {
            if turn.role != Speaker::Customer || (index == 0 && with_message) {
                continue;
            }
            if let Some(before) = index.checked_sub(1) {
                self.see(run, conversation, &run.key(number, before)).await?;
            }
            if index > 0 {
                self.maybe_identify(run).await?;
            }
            if index > 1 && self.gives_up().is_some() {
                if number % LEAVES == LEAVES - 1 {
                    count(&run.history.counters.left);
                    return Err(closed());
                }
                if run.chance(THINKS) {
                    let long = 1_200 + run.below(1_200).unsigned_abs();
                    tokio::time::sleep(Duration::from_millis(long)).await;
                }
            }
            let member = self.member();
            let device = member.any();
            if run.chance(0.7) {
                read(device, conversation);
            }
            actions::signal(run, device, conversation);
            // Most of what people write goes over the socket; now and then an application uses REST.
            let transport = if run.chance(0.9) { Transport::Socket } else { Transport::Rest };
            let key = run.key(number, index);
            let attached = files::maybe_upload(run, &member, conversation, &key, turn).await?;
            let attached = attached.as_ref();
            let message =
                Outgoing { tenant: self.tenant, conversation, key: key.clone(), turn, transport, attached };
            let seq = send_message(run, device, message).await?;
            run.maybe_cut(device);
            actions::change(run, device, (conversation, &key, seq), attached.is_none()).await?;
        }
        let last = run.key(number, dialogue.turns.len() - 1);
        self.see(run, conversation, &last).await?;
        let member = self.member();
        if run.chance(0.5) {
            read(member.any(), conversation);
        }
        actions::mark_unread(run, member.any(), conversation).await?;
        self.end(run, conversation).await?;
        ratings::maybe_rate(run, &member, conversation).await
    }

    /// Opens over REST, with the first message or without; repeated until it is answered.
    async fn open(&self, run: &Run, number: usize, first: Option<&Key>) -> Result<Id, Failure> {
        run.pace.wait().await;
        let turn = &run.dialogue(number).turns[0];
        let mut request = json!({ "subject": format!("{} {number}", run.name) });
        if let Some(key) = first {
            request["message"] = body(key, turn, None);
        }
        let asked = self.desk.as_ref().map(|desk| desk.ask(run, &mut request));
        let member = self.member();
        let mut backoff = Backoff::new(run.patience);
        loop {
            if let Some(key) = first {
                run.history.invoke(self.tenant, member.id(), key, None, words(turn));
            }
            let failure = match member.rest().post("/conversations", &request).await {
                Ok(answer) => {
                    let view = answer.get("conversation").unwrap_or(&answer);
                    let conversation = view.get("id").and_then(id).ok_or_else(|| {
                        Failure::Over(format!("no conversation in the answer to opening: {answer}"))
                    })?;
                    if let (Some(key), Some(seq)) = (first, answer["entry"]["seq"].as_i64()) {
                        run.history.acknowledge(key, conversation, seq);
                    }
                    run.history.ask(conversation, asked.unwrap_or_default());
                    return Ok(conversation);
                }
                Err(failure) => failure,
            };
            match (&failure, first) {
                (failure, Some(key)) if failure.leaves_doubt() => run.history.lose_sight(key),
                (Failure::Refused { retryable: false, code, .. }, Some(key)) => run.history.refuse(key, code),
                _ => {}
            }
            backoff.after(failure).await?;
        }
    }

    /// Waits until a message is on this visitor's screen, or the end.
    async fn see(&self, run: &Run, conversation: Id, key: &Key) -> Result<(), Failure> {
        let shown = |view: &View| {
            let log = view.logs.get(&conversation)?;
            let ended = || log.has_kind("closed").then(|| Err(closed()));
            log.has_turn(key).then_some(Ok(())).or_else(ended)
        };
        self.member().first().until(run.stall(), &format!("{key} in {conversation}"), shown).await?
    }

    /// Now and then, once, says who it is.
    async fn maybe_identify(&self, run: &Run) -> Result<(), Failure> {
        if !run.chance(IDENTIFIES) {
            return Ok(());
        }
        let Some(identity) = lock(&self.identity).take() else { return Ok(()) };
        let member = self.member();
        if let Some(known) = become_known(run, &member, &identity, &self.name).await? {
            *lock(&self.members) = (Arc::new(known), Some(member));
        }
        Ok(())
    }
}

/// What is to be said is not said any more.
fn closed() -> Failure {
    let detail = Value::Null;
    Failure::Refused { code: "conversation_closed".to_owned(), retryable: false, retry_after: None, detail }
}

/// Reads everything that is on the screen of this device.
fn read(device: &Device, conversation: Id) {
    let have = device.shared.view().logs.get(&conversation).map_or(0, Log::have);
    device.read(conversation, have);
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
                    run.history.note(device.member(), conversation, Action::Read { seq, version: read_ver });
                }
                return Ok(());
            }
            Err(failure) => backoff.after(failure).await?,
        }
    }
}
