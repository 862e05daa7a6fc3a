//! Every act of an administrator, each held against what the audit log tells of it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::seed::PASSWORD;
use crate::harness::{Answer, Desk};

/// Where the audit log is read.
pub const PATH: &str = "/audit-events";

/// Acts of an administrator, each checked against what the audit log tells of it.
struct Acts<'a> {
    desk: &'a Desk,
    done: BTreeSet<String>,
    count: usize,
}

impl Acts<'_> {
    /// Does it, and requires that exactly it is told: this action on that target, with these fields before and after.
    async fn act(
        &mut self,
        operation: &str,
        path: &str,
        body: Value,
        told: (&str, &str, Value, Value),
    ) -> Value {
        let method: Method = operation.split_once(' ').unwrap().0.parse().unwrap();
        let request_id = format!("act-{}", self.count);
        self.count += 1;
        let request = self.desk.admin.request(method, path).header("x-request-id", &request_id);
        let answer = Answer::of(if body.is_null() { request } else { request.json(&body) }).await.ok();
        let events = self.desk.admin.get(&format!("{PATH}?limit=200")).await.ok();
        let events: Vec<&Value> =
            events["data"].as_array().unwrap().iter().filter(|one| one["request_id"] == request_id).collect();
        assert_eq!(events.len(), 1, "{operation} is told once: {events:?}");
        let (action, target, before, after) = told;
        let event = events[0];
        assert_eq!((&event["action"], &event["target_type"]), (&json!(action), &json!(target)), "{event}");
        assert_eq!((&event["actor_id"], &event["api_key_id"]), (&json!(self.desk.admin.id()), &Value::Null));
        assert_eq!(event["ip"], "127.0.0.1", "{event}");
        for (name, fields, told) in [("before", before, &event["before"]), ("after", after, &event["after"])]
        {
            match fields {
                Value::Null => assert_eq!(*told, json!({}), "{operation} {name}: {event}"),
                fields => {
                    for (field, value) in fields.as_object().unwrap() {
                        assert_eq!(told[field], *value, "{operation} {name} {field}: {event}");
                    }
                }
            }
        }
        self.done.insert(operation.to_owned());
        answer
    }
}

/// The id in an answer.
pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// Does everything once; gives the operations.
pub async fn all(desk: &Desk) -> BTreeSet<String> {
    let mut acts = Acts { desk, done: BTreeSet::new(), count: 0 };
    accounts(&mut acts).await;
    desk_settings(&mut acts).await;
    message_centre(&mut acts).await;
    acts.done
}

async fn accounts(acts: &mut Acts<'_>) {
    let new = json!({"role": "agent", "login_name": "new", "password": PASSWORD});
    let told =
        ("create", "member", Value::Null, json!({"role": "agent", "login_name": "new", "status": "enabled"}));
    let member = id(&acts.act("POST /members", "/members", new, told).await);
    let path = format!("/members/{member}");
    let told = ("update", "member", json!({"role": "agent"}), json!({"role": "supervisor"}));
    acts.act("PATCH /members/{id}", &path, json!({"role": "supervisor"}), told).await;
    let told = ("update", "member", json!({"max_accept": 10}), json!({"max_accept": 3}));
    acts.act("PATCH /members/{id}", &path, json!({"max_accept": 3}), told).await;
    let password = json!({"password": "another horse battery"});
    let told = ("set_password", "member", Value::Null, Value::Null);
    acts.act("PUT /members/{id}/password", &format!("{path}/password"), password, told).await;
    let told = ("unlock", "member", Value::Null, Value::Null);
    acts.act("POST /members/{id}/unlock", &format!("{path}/unlock"), Value::Null, told).await;
    let told = ("delete", "member", json!({"role": "supervisor"}), Value::Null);
    acts.act("DELETE /members/{id}", &path, Value::Null, told).await;

    let program = json!({"role": "agent", "nickname": "Bot", "service_account": true});
    let program = id(&acts.desk.admin.post("/members", program).await.status(201));
    let key = json!({"member_id": program, "name": "Key", "operations": ["claim"]});
    let told = ("create", "api_key", Value::Null, json!({"name": "Key", "operations": ["claim"]}));
    let made = acts.act("POST /api-keys", "/api-keys", key, told).await;
    let path = format!("/api-keys/{}", id(&made["api_key"]));
    let told = ("update", "api_key", json!({"operations": ["claim"]}), json!({"operations": ["release"]}));
    acts.act("PATCH /api-keys/{id}", &path, json!({"operations": ["release"]}), told).await;
    let told = ("revoke", "api_key", Value::Null, Value::Null);
    acts.act("DELETE /api-keys/{id}", &path, Value::Null, told).await;
}

