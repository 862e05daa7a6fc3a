//! What the scripted server answers when nothing else is planned: the protocol as the product speaks it. Also finds
//! what no client may send: unknown frames and fields, a message before `live`, a cursor that must not be stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::plan::{Fault, Out, Sent};
use super::shared::Shared;
use super::state::{MEMBER, ServerState};
use crate::gateway::protocol::client;
use crate::gateway::protocol::table::{self, client_frames};

macro_rules! forms {
    ($($name:literal $data:ident -> $reply:ident $(($answer:ident))?, $allowed:ident, $effect:ident, $handler:path, $meaning:literal;)+) => {
        /// What is wrong with the form of a frame, read as the product reads it.
        fn form(kind: &str, data: &Value) -> Option<String> {
            match kind {
                $($name => serde_json::from_value::<client::$data>(data.clone()).err().map(|cause| cause.to_string()),)+
                _ => Some("there is no such frame".to_owned()),
            }
        }
    };
}
client_frames!(forms);

/// Frames that are recorded of one socket.
const FRAMES: usize = 10_000;
/// Sources of cursors that a client may store.
const STORABLE: [&str; 3] = ["live-", "sync-", "durable-"];

/// Frames that answer one frame.
type Frames = Vec<Value>;

fn ok(id: &Value, data: Value) -> Value {
    json!({ "type": table::OK.name, "reply_to": id, "data": data })
}

fn error(id: &Value, data: &Value, code: &str, retryable: bool, after: Option<u64>) -> Value {
    let mut answer = json!({ "code": code, "detail": "as the scenario says", "retryable": retryable });
    if let Some(after) = after {
        answer["retry_after_ms"] = after.into();
    }
    if let Some(key) = data.get("client_msg_id") {
        answer["client_msg_id"] = key.clone();
    }
    json!({ "type": table::ERROR.name, "reply_to": id, "data": answer })
}

/// Takes a frame from the client and queues what answers it.
pub fn take(shared: &Arc<Shared>, socket: usize, out: &mpsc::Sender<Out>, text: &str) {
    {
        let mut state = shared.state();
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            return state.broke("growth", format!("a frame is no JSON: {text:.100}"));
        };
        if state.sockets.get(socket).is_none_or(|socket| socket.dead) {
            return;
        }
        let live = state.sockets.get(socket).is_some_and(|socket| socket.live.is_some());
        if let Some(one) = state.sockets.get_mut(socket).filter(|one| one.frames.len() < FRAMES) {
            one.frames.push((Instant::now(), frame.clone()));
        }
        let (kind, data) = (frame["type"].as_str().unwrap_or_default(), &frame["data"]);
        if let Some(wrong) = form(kind, data) {
            state.broke("growth", format!("the server refuses a {kind} frame: {wrong}"));
            let refused = error(&frame["id"], data, "validation_failed", false, None);
            return drop(out.try_send(Out::Frame(refused.to_string())));
        }
        if !live && !matches!(kind, "hello" | "ping" | "pong") {
            state.broke("reconnect", format!("{kind} is sent before live"));
            let refused = error(&frame["id"], data, "not_ready", true, None);
            return drop(out.try_send(Out::Frame(refused.to_string())));
        }
        let fault = match kind {
            "hello" => state.plan.hello.pop_front(),
            "message.send" => state.plan.send.pop_front(),
            "sync" => state.plan.sync.pop_front(),
            "pull" => state.plan.pull.pop_front(),
            _ => None,
        };
        let (frames, wait, cut) = answer(&mut state, socket, kind, &frame, fault.flatten());
        if let Some(one) = state.sockets.get_mut(socket) {
            one.dead = cut;
        }
        let out = out.clone();
        let send = move || {
            frames.into_iter().for_each(|frame| drop(out.try_send(Out::Frame(frame.to_string()))));
            if cut {
                let _ = out.try_send(Out::Cut);
            }
        };
        match wait {
            // While the state is held, so that nothing else comes in between.
            None => send(),
            Some(wait) => drop(tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                send();
            })),
        }
    }
}

