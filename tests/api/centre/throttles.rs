//! Throttles: a rule sends as many messages within its time as it says, and no more, whoever applies it.

use deskwire::db::schema::message_throttle;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::provider::Provider;
use super::sms_provider::SECRET;
use super::{account, expanded, rule, sent, sms, tell, text, whole_payload};
use crate::harness::{Client, eventually};

/// Tells that this happened so many times; gives the events' ids.
async fn many(admin: &Client, key: &str, count: usize) -> Vec<String> {
    let events: Vec<Value> =
        (0..count).map(|n| json!({"key": key, "payload": {"code": n.to_string()}})).collect();
    let told = admin.post("/message-events/batch", json!({"events": events})).await.status(202);
    told["data"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect()
}

/// How many sends are in this state, once these events were expanded.
async fn count(admin: &Client, events: &[String], status: &str) -> usize {
    for event in events {
        expanded(admin, event).await;
    }
    let page = admin.get(&format!("/message-sends?status={status}&limit=200")).await.ok();
    page["data"].as_array().unwrap().len()
}

on_every_database! {
    /// Of all its messages a rule sends so many; the others say why not, and so do its decisions; then it counts anew.
    async fn a_rule_sends_so_many_in_all(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let throttle = json!({"count": 3, "seconds": 60, "by": "rule"});
        let made = rule(&desk.admin, "k", &template, &to, json!({"throttle": throttle})).await;
        rule(&desk.admin, "other", &template, &to, json!({"throttle": throttle})).await;
        let body = json!({"key": "k", "payload": {}});
        let simulated = async || desk.admin.post("/message-rules/simulate", body.clone()).await.ok()["data"][0].clone();
        for _ in 0..4 {
            assert_eq!(simulated().await["decision"], "send", "a simulation counts nothing");
        }
        let events = many(&desk.admin, "k", 10).await;
        assert_eq!(count(&desk.admin, &events, "suppressed").await, 7);
        eventually("three are sent", || async { (provider.deliveries("/webhook").len() == 3).then_some(()) }).await;
        let last = expanded(&desk.admin, &events[9]).await;
        let (decision, send) = (&last["event"]["decisions"][0], &last["sends"][0]["send"]);
        assert_eq!((&decision["decision"], &decision["send_ids"][0]), (&json!("throttled"), &send["id"]));
        assert_eq!((&send["status"], &send["reason"]), (&json!("suppressed"), &json!("throttled")));
        desk.admin.post(&format!("/message-sends/{}/retry", text(&send["id"])), json!({})).await.refused(409, "invalid_transition");
        assert_eq!(simulated().await["decision"], "throttled");
        let other = tell(&desk.admin, "other", json!({})).await;
        sent(&desk.admin, &other, "success").await;
        app.advance(61_000).await;
        assert_eq!(simulated().await["decision"], "send");
        let again = tell(&desk.admin, "k", json!({})).await;
        sent(&desk.admin, &again, "success").await;
        // Without a throttle everything is sent.
        let path = format!("/message-rules/{made}");
        assert_eq!(desk.admin.get(&path).await.ok()["throttle"], throttle);
        assert_eq!(desk.admin.patch(&path, json!({"throttle": null})).await.ok()["throttle"], Value::Null);
        many(&desk.admin, "k", 5).await;
        eventually("all are sent", || async { (provider.deliveries("/webhook").len() == 10).then_some(()) }).await;
    }

    /// Each person is counted by itself, and only for what would go out.
    async fn each_person_is_sent_so_many(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let to = text(&sms::account(&desk.admin, &provider, sms::KINDS[0], SECRET).await["id"]);
        let template = sms::code_template(&desk.admin).await;
        let person = async |name: &str, phone: &str| {
            let made = desk.admin.post("/message-recipients", json!({"name": name, "phone": phone})).await;
            made.status(201)["id"].clone()
        };
        let (eva, max, nobody) =
            (person("Eva", "+8613800138000").await, person("Max", "+8613800138001").await, person("Nobody", "").await);
        let to_whom = |ids: &[&Value]| -> Value { ids.iter().map(|id| json!({"type": "recipient", "id": id})).collect() };
        let more = json!({"throttle": {"count": 1, "seconds": 60, "by": "person"}, "recipients": to_whom(&[&eva, &nobody])});
        let made = rule(&desk.admin, "k", &template, &to, more).await;
        let reasons = async || {
            let event = tell(&desk.admin, "k", json!({"code": "1"})).await;
            let trace = expanded(&desk.admin, &event).await;
            let each: Vec<Value> =
                trace["sends"].as_array().unwrap().iter().map(|one| one["send"]["reason"].clone()).collect();
            (json!(each), trace["event"]["decisions"][0].clone())
        };
        assert_eq!(reasons().await.0, json!([null, "no_address"]));
        let (found, decision) = reasons().await;
        assert_eq!(found, json!(["throttled", "no_address"]));
        assert_eq!((&decision["decision"], &decision["detail"]), (&json!("send"), &json!("1 of 2 messages are throttled")));
        let change = json!({"recipients": to_whom(&[&eva, &max])});
        desk.admin.patch(&format!("/message-rules/{made}"), change).await.ok();
        let body = json!({"key": "k", "payload": {"code": "1"}});
        let simulated = desk.admin.post("/message-rules/simulate", body).await.ok()["data"][0].clone();
        let told: Vec<&Value> = simulated["receivers"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
        assert_eq!(told, [&json!("throttled"), &Value::Null]);
        assert_eq!(simulated["detail"], "1 of 2 messages are throttled");
        assert_eq!(reasons().await.0, json!(["throttled", null]));
        let (found, decision) = reasons().await;
        assert_eq!((found, &decision["decision"]), (json!(["throttled", "throttled"]), &json!("throttled")));
        eventually("two are sent", || async { (provider.deliveries("/aliyun").len() == 2).then_some(()) }).await;
    }

    /// Many events at once, applied by two processes where there may be two: exactly so many are sent.
    async fn no_more_are_sent_however_many_apply_it(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "k", &template, &to, json!({"throttle": {"count": 37, "seconds": 3_600, "by": "rule"}})).await;
        let other = if app.kind().is_server() { app.second().await } else { app.clone() };
        let second = other.client_of(desk.seed.admin);
        let told = futures_util::future::join_all((0..20).map(|n| {
            let client = if n % 2 == 0 { &desk.admin } else { &second };
            many(client, "k", 5)
        })).await;
        let events: Vec<String> = told.into_iter().flatten().collect();
        assert_eq!(count(&desk.admin, &events, "suppressed").await, 63);
        eventually("the others are sent", || async { (provider.deliveries("/webhook").len() >= 37).then_some(()) }).await;
        assert_eq!(count(&desk.admin, &events, "success").await + count(&desk.admin, &events, "sending").await, 37);
    }

    /// What means nothing is refused, and counters whose time is over go.
    async fn throttles_are_checked_and_go(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let throttle = json!({"count": 1, "seconds": 60, "by": "rule"});
        let path = format!("/message-rules/{}", rule(&desk.admin, "k", &template, &to, json!({"throttle": throttle})).await);
        for (field, value) in [
            ("count", json!(0)), ("count", json!(100_001)), ("seconds", json!(0)), ("seconds", json!(2_592_001)),
            ("by", json!("person")), ("by", json!("tenant")),
        ] {
            let mut throttle = throttle.clone();
            throttle[field] = value;
            let refused = desk.admin.patch(&path, json!({"throttle": throttle})).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], format!("/throttle/{field}"), "{refused}");
        }
        let event = tell(&desk.admin, "k", json!({})).await;
        sent(&desk.admin, &event, "success").await;
        let counters = |app: &crate::harness::TestApp| -> i64 {
            message_throttle::table.count().get_result(&mut app.database().connect()).unwrap()
        };
        assert_eq!(counters(&app), 1);
        app.advance(61_000).await;
        let cleaner = app.restarted(|settings| settings.cleaning.cleaning_minutes = 1).await;
        eventually("the counter is gone", || async { (counters(&cleaner) == 0).then_some(()) }).await;
    }
}
