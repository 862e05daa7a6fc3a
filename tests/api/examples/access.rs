//! Who is let in and who is not: bans, the keys of programs, and what is told of both.

use serde_json::{Value, json};

use super::recorder::{Recorder, string};
use crate::harness::{Client, eventually};

/// Whom the shop does not let in.
pub async fn bans(recorder: &mut Recorder<'_>, admin: &Client) {
    let week = recorder.app.clock.now().plus(7 * 86_400_000);
    let ban =
        json!({"kind": "cidr", "value": "198.51.100.0/24", "reason": "Spam from there", "expires_at": week});
    let ban = recorder.call("create_ban", admin, "POST /bans", Some(ban)).await;
    let ban = format!("/bans/{}", string(&ban["id"]));
    recorder.call("get_ban", admin, &format!("GET {ban}"), None).await;
    let for_good = json!({"expires_at": null});
    recorder.call("update_ban", admin, &format!("PATCH {ban}"), Some(for_good)).await;
    recorder.call("list_bans", admin, "GET /bans?active=true", None).await;
    recorder.call("delete_ban", admin, &format!("DELETE {ban}"), None).await;
}

/// What is known of a customer is erased.
pub async fn erasure(recorder: &mut Recorder<'_>, admin: &Client) {
    let visitor = admin.anonymous().post("/visitors", json!({"tenant": "tea-house"})).await.ok();
    let customer = visitor["member"]["id"].clone();
    let asked = json!({"member_id": customer});
    let made = recorder.call("create_erasure", admin, "POST /erasures", Some(asked)).await;
    let path = format!("/erasures/{}", string(&made["id"]));
    eventually("it is done", || async { (admin.get(&path).await.ok()["state"] == "done").then_some(()) })
        .await;
    recorder.call("get_erasure", admin, &format!("GET {path}"), None).await;
    recorder.call("list_erasures", admin, "GET /erasures?state=done", None).await;
}

/// A program gets a key.
pub async fn api_keys(recorder: &mut Recorder<'_>, admin: &Client) {
    let account = json!({"role": "supervisor", "nickname": "Shop system", "service_account": true});
    let account = admin.post("/members", account).await.status(201);
    let key = json!({
        "member_id": account["id"], "name": "Orders", "operations": ["read_conversation", "read_bans"],
        "networks": ["127.0.0.1", "198.51.100.0/24"],
    });
    let made = recorder.call("create_api_key", admin, "POST /api-keys", Some(key)).await;
    let program = admin.with_token(string(&made["secret"]));
    let key = format!("/api-keys/{}", string(&made["api_key"]["id"]));
    recorder.call("get_api_key", admin, &format!("GET {key}"), None).await;
    let change = json!({"operations": ["read_conversation"]});
    recorder.call("update_api_key", admin, &format!("PATCH {key}"), Some(change)).await;
    recorder.call("list_api_keys", admin, "GET /api-keys?active=true", None).await;
    // Last, since when it is stored that the key was used is left to chance.
    recorder.call("get_current_api_key", &program, "GET /api-keys/current", None).await;
    recorder.call("revoke_api_key", admin, &format!("DELETE {key}"), None).await;
    recorder.call("list_audit_events", admin, "GET /audit-events?target_type=api_key", None).await;
}

/// A bot answers first, and hands over.
pub async fn bots(recorder: &mut Recorder<'_>, admin: &Client) {
    let account = json!({"role": "bot", "nickname": "Bo", "service_account": true});
    let account = admin.post("/members", account).await.status(201);
    let settings = |bot: &Value| json!({"settings": {"bot": {"member_id": bot}}});
    admin.patch("/tenant", settings(&account["id"])).await.ok();
    let key = json!({"member_id": account["id"], "name": "Bo", "operations": ["hand_off"]});
    let key = admin.post("/api-keys", key).await.status(201);
    let bot = admin.with_token(string(&key["secret"]));
    let tenant = admin.get("/tenant").await.ok();
    let visitor =
        admin.post("/visitors", json!({"tenant": tenant["slug"], "nickname": "Ada"})).await.status(201);
    let visitor = admin.with_token(string(&visitor["access_token"]));
    let room = format!("/conversations/{}", visitor.open("I want to speak to a person.").await);
    let note = json!({"note": "Asks for a person; the order is 1042."});
    recorder.call("hand_off_conversation", &bot, &format!("POST {room}/hand_off"), Some(note)).await;
    visitor.post(&format!("{room}/close"), json!({})).await.ok();
    admin.patch("/tenant", settings(&Value::Null)).await.ok();
    admin.delete(&format!("/members/{}", string(&account["id"]))).await.status(204);
}