async fn desk_settings(acts: &mut Acts<'_>) {
    let change = json!({"name": "New shop", "settings": {"transfer_limit": 7}});
    let told =
        ("update", "tenant", json!({"name": "Shop"}), json!({"name": "New shop", "transfer_limit": 7}));
    acts.act("PATCH /tenant", "/tenant", change, told).await;
    let told = ("create", "identity_key", Value::Null, json!({"kid": "k1"}));
    let key = acts.act("POST /identity-keys", "/identity-keys", json!({"kid": "k1"}), told).await;
    let told = ("revoke", "identity_key", Value::Null, Value::Null);
    acts.act("DELETE /identity-keys/{id}", &format!("/identity-keys/{}", id(&key)), Value::Null, told).await;

    let told = ("create", "group", Value::Null, json!({"name": "Billing"}));
    let group = id(&acts.act("POST /groups", "/groups", json!({"name": "Billing"}), told).await);
    let path = format!("/groups/{group}");
    let told = ("update", "group", json!({"name": "Billing"}), json!({"name": "Bills"}));
    acts.act("PATCH /groups/{id}", &path, json!({"name": "Bills"}), told).await;
    let (place, operation) =
        (format!("{path}/members/{}", acts.desk.agent.id()), "PUT /groups/{id}/members/{member_id}");
    let told = ("create", "group_member", Value::Null, json!({"group_id": group, "member_type": "member"}));
    acts.act(operation, &place, json!({}), told).await;
    let told =
        ("update", "group_member", json!({"member_type": "member"}), json!({"member_type": "manager"}));
    acts.act(operation, &place, json!({"member_type": "manager"}), told).await;
    let told = ("delete", "group_member", json!({"group_id": group, "member_type": "manager"}), Value::Null);
    acts.act("DELETE /groups/{id}/members/{member_id}", &place, Value::Null, told).await;

    let reply = json!({"scope": "tenant", "shortcut": "hi", "title": "Hi", "text": "Hello"});
    let told = ("create", "canned_reply", Value::Null, json!({"shortcut": "hi", "text": "Hello"}));
    let reply = format!(
        "/canned-replies/{}",
        id(&acts.act("POST /canned-replies", "/canned-replies", reply, told).await)
    );
    let told = ("update", "canned_reply", json!({"text": "Hello"}), json!({"text": "Good day"}));
    acts.act("PATCH /canned-replies/{id}", &reply, json!({"text": "Good day"}), told).await;
    let told = ("delete", "canned_reply", json!({"text": "Good day"}), Value::Null);
    acts.act("DELETE /canned-replies/{id}", &reply, Value::Null, told).await;

    let hours = json!({
        "name": "Days", "time_zone": "UTC", "group_ids": [group],
        "weekly": [{"day": "monday", "from": "09:00", "until": "17:00"}],
    });
    let told = ("create", "business_hours", Value::Null, json!({"name": "Days", "group_ids": [group]}));
    let hours = id(&acts.act("POST /business-hours", "/business-hours", hours, told).await);
    let path = format!("/business-hours/{hours}");
    let told = ("update", "business_hours", json!({"group_ids": [group]}), json!({"group_ids": []}));
    acts.act("PATCH /business-hours/{id}", &path, json!({"group_ids": []}), told).await;
    let told = ("delete", "business_hours", json!({"name": "Days"}), Value::Null);
    acts.act("DELETE /business-hours/{id}", &path, Value::Null, told).await;
    let policy = json!({"name": "Fast", "first_response_seconds": 60});
    let told = ("create", "sla_policy", Value::Null, json!({"name": "Fast", "first_response_seconds": 60}));
    let policy = id(&acts.act("POST /sla-policies", "/sla-policies", policy, told).await);
    let policy = format!("/sla-policies/{policy}");
    let told = (
        "update",
        "sla_policy",
        json!({"first_response_seconds": 60}),
        json!({"first_response_seconds": 30}),
    );
    acts.act("PATCH /sla-policies/{id}", &policy, json!({"first_response_seconds": 30}), told).await;
    let told = ("delete", "sla_policy", json!({"name": "Fast"}), Value::Null);
    acts.act("DELETE /sla-policies/{id}", &policy, Value::Null, told).await;
    let new = json!({"target": "customer", "key": "level", "title": "Level", "kind": "text"});
    let told = ("create", "attribute", Value::Null, json!({"key": "level", "kind": "text"}));
    let made = id(&acts.act("POST /attributes", "/attributes", new, told).await);
    let values = format!("/members/{}/attributes", acts.desk.second_visitor.id());
    let change = json!({"attributes": {"level": "gold"}});
    let told = ("update", "member", json!({"attributes.level": null}), json!({"attributes.level": "gold"}));
    acts.act("PATCH /members/{id}/attributes", &values, change, told).await;
    let made = format!("/attributes/{made}");
    let told = ("update", "attribute", json!({"title": "Level"}), json!({"title": "Rank"}));
    acts.act("PATCH /attributes/{id}", &made, json!({"title": "Rank"}), told).await;
    let told = ("delete", "attribute", json!({"key": "level"}), Value::Null);
    acts.act("DELETE /attributes/{id}", &made, Value::Null, told).await;
    let filter = json!({"field": "status", "operator": "equals", "value": "open"});
    let new = json!({"name": "Open", "shared": true, "filter": filter});
    let told =
        ("create", "saved_filter", Value::Null, json!({"name": "Open", "shared": true, "filter": filter}));
    let made = id(&acts.act("POST /saved-filters", "/saved-filters", new, told).await);
    let made = format!("/saved-filters/{made}");
    let told = ("update", "saved_filter", json!({"name": "Open"}), json!({"name": "Waiting"}));
    acts.act("PATCH /saved-filters/{id}", &made, json!({"name": "Waiting"}), told).await;
    let told = ("delete", "saved_filter", json!({"name": "Waiting"}), Value::Null);
    acts.act("DELETE /saved-filters/{id}", &made, Value::Null, told).await;
    let told = ("delete", "group", json!({"name": "Bills"}), Value::Null);
    acts.act("DELETE /groups/{id}", &format!("/groups/{group}"), Value::Null, told).await;

    let told =
        ("create", "ban", Value::Null, json!({"kind": "ip", "value": "203.0.113.9", "reason": "spam"}));
    let ban = json!({"kind": "ip", "value": "203.0.113.9", "reason": "spam"});
    let ban = format!("/bans/{}", id(&acts.act("POST /bans", "/bans", ban, told).await));
    let told = ("update", "ban", json!({"reason": "spam"}), json!({"reason": "much spam"}));
    acts.act("PATCH /bans/{id}", &ban, json!({"reason": "much spam"}), told).await;
    let told = ("delete", "ban", json!({"reason": "much spam"}), Value::Null);
    acts.act("DELETE /bans/{id}", &ban, Value::Null, told).await;
    let told = ("create", "export", Value::Null, json!({"member_id": null, "state": "waiting"}));
    let export = id(&acts.act("POST /exports", "/exports", json!({}), told).await);
    crate::exports::until(&acts.desk.admin, &json!({"id": export}), "done").await;
    let told = ("update", "export", json!({"state": "done"}), json!({"state": "cancelled"}));
    let cancel = format!("/exports/{export}/cancel");
    acts.act("POST /exports/{id}/cancel", &cancel, json!({}), told).await;
    let told = ("create", "erasure", Value::Null, json!({"member_id": acts.desk.second_visitor.id()}));
    let customer = json!({"member_id": acts.desk.second_visitor.id()});
    acts.act("POST /erasures", "/erasures", customer, told).await;
}

