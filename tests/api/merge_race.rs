//! The merge race: a visitor is recognised on two devices while both open, send, resend what was not acknowledged, and the
//! staff claim and reopen. Afterwards the customer has at most one open conversation, every key names one entry, and nobody
//! was answered with a failure of the server.
//!
//! The suite plays a few rounds; `DESKWIRE_TEST_MERGES` sets how many and `DESKWIRE_TEST_SEED` which, for runs by hand.

use std::collections::BTreeMap;

use deskwire::db::schema::{conversation, group_message, member};
use deskwire::domain::conversation::{ConversationKind, ConversationStatus};
use deskwire::kernel::{ConversationId, MemberId};
use deskwire::sync::verify;
use diesel::prelude::*;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::harness::audit::audit;
use crate::harness::client::Answer;
use crate::harness::random::Random;
use crate::harness::{Client, Desk, TestApp};
use crate::visitors::Shop;

/// Rounds of the suite.
const ROUNDS: u64 = 8;
/// Messages in the outbox of the visitor who is recognised.
const OUTBOX: usize = 4;
/// How often a message is tried until its outcome is known.
const TRIES: usize = 50;

/// Nobody is ever answered with a failure of the server; a database that is too busy is told as such.
fn calm(answer: Answer) -> Answer {
    assert!(answer.status < 500 || answer.code() == "busy", "{answer}");
    answer
}

fn said(key: &str) -> Value {
    json!({"client_msg_id": key, "kind": "text", "content": {"text": format!("this is {key}")}})
}

fn opening(key: &str) -> Value {
    json!({"message": said(key)})
}

/// One device of somebody who will be recognised, with what it has to say.
struct Side {
    visitor: Client,
    /// Its open conversation.
    room: Option<String>,
    /// One that was closed before.
    old: Option<String>,
    /// What it sends to its room, and what it says when it opens.
    outbox: Vec<String>,
    first: String,
}

/// What stands still during the races.
struct Stage {
    app: TestApp,
    /// The other process, where there is one.
    second: TestApp,
    desk: Desk,
    shop: Shop,
}

impl Stage {
    /// The same caller through one of the processes.
    fn through(&self, random: &mut Random, client: &Client) -> Client {
        match random.below(2) {
            0 => client.clone(),
            _ => self.second.client().with_token(client.token.clone().unwrap_or_default()),
        }
    }

    async fn side(&self, random: &mut Random, name: &str) -> Side {
        let visitor = crate::routing::visitor(&self.app, &self.desk).await;
        let open = async |key: String| {
            let opened = visitor.post("/conversations", opening(&key)).await.status(201);
            opened["conversation"]["id"].as_str().unwrap().to_owned()
        };
        let old = match random.below(2) {
            0 => {
                let room = open(format!("{name}.old")).await;
                self.desk.agent.claim(&room).await;
                self.desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
                Some(room)
            }
            _ => None,
        };
        let room = match random.below(4) {
            0 => None,
            _ => Some(open(format!("{name}.open")).await),
        };
        let outbox: Vec<String> = (0..OUTBOX).map(|number| format!("{name}.{number}")).collect();
        if let Some(room) = &room {
            // Stored, and the answers were lost.
            for key in &outbox[..OUTBOX / 2] {
                visitor.post(&format!("/conversations/{room}/messages"), said(key)).await.ok();
            }
        }
        Side { visitor, room, old, outbox, first: format!("{name}.first") }
    }

    async fn identify(&self, client: Client, word: Value) -> Option<(Client, String)> {
        for _ in 0..TRIES {
            let answer = calm(client.post("/visitors/identify", word.clone()).await);
            match answer.status {
                200 => {
                    let token = answer.body["access_token"].as_str().unwrap().to_owned();
                    let id = answer.body["member"]["id"].as_str().unwrap().to_owned();
                    return Some((client.with_token(token), id));
                }
                // Another tab was faster: this session is over.
                401 => return None,
                503 | 409 => {}
                _ => panic!("{answer}"),
            }
        }
        panic!("never recognised");
    }

    /// Identifies twice at once, as two tabs would, and goes on with whichever session lives.
    async fn recognise(&self, client: &Client, subject: &str) -> (Client, String) {
        let words = [self.shop.word(&self.app, subject), self.shop.word(&self.app, subject)];
        let tabs = join_all(words.into_iter().map(|word| self.identify(client.clone(), word))).await;
        let mut living: Vec<_> = tabs.into_iter().flatten().collect();
        living.pop().expect("one of the tabs comes in")
    }

    async fn race(&self, number: u64, random: &mut Random) {
        let subject = format!("u-{number}");
        let mut phone = self.side(random, &format!("{number}.phone")).await;
        let laptop = self.side(random, &format!("{number}.laptop")).await;
        let is_known = random.below(4) > 0;
        if is_known {
            phone.visitor = self.recognise(&phone.visitor, &subject).await.0;
        }
        let (at_phone, at_laptop) =
            (self.through(random, &phone.visitor), self.through(random, &laptop.visitor));
        let staff = self.through(random, &self.desk.supervisor);
        let recognised = join(
            async {
                let new = self.recognise(&at_laptop, &subject).await;
                join(resend(&new.0, &laptop), resend(&new.0, &laptop)).await;
                new
            },
            async {
                if is_known {
                    calm(at_phone.post("/conversations", opening(&phone.first)).await);
                    return None;
                }
                Some(self.recognise(&at_phone, &subject).await)
            },
        );
        let opens = join_all([&phone, &phone, &laptop, &laptop].map(|side| {
            let client = self.through(random, &side.visitor);
            async move { calm(client.post("/conversations", opening(&side.first)).await) }
        }));
        let old_devices = join(
            push(&phone, &phone.visitor),
            join(push(&laptop, &at_laptop), push(&laptop, &laptop.visitor)),
        );
        let sides = [&phone, &laptop];
        let served = join_all(sides.iter().flat_map(|side| {
            let reopened = side.old.iter().map(|room| (room, "reopen"));
            let claimed = side.room.iter().map(|room| (room, "claim"));
            let staff = &staff;
            reopened.chain(claimed).map(move |(room, what)| async move {
                calm(staff.post(&format!("/conversations/{room}/{what}"), json!({})).await)
            })
        }));
        let ((new, _), ..) = tokio::join!(recognised, opens, old_devices, served);
        self.settle(&new.0, &[phone, laptop]).await;
        self.check(number, &new.1);
    }

