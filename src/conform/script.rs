//! The script of one scenario as it is played: the scripted server, the client's process, and waits with limits. Owns
//! both until the scenario ends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::command::Client;
use super::http;
use super::plan::{Broken, Out, Sent};
use super::shared::Shared;
use super::state::{FIRST, MEMBER, ServerState};

/// How long a client may take with anything that it should do at once. Generous: the machine may be busy.
pub const SOON: Duration = Duration::from_secs(20);
/// How long a client may take to start.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Why a scenario ends before its end.
#[derive(Debug)]
pub enum Stop {
    /// The client broke a rule.
    Broken(Broken),
    /// The client says that it does not do what the scenario needs.
    Unsupported(&'static str),
    /// The scenario cannot be played.
    NotPlayed(String),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What comes of a step.
pub type Step<T = ()> = Result<T, Stop>;

/// What one scenario plays with.
pub struct Script {
    /// The server's state.
    pub shared: Arc<Shared>,
    command: Vec<String>,
    url: String,
    state: PathBuf,
    client: Mutex<Option<Client>>,
    server: JoinHandle<()>,
}

impl Script {
    /// Listens. The client is not started yet.
    pub async fn open(listen: &str, command: &[String], state: PathBuf) -> Result<Self, String> {
        let listener =
            TcpListener::bind(listen).await.map_err(|cause| format!("cannot listen at {listen}: {cause}"))?;
        let address = listener.local_addr().map_err(|cause| cause.to_string())?;
        let shared = Arc::new(Shared::new());
        let server = tokio::spawn(http::serve(listener, shared.clone()));
        let url = format!("http://{address}");
        Ok(Self { shared, command: command.to_vec(), url, state, client: Mutex::new(None), server })
    }

    /// The server's state.
    pub fn state(&self) -> MutexGuard<'_, ServerState> {
        self.shared.state()
    }

    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the client and waits for its first word.
    pub async fn start(&self) -> Step {
        let (access, refresh) = {
            let mut state = self.state();
            state.displayed.clear();
            state.reports.clear();
            (state.access_token(), state.refresh_token())
        };
        let variables = [
            ("CONFORM_URL", self.url.clone()),
            ("CONFORM_ACCESS_TOKEN", access),
            ("CONFORM_REFRESH_TOKEN", refresh),
            ("CONFORM_MEMBER_ID", MEMBER.to_owned()),
            ("CONFORM_DEVICE", "conform".to_owned()),
        ];
        let client =
            Client::start(&self.command, &variables, &self.state, &self.shared).map_err(Stop::NotPlayed)?;
        *self.client() = Some(client);
        let started = |state: &ServerState| state.last_report("started", |_| true);
        match self.until(START_WITHIN, started).await {
            Some(_) => Ok(()),
            None => Err(Stop::NotPlayed("the client does not print {\"event\":\"started\"}".to_owned())),
        }
    }

    /// Starts the client and waits until it is live.
    pub async fn start_live(&self) -> Step {
        self.start().await?;
        self.live(0).await
    }

    /// Ends the client at once.
    pub fn kill(&self) {
        let client = self.client().take();
        if let Some(mut client) = client {
            client.kill();
        }
    }

    /// Goes on only when the client said that it can do this.
    pub fn supports(&self, what: &'static str) -> Step {
        let started = self.state().last_report("started", |_| true);
        let list = started.map(|(_, report)| report["supports"].clone()).unwrap_or_default();
        match list.as_array().is_some_and(|list| list.iter().any(|one| one == what)) {
            true => Ok(()),
            false => Err(Stop::Unsupported(what)),
        }
    }

    /// Asks the client to do something.
    pub fn instruct(&self, instruction: &Value) {
        let client = self.client();
        if let Some(client) = client.as_ref() {
            client.instruct(instruction);
        }
    }

    /// The user writes into the first conversation.
    pub fn write(&self, text: &str) {
        self.instruct(&json!({ "do": "send", "conversation_id": FIRST, "text": text }));
    }

    /// Waits until the server's state shows something; none when it does not in time.
    pub async fn until<T>(&self, limit: Duration, look: impl Fn(&ServerState) -> Option<T>) -> Option<T> {
        self.shared.until(limit, look).await
    }

    /// What must come soon, or the rule is broken.
    pub async fn must<T>(
        &self,
        rule: &'static str,
        why: &str,
        look: impl Fn(&ServerState) -> Option<T>,
    ) -> Step<T> {
        match self.until(SOON, look).await {
            Some(found) => Ok(found),
            None => Err(Broken::new(rule, format!("{why} within {} s", SOON.as_secs())).into()),
        }
    }

    /// What must not be.
    pub fn hold(&self, rule: &'static str, kept: bool, why: impl Into<String>) -> Step {
        if kept { Ok(()) } else { Err(Broken::new(rule, why).into()) }
    }

    /// Waits until more than so many sockets were live, and the last one still is.
    pub async fn live(&self, more_than: usize) -> Step {
        self.must("reconnect", "the client did not say hello and stay", move |state| {
            let lives = state.sockets.iter().filter(|socket| socket.live.is_some()).count();
            let open =
                state.sockets.last().is_some_and(|socket| socket.live.is_some() && socket.ended.is_none());
            (lives > more_than && open).then_some(())
        })
        .await
    }

    /// How many sockets were live.
    pub fn live_count(&self) -> usize {
        self.state().sockets.iter().filter(|socket| socket.live.is_some()).count()
    }

    /// Cuts every connection and waits until the client is live again.
    pub async fn cut_and_live(&self) -> Step {
        self.cut_while(|_| ()).await
    }

    /// Something happens that the client is not sent, every connection is cut in the same moment, and the client is
    /// live again. What happens cannot come late, however fast the client connects again.
    pub async fn cut_while<T>(&self, happens: impl FnOnce(&mut ServerState) -> T) -> Step<T> {
        let (lives, came_of_it) = {
            let mut state = self.state();
            let came_of_it = happens(&mut state);
            state.end(&Out::Cut);
            (state.sockets.iter().filter(|socket| socket.live.is_some()).count(), came_of_it)
        };
        self.live(lives).await?;
        Ok(came_of_it)
    }

    /// The visitor says something, and the client is sent it. Returns its seq.
    pub fn say(&self, conversation: &str, text: &str) -> i64 {
        let mut state = self.state();
        let seq = state.say(conversation, text);
        state.push(&state.entry_frame(conversation, seq));
        seq
    }

    /// Sends frames to the client.
    pub fn push(&self, frames: &[Value]) {
        let state = self.state();
        frames.iter().for_each(|frame| state.push(frame));
    }

    /// Waits until an entry is on the display.
    pub async fn shown(&self, rule: &'static str, conversation: &str, seq: i64, when: &str) -> Step {
        let why = format!("entry {seq} is not shown {when}");
        self.must(rule, &why, |state| state.shows(conversation, seq).then_some(())).await
    }

    /// Says something, waits until it is shown, and so knows that everything before it was taken.
    pub async fn barrier(&self, rule: &'static str, when: &str) -> Step {
        let seq = self.say(FIRST, "is everything there?");
        self.shown(rule, FIRST, seq, when).await
    }

    /// Waits for the n-th message (from 0) that the client sends.
    pub async fn sent(&self, rule: &'static str, number: usize, why: &str) -> Step<Sent> {
        self.must(rule, why, |state| state.sent.get(number).cloned()).await
    }

    /// Lets time pass.
    pub async fn pause(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    /// The last socket's number and hello.
    pub fn last_hello(&self) -> Value {
        self.state().sockets.iter().rev().find_map(|socket| socket.hello.clone()).unwrap_or_default()
    }

    /// How long after `since` the next attempt to connect came.
    pub async fn attempt_after(&self, since: Instant, limit: Duration) -> Option<Duration> {
        self.until(limit, |state| state.upgrades.iter().find(|at| **at > since).map(|at| *at - since)).await
    }

    /// Rules that were seen broken on the way.
    pub fn seen_broken(&self) -> Vec<Broken> {
        self.state().broken.clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.server.abort();
        self.kill();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}
