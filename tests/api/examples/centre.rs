//! The message centre, as a shop that tells its warehouse of paid orders uses it.

use serde_json::{Value, json};

use super::recorder::Recorder;
use crate::centre::provider::{Act, Provider};
use crate::centre::wechat_provider;
use crate::harness::{Client, eventually};

fn id(value: &Value) -> String {
    value.as_str().expect("an id").to_owned()
}

/// Every operation of the message centre.
pub async fn play(recorder: &mut Recorder<'_>, admin: &Client) {
    let body = json!({
        "name": "Warehouse", "provider": "webhook", "url": "https://warehouse.example/hooks/deskwire",
        "limit": {"count": 100, "seconds": 60},
    });
    let made = recorder.call("create_channel_account", admin, "POST /channel-accounts", Some(body)).await;
    let account = id(&made["account"]["id"]);
    let path = format!("/channel-accounts/{account}");
    recorder.call("list_channel_accounts", admin, "GET /channel-accounts", None).await;
    recorder.call("get_channel_account", admin, &format!("GET {path}"), None).await;
    let change = Some(json!({"name": "Warehouse south", "limit": null}));
    recorder.call("update_channel_account", admin, &format!("PATCH {path}"), change).await;
    recorder.call("rotate_channel_account_secret", admin, &format!("POST {path}/rotate_secret"), None).await;
    let template = template(recorder, admin).await;
    let rule = rule(recorder, admin, &template, &account).await;
    events(recorder, admin).await;
    recipients(recorder, admin).await;
    receipts(recorder, admin).await;
    identities(recorder, admin).await;
    bindings(recorder, admin).await;
    uncertain(recorder, admin).await;
    notifications(recorder, admin).await;
    recorder.call("delete_message_rule", admin, &format!("DELETE /message-rules/{rule}"), None).await;
    let line = format!("DELETE /message-templates/{template}");
    recorder.call("delete_message_template", admin, &line, None).await;
    recorder.call("delete_channel_account", admin, &format!("DELETE {path}"), None).await;
}

async fn template(recorder: &mut Recorder<'_>, admin: &Client) -> String {
    let data =
        json!({"order": "{{ order_id }}", "total": "{{ total }}", "line": "Order {{ order_id }} is paid"});
    let body = json!({
        "name": "Paid orders", "channel": "webhook", "webhook": {"type": "order.paid", "data": data},
        "variables": [
            {"name": "order_id", "type": "string", "required": true, "sample": "1001"},
            {"name": "total", "type": "number", "required": true, "sample": 59.9},
        ],
    });
    let made = recorder.call("create_message_template", admin, "POST /message-templates", Some(body)).await;
    let template = id(&made["id"]);
    let path = format!("/message-templates/{template}");
    let payload = json!({"payload": {"order_id": "1002", "total": 12}});
    recorder.call("preview_message_template", admin, &format!("POST {path}/preview"), Some(payload)).await;
    let provider = Provider::start().await;
    let hook = json!({"name": "Trial", "provider": "webhook", "url": provider.url("/trial")});
    let hook = admin.post("/channel-accounts", hook).await.status(201)["account"]["id"].clone();
    let trial = json!({"account_id": hook, "payload": {"order_id": "1002", "total": 12}});
    let line = format!("POST {path}/test_send");
    recorder.call("test_send_message_template", admin, &line, Some(trial)).await;
    admin.delete(&format!("/channel-accounts/{}", id(&hook))).await.status(204);
    recorder.call("publish_message_template", admin, &format!("POST {path}/publish"), None).await;
    recorder.call("list_message_template_versions", admin, &format!("GET {path}/versions"), None).await;
    let change = Some(json!({"name": "Orders that are paid"}));
    recorder.call("update_message_template", admin, &format!("PATCH {path}"), change).await;
    recorder.call("get_message_template", admin, &format!("GET {path}"), None).await;
    recorder.call("list_message_templates", admin, "GET /message-templates", None).await;
    template
}

