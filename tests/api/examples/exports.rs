//! The tenant's data is exported, and a customer's.

use serde_json::{Value, json};

use super::recorder::{Recorder, string};
use crate::harness::{Client, eventually};

/// An export that is read, and one that is cancelled.
pub async fn play(recorder: &mut Recorder<'_>, admin: &Client) {
    let made = recorder.call("create_export", admin, "POST /exports", Some(json!({}))).await;
    let path = format!("/exports/{}", string(&made["id"]));
    let is_done = |export: Value| (export["state"] == "done").then_some(());
    eventually("it is done", || async { is_done(admin.get(&path).await.ok()) }).await;
    recorder.call("list_exports", admin, "GET /exports?state=done", None).await;
    recorder.call("get_export", admin, &format!("GET {path}"), None).await;
    recorder.call("cancel_export", admin, &format!("POST {path}/cancel"), None).await;
}
