//! Text messages: accounts with their providers, what reaches them, and what their answers mean.

use serde_json::{Value, json};

use super::provider::{Act, Provider};
use super::sms_provider::{SECRET, TWILIO, form, settings};
use super::suppressions::forget;
use super::{delivery_attempts, published, rule, sent, tell, text};
use crate::harness::{Client, Desk, TestApp};

/// The providers, and where the scripted one is asked as each of them.
pub const KINDS: [(&str, &str); 3] =
    [("aliyun_sms", "/aliyun"), ("tencent_sms", "/tencent"), ("twilio_sms", TWILIO)];

/// Makes an account at the scripted provider; gives it.
pub async fn account(admin: &Client, provider: &Provider, (kind, path): (&str, &str), secret: &str) -> Value {
    let mut body = json!({"name": kind, "provider": kind, "url": provider.url(path)});
    body[kind] = settings(kind, secret);
    admin.post("/channel-accounts", body).await.status(201)["account"].clone()
}

/// A published template for accounts of every kind.
pub async fn code_template(admin: &Client) -> String {
    let variables = json!([{"name": "code", "type": "string", "required": true, "sample": "1234"}]);
    let sms = json!({"text": "Your code is {{ code }} & good for 5 min", "code": "SMS_123", "params": [
        {"name": "code", "value": "{{ code }}"}, {"name": "minutes", "value": "5"}]});
    published(admin, json!({"name": "code", "channel": "sms", "sms": sms, "variables": variables})).await
}

/// A recipient with this phone; gives what a rule names it by.
pub async fn phone(admin: &Client, number: &str) -> Value {
    let made = admin.post("/message-recipients", json!({"name": "Eva", "phone": number})).await.status(201);
    json!([{"type": "recipient", "id": made["id"]}])
}

/// A tenant with an account of this kind and a rule for `sign.in` to a phone; gives the account.
pub async fn wired(app: &TestApp, provider: &Provider, kind: (&str, &str), more: Value) -> (Desk, Value) {
    let desk = app.desk().await;
    let to = account(&desk.admin, provider, kind, SECRET).await;
    let template = code_template(&desk.admin).await;
    let mut more = more;
    more["recipients"] = phone(&desk.admin, "+86 138-0013-8000").await;
    rule(&desk.admin, "sign.in", &template, &text(&to["id"]), more).await;
    (desk, to)
}

