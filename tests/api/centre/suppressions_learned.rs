//! Suppressions that are learned: from refusals, from receipts, and from what phones answer.

use serde_json::{Value, json};

use super::postbox::{Act as Mail, Postbox, Tls};
use super::provider::{Act, Provider};
use super::receipts::{PUBLIC, bring, form};
use super::sms::{KINDS, phone, wired};
use super::sms_provider::{BLACKLISTED, SECRET, STOPPED};
use super::suppressions::{PHONE, all, forget, is_held};
use super::{expanded, mail, rule, sent, tell, text};
use crate::harness::{Client, TestApp, eventually};

/// The only suppression of a tenant: its channel, address, reason and code.
async fn only(admin: &Client) -> Value {
    let all = all(admin).await;
    assert_eq!(all.len(), 1, "{all:?}");
    json!([all[0]["channel"], all[0]["address"], all[0]["reason"], all[0]["code"]])
}

/// Brings a text message as Twilio does, signed by this token.
async fn texts(app: &TestApp, path: &str, name: &str, body: &str, kind: Option<&str>, token: &str) -> u16 {
    let mut fields = vec![
        ("ToCountry", "US"),
        ("SmsMessageSid", name),
        ("NumMedia", "0"),
        ("SmsSid", name),
        ("SmsStatus", "received"),
        ("FromCountry", "CN"),
        ("Body", body),
        ("To", "+15005550006"),
        ("NumSegments", "1"),
        ("MessageSid", name),
        ("AccountSid", super::sms_provider::ACCOUNT_SID),
        ("From", PHONE),
        ("ApiVersion", "2010-04-01"),
    ];
    fields.extend(kind.map(|kind| ("OptOutType", kind)));
    form(app, path, &fields, PUBLIC, token).await.0
}

