//! Digests of rules: each event is sent once, with those that go together. The clock stands still but for what a test moves.

use std::collections::BTreeSet;

use deskwire::db::schema::message_digest;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::product::events;
use super::provider::Provider;
use super::{account, expanded, rule, says, sent, tell, text, whole_payload};
use crate::harness::{Client, TestApp, eventually};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// Tells that this happened to a customer, or to nobody, and what the only rule made of it.
async fn collected(admin: &Client, key: &str, payload: Value, customer: Option<&str>) -> (String, Value) {
    let body = json!({"key": key, "payload": payload, "customer_id": customer});
    let event = text(&admin.post("/message-events", body).await.status(202)["id"]);
    let decision = expanded(admin, &event).await["event"]["decisions"][0].clone();
    (event, decision)
}

/// The events that digests ended as, once there are so many.
async fn digests(admin: &Client, key: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} digests of {key}"), || async {
        let page = admin.get(&format!("/message-events?key={key}&limit=200")).await.ok();
        let all = page["data"].as_array().unwrap().iter().rev();
        let found: Vec<Value> =
            all.filter(|one| !one["rule_id"].is_null() && !one["expanded_at"].is_null()).cloned().collect();
        (found.len() >= count).then_some(found)
    })
    .await
}

async fn open(app: &TestApp) -> i64 {
    let count = |connection: &mut deskwire::db::AnyConnection| {
        Ok(message_digest::table.count().get_result::<i64>(connection)?)
    };
    app.app().db.read(count).await.unwrap()
}