async fn rule(recorder: &mut Recorder<'_>, admin: &Client, template: &str, account: &str) -> String {
    let body = json!({
        "title": "Tell the warehouse of larger orders", "key": "order.paid", "template_id": template,
        "account_id": account, "conditions": [{"path": "/total", "operator": "gte", "value": 50}],
        "delay_seconds": 600, "dedupe_seconds": 86400, "dedupe_key": "{{ order_id }}",
    });
    let made = recorder.call("create_message_rule", admin, "POST /message-rules", Some(body)).await;
    let rule = id(&made["id"]);
    let path = format!("/message-rules/{rule}");
    recorder.call("list_message_rules", admin, "GET /message-rules?key=order.paid", None).await;
    recorder.call("get_message_rule", admin, &format!("GET {path}"), None).await;
    let fallback = json!({"template_id": template, "account_id": account, "on": ["failed", "expired"]});
    let change = Some(json!({
        "priority": "urgent", "fallback": fallback, "throttle": {"count": 100, "seconds": 3600, "by": "rule"},
    }));
    recorder.call("update_message_rule", admin, &format!("PATCH {path}"), change).await;
    let body = Some(json!({"key": "order.paid", "payload": {"order_id": "1003", "total": 59.9}}));
    recorder.call("simulate_message_rules", admin, "POST /message-rules/simulate", body).await;
    let body = Some(json!({"from": made["created_at"], "limit": 100, "dry_run": true}));
    recorder.call("replay_message_rule", admin, &format!("POST {path}/replay"), body).await;
    rule
}

async fn events(recorder: &mut Recorder<'_>, admin: &Client) {
    let body = json!({"key": "order.paid", "payload": {"order_id": "1001", "total": 59.9}});
    let event = recorder.call("create_message_event", admin, "POST /message-events", Some(body)).await;
    let path = format!("/message-events/{}", id(&event["id"]));
    expanded(admin, &path).await;
    let trace = recorder.call("get_message_event", admin, &format!("GET {path}"), None).await;
    recorder.call("list_message_events", admin, "GET /message-events?key=order.paid", None).await;
    recorder.call("list_message_sends", admin, "GET /message-sends?status=unsent", None).await;
    let send = format!("/message-sends/{}", id(&trace["sends"][0]["send"]["id"]));
    recorder.call("get_message_send", admin, &format!("GET {send}"), None).await;
    recorder.call("cancel_message_send", admin, &format!("POST {send}/cancel"), None).await;
    recorder.call("retry_message_send", admin, &format!("POST {send}/retry"), None).await;
    let events = json!({"events": [
        {"key": "order.shipped", "payload": {"order_id": "0998"}},
        {"key": "order.shipped", "payload": {"order_id": "0999"}},
    ]});
    recorder.call("create_message_events", admin, "POST /message-events/batch", Some(events)).await;
}

/// A colleague who is written to, but not at night.
async fn recipients(recorder: &mut Recorder<'_>, admin: &Client) {
    let body = json!({
        "name": "Wang Fang, warehouse", "phone": "+8613800138000", "email": "wang.fang@shop.example",
        "time_zone": "Asia/Shanghai", "quiet_hours": {"from": "22:00", "until": "08:00"},
    });
    let made = recorder.call("create_message_recipient", admin, "POST /message-recipients", Some(body)).await;
    let person = id(&made["id"]);
    let path = format!("/message-recipients/{person}");
    recorder.call("list_message_recipients", admin, "GET /message-recipients", None).await;
    recorder.call("get_message_recipient", admin, &format!("GET {path}"), None).await;
    let change = Some(json!({"email": "warehouse@shop.example"}));
    recorder.call("update_message_recipient", admin, &format!("PATCH {path}"), change).await;
    let body = json!({"person_id": person, "channel": "sms", "priority": "marketing"});
    let made = recorder.call("create_message_opt_out", admin, "POST /message-opt-outs", Some(body)).await;
    let list = format!("GET /message-opt-outs?person_id={person}");
    recorder.call("list_message_opt_outs", admin, &list, None).await;
    let line = format!("DELETE /message-opt-outs/{}", id(&made["id"]));
    recorder.call("delete_message_opt_out", admin, &line, None).await;
    let body = json!({"channel": "email", "address": "Former.Owner@shop.example"});
    let made =
        recorder.call("create_message_suppression", admin, "POST /message-suppressions", Some(body)).await;
    let list = "GET /message-suppressions?address=former.owner@shop.example";
    recorder.call("list_message_suppressions", admin, list, None).await;
    let line = format!("DELETE /message-suppressions/{}", id(&made["id"]));
    recorder.call("delete_message_suppression", admin, &line, None).await;
    recorder.call("delete_message_recipient", admin, &format!("DELETE {path}"), None).await;
}

