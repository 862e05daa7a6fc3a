//! Fallbacks of whoever has no address on the channel of the message.

use serde_json::json;

use super::fallbacks::{instead, sends, wired};
use super::postbox::{Postbox, Tls};
use super::provider::Provider;
use super::tell;

on_every_database! {
    /// Whoever has no address on the channel is told otherwise at once, once, where the rule says so; who does not want it is
    /// told nothing.
    async fn who_has_no_address_is_told_otherwise(app: TestApp) {
        let (provider, postbox) = (Provider::start().await, Postbox::start(Tls::Never).await);
        // Two processes apply the rules.
        let other = if app.kind().is_server() { Some(app.second().await) } else { None };
        for on in [json!(["no_address"]), json!(["failed", "no_address"])] {
            let w = wired(&app, &provider, &postbox, json!({"on": on}), json!({})).await;
            let (admin, person) = (&w.desk.admin, format!("/message-recipients/{}", w.person));
            admin.patch(&person, json!({"phone": ""})).await.ok();
            let before = postbox.letters().len();
            let tried = json!({"key": "sign.in", "payload": {"code": "1"}});
            let tried = admin.post("/message-rules/simulate", tried).await.ok()["data"][0].clone();
            assert_eq!(tried["receivers"][0]["reason"], "no_address");
            assert_eq!(tried["fallback"]["receivers"][0]["address"], "eva@mail.example", "{tried}");
            for code in ["1", "2", "3"] {
                let event = tell(admin, "sign.in", json!({"code": code})).await;
                let (first, made) = instead(admin, &event, "success").await;
                assert_eq!((&first["status"], &first["reason"]), (&json!("suppressed"), &json!("no_address")));
                assert_eq!(made["message"]["text"], format!("It is {code}."));
            }
            assert_eq!(postbox.letters().len(), before + 3);
            // Without a rule that says so, and for who does not want it, nothing is made.
            let out = json!({"person_id": w.person, "channel": "sms", "priority": "notice"});
            admin.patch(&person, json!({"phone": "+8613800138000"})).await.ok();
            admin.post("/message-opt-outs", out).await.status(201);
            let event = tell(admin, "sign.in", json!({"code": "4"})).await;
            let (first, all) = sends(admin, &event).await;
            assert_eq!((&first["reason"], all.len()), (&json!("opted_out"), 0));
            admin.patch(&person, json!({"phone": ""})).await.ok();
            let rule = admin.get(&format!("/message-rules/{}", w.rule)).await.ok();
            let fallback = json!({"template_id": rule["fallback"]["template_id"], "account_id": w.mail});
            admin.patch(&format!("/message-rules/{}", w.rule), json!({"fallback": fallback})).await.ok();
            let event = tell(admin, "sign.in", json!({"code": "5"})).await;
            let (first, all) = sends(admin, &event).await;
            assert_eq!((&first["reason"], all.len()), (&json!("no_address"), 0));
            assert_eq!(postbox.letters().len(), before + 3);
        }
        if let Some(other) = other {
            other.stop().await;
        }
    }
}
