//! Retries of many sends at once.

use serde_json::{Value, json};

use super::provider::{Act, Provider};
use super::{account, published, rule, says, sent, tell, text, whole_payload};
use crate::harness::{Client, eventually};

const PATH: &str = "/message-sends/retry";

/// The ids of an answer's sends.
fn ids(answer: &Value) -> Vec<String> {
    answer["data"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect()
}

/// Sends of this rule's key that the provider refused; gives their events and ids, the oldest first.
async fn refused(
    admin: &Client,
    provider: &Provider,
    path: &str,
    key: &str,
    count: usize,
) -> Vec<(String, String)> {
    provider.script(
        path,
        vec![Act::Answer(200, "", r#"{"errcode":40008,"errmsg":"invalid message type"}"#); count],
    );
    let mut made = Vec::new();
    for number in 0..count {
        let event = tell(admin, key, json!({"text": number.to_string()})).await;
        let send = sent(admin, &event, "failed").await;
        made.push((event, text(&send["send"]["id"])));
    }
    made
}

on_every_database! {
    /// A dry run names what would be retried and changes nothing; the retry takes the same, in pieces, once.
    async fn what_failed_is_sent_again(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let admin = &desk.admin;
        let (to, _) = account(admin, &provider, "wecom_robot", "/wecom").await;
        let template = says(admin).await;
        let news = rule(admin, "news", &template, &to, json!({})).await;
        let other = rule(admin, "other", &template, &to, json!({})).await;
        let made = refused(admin, &provider, "/wecom", "news", 3).await;
        let strange = refused(admin, &provider, "/wecom", "other", 1).await.remove(0);
        let expected: Vec<&String> = made.iter().map(|(_, id)| id).collect();

        let dry = admin.post(PATH, json!({"rule_id": news, "dry_run": true})).await.ok();
        assert_eq!((ids(&dry).iter().collect::<Vec<_>>(), &dry["dry_run"]), (expected.clone(), &json!(true)));
        assert_eq!(dry["next_cursor"], json!(null));
        assert_eq!((&dry["data"][0]["status"], &dry["data"][0]["reason"]), (&json!("failed"), &json!("content")));
        assert_eq!(dry["data"][0]["last_code"], "40008");
        for (event, _) in &made {
            assert_eq!(sent(admin, event, "failed").await["attempts"].as_array().unwrap().len(), 1);
        }

        let piece = admin.post(PATH, json!({"rule_id": news, "dry_run": true, "limit": 2})).await.ok();
        let rest = json!({"rule_id": news, "dry_run": true, "cursor": text(&piece["next_cursor"])});
        let rest = admin.post(PATH, rest).await.ok();
        assert_eq!([ids(&piece), ids(&rest)].concat().iter().collect::<Vec<_>>(), expected);

        let first = admin.post(PATH, json!({"rule_id": news, "limit": 2})).await.ok();
        assert_eq!(ids(&first).iter().collect::<Vec<_>>(), expected[..2]);
        for (event, _) in &made[..2] {
            assert_eq!(sent(admin, event, "success").await["attempts"].as_array().unwrap().len(), 2);
        }
        sent(admin, &made[2].0, "failed").await;
        let rest = json!({"rule_id": news, "limit": 2, "cursor": first["next_cursor"]});
        let second = admin.post(PATH, rest.clone()).await.ok();
        assert_eq!((ids(&second), &second["next_cursor"]), (vec![made[2].1.clone()], &json!(null)));
        sent(admin, &made[2].0, "success").await;
        // Its answer was lost, so it is asked again; and so is all of it.
        for again in [rest, json!({"rule_id": news})] {
            assert_eq!(ids(&admin.post(PATH, again).await.ok()), [""; 0]);
        }
        assert_eq!(provider.deliveries("/wecom").len(), 7, "four were refused, three went out again");
        sent(admin, &strange.0, "failed").await;
        let found = admin.post(PATH, json!({"event_id": strange.0, "rule_id": other})).await.ok();
        assert_eq!(ids(&found), [strange.1]);
    }

    /// Each field narrows; what is uncertain or cancelled is taken only by name, what could not be rendered never.
    async fn each_field_narrows(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let admin = &desk.admin;
        let (to, _) = account(admin, &provider, "wecom_robot", "/wecom").await;
        let (second, _) = account(admin, &provider, "wecom_robot", "/wecom/2").await;
        let template = says(admin).await;
        rule(admin, "news", &template, &to, json!({})).await;
        rule(admin, "late", &template, &to, json!({"delay_seconds": 3600})).await;
        let early = refused(admin, &provider, "/wecom", "news", 1).await.remove(0).1;
        provider.script("/wecom", [Act::Close]);
        let lost = tell(admin, "news", json!({"text": "lost"})).await;
        let lost = text(&sent(admin, &lost, "uncertain").await["send"]["id"]);
        let called = tell(admin, "late", json!({"text": "called back"})).await;
        let called = text(&sent(admin, &called, "unsent").await["send"]["id"]);
        admin.post(&format!("/message-sends/{called}/cancel"), json!({})).await.ok();
        let empty = tell(admin, "news", json!({})).await;
        assert_eq!(sent(admin, &empty, "failed").await["send"]["reason"], "template");

        let dry = async |mut body: Value| {
            body["dry_run"] = json!(true);
            ids(&admin.post(PATH, body).await.ok())
        };
        assert_eq!(dry(json!({"account_id": to})).await, std::slice::from_ref(&early));
        assert_eq!(dry(json!({"account_id": second})).await, [""; 0]);
        assert_eq!(dry(json!({"account_id": to, "recipient_id": "7"})).await, [""; 0]);
        assert_eq!(dry(json!({"account_id": to, "status": ["uncertain"]})).await, std::slice::from_ref(&lost));
        let all = json!({"account_id": to, "status": ["cancelled", "uncertain", "failed"]});
        assert_eq!(dry(all).await, [early.clone(), lost.clone(), called.clone()]);
        let read = admin.get(&format!("/message-sends/{lost}")).await.ok();
        let at = read["send"]["created_at"].clone();
        let states = json!(["failed", "uncertain", "cancelled"]);
        assert_eq!(dry(json!({"created_from": at, "status": states})).await, [lost.clone(), called]);
        assert_eq!(dry(json!({"account_id": to, "created_before": at, "status": states})).await, [early]);
        let taken = admin.post(PATH, json!({"account_id": to, "status": ["uncertain"]})).await.ok();
        assert_eq!((ids(&taken), &taken["data"][0]["status"]), (vec![lost.clone()], &json!("uncertain")));
        let read = admin.get(&format!("/message-sends/{lost}")).await.ok();
        assert_eq!(read["send"]["may_duplicate"], true);
    }

    /// Of two receivers only the one that is asked for is sent to again.
    async fn the_receiver_narrows(app: TestApp) {
        let desk = app.desk().await;
        let admin = &desk.admin;
        let made = admin.post("/channel-accounts", json!({"name": "in the app", "provider": "in_app"})).await;
        let to = text(&made.status(201)["account"]["id"]);
        let body = json!({"name": "says", "channel": "in_app", "in_app": {"title": "News", "body": "Hello"}});
        let template = published(admin, body).await;
        let (one, two) = (desk.agent.id(), desk.second_agent.id());
        let recipients: Vec<Value> = [&one, &two].iter().map(|id| json!({"type": "member", "id": id})).collect();
        let more = json!({"recipients": recipients, "delay_seconds": 3600});
        rule(admin, "news", &template, &to, more).await;
        let event = tell(admin, "news", json!({})).await;
        let sends = super::expanded(admin, &event).await["sends"].clone();
        for send in sends.as_array().unwrap() {
            let path = format!("/message-sends/{}/cancel", text(&send["send"]["id"]));
            admin.post(&path, json!({})).await.ok();
        }
        let wanted = sends.as_array().unwrap().iter().find(|one| one["send"]["recipient_id"] == json!(two)).unwrap();
        let taken = admin.post(PATH, json!({"recipient_id": two, "status": ["cancelled"]})).await.ok();
        assert_eq!(ids(&taken), [text(&wanted["send"]["id"])]);
        let left = admin.post(PATH, json!({"event_id": event, "status": ["cancelled"], "dry_run": true})).await.ok();
        assert!(ids(&left).len() == 1 && ids(&left) != ids(&taken), "{left}");
    }

    /// Two administrators at once send nothing twice; more sends than one transaction takes are all taken.
    async fn two_at_once_send_nothing_twice(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let admin = &desk.admin;
        let (to, _) = account(admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(admin).await;
        let news = rule(admin, "news", &template, &to, json!({"delay_seconds": 3600})).await;
        for _ in 0..3 {
            let events: Vec<Value> = (0..50).map(|_| json!({"key": "news", "payload": {}})).collect();
            admin.post("/message-events/batch", json!({"events": events})).await.status(202);
        }
        let filter = format!("/message-sends?rule_id={news}&status=unsent&limit=200");
        let sends = eventually("all are made", || async {
            let page = admin.get(&filter).await.ok();
            (page["data"].as_array().unwrap().len() == 150).then_some(page)
        })
        .await;
        for id in ids(&sends) {
            admin.post(&format!("/message-sends/{id}/cancel"), json!({})).await.ok();
        }
        let dry = json!({"rule_id": news, "status": ["cancelled"], "dry_run": true});
        assert_eq!(ids(&admin.post(PATH, dry).await.ok()).len(), 150, "more than one transaction takes");
        let body = || json!({"rule_id": news, "status": ["cancelled"]});
        let (one, two) = tokio::join!(admin.post(PATH, body()), desk.admin.post(PATH, body()));
        let mut taken = [ids(&one.ok()), ids(&two.ok())].concat();
        taken.sort_unstable();
        let mut expected = ids(&sends);
        expected.sort_unstable();
        assert_eq!(taken, expected);
        eventually("all went out", || async {
            let gone = admin.get(&format!("/message-sends?rule_id={news}&status=success&limit=200")).await.ok();
            (gone["data"].as_array().unwrap().len() == 150).then_some(())
        })
        .await;
        assert_eq!(provider.deliveries("/webhook").len(), 150);
    }

    /// What would take everything, or means nothing, is refused; sends of other tenants are not found.
    async fn what_is_asked_must_be_narrow(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, other) = (app.desk().await, app.desk().await);
        let (to, _) = account(&desk.admin, &provider, "wecom_robot", "/wecom").await;
        let template = says(&desk.admin).await;
        let news = rule(&desk.admin, "news", &template, &to, json!({})).await;
        refused(&desk.admin, &provider, "/wecom", "news", 1).await;
        for (body, pointer) in [
            (json!({}), "/rule_id"),
            (json!({"status": ["failed"], "created_before": "2026-11-28T00:00:00Z"}), "/rule_id"),
            (json!({"rule_id": news, "status": []}), "/status"),
            (json!({"rule_id": news, "status": vec!["failed"; 6]}), "/status"),
            (json!({"rule_id": news, "status": ["failed", "success"]}), "/status/1"),
            (json!({"rule_id": news, "status": ["unsent"]}), "/status/0"),
            (json!({"rule_id": news, "limit": 0}), "/limit"),
            (json!({"rule_id": news, "limit": 1001}), "/limit"),
            (json!({"rule_id": news, "cursor": "x"}), "/cursor"),
            (json!({"rule_id": news, "cursor": "eHh4".repeat(100)}), "/cursor"),
        ] {
            let told = desk.admin.post(PATH, body.clone()).await.refused(422, "validation_failed");
            assert_eq!(told["errors"][0]["pointer"], pointer, "{body}: {told}");
        }
        for body in [json!({"rule_id": news, "stauts": []}), json!({"rule_id": news, "status": ["lost"]})] {
            let status = desk.admin.post(PATH, body).await.status;
            assert!(status == 400 || status == 422, "{status}");
        }
        desk.supervisor.post(PATH, json!({"rule_id": news})).await.refused(403, "forbidden");
        other.admin.post(PATH, json!({"rule_id": news})).await.ok();
        let dry = json!({"rule_id": news, "dry_run": true});
        assert_eq!(ids(&other.admin.post(PATH, dry.clone()).await.ok()), [""; 0]);
        assert_eq!(ids(&desk.admin.post(PATH, dry).await.ok()).len(), 1);
    }
}
