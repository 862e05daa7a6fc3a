//! Fallbacks: what is sent instead, once, whatever ends the first message and whoever sees it first.

use deskwire::journal::fail_point::{FailAction, FailPoint};
use serde_json::{Value, json};

use super::postbox::{Act as Mail, Postbox, Tls, USER};
use super::provider::{Act, Provider};
use super::receipts::Told;
use super::sms_provider::SECRET;
use super::{account, deaths, expanded, published, rule, says, sent, sms, tell, text, whole_payload};
use crate::harness::{Client, Desk, TestApp, eventually};

const REFUSED: Act =
    Act::Answer(200, "", r#"{"Code":"isv.MOBILE_NUMBER_ILLEGAL","Message":"no such phone","RequestId":"r"}"#);

/// A rule for `sign.in` that sends a text message, and a letter instead.
pub struct Wired {
    /// Whose.
    pub desk: Desk,
    /// The account of the text messages, and the path for its receipts.
    sms: String,
    receipts: String,
    /// The account of the letters.
    pub mail: String,
    /// The rule.
    pub rule: String,
    /// The recipient.
    pub person: String,
}

/// An account at the mail server.
async fn mail(admin: &Client, postbox: &Postbox) -> String {
    let smtp = json!({"host": "127.0.0.1", "port": postbox.port, "security": "none", "username": USER.0,
        "password": USER.1, "from_address": "shop@shop.example"});
    let body = json!({"name": "Mail", "provider": "smtp", "smtp": smtp});
    text(&admin.post("/channel-accounts", body).await.status(201)["account"]["id"])
}

pub async fn wired(
    app: &TestApp,
    provider: &Provider,
    postbox: &Postbox,
    fallback: Value,
    more: Value,
) -> Wired {
    let desk = app.desk().await;
    let admin = &desk.admin;
    let made = sms::account(admin, provider, sms::KINDS[0], SECRET).await;
    let (sms, receipts) = (text(&made["id"]), text(&made["receipt_path"]));
    let mail = mail(admin, postbox).await;
    let code = sms::code_template(admin).await;
    let variables = json!([{"name": "code", "type": "string", "required": true, "sample": "1"}]);
    let letter = json!({"subject": "Your code", "text": "It is {{ code }}."});
    let letter = json!({"name": "letter", "channel": "email", "email": letter, "variables": variables});
    let letter = published(admin, letter).await;
    let person = json!({"name": "Eva", "phone": "+8613800138000", "email": "eva@mail.example"});
    let person = text(&admin.post("/message-recipients", person).await.status(201)["id"]);
    let mut more = more;
    more["recipients"] = json!([{"type": "recipient", "id": person}]);
    more["fallback"] = fallback;
    (more["fallback"]["template_id"], more["fallback"]["account_id"]) = (json!(letter), json!(mail));
    let rule = rule(admin, "sign.in", &code, &sms, more).await;
    Wired { desk, sms, receipts, mail, rule, person }
}

/// The sends of an event: the first one, and what was sent instead.
pub async fn sends(admin: &Client, event: &str) -> (Value, Vec<Value>) {
    let trace = expanded(admin, event).await;
    let mut all: Vec<Value> =
        trace["sends"].as_array().unwrap().iter().map(|one| one["send"].clone()).collect();
    let first = all.remove(0);
    assert_eq!(first["fallback_of"], Value::Null);
    all.iter().for_each(|one| assert_eq!(one["fallback_of"], first["id"]));
    (first, all)
}

/// The only fallback of an event's send once it is in this state.
pub async fn instead(admin: &Client, event: &str, status: &str) -> (Value, Value) {
    eventually(&format!("the fallback is {status}"), || async {
        let (first, all) = sends(admin, event).await;
        assert!(all.len() <= 1, "{all:?}");
        let found = all.into_iter().next().filter(|one| one["status"] == status);
        found.map(|one| (first, one))
    })
    .await
}

/// A receipt of Aliyun for this send.
async fn told(app: &TestApp, path: &str, send: &Value, arrived: bool) {
    let (name, id) = (send["provider_message_id"].as_str(), send["id"].as_str());
    Told { kind: "aliyun_sms", path, name, send: id, arrived }.to(app).await;
}

on_every_database! {
    /// Each end calls for the fallback that names it, once; and it has none of its own.
    async fn each_end_calls_for_it(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        for (trigger, fails) in [("failed", false), ("failed", true), ("undelivered", false), ("uncertain", false), ("expired", false)] {
            let w = wired(&app, &provider, &postbox, json!({"on": [trigger]}), json!({"ttl_seconds": 60})).await;
            let admin = &w.desk.admin;
            let before = postbox.letters().len();
            if fails {
                postbox.script([vec![Mail::Says("RCPT", "550 5.1.1 no such box")]]);
            }
            match trigger {
                "failed" => provider.script("/aliyun", [REFUSED]),
                "uncertain" => provider.script("/aliyun", [Act::Close]),
                "expired" => {
                    admin.patch(&format!("/channel-accounts/{}", w.sms), json!({"status": "disabled"})).await.ok();
                }
                _ => {}
            }
            let event = tell(admin, "sign.in", json!({"code": "4711"})).await;
            match trigger {
                "undelivered" => {
                    let first = sent(admin, &event, "success").await["send"].clone();
                    assert_eq!(sends(admin, &event).await.1, Vec::<Value>::new());
                    told(&app, &w.receipts, &first, false).await;
                    told(&app, &w.receipts, &first, false).await;
                }
                "expired" => {
                    sent(admin, &event, "unsent").await;
                    app.advance(61_000).await;
                }
                _ => {}
            }
            let (first, made) = instead(admin, &event, if fails { "failed" } else { "success" }).await;
            assert_eq!(first["status"], trigger, "{first}");
            let found = json!([made["account_id"], made["address"], made["recipient_id"], made["message"]["text"]]);
            assert_eq!(found, json!([w.mail, "eva@mail.example", w.person, "It is 4711."]));
            assert_eq!(postbox.letters().len(), before + usize::from(!fails));
            // A first one that is sent again and ends so again is not followed by another.
            if trigger == "failed" {
                provider.script("/aliyun", [REFUSED]);
                admin.post(&format!("/message-sends/{}/retry", text(&first["id"])), json!({})).await.ok();
                sent(admin, &event, "failed").await;
                assert_eq!(sends(admin, &event).await.1.len(), 1);
            }
        }
    }

    /// Ends that the rule does not name call for nothing, nor does a message that arrives.
    async fn other_ends_call_for_nothing(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        let w = wired(&app, &provider, &postbox, json!({"on": ["undelivered"]}), json!({})).await;
        let admin = &w.desk.admin;
        provider.script("/aliyun", [REFUSED, Act::Close]);
        for status in ["failed", "uncertain", "success"] {
            let event = tell(admin, "sign.in", json!({"code": status})).await;
            let first = sent(admin, &event, status).await["send"].clone();
            if status == "success" {
                told(&app, &w.receipts, &first, true).await;
                told(&app, &w.receipts, &first, false).await;
                sent(admin, &event, "delivered").await;
            }
            assert_eq!(sends(admin, &event).await.1, Vec::<Value>::new(), "{status}");
        }
        assert_eq!(postbox.letters().len(), 0);
    }

    /// Silence calls for it when its time is over, and a receipt in time does not let it come to that; one that comes late
    /// changes the first message only.
    async fn silence_calls_for_it(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        let w = wired(&app, &provider, &postbox, json!({"on": [], "after_seconds": 60}), json!({})).await;
        let admin = &w.desk.admin;
        provider.script("/aliyun", [Act::Close]);
        let mut events = Vec::new();
        for status in ["uncertain", "success", "success"] {
            let event = tell(admin, "sign.in", json!({"code": events.len().to_string()})).await;
            sent(admin, &event, status).await;
            events.push(event);
        }
        let (in_time, _) = sends(admin, &events[2]).await;
        told(&app, &w.receipts, &in_time, true).await;
        app.advance(50_000).await;
        for event in &events {
            assert_eq!(sends(admin, event).await.1, Vec::<Value>::new(), "before its time");
        }
        app.advance(11_000).await;
        instead(admin, &events[0], "success").await;
        let (late, made) = instead(admin, &events[1], "success").await;
        told(&app, &w.receipts, &late, true).await;
        let (first, after) = instead(admin, &events[1], "success").await;
        assert_eq!((&first["status"], &after["id"]), (&json!("delivered"), &made["id"]));
        assert_eq!(sends(admin, &events[2]).await.1, Vec::<Value>::new());
        assert_eq!(postbox.letters().len(), 2);
    }

    /// The receipt and the end of the silence come at once, seen by two processes where there may be two: one fallback each.
    async fn whoever_sees_the_end_first_makes_it_once(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        let fallback = json!({"on": ["undelivered"], "after_seconds": 60});
        let w = wired(&app, &provider, &postbox, fallback, json!({})).await;
        let admin = &w.desk.admin;
        let other = if app.kind().is_server() { app.second().await } else { app.clone() };
        let events: Vec<Value> =
            (0..30).map(|n| json!({"key": "sign.in", "payload": {"code": n.to_string()}})).collect();
        admin.post("/message-events/batch", json!({"events": events})).await.status(202);
        let firsts = eventually("all are sent", || async {
            let page = admin.get("/message-sends?status=success&limit=200").await.ok();
            let data = page["data"].as_array().unwrap().clone();
            (data.len() == 30).then_some(data)
        }).await;
        app.advance(61_000).await;
        // Receipts come one by one for as long as sweeps of both processes run.
        for first in &firsts {
            let app = if text(&first["id"]).ends_with(['0', '2', '4', '6', '8']) { &app } else { &other };
            told(app, &w.receipts, first, false).await;
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        }
        let made = eventually("all are sent instead", || async {
            let page = admin.get("/message-sends?limit=200").await.ok();
            let data = page["data"].as_array().unwrap().iter();
            let made: Vec<Value> = data.filter(|one| !one["fallback_of"].is_null()).cloned().collect();
            (made.len() >= 30 && made.iter().all(|one| one["status"] == "success")).then_some(made)
        }).await;
        let of: std::collections::BTreeSet<String> = made.iter().map(|one| text(&one["fallback_of"])).collect();
        assert_eq!((made.len(), of.len(), postbox.letters().len()), (30, 30, 30));
    }

    /// What the rule says later, and what becomes of its template and accounts, changes nothing of what was decided.
    async fn what_was_decided_stays(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        let w = wired(&app, &provider, &postbox, json!({"on": ["failed"]}), json!({})).await;
        let admin = &w.desk.admin;
        let (sms, mail) = (format!("/channel-accounts/{}", w.sms), format!("/channel-accounts/{}", w.mail));
        admin.patch(&sms, json!({"status": "disabled"})).await.ok();
        let event = tell(admin, "sign.in", json!({"code": "1"})).await;
        sent(admin, &event, "unsent").await;
        let shown = admin.get(&format!("/message-rules/{}", w.rule)).await.ok();
        let letter = format!("/message-templates/{}", text(&shown["fallback"]["template_id"]));
        admin.delete(&letter).await.refused(409, "in_use");
        admin.delete(&mail).await.refused(409, "in_use");
        let rule = format!("/message-rules/{}", w.rule);
        assert_eq!(admin.patch(&rule, json!({"fallback": null})).await.ok()["fallback"], Value::Null);
        admin.delete(&rule).await.status(204);
        admin.delete(&letter).await.status(204);
        admin.patch(&mail, json!({"status": "disabled"})).await.ok();
        // The first one fails with its account.
        admin.delete(&sms).await.status(204);
        let (first, _) = instead(admin, &event, "unsent").await;
        assert_eq!((&first["status"], &first["reason"]), (&json!("failed"), &json!("account")));
        admin.patch(&mail, json!({"status": "active"})).await.ok();
        instead(admin, &event, "success").await;
        assert_eq!(postbox.letters().len(), 1);
    }

    /// The person as it is by then: without an address, or not wanting it, or gone, or asleep; and an account that is gone.
    async fn it_goes_to_the_person_as_it_is_by_then(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        // Quiet at every time of the day but one minute, which is not now.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now / 60 % 1_440).unwrap();
        let time = |minute: i64| format!("{:02}:{:02}", minute.rem_euclid(1_440) / 60, minute.rem_euclid(60));
        for (change, status, reason) in [
            ("address", "suppressed", json!("no_address")),
            ("gone", "suppressed", json!("no_address")),
            ("opt-out", "suppressed", json!("opted_out")),
            ("quiet", "unsent", Value::Null),
            ("account", "failed", json!("account")),
        ] {
            let w = wired(&app, &provider, &postbox, json!({"on": ["undelivered"]}), json!({})).await;
            let admin = &w.desk.admin;
            let event = tell(admin, "sign.in", json!({"code": "1"})).await;
            let first = sent(admin, &event, "success").await["send"].clone();
            let person = format!("/message-recipients/{}", w.person);
            match change {
                "address" => { admin.patch(&person, json!({"email": ""})).await.ok(); }
                "gone" => { admin.delete(&person).await.status(204); }
                "opt-out" => {
                    let body = json!({"person_id": w.person, "channel": "email"});
                    admin.post("/message-opt-outs", body).await.status(201);
                }
                "quiet" => {
                    let quiet = json!({"from": time(now - 600), "until": time(now + 600)});
                    admin.patch(&person, json!({"quiet_hours": quiet})).await.ok();
                }
                _ => {
                    admin.delete(&format!("/message-rules/{}", w.rule)).await.status(204);
                    admin.delete(&format!("/channel-accounts/{}", w.mail)).await.status(204);
                }
            }
            told(&app, &w.receipts, &first, false).await;
            let (_, made) = instead(admin, &event, status).await;
            assert_eq!((&made["reason"], &made["recipient_id"]), (&reason, &json!(w.person)), "{change}: {made}");
            if change == "quiet" {
                assert!(text(&made["next_at"]).contains(&format!("T{}:00", time(now + 600))), "{made}");
            }
        }
        assert_eq!(postbox.letters().len(), 0);
    }

    /// A worker dies before it could write down that the message is uncertain: the sweep does, and makes the fallback.
    async fn a_dead_worker_loses_none(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        let w = wired(&app, &provider, &postbox, json!({"on": ["uncertain"]}), json!({})).await;
        let admin = &w.desk.admin;
        app.journal.fail_points().set(FailPoint::MessageAnswered, FailAction::Fail, 1);
        let event = tell(admin, "sign.in", json!({"code": "1"})).await;
        sent(admin, &event, "sending").await;
        deaths::end_leases(app.database().connect());
        let (first, _) = instead(admin, &event, "success").await;
        assert_eq!(first["status"], "uncertain");
        assert_eq!(postbox.letters().len(), 1);
    }

    /// A rule shows its fallback, a simulation shows what it would say and to whom; what could not be sent is refused.
    async fn rules_say_what_is_sent_instead(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        let w = wired(&app, &provider, &postbox, json!({"after_seconds": 60}), json!({})).await;
        let admin = &w.desk.admin;
        let path = format!("/message-rules/{}", w.rule);
        let shown = admin.get(&path).await.ok()["fallback"].clone();
        assert_eq!((&shown["on"], &shown["after_seconds"]), (&json!(["failed", "undelivered", "expired"]), &json!(60)));
        let body = json!({"key": "sign.in", "payload": {"code": "7"}});
        let simulated = w.desk.supervisor.post("/message-rules/simulate", body).await.ok()["data"][0].clone();
        let fallback = &simulated["fallback"];
        assert_eq!((&fallback["message"]["text"], &fallback["account_id"]), (&json!("It is 7."), &json!(w.mail)));
        let receiver = &fallback["receivers"][0];
        assert_eq!((&receiver["address"], &receiver["status"]), (&json!("eva@mail.example"), &json!("unsent")));
        let (hook, _) = account(admin, &provider, "webhook", "/webhook").await;
        let (robot, _) = account(admin, &provider, "slack_robot", "/slack").await;
        let (whole, said) = (whole_payload(admin).await, says(admin).await);
        let with = |field: &str, value: Value| {
            let mut fallback = shown.clone();
            fallback[field] = value;
            json!({"fallback": fallback})
        };
        for (body, pointer) in [
            (with("template_id", json!("1")), "/fallback/template_id"),
            (with("account_id", json!("1")), "/fallback/account_id"),
            (with("account_id", json!(robot)), "/fallback/account_id"),
            (with("after_seconds", json!(9)), "/fallback/after_seconds"),
            (with("after_seconds", json!(604_801)), "/fallback/after_seconds"),
            (with("on", json!(["delivered"])), "/fallback/on/0"),
            (with("on", json!(vec!["failed"; 6])), "/fallback/on"),
            (json!({"fallback": {"template_id": said, "account_id": robot, "on": []}}), "/fallback/on"),
        ] {
            let refused = admin.patch(&path, body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        // Silence says nothing where there are no receipts, and a webhook's event names nobody to write to.
        let plain = rule(admin, "plain", &whole, &hook, json!({})).await;
        let plain = format!("/message-rules/{plain}");
        for (fallback, pointer) in [
            (json!({"template_id": said, "account_id": robot, "after_seconds": 60}), "/fallback/after_seconds"),
            (json!({"template_id": shown["template_id"], "account_id": w.mail}), "/fallback/template_id"),
        ] {
            let refused = admin.patch(&plain, json!({"fallback": fallback})).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        // One that can say nothing of an event says so before, and fails when it is called for.
        let fallback = json!({"template_id": said, "account_id": robot});
        admin.patch(&plain, json!({"fallback": fallback})).await.ok();
        let body = json!({"key": "plain", "payload": {}});
        let simulated = admin.post("/message-rules/simulate", body).await.ok()["data"][0]["fallback"].clone();
        assert_eq!((&simulated["message"], &simulated["receivers"]), (&Value::Null, &json!([])));
        assert_eq!(simulated["detail"], "/payload/text: \"text\" is missing");
        admin.patch(&format!("/channel-accounts/{hook}"), json!({"status": "disabled"})).await.ok();
        for (payload, status) in [(json!({}), "failed"), (json!({"text": "x"}), "success")] {
            let event = tell(admin, "plain", payload).await;
            expanded(admin, &event).await;
            let (first, _) = sends(admin, &event).await;
            admin.post(&format!("/message-sends/{}/cancel", text(&first["id"])), json!({})).await.ok();
            admin.post(&format!("/message-sends/{}/retry", text(&first["id"])), json!({})).await.ok();
            assert_eq!(sends(admin, &event).await.1, Vec::<Value>::new());
            if status == "success" {
                admin.delete(&plain).await.status(204);
                admin.delete(&format!("/channel-accounts/{hook}")).await.status(204);
                let (_, made) = instead(admin, &event, "success").await;
                assert_eq!(made["recipient_id"], Value::Null);
                assert_eq!(provider.deliveries("/slack")[0].body["text"], "News: x");
            }
        }
        let page = admin.get("/message-sends?status=failed").await.ok();
        let failed = page["data"].as_array().unwrap().iter().filter(|one| one["reason"] == "template").count();
        assert_eq!(failed, 1, "the one that could say nothing");
    }
}
