//! What a visitor who is recognised as a known customer brings along: unread, positions, and the way to its log.

use deskwire::domain::actor::Actor;
use deskwire::domain::member::Role;
use deskwire::journal::{Command, commands};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::personas::message;
use crate::harness::{Desk, TestApp};

/// The second visitor is recognised as the first.
async fn merge(app: &TestApp, desk: &Desk) {
    let (from, into): (Actor, Actor) = (desk.seed.second_visitor, desk.seed.visitor);
    app.submit(Command::new(from, commands::Merge { from: from.member, into: into.member })).await;
}

async fn row(client: &Client, room: &str) -> Value {
    let inbox = client.get("/inbox").await.ok();
    let rows = inbox["data"].as_array().unwrap();
    rows.iter().find(|row| row["conversation_id"] == room).unwrap_or_else(|| panic!("{inbox}")).clone()
}

on_every_database! {
    /// What the visitor had not read is unread for the customer, also when it wrote in between; what it sent is not.
    async fn a_merge_keeps_what_is_unread(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.second_visitor.open("before signing in").await;
        desk.agent.claim(&room).await;
        desk.agent.send(&room, "one").await;
        desk.second_visitor.send(&room, "and another thing").await;
        desk.agent.send(&room, "two").await;
        let before = row(&desk.second_visitor, &room).await;
        assert_eq!(before["unread"], 2, "{before}");
        let members = format!("/conversations/{room}/members");
        let participant = async |of: &Client| {
            let rows = desk.agent.get(&members).await.ok()["data"].clone();
            let mine = |one: &&Value| one["member"]["id"] == of.id();
            rows.as_array().unwrap().iter().find(mine).unwrap_or_else(|| panic!("{rows}")).clone()
        };
        let place = participant(&desk.second_visitor).await;
        // A device that marked as unread knows this version; an older one would be taken for outdated.
        let mark = json!({"seq": before["read_seq"]});
        let marked = desk.second_visitor.post(&format!("/conversations/{room}/mark_unread"), mark).await.ok();
        merge(&app, &desk).await;
        let after = row(&desk.visitor, &room).await;
        assert_eq!((&after["unread"], &after["read_seq"]), (&json!(2), &before["read_seq"]), "{after}");
        assert!(after["read_ver"].as_i64() >= marked["read_ver"].as_i64(), "{after} after {marked}");
        assert_eq!(participant(&desk.visitor).await["delivered_seq"], place["delivered_seq"]);
        desk.visitor.post(&format!("/conversations/{room}/read"), json!({"seq": 100})).await.ok();
        assert_eq!(row(&desk.visitor, &room).await["unread"], 0);
        let back = desk.visitor.post(&format!("/conversations/{room}/mark_unread"), json!({"seq": 0})).await.ok();
        assert_eq!(back["read_seq"], before["read_seq"], "{back}");
        assert_eq!(row(&desk.visitor, &room).await["unread"], 2);
        let members = desk.visitor.get(&format!("/conversations/{room}/members")).await.ok();
        let one = members["data"].as_array().unwrap().iter().find(|one| one["member"]["id"] == desk.visitor.id());
        assert!(one.is_some_and(|one| one["joined_seq"].as_i64() < Some(3)), "{members}");
        let tenant = desk.tenant;
        let drift = app
            .db
            .read(move |connection| deskwire::sync::verify::recompute_all(connection, Some(tenant)))
            .await
            .unwrap();
        assert_eq!(drift.drift, 0, "{drift:?}");
    }

    /// An opening's key names one entry over all the customer's conversations.
    async fn a_repeated_opening_is_stored_once(app: TestApp) {
        let desk = app.desk().await;
        let opening = |key: &str| json!({"message": {"client_msg_id": key, "kind": "text", "content": {"text": key}}});
        let first = desk.visitor.post("/conversations", opening("k1")).await.status(201);
        let room = first["conversation"]["id"].as_str().unwrap();
        desk.visitor.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        let second = desk.visitor.post("/conversations", opening("k2")).await.status(201);
        let other = second["conversation"]["id"].as_str().unwrap();
        assert_ne!(room, other);
        let again = desk.visitor.post("/conversations", opening("k1")).await.status(200);
        assert_eq!((&again["duplicate"], &again["conversation"]["id"]), (&json!(true), &json!(room)));
        assert_eq!(again["entry"]["seq"], first["entry"]["seq"]);
        let texts = |log: &[Value]| log.iter().filter(|entry| entry["kind"] == "text").count();
        assert_eq!(texts(&desk.visitor.log(other).await), 1);
        assert_eq!(texts(&desk.visitor.log(room).await), 1);
        let changed = json!({"message": {"client_msg_id": "k1", "kind": "text", "content": {"text": "other"}}});
        desk.visitor.post("/conversations", changed).await.refused(409, "idempotency_conflict");
    }

    /// What was asked before signing in is found from the conversation that goes on, by whoever sees that one.
    async fn a_merged_log_is_read_by_who_serves_the_other(app: TestApp) {
        let desk = app.desk().await;
        let survivor = desk.visitor.open("known").await;
        desk.agent.claim(&survivor).await;
        let older = desk.second_visitor.open("asked before signing in").await;
        desk.second_agent.claim(&older).await;
        desk.second_agent.post(&format!("/conversations/{older}/notes"), message("careful")).await.ok();
        desk.agent.get(&format!("/conversations/{older}")).await.refused(404, "not_found");
        merge(&app, &desk).await;
        let log = desk.agent.log(&survivor).await;
        let notice = log.iter().find(|entry| entry["kind"] == "merged").unwrap();
        assert_eq!(notice["content"]["conversation_id"], older);
        let seen = desk.agent.get(&format!("/conversations/{older}")).await.ok();
        assert_eq!((&seen["close_reason"], &seen["merged_into_id"]), (&json!("merged"), &json!(survivor)));
        let asked = desk.agent.log(&older).await;
        assert!(asked.iter().any(|entry| entry["content"]["text"] == "asked before signing in"), "{asked:?}");
        let notes = desk.agent.get(&format!("/conversations/{older}/notes")).await.ok();
        assert_eq!(notes["data"].as_array().unwrap().len(), 1, "{notes}");
        // It goes on in the other one: this is no end that could be rated.
        let rating = desk.agent.get(&format!("/conversations/{older}/rating")).await.ok();
        assert_eq!(rating, json!({"state": "not_closed", "close_seq": null, "until": null, "rating": null}));
        let mut socket = desk.agent.socket().await;
        let pulled = socket.ask("pull", json!({"conversation_id": older, "after_seq": 0})).await;
        assert!(!pulled["entries"].as_array().unwrap().is_empty());
        // To read is not to write, and the customer reads its own.
        desk.agent.post(&format!("/conversations/{older}/messages"), message("x")).await.refused(403, "not_a_member");
        desk.agent.post(&format!("/conversations/{older}/reopen"), json!({})).await.refused(403, "not_a_member");
        desk.visitor.log(&older).await;
        // Another agent serves the one that goes on: the right moves along.
        let assign = json!({"agent_id": desk.second_agent.id()});
        let third = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        third.get(&format!("/conversations/{older}")).await.refused(404, "not_found");
        desk.supervisor.post(&format!("/conversations/{survivor}/assign"), assign).await.ok();
        desk.agent.get(&format!("/conversations/{older}")).await.refused(404, "not_found");
        desk.second_agent.get(&format!("/conversations/{older}")).await.ok();
    }
}
