//! Rules: which apply, which do not, and why.

use serde_json::{Value, json};

use super::provider::Provider;
use super::{account, expanded, published, rule, sent, tell, text, whole_payload};
use crate::harness::eventually;

on_every_database! {
    /// Several rules of one key each make their send; one that is disabled, does not hold or has no version says why.
    async fn every_rule_of_a_key_is_applied(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let draft = json!({"name": "draft", "channel": "webhook", "webhook": {"type": "t"}});
        let draft = text(&desk.admin.post("/message-templates", draft).await.status(201)["id"]);
        let needs = json!({"name": "needs", "channel": "webhook", "webhook": {"type": "t", "data": "{{ name }}"},
            "variables": [{"name": "name", "type": "string", "required": true, "sample": "Eva"}]});
        let needs = published(&desk.admin, needs).await;
        let dear = json!([{"path": "/total", "operator": "gt", "value": 100}]);
        let first = rule(&desk.admin, "order.paid", &template, &to, json!({})).await;
        let second = rule(&desk.admin, "order.paid", &template, &to, json!({"priority": "urgent"})).await;
        let third = rule(&desk.admin, "order.paid", &template, &to, json!({"conditions": dear})).await;
        let fourth = rule(&desk.admin, "order.paid", &draft, &to, json!({})).await;
        let fifth = rule(&desk.admin, "order.paid", &needs, &to, json!({})).await;
        rule(&desk.admin, "order.paid", &template, &to, json!({"status": "disabled"})).await;
        rule(&desk.admin, "order.shipped", &template, &to, json!({})).await;
        let expected = json!([
            [first, "send", ""],
            [second, "send", ""],
            [third, "conditions", "/total gt 100"],
            [fourth, "unpublished", "the template has no published version"],
            [fifth, "template", "/payload/name: \"name\" is missing"],
        ]);
        let told = |decisions: &Value| -> Value {
            let each = decisions.as_array().unwrap().iter();
            each.map(|one| json!([one["rule_id"], one["decision"], one["detail"]])).collect()
        };
        let body = json!({"key": "order.paid", "payload": {"total": 9}});
        let simulated = desk.supervisor.post("/message-rules/simulate", body.clone()).await.ok();
        assert_eq!(told(&simulated["data"]), expected);
        assert_eq!(simulated["data"][0]["message"]["data"], json!({"total": 9}));
        assert!(provider.deliveries("/webhook").is_empty(), "a simulation sends nothing");
        let event = tell(&desk.admin, "order.paid", json!({"total": 9})).await;
        let trace = expanded(&desk.admin, &event).await;
        assert_eq!(told(&trace["event"]["decisions"]), expected);
        eventually("both are sent", || async { (provider.deliveries("/webhook").len() == 2).then_some(()) }).await;
        let trace = desk.admin.get(&format!("/message-events/{event}")).await.ok();
        let failed = trace["sends"].as_array().unwrap().iter().find(|one| one["send"]["rule_id"] == json!(fifth));
        let failed = &failed.unwrap()["send"];
        assert_eq!((&failed["status"], &failed["reason"]), (&json!("failed"), &json!("template")));
        let retry = format!("/message-sends/{}/retry", text(&failed["id"]));
        desk.admin.post(&retry, json!({})).await.refused(409, "invalid_transition");
    }

    /// The same within the time is sent once, also when a hundred come in one request; after it, again.
    async fn the_same_is_sent_once_within_its_time(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let more = json!({"dedupe_seconds": 60, "dedupe_key": "{{ order }}"});
        rule(&desk.admin, "order.paid", &template, &to, more).await;
        let events: Vec<Value> =
            (0..100).map(|n| json!({"key": "order.paid", "payload": {"order": n % 2, "n": n}})).collect();
        let told = desk.admin.post("/message-events/batch", json!({"events": events})).await.status(202);
        let last = text(&told["data"][99]["id"]);
        let trace = expanded(&desk.admin, &last).await;
        assert_eq!(trace["event"]["decisions"][0]["decision"], "duplicate");
        let first = text(&told["data"][0]["id"]);
        sent(&desk.admin, &first, "success").await;
        let page = desk.admin.get("/message-sends?limit=200").await.ok();
        assert_eq!(page["data"].as_array().unwrap().len(), 2);
        app.advance(61_000).await;
        let again = tell(&desk.admin, "order.paid", json!({"order": 1})).await;
        sent(&desk.admin, &again, "success").await;
        assert_eq!(provider.deliveries("/webhook").len(), 3);
    }

    /// A send goes out after its delay and before its end, or not at all.
    async fn delay_and_end_are_kept(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let more = json!({"delay_seconds": 60, "ttl_seconds": 60});
        rule(&desk.admin, "reminder", &template, &to, more).await;
        let path = format!("/channel-accounts/{to}");
        let in_time = tell(&desk.admin, "reminder", json!({"n": 1})).await;
        sent(&desk.admin, &in_time, "unsent").await;
        app.advance(61_000).await;
        sent(&desk.admin, &in_time, "success").await;
        desk.admin.patch(&path, json!({"status": "disabled"})).await.ok();
        let too_late = tell(&desk.admin, "reminder", json!({"n": 2})).await;
        sent(&desk.admin, &too_late, "unsent").await;
        app.advance(121_000).await;
        desk.admin.patch(&path, json!({"status": "active"})).await.ok();
        let expired = sent(&desk.admin, &too_late, "expired").await;
        assert_eq!(expired["attempts"], json!([]));
        assert_eq!(provider.deliveries("/webhook").len(), 1);
    }

    /// A change holds from the next event on; absent fields stay; a template and an account of different channels do not fit.
    async fn a_rule_is_changed(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let (robot, _) = account(&desk.admin, &provider, "slack_robot", "/slack").await;
        let template = whole_payload(&desk.admin).await;
        let id = rule(&desk.admin, "a", &template, &to, json!({"priority": "code"})).await;
        let path = format!("/message-rules/{id}");
        let changed = desk.admin.patch(&path, json!({"key": "b", "delay_seconds": 5})).await.ok();
        assert_eq!((&changed["key"], &changed["priority"]), (&json!("b"), &json!("code")));
        for (body, pointer) in [
            (json!({"account_id": robot}), "/account_id"),
            (json!({"template_id": "1"}), "/template_id"),
            (json!({"key": "two words"}), "/key"),
            (json!({"delay_seconds": -1}), "/delay_seconds"),
            (json!({"ttl_seconds": 2_592_001}), "/ttl_seconds"),
            (json!({"conditions": [{"path": "x", "operator": "eq", "value": 1}]}), "/conditions/0/path"),
            (json!({"conditions": [{"path": "/x", "operator": "in", "value": 1}]}), "/conditions/0/value"),
            (json!({"conditions": [{"path": "/x", "operator": "like", "value": 1}]}), "/conditions/0/operator"),
            (json!({"title": ""}), "/title"),
        ] {
            let refused = desk.admin.patch(&path, body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        assert_eq!(desk.supervisor.get(&path).await.ok(), changed);
        assert_eq!(desk.supervisor.get("/message-rules?key=b").await.ok()["data"].as_array().unwrap().len(), 1);
        assert_eq!(desk.supervisor.get("/message-rules?key=a").await.ok()["data"], json!([]));
        for client in [&desk.visitor, &desk.agent] {
            client.get(&path).await.refused(403, "forbidden");
            let body = json!({"key": "b", "payload": {}});
            client.post("/message-rules/simulate", body).await.refused(403, "forbidden");
        }
        for client in [&desk.agent, &desk.supervisor] {
            client.patch(&path, json!({"title": "x"})).await.refused(403, "forbidden");
            client.delete(&path).await.refused(403, "forbidden");
        }
        other.admin.get(&path).await.refused(404, "not_found");
        other.admin.patch(&path, json!({"title": "x"})).await.refused(404, "not_found");
        other.admin.delete(&path).await.refused(404, "not_found");
        let simulated = json!({"key": "b", "payload": {}});
        assert_eq!(other.admin.post("/message-rules/simulate", simulated).await.ok()["data"], json!([]));
    }
}
