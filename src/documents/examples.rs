//! The examples of the documents: one request and one answer of each operation, one of each frame, and a session from
//! hello to bye. Owns where they stand in the documents; they were recorded from a real server, and a test records
//! them again and compares (`tests/api/examples`).

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

static RECORDED: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../openapi/examples.json")).unwrap_or_default());

/// Gives each operation of the OpenAPI document its request and its answer.
pub fn add_to_openapi(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let Some(recorded) = operation["operationId"].as_str().map(|id| &RECORDED["operations"][id]) else {
            continue;
        };
        put(operation.pointer_mut("/requestBody/content/application~1json"), &recorded["request"]);
        let answer = format!("/responses/{}/content/application~1json", recorded["status"]);
        put(operation.pointer_mut(&answer), &recorded["answer"]);
    }
}

fn put(content: Option<&mut Value>, example: &Value) {
    if let Some(content) = content
        && !example.is_null()
    {
        content["example"] = example.clone();
    }
}

/// Gives each message of the AsyncAPI document its frame.
pub fn add_to_messages(messages: &mut Map<String, Value>) {
    for (name, message) in messages {
        let frame = &RECORDED["frames"][name];
        if !frame.is_null() {
            message["examples"] = json!([{ "name": "recorded", "payload": frame }]);
        }
    }
}

/// One connection from hello to bye: every frame with the side that sent it, `client` or `server`.
pub fn session() -> &'static Value {
    &RECORDED["session"]
}
