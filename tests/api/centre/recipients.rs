//! Recipients: whom a rule's messages are for, where each is reached, when it is left alone, and what it does not want.

use deskwire::domain::member::Role;
use serde_json::{Value, json};

use super::events::tell_with;
use super::{expanded, published, text};
use crate::harness::{Client, eventually};

/// An account of a mail server that nobody runs, which sends nothing until it is enabled.
async fn mail(admin: &Client) -> String {
    let smtp =
        json!({"host": "127.0.0.1", "port": 9, "security": "none", "from_address": "shop@example.com"});
    let body = json!({"name": "mail", "provider": "smtp", "smtp": smtp});
    let id = text(&admin.post("/channel-accounts", body).await.status(201)["account"]["id"]);
    admin.patch(&format!("/channel-accounts/{id}"), json!({"status": "disabled"})).await.ok();
    id
}

async fn letter(admin: &Client) -> String {
    let body =
        json!({"name": "letter", "channel": "email", "email": {"subject": "News", "text": "It happened."}});
    published(admin, body).await
}

/// The body of a rule that writes to these recipients.
async fn writes(admin: &Client, key: &str, recipients: Value) -> Value {
    let (account, template) = (mail(admin).await, letter(admin).await);
    json!({"title": key, "key": key, "template_id": template, "account_id": account, "recipients": recipients})
}

async fn recipient(admin: &Client, body: Value) -> String {
    text(&admin.post("/message-recipients", body).await.status(201)["id"])
}

/// Type, address, status and reason of each receiver.
fn told(receivers: &Value) -> Vec<Value> {
    let each = receivers.as_array().unwrap().iter();
    each.map(|one| json!([one["recipient_type"], one["address"], one["status"], one["reason"]])).collect()
}

/// What the only rule of a key would do.
async fn simulated(client: &Client, key: &str, customer: Option<&str>) -> Value {
    let body = json!({"key": key, "payload": {}, "customer_id": customer});
    client.post("/message-rules/simulate", body).await.ok()["data"][0].clone()
}

/// The sends of an event about this customer.
async fn sends(admin: &Client, key: &str, customer: Option<&str>) -> Vec<Value> {
    let body = json!({"key": key, "payload": {}, "customer_id": customer});
    let event = text(&admin.post("/message-events", body).await.status(202)["id"]);
    let trace = expanded(admin, &event).await;
    trace["sends"].as_array().unwrap().iter().map(|one| one["send"].clone()).collect()
}

