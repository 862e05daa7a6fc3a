//! What the people of a desk do, as chance has it, for the tests that count it.

use deskwire::domain::actor::Actor;
use deskwire::domain::member::Role;
use deskwire::journal::{Command, commands};
use serde_json::{Value, json};

use crate::harness::personas::message;
use crate::harness::random::Random;
use crate::harness::{Client, Desk, TestApp};

const MINUTE: i64 = 60_000;

/// What the people of a desk do, one step after the other; most of it may be refused.
pub struct Play<'a> {
    pub app: &'a TestApp,
    pub desk: Desk,
    pub visitors: Vec<Actor>,
    pub groups: Vec<String>,
    pub rooms: Vec<(usize, String)>,
    pub random: Random,
}

impl Play<'_> {
    fn visitor(&self, at: usize) -> Client {
        self.app.client_of(self.visitors[at])
    }

    async fn open(&mut self) {
        let at = self.random.below(self.visitors.len() as u64) as usize;
        let mut body = match self.random.below(4) {
            0 => json!({}),
            _ => json!({"message": message("a question")}),
        };
        let by_staff = self.random.below(4) == 0;
        if self.random.below(2) == 0 {
            body["group_id"] = json!(self.random.pick(&self.groups));
        }
        let answer = match by_staff {
            true => {
                body["customer_id"] = json!(self.visitor(at).id());
                self.desk.supervisor.post("/conversations", body).await
            }
            false => self.visitor(at).post("/conversations", body).await,
        };
        if let Some(room) = answer.body.pointer("/conversation/id").and_then(Value::as_str) {
            self.rooms.push((at, room.to_owned()));
        }
    }

    pub async fn step(&mut self) {
        if self.rooms.is_empty() || self.random.below(9) == 0 {
            return self.open().await;
        }
        let (owner, room) = self.random.pick(&self.rooms).clone();
        let path = format!("/conversations/{room}");
        let visitor = self.visitor(owner);
        let Desk { agent, second_agent, supervisor, .. } = &self.desk;
        let staff = (*self.random.pick(&[agent, second_agent, supervisor])).clone();
        let colleague = (*self.random.pick(&[agent, second_agent])).id();
        let group = self.random.pick(&self.groups).clone();
        let post = async |by: &Client, what: &str, body: Value| {
            by.post(&format!("{path}/{what}"), body).await;
        };
        match self.random.below(24) {
            0..=3 => post(&visitor, "messages", message("and")).await,
            4..=8 => post(&staff, "messages", message("well")).await,
            9 => post(&staff, "notes", message("between us")).await,
            10..=12 => post(&staff, "claim", json!({})).await,
            13 => post(&staff, "release", json!({})).await,
            14 | 15 => {
                let reason = *self.random.pick(&["resolved", "resolved", "inactive", "spam"]);
                post(&self.desk.supervisor, "close", json!({"reason": reason})).await;
            }
            16 => post(&visitor, "close", json!({})).await,
            17 => post(&self.desk.supervisor, "reopen", json!({})).await,
            18 => post(&self.desk.supervisor, "transfer", json!({"agent_id": colleague})).await,
            19 => post(&self.desk.supervisor, "transfer", json!({"group_id": group})).await,
            20 => post(&self.desk.supervisor, "dock", json!({"group_id": group})).await,
            21 => {
                let to = if self.random.below(3) == 0 { Value::Null } else { json!(group) };
                self.desk.supervisor.patch(&path, json!({"group_id": to})).await;
            }
            22 => {
                // What is over is rated, and some ratings are changed.
                self.desk.supervisor.post(&format!("{path}/close"), json!({"reason": "resolved"})).await;
                for _ in 0..2 {
                    let score = 1 + self.random.below(5);
                    visitor.put(&format!("{path}/rating"), json!({"score": score})).await;
                }
            }
            _ => {
                let log = visitor.log(&room).await;
                let said = log.iter().rfind(|entry| entry["message_type"] == "message");
                if let Some(said) = said {
                    self.desk.supervisor.delete(&format!("{path}/messages/{}", said["seq"])).await;
                }
            }
        }
    }

    /// What chance may leave out.
    pub async fn rest(&mut self) {
        let visitor = self.app.client_of(self.app.seed_member(self.desk.tenant, Role::Customer).await);
        let room = visitor.open("a question").await;
        let path = format!("/conversations/{room}");
        let Desk { supervisor, .. } = &self.desk;
        let post = async |what: &str, body: Value| {
            supervisor.post(&format!("{path}/{what}"), body).await.ok();
        };
        supervisor.claim(&room).await;
        let said = supervisor.send(&room, "well").await;
        supervisor.delete(&format!("{path}/messages/{}", said["seq"])).await.ok();
        supervisor.patch(&path, json!({"group_id": self.groups[1]})).await.ok();
        post("dock", json!({"group_id": self.groups[0]})).await;
        visitor.send(&room, "and").await;
        post("release", json!({})).await;
        supervisor.claim(&room).await;
        for score in [2, 4] {
            post("close", json!({"reason": "resolved"})).await;
            visitor.put(&format!("{path}/rating"), json!({"score": score})).await.ok();
        }
        post("reopen", json!({})).await;
        visitor.send(&room, "once more").await;
        post("close", json!({"reason": "inactive"})).await;
        self.asked_elsewhere().await;
    }

    /// A visitor asks, is recognised as one who is served already, and is answered there: the time runs since it asked.
    async fn asked_elsewhere(&mut self) {
        let tenant = self.desk.tenant;
        let from = self.app.seed_member(tenant, Role::Customer).await;
        let into = self.app.seed_member(tenant, Role::Customer).await;
        let served = self.app.client_of(into).open("a question").await;
        self.desk.supervisor.claim(&served).await;
        self.desk.supervisor.send(&served, "well").await;
        self.app.client_of(from).open("before signing in").await;
        self.app.advance(3 * MINUTE).await;
        self.desk = self.app.desk_of(self.desk.seed);
        self.app.submit(Command::new(from, commands::Merge { from: from.member, into: into.member })).await;
        self.desk.supervisor.send(&served, "well").await;
    }

    /// A visitor who asks something is recognised as one who has another conversation under way.
    pub async fn merge(&mut self) {
        let (tenant, into) = (self.desk.tenant, self.visitors[0]);
        let from = self.app.seed_member(tenant, Role::Customer).await;
        let known = self.visitor(0).post("/conversations", json!({"message": message("a question")})).await;
        if let Some(room) = known.body.pointer("/conversation/id").and_then(Value::as_str) {
            self.rooms.push((0, room.to_owned()));
        }
        let room = self.app.client_of(from).open("before signing in").await;
        if self.random.below(2) == 0 {
            self.desk.supervisor.post(&format!("/conversations/{room}/claim"), json!({})).await;
        }
        self.app.advance(3 * MINUTE).await;
        self.app.submit(Command::new(from, commands::Merge { from: from.member, into: into.member })).await;
        self.desk = self.app.desk_of(self.desk.seed);
    }
}