on_every_database! {
    /// What happens within the time is one message, with all of it in its order; what comes later is another one.
    async fn events_are_sent_as_one_when_their_time_comes(app: TestApp) {
        app.clock.stop();
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let digest = json!({"seconds": 60, "max": 100, "key": ""});
        let made = rule(&desk.admin, "k", &template, &to, json!({"digest": digest})).await;
        assert_eq!(desk.admin.get(&format!("/message-rules/{made}")).await.ok()["digest"], digest);
        let mut told = Vec::new();
        for n in 0..3 {
            let (event, decision) = collected(&desk.admin, "k", json!({"n": n}), None).await;
            assert_eq!((&decision["decision"], &decision["send_ids"]), (&json!("digested"), &json!([])));
            told.push(event);
            app.advance(19_000).await;
        }
        assert_eq!(desk.admin.get("/message-sends").await.ok()["data"], json!([]));
        assert_eq!(expanded(&desk.admin, &told[0]).await["digested_as"], json!([]));
        app.advance(3_000).await;
        let found = digests(&desk.admin, "k", 1).await;
        let payload = json!({"count": 3, "events": [{"n": 0}, {"n": 1}, {"n": 2}]});
        assert_eq!((found.len(), &found[0]["payload"], &found[0]["rule_id"]), (1, &payload, &json!(made)));
        let event = text(&found[0]["id"]);
        sent(&desk.admin, &event, "success").await;
        let trace = expanded(&desk.admin, &event).await;
        assert_eq!((&trace["digest_of"], &trace["digested_as"]), (&json!(told), &json!([])));
        let trace = expanded(&desk.admin, &told[2]).await;
        assert_eq!((&trace["digest_of"], &trace["digested_as"]), (&json!([]), &json!([event])));
        assert_eq!(provider.deliveries("/webhook")[0].body["data"], payload);
        other.admin.get(&format!("/message-events/{event}")).await.refused(404, "not_found");
        collected(&desk.admin, "k", json!({"n": 3}), None).await;
        app.advance(59_000).await;
        assert_eq!(digests(&desk.admin, "k", 1).await.len(), 1, "its time begins with its first event");
        app.advance(2_000).await;
        let found = digests(&desk.admin, "k", 2).await;
        assert_eq!(found[1]["payload"], json!({"count": 1, "events": [{"n": 3}]}));
        eventually("both are sent", || async { (provider.deliveries("/webhook").len() == 2).then_some(()) }).await;
    }

    /// Of many events at once, applied by two processes where there may be two, each is in one digest, and full ones go at once.
    async fn full_digests_go_at_once_and_each_event_is_in_one(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "k", &template, &to, json!({"digest": {"seconds": 3_600, "max": 10}})).await;
        let processes = if app.kind().is_server() { app.second().await } else { app.clone() };
        let second = processes.client_of(desk.seed.admin);
        let told = join_all((0..20).map(async |n| {
            let client = if n % 2 == 0 { &desk.admin } else { &second };
            let events: Vec<Value> = (0..5).map(|m| json!({"key": "k", "payload": {"n": n * 5 + m}})).collect();
            let told = client.post("/message-events/batch", json!({"events": events})).await.status(202);
            told["data"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect::<Vec<_>>()
        }))
        .await;
        let told: BTreeSet<String> = told.into_iter().flatten().collect();
        let found = digests(&desk.admin, "k", 10).await;
        let (mut members, mut numbers) = (Vec::new(), Vec::new());
        for one in &found {
            assert_eq!(one["payload"]["count"], 10, "{one}");
            let trace = expanded(&desk.admin, &text(&one["id"])).await;
            members.extend(trace["digest_of"].as_array().unwrap().iter().map(text));
            numbers.extend(one["payload"]["events"].as_array().unwrap().iter().map(|one| one["n"].as_i64().unwrap()));
        }
        assert_eq!((found.len(), members.len()), (10, 100));
        assert_eq!(members.into_iter().collect::<BTreeSet<_>>(), told);
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<i64>>());
        assert_eq!(open(&app).await, 0, "nothing is left open");
        eventually("all are sent", || async { (provider.deliveries("/webhook").len() == 10).then_some(()) }).await;
    }

    /// What is about others, or has another key, is apart; what does not fit, or is there already, is not collected.
    async fn only_what_goes_together_is_sent_together(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let more = json!({
            "digest": {"seconds": 60, "max": 100, "key": "{{ order }}"}, "dedupe_seconds": 600,
            "conditions": [{"path": "/paid", "operator": "eq", "value": true}],
        });
        rule(&desk.admin, "k", &template, &to, more).await;
        let (one, another) = (desk.visitor.id(), desk.second_visitor.id());
        let paid = |order: &str, n: i64| json!({"order": order, "n": n, "paid": true});
        for (payload, customer, decision) in [
            (paid("a", 1), None, "digested"),
            (paid("b", 2), None, "digested"),
            (paid("a", 3), Some(one.as_str()), "digested"),
            (paid("a", 4), Some(another.as_str()), "digested"),
            (paid("a", 5), Some(one.as_str()), "digested"),
            (paid("a", 5), Some(one.as_str()), "duplicate"),
            (json!({"order": "a", "paid": false}), None, "conditions"),
            (json!({"n": 6, "paid": true}), None, "template"),
        ] {
            let (_, made) = collected(&desk.admin, "k", payload.clone(), customer).await;
            assert_eq!(made["decision"], decision, "{payload}: {made}");
        }
        app.advance(61_000).await;
        let found = digests(&desk.admin, "k", 4).await;
        let told: BTreeSet<(String, String)> = found
            .iter()
            .map(|one| {
                let numbers = one["payload"]["events"].as_array().unwrap().iter().map(|one| one["n"].clone());
                (one["customer_id"].to_string(), Value::from_iter(numbers).to_string())
            })
            .collect();
        let (one, another) = (json!(one).to_string(), json!(another).to_string());
        let expected = [("null", "[1]"), ("null", "[2]"), (&one, "[3,5]"), (&another, "[4]")];
        assert_eq!(told, expected.map(|(customer, numbers)| (customer.to_owned(), numbers.to_owned())).into());
        // It was looked at each event, and not at the digest again.
        assert!(found.iter().all(|one| one["decisions"][0]["decision"] == "send"), "{found:?}");
    }

    /// What was collected when everything stopped is told afterwards, once.
    async fn a_digest_outlives_its_process(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "k", &template, &to, json!({"digest": {"seconds": 60, "max": 100}})).await;
        for n in 0..3 {
            collected(&desk.admin, "k", json!({"n": n}), None).await;
        }
        app.stop().await;
        app.clock.advance(10 * MINUTE);
        let again = app.restarted(|_| {}).await;
        let admin = again.client_of(desk.seed.admin);
        let found = digests(&admin, "k", 1).await;
        assert_eq!((found.len(), &found[0]["payload"]["count"]), (1, &json!(3)));
        eventually("it is sent", || async { (provider.deliveries("/webhook").len() == 1).then_some(()) }).await;
        assert_eq!(open(&again).await, 0);
    }

    /// Events stay as long as a digest collects them, however short messages are kept.
    async fn what_is_collected_is_kept(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "k", &template, &to, json!({"digest": {"seconds": 3 * DAY / 1_000, "max": 100}})).await;
        let (kept, _) = collected(&desk.admin, "k", json!({"n": 1}), None).await;
        let other = tell(&desk.admin, "nothing", json!({})).await;
        expanded(&desk.admin, &other).await;
        app.stop().await;
        app.clock.advance(2 * DAY);
        let again = app
            .restarted(|settings| {
                settings.cleaning.cleaning_minutes = 60;
                settings.cleaning.message_history_days = 1;
            })
            .await;
        let admin = again.client_of(desk.seed.admin);
        eventually("what is old is removed", || async {
            let answer = admin.get(&format!("/message-events/{other}")).await;
            (answer.status == 404).then_some(())
        })
        .await;
        admin.get(&format!("/message-events/{kept}")).await.ok();
        again.advance(2 * DAY).await;
        let admin = again.client_of(desk.seed.admin);
        let found = digests(&admin, "k", 1).await;
        assert_eq!(found[0]["payload"], json!({"count": 1, "events": [{"n": 1}]}));
    }

    /// A rule that changes meanwhile: under its new key, without its digest, disabled, or deleted.
    async fn rules_that_change_meanwhile_lose_nothing_but_what_they_do_not_send(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let digest = json!({"digest": {"seconds": 60, "max": 100}});
        let mut paths = Vec::new();
        for key in ["renamed", "plain", "disabled", "deleted"] {
            let made = rule(&desk.admin, key, &template, &to, digest.clone()).await;
            paths.push(format!("/message-rules/{made}"));
            collected(&desk.admin, key, json!({"from": key}), None).await;
        }
        desk.admin.patch(&paths[0], json!({"key": "new"})).await.ok();
        desk.admin.patch(&paths[1], json!({"digest": null})).await.ok();
        let changed = desk.admin.patch(&paths[2], json!({"status": "disabled"})).await.ok();
        assert_eq!(changed["digest"], json!({"seconds": 60, "max": 100, "key": ""}), "what is not given stays");
        desk.admin.delete(&paths[3]).await.status(204);
        let plain = tell(&desk.admin, "plain", json!({})).await;
        sent(&desk.admin, &plain, "success").await;
        app.advance(61_000).await;
        for (key, decisions) in [("new", 1), ("plain", 1), ("disabled", 0)] {
            let found = digests(&desk.admin, key, 1).await;
            assert_eq!(found[0]["decisions"].as_array().unwrap().len(), decisions, "{key}");
        }
        eventually("the deleted rule's digest is gone", || async { (open(&app).await == 0).then_some(()) }).await;
        assert_eq!(events(&desk.admin, "deleted", 1).await.len(), 1, "nothing is told of it");
        eventually("three are sent", || async { (provider.deliveries("/webhook").len() == 3).then_some(()) }).await;
    }

    /// Long payloads end a digest before its time, so that no event becomes too long.
    async fn long_payloads_end_a_digest(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "slack_robot", "/slack").await;
        let robot = json!({"format": "text", "text": "{{ count }} of {{ events[0].n }}"});
        let variables = json!([
            {"name": "count", "type": "number", "required": true, "sample": 2},
            {"name": "events", "type": "array", "required": true, "sample": [{"n": 1}]},
        ]);
        let body = json!({"name": "many", "channel": "robot", "robot": robot, "variables": variables});
        let template = super::published(&desk.admin, body).await;
        rule(&desk.admin, "k", &template, &to, json!({"digest": {"seconds": 60, "max": 100}})).await;
        for n in 0..3 {
            collected(&desk.admin, "k", json!({"n": n, "long": "x".repeat(40_000)}), None).await;
        }
        let found = digests(&desk.admin, "k", 1).await;
        assert_eq!((found.len(), &found[0]["payload"]["count"], open(&app).await), (1, &json!(2), 1));
        sent(&desk.admin, &text(&found[0]["id"]), "success").await;
        assert_eq!(provider.deliveries("/slack")[0].body["text"], "2 of 0");
    }

    /// What cannot be said fails where it is sent, and says so.
    async fn a_digest_that_cannot_be_said_fails(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "slack_robot", "/slack").await;
        let template = says(&desk.admin).await;
        rule(&desk.admin, "k", &template, &to, json!({"digest": {"seconds": 60, "max": 2}})).await;
        for n in 0..2 {
            collected(&desk.admin, "k", json!({"text": n.to_string()}), None).await;
        }
        let found = digests(&desk.admin, "k", 1).await;
        assert_eq!(found[0]["decisions"][0]["decision"], "template");
        sent(&desk.admin, &text(&found[0]["id"]), "failed").await;
    }

    /// A simulation shows what a digest of the event alone would say; what is no digest is refused with its place.
    async fn digests_are_tried_and_checked(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let made = rule(&desk.admin, "k", &template, &to, json!({"digest": {"seconds": 60, "max": 2, "key": "{{ n }}"}})).await;
        let tried = async |payload: Value| {
            let body = json!({"key": "k", "payload": payload});
            desk.supervisor.post("/message-rules/simulate", body).await.ok()["data"][0].clone()
        };
        let shown = tried(json!({"n": 1})).await;
        assert_eq!(shown["decision"], "digested");
        assert_eq!(shown["message"]["data"], json!({"count": 1, "events": [{"n": 1}]}), "{shown}");
        assert_eq!(tried(json!({})).await["decision"], "template");
        assert_eq!(open(&app).await, 0, "nothing is collected");
        let path = format!("/message-rules/{made}");
        let schedule = json!({"cron": "0 8 * * *", "time_zone": "UTC"});
        for (body, pointer) in [
            (json!({"digest": {"seconds": 0, "max": 10}}), "/digest/seconds"),
            (json!({"digest": {"seconds": 604_801, "max": 10}}), "/digest/seconds"),
            (json!({"digest": {"seconds": 60, "max": 1}}), "/digest/max"),
            (json!({"digest": {"seconds": 60, "max": 101}}), "/digest/max"),
            (json!({"digest": {"seconds": 60, "max": 10, "key": "x".repeat(256)}}), "/digest/key"),
            (json!({"schedule": schedule}), "/digest"),
            (json!({"priority": "code"}), "/digest"),
        ] {
            let refused = desk.admin.patch(&path, body.clone()).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        }
        for body in [json!({"digest": {"seconds": 60}}), json!({"digest": {"seconds": 60, "max": 2, "by": "person"}})] {
            desk.admin.patch(&path, body).await.refused(422, "validation_failed");
        }
        desk.supervisor.patch(&path, json!({"digest": null})).await.refused(403, "forbidden");
    }
}
