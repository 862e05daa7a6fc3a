//! A device of a signed-in member: what its owner can do with it. The socket itself lives in a task (`line`) that
//! connects, resumes and keeps the view; it ends when the device is dropped or stopped.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::backoff::Failure;
use super::line::{Ask, Line};
use super::rest::Rest;
use super::view::View;
use crate::replay::history::{History, Id};

/// Where the socket stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected, or not live yet.
    Down,
    /// Live: everything up to now was replayed.
    Live,
    /// Over for good, and why.
    Over(String),
}

/// What the device, its task and its owner share.
#[derive(Debug)]
pub struct Shared {
    /// Requests over HTTP; all devices of a member share them.
    pub rest: Arc<Rest>,
    /// The device's name in `hello`.
    pub name: String,
    /// What the run records.
    pub history: Arc<History>,
    /// How long to go on without a server.
    pub patience: Duration,
    /// The member becomes another one: that the device ends is no failure.
    pub may_end: AtomicBool,
    /// Ask for waiting conversations after every connect.
    pub watches_waiting: bool,
    view: Mutex<View>,
    /// Counts the changes of the view.
    pub changes: watch::Sender<u64>,
    /// Where the socket stands.
    pub link_state: watch::Sender<LinkState>,
}

impl Shared {
    /// The view; never held across an await.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device.
#[derive(Debug)]
pub struct Device {
    /// What its task knows, too.
    pub shared: Arc<Shared>,
    asks: mpsc::Sender<Ask>,
}

/// What a device is made of.
pub struct Plan {
    /// The member.
    pub member: Id,
    /// Its signed-in requests.
    pub rest: Arc<Rest>,
    /// The device's name.
    pub name: String,
    /// How long to go on without a server.
    pub patience: Duration,
    /// Staff who want to hear of waiting conversations get their ids here.
    pub waiting: Option<mpsc::Sender<Id>>,
}

/// How long an answer may take beyond the device's patience with a server that is away.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a device may take to hear that it is to stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

impl Device {
    /// Starts connecting.
    pub fn start(plan: Plan, history: Arc<History>) -> Self {
        let shared = Arc::new(Shared {
            rest: plan.rest,
            name: plan.name,
            history,
            patience: plan.patience,
            may_end: AtomicBool::new(false),
            watches_waiting: plan.waiting.is_some(),
            view: Mutex::new(View::new(plan.member)),
            changes: watch::Sender::new(0),
            link_state: watch::Sender::new(LinkState::Down),
        });
        let (asks, asked) = mpsc::channel(64);
        tokio::spawn(Line::new(shared.clone(), asked, plan.waiting).run());
        Self { shared, asks }
    }

    /// The member.
    pub fn member(&self) -> Id {
        self.shared.view().member
    }

    /// Sends a frame and waits for its answer. With `cut`, the connection is cut right behind the frame. An answer
    /// that does not come while the device has patience leaves the outcome unknown.
    pub async fn request(&self, frame: &'static str, data: Value, cut: bool) -> Result<Value, Failure> {
        let (reply, answer) = oneshot::channel();
        let over = || Failure::Over("the device is over".to_owned());
        let asked = async {
            self.asks.send(Ask::Request { frame, data, reply, cut }).await.map_err(|_| over())?;
            answer.await.map_err(|_| over())?
        };
        match tokio::time::timeout(self.shared.patience + ANSWER_WITHIN, asked).await {
            Ok(answered) => answered,
            Err(_) => Err(Failure::Unknown(format!("no answer to {frame} in time"))),
        }
    }

    /// Sends a frame that nobody answers. It is lost when the socket is down or busy, as such frames may be.
    pub fn tell(&self, frame: &'static str, data: Value) {
        let _ = self.asks.try_send(Ask::Tell { frame, data });
    }

    /// Cuts the connection without a word; the device connects again by itself.
    pub fn cut(&self) {
        let _ = self.asks.try_send(Ask::Cut(None));
    }

    /// Ends the connection without a word; the device stays away for so long.
    pub fn leave(&self, absence: Duration) {
        let _ = self.asks.try_send(Ask::Leave(absence));
    }

    /// Cuts the connection and waits until it is live again.
    pub async fn reconnect(&self, limit: Duration) -> Result<(), Failure> {
        let (done, cut) = oneshot::channel();
        let cut = async {
            let _ = self.asks.send(Ask::Cut(Some(done))).await;
            let _ = cut.await;
        };
        // Without an answer the device is over, and the wait below says so.
        let _ = tokio::time::timeout(limit, cut).await;
        self.live(limit).await
    }

    /// Ends the device.
    pub async fn stop(&self) {
        let _ = tokio::time::timeout(STOP_WITHIN, self.asks.send(Ask::Stop)).await;
    }

    /// Says that everything of this conversation up to `seq` was read.
    pub fn read(&self, conversation: Id, seq: i64) {
        let read_ver = self.shared.view().rows.get(&conversation).map_or(0, |row| row.read_ver);
        let data = json!({ "conversation_id": conversation.to_string(), "seq": seq, "read_ver": read_ver });
        self.tell("read", data);
    }

    /// Waits until the view shows something; `what` names it if it never comes.
    pub async fn until<T>(
        &self,
        limit: Duration,
        what: &str,
        mut look: impl FnMut(&View) -> Option<T>,
    ) -> Result<T, Failure> {
        let mut changes = self.shared.changes.subscribe();
        let search = async {
            loop {
                changes.borrow_and_update();
                let found = look(&self.shared.view());
                if let Some(found) = found {
                    return Ok(found);
                }
                let state = self.shared.link_state.borrow().clone();
                if let LinkState::Over(cause) = state {
                    return Err(Failure::Over(cause));
                }
                if changes.changed().await.is_err() {
                    return Err(Failure::Over("the device is over".to_owned()));
                }
            }
        };
        match tokio::time::timeout(limit, search).await {
            Ok(found) => found,
            Err(_) => Err(Failure::Over(format!("waited {} s for {what}", limit.as_secs()))),
        }
    }

    /// Waits until the socket is live.
    pub async fn live(&self, limit: Duration) -> Result<(), Failure> {
        let mut link_state = self.shared.link_state.subscribe();
        let wait = link_state.wait_for(|link_state| *link_state != LinkState::Down);
        match tokio::time::timeout(limit, wait).await {
            Ok(Ok(link_state)) => match &*link_state {
                LinkState::Over(cause) => Err(Failure::Over(cause.clone())),
                _ => Ok(()),
            },
            _ => Err(Failure::Over(format!("not live within {} s", limit.as_secs()))),
        }
    }
}
