//! What an agent does where routing is automatic: it comes and goes, answers offers (mostly), serves what it was given or
//! what its group serves, and chats in the rooms of its groups. What is acknowledged is recorded. Does not own how it gives
//! conversations away (`moves`).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::agent::Agent;
use super::client::fact::id;
use super::client::signal::Offer;
use super::client::view::View;
use super::client::{Backoff, Failure};
use super::desk::Desk;
use super::dialogue::{Speaker, Turn};
use super::history::{Action, Id, count};
use super::play::{Outgoing, Run, Transport, send_message};
use super::requests::insist_unless;

/// How often the lists are read: offers that the socket did not tell, and what the agent sees of the queue.
const LIST_EVERY: Duration = Duration::from_secs(1);
/// How likely it is at a turn that an agent says something in a room.
const CHATS: f64 = 0.1;
/// How likely it is at a turn that an agent leaves the customer waiting, where somebody reminds it.
const DAWDLES: f64 = 0.05;
/// How long an agent waits for a customer before it looks whether the customer waits for a word.
const QUIET: Duration = Duration::from_millis(1_500);
/// How often a refusal is taken by an agent who serves the conversation all the same.
const REFUSALS: u32 = 20;

/// Whether this member serves the conversation, alone or with its group, as far as its device knows.
fn serves(view: &View, conversation: Id, member: Id) -> bool {
    view.rows.get(&conversation).is_some_and(|row| {
        let shows = |field: &str, value: String| row.shown.get(field).is_some_and(|shown| *shown == value);
        let alone = shows("agent", format!("\"{member}\""));
        row.active
            && shows("status", "\"pending\"".to_owned())
            && (alone || shows("agent", "null".to_owned()))
    })
}

/// Whether the staff are to speak: after the customer, or since the conversation began anew.
fn staff_are_to_speak(view: &View, conversation: Id) -> bool {
    let Some(log) = view.logs.get(&conversation) else { return false };
    let begins = |kind: &str| matches!(kind, "docked" | "reopened" | "merged");
    let last = log
        .entries
        .iter()
        .rev()
        .find(|fact| begins(&fact.kind) || (fact.message && (fact.by_customer || !fact.recalled)));
    last.is_some_and(|fact| !fact.message || fact.by_customer)
}

