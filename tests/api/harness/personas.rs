//! The people of a tenant, each with a signed access token.

use std::sync::atomic::{AtomicU64, Ordering};

use deskwire::domain::actor::Actor;
use deskwire::kernel::TenantId;
use deskwire::security::Auth;
use serde_json::{Value, json};

use super::TestApp;
use super::client::Client;
use super::seed::Seed;

/// A tenant and its people, and somebody who has no token.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's public name.
    pub slug: String,
    /// Nobody.
    pub anonymous: Client,
    /// A visitor.
    pub visitor: Client,
    /// Another visitor of the same tenant.
    pub second_visitor: Client,
    /// An agent; signs in as `agent` with [`super::seed::PASSWORD`].
    pub agent: Client,
    /// Another agent; signs in as `second-agent`.
    pub second_agent: Client,
    /// A supervisor; signs in as `supervisor`.
    pub supervisor: Client,
    /// An administrator; signs in as `admin`.
    pub admin: Client,
    /// The same people as actors, for the journal's door.
    pub seed: Seed,
}

impl Desk {
    /// Every role with its name, for tests that walk over all.
    pub fn everybody(&self) -> [(&'static str, &Client); 7] {
        [
            ("anonymous", &self.anonymous),
            ("visitor", &self.visitor),
            ("second visitor", &self.second_visitor),
            ("agent", &self.agent),
            ("second agent", &self.second_agent),
            ("supervisor", &self.supervisor),
            ("admin", &self.admin),
        ]
    }
}

impl Desk {
    /// The visitor opens a conversation with a message; gives the conversation's id.
    pub async fn open(&self, text: &str) -> String {
        self.visitor.open(text).await
    }

    /// The visitor opens a conversation with a message and the agent claims it.
    pub async fn open_and_claim(&self, text: &str) -> String {
        let room = self.open(text).await;
        self.agent.claim(&room).await;
        room
    }
}

impl Client {
    /// Opens a conversation with a message; gives the conversation's id.
    pub async fn open(&self, text: &str) -> String {
        let body = json!({"message": message(text)});
        let answer = self.post("/conversations", body).await.ok();
        let id = answer.pointer("/conversation/id").or_else(|| answer.get("id"));
        id.and_then(Value::as_str).unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
    }

    /// Takes a waiting conversation.
    pub async fn claim(&self, room: &str) -> Value {
        self.post(&format!("/conversations/{room}/claim"), json!({})).await.ok()
    }

    /// Waits until colleagues see that this member of the staff is connected, or is not.
    pub async fn seen(&self, connected: bool) -> Value {
        crate::harness::eventually("colleagues see who is connected", || async {
            let page = self.get("/presence?limit=200").await.ok();
            let mut rows = page["data"].as_array().unwrap().iter();
            rows.find(|row| row["member"]["id"] == self.id() && row["connected"] == connected).cloned()
        })
        .await
    }

    /// Sends a text under a fresh key; gives the answer.
    pub async fn send(&self, room: &str, text: &str) -> Value {
        self.post(&format!("/conversations/{room}/messages"), message(text)).await.ok()
    }

    /// The whole log of a room, as this member may read it.
    pub async fn log(&self, room: &str) -> Vec<Value> {
        let mut entries: Vec<Value> = Vec::new();
        loop {
            let after = entries.last().map_or(0, |entry| entry["seq"].as_i64().unwrap());
            let path = format!("/conversations/{room}/entries?after_seq={after}&limit=200");
            let page = self.get(&path).await.ok();
            let rows = page["data"].as_array().unwrap_or_else(|| panic!("no data in {page}"));
            if rows.is_empty() {
                return entries;
            }
            entries.extend(rows.iter().cloned());
        }
    }
}

/// A text message under a fresh key, as `POST …/messages` takes it.
pub fn message(text: &str) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let key = format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    json!({"client_msg_id": key, "kind": "text", "content": {"text": text}})
}

impl TestApp {
    /// A new tenant with one member of every role (two agents, two visitors). Call it again for another tenant.
    pub async fn desk(&self) -> Desk {
        let seed = self.seed().await;
        self.desk_of(seed)
    }

    /// The people of a tenant that another server on the same database made.
    pub fn desk_of(&self, seed: Seed) -> Desk {
        Desk {
            tenant: seed.tenant,
            slug: seed.slug(),
            anonymous: self.client(),
            visitor: self.client_of(seed.visitor),
            second_visitor: self.client_of(seed.second_visitor),
            agent: self.client_of(seed.agent),
            second_agent: self.client_of(seed.second_agent),
            supervisor: self.client_of(seed.supervisor),
            admin: self.client_of(seed.admin),
            seed,
        }
    }

    /// A client without a token.
    pub fn client(&self) -> Client {
        Client { http: self.http().clone(), base: self.base().to_owned(), token: None, actor: None }
    }

    /// A client with a fresh token of this member.
    pub fn client_of(&self, actor: Actor) -> Client {
        Client { token: Some(sign(&self.auth, &actor)), actor: Some(actor), ..self.client() }
    }
}

fn sign(auth: &Auth, actor: &Actor) -> String {
    auth.sign(actor, None).unwrap().0.expose().to_owned()
}
