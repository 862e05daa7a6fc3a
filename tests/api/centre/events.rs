//! Message events: stored once, however often they are told.

use reqwest::Method;
use serde_json::{Value, json};

use super::provider::Provider;
use super::{account, expanded, rule, sent, tell, text, whole_payload};
use crate::harness::{Answer, Client, eventually};

/// Tells an event with an `Idempotency-Key`.
pub(super) async fn tell_with(client: &Client, path: &str, key: &str, body: Value) -> Answer {
    Answer::of(client.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
}

on_every_database! {
    /// The first answer, again and at once; another body is a conflict; another member's key is another key.
    async fn a_repeated_request_makes_nothing_again(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "order.paid", &template, &to, json!({})).await;
        let body = json!({"key": "order.paid", "payload": {"a": 1, "b": 2}});
        let first = tell_with(&desk.admin, "/message-events", "k1", body.clone()).await.status(202);
        sent(&desk.admin, &text(&first["id"]), "success").await;
        // The order of fields does not make another body.
        let same = json!({"payload": {"b": 2, "a": 1}, "key": "order.paid"});
        let again = tell_with(&desk.admin, "/message-events", "k1", same).await.status(202);
        assert_eq!(again["id"], first["id"]);
        let another = json!({"key": "order.paid", "payload": {"a": 2}});
        tell_with(&desk.admin, "/message-events", "k1", another.clone()).await.refused(409, "idempotency_conflict");
        let theirs = tell_with(&other.admin, "/message-events", "k1", another.clone()).await.status(202);
        assert_ne!(theirs["id"], first["id"]);
        let batch = json!({"events": [another]});
        let batched = tell_with(&desk.admin, "/message-events/batch", "k1", batch).await.status(202);
        assert_ne!(batched["data"][0]["id"], first["id"], "the key of another route is another key");
        for wrong in ["", "two words", "é", &"k".repeat(65)] {
            let request = desk.admin.request(Method::POST, "/message-events").json(&body);
            Answer::of(request.header("Idempotency-Key", wrong)).await.refused(400, "invalid_parameter");
        }
        eventually("two are sent", || async { (provider.deliveries("/webhook").len() == 2).then_some(()) }).await;
    }

    /// Many at once with one key: one event, and everybody gets it.
    async fn many_at_once_make_one(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({"key": "order.paid", "payload": {"n": 1}});
        let requests = (0..12).map(|_| tell_with(&desk.admin, "/message-events", "k", body.clone()));
        let answers = futures_util::future::join_all(requests).await;
        let ids: std::collections::BTreeSet<String> =
            answers.into_iter().map(|answer| text(&answer.status(202)["id"])).collect();
        assert_eq!(ids.len(), 1);
        let page = desk.admin.get("/message-events").await.ok();
        assert_eq!(page["data"].as_array().unwrap().len(), 1);
    }

    /// All of a batch or none; keys, sizes and counts.
    async fn what_is_wrong_is_told_and_nothing_stored(app: TestApp) {
        let desk = app.desk().await;
        let good = json!({"key": "a", "payload": {}});
        let large = json!({"text": "x".repeat(65_536)});
        for (events, pointer) in [
            (json!([good, {"key": "two words", "payload": {}}]), "/events/1/key"),
            (json!([good, {"key": "a", "payload": []}]), "/events/1/payload"),
            (json!([good, {"key": "a", "payload": large}]), "/events/1/payload"),
            (json!([good, {"key": "a"}]), "/events/1/payload"),
            (json!([good, {"key": "a", "payload": {}, "extra": 1}]), "/events/1/extra"),
            (json!([]), "/events"),
            (Value::Array(vec![good.clone(); 101]), "/events"),
        ] {
            let answer = desk.admin.post("/message-events/batch", json!({"events": events})).await;
            let refused = answer.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        let refused = desk.admin.post("/message-events", json!({"key": "", "payload": {}})).await;
        assert_eq!(refused.refused(422, "validation_failed")["errors"][0]["pointer"], "/key");
        assert_eq!(desk.admin.get("/message-events").await.ok()["data"], json!([]));
        let told = desk.admin.post("/message-events/batch", json!({"events": vec![good; 100]})).await.status(202);
        assert_eq!(told["data"].as_array().unwrap().len(), 100);
    }

    /// An event without a rule is kept, and its trace says that there is nothing.
    async fn events_are_listed_and_traced(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let first = tell(&desk.admin, "a", json!({"n": 1})).await;
        let second = tell(&desk.admin, "b", json!({"n": 2})).await;
        let trace = expanded(&desk.supervisor, &first).await;
        assert_eq!((&trace["event"]["decisions"], &trace["sends"]), (&json!([]), &json!([])));
        let page = desk.supervisor.get("/message-events?limit=1").await.ok();
        assert_eq!(page["data"][0]["id"], json!(second), "the newest first");
        let next = format!("/message-events?limit=1&cursor={}", text(&page["next_cursor"]));
        let older = desk.supervisor.get(&next).await.ok();
        assert_eq!((&older["data"][0]["id"], &older["next_cursor"]), (&json!(first), &json!(null)));
        let of_key = desk.supervisor.get("/message-events?key=a").await.ok();
        assert_eq!(of_key["data"].as_array().unwrap().len(), 1);
        for client in [&desk.visitor, &desk.agent] {
            client.get("/message-events").await.refused(403, "forbidden");
            client.get(&format!("/message-events/{first}")).await.refused(403, "forbidden");
        }
        for client in [&desk.visitor, &desk.agent, &desk.supervisor] {
            let body = json!({"key": "a", "payload": {}});
            client.post("/message-events", body.clone()).await.refused(403, "forbidden");
            client.post("/message-events/batch", json!({"events": [body]})).await.refused(403, "forbidden");
        }
        other.admin.get(&format!("/message-events/{first}")).await.refused(404, "not_found");
        assert_eq!(other.admin.get("/message-events").await.ok()["data"], json!([]));
    }
}
