//! Every frame once, and one session from hello to bye.

use std::time::Duration;

use deskwire::db::DatabaseKind;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::recorder::Recorder;
use super::rest::People;
use crate::harness::{Client, Socket, TestApp};

fn message(conversation: &str, key: &str, words: &str) -> Value {
    json!({"conversation_id": conversation, "client_msg_id": key, "kind": "text", "content": {"text": words}})
}

async fn hello(recorder: &mut Recorder<'_>, socket: &mut Socket, data: Value) {
    recorder.app.clock.advance(1_000);
    recorder.send(socket, "hello", data).await;
    recorder.expect(socket, "ready").await;
}

/// Speaks every frame; gives the session.
pub async fn play(recorder: &mut Recorder<'_>, mut people: People) -> Vec<Value> {
    let id = people.conversation.clone();
    let id = id.as_str();
    let base = recorder.app.base().to_owned();
    let mut visitor = Socket::connect(&base).await;
    hello(recorder, &mut visitor, json!({"token": people.visitor.token, "device": "phone-1"})).await;
    let cursor = recorder.expect(&mut visitor, "live").await["data"]["cursor"].clone();

    messages(recorder, &mut visitor, id).await;
    people.desk.barrier().await;
    people.desk.take_kept();
    positions(recorder, &mut visitor, &mut people.desk, id).await;
    visitor_asks(recorder, &mut visitor, &people, &cursor).await;
    queue(recorder, &mut people).await;
    visitor.close().await;

    resume(recorder, &people, &cursor).await;
    streams(recorder, &people).await;
    lag(recorder, &people).await;
    session(recorder, &people).await
}

/// Sending, editing, recalling, and a refusal.
async fn messages(recorder: &mut Recorder<'_>, visitor: &mut Socket, id: &str) {
    let sent = message(id, "s-1", "Thank you, and the bill?");
    let sent = recorder.ask(visitor, "message.send", sent, "MessageReply").await;
    recorder.expect(visitor, "entry").await;
    let edit = json!({
        "conversation_id": id, "seq": sent["seq"], "kind": "text", "content": {"text": "Thank you! And the bill?"},
    });
    recorder.ask(visitor, "message.edit", edit, "MessageReply").await;
    let recall = json!({"conversation_id": id, "seq": sent["seq"]});
    recorder.ask(visitor, "message.recall", recall, "MessageReply").await;
    recorder.ask(visitor, "message.send", message(id, "s-2", ""), "error").await;
}

/// Reading, typing, and what the other side is told of it.
async fn positions(recorder: &mut Recorder<'_>, visitor: &mut Socket, agent: &mut Socket, id: &str) {
    let read = json!({"conversation_id": id, "seq": 6});
    recorder.ask(visitor, "read", read, "ReadReply").await;
    recorder.expect(visitor, "inbox").await;
    recorder.ask(visitor, "mark_unread", json!({"conversation_id": id, "seq": 6}), "ReadReply").await;
    recorder.send(visitor, "typing", json!({"conversation_id": id, "on": true})).await;
    recorder.expect(agent, "typing").await;
    recorder.expect(agent, "receipt").await;
}

/// What a client asks of its own accord.
async fn visitor_asks(recorder: &mut Recorder<'_>, visitor: &mut Socket, people: &People, cursor: &Value) {
    let id = people.conversation.as_str();
    let pull = json!({"conversation_id": id, "after_seq": 1, "limit": 3});
    recorder.ask(visitor, "pull", pull, "PullReply").await;
    recorder.ask(visitor, "sync", json!({"cursor": cursor, "limit": 20}), "SyncReply").await;
    recorder.ask(visitor, "auth", json!({"token": people.visitor.token}), "AuthReply").await;
    recorder.send(visitor, "ping", json!({"nonce": "n1", "delivered": [[id, 6]]})).await;
    recorder.expect(visitor, "pong").await;
}

