//! What administrators do with messages is told by the audit log.

use serde_json::{Value, json};

use super::provider::{Act, Provider};
use super::{account, rule, says, sent, tell, text};
use crate::harness::{Client, eventually};

/// What the audit log tells of this, the oldest first: the action, and what changed.
async fn told(admin: &Client, target: &str, id: &str) -> Vec<(String, Value, Value)> {
    let path = format!("/audit-events?limit=200&target_type={target}&target_id={id}");
    let events = admin.get(&path).await.ok()["data"].as_array().unwrap().clone();
    let told = events.into_iter().rev().filter(|one| {
        assert_eq!(one["actor_id"], json!(admin.id()), "{one}");
        one["action"] != "create" && one["action"] != "publish"
    });
    told.map(|one| (text(&one["action"]), one["before"].clone(), one["after"].clone())).collect()
}

fn moved(action: &str, from: &str, to: &str) -> (String, Value, Value) {
    (action.to_owned(), json!({"status": from}), json!({"status": to}))
}

on_every_database! {
    /// Cancelling, repeating and resolving sends is told once each, with what became of the send; what is refused, changes
    /// nothing or is only tried is not told.
    async fn acts_on_sends_are_told(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, other) = (app.desk().await, app.desk().await);
        let admin = &desk.admin;
        let (to, _) = account(admin, &provider, "wecom_robot", "/wecom").await;
        let template = says(admin).await;
        let late = rule(admin, "late", &template, &to, json!({"delay_seconds": 600})).await;
        rule(admin, "news", &template, &to, json!({})).await;
        let mut sends = Vec::new();
        for number in 0..3 {
            let event = tell(admin, "late", json!({"text": number.to_string()})).await;
            sends.push(text(&sent(admin, &event, "unsent").await["send"]["id"]));
        }
        let path = |send: &str, verb: &str| format!("/message-sends/{send}/{verb}");
        admin.post(&path(&sends[0], "retry"), json!({})).await.refused(409, "invalid_transition");
        other.admin.post(&path(&sends[0], "cancel"), json!({})).await.refused(404, "not_found");
        for send in [&sends[0], &sends[0], &sends[1], &sends[2]] {
            admin.post(&path(send, "cancel"), json!({})).await.ok();
        }
        app.advance(1_000).await;
        let many = json!({"rule_id": late, "status": ["cancelled"]});
        let mut dry = many.clone();
        dry["dry_run"] = json!(true);
        assert_eq!(admin.post("/message-sends/retry", dry).await.ok()["data"].as_array().unwrap().len(), 3);
        admin.post(&path(&sends[0], "retry"), json!({})).await.ok();
        for _ in 0..2 {
            admin.post("/message-sends/retry", many.clone()).await.ok();
        }
        for send in &sends {
            eventually("it goes out", || async {
                let send = admin.get(&format!("/message-sends/{send}")).await.ok();
                (send["send"]["status"] == "success").then_some(())
            })
            .await;
            let expected = [moved("cancel", "unsent", "cancelled"), moved("retry", "cancelled", "unsent")];
            assert_eq!(told(admin, "message_send", send).await, expected);
        }

        // A robot does not know repeats, so that the fate of this one is unknown.
        provider.script("/wecom", [Act::Close]);
        let event = tell(admin, "news", json!({"text": "x"})).await;
        let send = text(&sent(admin, &event, "uncertain").await["send"]["id"]);
        let found = json!({"resolution": "accepted"});
        admin.post(&path(&send, "resolve"), found.clone()).await.ok();
        admin.post(&path(&send, "resolve"), found).await.refused(409, "invalid_transition");
        assert_eq!(told(admin, "message_send", &send).await, [moved("resolve", "uncertain", "success")]);
    }

    /// A replay is told of its rule and a test of its template, a dry run and what fails before it goes out are not.
    async fn replays_and_tests_are_told(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let admin = &desk.admin;
        let (to, _) = account(admin, &provider, "wecom_robot", "/wecom").await;
        let template = says(admin).await;
        let start = app.clock.now();
        let event = tell(admin, "news", json!({"text": "x"})).await;
        let news = rule(admin, "news", &template, &to, json!({})).await;
        let replay = |dry: bool| json!({"from": start, "dry_run": dry});
        let path = format!("/message-rules/{news}/replay");
        assert_eq!(admin.post(&path, replay(true)).await.ok()["count"], 1, "of {event}");
        admin.post(&path, replay(false)).await.ok();
        let (empty, count) = (json!({}), json!({"count": 1}));
        let expected = [("replay".to_owned(), empty.clone(), count)];
        assert_eq!(told(admin, "message_rule", &news).await, expected);

        let path = format!("/message-templates/{template}/test_send");
        admin.post(&path, json!({"account_id": "1"})).await.refused(422, "validation_failed");
        admin.post(&path, json!({"account_id": to})).await.ok();
        let expected = [("test_send".to_owned(), empty, json!({"account_id": to}))];
        assert_eq!(told(admin, "message_template", &template).await, expected);
    }
}
