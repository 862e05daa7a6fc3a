//! Messages whose addressee was not there: told once each, to the rules of that side.

use deskwire::db::schema::follower;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::product::events;
use super::provider::Provider;
use super::{account, rule, whole_payload};
use crate::harness::{Desk, TestApp, eventually};

const BY_AGENT: &str = "message.missed_by_agent";
const BY_CUSTOMER: &str = "message.missed_by_customer";

/// A tenant whose rules hear of what either side misses.
async fn hearing(app: &TestApp) -> (Desk, Provider) {
    let desk = app.desk().await;
    let provider = Provider::start().await;
    desk.admin.patch("/tenant", json!({"settings": {"presence_grace_seconds": 0}})).await.ok();
    let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
    let template = whole_payload(&desk.admin).await;
    for key in [BY_AGENT, BY_CUSTOMER] {
        rule(&desk.admin, key, &template, &to, json!({})).await;
    }
    (desk, provider)
}

fn places(events: &[Value]) -> Vec<(String, i64)> {
    let place = |event: &Value| {
        let conversation = &event["payload"]["conversation"];
        (conversation["id"].as_str().unwrap().to_owned(), conversation["seq"].as_i64().unwrap())
    };
    events.iter().map(place).collect()
}

on_every_database! {
    /// Who is not there misses each message once, when it is old enough; the event says who, and nothing of what was said.
    async fn who_is_not_there_misses_each_message(app: TestApp) {
        app.clock.stop();
        let (desk, provider) = hearing(&app).await;
        let never = json!({"name": "Never", "time_zone": "UTC", "weekly": [], "is_default": true});
        desk.admin.post("/business-hours", never).await.status(201);
        let room = desk.open("hello").await;
        desk.agent.claim(&room).await;
        let place = |answer: &Value| (room.clone(), answer["seq"].as_i64().unwrap());
        desk.agent.post(&format!("/conversations/{room}/read"), json!({})).await.ok();
        let asked = desk.visitor.send(&room, "my card is 4111 1111 1111 1111").await;
        app.advance(25_000).await;
        let answered = desk.agent.send(&room, "an answer").await;
        let later = desk.visitor.send(&room, "and 5500").await;
        app.advance(20_000).await;
        // The younger ones are behind it in the log.
        let found = events(&desk.admin, BY_AGENT, 1).await;
        assert_eq!(places(&found), [place(&asked)]);
        let (event, agent) = (&found[0], json!(desk.agent.id()));
        assert_eq!((&event["agent_id"], &event["customer_id"]), (&agent, &json!(desk.visitor.id())));
        assert_eq!((&event["payload"]["agent"]["id"], &event["payload"]["message_kind"]), (&agent, &json!("text")));
        assert_eq!(event["payload"]["business_hours"], json!({"open": false}));
        assert!(!event.to_string().contains("4111 1111"), "{event} tells what was said");
        assert_eq!(desk.admin.get(&format!("/message-events?key={BY_CUSTOMER}")).await.ok()["data"], json!([]));
        app.advance(25_000).await;
        assert_eq!(places(&events(&desk.admin, BY_AGENT, 2).await), [place(&asked), place(&later)]);
        assert_eq!(places(&events(&desk.admin, BY_CUSTOMER, 1).await), [place(&answered)]);
        eventually("each is delivered", || async { (provider.deliveries("/webhook").len() == 3).then_some(()) }).await;
    }

    /// Who has a socket, or has read the message or been given it, misses nothing; neither does anybody what was recalled or
    /// said while nobody served.
    async fn who_is_there_misses_nothing(app: TestApp) {
        let (desk, _provider) = hearing(&app).await;
        let (agent, visitor) = (desk.agent.socket().await, desk.visitor.socket().await);
        desk.agent.seen(true).await;
        let there = desk.open_and_claim("hello").await;
        desk.agent.send(&there, "an answer").await;
        desk.visitor.send(&there, "a question").await;
        let absent = desk.second_visitor.open("hello").await;
        desk.second_agent.claim(&absent).await;
        let path = |what: &str| format!("/conversations/{absent}/{what}");
        let read = desk.second_visitor.send(&absent, "a question").await;
        desk.second_agent.post(&path("read"), json!({"seq": read["seq"]})).await.ok();
        let given = desk.second_agent.send(&absent, "an answer").await;
        desk.second_visitor.post(&path("delivered"), json!({"seq": given["seq"]})).await.ok();
        let recalled = desk.second_agent.send(&absent, "a mistake").await;
        desk.second_agent.delete(&path(&format!("messages/{}", recalled["seq"]))).await.ok();
        let missed = desk.second_agent.send(&absent, "are you there?").await;
        app.advance(41_000).await;
        let found = events(&desk.admin, BY_CUSTOMER, 1).await;
        assert_eq!(places(&found), [(absent, missed["seq"].as_i64().unwrap())]);
        assert_eq!(desk.admin.get(&format!("/message-events?key={BY_AGENT}")).await.ok()["data"], json!([]));
        drop((agent, visitor));
    }

    /// What was missed while the server was away is told once when it is back.
    async fn what_was_missed_meanwhile_is_told_afterwards(app: TestApp) {
        let (desk, _provider) = hearing(&app).await;
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "an answer").await;
        app.stop().await;
        app.clock.advance(3_600_000);
        // Whoever was at work when the server stopped holds its lease for half a minute more.
        let released = diesel::update(follower::table).set(follower::lease_until.eq(0));
        released.execute(&mut app.database().connect()).unwrap();
        let again = app.restarted(|_| {}).await;
        let people = again.desk_of(desk.seed);
        assert_eq!(events(&people.admin, BY_CUSTOMER, 1).await.len(), 1);
        people.agent.send(&room, "another one").await;
        again.advance(41_000).await;
        assert_eq!(events(&people.admin, BY_CUSTOMER, 2).await.len(), 2);
    }
}
