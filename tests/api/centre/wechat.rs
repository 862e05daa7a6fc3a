//! Template messages of WeChat: official accounts, who persons are to them, what goes out, and what the answers mean.

use deskwire::db::schema::message_attempt;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::provider::{Act, Provider};
use super::wechat_provider::{APP_ID, SECRET, SEND, TOKEN, calls, delivered};
use super::{delivery_attempts, expanded, published, rule, sent, tell, text};
use crate::harness::{Client, Desk, TestApp};

/// Makes an official account at the scripted provider; gives it.
pub async fn official(admin: &Client, provider: &Provider, secret: &str) -> Value {
    let body = json!({"name": "official", "provider": "wechat", "url": provider.url("/wechat"),
        "wechat": {"app_id": APP_ID, "app_secret": secret}});
    admin.post("/channel-accounts", body).await.status(201)["account"].clone()
}

/// A published template of an official account.
pub async fn shipped(admin: &Client) -> String {
    let variables = json!([{"name": "what", "type": "string", "required": true, "sample": "Shoes"}]);
    let wechat = json!({"template_id": "T-shipped", "template_id_short": "OPENTM200000001",
        "data": [{"name": "thing1", "value": "{{ what }}", "color": "#173177"},
            {"name": "phrase2", "value": "已发货"}],
        "url": "https://shop.example/orders?what={{ what }}",
        "mini_program": {"app_id": "wx2", "page_path": "orders?what={{ what }}"}});
    let body = json!({"name": "shipped", "channel": "wechat", "wechat": wechat, "variables": variables});
    published(admin, body).await
}

/// A person who follows an official account; gives what a rule names it by, and its id.
pub async fn follower(admin: &Client, account: &str, openid: &str) -> (Value, String) {
    let made = admin.post("/message-recipients", json!({"name": "Eva"})).await.status(201);
    let person = text(&made["id"]);
    let body = json!({"account_id": account, "person_id": person, "openid": openid});
    admin.post("/message-identities", body).await.status(201);
    (json!([{"type": "recipient", "id": person}]), person)
}

/// A tenant with an official account and a rule for `order.shipped` to a follower; gives the account.
pub async fn wired(app: &TestApp, provider: &Provider, more: Value) -> (Desk, String) {
    let desk = app.desk().await;
    let account = text(&official(&desk.admin, provider, SECRET).await["id"]);
    let template = shipped(&desk.admin).await;
    let mut more = more;
    more["recipients"] = follower(&desk.admin, &account, "oEva").await.0;
    rule(&desk.admin, "order.shipped", &template, &account, more).await;
    (desk, account)
}