on_every_database! {
    /// A recipient is made, changed and deleted; what it says is checked and written one way.
    async fn recipients_are_kept(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({
            "name": "Night watch", "phone": "138 0013 8000", "email": "Watch@Example.com",
            "time_zone": "Asia/Shanghai", "quiet_hours": {"from": "22:00", "until": "08:30"},
        });
        let made = desk.admin.post("/message-recipients", body.clone()).await.status(201);
        assert_eq!((&made["phone"], &made["email"]), (&json!("+8613800138000"), &json!("watch@example.com")));
        assert_eq!(made["quiet_hours"], json!({"from": "22:00", "until": "08:30"}));
        let path = format!("/message-recipients/{}", text(&made["id"]));
        assert_eq!(desk.supervisor.get(&path).await.ok(), made);
        let change = json!({"quiet_hours": null, "phone": "", "status": "disabled"});
        let changed = desk.admin.patch(&path, change).await.ok();
        assert_eq!((&changed["quiet_hours"], &changed["phone"]), (&Value::Null, &json!("")));
        assert_eq!((&changed["name"], &changed["time_zone"]), (&json!("Night watch"), &json!("Asia/Shanghai")));
        for (field, value) in [
            ("name", json!(" ")),
            ("phone", json!("4158675309")),
            ("email", json!("nobody")),
            ("time_zone", json!("Mars/Olympus")),
            ("time_zone", json!("")),
            ("quiet_hours", json!({"from": "24:00", "until": "08:00"})),
            ("quiet_hours", json!({"from": "8:00", "until": "09:00"})),
            ("quiet_hours", json!({"from": "08:00", "until": "08:00"})),
            ("quiet_hours", json!({"from": "08:00"})),
            ("member_id", json!("1")),
            ("status", json!("asleep")),
            ("openid", json!("x")),
        ] {
            let mut body = body.clone();
            body[field] = value.clone();
            desk.admin.post("/message-recipients", body).await.refused(422, "validation_failed");
            desk.admin.patch(&path, json!({field: value})).await.refused(422, "validation_failed");
        }
        let listed = desk.admin.get("/message-recipients").await.ok();
        assert_eq!(listed["data"].as_array().unwrap().len(), 1);
        desk.admin.delete(&path).await.status(204);
        desk.admin.delete(&path).await.refused(404, "not_found");
        desk.admin.get(&path).await.refused(404, "not_found");
    }

    /// A member has one recipient at most, also when two are made at once, and another one when that is deleted.
    async fn a_member_has_one_recipient(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({"name": "Agent", "member_id": desk.agent.id()});
        let (one, other) = tokio::join!(
            desk.admin.post("/message-recipients", body.clone()),
            desk.admin.post("/message-recipients", body.clone()),
        );
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 422]);
        let path = format!("/message-recipients?member_id={}", desk.agent.id());
        let listed = desk.admin.get(&path).await.ok();
        let id = text(&listed["data"][0]["id"]);
        assert_eq!(listed["data"].as_array().unwrap().len(), 1);
        desk.admin.delete(&format!("/message-recipients/{id}")).await.status(204);
        let again = recipient(&desk.admin, body).await;
        let second = recipient(&desk.admin, json!({"name": "Second"})).await;
        let change = json!({"member_id": desk.agent.id()});
        desk.admin
            .patch(&format!("/message-recipients/{second}"), change.clone())
            .await
            .refused(422, "validation_failed");
        desk.admin.patch(&format!("/message-recipients/{again}"), json!({"member_id": null})).await.ok();
        desk.admin.patch(&format!("/message-recipients/{second}"), change).await.ok();
    }

    /// Supervisors read, administrators change, nobody else knows; another tenant's persons do not exist.
    async fn persons_are_the_tenants(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let id = recipient(&desk.admin, json!({"name": "Watch", "email": "watch@example.com"})).await;
        let path = format!("/message-recipients/{id}");
        let opt_out = json!({"person_id": id, "channel": "email"});
        let made = desk.admin.post("/message-opt-outs", opt_out.clone()).await.status(201);
        let opted = format!("/message-opt-outs/{}", text(&made["id"]));
        for client in [&desk.visitor, &desk.agent] {
            client.get("/message-recipients").await.refused(403, "forbidden");
            client.get(&path).await.refused(403, "forbidden");
            client.get("/message-opt-outs").await.refused(403, "forbidden");
        }
        for client in [&desk.visitor, &desk.agent, &desk.supervisor] {
            client.post("/message-recipients", json!({"name": "x"})).await.refused(403, "forbidden");
            client.patch(&path, json!({"name": "x"})).await.refused(403, "forbidden");
            client.delete(&path).await.refused(403, "forbidden");
            client.post("/message-opt-outs", opt_out.clone()).await.refused(403, "forbidden");
            client.delete(&opted).await.refused(403, "forbidden");
        }
        other.admin.get(&path).await.refused(404, "not_found");
        other.admin.patch(&path, json!({"name": "x"})).await.refused(404, "not_found");
        other.admin.delete(&path).await.refused(404, "not_found");
        other.admin.delete(&opted).await.refused(404, "not_found");
        assert_eq!(other.admin.get("/message-opt-outs").await.ok()["data"], json!([]));
        other.admin.post("/message-opt-outs", opt_out).await.refused(422, "validation_failed");
        let body = json!({"name": "x", "member_id": desk.agent.id()});
        other.admin.post("/message-recipients", body).await.refused(422, "validation_failed");
        let group = text(&desk.admin.post("/groups", json!({"name": "Sales"})).await.status(201)["id"]);
        for recipient in [
            json!({"type": "recipient", "id": id}),
            json!({"type": "member", "id": desk.agent.id()}),
            json!({"type": "group", "id": group}),
        ] {
            let body = writes(&other.admin, "k", json!([recipient])).await;
            let refused = other.admin.post("/message-rules", body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], "/recipients/0/id");
        }
        let event = json!({"key": "k", "payload": {}, "customer_id": desk.visitor.id()});
        let refused = other.admin.post("/message-events", event).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/customer_id");
    }

    /// A rule of a channel with persons names them, and each by the fields of its type.
    async fn rules_name_their_recipients(app: TestApp) {
        let desk = app.desk().await;
        let group = text(&desk.admin.post("/groups", json!({"name": "Sales"})).await.status(201)["id"]);
        let good = writes(&desk.admin, "k", json!([
            {"type": "customer"}, {"type": "member", "id": desk.agent.id()},
            {"type": "role", "role": "supervisor"}, {"type": "group", "id": group},
        ])).await;
        let made = desk.admin.post("/message-rules", good.clone()).await.status(201);
        assert_eq!(made["recipients"], good["recipients"]);
        assert_eq!(made["quiet_hours"], "defer");
        let path = format!("/message-rules/{}", text(&made["id"]));
        let change = json!({"recipients": [{"type": "customer"}], "quiet_hours": "drop"});
        let changed = desk.admin.patch(&path, change).await.ok();
        assert_eq!((&changed["recipients"], &changed["quiet_hours"]), (&json!([{"type": "customer"}]), &json!("drop")));
        for recipients in [
            json!([]),
            json!([{"type": "member"}]),
            json!([{"type": "member", "id": "1"}]),
            json!([{"type": "member", "id": desk.visitor.id()}]),
            json!([{"type": "customer", "id": desk.visitor.id()}]),
            json!([{"type": "role"}]),
            json!([{"type": "role", "role": "customer"}]),
            json!([{"type": "role", "role": "agent", "id": "1"}]),
            json!([{"type": "group", "id": group, "role": "agent"}]),
            json!([{"type": "everybody"}]),
            json!([{"type": "customer", "more": 1}]),
            json!(vec![json!({"type": "customer"}); 21]),
            json!("customer"),
        ] {
            let mut body = good.clone();
            body["recipients"] = recipients.clone();
            desk.admin.post("/message-rules", body).await.refused(422, "validation_failed");
            desk.admin.patch(&path, json!({"recipients": recipients})).await.refused(422, "validation_failed");
        }
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove("recipients");
        let refused = desk.admin.post("/message-rules", without).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/recipients");
    }

    /// Everybody is reached once, where it is reached best: by its own row, else by its account; nobody who is gone.
    async fn each_person_is_reached_once(app: TestApp) {
        let desk = app.desk().await;
        let (admin, agent) = (&desk.admin, desk.agent.id());
        for (client, email) in [
            (&desk.visitor, "visitor@example.com"), (&desk.agent, "agent@example.com"),
            (&desk.second_agent, "second@example.com"),
        ] {
            admin.patch(&format!("/members/{}", client.id()), json!({"email": email})).await.ok();
        }
        let watch = recipient(admin, json!({"name": "Watch", "email": "watch@example.com"})).await;
        let home = recipient(admin, json!({"name": "Home", "member_id": agent, "email": "home@example.com"})).await;
        let group = text(&admin.post("/groups", json!({"name": "Sales"})).await.status(201)["id"]);
        admin.put(&format!("/groups/{group}/members/{agent}"), json!({"member_type": "member"})).await.ok();
        let rule = writes(admin, "k", json!([
            {"type": "customer"}, {"type": "recipient", "id": watch}, {"type": "recipient", "id": home},
            {"type": "group", "id": group}, {"type": "role", "role": "agent"}, {"type": "member", "id": agent},
        ])).await;
        admin.post("/message-rules", rule).await.status(201);
        let visitor = desk.visitor.id();
        let expected = vec![
            json!(["customer", "visitor@example.com", "unsent", null]),
            json!(["recipient", "watch@example.com", "unsent", null]),
            json!(["recipient", "home@example.com", "unsent", null]),
            json!(["member", "second@example.com", "unsent", null]),
        ];
        let decision = simulated(&desk.supervisor, "k", Some(&visitor)).await;
        assert_eq!(decision["decision"], "send");
        assert_eq!(told(&decision["receivers"]), expected);
        let made = sends(admin, "k", Some(&visitor)).await;
        assert_eq!(told(&json!(made)), expected);
        let found = admin.get(&format!("/message-sends?recipient_id={watch}")).await.ok();
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
        assert_eq!(found["data"][0]["recipient_id"], json!(watch));
        // Without its own row the account counts; who is disabled or deleted is passed over.
        admin.delete(&format!("/message-recipients/{home}")).await.status(204);
        admin.patch(&format!("/message-recipients/{watch}"), json!({"status": "disabled"})).await.ok();
        admin.patch(&format!("/members/{}", desk.second_agent.id()), json!({"status": "disabled"})).await.ok();
        let decision = simulated(&desk.supervisor, "k", None).await;
        assert_eq!(told(&decision["receivers"]), [json!(["member", "agent@example.com", "unsent", null])]);
        admin.patch(&format!("/members/{agent}"), json!({"expires_at": "2026-01-01T00:00:00Z"})).await.ok();
        assert_eq!(simulated(&desk.supervisor, "k", None).await["decision"], "no_recipient");
    }

    /// Of more persons than a rule reaches the others are not left out in silence.
    async fn too_many_persons_are_told_of(app: TestApp) {
        let desk = app.desk().await;
        for _ in 0..200 {
            app.seed_member(desk.tenant, Role::Agent).await;
        }
        let rule = writes(&desk.admin, "k", json!([{"type": "role", "role": "agent"}])).await;
        desk.admin.post("/message-rules", rule).await.status(201);
        let decision = simulated(&desk.supervisor, "k", None).await;
        assert_eq!(decision["receivers"].as_array().unwrap().len(), 200);
        assert_eq!(decision["detail"], "more than 200 persons: the others are not reached");
        assert_eq!(sends(&desk.admin, "k", None).await.len(), 200);
    }

    /// Whoever has no address is told of; when there is nobody at all, nothing is sent.
    async fn who_has_no_address_is_told(app: TestApp) {
        let desk = app.desk().await;
        let rule = writes(&desk.admin, "k", json!([{"type": "customer"}])).await;
        desk.admin.post("/message-rules", rule).await.status(201);
        let visitor = desk.second_visitor.id();
        let made = sends(&desk.admin, "k", Some(&visitor)).await;
        assert_eq!(told(&json!(made)), [json!(["customer", null, "suppressed", "no_address"])]);
        let path = format!("/message-sends/{}/retry", text(&made[0]["id"]));
        desk.admin.post(&path, json!({})).await.refused(409, "invalid_transition");
        assert_eq!(simulated(&desk.supervisor, "k", None).await["decision"], "no_recipient");
        assert_eq!(sends(&desk.admin, "k", None).await, Vec::<Value>::new());
    }

    /// The customer is named by the merchant's own id as well; dedupe never takes one customer for another.
    async fn customers_are_told_apart(app: TestApp) {
        let desk = app.desk().await;
        let mut rule = writes(&desk.admin, "k", json!([{"type": "customer"}])).await;
        rule["dedupe_seconds"] = json!(3600);
        desk.admin.post("/message-rules", rule).await.status(201);
        let path = format!("/members/{}", desk.visitor.id());
        desk.admin.patch(&path, json!({"external_id": "c-7", "email": "seven@example.com"})).await.ok();
        let named = json!({"key": "k", "payload": {}, "customer_external_id": "c-7"});
        let event = text(&desk.admin.post("/message-events", named.clone()).await.status(202)["id"]);
        let trace = expanded(&desk.admin, &event).await;
        assert_eq!(trace["sends"][0]["send"]["address"], "seven@example.com");
        assert_eq!(sends(&desk.admin, "k", Some(&desk.second_visitor.id())).await.len(), 1);
        let again = text(&desk.admin.post("/message-events", named).await.status(202)["id"]);
        let trace = expanded(&desk.admin, &again).await;
        assert_eq!(trace["event"]["decisions"][0]["decision"], "duplicate");
        // A repeated request has the first one's answer, also when the customer is gone by then.
        let gone = desk.second_visitor.id();
        let body = json!({"key": "k", "payload": {"n": 2}, "customer_id": gone});
        let first = tell_with(&desk.admin, "/message-events", "once", body.clone()).await.status(202);
        desk.admin.delete(&format!("/members/{gone}")).await.status(204);
        let repeated = tell_with(&desk.admin, "/message-events", "once", body).await.status(202);
        assert_eq!(repeated["id"], first["id"]);
        let both = json!({"key": "k", "payload": {}, "customer_external_id": "c-7", "customer_id": desk.visitor.id()});
        desk.admin.post("/message-events", both).await.refused(422, "validation_failed");
        let nobody = json!({"events": [{"key": "k", "payload": {}}, {"key": "k", "payload": {}, "customer_external_id": "c-8"}]});
        let refused = desk.admin.post("/message-events/batch", nobody).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/events/1/customer_external_id");
        let staff = json!({"key": "k", "payload": {}, "customer_id": desk.agent.id()});
        desk.admin.post("/message-events", staff).await.refused(422, "validation_failed");
    }

    /// An opt-out holds for the member and its own row alike, for what comes and for what is queued; codes go out.
    async fn what_is_not_wanted_is_not_sent(app: TestApp) {
        let desk = app.desk().await;
        let (admin, agent) = (&desk.admin, desk.agent.id());
        admin.patch(&format!("/members/{agent}"), json!({"email": "agent@example.com"})).await.ok();
        let rule = writes(admin, "k", json!([{"type": "member", "id": agent}])).await;
        let account = text(&rule["account_id"]);
        admin.post("/message-rules", rule.clone()).await.status(201);
        let mut code = rule.clone();
        (code["key"], code["priority"]) = (json!("code"), json!("code"));
        admin.post("/message-rules", code).await.status(201);
        let queued = sends(admin, "k", None).await;
        assert_eq!(queued[0]["status"], "unsent");
        let home = recipient(admin, json!({"name": "Home", "member_id": agent})).await;
        let body = json!({"person_id": home, "channel": "email"});
        let made = admin.post("/message-opt-outs", body.clone()).await.status(201);
        assert_eq!((&made["priority"], &made["source"]), (&Value::Null, &json!("staff")));
        assert_eq!(admin.post("/message-opt-outs", body).await.status(201), made, "once more changes nothing");
        let refused = [json!(["member", "agent@example.com", "suppressed", "opted_out"])];
        assert_eq!(told(&json!(sends(admin, "k", None).await)), refused);
        assert_eq!(simulated(admin, "code", None).await["receivers"][0]["status"], "unsent");
        // What was queued before is stopped when its turn comes.
        admin.patch(&format!("/channel-accounts/{account}"), json!({"status": "active"})).await.ok();
        let path = format!("/message-sends/{}", text(&queued[0]["id"]));
        let stopped = eventually("it is stopped", || async {
            let send = admin.get(&path).await.ok();
            (send["send"]["status"] == "suppressed").then_some(send)
        }).await;
        assert_eq!((&stopped["send"]["reason"], &stopped["attempts"]), (&json!("opted_out"), &json!([])));
        let listed = admin.get(&format!("/message-opt-outs?person_id={home}")).await.ok();
        assert_eq!(listed["data"], json!([made]));
        let path = format!("/message-opt-outs/{}", text(&made["id"]));
        admin.delete(&path).await.status(204);
        admin.delete(&path).await.refused(404, "not_found");
        assert_eq!(simulated(admin, "k", None).await["receivers"][0]["status"], "unsent");
        for body in [
            json!({"person_id": home, "channel": "robot"}),
            json!({"person_id": "1", "channel": "email"}),
            json!({"person_id": home, "channel": "email", "priority": "loud"}),
        ] {
            admin.post("/message-opt-outs", body).await.refused(422, "validation_failed");
        }
    }

    /// In quiet hours a message waits, or is not sent, as the rule says; a code goes out.
    async fn quiet_hours_are_kept(app: TestApp) {
        let desk = app.desk().await;
        // Quiet at every time of the day but one minute, which is not now.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now / 60 % 1_440).unwrap();
        let time = |minute: i64| format!("{:02}:{:02}", minute.rem_euclid(1_440) / 60, minute.rem_euclid(60));
        let quiet = json!({"from": time(now - 600), "until": time(now + 600)});
        let body = json!({"name": "Watch", "email": "watch@example.com", "quiet_hours": quiet});
        let watch = recipient(&desk.admin, body).await;
        let rule = writes(&desk.admin, "k", json!([{"type": "recipient", "id": watch}])).await;
        let path = format!("/message-rules/{}", text(&desk.admin.post("/message-rules", rule).await.status(201)["id"]));
        let receiver = async || simulated(&desk.supervisor, "k", None).await["receivers"][0].clone();
        let later = receiver().await;
        assert_eq!(later["status"], "unsent");
        let end = text(&later["next_at"]);
        assert!(end.contains(&format!("T{}:00", time(now + 600))), "{end} is not at the end of {quiet}");
        let made = sends(&desk.admin, "k", None).await;
        assert_eq!((&made[0]["status"], &made[0]["next_at"]), (&json!("unsent"), &json!(end)));
        desk.admin.patch(&path, json!({"quiet_hours": "drop"})).await.ok();
        let dropped = receiver().await;
        assert_eq!((&dropped["status"], &dropped["reason"]), (&json!("suppressed"), &json!("quiet_hours")));
        desk.admin.patch(&path, json!({"priority": "code"})).await.ok();
        assert_eq!(receiver().await["reason"], Value::Null);
        desk.admin.patch(&path, json!({"priority": "notice", "quiet_hours": "ignore"})).await.ok();
        let sent = receiver().await;
        assert!(sent["status"] == "unsent" && sent["next_at"] != json!(end), "{sent}");
    }
}
