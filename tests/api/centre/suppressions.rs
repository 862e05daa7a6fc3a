//! Suppressions: addresses to which nothing is sent, as the staff keeps them, and where they hold.

use serde_json::{Value, json};

use super::fallbacks::{self, instead, sends};
use super::postbox::{Postbox, Tls};
use super::provider::Provider;
use super::sms::{KINDS, wired};
use super::{expanded, mail, rule, sent, tell, text};
use crate::harness::Client;

/// The phone of every recipient here.
pub const PHONE: &str = "+8613800138000";

/// Every suppression of a tenant.
pub async fn all(admin: &Client) -> Vec<Value> {
    admin.get("/message-suppressions").await.ok()["data"].as_array().unwrap().clone()
}

/// Deletes every suppression of a tenant.
pub async fn forget(admin: &Client) {
    for one in all(admin).await {
        admin.delete(&format!("/message-suppressions/{}", text(&one["id"]))).await.status(204);
    }
}

/// Writes one down; gives its path.
async fn suppress(admin: &Client, channel: &str, address: &str) -> String {
    let body = json!({"channel": channel, "address": address});
    let made = admin.post("/message-suppressions", body).await.status(201);
    format!("/message-suppressions/{}", text(&made["id"]))
}

/// Tells that somebody signs in; the message must be suppressed at once, without an attempt.
pub async fn is_held(admin: &Client, key: &str, payload: Value) {
    let event = tell(admin, key, payload).await;
    let made = expanded(admin, &event).await["sends"][0].clone();
    let found = (&made["send"]["status"], &made["send"]["reason"], &made["attempts"]);
    assert_eq!(found, (&json!("suppressed"), &json!("address_suppressed"), &json!([])), "{made}");
}