on_every_database! {
    /// A follower gets the template with its values, under the send's id; the message has WeChat's name. One token does for
    /// many messages, and neither it nor the secret is shown anywhere.
    async fn a_follower_gets_the_template(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, account) = wired(&app, &provider, json!({})).await;
        let event = tell(&desk.admin, "order.shipped", json!({"what": "Boots & 鞋"})).await;
        let done = sent(&desk.admin, &event, "success").await;
        let got = provider.deliveries(SEND).remove(0);
        let id = text(&done["send"]["id"]);
        assert_eq!(done["send"]["provider_message_id"], json!(id));
        assert_eq!(done["send"]["address"], "oEva");
        let data = json!({"thing1": {"value": "Boots & 鞋", "color": "#173177"}, "phrase2": {"value": "已发货"}});
        let what = "what=Boots & 鞋";
        assert_eq!(got.body, json!({"touser": "oEva", "template_id": "T-shipped", "client_msg_id": id, "data": data,
            "url": format!("https://shop.example/orders?{what}"),
            "miniprogram": {"appid": "wx2", "pagepath": format!("orders?{what}")}}));
        for n in 0..3 {
            let event = tell(&desk.admin, "order.shipped", json!({"what": n.to_string()})).await;
            sent(&desk.admin, &event, "success").await;
        }
        assert_eq!(calls(&provider), 1);
        let shown = desk.supervisor.get(&format!("/channel-accounts/{account}")).await.ok();
        assert_eq!((&shown["channel"], &shown["provider"]), (&json!("wechat"), &json!("wechat")));
        let send = desk.supervisor.get(&format!("/message-sends/{id}")).await.ok();
        assert_eq!(send["send"]["message"]["template_id"], "T-shipped");
        for shown in [shown, send, done] {
            assert!(!shown.to_string().contains(SECRET) && !shown.to_string().contains("TOKEN"), "{shown}");
        }
        // A test send shows the same token.
        let template = text(&desk.admin.get("/message-templates").await.ok()["data"][0]["id"]);
        let path = format!("/message-templates/{template}/test_send");
        let body = |openid: &str| json!({"account_id": account, "address": openid});
        let tested = desk.admin.post(&path, body("oTest")).await.ok();
        assert_eq!((&tested["outcome"], &tested["opted_out"]), (&json!("accepted"), &json!(false)));
        assert_eq!((provider.deliveries(SEND).pop().unwrap().body["touser"].as_str(), calls(&provider)), (Some("oTest"), 1));
        desk.admin.post(&path, body("a b")).await.refused(422, "validation_failed");
        let long = json!({"what": "x".repeat(21)});
        let event = tell(&desk.admin, "order.shipped", long).await;
        let failed = sent(&desk.admin, &event, "failed").await;
        assert_eq!(failed["send"]["reason"], "template");
        assert!(text(&failed["send"]["last_error"]).contains("thing1"), "{failed}");
    }

    /// An openid belongs to one account and to one person there; without one a person is not written to by that account.
    async fn an_openid_belongs_to_one_account(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, account) = wired(&app, &provider, json!({})).await;
        let other = text(&official(&desk.admin, &provider, SECRET).await["id"]);
        let template = shipped(&desk.admin).await;
        let customer = desk.visitor.id();
        desk.admin.patch(&format!("/members/{customer}"), json!({"external_id": "c-7"})).await.ok();
        let (_, eva) = follower(&desk.admin, &other, "oEva").await;
        let recipients = json!([{"type": "customer"}, {"type": "recipient", "id": eva}]);
        rule(&desk.admin, "order.paid", &template, &account, json!({ "recipients": recipients })).await;
        let told = || async {
            let body = json!({"key": "order.paid", "payload": {"what": "x"}, "customer_id": customer});
            let event = text(&desk.admin.post("/message-events", body).await.status(202)["id"]);
            let trace = expanded(&desk.admin, &event).await;
            let sends = trace["sends"].as_array().unwrap().clone();
            sends.iter().map(|one| json!([one["send"]["address"], one["send"]["reason"]])).collect::<Vec<_>>()
        };
        assert_eq!(told().await, vec![json!([null, "no_address"]); 2], "Eva follows the other account");
        let put = |account: &str, who: (&str, &str), openid: &str| {
            let mut body = json!({"account_id": account, "openid": openid});
            body[who.0] = json!(who.1);
            desk.admin.post("/message-identities", body)
        };
        let made = put(&account, ("customer_external_id", "c-7"), "oSeven").await.status(201);
        assert_eq!(made["person_id"], json!(customer));
        let mine = put(&account, ("person_id", &eva), "oOther").await.status(201);
        let again = put(&account, ("person_id", &eva), "oEva-2").await.status(201);
        assert_eq!((&again["id"], &again["openid"]), (&mine["id"], &json!("oEva-2")));
        assert_eq!(told().await, [json!(["oSeven", null]), json!(["oEva-2", null])]);
        for (account, who, openid, pointer) in [
            (account.as_str(), ("person_id", eva.as_str()), "oSeven", "/openid"),
            (&account, ("person_id", &eva), "", "/openid"),
            (&account, ("person_id", &eva), "a b", "/openid"),
            (&account, ("person_id", "1"), "oNobody", "/person_id"),
            (&account, ("customer_external_id", "c-8"), "oNobody", "/customer_external_id"),
            ("1", ("person_id", &eva), "oNobody", "/account_id"),
        ] {
            let refused = put(account, who, openid).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{openid}");
        }
        let theirs = app.desk().await;
        let body = json!({"account_id": account, "person_id": theirs.visitor.id(), "openid": "oThief"});
        theirs.admin.post("/message-identities", body).await.refused(422, "validation_failed");
        let path = format!("/message-identities/{}", text(&made["id"]));
        theirs.admin.delete(&path).await.refused(404, "not_found");
        desk.supervisor.delete(&path).await.refused(403, "forbidden");
        let listed = desk.supervisor.get(&format!("/message-identities?person_id={eva}&account_id={account}")).await.ok();
        assert_eq!(listed["data"], json!([again]));
        // Whoever is gone leaves its openid to others.
        desk.admin.delete(&format!("/message-recipients/{eva}")).await.status(204);
        put(&account, ("person_id", &customer), "oEva-2").await.status(201);
        desk.admin.delete(&path).await.status(204);
        desk.admin.delete(&path).await.refused(404, "not_found");
        assert_eq!(desk.admin.get("/message-identities").await.ok()["data"].as_array().unwrap().len(), 1);
    }

    /// What WeChat says, in a 200 or not, and what becomes of the send and of the account.
    async fn answers_mean_what_wechat_says(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, account) = wired(&app, &provider, json!({})).await;
        let path = format!("/channel-accounts/{account}");
        for (index, (act, outcome, status, reason)) in ANSWERS.iter().enumerate() {
            provider.script(SEND, [act.clone()]);
            let event = tell(&desk.admin, "order.shipped", json!({"what": index.to_string()})).await;
            let done = delivery_attempts(&desk.admin, &event, 1).await;
            let what = format!("{act:?}: {done}");
            assert_eq!(done["attempts"][0]["outcome"], *outcome, "{what}");
            assert_eq!((&done["send"]["status"], &done["send"]["reason"]), (&json!(status), &json!(reason)), "{what}");
            assert_eq!(done["send"]["provider_message_id"], json!(null), "{what}");
            let pause = match *outcome {
                "slow" | "configuration" => json!(outcome),
                _ => json!(null),
            };
            assert_eq!(desk.admin.get(&path).await.ok()["pause_reason"], pause, "{what}");
            // What waits is not to go out in the next round.
            if *status == "unsent" {
                let id = text(&done["send"]["id"]);
                desk.admin.post(&format!("/message-sends/{id}/cancel"), json!({})).await.ok();
            }
            desk.admin.patch(&path, json!({"name": "tried again"})).await.ok();
        }
        assert_eq!(calls(&provider), 1);
    }

    /// What may have arrived goes out again under the same id while WeChat knows it as a repeat, and not after that.
    async fn what_may_have_arrived_is_repeated_while_it_is_known(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, _) = wired(&app, &provider, json!({})).await;
        let same = Act::Answer(200, "", r#"{"errcode":40241,"errmsg":"duplicate"}"#);
        for (answer, name) in [(None, true), (Some(same), false)] {
            provider.script(SEND, [Act::Close].into_iter().chain(answer));
            let event = tell(&desk.admin, "order.shipped", json!({"what": name.to_string()})).await;
            let lost = delivery_attempts(&desk.admin, &event, 1).await;
            assert_eq!((&lost["send"]["status"], &lost["attempts"][0]["outcome"]), (&json!("unsent"), &json!("uncertain")));
            app.advance(80_000).await;
            let done = sent(&desk.admin, &event, "success").await;
            assert_eq!((&done["send"]["may_duplicate"], &done["send"]["attempts"]), (&json!(false), &json!(2)));
            assert_eq!(done["send"]["provider_message_id"].is_string(), name);
        }
        assert_eq!((provider.deliveries(SEND).len(), delivered(&provider).len()), (4, 2));
        // Ten minutes later WeChat would deliver it a second time.
        provider.script(SEND, [Act::Close]);
        let event = tell(&desk.admin, "order.shipped", json!({"what": "late"})).await;
        let lost = delivery_attempts(&desk.admin, &event, 1).await;
        let id: i64 = text(&lost["send"]["id"]).parse().unwrap();
        let mut connection = app.database().connect();
        diesel::update(message_attempt::table.filter(message_attempt::send_id.eq(id)))
            .set(message_attempt::started_at.eq(message_attempt::started_at - 540_000))
            .execute(&mut connection)
            .unwrap();
        app.advance(80_000).await;
        let left = sent(&desk.admin, &event, "uncertain").await;
        assert_eq!(provider.deliveries(SEND).len(), 5, "{left}");
        // Whoever wants it all the same gets it.
        desk.admin.post(&format!("/message-sends/{id}/retry"), json!({})).await.ok();
        let done = sent(&desk.admin, &event, "success").await;
        assert_eq!(done["send"]["may_duplicate"], true);
    }

    /// Settings are checked, sealed and never shown; the secret stays while its account does.
    async fn settings_are_checked_and_kept(app: TestApp) {
        let desk = app.desk().await;
        let body = |wechat: Value| json!({"name": "a", "provider": "wechat", "wechat": wechat});
        let whole = json!({"app_id": APP_ID, "app_secret": SECRET});
        let made = desk.admin.post("/channel-accounts", body(whole)).await.status(201);
        assert_eq!(made["account"]["host"], "api.weixin.qq.com");
        assert_eq!(made["account"]["limit"], json!({"count": 50, "seconds": 1}));
        let path = format!("/channel-accounts/{}", text(&made["account"]["id"]));
        let changed = desk.admin.patch(&path, json!({"wechat": {"app_id": APP_ID}})).await.ok();
        let other = json!({"wechat": {"app_id": "wx0"}});
        let refused = desk.admin.patch(&path, other).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/wechat/app_secret");
        for url in ["https://elsewhere.example/", "http://api.weixin.qq.com/"] {
            desk.admin.patch(&path, json!({ "url": url })).await.refused(422, "validation_failed");
        }
        desk.admin.post("/channel-accounts", body(json!(null))).await.refused(422, "validation_failed");
        desk.admin.post("/channel-accounts", body(json!({"app_id": APP_ID}))).await.refused(422, "validation_failed");
        for shown in [&made, &changed, &desk.supervisor.get(&path).await.ok()] {
            assert!(!shown.to_string().contains(SECRET), "{shown}");
        }
        for (field, value, pointer) in [
            ("data", json!([{"name": "thing1", "value": "x".repeat(21)}]), "/wechat/data/0/value"),
            ("data", json!([{"name": "thing1", "value": "{{ nothing }}"}]), "/wechat/data/0/value"),
            ("template_id", json!(""), "/wechat/template_id"),
            ("url", json!("javascript:x"), "/wechat/url"),
        ] {
            let mut wechat = json!({"template_id": "T", "data": [{"name": "thing1", "value": "x"}]});
            wechat[field] = value;
            let body = json!({"name": "t", "channel": "wechat", "wechat": wechat});
            let refused = desk.admin.post("/message-templates", body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer);
        }
    }

    /// A wrong secret holds everything and costs no attempt, and nothing says it; the right one, given later, sends it.
    async fn a_wrong_secret_holds_the_account(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, account) = wired(&app, &provider, json!({})).await;
        let path = format!("/channel-accounts/{account}");
        let secret = |secret: &str| json!({"wechat": {"app_id": APP_ID, "app_secret": secret}});
        desk.admin.patch(&path, secret("an0ther-secret")).await.ok();
        let event = tell(&desk.admin, "order.shipped", json!({"what": "1"})).await;
        let held = delivery_attempts(&desk.admin, &event, 1).await;
        assert_eq!((&held["send"]["status"], &held["send"]["attempts"]), (&json!("unsent"), &json!(0)));
        let attempt = &held["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["code"]), (&json!("configuration"), &json!("40125")));
        assert!(!held.to_string().contains("an0ther-secret"), "{held}");
        assert_eq!(desk.admin.get(&path).await.ok()["pause_reason"], "configuration");
        assert!(provider.deliveries(SEND).is_empty());
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        desk.admin.patch(&path, secret(SECRET)).await.ok();
        sent(&desk.admin, &event, "success").await;
        assert_eq!(provider.deliveries(TOKEN).len(), 2);
        // Other settings, another token: the one before is not used with them.
        desk.admin.patch(&path, json!({"url": provider.url("/wechat/")})).await.ok();
        let event = tell(&desk.admin, "order.shipped", json!({"what": "2"})).await;
        sent(&desk.admin, &event, "success").await;
        assert_eq!(provider.deliveries(TOKEN).len(), 3);
    }
}