    /// The customer repeats everything until its outcome is known.
    async fn settle(&self, customer: &Client, sides: &[Side]) {
        for side in sides {
            resend(customer, side).await;
            for _ in 0..TRIES {
                let answer = calm(customer.post("/conversations", opening(&side.first)).await);
                if answer.status < 300 {
                    break;
                }
                assert_eq!(answer.status, 503, "{answer}");
            }
        }
    }

    fn check(&self, number: u64, customer: &str) {
        let connection = &mut self.app.database().connect();
        let customer = MemberId(customer.parse().unwrap());
        let rows: Vec<(ConversationId, Option<ConversationStatus>, Option<String>)> = conversation::table
            .filter(conversation::tenant_id.eq(self.desk.tenant))
            .filter(conversation::customer_id.eq(customer))
            .filter(conversation::kind.eq(ConversationKind::Support))
            .select((conversation::id, conversation::status, conversation::open_key))
            .load(connection)
            .unwrap();
        let open = rows.iter().filter(|(_, status, _)| *status != Some(ConversationStatus::Closed)).count();
        assert_eq!(open, 1, "round {number}: {rows:?}");
        for (_, status, key) in &rows {
            assert_eq!(
                key.is_some(),
                *status != Some(ConversationStatus::Closed),
                "round {number}: {rows:?}"
            );
        }
        let of_nobody: Vec<ConversationId> = conversation::table
            .inner_join(member::table.on(member::id.nullable().eq(conversation::customer_id)))
            .filter(member::tenant_id.eq(self.desk.tenant))
            .filter(member::merged_into.is_not_null())
            .select(conversation::id)
            .load(connection)
            .unwrap();
        assert_eq!(of_nobody, [], "round {number}: they belong to somebody who was recognised as another");
        let keys: Vec<Option<String>> = group_message::table
            .filter(group_message::tenant_id.eq(self.desk.tenant))
            .filter(group_message::client_msg_id.like(format!("{number}.%")))
            .select(group_message::client_msg_id)
            .load(connection)
            .unwrap();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for key in keys.into_iter().flatten() {
            *counts.entry(key).or_default() += 1;
        }
        assert!(counts.values().all(|count| *count == 1), "round {number}: {counts:?}");
        let outbox = counts.keys().filter(|key| key.split('.').nth(2).is_some_and(|last| last.len() == 1));
        assert_eq!(outbox.count(), 2 * OUTBOX, "round {number}: {counts:?}");
    }
}

/// The old device goes on sending, until its session is over.
async fn push(side: &Side, client: &Client) {
    let Some(room) = &side.room else { return };
    for key in &side.outbox {
        calm(client.post(&format!("/conversations/{room}/messages"), said(key)).await);
    }
}

/// Sends the outbox in its order under the new identity: to the room, and when that is closed, to the one that goes on.
async fn resend(customer: &Client, side: &Side) {
    for key in &side.outbox {
        let mut room = side.room.clone();
        let mut known = false;
        for _ in 0..TRIES {
            let answer = match &room {
                Some(room) => customer.post(&format!("/conversations/{room}/messages"), said(key)).await,
                None => customer.post("/conversations", opening(key)).await,
            };
            let answer = calm(answer);
            match (answer.status, answer.code()) {
                (200..=299, _) => {
                    known = true;
                    break;
                }
                (409, "conversation_closed") => {
                    room = answer.body["context"]["open_conversation_id"].as_str().map(str::to_owned);
                }
                // The conversation has not moved yet.
                (404, _) | (503, _) => tokio::task::yield_now().await,
                _ => panic!("{key}: {answer}"),
            }
        }
        assert!(known, "{key} was never sent");
    }
}

on_every_database! {
    /// Identify, open, reopen, claim and resend at once, both sides with conversations, through two processes where there are.
    async fn a_merge_in_a_crowd_keeps_every_promise(app: TestApp) {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let rounds = number("DESKWIRE_TEST_MERGES").unwrap_or(ROUNDS);
        let desk = app.desk().await;
        let second = if app.kind().is_server() { app.second().await } else { app.clone() };
        desk.admin.patch("/tenant", json!({"settings": {"claim_above_max_accept": true}})).await.ok();
        let shop = Shop::new(&desk).await;
        let stage = Stage { app: app.clone(), second, desk, shop };
        let mut random = Random::new(number("DESKWIRE_TEST_SEED").unwrap_or(20_261_128));
        for number in 0..rounds {
            stage.race(number, &mut random).await;
        }
        audit(&mut app.database().connect());
        let report = verify::recompute_all(&mut app.database().connect(), None).unwrap();
        assert_eq!(report.drift, 0, "{report:?}");
    }
}