/// The frames, when they go out, and whether the connection is cut behind them.
fn answer(
    state: &mut ServerState,
    socket: usize,
    kind: &str,
    frame: &Value,
    fault: Option<Fault>,
) -> (Frames, Option<Duration>, bool) {
    let (id, data) = (&frame["id"], &frame["data"]);
    if kind == "message.send" {
        note(state, socket, data);
    }
    match &fault {
        Some(Fault::CutBefore) => return (Vec::new(), None, true),
        Some(Fault::Ignore) => return (Vec::new(), None, false),
        Some(Fault::Refuse(code, retryable, after)) => {
            return (vec![error(id, data, code, *retryable, *after)], None, false);
        }
        _ => {}
    }
    let mut frames = match kind {
        "hello" => hello(state, socket, id, data),
        "message.send" => send(state, id, data),
        "pull" => vec![pull(state, id, data)],
        "sync" => vec![sync(state, id, data)],
        "read" | "mark_unread" => Vec::from_iter(read(state, kind, id, data)),
        "auth" => {
            let expected = state.access_token();
            match data["token"].as_str() {
                Some(token) if token == expected => {
                    vec![ok(id, json!({ "token_expires_at": state.expires }))]
                }
                _ => vec![error(id, data, "token_invalid", false, None)],
            }
        }
        "watch" | "unwatch" => {
            let named = data["conversations"].as_array().into_iter().flatten();
            let heads: Vec<_> = named
                .map(|one| {
                    let head = state.head(one.as_str().unwrap_or_default());
                    json!({ "conversation_id": one, "head_seq": head })
                })
                .collect();
            vec![ok(id, json!({ "conversations": heads, "waiting": data["waiting"] == true }))]
        }
        "ping" if state.plan.pongs => {
            vec![json!({ "type": table::PONG.name, "reply_to": id, "data": { "nonce": data["nonce"] } })]
        }
        "presence" => {
            let reason = data["reason"].as_str().unwrap_or_default();
            let told = json!({
                "member_id": MEMBER, "status": data["status"], "effective_status": data["status"],
                "connected": true, "reason": reason, "since": state.now(), "last_seen": state.now(),
                "current_accept": 0, "rev": state.rev,
            });
            vec![ok(id, told)]
        }
        "ping" | "pong" | "typing" | "message.stream" => Vec::new(),
        _ => {
            let seq = data["seq"].as_i64();
            let reply = json!({ "conversation_id": data["conversation_id"], "seq": seq, "rev": 0, "created_at": state.now(), "duplicate": false });
            vec![ok(id, reply)]
        }
    };
    match fault {
        Some(Fault::CutAfter) if kind == "hello" => {
            // All but `live`.
            frames.pop();
            if let Some(one) = state.sockets.get_mut(socket) {
                one.live = None;
            }
            (frames, None, true)
        }
        Some(Fault::CutAfter) => (Vec::new(), None, true),
        Some(Fault::Silent) => (Vec::new(), None, false),
        Some(Fault::Slow(wait)) => (frames, Some(wait), false),
        _ => (frames, None, false),
    }
}

fn note(state: &mut ServerState, socket: usize, data: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let sent = Sent {
        at: Instant::now(),
        socket,
        key: text(&data["client_msg_id"]),
        text: text(&data["content"]["text"]),
    };
    if state.sent.len() < FRAMES {
        state.sent.push(sent);
    }
    let read = data["read_seq"].as_i64().unwrap_or_default();
    let displayed = state.displayed.get(data["conversation_id"].as_str().unwrap_or_default());
    if let Some(displayed) = displayed.copied().filter(|displayed| read > *displayed) {
        state.broke("read", format!("read_seq {read} was sent while the display ends at {displayed}"));
    }
}

fn hello(state: &mut ServerState, socket: usize, id: &Value, data: &Value) -> Frames {
    if let Some(one) = state.sockets.get_mut(socket) {
        one.hello = Some(data.clone());
    }
    let token = data["token"].as_str().unwrap_or_default();
    if token != state.access_token() || state.now() >= state.expires {
        let bye = json!({ "code": 4006, "reason": "token_expired", "reconnect": true, "after_ms": 0, "spread_ms": 0 });
        if let Some(one) = state.sockets.get(socket) {
            // Behind the two frames of the answer, which are queued first.
            let out = one.out.clone();
            drop(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let _ = out.send(Out::Close(4006, "token_expired")).await;
            }));
        }
        return vec![
            error(id, data, "token_expired", false, None),
            json!({ "type": table::BYE.name, "data": bye }),
        ];
    }
    let cursor = data["cursor"].as_str();
    if let Some(cursor) = cursor
        && !STORABLE.iter().any(|source| cursor.starts_with(source))
    {
        state.broke("cursor", format!("hello has the cursor {cursor:?}, which must not be stored"));
    }
    if let Some(left) = state.plan.hello_token_ms.take() {
        state.expires = state.now().plus(left);
    }
    state.plan.lagging = false;
    let reset = std::mem::take(&mut state.plan.reset_all);
    let since = cursor.filter(|_| !reset).map_or(0, rev_of);
    let mut frames = Vec::new();
    if reset {
        let reset = json!({ "all": true, "reason": "cursor_reset" });
        frames.push(json!({ "type": table::RESET.name, "data": reset }));
    }
    let limits = [
        ("silence", state.plan.silence_ms),
        ("answer", state.plan.answer_ms),
        ("ping_interval", u64::try_from(state.plan.ping_every.as_millis()).unwrap_or_default()),
    ];
    let limits: Vec<_> = limits
        .iter()
        .map(|(name, value)| json!({ "name": name, "unit": "milliseconds", "value": value, "meaning": "" }))
        .collect();
    let head = state.rev;
    let rows = state.rows_after(since);
    frames.push(json!({ "type": table::READY.name, "reply_to": id, "data": {
        "session_id": socket.to_string(), "epoch": "conform", "cursor": format!("ready-{head}"),
        "member": { "id": MEMBER, "role": "agent" }, "rows": rows, "unread_total": 0, "more": false,
        "limits": limits, "ping_interval_ms": limits[2]["value"], "now": state.now(),
        "token_expires_at": state.expires,
    }}));
    for position in data["conversations"].as_array().into_iter().flatten().filter(|_| !reset) {
        let (conversation, seq) = (position[0].as_str().unwrap_or_default(), position[1].as_i64());
        let missed = state.after(conversation, seq.unwrap_or_default(), 200);
        if !missed.is_empty() {
            let log = json!({ "conversation_id": conversation, "entries": missed, "head_seq": state.head(conversation) });
            frames.push(json!({ "type": table::ENTRIES.name, "data": log }));
        }
    }
    frames.push(json!({ "type": table::LIVE.name, "data": { "cursor": format!("live-{head}") } }));
    if let Some(one) = state.sockets.get_mut(socket) {
        one.live = Some(Instant::now());
    }
    frames
}