on_every_database! {
    /// Each provider gets its own form, signed by its own rules, with the send's id; and gives the message a name.
    async fn each_provider_gets_its_own_form(app: TestApp) {
        let provider = Provider::start().await;
        for kind in KINDS {
            let (desk, to) = wired(&app, &provider, kind, json!({})).await;
            assert_eq!((&to["channel"], &to["host"]), (&json!("sms"), &json!("127.0.0.1")));
            let event = tell(&desk.admin, "sign.in", json!({"code": "4711 ~*'(商)"})).await;
            let done = sent(&desk.admin, &event, "success").await["send"].clone();
            let got = provider.deliveries(kind.1).remove(0);
            let id = text(&done["id"]);
            assert_eq!((&done["address"], &done["recipient_type"]), (&json!("+8613800138000"), &json!("recipient")));
            let named = text(&done["provider_message_id"]);
            match kind.0 {
                "aliyun_sms" => {
                    let params = json!({"code": "4711 ~*'(商)", "minutes": "5"}).to_string();
                    for (name, value) in [("PhoneNumbers", "13800138000"), ("SignName", "我的商店"),
                        ("TemplateCode", "SMS_123"), ("TemplateParam", &params), ("OutId", &id)]
                    {
                        assert_eq!(got.query[name], value, "{name}");
                    }
                    assert_eq!(named, format!("900619746936498440^{id}"));
                }
                "tencent_sms" => {
                    let body = json!({"PhoneNumberSet": ["+8613800138000"], "SmsSdkAppId": "1400006666",
                        "SignName": "我的商店", "TemplateId": "SMS_123",
                        "TemplateParamSet": ["4711 ~*'(商)", "5"], "SessionContext": id});
                    assert_eq!(got.body, body);
                    assert_eq!(named, format!("2028:{id}"));
                }
                _ => {
                    let fields = form(&got);
                    assert_eq!((fields["To"].as_str(), fields["From"].as_str()), ("+8613800138000", "+15005550006"));
                    assert_eq!(fields["Body"], "Your code is 4711 ~*'(商) & good for 5 min");
                    assert!(named.starts_with("SM"));
                }
            }
        }
    }

    /// A wrong key holds everything and costs no attempt; the right one, given later, sends it.
    async fn a_wrong_key_holds_the_account(app: TestApp) {
        let provider = Provider::start().await;
        for kind in KINDS {
            let desk = app.desk().await;
            let to = text(&account(&desk.admin, &provider, kind, "another").await["id"]);
            let template = code_template(&desk.admin).await;
            let recipients = phone(&desk.admin, "13800138000").await;
            rule(&desk.admin, "sign.in", &template, &to, json!({"recipients": recipients})).await;
            let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
            let held = delivery_attempts(&desk.admin, &event, 1).await;
            assert_eq!((&held["send"]["status"], &held["send"]["attempts"]), (&json!("unsent"), &json!(0)));
            assert_eq!(held["attempts"][0]["outcome"], "configuration");
            let path = format!("/channel-accounts/{to}");
            assert_eq!(desk.admin.get(&path).await.ok()["pause_reason"], "configuration");
            let mut change = json!({});
            change[kind.0] = settings(kind.0, SECRET);
            desk.admin.patch(&path, change).await.ok();
            sent(&desk.admin, &event, "success").await;
        }
    }

    /// What each provider says, in a 200 or not, and what becomes of the send and of the account.
    async fn answers_mean_what_the_provider_says(app: TestApp) {
        let provider = Provider::start().await;
        for (kind, answers) in KINDS.into_iter().zip([ALIYUN, TENCENT, TWILIO_ANSWERS]) {
            let (desk, to) = wired(&app, &provider, kind, json!({})).await;
            let path = format!("/channel-accounts/{}", text(&to["id"]));
            for (index, (act, outcome, status, reason)) in answers.iter().chain(ANYBODY).enumerate() {
                provider.script(kind.1, [act.clone()]);
                let event = tell(&desk.admin, "sign.in", json!({"code": index.to_string()})).await;
                let done = delivery_attempts(&desk.admin, &event, 1).await;
                let what = format!("{} {act:?}: {done}", kind.0);
                assert_eq!(done["attempts"][0]["outcome"], *outcome, "{what}");
                assert_eq!((&done["send"]["status"], &done["send"]["reason"]), (&json!(status), &json!(reason)), "{what}");
                assert_eq!(done["send"]["provider_message_id"], json!(null), "{what}");
                let shown = desk.admin.get(&path).await.ok();
                let pause = match *outcome {
                    "slow" => json!("slow"),
                    "configuration" => json!("configuration"),
                    _ => json!(null),
                };
                assert_eq!(shown["pause_reason"], pause, "{what}");
                // What waits is not to go out in the next round.
                if *status == "unsent" {
                    let id = text(&done["send"]["id"]);
                    desk.admin.post(&format!("/message-sends/{id}/cancel"), json!({})).await.ok();
                }
                desk.admin.patch(&path, json!({"name": "tried again"})).await.ok();
                // A phone that takes nothing is not asked again.
                forget(&desk.admin).await;
            }
        }
    }

    /// A code that may have arrived goes out once more at once, and is marked; another message does not.
    async fn a_code_of_unknown_fate_goes_out_once_more(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, _) = wired(&app, &provider, KINDS[0], json!({"priority": "code"})).await;
        provider.script("/aliyun", [Act::Close]);
        let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
        delivery_attempts(&desk.admin, &event, 1).await;
        app.advance(3_000).await;
        let done = sent(&desk.admin, &event, "success").await;
        assert_eq!((&done["send"]["may_duplicate"], done["attempts"].as_array().unwrap().len()), (&json!(true), 2));
    }

    /// A rule whose template says nothing for the provider is refused, also as a fallback; one that came to say nothing later
    /// fails its sends, and nothing goes out.
    async fn what_the_provider_cannot_say_fails(app: TestApp) {
        let provider = Provider::start().await;
        for (kind, sms) in KINDS.into_iter().zip([json!({"text": "hi"}), json!({"text": "hi"}), json!({"code": "S"})]) {
            let desk = app.desk().await;
            let to = account(&desk.admin, &provider, kind, SECRET).await;
            let other = published(&desk.admin, json!({"name": "other", "channel": "sms", "sms": sms.clone()})).await;
            let template = code_template(&desk.admin).await;
            let recipients = phone(&desk.admin, "+14158675309").await;
            let made = rule(&desk.admin, "sign.in", &template, &text(&to["id"]), json!({"recipients": recipients})).await;
            let fallback = json!({"template_id": other, "account_id": to["id"], "on": ["failed"]});
            for (change, pointer) in [
                (json!({"template_id": other}), "/template_id"),
                (json!({"fallback": fallback}), "/fallback/template_id"),
            ] {
                let refused = desk.admin.patch(&format!("/message-rules/{made}"), change).await;
                let refused = refused.refused(422, "validation_failed");
                assert_eq!(refused["errors"][0]["pointer"], pointer, "{}", kind.0);
            }
            let path = format!("/message-templates/{template}");
            desk.admin.patch(&path, json!({"sms": sms, "variables": []})).await.ok();
            desk.admin.post(&format!("{path}/publish"), json!({})).await.ok();
            let event = tell(&desk.admin, "sign.in", json!({})).await;
            let failed = sent(&desk.admin, &event, "failed").await;
            assert_eq!(failed["send"]["reason"], "content");
            assert!(text(&failed["send"]["last_error"]).contains("template"), "{failed}");
            assert!(provider.deliveries(kind.1).is_empty());
        }
    }

    /// Settings are checked, sealed and never shown; a secret stays while its key does.
    async fn settings_are_checked_and_kept(app: TestApp) {
        let desk = app.desk().await;
        for (kind, secret, id, other) in [
            ("aliyun_sms", "access_key_secret", "access_key_id", "LTAIother"),
            ("tencent_sms", "secret_key", "secret_id", "AKIDother"),
            ("twilio_sms", "auth_token", "account_sid", "AC00000000000000000000000000000002"),
        ] {
            let body = |settings: Value| {
                let mut body = json!({"name": "a", "provider": kind});
                body[kind] = settings;
                body
            };
            let made = desk.admin.post("/channel-accounts", body(settings(kind, SECRET))).await.status(201);
            assert_ne!(made["account"]["host"], "");
            let path = format!("/channel-accounts/{}", text(&made["account"]["id"]));
            let mut kept = settings(kind, SECRET);
            kept[secret] = json!(null);
            let mut change = json!({});
            change[kind] = kept.clone();
            let changed = desk.admin.patch(&path, change.clone()).await.ok();
            change[kind][id] = json!(other);
            let refused = desk.admin.patch(&path, change.clone()).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], format!("/{kind}/{secret}"));
            desk.admin.patch(&path, json!({"url": "https://elsewhere.example/"})).await.refused(422, "validation_failed");
            desk.admin.post("/channel-accounts", body(json!(null))).await.refused(422, "validation_failed");
            desk.admin.post("/channel-accounts", body(kept)).await.refused(422, "validation_failed");
            for shown in [&made, &changed, &desk.supervisor.get(&path).await.ok()] {
                assert!(!shown.to_string().contains(SECRET), "{shown}");
            }
            let hook = json!({"name": "a", "provider": "webhook", "url": "https://shop.example/"});
            let mut wrong = hook;
            wrong[kind] = settings(kind, SECRET);
            desk.admin.post("/channel-accounts", wrong).await.refused(422, "validation_failed");
        }
    }
}

