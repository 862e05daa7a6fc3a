//! The AsyncAPI 3 document of the socket, from the frames' own types and tables (`gateway::protocol`). Owns its
//! form only.

use serde_json::{Map, Value, json};

use super::client_rules::CLIENT_RULES;
use super::tables;
use crate::domain::member::Role;
use crate::gateway::protocol::SUB_PROTOCOL;
use crate::gateway::protocol::close::CLOSE_CODES;
use crate::gateway::protocol::limits::limits;
use crate::gateway::protocol::table::{
    Allowed, CLIENT_FRAMES, Delivery, OK, Reply, SERVER_FRAMES, ServerFrame, ok_schemas, schemas,
};
use crate::kernel::Code;
use crate::settings::Settings;

const CHANNEL: &str = "#/channels/socket";

/// Builds the document.
pub fn document() -> Value {
    let mut messages = Map::new();
    let mut operations = Map::new();
    for frame in CLIENT_FRAMES {
        let key = format!("client.{}", frame.name);
        messages.insert(
            key.clone(),
            message(frame.name, frame.meaning, client_payload(frame.name, frame.schema)),
        );
        let mut replies = match frame.reply {
            Reply::None => Vec::new(),
            Reply::Ok(schema) => vec![format!("server.ok.{schema}")],
            Reply::Frame(name) => vec![format!("server.{name}")],
        };
        replies.push("server.error".to_owned());
        let replies: Vec<_> =
            replies.iter().map(|key| json!({"$ref": format!("{CHANNEL}/messages/{key}")})).collect();
        let operation = json!({
            "action": "receive",
            "channel": {"$ref": CHANNEL},
            "title": frame.name,
            "summary": frame.meaning,
            "description": accepted(frame.allowed),
            "messages": [{"$ref": format!("{CHANNEL}/messages/{key}")}],
            "reply": {"channel": {"$ref": CHANNEL}, "messages": replies},
        });
        operations.insert(format!("receive.{}", frame.name), operation);
    }
    for frame in SERVER_FRAMES {
        let key = format!("server.{}", frame.name);
        messages.insert(key.clone(), message(frame.name, frame.meaning, server_payload(frame, frame.schema)));
        let operation = json!({
            "action": "send",
            "channel": {"$ref": CHANNEL},
            "title": frame.name,
            "summary": frame.meaning,
            "messages": [{"$ref": format!("{CHANNEL}/messages/{key}")}],
        });
        operations.insert(format!("send.{}", frame.name), operation);
    }
    for frame in SERVER_FRAMES.iter().filter(|frame| frame.name == OK.name) {
        for reply in ok_schemas() {
            let one = message(frame.name, frame.meaning, server_payload(frame, reply));
            messages.insert(format!("server.ok.{reply}"), one);
        }
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

fn message(name: &str, meaning: &str, payload: Value) -> Value {
    json!({"name": name, "title": name, "summary": meaning, "payload": payload})
}

fn accepted(allowed: Allowed) -> &'static str {
    match allowed {
        Allowed::Always => "Accepted at any time.",
        Allowed::AwaitingHello => "Accepted once, as the first frame.",
        Allowed::Live => "Accepted after `live`; refused with `draining` while the server shuts down.",
        Allowed::Draining => "Accepted after `live`, also while the server shuts down.",
    }
}

fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn client_payload(name: &str, data: &str) -> Value {
    json!({
        "type": "object",
        "required": ["type", "data"],
        "additionalProperties": false,
        "properties": {
            "type": {"type": "string", "const": name},
            "id": schema("FrameId"),
            "data": schema(data),
        },
    })
}

fn server_payload(frame: &ServerFrame, data: &str) -> Value {
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!({"type": "string", "const": frame.name}));
    if frame.delivery == Delivery::Reply {
        properties.insert("reply_to".to_owned(), schema("FrameId"));
    }
    if frame.delivery == Delivery::Durable {
        let text = "Everything up to this cursor has been delivered.";
        properties.insert("cursor".to_owned(), json!({"type": "string", "description": text}));
    }
    properties.insert("data".to_owned(), schema(data));
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
    text.push_str(&tables::entry_kinds().markdown());
    text.push_str("\n## Error codes\n\n");
    text.push_str(&tables::error_codes().markdown());
    text
}
