//! Group robots: their protocols, their own words for success, and messages whose fate is unknown.

use serde_json::{Value, json};

use super::provider::{Act, Provider, ROBOT_SECRET};
use super::{account, published, rule, says, sent, tell, text};
use crate::harness::{Desk, TestApp};

/// A tenant with a robot and a rule for `news`.
async fn wired(app: &TestApp, provider: &Provider, kind: &str, path: &str, more: Value) -> Desk {
    let desk = app.desk().await;
    let (to, _) = account(&desk.admin, provider, kind, path).await;
    let template = says(&desk.admin).await;
    rule(&desk.admin, "news", &template, &to, more).await;
    desk
}

on_every_database! {
    /// Each messenger gets its own form, signed where it signs.
    async fn each_messenger_gets_its_own_form(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let plain = says(&desk.admin).await;
        let robot = json!({"format": "markdown", "title": "Order {{ id }}", "text": "**{{ id }}** is paid"});
        let marked = json!({"name": "marked", "channel": "robot", "robot": robot, "variables":
            [{"name": "id", "type": "number", "required": true, "sample": 7}]});
        let marked = published(&desk.admin, marked).await;
        for (kind, path, text_body, marked_body) in [
            ("wecom_robot", "/wecom", json!({"msgtype": "text", "text": {"content": "News: hi"}}),
                json!({"msgtype": "markdown", "markdown": {"content": "**Order 7**\n**7** is paid"}})),
            ("dingtalk_robot", "/dingtalk", json!({"msgtype": "text", "text": {"content": "News: hi"}}),
                json!({"msgtype": "markdown", "markdown": {"title": "Order 7", "text": "**7** is paid"}})),
            ("feishu_robot", "/feishu", json!({"msg_type": "text", "content": {"text": "News: hi"}}),
                json!({"msg_type": "interactive", "card": {
                    "header": {"title": {"tag": "plain_text", "content": "Order 7"}},
                    "elements": [{"tag": "markdown", "content": "**7** is paid"}]}})),
            ("slack_robot", "/slack", json!({"text": "News: hi"}), json!({"text": "*Order 7*\n**7** is paid"})),
        ] {
            let (to, secret) = account(&desk.admin, &provider, kind, path).await;
            assert_eq!(secret, None, "the secret of a robot comes from its messenger");
            rule(&desk.admin, &format!("{kind}.text"), &plain, &to, json!({})).await;
            rule(&desk.admin, &format!("{kind}.marked"), &marked, &to, json!({})).await;
            let event = tell(&desk.admin, &format!("{kind}.text"), json!({"text": "hi"})).await;
            sent(&desk.admin, &event, "success").await;
            let event = tell(&desk.admin, &format!("{kind}.marked"), json!({"id": 7})).await;
            sent(&desk.admin, &event, "success").await;
            let bodies: Vec<Value> = provider.deliveries(path).into_iter().map(|one| one.body).collect();
            assert_eq!(bodies, [text_body, marked_body], "{kind}");
        }
        for (kind, path) in [("dingtalk_robot", "/dingtalk/signed"), ("feishu_robot", "/feishu/signed")] {
            for (secret, status) in [(ROBOT_SECRET, "success"), ("another", "unsent")] {
                let body = json!({"name": "signed", "provider": kind, "url": provider.url(path), "secret": secret});
                let made = desk.admin.post("/channel-accounts", body).await.status(201);
                let key = format!("{kind}.{secret}");
                rule(&desk.admin, &key, &plain, &text(&made["account"]["id"]), json!({})).await;
                let event = tell(&desk.admin, &key, json!({"text": "hi"})).await;
                let done = sent(&desk.admin, &event, status).await;
                if status == "unsent" {
                    let held = super::delivery_attempts(&desk.admin, &event, 1).await;
                    assert_eq!(held["attempts"][0]["outcome"], "configuration", "{held}");
                } else {
                    assert_eq!(done["attempts"][0]["outcome"], "accepted");
                }
            }
        }
    }

    /// HTTP 200 is not success: the provider's own word is.
    async fn only_the_providers_word_is_success(app: TestApp) {
        let provider = Provider::start().await;
        for (kind, path, answer, status, outcome) in [
            ("wecom_robot", "/wecom", r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, "unsent", "configuration"),
            ("wecom_robot", "/wecom", r#"{"errcode":45009,"errmsg":"freq out of limit"}"#, "unsent", "slow"),
            ("wecom_robot", "/wecom", r#"{"errcode":44004,"errmsg":"empty content"}"#, "failed", "content"),
            ("dingtalk_robot", "/dingtalk", r#"{"errcode":310000,"errmsg":"keywords"}"#, "unsent", "configuration"),
            ("dingtalk_robot", "/dingtalk", r#"{"errcode":-1,"errmsg":"busy"}"#, "unsent", "retry"),
            ("feishu_robot", "/feishu", r#"{"code":9499,"msg":"Bad Request"}"#, "failed", "content"),
            ("feishu_robot", "/feishu", r#"{"code":11232,"msg":"frequency limited"}"#, "unsent", "slow"),
            ("feishu_robot", "/feishu", "<html>ok</html>", "uncertain", "uncertain"),
            ("slack_robot", "/slack", "<html>ok</html>", "uncertain", "uncertain"),
        ] {
            let desk = wired(&app, &provider, kind, path, json!({})).await;
            provider.script(path, [Act::Answer(200, "", answer)]);
            let event = tell(&desk.admin, "news", json!({"text": answer})).await;
            let done = super::delivery_attempts(&desk.admin, &event, 1).await;
            assert_eq!(done["send"]["status"], status, "{answer}: {done}");
            assert_eq!(done["attempts"][0]["outcome"], outcome, "{answer}: {done}");
            assert_eq!(done["send"]["sent_at"], json!(null));
        }
    }

    /// No answer: a robot's message is uncertain and is not repeated; somebody looks and settles it.
    async fn without_an_answer_a_message_is_uncertain(app: TestApp) {
        let provider = Provider::start().await;
        let desk = wired(&app, &provider, "dingtalk_robot", "/dingtalk", json!({})).await;
        provider.script("/dingtalk", [Act::Close, Act::Close, Act::Close]);
        let arrived = tell(&desk.admin, "news", json!({"text": "one"})).await;
        let lost = tell(&desk.admin, "news", json!({"text": "two"})).await;
        let again = tell(&desk.admin, "news", json!({"text": "three"})).await;
        let mut ids = Vec::new();
        for event in [&arrived, &lost, &again] {
            ids.push(text(&sent(&desk.admin, event, "uncertain").await["send"]["id"]));
        }
        app.advance(700_000).await;
        let resolve = |index: usize| format!("/message-sends/{}/resolve", ids[index]);
        let settled = desk.admin.post(&resolve(0), json!({"resolution": "accepted"})).await.ok();
        assert_eq!(settled["status"], "success");
        desk.admin.post(&resolve(0), json!({"resolution": "not_sent"})).await.refused(409, "invalid_transition");
        desk.admin.post(&resolve(1), json!({"resolution": "maybe"})).await.refused(422, "validation_failed");
        assert_eq!(provider.deliveries("/dingtalk").len(), 3, "nothing was repeated by itself");
        desk.admin.post(&resolve(1), json!({"resolution": "not_sent"})).await.ok();
        let done = sent(&desk.admin, &lost, "success").await;
        assert_eq!(done["send"]["may_duplicate"], json!(false));
        desk.admin.post(&format!("/message-sends/{}/retry", ids[2]), json!({})).await.ok();
        let done = sent(&desk.admin, &again, "success").await;
        assert_eq!(done["send"]["may_duplicate"], json!(true));
    }

    /// Somebody waits for an urgent one: it is repeated once, and says that it may have arrived twice.
    async fn what_is_urgent_is_repeated_once(app: TestApp) {
        let provider = Provider::start().await;
        let desk = wired(&app, &provider, "slack_robot", "/slack", json!({"priority": "urgent"})).await;
        provider.script("/slack", [Act::Close, Act::Close]);
        let event = tell(&desk.admin, "news", json!({"text": "fire"})).await;
        super::delivery_attempts(&desk.admin, &event, 1).await;
        app.advance(20_000).await;
        let done = sent(&desk.admin, &event, "uncertain").await;
        assert_eq!((&done["send"]["may_duplicate"], &done["send"]["attempts"]), (&json!(true), &json!(2)));
        assert_eq!(provider.deliveries("/slack").len(), 2);
    }
}