/// What a server that pings every second says, and the answer.
pub async fn ping(recorder: &mut Recorder<'_>) {
    let app = TestApp::with(DatabaseKind::Sqlite, |settings| settings.ping_seconds = 1).await;
    let mut socket = app.desk().await.visitor.socket().await;
    let waiting = async {
        loop {
            socket.barrier().await;
            match socket.last_ping.take() {
                Some(ping) => return ping,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let ping = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the server pings");
    recorder.keep("server", "server.ping".to_owned(), &ping);
    let pong = json!({"type": "pong", "data": ping["data"]});
    recorder.keep("client", "client.pong".to_owned(), &pong);
    app.stop().await;
}

/// Staff watch the waiting conversations.
async fn queue(recorder: &mut Recorder<'_>, people: &mut People) {
    let agent = &mut people.desk;
    let watch = json!({"conversations": [people.conversation], "waiting": true});
    recorder.ask(agent, "watch", watch, "WatchReply").await;
    people.agent.post(&format!("/conversations/{}/release", people.conversation), json!({})).await.ok();
    recorder.expect(agent, "presence").await;
    recorder.expect(agent, "queue").await;
    offer(recorder, agent, &people.admin, &people.agent).await;
    let lunch = json!({"status": "away", "reason": "Lunch"});
    recorder.ask(agent, "presence", lunch, "PresenceNotice").await;
    let group = people.admin.post("/groups", json!({"name": "Orders"})).await.status(201);
    let place = format!("/groups/{}/members/{}", group["id"].as_str().unwrap(), people.agent_id);
    people.admin.put(&place, json!({"member_type": "member"})).await.ok();
    recorder.expect(agent, "group").await;
    recorder.ask(agent, "unwatch", json!({"conversations": [], "waiting": true}), "WatchReply").await;
    people.agent.claim(&people.conversation).await;
}

/// Routing offers the waiting conversation to the agent.
async fn offer(recorder: &mut Recorder<'_>, desk: &mut Socket, admin: &Client, agent: &Client) {
    let routing =
        |strategy: &str| json!({"settings": {"routing": {"strategy": strategy, "offer_seconds": 60}}});
    let body = json!({"tenant": "tea-house", "nickname": "Robin"});
    let made = agent.anonymous().post("/visitors", body).await.status(201);
    let visitor = agent.with_token(made["access_token"].as_str().expect("a token"));
    let mut phone = visitor.socket_with(json!({"device": "phone-3"})).await;
    let id = visitor.open("Do you have cups?").await;
    recorder.expect(&mut phone, "queue_place").await;
    phone.close().await;
    admin.patch("/tenant", routing("round_robin")).await.ok();
    recorder.expect(desk, "offer").await;
    visitor.post(&format!("/conversations/{id}/close"), json!({})).await.ok();
    // The end of the offer takes a rev: what is recorded next comes after it.
    let ended = |frame: &Value| frame["type"] == "offer" && frame["data"]["state"] == "withdrawn";
    desk.wait("the end of the offer", ended).await;
    admin.patch("/tenant", routing("manual")).await.ok();
}

/// What was missed comes with the cursor; a cursor of another history is refused with a reset.
async fn resume(recorder: &mut Recorder<'_>, people: &People, cursor: &Value) {
    let id = people.conversation.as_str();
    let mut socket = Socket::connect(recorder.app.base()).await;
    let known = json!({
        "token": people.visitor.token, "device": "phone-1", "cursor": cursor, "conversations": [[id, 6]],
    });
    hello(recorder, &mut socket, known).await;
    recorder.expect(&mut socket, "entries").await;
    socket.close().await;
    let mut socket = Socket::connect(recorder.app.base()).await;
    let foreign = json!({"token": people.agent.token, "device": "desk-2", "cursor": cursor});
    hello(recorder, &mut socket, foreign).await;
    recorder.expect(&mut socket, "reset").await;
    socket.close().await;
}

/// A bot shows what it is about to say.
async fn streams(recorder: &mut Recorder<'_>, people: &People) {
    let admin = &people.admin;
    let account = json!({"role": "bot", "nickname": "Bo", "service_account": true});
    let bot = admin.post("/members", account).await.status(201)["id"].clone();
    let operations = [
        "read_conversation",
        "read_notes",
        "read_presence",
        "read_groups",
        "read_notifications",
        "send_message",
    ];
    let key = json!({"member_id": bot, "name": "Bo", "operations": operations});
    let key = admin.post("/api-keys", key).await.status(201);
    let key = admin.with_token(key["secret"].as_str().expect("a key"));
    let answers = |bot: &Value| json!({"settings": {"bot": {"member_id": bot}}});
    admin.patch("/tenant", answers(&bot)).await.ok();
    let tokens = admin.anonymous().post("/visitors", json!({"tenant": "tea-house", "nickname": "Noa"})).await;
    let visitor = admin.with_token(tokens.status(201)["access_token"].as_str().expect("a token"));
    let id = visitor.open("Is it on its way?").await;
    let mut phone = visitor.socket_with(json!({"device": "phone-4"})).await;
    let mut socket = key.socket_with(json!({"device": "bo-1"})).await;
    let version = key.get(&format!("/conversations/{id}")).await.ok()["version"].clone();
    let words = json!({
        "conversation_id": id, "client_msg_id": "bo-18", "n": 3, "text": "It is on its", "version": version,
    });
    recorder.send(&mut socket, "message.stream", words).await;
    recorder.expect(&mut phone, "message_stream").await;
    admin.patch("/tenant", answers(&Value::Null)).await.ok();
    visitor.post(&format!("/conversations/{id}/close"), json!({})).await.ok();
    phone.close().await;
    socket.close().await;
}

/// A socket that does not read for so long that frames are dropped.
async fn lag(recorder: &mut Recorder<'_>, people: &People) {
    let conversation = people.conversation.as_str();
    let mut slow = people.agent.socket_with(json!({"device": "desk-3"})).await;
    let text = "x".repeat(16_000);
    for _ in 0..30 {
        join_all((0..16).map(|_| people.visitor.send(conversation, &text))).await;
    }
    recorder.expect(&mut slow, "lag").await;
    slow.close().await;
}

/// One connection of a visitor, as it was: answered, told of the agent's typing and answer, and sent away at the end.
async fn session(recorder: &mut Recorder<'_>, people: &People) -> Vec<Value> {
    let nobody = recorder.app.client();
    let tokens =
        nobody.post("/visitors", json!({"tenant": "tea-house", "nickname": "Kim"})).await.status(201);
    let visitor = nobody.with_token(tokens["access_token"].as_str().expect("a token"));
    let id = visitor.open("Is green tea back?").await;
    people.agent.claim(&id).await;
    let mut agent = people.agent.socket_with(json!({"device": "desk-4"})).await;
    let mut socket = Socket::connect(recorder.app.base()).await;

    recorder.begin_session();
    hello(recorder, &mut socket, json!({"token": visitor.token, "device": "phone-2"})).await;
    recorder.expect(&mut socket, "live").await;
    let words = message(&id, "k-1", "I would take two.");
    recorder.ask(&mut socket, "message.send", words, "MessageReply").await;
    recorder.expect(&mut socket, "entry").await;
    agent.send_frame("typing", json!({"conversation_id": id, "on": true})).await;
    recorder.expect(&mut socket, "typing").await;
    recorder.app.clock.advance(4_000);
    agent.say(&id, "k-2", "Yes, since this morning.").await;
    let answer = recorder.expect(&mut socket, "entry").await;
    let read = json!({"conversation_id": id, "seq": answer["data"]["seq"]});
    recorder.ask(&mut socket, "read", read, "ReadReply").await;
    recorder.expect(&mut socket, "inbox").await;
    recorder.send(&mut socket, "ping", json!({"nonce": "n1"})).await;
    recorder.expect(&mut socket, "pong").await;
    recorder.app.tasks.shutdown().cancel();
    recorder.expect(&mut socket, "bye").await;
    recorder.end_session()
}