on_every_database! {
    /// One is made once, however its address is written; found by channel and address, page by page; and deleted.
    async fn suppressions_are_kept(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({"channel": "email", "address": " Eva@B\u{fc}cher.example"});
        let made = desk.admin.post("/message-suppressions", body).await.status(201);
        assert_eq!(
            (&made["address"], &made["reason"], &made["code"], &made["channel"]),
            (&json!("eva@xn--bcher-kva.example"), &json!("staff"), &Value::Null, &json!("email")),
        );
        let again = json!({"channel": "email", "address": "EVA@xn--bcher-kva.example"});
        assert_eq!(desk.admin.post("/message-suppressions", again).await.status(201), made);
        for (channel, address) in [("sms", "138 0013 8000"), ("email", "max@mail.example"), ("wechat", "oMax-1_x"), ("in_app", "7")] {
            suppress(&desk.admin, channel, address).await;
        }
        for (query, found) in [
            ("", json!(["eva@xn--bcher-kva.example", PHONE, "max@mail.example", "oMax-1_x", "7"])),
            ("?channel=email", json!(["eva@xn--bcher-kva.example", "max@mail.example"])),
            ("?channel=robot", json!([])),
            ("?address=Eva@b%C3%BCcher.example", json!(["eva@xn--bcher-kva.example"])),
            ("?address=0086%20138-0013-8000", json!([PHONE])),
            ("?address=%2B8613800138000&channel=sms", json!([PHONE])),
            ("?address=%2B8613800138000&channel=email", json!([])),
            ("?address=oMax-1_x", json!(["oMax-1_x"])),
            ("?address=nobody", json!([])),
        ] {
            let page = desk.supervisor.get(&format!("/message-suppressions{query}")).await.ok();
            let addresses: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|one| &one["address"]).collect();
            assert_eq!(json!(addresses), found, "{query}");
        }
        let page = desk.admin.get("/message-suppressions?limit=3").await.ok();
        let rest = format!("/message-suppressions?limit=3&cursor={}", text(&page["next_cursor"]));
        let rest = desk.admin.get(&rest).await.ok();
        assert_eq!((page["data"].as_array().unwrap().len(), rest["data"].as_array().unwrap().len()), (3, 2));
        assert_eq!(rest["next_cursor"], Value::Null);
        for (body, pointer) in [
            (json!({"channel": "robot", "address": "x"}), "/channel"),
            (json!({"channel": "webhook", "address": "x"}), "/channel"),
            (json!({"channel": "email", "address": ""}), "/address"),
            (json!({"channel": "email", "address": "nobody"}), "/address"),
            (json!({"channel": "email", "address": format!("{}@x.example", "x".repeat(65))}), "/address"),
            (json!({"channel": "sms", "address": "4158675309"}), "/address"),
            (json!({"channel": "wechat", "address": "o x"}), "/address"),
            (json!({"channel": "in_app", "address": "x"}), "/address"),
        ] {
            let refused = desk.admin.post("/message-suppressions", body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        let path = format!("/message-suppressions/{}", text(&made["id"]));
        desk.admin.delete(&path).await.status(204);
        desk.admin.delete(&path).await.refused(404, "not_found");
        assert_eq!(all(&desk.admin).await.len(), 4);
    }

    /// Supervisors read, administrators change, others do neither; another tenant sees none of it.
    async fn who_may_keep_them(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let path = suppress(&desk.admin, "sms", PHONE).await;
        let body = json!({"channel": "sms", "address": PHONE});
        for (client, reads) in [(&desk.supervisor, true), (&desk.agent, false), (&desk.visitor, false)] {
            match reads {
                true => assert_eq!(all(client).await.len(), 1),
                false => { client.get("/message-suppressions").await.refused(403, "forbidden"); }
            }
            client.post("/message-suppressions", body.clone()).await.refused(403, "forbidden");
            client.delete(&path).await.refused(403, "forbidden");
        }
        other.admin.delete(&path).await.refused(404, "not_found");
        assert!(all(&other.admin).await.is_empty());
        let theirs = suppress(&other.admin, "sms", PHONE).await;
        assert_ne!(theirs, path, "each tenant has its own");
    }

    /// It holds for what comes and for what is queued, for codes as well, as long as it is there; only on its channel,
    /// for its tenant, and at this address.
    async fn nothing_is_sent_to_the_address(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        for priority in ["notice", "code"] {
            let (desk, to) = wired(&app, &provider, KINDS[0], json!({"priority": priority})).await;
            let (other, _) = wired(&app, &provider, KINDS[0], json!({"priority": priority})).await;
            let admin = &desk.admin;
            mail::wired(admin, &postbox, json!({"priority": priority})).await;
            let before = provider.deliveries("/aliyun").len();
            let made = admin.get("/message-rules").await.ok()["data"][0].clone();
            let (template, account) = (text(&made["template_id"]), text(&to["id"]));
            let late = json!({"recipients": made["recipients"], "delay_seconds": 300, "priority": priority});
            rule(admin, "late", &template, &account, late).await;
            let queued = tell(admin, "late", json!({"code": "1"})).await;
            sent(admin, &queued, "unsent").await;
            suppress(admin, "email", "max@mail.example").await;
            let path = suppress(admin, "sms", PHONE).await;
            is_held(admin, "sign.in", json!({"code": "2"})).await;
            let tried = json!({"key": "sign.in", "payload": {"code": "2"}});
            let tried = admin.post("/message-rules/simulate", tried).await.ok()["data"][0]["receivers"][0].clone();
            assert_eq!((&tried["status"], &tried["reason"]), (&json!("suppressed"), &json!("address_suppressed")));
            app.advance(310_000).await;
            let ended = sent(admin, &queued, "suppressed").await;
            assert_eq!((&ended["send"]["reason"], &ended["attempts"]), (&json!("address_suppressed"), &json!([])));
            assert_eq!(provider.deliveries("/aliyun").len(), before);
            // The other channel, the other tenant, and another address of the same person.
            let event = tell(admin, "order.paid", json!({"number": "7"})).await;
            sent(admin, &event, "success").await;
            let event = tell(&other.admin, "sign.in", json!({"code": "3"})).await;
            sent(&other.admin, &event, "success").await;
            let person = format!("/message-recipients/{}", text(&made["recipients"][0]["id"]));
            admin.patch(&person, json!({"phone": "+8613900139000"})).await.ok();
            let event = tell(admin, "sign.in", json!({"code": "4"})).await;
            sent(admin, &event, "success").await;
            // A test says so, and is sent to see what the provider says.
            let test = json!({"account_id": account, "address": PHONE});
            let test_at = format!("/message-templates/{template}/test_send");
            let told = admin.post(&test_at, test.clone()).await.ok();
            assert_eq!((&told["suppressed"], &told["outcome"]), (&json!(true), &json!("accepted")));
            admin.patch(&person, json!({"phone": PHONE})).await.ok();
            is_held(admin, "sign.in", json!({"code": "5"})).await;
            admin.delete(&path).await.status(204);
            let event = tell(admin, "sign.in", json!({"code": "6"})).await;
            sent(admin, &event, "success").await;
            assert_eq!(admin.post(&test_at, test).await.ok()["suppressed"], json!(false));
        }
    }

    /// Where the rule says so, whoever has no other address on the channel is told otherwise: at once, and when what
    /// was queued is held back; who has opted out is not. A fallback has an address of its own.
    async fn a_suppressed_address_calls_for_the_fallback(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        for (on, told) in [(json!(["no_address"]), true), (json!(["failed", "undelivered", "expired"]), false)] {
            let w = fallbacks::wired(&app, &provider, &postbox, json!({"on": on}), json!({})).await;
            let (admin, rule) = (&w.desk.admin, format!("/message-rules/{}", w.rule));
            let before = (postbox.letters().len(), provider.deliveries("/aliyun").len());
            admin.patch(&rule, json!({"delay_seconds": 300})).await.ok();
            let queued = tell(admin, "sign.in", json!({"code": "1"})).await;
            sent(admin, &queued, "unsent").await;
            admin.patch(&rule, json!({"delay_seconds": 0})).await.ok();
            suppress(admin, "sms", PHONE).await;
            let event = tell(admin, "sign.in", json!({"code": "2"})).await;
            match told {
                true => {
                    let tried = json!({"key": "sign.in", "payload": {"code": "1"}});
                    let tried = admin.post("/message-rules/simulate", tried).await.ok()["data"][0].clone();
                    assert_eq!(tried["fallback"]["receivers"][0]["address"], "eva@mail.example", "{tried}");
                    let (first, _) = instead(admin, &event, "success").await;
                    assert_eq!(first["reason"], "address_suppressed");
                }
                false => assert!(sends(admin, &event).await.1.is_empty()),
            }
            app.advance(310_000).await;
            match told {
                true => {
                    let (first, _) = instead(admin, &queued, "success").await;
                    assert_eq!((&first["status"], &first["reason"]), (&json!("suppressed"), &json!("address_suppressed")));
                    suppress(admin, "email", "Eva@mail.example").await;
                    let event = tell(admin, "sign.in", json!({"code": "3"})).await;
                    let (_, made) = instead(admin, &event, "suppressed").await;
                    assert_eq!(made["reason"], "address_suppressed");
                }
                false => {
                    sent(admin, &queued, "suppressed").await;
                    assert!(sends(admin, &queued).await.1.is_empty());
                }
            }
            let out = json!({"person_id": w.person, "channel": "sms", "priority": "notice"});
            admin.post("/message-opt-outs", out).await.status(201);
            let event = tell(admin, "sign.in", json!({"code": "4"})).await;
            let (first, made) = sends(admin, &event).await;
            assert_eq!((&first["reason"], made.len()), (&json!("opted_out"), 0), "its own wish comes first");
            let letters = if told { 2 } else { 0 };
            assert_eq!((postbox.letters().len(), provider.deliveries("/aliyun").len()), (before.0 + letters, before.1));
        }
    }
}