async fn message_centre(acts: &mut Acts<'_>) {
    let account = json!({"name": "Shop", "provider": "webhook", "url": "https://shop.example/hooks/s3cret"});
    let told = ("create", "channel_account", Value::Null, json!({"name": "Shop", "host": "shop.example"}));
    let made = acts.act("POST /channel-accounts", "/channel-accounts", account, told).await;
    let account = id(&made["account"]);
    let path = format!("/channel-accounts/{account}");
    let told = ("update", "channel_account", json!({"status": "active"}), json!({"status": "disabled"}));
    acts.act("PATCH /channel-accounts/{id}", &path, json!({"status": "disabled"}), told).await;
    let told =
        ("update", "channel_account", json!({"settings": "as they were"}), json!({"settings": "replaced"}));
    let url = json!({"url": "https://shop.example/hooks/other-s3cret"});
    acts.act("PATCH /channel-accounts/{id}", &path, url, told).await;
    let told = ("rotate_secret", "channel_account", Value::Null, Value::Null);
    let rotate = format!("{path}/rotate_secret");
    acts.act("POST /channel-accounts/{id}/rotate_secret", &rotate, json!({}), told).await;

    let template = json!({
        "name": "Shipped", "channel": "webhook",
        "webhook": {"type": "shipped", "data": {"order": "{{ order }}"}}, "variables": [{"name": "order", "type": "string", "required": true, "sample": "1"}],
    });
    let told = ("create", "message_template", Value::Null, json!({"name": "Shipped", "version": 0}));
    let template = id(&acts.act("POST /message-templates", "/message-templates", template, told).await);
    let path = format!("/message-templates/{template}");
    let told = ("update", "message_template", json!({"name": "Shipped"}), json!({"name": "Sent"}));
    acts.act("PATCH /message-templates/{id}", &path, json!({"name": "Sent"}), told).await;
    let told = ("publish", "message_template", Value::Null, json!({"version": 1}));
    acts.act("POST /message-templates/{id}/publish", &format!("{path}/publish"), Value::Null, told).await;

    let rule =
        json!({"title": "Tell", "key": "order.shipped", "template_id": template, "account_id": account});
    let told = ("create", "message_rule", Value::Null, json!({"title": "Tell", "template_id": template}));
    let rule = format!(
        "/message-rules/{}",
        id(&acts.act("POST /message-rules", "/message-rules", rule, told).await)
    );
    let told = ("update", "message_rule", json!({"delay_seconds": 0}), json!({"delay_seconds": 5}));
    acts.act("PATCH /message-rules/{id}", &rule, json!({"delay_seconds": 5}), told).await;
    let told = ("delete", "message_rule", json!({"title": "Tell"}), Value::Null);
    acts.act("DELETE /message-rules/{id}", &rule, Value::Null, told).await;
    let told = ("delete", "message_template", json!({"name": "Sent"}), Value::Null);
    acts.act("DELETE /message-templates/{id}", &format!("/message-templates/{template}"), Value::Null, told)
        .await;
    let told = ("delete", "channel_account", json!({"name": "Shop"}), Value::Null);
    acts.act("DELETE /channel-accounts/{id}", &format!("/channel-accounts/{account}"), Value::Null, told)
        .await;

    let told =
        ("create", "message_recipient", Value::Null, json!({"name": "Eva", "email": "eva@example.com"}));
    let recipient = json!({"name": "Eva", "email": "eva@example.com"});
    let recipient = id(&acts.act("POST /message-recipients", "/message-recipients", recipient, told).await);
    let path = format!("/message-recipients/{recipient}");
    let told = ("update", "message_recipient", json!({"name": "Eva"}), json!({"name": "Ewa"}));
    acts.act("PATCH /message-recipients/{id}", &path, json!({"name": "Ewa"}), told).await;

    let official = json!({
        "name": "Official", "provider": "wechat", "wechat": {"app_id": "wxb11529c136998cb6", "app_secret": "s3cret"},
    });
    let official = acts.desk.admin.post("/channel-accounts", official).await.status(201);
    let identity = json!({"account_id": official["account"]["id"], "person_id": recipient, "openid": "oABCD1234efgh5678ijkl9012mno"});
    let told = (
        "create",
        "message_identity",
        Value::Null,
        json!({"person_id": recipient, "openid": "oABCD1234efgh5678ijkl9012mno"}),
    );
    let identity = id(&acts.act("POST /message-identities", "/message-identities", identity, told).await);
    let told = ("delete", "message_identity", json!({"openid": "oABCD1234efgh5678ijkl9012mno"}), Value::Null);
    acts.act(
        "DELETE /message-identities/{id}",
        &format!("/message-identities/{identity}"),
        Value::Null,
        told,
    )
    .await;

    let told =
        ("create", "message_opt_out", Value::Null, json!({"person_id": recipient, "channel": "email"}));
    let out = json!({"person_id": recipient, "channel": "email"});
    let out = id(&acts.act("POST /message-opt-outs", "/message-opt-outs", out, told).await);
    let told = ("delete", "message_opt_out", json!({"channel": "email"}), Value::Null);
    acts.act("DELETE /message-opt-outs/{id}", &format!("/message-opt-outs/{out}"), Value::Null, told).await;
    let told = ("delete", "message_recipient", json!({"name": "Ewa"}), Value::Null);
    acts.act("DELETE /message-recipients/{id}", &path, Value::Null, told).await;

    let held = json!({"channel": "email", "address": "eva@example.com"});
    let told = ("create", "message_suppression", Value::Null, json!({"address": "eva@example.com"}));
    let held = id(&acts.act("POST /message-suppressions", "/message-suppressions", held, told).await);
    let told = ("delete", "message_suppression", json!({"address": "eva@example.com"}), Value::Null);
    acts.act(
        "DELETE /message-suppressions/{id}",
        &format!("/message-suppressions/{held}"),
        Value::Null,
        told,
    )
    .await;
}