/// A colleague who follows the shop's official account.
async fn identities(recorder: &mut Recorder<'_>, admin: &Client) {
    let settings = json!({"app_id": "wxb11529c136998cb6", "app_secret": "example"});
    let body = json!({"name": "WeChat", "provider": "wechat", "wechat": settings});
    let account = admin.post("/channel-accounts", body).await.status(201)["account"]["id"].clone();
    let made = admin.post("/message-recipients", json!({"name": "Li Na, warehouse"})).await.status(201);
    let person = id(&made["id"]);
    let body = json!({"account_id": account, "person_id": person, "openid": "oABCD1234efgh5678ijkl9012mno"});
    let made = recorder.call("create_message_identity", admin, "POST /message-identities", Some(body)).await;
    let list = format!("GET /message-identities?person_id={person}");
    recorder.call("list_message_identities", admin, &list, None).await;
    let line = format!("DELETE /message-identities/{}", id(&made["id"]));
    recorder.call("delete_message_identity", admin, &line, None).await;
    admin.delete(&format!("/message-recipients/{person}")).await.status(204);
}

/// A colleague who scans a code to follow the shop's official account, and another code that is called back.
async fn bindings(recorder: &mut Recorder<'_>, admin: &Client) {
    let provider = Provider::start().await;
    let said =
        r#"{"ticket":"gQH47j","expire_seconds":600,"url":"http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI"}"#;
    provider.script(wechat_provider::QR, [Act::Answer(200, "", said)]);
    let settings = json!({
        "app_id": wechat_provider::APP_ID, "app_secret": wechat_provider::SECRET, "callback_token": "AAAAA",
    });
    let body =
        json!({"name": "WeChat", "provider": "wechat", "url": provider.url("/wechat"), "wechat": settings});
    let account = admin.post("/channel-accounts", body).await.status(201)["account"]["id"].clone();
    let made = admin.post("/message-recipients", json!({"name": "Li Na, warehouse"})).await.status(201);
    let person = id(&made["id"]);
    let body = json!({"account_id": account, "person_id": person, "expires_in_seconds": 600});
    let made = recorder.call("create_message_binding", admin, "POST /message-bindings", Some(body)).await;
    let path = format!("/message-bindings/{}", id(&made["id"]));
    let list = format!("GET /message-bindings?person_id={person}");
    recorder.call("list_message_bindings", admin, &list, None).await;
    recorder.call("get_message_binding", admin, &format!("GET {path}"), None).await;
    recorder.call("cancel_message_binding", admin, &format!("POST {path}/cancel"), None).await;
    admin.delete(&format!("/message-recipients/{person}")).await.status(204);
    admin.delete(&format!("/channel-accounts/{}", id(&account))).await.status(204);
}