/// An answer, the outcome, and what becomes of the send and why.
type Case = (Act, &'static str, &'static str, Option<&'static str>);

const ANSWERS: &[Case] = &[
    (
        Act::Answer(200, "", r#"{"errcode":43004,"errmsg":"require subscribe"}"#),
        "recipient",
        "failed",
        Some("recipient"),
    ),
    (Act::Answer(200, "", r#"{"errcode":43019}"#), "recipient", "failed", Some("recipient")),
    (Act::Answer(200, "", r#"{"errcode":40037}"#), "content", "failed", Some("content")),
    (
        Act::Answer(200, "", r#"{"errcode":47003,"errmsg":"data.thing1.value"}"#),
        "content",
        "failed",
        Some("content"),
    ),
    (Act::Answer(200, "", r#"{"errcode":48001}"#), "configuration", "unsent", None),
    (Act::Answer(200, "", r#"{"errcode":45009}"#), "slow", "unsent", None),
    (Act::Answer(200, "", r#"{"errcode":45011}"#), "slow", "unsent", None),
    (Act::Answer(200, "", r#"{"errcode":43117}"#), "not_now", "unsent", None),
    (Act::Answer(200, "", r#"{"errcode":-1,"errmsg":"system error"}"#), "retry", "unsent", None),
    (Act::Answer(200, "", r#"{"errcode":77777}"#), "retry", "unsent", None),
    (Act::Answer(503, "", ""), "retry", "unsent", None),
    (Act::Answer(200, "", "<html>fine</html>"), "uncertain", "unsent", None),
    (Act::Answer(200, "", ""), "uncertain", "unsent", None),
    (Act::Answer(502, "", "bad gateway"), "uncertain", "unsent", None),
    (Act::Answer(302, "location: http://127.0.0.1:9/\r\n", ""), "uncertain", "unsent", None),
    (Act::Close, "uncertain", "unsent", None),
    (Act::Answer(429, "retry-after: 100\r\n", ""), "slow", "unsent", None),
];
