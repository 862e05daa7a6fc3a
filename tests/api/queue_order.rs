//! The list of waiting conversations in the order of the queue, and what becomes of a deleted customer's.

use deskwire::domain::member::Role;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::{Desk, TestApp};

/// All pages of a list, as ids.
async fn pages(client: &Client, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/conversations?limit=2&{query}{cursor}")).await.ok();
        ids.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return ids,
        }
    }
}

/// Conversations of so many customers; those opened in one instant too, so the clock stands.
async fn waiting(app: &TestApp, desk: &Desk, count: usize) -> Vec<String> {
    app.clock.stop();
    let mut rooms = Vec::new();
    for number in 0..count {
        let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
        rooms.push(visitor.open("hello").await);
        app.advance(if number % 3 == 0 { 0 } else { 1_000 }).await;
    }
    rooms
}

on_every_database! {
    /// Who waits longest comes first; a release or a reopening starts anew; served and closed ones are not listed.
    async fn the_longest_waiting_come_first(app: TestApp) {
        let desk = app.desk().await;
        let rooms = waiting(&app, &desk, 7).await;
        // The second page ends between two of one instant.
        assert_eq!(pages(&desk.supervisor, "sort=waiting").await, rooms);
        app.advance(1_000).await;
        let act = async |room: &str, what: &str| {
            desk.supervisor.post(&format!("/conversations/{room}/{what}"), json!({})).await.ok()
        };
        desk.agent.claim(&rooms[0]).await;
        assert_eq!(act(&rooms[0], "release").await["status"], "open");
        app.advance(1_000).await;
        act(&rooms[1], "close").await;
        assert_eq!(act(&rooms[1], "close").await["waiting_since"], Value::Null);
        act(&rooms[1], "reopen").await;
        assert_eq!(desk.agent.claim(&rooms[2]).await["waiting_since"], Value::Null);
        act(&rooms[3], "close").await;
        let order: Vec<String> = [4, 5, 6, 0, 1].iter().map(|index: &usize| rooms[*index].clone()).collect();
        for client in [&desk.supervisor, &desk.second_agent, &desk.agent] {
            assert_eq!(pages(client, "sort=waiting").await, order);
            assert_eq!(pages(client, "sort=waiting&status=open").await, order);
        }
        assert_eq!(pages(&desk.visitor, "sort=waiting").await, Vec::<String>::new());
        // The other order holds what it held.
        let newest: Vec<String> = rooms.iter().rev().cloned().collect();
        assert_eq!(pages(&desk.supervisor, "").await, newest);
        assert_eq!(pages(&desk.supervisor, "sort=newest").await, newest);
        desk.agent.get("/conversations?sort=waiting&status=closed").await.refused(400, "invalid_parameter");
        desk.agent.get("/conversations?sort=oldest").await.refused(400, "invalid_parameter");
        // A cursor of one order is none of the other.
        let page = desk.supervisor.get("/conversations?limit=2&sort=waiting").await.ok();
        let path = format!("/conversations?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
        desk.supervisor.get(&path).await.refused(400, "invalid_parameter");
    }

    /// A page that was read stays where it was when the first of the queue is taken meanwhile.
    async fn a_claim_between_pages_skips_nobody(app: TestApp) {
        let desk = app.desk().await;
        let rooms = waiting(&app, &desk, 5).await;
        let page = desk.agent.get("/conversations?limit=2&sort=waiting").await.ok();
        desk.agent.claim(&rooms[0]).await;
        desk.agent.claim(&rooms[1]).await;
        let next = page["next_cursor"].as_str().unwrap();
        let page = desk.agent.get(&format!("/conversations?limit=2&sort=waiting&cursor={next}")).await.ok();
        assert_eq!(page["data"][0]["id"], rooms[2]);
    }

    /// Nobody waits for a customer who is no more, and the staff are told.
    async fn a_deleted_customer_waits_no_more(app: TestApp) {
        let desk = app.desk().await;
        let (waits, served) = (desk.second_visitor.open("waits").await, desk.open_and_claim("served").await);
        let path = format!("/conversations/{served}");
        assert_eq!(desk.agent.get(&path).await.ok()["customer_deleted"], false);
        for (customer, room) in [(&desk.second_visitor, &waits), (&desk.visitor, &served)] {
            desk.admin.delete(&format!("/members/{}", customer.id())).await.status(204);
            let seen = desk.supervisor.get(&format!("/conversations/{room}")).await.ok();
            assert_eq!((&seen["status"], &seen["close_reason"]), (&json!("closed"), &json!("customer_deleted")));
            assert_eq!(seen["customer_deleted"], true);
        }
        assert_eq!(desk.agent.get(&path).await.ok()["customer_deleted"], true);
        assert_eq!(desk.agent.log(&served).await.last().unwrap()["content"]["reason"], "customer_deleted");
        let assignments = desk.supervisor.get(&format!("{path}/assignments")).await.ok();
        assert_eq!(assignments["data"][0]["end_reason"], "close");
        assert_eq!(pages(&desk.agent, "sort=waiting").await, Vec::<String>::new());
        let given = json!({"reason": "customer_deleted"});
        desk.supervisor.post(&format!("{path}/close"), given).await.refused(422, "validation_failed");
    }

    /// A text that shows nothing says nothing.
    async fn invisible_text_is_no_message(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        for text in ["\u{200b}", "\u{feff}\u{2060}", " \u{200d} "] {
            let body = json!({"client_msg_id": "k", "kind": "text", "content": {"text": text}});
            let refused = desk.visitor.post(&format!("/conversations/{room}/messages"), body).await;
            assert_eq!(refused.refused(422, "validation_failed")["errors"][0]["pointer"], "/content/text");
        }
    }
}