/// A robot that takes a message and says nothing.
async fn uncertain(recorder: &mut Recorder<'_>, admin: &Client) {
    let provider = Provider::start().await;
    provider.script("/slack", [Act::Close]);
    let body = json!({"name": "Team", "provider": "slack_robot", "url": provider.url("/slack")});
    let account = admin.post("/channel-accounts", body).await.status(201)["account"]["id"].clone();
    let body =
        json!({"name": "Team", "channel": "robot", "robot": {"format": "text", "text": "A parcel is late."}});
    let template = admin.post("/message-templates", body).await.status(201)["id"].clone();
    admin.post(&format!("/message-templates/{}/publish", id(&template)), json!({})).await.ok();
    let body = json!({"title": "Late", "key": "parcel.late", "template_id": template, "account_id": account});
    admin.post("/message-rules", body).await.status(201);
    let body = json!({"key": "parcel.late", "payload": {}});
    let event = admin.post("/message-events", body).await.status(202);
    let path = format!("/message-events/{}", id(&event["id"]));
    let send = eventually("nobody knows", || async {
        let trace = admin.get(&path).await.ok();
        (trace["sends"][0]["send"]["status"] == "uncertain").then(|| id(&trace["sends"][0]["send"]["id"]))
    })
    .await;
    let body = Some(json!({"event_id": event["id"], "status": ["uncertain"], "dry_run": true}));
    recorder.call("retry_message_sends", admin, "POST /message-sends/retry", body).await;
    let body = Some(json!({"resolution": "accepted"}));
    recorder.call("resolve_message_send", admin, &format!("POST /message-sends/{send}/resolve"), body).await;
}

/// A customer is told of its order, inside the product. A visitor: that one of the staff connects takes a rev at a moment
/// of its own, and what is recorded would differ between runs.
async fn notifications(recorder: &mut Recorder<'_>, admin: &Client) {
    let visitor = json!({"tenant": "tea-house", "nickname": "Sam"});
    let made = admin.anonymous().post("/visitors", visitor).await.status(201);
    let visitor = admin.with_token(id(&made["access_token"]));
    let customer = visitor.get("/me").await.ok()["id"].clone();
    let body = json!({"name": "In the app", "provider": "in_app"});
    let account = admin.post("/channel-accounts", body).await.status(201)["account"]["id"].clone();
    let in_app = json!({
        "title": "Order {{ order_id }} is paid", "body": "Thank you!", "link": "/orders/{{ order_id }}",
        "data": {"order_id": "{{ order_id }}"},
    });
    let variables = json!([{"name": "order_id", "type": "string", "required": true, "sample": "1001"}]);
    let body = json!({"name": "Thanks", "channel": "in_app", "in_app": in_app, "variables": variables});
    let template = admin.post("/message-templates", body).await.status(201)["id"].clone();
    admin.post(&format!("/message-templates/{}/publish", id(&template)), json!({})).await.ok();
    let body = json!({
        "title": "Thanks", "key": "order.thanks", "template_id": template, "account_id": account,
        "recipients": [{"type": "customer"}],
    });
    admin.post("/message-rules", body).await.status(201);
    let mut socket = visitor.socket_with(json!({"device": "phone-4"})).await;
    let body = json!({"key": "order.thanks", "payload": {"order_id": "1004"}, "customer_id": customer});
    admin.post("/message-events", body).await.status(202);
    let told = recorder.expect(&mut socket, "notification").await;
    recorder.call("list_notifications", &visitor, "GET /notifications?unread=true", None).await;
    let body = Some(json!({"ids": [told["data"]["id"]]}));
    recorder.call("read_notifications", &visitor, "POST /notifications/read", body).await;
    socket.close().await;
}

/// A provider of text messages says that one arrived.
async fn receipts(recorder: &mut Recorder<'_>, admin: &Client) {
    let settings =
        json!({"access_key_id": "LTAI5tExample", "access_key_secret": "example", "sign_name": "My shop"});
    let body = json!({"name": "Codes", "provider": "aliyun_sms", "aliyun_sms": settings});
    let made = admin.post("/channel-accounts", body).await.status(201);
    let path = id(&made["account"]["receipt_path"]).replacen("/api/v1", "", 1);
    let report = json!({
        "phone_number": "13800138000", "send_time": "2026-11-22 18:00:00", "report_time": "2026-11-22 18:00:05",
        "success": true, "err_code": "DELIVERED", "err_msg": "用户接收成功", "sms_size": "1",
        "biz_id": "900619746936498440^0", "out_id": "",
    });
    let reports = Some(json!([report]));
    recorder.call("receive_message_receipts", admin, &format!("POST {path}"), reports).await;
}

async fn expanded(admin: &Client, path: &str) {
    eventually("the rules are applied", || async {
        let trace = admin.get(path).await.ok();
        (!trace["event"]["expanded_at"].is_null()).then_some(())
    })
    .await;
}
