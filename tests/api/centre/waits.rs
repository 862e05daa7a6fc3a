//! Conversations that wait too long: told once for each wait and rule, whatever stopped meanwhile.

use deskwire::domain::member::Role;
use serde_json::{Value, json};

use super::product::events;
use super::provider::Provider;
use super::{account, expanded, rule, tell, text, whole_payload};

const KEY: &str = "conversation.waiting_long";

fn rooms(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| text(&event["payload"]["conversation"]["id"])).collect()
}

on_every_database! {
    /// What waits is told though nobody looked when it became too long, once over all restarts; what was taken is not, and a
    /// new wait is told again.
    async fn each_wait_is_told_once(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let made = rule(&desk.admin, KEY, &template, &to, json!({"waiting_seconds": 600})).await;
        let never = json!({"name": "Never", "time_zone": "UTC", "weekly": [], "is_default": true});
        desk.admin.post("/business-hours", never).await.status(201);
        let waits = desk.visitor.open("my card is 4111 1111 1111 1111").await;
        let taken = desk.second_visitor.open("hello").await;
        desk.agent.claim(&taken).await;
        other.open("nobody asked").await;
        app.advance(601_000).await;
        // This process takes the step of its clock for a jump; one that starts now knows of no jump.
        let second = app.restarted(|_| {}).await;
        let again = second.desk_of(desk.seed);
        let found = events(&again.admin, KEY, 1).await;
        let (event, visitor) = (&found[0], json!(desk.visitor.id()));
        assert_eq!((rooms(&found), &event["rule_id"]), (vec![waits.clone()], &json!(made)));
        assert_eq!((&event["customer_id"], &event["agent_id"], &event["created_by"]), (&visitor, &Value::Null, &Value::Null));
        assert_eq!(event["payload"]["customer"]["id"], visitor);
        assert_eq!(event["payload"]["waiting_seconds"], 600);
        assert_eq!(event["payload"]["business_hours"], json!({"open": false}));
        assert!(event["payload"]["waiting_since"].is_string(), "{event}");
        assert!(!event.to_string().contains("4111 1111"), "{event} tells what was said");
        again.agent.post(&format!("/conversations/{taken}/release"), json!({})).await.ok();
        second.advance(601_000).await;
        let third = second.restarted(|_| {}).await;
        let again = third.desk_of(desk.seed);
        // The look that finds the new wait sees the old one as well.
        assert_eq!(rooms(&events(&again.admin, KEY, 2).await), [waits.clone(), taken]);
        again.agent.claim(&waits).await;
        again.agent.post(&format!("/conversations/{waits}/release"), json!({})).await.ok();
        third.advance(601_000).await;
        let fourth = third.restarted(|_| {}).await;
        let again = fourth.desk_of(desk.seed);
        assert_eq!(rooms(&events(&again.admin, KEY, 3).await).last(), Some(&waits));
        assert_eq!(fourth.client_of(other.seed.admin).get("/message-events").await.ok()["data"], json!([]));
    }

    /// Each rule hears of a wait by itself, when its own time is over, and is the only one to which the event is applied.
    async fn each_rule_allows_its_own_wait(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let (mut short, mut waits) = (String::new(), String::new());
        for seconds in [600, 1] {
            waits = if seconds == 1 { desk.open("hello").await } else { waits };
            short = rule(&desk.admin, KEY, &template, &to, json!({"waiting_seconds": seconds})).await;
        }
        let found = events(&desk.admin, KEY, 1).await;
        assert_eq!((rooms(&found), &found[0]["rule_id"]), (vec![waits], &json!(short)));
        let trace = expanded(&desk.admin, &text(&found[0]["id"])).await;
        let rules: Vec<&Value> =
            trace["event"]["decisions"].as_array().unwrap().iter().map(|one| &one["rule_id"]).collect();
        assert_eq!(rules, [&json!(short)]);
        // The clock jumps by minutes. Nobody waited for that long, so only the rule of a second hears of the next one.
        app.advance(700_000).await;
        let next = desk.second_visitor.open("hello").await;
        let found = events(&desk.admin, KEY, 2).await;
        assert_eq!((rooms(&found[1..]), &found[1]["rule_id"]), (vec![next], &json!(short)));
        assert_eq!(found.len(), 2, "{found:?}");
        // What a merchant tells under the key is for both.
        let told = tell(&desk.admin, KEY, json!({})).await;
        let trace = expanded(&desk.admin, &told).await;
        assert_eq!(trace["event"]["decisions"].as_array().unwrap().len(), 2);
        assert_eq!(trace["event"]["rule_id"], Value::Null);
        let path = format!("/message-rules/{short}");
        let refused = async |body: Value| {
            let problem = desk.admin.patch(&path, body).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/waiting_seconds", "{problem}");
        };
        refused(json!({"key": "other"})).await;
        let changed = desk.admin.patch(&path, json!({"key": "other", "waiting_seconds": null})).await.ok();
        assert_eq!((&changed["key"], &changed["waiting_seconds"]), (&json!("other"), &Value::Null));
        refused(json!({"key": KEY})).await;
        for wrong in [0, -1, 30 * 86_400 + 1] {
            refused(json!({"key": KEY, "waiting_seconds": wrong})).await;
        }
    }

    /// Processes that look at the same queue at once tell of each wait once, and of all of them.
    async fn processes_tell_of_a_wait_once(app: TestApp) {
        if !app.kind().is_server() {
            return;
        }
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let _second = app.second().await;
        let mut waiting = Vec::new();
        for _ in 0..20 {
            let visitor = app.seed_member(desk.tenant, Role::Customer).await;
            waiting.push(app.open_room(visitor).await.to_string());
        }
        rule(&desk.admin, KEY, &template, &to, json!({"waiting_seconds": 1})).await;
        let mut told = rooms(&events(&desk.admin, KEY, 20).await);
        told.sort();
        waiting.sort();
        assert_eq!(told, waiting);
    }
}
