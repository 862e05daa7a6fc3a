//! What the product tells the message centre itself: entries of the log, each once, while a rule asks for them.

use serde_json::{Value, json};

use super::provider::Provider;
use super::{account, published, rule, text, whole_payload};
use crate::groups::make;
use crate::harness::{Client, eventually};

/// The events with this key once there are so many or more, the oldest first.
pub async fn events(admin: &Client, key: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} events {key}"), || async {
        let page = admin.get(&format!("/message-events?key={key}&limit=200")).await.ok();
        let mut found = page["data"].as_array().unwrap().clone();
        found.reverse();
        (found.len() >= count).then_some(found)
    })
    .await
}

on_every_database! {
    /// Who is assigned is written to; the event says who and where, and nothing of what was said.
    async fn an_agent_is_told_of_its_conversation(app: TestApp) {
        let desk = app.desk().await;
        let (admin, agent) = (&desk.admin, desk.agent.id());
        admin.patch(&format!("/members/{agent}"), json!({"email": "agent@example.com"})).await.ok();
        let smtp =
            json!({"host": "127.0.0.1", "port": 9, "security": "none", "from_address": "shop@example.com"});
        let body = json!({"name": "mail", "provider": "smtp", "smtp": smtp});
        let mail = text(&admin.post("/channel-accounts", body).await.status(201)["account"]["id"]);
        admin.patch(&format!("/channel-accounts/{mail}"), json!({"status": "disabled"})).await.ok();
        let letter = json!({
            "name": "assigned", "channel": "email",
            "email": {"subject": "{{ customer.nickname }} waits", "text": "See {{ conversation.id }}"},
            "variables": [
                {"name": "customer", "type": "object", "required": true, "sample": {"nickname": "Eva"}},
                {"name": "conversation", "type": "object", "required": true, "sample": {"id": "1"}},
            ],
        });
        let letter = published(admin, letter).await;
        let to = json!({"recipients": [{"type": "agent"}]});
        let rule = rule(admin, "conversation.assigned", &letter, &mail, to).await;
        let room = desk.open_and_claim("my card is 4111 1111 1111 1111").await;
        let found = events(admin, "conversation.assigned", 1).await;
        let event = &found[0];
        assert_eq!((&event["agent_id"], &event["created_by"]), (&json!(agent), &Value::Null));
        assert_eq!(event["customer_id"], json!(desk.visitor.id()));
        assert_eq!(event["payload"]["conversation"]["id"], json!(room));
        assert_eq!(event["payload"]["agent"]["id"], json!(agent));
        assert!(!event.to_string().contains("4111 1111"), "{event} tells what was said");
        let path = format!("/message-events/{}", text(&event["id"]));
        let send = eventually("the rule is applied", || async {
            let trace = admin.get(&path).await.ok();
            trace["sends"].as_array().unwrap().first().map(|one| one["send"].clone())
        })
        .await;
        assert_eq!((&send["rule_id"], &send["address"]), (&json!(rule), &json!("agent@example.com")));
        assert_eq!(send["message"]["text"], json!(format!("See {room}")));
        // Nobody asked for anything else.
        let all = admin.get("/message-events").await.ok();
        assert_eq!(all["data"].as_array().unwrap().len(), 1, "{all}");
    }

    /// Every message of a customer is one event, in their order; what others say, notes and rooms are not.
    async fn each_entry_is_told_once(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "message.received", &template, &to, json!({})).await;
        rule(&desk.admin, "message.sent", &template, &to, json!({})).await;
        let room = desk.open_and_claim("0").await;
        let foreign = other.open_and_claim("0").await;
        for index in 1..30 {
            desk.visitor.send(&room, &index.to_string()).await;
            other.visitor.send(&foreign, "elsewhere").await;
        }
        let note = crate::harness::personas::message("a note");
        desk.agent.post(&format!("/conversations/{room}/notes"), note).await.status(201);
        desk.agent.send(&room, "an answer").await;
        let sent = events(&desk.admin, "message.sent", 1).await;
        let received = events(&desk.admin, "message.received", 30).await;
        assert_eq!((received.len(), sent.len()), (30, 1));
        let seqs: Vec<i64> =
            received.iter().map(|one| one["payload"]["conversation"]["seq"].as_i64().unwrap()).collect();
        assert!(seqs.is_sorted() && seqs.windows(2).all(|two| two[0] < two[1]), "{seqs:?}");
        assert_eq!(sent[0]["payload"]["sender"]["id"], json!(desk.agent.id()));
        assert_eq!(other.admin.get("/message-events").await.ok()["data"], json!([]));
        eventually("all are delivered", || async {
            (provider.deliveries("/webhook").len() == 31).then_some(())
        })
        .await;
    }

    /// A target of an SLA policy that was missed is an event that says which.
    async fn a_missed_target_is_told(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "conversation.sla_breached", &template, &to, json!({})).await;
        let policy = json!({"name": "Fast", "first_response_seconds": 60});
        let policy = desk.admin.post("/sla-policies", policy).await.status(201);
        let room = desk.visitor.open("a question").await;
        crate::sla::settled(&app, desk.tenant).await;
        app.advance(61_000).await;
        let found = events(&desk.admin, "conversation.sla_breached", 1).await;
        let payload = &found[0]["payload"];
        assert_eq!((&payload["conversation"]["id"], &payload["sender"]), (&json!(room), &serde_json::Value::Null));
        let sla = &payload["sla"];
        assert_eq!((&sla["metric"], &sla["policy_id"]), (&json!("first_response"), &policy["id"]));
    }

    /// A rule answers those who write while the desk of their group is closed, and no others.
    async fn rules_know_whether_the_desk_is_open(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let closed = json!({"conditions": [{"path": "/business_hours/open", "operator": "eq", "value": false}]});
        rule(&desk.admin, "message.received", &template, &to, closed).await;
        let group = make(&desk, "Returns").await;
        let never = json!({"name": "Never", "time_zone": "UTC", "weekly": [], "group_ids": [group]});
        desk.admin.post("/business-hours", never).await.status(201);
        let open = desk.open_and_claim("first").await;
        let ask = json!({"group_id": group, "message": {"client_msg_id": "k1", "kind": "text", "content": {"text": "late"}}});
        let late = desk.second_visitor.post("/conversations", ask).await.ok();
        desk.visitor.send(&open, "second").await;
        let found = events(&desk.admin, "message.received", 3).await;
        let told: Vec<_> = found
            .iter()
            .map(|one| (one["payload"]["conversation"]["id"].clone(), one["payload"]["business_hours"]["open"].clone()))
            .collect();
        let (open, late) = (json!(open), late["conversation"]["id"].clone());
        assert_eq!(told, [(open.clone(), json!(true)), (late.clone(), json!(false)), (open, json!(true))]);
        let sent = eventually("the rule is applied", || async {
            Some(provider.deliveries("/webhook")).filter(|sent| !sent.is_empty())
        })
        .await;
        assert_eq!(sent.len(), 1);
    }

    /// A rule hears of what comes after it, and of nothing that happened while none was active.
    async fn rules_hear_from_now_on(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let room = desk.open_and_claim("before").await;
        let made = rule(&desk.admin, "message.received", &template, &to, json!({})).await;
        let path = format!("/message-rules/{made}");
        desk.visitor.send(&room, "first").await;
        events(&desk.admin, "message.received", 1).await;
        desk.admin.patch(&path, json!({"status": "disabled"})).await.ok();
        desk.visitor.send(&room, "unheard").await;
        desk.admin.patch(&path, json!({"status": "active"})).await.ok();
        desk.visitor.send(&room, "second").await;
        let found = events(&desk.admin, "message.received", 2).await;
        let log = desk.agent.log(&room).await;
        let seq_of = |said: &str| {
            let entry = log.iter().find(|entry| entry["content"]["text"] == said).unwrap();
            entry["seq"].clone()
        };
        let seqs: Vec<Value> = found.iter().map(|one| one["payload"]["conversation"]["seq"].clone()).collect();
        assert_eq!(seqs, [seq_of("first"), seq_of("second")]);
        desk.admin.delete(&path).await.status(204);
        desk.visitor.send(&room, "unheard").await;
        // Another rule, of the same events: it begins now as well.
        rule(&desk.admin, "message.received", &template, &to, json!({})).await;
        desk.visitor.send(&room, "third").await;
        let found = events(&desk.admin, "message.received", 3).await;
        let log = desk.agent.log(&room).await;
        let third = log.iter().find(|entry| entry["content"]["text"] == "third").unwrap();
        assert_eq!(found[2]["payload"]["conversation"]["seq"], third["seq"]);
    }

    /// A conversation's whole life is told, in its order.
    async fn a_conversation_is_told_from_its_opening_to_its_end(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let keys = ["opened", "assigned", "released", "closed", "rated", "reopened"];
        for key in keys {
            rule(&desk.admin, &format!("conversation.{key}"), &template, &to, json!({})).await;
        }
        let room = desk.open_and_claim("hello").await;
        desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        desk.agent.claim(&room).await;
        desk.agent.send(&room, "hello!").await;
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        desk.visitor.put(&format!("/conversations/{room}/rating"), json!({"score": 2, "comment": "secret"})).await.ok();
        desk.supervisor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        events(&desk.admin, "conversation.reopened", 1).await;
        let page = desk.admin.get("/message-events?limit=50").await.ok();
        let mut told: Vec<String> = page["data"].as_array().unwrap().iter().map(|one| text(&one["key"])).collect();
        told.reverse();
        let expected = ["opened", "assigned", "released", "assigned", "closed", "rated", "reopened"];
        assert_eq!(told, expected.map(|key| format!("conversation.{key}")));
        let closed = events(&desk.admin, "conversation.closed", 1).await;
        assert!(closed[0]["payload"]["reason"].is_string(), "{}", closed[0]);
        // Rules may ask for the score; what the customer said stays in the desk.
        let rated = events(&desk.admin, "conversation.rated", 1).await;
        assert_eq!((&rated[0]["payload"]["score"], &rated[0]["payload"]["conversation"]["id"]), (&json!(2), &json!(room)));
        assert!(!rated[0]["payload"].to_string().contains("secret"), "{}", rated[0]);
    }
}
