//! Channel accounts: made, changed, deleted; their secrets stay where they are.

use serde_json::json;

use super::provider::Provider;
use super::{account, rule, text, whole_payload};

on_every_database! {
    /// Made, read, listed, changed, deleted; deleted twice is not there; an address is never shown.
    async fn an_account_lives_and_ends(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({
            "name": " Shop ", "provider": "webhook", "url": "https://shop.example/hooks/s3cret-path",
            "limit": {"count": 5, "seconds": 60},
        });
        let made = desk.admin.post("/channel-accounts", body).await.status(201);
        let secret = text(&made["secret"]);
        assert!(secret.starts_with("whsec_"), "{made}");
        let account = &made["account"];
        assert_eq!((&account["name"], &account["host"]), (&json!("Shop"), &json!("shop.example")));
        assert_eq!(account["limit"], json!({"count": 5, "seconds": 60}));
        let path = format!("/channel-accounts/{}", text(&account["id"]));
        let read = desk.supervisor.get(&path).await.ok();
        assert_eq!(read, *account);
        let changed = desk.admin.patch(&path, json!({"status": "disabled", "limit": null})).await.ok();
        assert_eq!((&changed["status"], &changed["limit"]), (&json!("disabled"), &json!(null)));
        assert_eq!(changed["name"], "Shop", "an absent field stays");
        let rotated = desk.admin.post(&format!("{path}/rotate_secret"), json!({})).await.ok();
        assert_ne!(text(&rotated["secret"]), secret);
        let listed = desk.supervisor.get("/channel-accounts").await.ok();
        assert_eq!(listed["data"].as_array().unwrap().len(), 1);
        for shown in [read, changed, listed, rotated["account"].clone()] {
            let shown = shown.to_string();
            assert!(!shown.contains("s3cret") && !shown.contains(&secret), "{shown}");
        }
        desk.admin.delete(&path).await.status(204);
        desk.admin.delete(&path).await.refused(404, "not_found");
        desk.admin.get(&path).await.refused(404, "not_found");
        desk.admin.patch(&path, json!({"name": "x"})).await.refused(404, "not_found");
    }

    /// Addresses that are not public or not the provider's, limits and secrets that mean nothing.
    async fn what_cannot_be_used_is_refused(app: TestApp) {
        let desk = app.desk().await;
        for (provider, url) in [
            ("webhook", "http://shop.example/"),
            ("webhook", "https://10.0.0.1/"),
            ("webhook", "https://localhost/"),
            ("webhook", "https://user:word@shop.example/"),
            ("webhook", "no address"),
            ("slack_robot", "https://shop.example/services/T/B/X"),
            ("wecom_robot", "https://qyapi.weixin.qq.com.shop.example/cgi-bin/webhook/send?key=k"),
        ] {
            let body = json!({"name": "a", "provider": provider, "url": url});
            let refused = desk.admin.post("/channel-accounts", body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], "/url", "{url}: {refused}");
        }
        let url = "https://oapi.dingtalk.com/robot/send?access_token=t";
        let good = json!({"name": "a", "provider": "dingtalk_robot", "url": url, "secret": "SECx"});
        desk.admin.post("/channel-accounts", good.clone()).await.status(201);
        for (field, value) in [
            ("limit", json!({"count": 0, "seconds": 60})),
            ("limit", json!({"count": 1, "seconds": 0})),
            ("name", json!(" ")),
            ("provider", json!("pigeon")),
            ("secret", json!("x".repeat(201))),
            ("nothing", json!(1)),
        ] {
            let mut body = good.clone();
            body[field] = value;
            desk.admin.post("/channel-accounts", body).await.refused(422, "validation_failed");
        }
        let url = "https://hooks.slack.com/services/T/B/X";
        let body = json!({"name": "a", "provider": "slack_robot", "url": url, "secret": "x"});
        desk.admin.post("/channel-accounts", body).await.refused(422, "validation_failed");
    }

    /// Supervisors read, administrators change, nobody else knows; another tenant's account does not exist.
    async fn only_who_may_sees_and_changes(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (id, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let path = format!("/channel-accounts/{id}");
        for client in [&desk.visitor, &desk.agent] {
            client.get("/channel-accounts").await.refused(403, "forbidden");
            client.get(&path).await.refused(403, "forbidden");
        }
        let body = json!({"name": "a", "provider": "webhook", "url": provider.url("/webhook")});
        for client in [&desk.visitor, &desk.agent, &desk.supervisor] {
            client.post("/channel-accounts", body.clone()).await.refused(403, "forbidden");
            client.patch(&path, json!({"name": "x"})).await.refused(403, "forbidden");
            client.post(&format!("{path}/rotate_secret"), json!({})).await.refused(403, "forbidden");
            client.delete(&path).await.refused(403, "forbidden");
        }
        other.supervisor.get(&path).await.refused(404, "not_found");
        other.admin.patch(&path, json!({"name": "x"})).await.refused(404, "not_found");
        other.admin.post(&format!("{path}/rotate_secret"), json!({})).await.refused(404, "not_found");
        other.admin.delete(&path).await.refused(404, "not_found");
        let template = whole_payload(&other.admin).await;
        let body = json!({"title": "t", "key": "k", "template_id": template, "account_id": id});
        let refused = other.admin.post("/message-rules", body).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/account_id");
    }

    /// What a rule needs stays until the rule is gone.
    async fn what_a_rule_needs_is_not_deleted(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (id, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let rule = rule(&desk.admin, "order.paid", &template, &id, json!({})).await;
        let paths = [format!("/channel-accounts/{id}"), format!("/message-templates/{template}")];
        for path in &paths {
            desk.admin.delete(path).await.refused(409, "in_use");
        }
        desk.admin.delete(&format!("/message-rules/{rule}")).await.status(204);
        desk.admin.delete(&format!("/message-rules/{rule}")).await.refused(404, "not_found");
        for path in &paths {
            desk.admin.delete(path).await.status(204);
        }
    }
}