impl Agent {
    /// Serves until the task is ended. The hints of waiting conversations are only looked at: routing gives them away.
    pub async fn on_duty(self: Arc<Self>, run: Arc<Run>, desk: Arc<Desk>, mut hints: mpsc::Receiver<Id>) {
        let (device, me) = (self.member.first(), self.member.id());
        let mut changes = device.shared.changes.subscribe();
        let mut list = tokio::time::interval(LIST_EVERY);
        list.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut serving, mut answering) = (JoinSet::new(), JoinSet::new());
        let (mut mine, mut answered) = (HashSet::new(), HashSet::new());
        loop {
            changes.borrow_and_update();
            let (given, offers): (Vec<Id>, Vec<(Id, Id)>) = {
                let view = device.shared.view();
                let given = view.rows.keys().copied().filter(|one| serves(&view, *one, me)).collect();
                let waits = view.offers.iter().filter(|(_, offer)| offer.waits);
                (given, waits.map(|(offer, what)| (*offer, what.conversation)).collect())
            };
            for conversation in given.into_iter().filter(|one| mine.insert(*one)) {
                let (agent, run, desk) = (self.clone(), run.clone(), desk.clone());
                serving.spawn(async move {
                    if let Err(failure) = agent.converse(&run, &desk, conversation).await {
                        let name = &agent.member.first().shared.name;
                        run.history.complain(format!("{name} in {conversation}: {failure}"));
                    }
                    conversation
                });
            }
            for (offer, conversation) in offers.into_iter().filter(|(offer, _)| answered.insert(*offer)) {
                let (agent, run) = (self.clone(), run.clone());
                answering.spawn(async move {
                    if let Err(failure) = agent.answer(&run, conversation).await {
                        run.history.complain(format!("offer {offer} of {conversation}: {failure}"));
                    }
                });
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                hint = hints.recv() => if hint.is_none() { return },
                Some(done) = serving.join_next() => {
                    if let Ok(conversation) = done {
                        mine.remove(&conversation);
                    }
                }
                Some(_) = answering.join_next() => {}
                _ = list.tick() => self.look_around().await,
            }
        }
    }

    /// Reads what is offered to it, and what it sees of those who wait.
    async fn look_around(&self) {
        if let Ok(offers) = self.member.rest().get("/offers").await {
            let mut view = self.member.first().shared.view();
            let rows = offers["data"].as_array().map(Vec::as_slice).unwrap_or_default();
            let by_routing = rows.iter().filter(|row| row["from_agent_id"].is_null());
            if by_routing.count() > 1 {
                view.contradictions.push(format!("several offers wait for one answer each: {offers}"));
            }
            for (offer, what) in rows.iter().filter_map(Offer::parse) {
                view.take_offer(offer, what);
            }
        }
        // What it sees is noted by the requests themselves.
        let _ = self.member.rest().get("/queue?limit=50").await;
        let _ = self.member.rest().get("/conversations?limit=50").await;
    }

    /// Answers an offer of this conversation, or lets it pass.
    async fn answer(&self, run: &Run, conversation: Id) -> Result<(), Failure> {
        tokio::time::sleep(Duration::from_millis(run.below(300).unsigned_abs())).await;
        match run.below(100) {
            0..70 => self.reply(run, conversation, "accept").await,
            70..82 => self.reply(run, conversation, "decline").await,
            // Two devices say different things at once, one of them twice.
            82..90 => {
                let (first, second, third) = tokio::join!(
                    self.reply(run, conversation, "accept"),
                    self.reply(run, conversation, "decline"),
                    self.reply(run, conversation, "accept"),
                );
                first.and(second).and(third)
            }
            _ => {
                count(&run.history.counters.offers_ignored);
                Ok(())
            }
        }
    }

    async fn reply(&self, run: &Run, conversation: Id, what: &str) -> Result<(), Failure> {
        let (history, path) = (&run.history, format!("/conversations/{conversation}/{what}"));
        let late = ["offer_ended", "agent_full", "not_found"];
        if self.insist(run, &path, &json!({}), &late).await?.is_none() {
            count(&history.counters.offers_late);
            return Ok(());
        }
        let (counter, action) = match what {
            "accept" => (&history.counters.offers_accepted, Action::Accepted),
            _ => (&history.counters.offers_declined, Action::Declined),
        };
        count(counter);
        history.note(self.member.id(), conversation, action);
        Ok(())
    }

    /// Posts until there is an answer; none when it is a refusal with one of these codes.
    pub(super) async fn insist(
        &self,
        run: &Run,
        path: &str,
        body: &Value,
        refusals: &[&str],
    ) -> Result<Option<Value>, Failure> {
        insist_unless(run, self.member.rest(), (reqwest::Method::POST, path), Some(body), refusals).await
    }

    /// Serves a conversation until it is closed or lost. A refusal is right only when the agent does not serve it.
    async fn converse(&self, run: &Run, desk: &Desk, conversation: Id) -> Result<(), Failure> {
        let mut refusals = 0;
        loop {
            let refused = match self.go_on(run, desk, conversation).await {
                Err(failure @ Failure::Refused { retryable: false, .. }) => failure,
                done => return done,
            };
            refusals += 1;
            if !self.holds(run, desk, conversation).await? {
                count(&run.history.counters.lost);
                return Ok(());
            }
            // It was lost, and given to the same agent again before that could be looked up.
            if refusals > REFUSALS {
                return Err(refused);
            }
        }
    }

    /// Whether the server says that the agent serves the conversation, alone or with its group.
    async fn holds(&self, run: &Run, desk: &Desk, conversation: Id) -> Result<bool, Failure> {
        let mut backoff = Backoff::new(run.patience);
        loop {
            match self.member.rest().get(&format!("/conversations/{conversation}")).await {
                Ok(view) => {
                    let (me, agent) = (self.member.id(), view["agent"].get("id").and_then(id));
                    let group = view.get("group_id").and_then(id).filter(|_| view["docked"] == true);
                    let served = group.map_or(agent == Some(me), |group| desk.is_in(me, group));
                    return Ok(served && view["status"] == "pending");
                }
                Err(failure) if failure.code() == Some("not_found") => return Ok(false),
                Err(failure) => backoff.after(failure).await?,
            }
        }
    }

    /// Says what is still to be said, from wherever the agent before left off.
    async fn go_on(&self, run: &Run, desk: &Desk, conversation: Id) -> Result<(), Failure> {
        let number = |view: &View| {
            let log = view.logs.get(&conversation)?;
            log.entries.iter().find_map(|fact| run.number(fact.key.as_deref()?))
        };
        let Some(number) = self.wait(run, conversation, "the first words", number).await? else {
            return Ok(());
        };
        let dialogue = run.dialogue(number);
        let said = |index: usize| {
            let key = run.key(number, index);
            move |view: &View| view.logs.get(&conversation)?.has_turn(&key).then_some(())
        };
        for (index, turn) in dialogue.turns.iter().enumerate() {
            if turn.role != Speaker::Agent {
                continue;
            }
            let what = format!("turn {} of dialogue {number}", index - 1);
            if self.listen(run, conversation, (number, &what), said(index - 1)).await?.is_none() {
                return Ok(());
            }
            if run.chance(DAWDLES) && desk.timers.agent.is_some() {
                tokio::time::sleep(Duration::from_millis(1_200 + run.below(1_200).unsigned_abs())).await;
            }
            if said(index)(&self.member.first().shared.view()).is_some() {
                continue;
            }
            if self.moves_on(run, desk, conversation).await? {
                return Ok(());
            }
            // Each agent has keys of its own: two may say the same turn.
            let key = format!("{}.{}", run.key(number, index), self.place.0).into();
            self.speak(run, conversation, turn, key).await?;
            if run.chance(CHATS) {
                self.chat(run, turn).await?;
            }
        }
        let what = format!("the last turn of dialogue {number}");
        match self.listen(run, conversation, (number, &what), said(dialogue.turns.len() - 1)).await? {
            Some(()) => self.finish(run, conversation).await,
            None => Ok(()),
        }
    }

    /// Waits until the agent's screen shows something; none when the conversation is the agent's no more.
    async fn wait<T>(
        &self,
        run: &Run,
        conversation: Id,
        what: &str,
        look: impl Fn(&View) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let me = self.member.id();
        let look = |view: &View| match serves(view, conversation, me) {
            true => look(view).map(Some),
            false => Some(None),
        };
        let found =
            self.member.first().until(run.stall(), &format!("{what} in {conversation}"), look).await?;
        if found.is_none() {
            count(&run.history.counters.lost);
        }
        Ok(found)
    }

    /// Waits for the customer as [`Self::wait`] does. When nothing is said for a while and the staff are to speak, it asks
    /// whether the customer is still there: one who has gone would wait for that for ever.
    async fn listen(
        &self,
        run: &Run,
        conversation: Id,
        (number, what): (usize, &str),
        look: impl Fn(&View) -> Option<()>,
    ) -> Result<Option<()>, Failure> {
        let begin = tokio::time::Instant::now();
        loop {
            let waits = self.wait(run, conversation, what, &look);
            if let Ok(found) = tokio::time::timeout(QUIET, waits).await {
                return found;
            }
            if begin.elapsed() > run.stall() {
                return self.wait(run, conversation, what, &look).await;
            }
            if !staff_are_to_speak(&self.member.first().shared.view(), conversation) {
                continue;
            }
            count(&run.history.counters.nudges);
            let turn = Turn { role: Speaker::Agent, text: "are you still there?".into() };
            let key = run.aside(number, self.place.0);
            let device = self.member.any();
            let transport = Transport::Socket;
            let message =
                Outgoing { tenant: self.tenant, conversation, key, turn: &turn, transport, attached: None };
            send_message(run, device, message).await?;
        }
    }

    /// Says something in a room of its groups.
    async fn chat(&self, run: &Run, turn: &Turn) -> Result<(), Failure> {
        let device = self.member.any();
        let room = {
            let view = device.shared.view();
            view.rows.iter().find(|(_, row)| row.active && row.is_room()).map(|(room, _)| *room)
        };
        let Some(room) = room else { return Ok(()) };
        let number = run.below(i64::MAX);
        let key = format!("{}.room.{number}", run.name).into();
        let message = Outgoing {
            tenant: self.tenant,
            conversation: room,
            key,
            turn,
            transport: Transport::Socket,
            attached: None,
        };
        send_message(run, device, message).await.map(drop)
    }

    /// Comes and goes until the task is ended.
    pub async fn keep_shifts(self: Arc<Self>, run: Arc<Run>) {
        let short = |from: u64, to: i64| Duration::from_millis(from + run.below(to).unsigned_abs());
        loop {
            self.be(&run, "online").await;
            tokio::time::sleep(short(2_000, 4_000)).await;
            match run.below(6) {
                0 => self.be(&run, "away").await,
                1 => self.be(&run, "busy").await,
                2 => self.be(&run, "offline").await,
                // All its devices at once: the network is gone.
                _ => {
                    let absence = short(500, 5_000);
                    self.member.devices().for_each(|device| device.leave(absence));
                }
            }
            tokio::time::sleep(short(500, 4_000)).await;
        }
    }

    async fn be(&self, run: &Run, status: &str) {
        let mut backoff = Backoff::new(run.patience);
        let body = json!({ "status": status });
        while let Err(failure) = self.member.rest().call(reqwest::Method::PUT, "/presence", Some(&body)).await
        {
            let told = failure.to_string();
            if backoff.after(failure).await.is_err() {
                run.history
                    .complain(format!("{} cannot be {status}: {told}", self.member.first().shared.name));
                return;
            }
        }
    }
}