on_every_database! {
    /// A provider refuses a phone for good: it is remembered once, also by what is sent again by hand, until somebody
    /// deletes it; what the provider refuses still is learned anew.
    async fn a_refused_phone_is_remembered(app: TestApp) {
        let provider = Provider::start().await;
        for (kind, act, code) in [(KINDS[2], STOPPED, "21610"), (KINDS[1], BLACKLISTED, "FailedOperation.PhoneNumberInBlacklist")] {
            for priority in ["notice", "code"] {
                let (desk, _) = wired(&app, &provider, kind, json!({"priority": priority})).await;
                let admin = &desk.admin;
                let before = provider.deliveries(kind.1).len();
                provider.always(kind.1, Some(act.clone()));
                let event = tell(admin, "sign.in", json!({"code": "1"})).await;
                let failed = sent(admin, &event, "failed").await;
                assert_eq!((&failed["send"]["reason"], &failed["send"]["last_code"]), (&json!("recipient"), &json!(code)));
                assert_eq!(only(admin).await, json!(["sms", PHONE, "opted_out", code]));
                is_held(admin, "sign.in", json!({"code": "2"})).await;
                let retry = format!("/message-sends/{}/retry", text(&failed["send"]["id"]));
                admin.post(&retry, json!({})).await.ok();
                let held = sent(admin, &event, "suppressed").await;
                assert_eq!((&held["send"]["reason"], held["attempts"].as_array().unwrap().len()), (&json!("address_suppressed"), 1));
                assert_eq!(provider.deliveries(kind.1).len(), before + 1);
                forget(admin).await;
                let event = tell(admin, "sign.in", json!({"code": "3"})).await;
                sent(admin, &event, "failed").await;
                assert_eq!(only(admin).await, json!(["sms", PHONE, "opted_out", code]));
                forget(admin).await;
                provider.always(kind.1, None);
                let event = tell(admin, "sign.in", json!({"code": "4"})).await;
                sent(admin, &event, "success").await;
                assert!(all(admin).await.is_empty());
            }
        }
    }

    /// Of a mail server only that there is no such mailbox, said of the receiver; whoever has another address is
    /// reached there.
    async fn a_mailbox_that_is_none_is_remembered(app: TestApp) {
        let desk = app.desk().await;
        let (admin, postbox) = (&desk.admin, Postbox::start(Tls::Never).await);
        mail::wired(admin, &postbox, json!({})).await;
        for (step, reply) in [
            ("RCPT", "550 no such user"),
            ("RCPT", "550 5.7.1 not from you"),
            ("RCPT", "550 5.2.1 too much mail at the moment"),
            ("RCPT", "550 5.1.2 no such domain"),
            ("RCPT", "552 5.2.2 full"),
            (".", "550 5.1.1 not this"),
        ] {
            postbox.script([vec![Mail::Says(step, reply)]]);
            let event = tell(admin, "order.paid", json!({"number": "1"})).await;
            sent(admin, &event, "failed").await;
            assert!(all(admin).await.is_empty(), "{step} {reply}");
        }
        for code in ["550 5.1.1", "556 5.1.10"] {
            let reply: &'static str = if code == "550 5.1.1" { "550 5.1.1 no such user" } else { "556 5.1.10 takes no mail" };
            postbox.script([vec![Mail::Says("RCPT", reply)]]);
            let event = tell(admin, "order.paid", json!({"number": "2"})).await;
            sent(admin, &event, "failed").await;
            assert_eq!(only(admin).await, json!(["email", "eva@mail.example", "bounced", code]));
            is_held(admin, "order.paid", json!({"number": "3"})).await;
            if code == "550 5.1.1" {
                forget(admin).await;
            }
        }
        let person = text(&admin.get("/message-recipients").await.ok()["data"][0]["id"]);
        admin.patch(&format!("/message-recipients/{person}"), json!({"email": "eva@new.example"})).await.ok();
        let event = tell(admin, "order.paid", json!({"number": "4"})).await;
        sent(admin, &event, "success").await;
        assert_eq!(postbox.letters().len(), 1);
    }

    /// A receipt may say so as well, also one that comes before the answer to its own message; a repeated one says
    /// nothing new.
    async fn a_receipt_may_say_so(app: TestApp) {
        let provider = Provider::start().await;
        for (kind, code, learned) in [
            (KINDS[0], "W-BLACK", true), (KINDS[0], "MOBILE_NOT_ON_SERVICE", false), (KINDS[2], "21610", true),
            (KINDS[2], "30007", false), (KINDS[1], "REJECTD", false),
        ] {
            let (desk, to) = wired(&app, &provider, kind, json!({})).await;
            let (admin, path) = (&desk.admin, text(&to["receipt_path"]));
            let is_early = code == "W-BLACK";
            let before = provider.deliveries(kind.1).len();
            if is_early {
                provider.script(kind.1, [Act::Wait(2_000)]);
            }
            let event = tell(admin, "sign.in", json!({"code": "1"})).await;
            let (id, name) = match is_early {
                true => eventually("it is on its way", || async {
                    let id = provider.deliveries(kind.1).get(before)?.query["OutId"].clone();
                    Some((id.clone(), format!("900619746936498440^{id}")))
                }).await,
                false => {
                    let send = sent(admin, &event, "success").await["send"].clone();
                    (text(&send["id"]), text(&send["provider_message_id"]))
                }
            };
            let told = || async {
                match kind.0 {
                    "aliyun_sms" => {
                        let report = json!({"phone_number": "13800138000", "success": false, "err_code": code,
                            "err_msg": "told", "biz_id": name, "out_id": id});
                        bring(&app, &path, json!([report]).to_string()).await.0
                    }
                    "tencent_sms" => {
                        let report = json!({"mobile": "13800138000", "nationcode": "86", "report_status": "FAIL",
                            "errmsg": code, "description": "told", "sid": name, "session_context": id});
                        bring(&app, &path, json!([report]).to_string()).await.0
                    }
                    _ => {
                        let fields = [("MessageStatus", "undelivered"), ("ErrorCode", code), ("MessageSid", &name), ("To", PHONE)];
                        form(&app, &format!("{path}?send={id}"), &fields, PUBLIC, SECRET).await.0
                    }
                }
            };
            assert!([200, 204].contains(&told().await));
            sent(admin, &event, "undelivered").await;
            match learned {
                true => {
                    assert_eq!(only(admin).await, json!(["sms", PHONE, "opted_out", code]));
                    is_held(admin, "sign.in", json!({"code": "2"})).await;
                    forget(admin).await;
                }
                false => assert!(all(admin).await.is_empty(), "{code}"),
            }
            if kind.0 == "aliyun_sms" {
                assert_eq!(told().await, 200);
                assert!(all(admin).await.is_empty(), "a repeat says nothing new");
                let event = tell(admin, "sign.in", json!({"code": "3"})).await;
                sent(admin, &event, "success").await;
            }
        }
    }

    /// STOP ends messages to a phone, also what is queued, and START begins them anew; each answer counts once, and
    /// only with Twilio's signature; what the staff wrote down stays.
    async fn a_phone_answers_stop_and_start(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to) = wired(&app, &provider, KINDS[2], json!({})).await;
        let (other, _) = wired(&app, &provider, KINDS[2], json!({})).await;
        let (admin, path) = (&desk.admin, text(&to["receipt_path"]));
        let template = text(&admin.get("/message-rules").await.ok()["data"][0]["template_id"]);
        let late = json!({"recipients": phone(admin, PHONE).await, "delay_seconds": 300});
        rule(admin, "late", &template, &text(&to["id"]), late).await;
        let queued = tell(admin, "late", json!({"code": "1"})).await;
        sent(admin, &queued, "unsent").await;
        for (name, body, kind, token, status) in [
            ("SM1", "STOP", None, "another", 403),
            ("SM2", "Where is my order?", None, SECRET, 204),
            ("SM3", "stop it", None, SECRET, 204),
            ("SM4", "STOP", Some("HELP"), SECRET, 204),
            ("SM5", "start", None, SECRET, 204),
        ] {
            assert_eq!(texts(&app, &path, name, body, kind, token).await, status, "{body}");
            assert!(all(admin).await.is_empty(), "{body}");
        }
        for _ in 0..2 {
            assert_eq!(texts(&app, &path, "SM6", " Stop ", None, SECRET).await, 204);
            assert_eq!(only(admin).await, json!(["sms", PHONE, "opted_out", "STOP"]));
        }
        is_held(admin, "sign.in", json!({"code": "2"})).await;
        app.advance(310_000).await;
        let ended = sent(admin, &queued, "suppressed").await;
        assert_eq!((&ended["send"]["reason"], &ended["attempts"]), (&json!("address_suppressed"), &json!([])));
        assert!(provider.deliveries(KINDS[2].1).is_empty());
        let event = tell(&other.admin, "sign.in", json!({"code": "3"})).await;
        sent(&other.admin, &event, "success").await;
        assert_eq!(texts(&app, &path, "SM7", "UNSTOP", None, "another").await, 403);
        is_held(admin, "sign.in", json!({"code": "4"})).await;
        assert_eq!(texts(&app, &path, "SM7", "UNSTOP", None, SECRET).await, 204);
        // The first answer is brought once more, by whoever kept it.
        assert_eq!(texts(&app, &path, "SM6", " Stop ", None, SECRET).await, 204);
        assert!(all(admin).await.is_empty());
        let event = tell(admin, "sign.in", json!({"code": "5"})).await;
        sent(admin, &event, "success").await;
        // By the words of a messaging service.
        assert_eq!(texts(&app, &path, "SM8", "arr\u{ea}ter", Some("STOP"), SECRET).await, 204);
        is_held(admin, "sign.in", json!({"code": "6"})).await;
        assert_eq!(texts(&app, &path, "SM9", "oui", Some("START"), SECRET).await, 204);
        assert!(all(admin).await.is_empty());
        // What the staff wrote down is not the phone's to end.
        let body = json!({"channel": "sms", "address": PHONE});
        admin.post("/message-suppressions", body).await.status(201);
        for (name, body) in [("SM10", "STOP"), ("SM11", "START")] {
            assert_eq!(texts(&app, &path, name, body, None, SECRET).await, 204);
            assert_eq!(only(admin).await, json!(["sms", PHONE, "staff", null]));
        }
        let event = tell(admin, "sign.in", json!({"code": "7"})).await;
        assert_eq!(expanded(admin, &event).await["sends"][0]["send"]["status"], "suppressed");
    }

    /// A refusal that several messages meet at once is one suppression.
    async fn many_refusals_are_one_suppression(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, _) = wired(&app, &provider, KINDS[2], json!({})).await;
        let other = if app.kind().is_server() { Some(app.second().await) } else { None };
        provider.always(KINDS[2].1, Some(STOPPED));
        let batch: Vec<Value> = (0..12).map(|n| json!({"key": "sign.in", "payload": {"code": n.to_string()}})).collect();
        desk.admin.post("/message-events/batch", json!({"events": batch})).await.status(202);
        let ended = eventually("all have ended", || async {
            let page = desk.admin.get("/message-sends").await.ok();
            let all = page["data"].as_array().unwrap().clone();
            let is_over = |one: &Value| one["status"] == "failed" || one["status"] == "suppressed";
            (all.len() == 12 && all.iter().all(is_over)).then_some(all)
        }).await;
        assert!(ended.iter().any(|one| one["status"] == "failed"));
        assert_eq!(only(&desk.admin).await, json!(["sms", PHONE, "opted_out", "21610"]));
        if let Some(other) = other {
            other.stop().await;
        }
    }
}
