//! P6 under load: many claim, assign, release and close while routing works and agents come and go, in two processes where
//! the database is a server. Never two owners, never above the limit, and nobody waits whom somebody could serve.

use std::time::Duration;

use deskwire::db::schema::{assignment, conversation};
use deskwire::domain::conversation::ConversationStatus;
use deskwire::kernel::{ConversationId, TenantId};
use deskwire::sync::verify;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::random::Random;
use crate::harness::{Client, Desk, TestApp, eventually};
use crate::routing::{online, route, visitor};

const VISITORS: usize = 24;
const ROUNDS: usize = 30;
const LIMIT: i64 = 3;

/// A visitor opens, waits a little, and closes, again and again.
async fn comes_and_goes(who: Client, seed: u64) {
    let mut random = Random::new(seed);
    for _ in 0..ROUNDS {
        let opened = who.post("/conversations", json!({})).await;
        let id = opened.body["conversation"]["id"].as_str().map(str::to_owned);
        tokio::time::sleep(Duration::from_millis(random.below(30))).await;
        if let Some(id) = id.filter(|_| random.below(4) > 0) {
            who.post(&format!("/conversations/{id}/close"), json!({})).await;
        }
    }
}

/// A member of the staff claims, releases, gives away, closes, and goes away for a moment.
async fn works(who: Client, other: String, seed: u64) {
    let mut random = Random::new(seed);
    for _ in 0..ROUNDS {
        let page = who.get("/conversations?limit=200").await;
        let rooms: Vec<String> = page.body["data"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|row| row["status"] != "closed")
            .filter_map(|row| row["id"].as_str().map(str::to_owned))
            .collect();
        if rooms.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        let path = format!("/conversations/{}", random.pick(&rooms));
        match random.below(6) {
            0 | 1 => who.post(&format!("{path}/claim"), json!({})).await,
            2 => who.post(&format!("{path}/release"), json!({})).await,
            3 => who.post(&format!("{path}/assign"), json!({"agent_id": other})).await,
            4 => who.post(&format!("{path}/close"), json!({})).await,
            _ => {
                who.put("/presence", json!({"status": "away"})).await;
                who.put("/presence", json!({"status": "online"})).await
            }
        };
    }
}

/// Nobody waits while somebody of the staff is online and has room.
async fn at_rest(desk: &Desk) {
    eventually("nobody waits whom somebody could serve", || async {
        let waiting = desk.admin.get("/queue").await.ok()["data"].as_array().unwrap().len();
        let staff = desk.admin.get("/presence?status=online").await.ok();
        let free = |row: &&serde_json::Value| row["current_accept"].as_i64() < row["max_accept"].as_i64();
        let free = staff["data"].as_array().unwrap().iter().filter(free).count();
        (waiting == 0 || free == 0).then_some(())
    })
    .await;
}

/// The conversations with an assignment that has not ended, once for each, and those that somebody serves.
fn owners(app: &TestApp, tenant: TenantId) -> (Vec<ConversationId>, Vec<ConversationId>) {
    let mut connection = app.database().connect();
    let held = assignment::table
        .filter(assignment::tenant_id.eq(tenant))
        .filter(assignment::ended_at.is_null())
        .order(assignment::conversation_id.asc())
        .select(assignment::conversation_id)
        .load(&mut connection)
        .unwrap();
    let served = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::status.eq(ConversationStatus::Pending))
        .order(conversation::id.asc())
        .select(conversation::id)
        .load(&mut connection)
        .unwrap();
    (held, served)
}

on_every_database! {
    /// The short form of the stress; `replay` plays the long one.
    async fn nobody_is_served_twice_or_forgotten(app: TestApp) {
        let desk = app.desk().await;
        let second = if app.kind().is_server() { app.second().await } else { app.clone() };
        let staff = [&desk.agent, &desk.second_agent, &desk.supervisor];
        for who in staff {
            online(&desk, who, LIMIT).await;
        }
        for offers in [json!(null), json!(5)] {
            route(&desk, json!({"strategy": "least_loaded", "offer_seconds": offers, "misses_until_away": 0})).await;
            let mut visitors = Vec::new();
            for _ in 0..VISITORS {
                visitors.push(visitor(&app, &desk).await);
            }
            let through = |index: usize, who: &Client| match index % 2 {
                0 => who.clone(),
                _ => second.client().with_token(who.token.clone().unwrap_or_default()),
            };
            let customers = (0..).zip(&visitors).map(|(index, who)| comes_and_goes(through(index, who), index as u64));
            let agents = (0..).zip(staff).map(|(index, who)| {
                works(through(index, who), staff[(index + 1) % staff.len()].id(), 100 + index as u64)
            });
            tokio::join!(join_all(customers), join_all(agents));
            if offers.is_null() {
                at_rest(&desk).await;
            }
            let report = verify::recompute_all(&mut app.database().connect(), None).unwrap();
            assert_eq!(report.drift, 0, "{report:?}");
            // Never two owners: the assignments that hold are those of the conversations that are served, one each.
            let (held, served) = owners(&app, desk.tenant);
            assert_eq!(held, served);
            let presence = desk.admin.get("/presence").await.ok();
            for row in presence["data"].as_array().unwrap() {
                assert!(row["current_accept"].as_i64() <= row["max_accept"].as_i64(), "{row}");
            }
            for who in &visitors {
                let open = who.get("/conversations").await.ok();
                for row in open["data"].as_array().unwrap().iter().filter(|row| row["status"] != "closed") {
                    who.post(&format!("/conversations/{}/close", row["id"].as_str().unwrap()), json!({})).await.ok();
                }
            }
        }
    }
}
