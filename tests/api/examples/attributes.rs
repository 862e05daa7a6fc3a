//! Custom attributes of conversations and customers.

use serde_json::json;

use super::recorder::{Recorder, string};
use crate::harness::Client;

/// The attributes themselves, and the values of the customer of this conversation.
pub async fn attributes(recorder: &mut Recorder<'_>, admin: &Client, conversation: &str) {
    let customer = string(&admin.get(conversation).await.ok()["customer"]["id"]);
    let order = json!({
        "target": "conversation", "key": "order_number", "title": "Order number", "kind": "text",
        "visible_to_customer": true,
    });
    let made = recorder.call("create_attribute", admin, "POST /attributes", Some(order)).await;
    let path = format!("/attributes/{}", string(&made["id"]));
    recorder.call("get_attribute", admin, &format!("GET {path}"), None).await;
    let level = json!({
        "target": "customer", "key": "level", "title": "Level", "kind": "choice", "choices": ["silver", "gold"],
    });
    let level = admin.post("/attributes", level).await.status(201);
    recorder.call("list_attributes", admin, "GET /attributes?limit=10", None).await;
    let values = format!("/members/{customer}/attributes");
    let change = json!({"attributes": {"level": "gold"}});
    recorder.call("update_member_attributes", admin, &format!("PATCH {values}"), Some(change)).await;
    recorder.call("get_member_attributes", admin, &format!("GET {values}"), None).await;
    let level = format!("/attributes/{}", string(&level["id"]));
    let change = json!({"title": "Customer level", "choices": ["silver", "gold", "platinum"]});
    recorder.call("update_attribute", admin, &format!("PATCH {level}"), Some(change)).await;
    recorder.call("delete_attribute", admin, &format!("DELETE {level}"), None).await;
}
