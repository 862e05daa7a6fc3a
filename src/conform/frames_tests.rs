//! The scripted server speaks the protocol of the document: what it answers is valid by the AsyncAPI document.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::answers;
use super::plan::{Out, Socket};
use super::shared::Shared;
use super::state::{FIRST, MEMBER, SECOND};
use crate::documents::asyncapi;
use crate::gateway::protocol::table::{self, CLIENT_FRAMES, Reply};

/// What is wrong with a frame that answers this client frame, or with one that answers none.
fn wrong(document: &Value, asked: Option<&str>, frame: &Value) -> Vec<String> {
    let kind = frame["type"].as_str().unwrap_or_default();
    let reply = CLIENT_FRAMES.iter().find(|row| Some(row.name) == asked).map(|row| row.reply);
    let message = match reply {
        Some(Reply::Ok(schema)) if kind == table::OK.name => format!("server.ok.{schema}"),
        _ => format!("server.{kind}"),
    };
    let schema = json!({
        "$ref": format!("#/components/messages/{message}/payload"), "components": document["components"],
    });
    match jsonschema::draft202012::new(&schema) {
        Ok(validator) => {
            let errors = validator.iter_errors(frame);
            errors.map(|error| format!("{message}: {error} at {}", error.instance_path())).collect()
        }
        Err(cause) => vec![format!("{message}: {cause}")],
    }
}

/// A server with a socket, and what goes out on it.
fn server() -> (Arc<Shared>, mpsc::Sender<Out>, mpsc::Receiver<Out>) {
    let shared = Arc::new(Shared::new());
    let (out, outgoing) = mpsc::channel(64);
    let socket = Socket::new(out.clone());
    shared.state().sockets.push(socket);
    (shared, out, outgoing)
}

fn frames(outgoing: &mut mpsc::Receiver<Out>) -> Vec<Value> {
    std::iter::from_fn(|| outgoing.try_recv().ok())
        .filter_map(|out| match out {
            Out::Frame(text) => Some(serde_json::from_str(&text).unwrap_or_default()),
            Out::Close(..) | Out::Cut => None,
        })
        .collect()
}

#[test]
fn what_the_scripted_server_says_is_valid_by_the_document() {
    let document = asyncapi::document();
    let (shared, out, mut outgoing) = server();
    shared.state().say(FIRST, "missed");
    let message = |key: &str| json!({ "conversation_id": FIRST, "client_msg_id": key, "kind": "text", "content": { "text": "hi" } });
    let asked = [
        (
            "hello",
            json!({ "token": "access-1", "device": "d", "cursor": "live-1", "conversations": [[FIRST, 1]] }),
        ),
        ("ping", json!({ "nonce": "n" })),
        ("auth", json!({ "token": "access-1" })),
        ("message.send", message("k1")),
        ("message.send", message("k2")),
        ("message.send", message("k2")),
        (
            "message.edit",
            json!({ "conversation_id": FIRST, "seq": 3, "kind": "text", "content": { "text": "ho" } }),
        ),
        ("message.recall", json!({ "conversation_id": FIRST, "seq": 3 })),
        ("read", json!({ "conversation_id": FIRST, "seq": 3 })),
        ("mark_unread", json!({ "conversation_id": FIRST, "seq": 2 })),
        ("pull", json!({ "conversation_id": FIRST, "after_seq": 0 })),
        ("sync", json!({ "cursor": "lag-1" })),
        ("watch", json!({ "conversations": [SECOND] })),
        ("unwatch", json!({ "conversations": [SECOND] })),
    ];
    let mut seen = Vec::new();
    for (kind, data) in asked {
        let frame = json!({ "type": kind, "id": "1", "data": data });
        answers::take(&shared, 0, &out, &frame.to_string());
        let answers = frames(&mut outgoing);
        assert!(!answers.is_empty(), "{kind} is not answered");
        for answer in answers {
            assert_eq!(wrong(&document, Some(kind), &answer), Vec::<String>::new(), "{kind}: {answer}");
            seen.push(answer["type"].as_str().unwrap_or_default().to_owned());
        }
    }
    for kind in ["ready", "entries", "live", "entry", "ok", "pong"] {
        assert!(seen.iter().any(|one| one == kind), "{kind} was not seen: {seen:?}");
    }
    assert_eq!(shared.state().broken, Vec::new(), "frames that the product takes are taken");
    assert!(
        !wrong(&document, None, &json!({ "type": "live", "data": {} })).is_empty(),
        "the check finds faults"
    );
}

#[test]
fn what_scenarios_make_of_the_state_is_valid_by_the_document() {
    let document = asyncapi::document();
    let (shared, _, _) = server();
    let mut state = shared.state();
    let edited = state.change(FIRST, 2, Some("better"));
    let own = state.append(FIRST, Some(MEMBER), Some("k"), "text", json!({ "text": "mine" }), None);
    let recalled = state.change(FIRST, 2, None);
    let mut frames: Vec<_> = [1, 2, edited, own, recalled].map(|seq| state.entry_frame(FIRST, seq)).into();
    for conversation in [FIRST, SECOND] {
        frames.push(json!({ "type": table::INBOX.name, "data": state.row(conversation) }));
    }
    for frame in frames {
        assert_eq!(wrong(&document, None, &frame), Vec::<String>::new(), "{frame}");
    }
}
