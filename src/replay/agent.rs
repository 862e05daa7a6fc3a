//! An agent: hears of waiting conversations (over the socket; the list over REST is the fall-back), claims some of
//! them, says its turns in each, reads, and closes. Does not own what it does where routing is automatic (`duty`).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::actions;
use super::client::fact::id;
use super::client::view::{Log, View};
use super::client::{Backoff, Failure};
use super::dialogue::{Speaker, Turn};
use super::history::{Action, Id, Key, count};
use super::member::Member;
use super::play::{Outgoing, Run, Transport, send_message};
use super::visitor::read_for_good;

/// An agent with its devices.
#[derive(Debug)]
pub struct Agent {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// The place among the tenant's agents, and how many there are.
    pub place: (usize, usize),
    /// The signed-in member with its devices.
    pub member: Arc<Member>,
    /// Conversations that were tried already.
    tried: Mutex<HashSet<Id>>,
}

/// How often the list of waiting conversations is read over REST.
const LIST_EVERY: Duration = Duration::from_secs(2);

impl Agent {
    /// An agent.
    pub fn new(tenant: usize, place: (usize, usize), member: Member) -> Self {
        Self { tenant, place, member: Arc::new(member), tried: Mutex::default() }
    }

    /// Serves until the task is ended.
    pub async fn work(self: Arc<Self>, run: Arc<Run>, mut waiting: mpsc::Receiver<Id>) {
        let mut serving = JoinSet::new();
        let mut list = tokio::time::interval(LIST_EVERY);
        list.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                conversation = waiting.recv() => match conversation {
                    // Two agents reach for each; what both miss stands in the list.
                    Some(conversation) if self.reaches_for(conversation) => self.begin(&run, conversation, &mut serving),
                    Some(_) => {}
                    None => return,
                },
                _ = list.tick() => {
                    if let Ok(page) = self.member.rest().get("/conversations?status=open&limit=50").await {
                        for one in page["data"].as_array().into_iter().flatten() {
                            if let Some(conversation) = one.get("id").and_then(id) {
                                self.begin(&run, conversation, &mut serving);
                            }
                        }
                    }
                }
                Some(_) = serving.join_next() => {}
            }
        }
    }

    fn reaches_for(&self, conversation: Id) -> bool {
        let (place, agents) = self.place;
        let favoured = usize::try_from(conversation >> 3).unwrap_or_default() % agents;
        place == favoured || place == (favoured + 1) % agents
    }

    fn begin(self: &Arc<Self>, run: &Arc<Run>, conversation: Id, serving: &mut JoinSet<()>) {
        if !self.tried.lock().unwrap_or_else(PoisonError::into_inner).insert(conversation) {
            return;
        }
        let (agent, run) = (self.clone(), run.clone());
        serving.spawn(async move {
            if let Err(failure) = agent.serve(&run, conversation).await {
                run.history
                    .complain(format!("{} in {conversation}: {failure}", agent.member.first().shared.name));
            }
        });
    }

    /// Claims; returns whether the conversation is this agent's.
    async fn claim(&self, run: &Run, conversation: Id) -> Result<bool, Failure> {
        let mut backoff = Backoff::new(run.patience);
        loop {
            let path = format!("/conversations/{conversation}/claim");
            match self.member.rest().post(&path, &json!({})).await {
                Ok(_) => {
                    run.history.note(self.member.id(), conversation, Action::Claimed);
                    return Ok(true);
                }
                // 404: another agent holds it, so that this one may not see it any more.
                Err(failure)
                    if matches!(
                        failure.code(),
                        Some("already_assigned" | "not_found" | "invalid_transition")
                    ) =>
                {
                    count(&run.history.counters.claims_lost);
                    return Ok(false);
                }
                Err(failure) => backoff.after(failure).await?,
            }
        }
    }

    async fn serve(&self, run: &Run, conversation: Id) -> Result<(), Failure> {
        if !self.claim(run, conversation).await? {
            return Ok(());
        }
        let which = |view: &View| {
            let log = view.logs.get(&conversation)?;
            log.entries.iter().find_map(|fact| run.number(fact.key.as_deref()?))
        };
        let number = self
            .member
            .first()
            .until(run.stall(), &format!("the first words in {conversation}"), which)
            .await?;
        let dialogue = run.dialogue(number);
        for (index, turn) in dialogue.turns.iter().enumerate() {
            if turn.role != Speaker::Agent {
                continue;
            }
            self.see(run, conversation, number, index - 1).await?;
            self.speak(run, conversation, turn, run.key(number, index)).await?;
        }
        self.see(run, conversation, number, dialogue.turns.len() - 1).await?;
        self.finish(run, conversation).await
    }

    /// Says a turn, with what people do around it.
    pub(super) async fn speak(
        &self,
        run: &Run,
        conversation: Id,
        turn: &Turn,
        key: Key,
    ) -> Result<(), Failure> {
        let device = self.member.any();
        if run.chance(0.5) {
            let have = device.shared.view().logs.get(&conversation).map_or(0, Log::have);
            device.read(conversation, have);
        }
        actions::signal(run, device, conversation);
        let note: Key = format!("{key}.note").into();
        actions::note(run, device, self.tenant, conversation, note).await?;
        let transport = if run.chance(0.5) { Transport::Socket } else { Transport::Rest };
        let message =
            Outgoing { tenant: self.tenant, conversation, key: key.clone(), turn, transport, attached: None };
        let seq = send_message(run, device, message).await?;
        run.maybe_cut(device);
        actions::change(run, device, (conversation, &key, seq), true).await
    }

    /// Reads what is left, and closes.
    pub(super) async fn finish(&self, run: &Run, conversation: Id) -> Result<(), Failure> {
        if run.chance(0.5) {
            read_for_good(run, self.member.any(), conversation).await?;
        }
        actions::mark_unread(run, self.member.any(), conversation).await?;
        self.close(run, conversation).await
    }

    async fn see(&self, run: &Run, conversation: Id, number: usize, turn: usize) -> Result<(), Failure> {
        let key = run.key(number, turn);
        let shown = |view: &View| view.logs.get(&conversation)?.has_key(&key).then_some(());
        self.member.first().until(run.stall(), &format!("{key} in {conversation}"), shown).await
    }

    async fn close(&self, run: &Run, conversation: Id) -> Result<(), Failure> {
        let mut backoff = Backoff::new(run.patience);
        let request: Value = json!({ "reason": "resolved" });
        loop {
            match self.member.rest().post(&format!("/conversations/{conversation}/close"), &request).await {
                Ok(_) => {
                    run.history.note(self.member.id(), conversation, Action::Closed);
                    return Ok(());
                }
                Err(failure) => backoff.after(failure).await?,
            }
        }
    }
}
