//! How fast customers are to be answered.

use serde_json::json;

use super::recorder::{Recorder, string};
use crate::harness::{Client, eventually};

/// A policy, and a conversation of a customer of its own, so that its clocks are there when they are asked for.
pub async fn policies(recorder: &mut Recorder<'_>, admin: &Client, agent: &Client) {
    let policy = json!({
        "name": "Everybody", "first_response_seconds": 300, "next_response_seconds": 900,
        "resolution_seconds": 86_400, "warn_before_seconds": 60, "hours": "business_hours",
    });
    let made = recorder.call("create_sla_policy", admin, "POST /sla-policies", Some(policy)).await;
    let policy = format!("/sla-policies/{}", string(&made["id"]));
    recorder.call("get_sla_policy", agent, &format!("GET {policy}"), None).await;
    recorder.call("list_sla_policies", agent, "GET /sla-policies", None).await;
    let visitor = json!({"tenant": "tea-house", "nickname": "Kim", "device": "phone-2"});
    let tokens = admin.anonymous().post("/visitors", visitor).await.status(201);
    let visitor = admin.with_token(string(&tokens["access_token"]));
    // A key of its own: those of the harness depend on what else runs.
    let ask = json!({"message": {
        "client_msg_id": "w-1", "kind": "text", "content": {"text": "Is anybody there?"},
    }});
    let opened = visitor.post("/conversations", ask).await.status(201);
    let room = string(&opened["conversation"]["id"]);
    let path = format!("/conversations/{room}/sla-clocks");
    eventually("the clocks run", || async {
        let clocks = admin.get(&path).await.ok();
        (clocks["data"].as_array().map(Vec::len) == Some(2)).then_some(())
    })
    .await;
    recorder.call("list_sla_clocks", admin, &format!("GET {path}"), None).await;
    let change = json!({"priorities": ["high", "urgent"], "next_response_seconds": null});
    recorder.call("update_sla_policy", admin, &format!("PATCH {policy}"), Some(change)).await;
    recorder.call("delete_sla_policy", admin, &format!("DELETE {policy}"), None).await;
    admin.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
}
