//! Test sends: once, at once, through the real provider, with its own words.

use serde_json::{Value, json};

use super::postbox::{Act as Mail, Postbox, Tls, USER};
use super::provider::{Act, Provider, is_signed};
use super::sms_provider::SECRET;
use super::{account, published, rule, says, sent, sms, tell, text, whole_payload};
use crate::harness::{Client, eventually};

/// Tries a template; gives the answer.
async fn tried(admin: &Client, template: &str, body: Value) -> Value {
    admin.post(&format!("/message-templates/{template}/test_send"), body).await.ok()
}

on_every_database! {
    /// The draft with its samples, with a payload, and a version; each once, signed, and outside of the queue.
    async fn a_test_goes_out_once(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, secret) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let variables = json!([{"name": "n", "type": "number", "required": true, "sample": 7}]);
        let webhook = json!({"type": "t", "data": {"old": "{{ n }}"}});
        let body = json!({"name": "a", "channel": "webhook", "webhook": webhook, "variables": variables});
        let template = published(&desk.admin, body).await;
        let change = json!({"webhook": {"type": "t", "data": {"new": "{{ n }}"}}});
        desk.admin.patch(&format!("/message-templates/{template}"), change).await.ok();
        for (body, data) in [
            (json!({"account_id": to}), json!({"new": 7})),
            (json!({"account_id": to, "payload": {"n": 8}}), json!({"new": 8})),
            (json!({"account_id": to, "version": 1}), json!({"old": 7})),
        ] {
            let before = provider.deliveries("/webhook").len();
            let told = tried(&desk.admin, &template, body).await;
            assert_eq!((&told["outcome"], &told["http_status"]), (&json!("accepted"), &json!(204)));
            assert_eq!((&told["rendered"]["data"], &told["address"]), (&data, &Value::Null));
            let came = provider.deliveries("/webhook");
            assert_eq!(came.len(), before + 1);
            assert_eq!(came[before].body["data"], data);
            assert_eq!(came[before].headers["webhook-id"], format!("msg_{}", text(&told["id"])));
            assert!(is_signed(&came[before], secret.as_ref().unwrap()));
        }
        assert_eq!(desk.admin.get("/message-sends").await.ok()["data"], json!([]));
        assert_eq!(desk.admin.get("/message-events").await.ok()["data"], json!([]));
    }

    /// What the provider says is told and not repeated: errors, a success with an error inside, no answer; and the account
    /// goes on as it was.
    async fn a_test_shows_what_the_provider_says(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "wecom_robot", "/wecom?key=k3y-of-the-robot").await;
        let template = says(&desk.admin).await;
        for (act, outcome, status, code, message) in [
            (Act::Answer(200, "", r#"{"errcode":93000,"errmsg":"invalid key k3y-of-the-robot"}"#),
                "configuration", json!(200), json!("93000"), json!("invalid key …")),
            (Act::Answer(500, "", "broken"), "retry", json!(500), Value::Null, json!("broken")),
            (Act::Answer(200, "", "welcome"), "uncertain", json!(200), Value::Null, json!("welcome")),
        ] {
            provider.script("/wecom", [act]);
            let told = tried(&desk.admin, &template, json!({"account_id": to})).await;
            let found = json!([told["outcome"], told["http_status"], told["code"], told["message"]]);
            assert_eq!(found, json!([outcome, status, code, message]));
        }
        provider.script("/wecom", [Act::Close]);
        let told = tried(&desk.admin, &template, json!({"account_id": to})).await;
        assert_eq!((&told["outcome"], &told["http_status"]), (&json!("uncertain"), &Value::Null), "{told}");
        app.advance(120_000).await;
        assert_eq!(provider.deliveries("/wecom").len(), 4, "nothing is repeated");
        let shown = desk.admin.get(&format!("/channel-accounts/{to}")).await.ok();
        assert_eq!((&shown["fail_streak"], &shown["pause_reason"]), (&json!(0), &Value::Null));
        // What a rule sends hides the secret as well.
        rule(&desk.admin, "k", &template, &to, json!({})).await;
        provider.script("/wecom", [Act::Answer(200, "", r#"{"errcode":40058,"errmsg":"bad k3y-of-the-robot"}"#)]);
        let event = tell(&desk.admin, "k", json!({"text": "x"})).await;
        let failed = sent(&desk.admin, &event, "failed").await;
        assert_eq!((&failed["attempts"][0]["message"], &failed["send"]["last_error"]), (&json!("bad …"), &json!("bad …")));
    }

    /// A disabled account is refused, a paused one is tried; and whoever asked to slow down is left alone.
    async fn a_test_heeds_the_account(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let (path, shown) = (format!("/message-templates/{template}/test_send"), format!("/channel-accounts/{to}"));
        desk.admin.patch(&shown, json!({"status": "disabled"})).await.ok();
        let body = json!({"account_id": to});
        desk.admin.post(&path, body.clone()).await.refused(409, "invalid_transition");
        desk.admin.patch(&shown, json!({"status": "active"})).await.ok();
        rule(&desk.admin, "k", &template, &to, json!({})).await;
        provider.script("/webhook", [Act::Answer(410, "", "")]);
        tell(&desk.admin, "k", json!({})).await;
        let paused = async |reason: &str| {
            eventually("the account pauses", || async {
                (desk.admin.get(&shown).await.ok()["pause_reason"] == reason).then_some(())
            }).await;
        };
        paused("configuration").await;
        assert_eq!(tried(&desk.admin, &template, body.clone()).await["outcome"], "accepted");
        provider.script("/webhook", [Act::Answer(429, "retry-after: 600\r\n", "")]);
        desk.admin.patch(&shown, json!({"name": "again"})).await.ok();
        paused("slow").await;
        desk.admin.post(&path, body.clone()).await.refused(429, "rate_limited");
        desk.admin.delete(&format!("/message-rules/{}", text(&desk.admin.get("/message-rules").await.ok()["data"][0]["id"]))).await.status(204);
        desk.admin.delete(&shown).await.status(204);
        desk.admin.post(&path, body).await.refused(422, "validation_failed");
        assert_eq!(provider.deliveries("/webhook").len(), 3);
    }

    /// A test counts against the account's limit while it is under way and afterwards, for tests and for the queue; and the
    /// queue's messages count for tests. Of many at once no more go out than the limit allows.
    async fn a_test_counts_against_the_limit(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let path = format!("/message-templates/{template}/test_send");
        let limit = |count: i64, seconds: i64| json!({"limit": {"count": count, "seconds": seconds}});
        desk.admin.patch(&format!("/channel-accounts/{to}"), limit(2, 3_600)).await.ok();
        provider.always("/webhook", Some(Act::Wait(500)));
        let body = json!({"account_id": to});
        let many = futures_util::future::join_all((0..6).map(|_| desk.admin.post(&path, body.clone()))).await;
        let mut statuses: Vec<u16> = many.iter().map(|one| one.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 429, 429, 429, 429]);
        assert_eq!(provider.deliveries("/webhook").len(), 2);
        rule(&desk.admin, "k", &template, &to, json!({})).await;
        let event = tell(&desk.admin, "k", json!({})).await;
        sent(&desk.admin, &event, "unsent").await;
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        assert_eq!(provider.deliveries("/webhook").len(), 2, "the queue takes no third");
        desk.admin.patch(&format!("/channel-accounts/{to}"), limit(3, 3_600)).await.ok();
        sent(&desk.admin, &event, "success").await;
        desk.admin.post(&path, body.clone()).await.refused(429, "rate_limited");
        // A window that is over takes again.
        desk.admin.patch(&format!("/channel-accounts/{to}"), limit(1, 1)).await.ok();
        eventually("the window is over", || async {
            (desk.admin.post(&path, body.clone()).await.status == 200).then_some(())
        }).await;
    }

    /// A person's address is needed where there are persons, written one way, and its opt-out is told of.
    async fn a_test_goes_to_an_address(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let to = text(&sms::account(&desk.admin, &provider, sms::KINDS[0], SECRET).await["id"]);
        let template = sms::code_template(&desk.admin).await;
        let body = json!({"account_id": to, "address": "138 0013 8000"});
        let told = tried(&desk.admin, &template, body.clone()).await;
        assert_eq!((&told["outcome"], &told["code"]), (&json!("accepted"), &json!("OK")), "{told}");
        assert_eq!((&told["address"], &told["opted_out"]), (&json!("+8613800138000"), &json!(false)));
        assert_eq!(told["provider_message_id"], json!(format!("900619746936498440^{}", text(&told["id"]))));
        assert_eq!(provider.deliveries("/aliyun")[0].query["PhoneNumbers"], "13800138000");
        let person = json!({"name": "Eva", "phone": "+8613800138000"});
        let person = desk.admin.post("/message-recipients", person).await.status(201)["id"].clone();
        let opt_out = json!({"person_id": person, "channel": "sms", "priority": "marketing"});
        desk.admin.post("/message-opt-outs", opt_out).await.status(201);
        let told = tried(&desk.admin, &template, body).await;
        assert_eq!((&told["outcome"], &told["opted_out"]), (&json!("accepted"), &json!(true)));
        let path = format!("/message-templates/{template}/test_send");
        for (body, pointer) in [
            (json!({"account_id": to}), "/address"),
            (json!({"account_id": to, "address": "call me"}), "/address"),
            (json!({"account_id": to, "address": "+8613800138000", "payload": {}}), "/payload/code"),
            (json!({"account_id": to, "address": "+8613800138000", "version": 2}), "/version"),
            (json!({"account_id": "1", "address": "+8613800138000"}), "/account_id"),
        ] {
            let refused = desk.admin.post(&path, body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        let robot = says(&desk.admin).await;
        let (hook, _) = account(&desk.admin, &provider, "slack_robot", "/slack").await;
        for (body, pointer) in [
            (json!({"account_id": hook, "address": "x@example.com"}), "/address"),
            (json!({"account_id": to}), "/account_id"),
        ] {
            let refused = desk.admin.post(&format!("/message-templates/{robot}/test_send"), body).await;
            assert_eq!(refused.refused(422, "validation_failed")["errors"][0]["pointer"], pointer);
        }
        assert_eq!(provider.deliveries("/aliyun").len(), 2);
    }

    /// A letter is handed over in a conversation of its own; one whose fate is unknown is said to be so.
    async fn a_test_goes_by_mail(app: TestApp) {
        let desk = app.desk().await;
        let postbox = Postbox::start(Tls::Never).await;
        let smtp = json!({"host": "127.0.0.1", "port": postbox.port, "security": "none", "username": USER.0,
            "password": USER.1, "from_address": "shop@shop.example"});
        let body = json!({"name": "Mail", "provider": "smtp", "smtp": smtp});
        let to = desk.admin.post("/channel-accounts", body).await.status(201)["account"]["id"].clone();
        let email = json!({"name": "a", "channel": "email", "email": {"subject": "Hello", "text": "It works."}});
        let template = text(&desk.admin.post("/message-templates", email).await.status(201)["id"]);
        let body = json!({"account_id": to, "address": "Eva@Mail.example"});
        let told = tried(&desk.admin, &template, body.clone()).await;
        assert_eq!((&told["outcome"], &told["address"]), (&json!("accepted"), &json!("eva@mail.example")), "{told}");
        assert_eq!(postbox.letters()[0].to, "eva@mail.example");
        postbox.script([vec![Mail::Says("RCPT", "550 5.1.1 no such box")], vec![Mail::Ends(".")]]);
        assert_eq!(tried(&desk.admin, &template, body.clone()).await["outcome"], "recipient");
        assert_eq!(tried(&desk.admin, &template, body).await["outcome"], "uncertain");
    }

    /// Administrators only, and their own templates and accounts only.
    async fn only_administrators_test(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let (template, theirs) = (whole_payload(&desk.admin).await, whole_payload(&other.admin).await);
        let (path, body) = (format!("/message-templates/{template}/test_send"), json!({"account_id": to}));
        for client in [&desk.visitor, &desk.agent, &desk.supervisor] {
            client.post(&path, body.clone()).await.refused(403, "forbidden");
        }
        other.admin.post(&path, body.clone()).await.refused(404, "not_found");
        let stolen = other.admin.post(&format!("/message-templates/{theirs}/test_send"), body).await;
        assert_eq!(stolen.refused(422, "validation_failed")["errors"][0]["pointer"], "/account_id");
        assert_eq!(provider.deliveries("/webhook").len(), 0);
    }
}
