//! Replays: a rule is applied again to what happened before, and no other rule is.

use deskwire::kernel::Millis;
use reqwest::Method;
use serde_json::{Value, json};

use super::product::events;
use super::provider::Provider;
use super::{account, expanded, rule, sent, tell, text, whole_payload};
use crate::harness::{Answer, Client, eventually};

const MINUTE: i64 = 60_000;

fn path(rule: &str) -> String {
    format!("/message-rules/{rule}/replay")
}

/// Replays to the end; gives the new events, and how many requests it took.
async fn to_the_end(admin: &Client, rule: &str, first: Value) -> (Vec<String>, usize) {
    let (mut made, mut body, mut requests) = (Vec::new(), first.clone(), 0);
    loop {
        let answer = admin.post(&path(rule), body).await.ok();
        made.extend(answer["event_ids"].as_array().unwrap().iter().map(text));
        requests += 1;
        if answer["next_cursor"].is_null() {
            return (made, requests);
        }
        body = first.clone();
        body.as_object_mut().unwrap().remove("from");
        body["cursor"] = answer["next_cursor"].clone();
    }
}

/// What an event says, and for which rule it is.
async fn shown(admin: &Client, event: &str) -> Value {
    expanded(admin, event).await["event"].clone()
}

on_every_database! {
    /// A new rule is told what the log holds from before it was made, from a time or a cursor on, in order; nobody else is.
    async fn a_new_rule_is_told_what_the_log_holds(app: TestApp) {
        app.clock.stop();
        let (desk, other) = (app.desk().await, app.desk().await);
        let admin = &desk.admin;
        let provider = Provider::start().await;
        let (to, _) = account(admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(admin).await;
        let room = desk.open_and_claim("0").await;
        other.open_and_claim("elsewhere").await;
        let start = app.clock.now();
        let mut feed = Value::Null;
        for n in 1..6 {
            app.advance(MINUTE).await;
            desk.visitor.send(&room, &n.to_string()).await;
            desk.agent.send(&room, "an answer").await;
            if n == 3 {
                feed = admin.get("/entries?limit=200").await.ok()["next_cursor"].clone();
            }
        }
        let made = rule(admin, "message.received", &template, &to, json!({})).await;
        rule(admin, "message.received", &template, &to, json!({"title": "another"})).await;
        let log = desk.agent.log(&room).await;
        let seq = |said: usize| {
            let text = json!(said.to_string());
            log.iter().find(|entry| entry["content"]["text"] == text).unwrap()["seq"].clone()
        };
        let at = |minutes: i64| Millis(start.0 + minutes * MINUTE);
        let mut told = 0;
        for (asked, expected) in [
            (json!({"from": at(-60)}), vec![0, 1, 2, 3, 4, 5]),
            (json!({"from": at(-60), "limit": 1}), vec![0, 1, 2, 3, 4, 5]),
            (json!({"from": at(4)}), vec![4, 5]),
            (json!({"from": at(2), "before": at(4)}), vec![2, 3]),
            (json!({"from": at(4), "before": at(2)}), vec![]),
            (json!({"from": at(60)}), vec![]),
            (json!({"cursor": feed}), vec![4, 5]),
            (json!({"cursor": feed, "before": at(5)}), vec![4]),
        ] {
            let mut dry = asked.clone();
            dry["dry_run"] = json!(true);
            let dry = admin.post(&path(&made), dry).await.ok();
            assert_eq!((&dry["dry_run"], &dry["event_ids"]), (&json!(true), &json!([])));
            assert_eq!(dry["count"], json!(expected.len()), "{asked}");
            let (events, _) = to_the_end(admin, &made, asked.clone()).await;
            assert_eq!(events.len(), expected.len(), "{asked}");
            for (event, said) in events.iter().zip(&expected) {
                let event = shown(admin, event).await;
                assert_eq!((&event["rule_id"], &event["created_by"]), (&json!(made), &json!(desk.admin.id())));
                assert_eq!(event["payload"]["conversation"]["seq"], seq(*said), "{asked}");
                assert_eq!(event["customer_id"], json!(desk.visitor.id()));
                assert_eq!(event["decisions"].as_array().unwrap().len(), 1, "it is for the rule only");
            }
            told += expected.len();
        }
        eventually("all are sent", || async { (provider.deliveries("/webhook").len() == told).then_some(()) }).await;
        let page = admin.get("/message-events?limit=200").await.ok();
        assert_eq!(page["data"].as_array().unwrap().len(), told, "a dry run makes nothing");
        assert_eq!(other.admin.get("/message-events").await.ok()["data"], json!([]));
    }

    /// What merchants told is taken from the events that are kept, once each: replays and digests are not replayed again.
    async fn what_was_told_is_replayed_once_for_each_request(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let admin = &desk.admin;
        let provider = Provider::start().await;
        let (to, _) = account(admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(admin).await;
        let mut expected = Vec::new();
        for n in 0..5 {
            app.advance(MINUTE).await;
            tell(admin, "k", json!({"n": n})).await;
            expected.push(json!({"n": n}));
        }
        tell(admin, "other", json!({})).await;
        let made = rule(admin, "k", &template, &to, json!({"conditions": [{"path": "/n", "operator": "ne", "value": 2}]})).await;
        let digest = rule(admin, "k", &template, &to, json!({"digest": {"seconds": 60, "max": 5}})).await;
        for limit in [1_000, 2, 1] {
            let (events, requests) = to_the_end(admin, &made, json!({"from": Millis(0), "limit": limit})).await;
            let mut found = Vec::new();
            for event in &events {
                found.push(shown(admin, event).await["payload"].clone());
            }
            assert_eq!(found, expected, "{limit}");
            assert!(requests >= 5_usize.div_ceil(limit), "{requests}");
        }
        eventually("four each are sent", || async { (provider.deliveries("/webhook").len() == 12).then_some(()) }).await;
        let (events, _) = to_the_end(admin, &digest, json!({"from": Millis(0)})).await;
        assert_eq!(shown(admin, &events[4]).await["decisions"][0]["decision"], "digested");
        eventually("the digest is sent", || async { (provider.deliveries("/webhook").len() == 13).then_some(()) }).await;
        let (events, _) = to_the_end(admin, &digest, json!({"from": Millis(0)})).await;
        assert_eq!(events.len(), 5, "neither the digest nor what was replayed");
        let begin = Millis(app.clock.now().0 - MINUTE);
        let (events, _) = to_the_end(admin, &made, json!({"from": begin})).await;
        assert_eq!(events.len(), 2, "from a time on");
    }

    /// A request that is repeated with its key makes nothing again; with another body, or for another rule, it is refused.
    async fn a_repeated_request_makes_nothing_again(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        tell(&desk.admin, "k", json!({"n": 1})).await;
        let made = rule(&desk.admin, "k", &template, &to, json!({})).await;
        let another = rule(&desk.admin, "k", &template, &to, json!({})).await;
        let replay = async |rule: &str, body: Value| {
            let request = desk.admin.request(Method::POST, &path(rule)).header("Idempotency-Key", "once");
            Answer::of(request.json(&body)).await
        };
        let body = json!({"from": "2026-01-01T00:00:00Z"});
        let first = replay(&made, body.clone()).await.ok();
        assert_eq!(first["count"], 1);
        tell(&desk.admin, "k", json!({"n": 2})).await;
        assert_eq!(replay(&made, body.clone()).await.ok(), first);
        replay(&made, json!({"from": "2026-02-01T00:00:00Z"})).await.refused(409, "idempotency_conflict");
        replay(&another, body).await.refused(409, "idempotency_conflict");
        assert_eq!(events(&desk.admin, "k", 3).await.len(), 3);
        sent(&desk.admin, &text(&first["event_ids"][0]), "success").await;
    }

    /// What cannot be replayed is refused with its place.
    async fn what_cannot_be_replayed_is_refused(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let of_log = rule(&desk.admin, "message.received", &template, &to, json!({})).await;
        let told = rule(&desk.admin, "k", &template, &to, json!({})).await;
        desk.open_and_claim("hello").await;
        let feed = desk.admin.get("/entries").await.ok()["next_cursor"].clone();
        let theirs = other.admin.get("/entries").await.ok()["next_cursor"].clone();
        let from = json!({"from": "2026-01-01T00:00:00Z"});
        for (rule, body, pointer) in [
            (&told, json!({}), "/from"),
            (&told, json!({"from": "2026-01-01T00:00:00Z", "cursor": "x"}), "/cursor"),
            (&told, json!({"cursor": "?"}), "/cursor"),
            (&told, json!({"cursor": feed}), "/cursor"),
            (&of_log, json!({"cursor": "MQ"}), "/cursor"),
            (&of_log, json!({"cursor": "x".repeat(65)}), "/cursor"),
            (&told, json!({"from": "2026-01-01T00:00:00Z", "limit": 0}), "/limit"),
            (&told, json!({"from": "2026-01-01T00:00:00Z", "limit": 1_001}), "/limit"),
        ] {
            let refused = desk.admin.post(&path(rule), body.clone()).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        }
        desk.admin.post(&path(&of_log), json!({"cursor": theirs})).await.refused(410, "cursor_reset");
        desk.admin.post(&path(&told), json!({"from": "yesterday"})).await.refused(422, "validation_failed");
        desk.admin.post(&path(&told), json!({"from": "2026-01-01T00:00:00Z", "until": 1})).await.refused(422, "validation_failed");
        for caller in [&desk.supervisor, &desk.agent, &desk.visitor] {
            caller.post(&path(&told), from.clone()).await.refused(403, "forbidden");
        }
        other.admin.post(&path(&told), from.clone()).await.refused(404, "not_found");
        desk.admin.patch(&format!("/message-rules/{told}"), json!({"status": "disabled"})).await.ok();
        desk.admin.post(&path(&told), from.clone()).await.refused(409, "invalid_transition");
        desk.admin.delete(&format!("/message-rules/{told}")).await.status(204);
        desk.admin.post(&path(&told), from).await.refused(404, "not_found");
    }
}
