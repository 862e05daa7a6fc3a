//! The AsyncAPI 3 document of the socket, from the frames' own types and tables (`gateway::protocol`). Owns its
//! form only.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{bounds, examples, frame_problems, openapi, schemas, tables};
use crate::domain::member::Role;
use crate::gateway::protocol::SUB_PROTOCOL;
use crate::gateway::protocol::table::{
    Allowed, CLIENT_FRAMES, Delivery, ERROR, OK, Reply, SERVER_FRAMES, ServerFrame, ok_schemas,
    schemas as frame_schemas,
};
use crate::kernel::Code;

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
        let codes: Vec<_> = frame_problems::codes(frame).into_iter().map(Code::name).collect();
        let operation = json!({
            "action": "receive",
            "x-problem-codes": codes,
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
        let mut one = message(frame.name, frame.meaning, server_payload(frame, frame.schema));
        one["x-delivery"] = json!(delivery(frame.delivery));
        if frame.delivery == Delivery::Reply {
            one["x-answers"] = json!(answered_by(&Reply::Frame(frame.name)));
        }
        messages.insert(key.clone(), one);
        let operation = json!({
            "action": "send",
            "channel": {"$ref": CHANNEL},
            "title": frame.name,
            "summary": frame.meaning,
            "description": delivered(frame),
            "messages": [{"$ref": format!("{CHANNEL}/messages/{key}")}],
        });
        operations.insert(format!("send.{}", frame.name), operation);
    }
    for frame in SERVER_FRAMES.iter().filter(|frame| frame.name == OK.name) {
        for reply in ok_schemas() {
            let mut one = message(frame.name, frame.meaning, server_payload(frame, reply));
            one["x-delivery"] = json!(delivery(frame.delivery));
            one["x-answers"] = json!(answered_by(&Reply::Ok(reply)));
            messages.insert(format!("server.ok.{reply}"), one);
        }
    }
    let in_channel: Map<String, Value> = messages
        .keys()
        .map(|key| (key.clone(), json!({"$ref": format!("#/components/messages/{key}")})))
        .collect();
    let schemas = arranged(&mut messages);
    examples::add_to_messages(&mut messages);
    json!({
        "asyncapi": "3.1.0",
        "info": {
            "title": "Deskwire socket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": description(),
            "contact": openapi::contact(),
            "tags": [
                {"name": "client", "description": "Frames from the client: operations `receive.…`."},
                {"name": "server", "description": "Frames from the server: operations `send.…`."},
            ],
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
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
                "x-upgrade-answers": upgrade_answers(),
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            },
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
        "x-close-codes": tables::close_code_rows(),
        "x-error-codes": tables::error_code_rows(),
        "x-entry-kinds": tables::entry_kind_rows(),
        "x-limits": {"customer": tables::limit_rows(Role::Customer), "staff": tables::limit_rows(Role::Agent)},
        "x-client-rules": tables::client_rule_rows(),
        "x-session": examples::session(),
    })
}

fn message(name: &str, meaning: &str, payload: Value) -> Value {
    json!({"name": name, "title": name, "summary": meaning, "payload": payload})
}

fn accepted(allowed: Allowed) -> &'static str {
    match allowed {
        Allowed::Always => "Accepted at any time.",
        Allowed::AwaitingHello => "Accepted once, as the first frame.",
        Allowed::Live => {
            "Accepted after `live`, `not_ready` before; refused with `draining` while the server shuts down."
        }
        Allowed::Draining => "Accepted after `live`, `not_ready` before; also while the server shuts down.",
    }
}

/// The client frames that this answers. An `error`, and `ok` before its data is known, answer all that have an answer.
fn answered_by(reply: &Reply) -> Vec<&'static str> {
    CLIENT_FRAMES
        .iter()
        .filter(|frame| match reply {
            Reply::Frame(name) if *name == ERROR.name => true,
            Reply::Frame(name) if *name == OK.name => matches!(frame.reply, Reply::Ok(_)),
            reply => frame.reply == *reply,
        })
        .map(|frame| frame.name)
        .collect()
}

