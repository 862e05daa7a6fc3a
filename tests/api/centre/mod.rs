//! The message centre: accounts, templates, rules, events, and what reaches the providers.

mod accounts;
mod bindings;
mod bindings_refused;
mod deaths;
mod delivery;
mod digests;
mod events;
mod fallbacks;
mod fallbacks_no_address;
mod in_app;
mod keeping;
mod languages;
mod mail;
mod mail_client;
mod missed;
mod plans;
pub mod postbox;
mod product;
pub mod provider;
mod receipts;
mod recipients;
mod replays;
mod retries;
mod robots;
mod rules;
mod schedules;
mod sms;
mod sms_provider;
mod suppressions;
mod suppressions_learned;
mod templates;
mod test_sends;
mod throttles;
mod told;
mod unsubscribe;
mod waits;
mod wechat;
mod wechat_callbacks;
pub mod wechat_provider;
mod wechat_tokens;

use serde_json::{Value, json};

use crate::harness::{Client, eventually};
use provider::Provider;

/// Text of a field.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Makes an account at the provider; gives its id and the secret of a webhook.
async fn account(admin: &Client, provider: &Provider, kind: &str, path: &str) -> (String, Option<String>) {
    let body = json!({"name": path, "provider": kind, "url": provider.url(path)});
    let made = admin.post("/channel-accounts", body).await.status(201);
    (text(&made["account"]["id"]), made["secret"].as_str().map(str::to_owned))
}

/// A published template of a webhook that says the whole payload.
async fn whole_payload(admin: &Client) -> String {
    let body = json!({"name": "all", "channel": "webhook", "webhook": {"type": "it.happened"}});
    published(admin, body).await
}

/// A published template of a robot that says the payload's text.
async fn says(admin: &Client) -> String {
    let variables = json!([{"name": "text", "type": "string", "required": true, "sample": "hello"}]);
    let robot = json!({"format": "text", "text": "News: {{ text }}"});
    published(admin, json!({"name": "says", "channel": "robot", "robot": robot, "variables": variables}))
        .await
}

/// Makes a template and publishes it.
async fn published(admin: &Client, body: Value) -> String {
    let id = text(&admin.post("/message-templates", body).await.status(201)["id"]);
    admin.post(&format!("/message-templates/{id}/publish"), json!({})).await.ok();
    id
}

/// Makes a rule, with more fields.
async fn rule(admin: &Client, key: &str, template: &str, account: &str, more: Value) -> String {
    let mut body = json!({"title": key, "key": key, "template_id": template, "account_id": account});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    text(&admin.post("/message-rules", body).await.status(201)["id"])
}

/// Tells that something happened; gives the event's id.
async fn tell(admin: &Client, key: &str, payload: Value) -> String {
    text(&admin.post("/message-events", json!({"key": key, "payload": payload})).await.status(202)["id"])
}

/// The trace of an event once its rules were applied.
async fn expanded(admin: &Client, event: &str) -> Value {
    eventually("the rules are applied", || async {
        let trace = admin.get(&format!("/message-events/{event}")).await.ok();
        (!trace["event"]["expanded_at"].is_null()).then_some(trace)
    })
    .await
}

/// The only send of an event once it is in this state, with its attempts.
async fn sent(admin: &Client, event: &str, status: &str) -> Value {
    eventually(&format!("the send is {status}"), || async {
        let trace = admin.get(&format!("/message-events/{event}")).await.ok();
        let sends = trace["sends"].as_array().unwrap();
        sends.first().filter(|one| one["send"]["status"] == status).cloned()
    })
    .await
}

/// The send of an event once so many of its attempts, or more, have ended and none is under way.
async fn delivery_attempts(admin: &Client, event: &str, count: usize) -> Value {
    let path = format!("/message-events/{event}");
    eventually("the attempt has ended", || async {
        // A trace is several reads: the send may be older than its attempts, so it is read after they were seen.
        let seen = admin.get(&path).await.ok();
        let ended = |one: &&Value| one["phase"] == "ended";
        let attempts = seen["sends"][0]["attempts"].as_array().cloned().unwrap_or_default();
        if attempts.iter().filter(ended).count() < count {
            return None;
        }
        let trace = admin.get(&path).await.ok();
        let send = trace["sends"].as_array().unwrap().first().cloned();
        send.filter(|one| {
            let ended = one["attempts"].as_array().unwrap().iter().filter(|one| one["phase"] == "ended");
            ended.count() >= count && one["send"]["status"] != "sending"
        })
    })
    .await
}