/// An answer, the outcome, and what becomes of the send and why.
type Case = (Act, &'static str, &'static str, Option<&'static str>);

/// Answers that mean the same of all three.
const ANYBODY: &[Case] = &[
    (Act::Answer(200, "", "<html>fine</html>"), "uncertain", "uncertain", None),
    (Act::Answer(200, "", ""), "uncertain", "uncertain", None),
    (Act::Answer(500, "", "oops"), "uncertain", "uncertain", None),
    (Act::Answer(502, "", "<html>bad gateway</html>"), "uncertain", "uncertain", None),
    (Act::Answer(302, "location: http://127.0.0.1:9/\r\n", ""), "uncertain", "uncertain", None),
    (Act::Close, "uncertain", "uncertain", None),
    (Act::Answer(503, "", ""), "retry", "unsent", None),
    (Act::Answer(429, "retry-after: 100\r\n", ""), "slow", "unsent", None),
    (Act::Answer(403, "", ""), "configuration", "unsent", None),
];

const ALIYUN: &[Case] = &[
    (
        Act::Answer(200, "", r#"{"Code":"isv.MOBILE_NUMBER_ILLEGAL"}"#),
        "recipient",
        "failed",
        Some("recipient"),
    ),
    (Act::Answer(200, "", r#"{"Code":"isv.SMS_TEMPLATE_ILLEGAL"}"#), "content", "failed", Some("content")),
    (Act::Answer(200, "", r#"{"Code":"isv.BUSINESS_LIMIT_CONTROL"}"#), "not_now", "unsent", None),
    (Act::Answer(200, "", r#"{"Code":"isv.AMOUNT_NOT_ENOUGH"}"#), "configuration", "unsent", None),
    (Act::Answer(400, "", r#"{"Code":"Throttling.User"}"#), "slow", "unsent", None),
    (Act::Answer(200, "", r#"{"Code":"isp.SYSTEM_ERROR"}"#), "retry", "unsent", None),
];

const TENCENT: &[Case] = &[
    (
        Act::Answer(
            200,
            "",
            r#"{"Response":{"SendStatusSet":[{"Code":"FailedOperation.PhoneNumberInBlacklist"}]}}"#,
        ),
        "recipient",
        "failed",
        Some("recipient"),
    ),
    (
        Act::Answer(200, "", r#"{"Response":{"Error":{"Code":"FailedOperation.ContainSensitiveWord"}}}"#),
        "content",
        "failed",
        Some("content"),
    ),
    (
        Act::Answer(
            200,
            "",
            r#"{"Response":{"SendStatusSet":[{"Code":"LimitExceeded.PhoneNumberOneHourLimit"}]}}"#,
        ),
        "not_now",
        "unsent",
        None,
    ),
    (
        Act::Answer(200, "", r#"{"Response":{"Error":{"Code":"AuthFailure.SecretIdNotFound"}}}"#),
        "configuration",
        "unsent",
        None,
    ),
    (
        Act::Answer(200, "", r#"{"Response":{"Error":{"Code":"RequestLimitExceeded"}}}"#),
        "slow",
        "unsent",
        None,
    ),
    (
        Act::Answer(200, "", r#"{"Response":{"SendStatusSet":[{"Code":"InternalError.Timeout"}]}}"#),
        "uncertain",
        "uncertain",
        None,
    ),
    (Act::Answer(200, "", r#"{"Response":{"Error":{"Code":"InternalError"}}}"#), "retry", "unsent", None),
];

const TWILIO_ANSWERS: &[Case] = &[
    (Act::Answer(400, "", r#"{"code":21211}"#), "recipient", "failed", Some("recipient")),
    (Act::Answer(400, "", r#"{"code":21610}"#), "recipient", "failed", Some("recipient")),
    (Act::Answer(400, "", r#"{"code":21617}"#), "content", "failed", Some("content")),
    (Act::Answer(401, "", r#"{"code":20003}"#), "configuration", "unsent", None),
    (Act::Answer(429, "", r#"{"code":20429}"#), "slow", "unsent", None),
    (Act::Answer(200, "", r#"{"code":21211}"#), "uncertain", "uncertain", None),
];