/// How a frame reaches a client, in a sentence.
fn delivered(frame: &ServerFrame) -> String {
    match frame.delivery {
        Delivery::Durable => {
            "Durable: who missed it learns what it says after connecting with the stored cursor.".to_owned()
        }
        Delivery::Live => "Sent once, to sockets that are connected.".to_owned(),
        Delivery::Reply => {
            let asked = answered_by(&Reply::Frame(frame.name));
            format!("Sent once, in answer to {}.", asked.join(", "))
        }
    }
}

fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Durable => "durable",
        Delivery::Live => "live",
        Delivery::Reply => "reply",
    }
}

fn schema(name: &str) -> Value {
    schemas::reference(name)
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
        let text = "Everything before this frame has been delivered.";
        properties.insert("cursor".to_owned(), json!({"type": "string", "description": text}));
    }
    properties.insert("data".to_owned(), schema(data));
    json!({"type": "object", "required": ["type", "data"], "properties": properties})
}

fn description() -> String {
    "Everything that a client must not miss is an entry of a log or a row of its inbox, and both are read again from \
     any cursor, on any process, after any time. A socket only makes that fast. Guides stand under `/docs/` of every \
     server.\n\n\
     A client connects, sends `hello` with its access token and its last cursor within five seconds, and gets `ready` \
     (who it is, the rows that changed, the limits), the entries that it missed, and `live`. From then on frames come \
     as things happen. A command over the socket and the same command over REST do the same. Access tokens come from \
     `POST /api/v1/auth/login`, `/auth/refresh` and `/visitors` (see `/api/v1/openapi.json`).\n\n\
     A frame is durable (`x-delivery`) when a client that missed it gets it, or what it says, again after it has \
     connected with its stored cursor: `entry`, `entries`, `inbox`, `reset`. Such a frame may carry `cursor`: \
     everything up to it has been delivered. A live frame is sent once.\n\n\
     A frame with an `id` is answered with that id in `reply_to`: by the frame that `reply` of its operation names, or \
     by `error` with one of its `x-problem-codes`; `x-answers` of an answer names the frames that it answers. What comes before `live` and needs a \
     socket that is live gets `error` with `not_ready`. The HTTP answers to the upgrade stand in `x-upgrade-answers` of \
     the channel, close codes in `x-close-codes` (below 4500: connect again by yourself; from 4500 on: stop), error \
     codes in `x-error-codes`, default limits in `x-limits` (`ready` tells those in force), entry kinds in \
     `x-entry-kinds`, and what a client does to keep the promises in `x-client-rules`; `deskwire conform` tests a \
     client for them.\n\n\
     The sub-protocol names the version. Within `deskwire.v1` fields, frames, enum values and entry kinds are added: \
     ignore what you do not know."
        .to_owned()
}

/// Gives every schema its place on one side: what clients send and what the server sends.
fn arranged(messages: &mut Map<String, Value>) -> Map<String, Value> {
    let mut all: Map<String, Value> =
        frame_schemas().into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    schemas::add_contents(&mut all);
    let (mut written, mut read) = (BTreeSet::new(), BTreeSet::new());
    for (key, message) in messages.iter() {
        let side = if key.starts_with("client.") { &mut written } else { &mut read };
        side.extend(schemas::names(message));
    }
    let arranged = schemas::arrange(&mut all, &written, &read);
    for (key, message) in messages.iter_mut() {
        if key.starts_with("client.") {
            schemas::rename(message, &arranged.inputs);
        }
    }
    bounds::add(&mut all, &arranged.written);
    all
}

/// What the upgrade request is answered with.
fn upgrade_answers() -> Vec<Value> {
    let refusal = |codes: &[Code], text: &str| {
        let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
        json!({"status": codes.first().map(|code| code.status()), "codes": names, "meaning": text})
    };
    vec![
        json!({"status": 101, "codes": [], "meaning": "Switching to the WebSocket."}),
        refusal(&[Code::InvalidParameter], "No WebSocket request, or another sub-protocol."),
        refusal(&[Code::OriginRefused], "The page's Origin is not on the allow-list."),
        refusal(
            &[Code::RateLimited],
            "The address has far too many sockets. The first ones above the limit are accepted and closed with 4007, \
             which a browser can read.",
        ),
        refusal(&[Code::Internal], "The server failed."),
        refusal(&[Code::Draining], "The server is shutting down."),
    ]
}
