//! The AsyncAPI 3 document of the socket, from the frames' own types and tables (`gateway::protocol`). Owns its
//! form only.

use serde_json::{Map, Value, json};

use super::client_rules::CLIENT_RULES;
use super::tables;
use crate::domain::member::Role;
use crate::gateway::protocol::close::CLOSE_CODES;
use crate::gateway::protocol::limits::limits;
use crate::gateway::protocol::{CLIENT_FRAMES, FrameType, SERVER_FRAMES, SUB_PROTOCOL, schemas};
use crate::kernel::Code;
use crate::settings::Settings;

const CHANNEL: &str = "#/channels/socket";

/// Builds the document.
pub fn document() -> Value {
    let mut messages = Map::new();
    let mut operations = Map::new();
    for frame in CLIENT_FRAMES {
        let key = format!("client.{}", frame.name);
        messages.insert(key.clone(), message(frame, client_payload(frame)));
        let mut operation = json!({
            "action": "receive",
            "channel": {"$ref": CHANNEL},
            "title": frame.name,
            "summary": frame.meaning,
            "messages": [{"$ref": format!("{CHANNEL}/messages/{key}")}],
        });
        let mut replies = vec!["server.error"];
        match (frame.reply, frame.name) {
            (Some(_), _) => replies.insert(0, "server.ok"),
            (None, "hello") => replies.insert(0, "server.ready"),
            (None, "ping") => replies.insert(0, "server.pong"),
            (None, _) => {}
        }
        let replies: Vec<_> =
            replies.iter().map(|key| json!({"$ref": format!("{CHANNEL}/messages/{key}")})).collect();
        operation["reply"] = json!({"channel": {"$ref": CHANNEL}, "messages": replies});
        operations.insert(format!("receive.{}", frame.name), operation);
    }
    for frame in SERVER_FRAMES {
        let key = format!("server.{}", frame.name);
        messages.insert(key.clone(), message(frame, server_payload(frame)));
        let operation = json!({
            "action": "send",
            "channel": {"$ref": CHANNEL},
            "title": frame.name,
            "summary": frame.meaning,
            "messages": [{"$ref": format!("{CHANNEL}/messages/{key}")}],
        });
        operations.insert(format!("send.{}", frame.name), operation);
    }
    let in_channel: Map<String, Value> = messages
        .keys()
        .map(|key| (key.clone(), json!({"$ref": format!("#/components/messages/{key}")})))
        .collect();
    let schemas: Map<String, Value> = schemas()
        .into_iter()
        .filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)))
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Deskwire socket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": description(),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:8080",
                "pathname": "/api/v1",
                "protocol": "ws",
                "description": "A server on this machine; behind a proxy with TLS the protocol is wss.",
            },
        },
        "channels": {
            "socket": {
                "address": "/ws",
                "title": "The socket",
                "description": format!("Offer the sub-protocol `{SUB_PROTOCOL}`. One JSON object in each text message."),
                "messages": in_channel,
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            },
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
        "x-close-codes": close_codes(),
        "x-error-codes": error_codes(),
        "x-limits": {"customer": announced(Role::Customer), "staff": announced(Role::Agent)},
        "x-client-rules": client_rules(),
    })
}

fn message(frame: &FrameType, payload: Value) -> Value {
    json!({"name": frame.name, "title": frame.name, "summary": frame.meaning, "payload": payload})
}

fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn client_payload(frame: &FrameType) -> Value {
    json!({
        "type": "object",
        "required": ["type", "data"],
        "additionalProperties": false,
        "properties": {
            "type": {"type": "string", "const": frame.name},
            "id": schema("FrameId"),
            "data": schema(frame.schema),
        },
    })
}

fn server_payload(frame: &FrameType) -> Value {
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!({"type": "string", "const": frame.name}));
    if matches!(frame.name, "ok" | "error" | "ready" | "pong") {
        properties.insert("reply_to".to_owned(), schema("FrameId"));
    }
    if frame.durable {
        let text = "Everything before this frame has been delivered.";
        properties.insert("cursor".to_owned(), json!({"type": "string", "description": text}));
    }
    properties.insert("data".to_owned(), schema(frame.schema));
    json!({"type": "object", "required": ["type", "data"], "properties": properties})
}

fn close_codes() -> Vec<Value> {
    CLOSE_CODES
        .iter()
        .map(|row| {
            json!({
                "code": row.code,
                "name": row.name,
                "reconnect": row.reconnect,
                "meaning": row.meaning,
                "advice": row.advice,
            })
        })
        .collect()
}

fn error_codes() -> Vec<Value> {
    let row =
        |code: &Code| json!({"code": code.name(), "retryable": code.retryable(), "meaning": code.meaning()});
    Code::ALL.iter().map(row).collect()
}

fn announced(role: Role) -> Vec<Value> {
    limits(&Settings::defaults(), role)
        .iter()
        .map(|limit| {
            json!({"name": limit.name, "unit": limit.unit, "default": limit.value, "meaning": limit.meaning})
        })
        .collect()
}

fn client_rules() -> Vec<Value> {
    CLIENT_RULES.iter().map(|(name, text)| json!({"name": name, "rule": text})).collect()
}

fn description() -> String {
    let mut text = String::from(
        "Everything that a client must not miss is an entry of a log or a row of its inbox, and both are read again \
         from any cursor, on any process, after any time. A socket only makes that fast.\n\n\
         A client connects, sends `hello` with its access token and its last cursor within five seconds, and gets \
         `ready` (who it is, the rows that changed, the limits), the entries that it missed, and `live`. From then \
         on frames come as things happen. A command over the socket and the same command over REST do the same.\n\n\
         ## Close codes\n\nBelow 4500: connect again by yourself. From 4500 on: stop.\n\n\
         | code | name | meaning | advice |\n|---|---|---|---|\n",
    );
    for row in CLOSE_CODES {
        text.push_str(&format!("| {} | `{}` | {} | {} |\n", row.code, row.name, row.meaning, row.advice));
    }
    text.push_str("\n## Rules for clients\n\n");
    for (number, (name, rule)) in (1..).zip(CLIENT_RULES) {
        text.push_str(&format!("{number}. **{name}**: {rule}\n"));
    }
    text.push_str(
        "\n## Limits\n\n`ready` tells those in force. These are the defaults for visitors and for staff.\n\n",
    );
    text.push_str("| name | unit | visitor | staff | meaning |\n|---|---|---|---|---|\n");
    let settings = Settings::defaults();
    for (visitor, staff) in limits(&settings, Role::Customer).iter().zip(limits(&settings, Role::Agent)) {
        let row = format!(
            "| `{}` | {} | {} | {} | {} |\n",
            visitor.name, visitor.unit, visitor.value, staff.value, visitor.meaning
        );
        text.push_str(&row);
    }
    text.push_str("\n## Entry kinds\n\nThis list may grow.\n\n");
    text.push_str(&tables::entry_kinds());
    text.push_str("\n## Error codes\n\n");
    text.push_str(&tables::error_codes());
    text
}