fn rev_of(cursor: &str) -> i64 {
    cursor.rsplit('-').next().and_then(|rev| rev.parse().ok()).unwrap_or_default()
}

/// Every other message has its `entry` before its `ok`.
fn send(state: &mut ServerState, id: &Value, data: &Value) -> Frames {
    let conversation = data["conversation_id"].as_str().unwrap_or_default().to_owned();
    let key = data["client_msg_id"].as_str().unwrap_or_default().to_owned();
    let known = state.logs.get(&conversation).and_then(|log| {
        log.entries.iter().find(|one| one["client_msg_id"] == key.as_str() && one["sender"]["id"] == MEMBER)
    });
    let known = known.and_then(|entry| entry["seq"].as_i64());
    let seq = known.unwrap_or_else(|| {
        let kind = data["kind"].as_str().unwrap_or_default().to_owned();
        state.append(&conversation, Some(MEMBER), Some(&key), &kind, data["content"].clone(), None)
    });
    let entry = state.entry(&conversation, seq);
    let reply = ok(
        id,
        json!({
            "conversation_id": conversation, "seq": seq, "rev": entry["rev"], "created_at": entry["created_at"],
            "duplicate": known.is_some(), "client_msg_id": key,
        }),
    );
    match (known, seq % 2) {
        (Some(_), _) => vec![reply],
        (None, 0) => vec![state.entry_frame(&conversation, seq), reply],
        (None, _) => vec![reply, state.entry_frame(&conversation, seq)],
    }
}

fn pull(state: &ServerState, id: &Value, data: &Value) -> Value {
    let conversation = data["conversation_id"].as_str().unwrap_or_default();
    let limit = data["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
    let entries = state.after(conversation, data["after_seq"].as_i64().unwrap_or_default(), limit);
    let head = state.head(conversation);
    ok(id, json!({ "conversation_id": conversation, "entries": entries, "head_seq": head }))
}

/// One page, or two: the first one of one row.
fn sync(state: &mut ServerState, id: &Value, data: &Value) -> Value {
    let mut rows = state.rows_after(rev_of(data["cursor"].as_str().unwrap_or_default()));
    let more = std::mem::take(&mut state.plan.pages) && rows.len() > 1;
    if more {
        rows.truncate(1);
    } else {
        state.plan.lagging = false;
    }
    let until = if more { rows.last().and_then(|row| row["rev"].as_i64()) } else { None };
    let cursor = format!("sync-{}", until.unwrap_or(state.rev));
    ok(id, json!({ "rows": rows, "notifications": [], "cursor": cursor, "more": more }))
}

/// Answered only when the frame has an id. Marking as unread moves the position back and begins a new version.
fn read(state: &mut ServerState, kind: &str, id: &Value, data: &Value) -> Option<Value> {
    let conversation = data["conversation_id"].as_str().unwrap_or_default().to_owned();
    let mut reply = json!({ "conversation_id": conversation, "read_seq": 0, "read_ver": 0 });
    if let Some(log) = state.logs.get_mut(&conversation) {
        let seq = data["seq"].as_i64().unwrap_or_default();
        if kind == "mark_unread" {
            (log.read_seq, log.read_ver) = (seq, log.read_ver + 1);
        } else {
            log.read_seq = log.read_seq.max(seq);
        }
        reply["read_seq"] = log.read_seq.into();
        reply["read_ver"] = log.read_ver.into();
    }
    (!id.is_null()).then(|| ok(id, reply))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_the_product_reads_them() {
        assert_eq!(form("ping", &json!({ "nonce": "n" })), None);
        assert!(form("ping", &json!({ "nonce": "n", "more": 1 })).is_some());
        assert!(form("hallo", &json!({})).is_some());
    }
}
