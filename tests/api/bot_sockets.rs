//! Sockets of programs: what opens one, what ends it, and the words that bots show before they send them.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api_keys::{account, key};
use crate::bots::decide;
use crate::groups::{make, put};
use crate::harness::personas::message;
use crate::harness::{Client, Desk, Socket};
use crate::timers::view;

/// What a socket of a bot needs, and that it may answer.
const MAY: [&str; 7] = [
    "read_conversation",
    "read_notes",
    "read_presence",
    "read_groups",
    "read_notifications",
    "send_message",
    "hand_off",
];

/// Makes a bot that answers the tenant's customers first; gives its id, its key and what it acts with.
async fn bot(desk: &Desk) -> (String, Value, Client) {
    let id = account(desk, "bot").await;
    let (made, client) = key(desk, &id, &MAY).await;
    decide(desk, json!({"member_id": id})).await.ok();
    (id, made, client)
}

async fn open(client: &Client, device: &str) -> Socket {
    client.socket_with(json!({"device": device})).await
}

fn words(room: &str, key: &str, n: i64, text: &str, version: &Value) -> Value {
    json!({"conversation_id": room, "client_msg_id": key, "n": n, "text": text, "version": version})
}

/// Says hello with this key, which is refused so; gives the error and the close code.
async fn refused(client: &Client, base: &str, code: &str) -> (Value, u16) {
    let mut socket = Socket::connect(base).await;
    let hello = json!({"token": client.token, "device": "shop"});
    let error = socket.ask_refused("hello", hello, code).await;
    (error, socket.expect_close().await)
}

on_every_database! {
    /// It hears what is asked, shows its words, and sends them; nobody else sees them, and they are in no log.
    async fn a_bot_is_seen_while_it_writes(app: TestApp) {
        let desk = app.desk().await;
        let (id, _, client) = bot(&desk).await;
        let mut bot = open(&client, "bo").await;
        let mut visitor = desk.visitor.socket().await;
        let mut stranger = desk.second_visitor.socket().await;
        let mut agent = desk.agent.socket().await;
        let room = desk.open("where is my parcel?").await;
        let asked = bot.wait("the question", |frame| frame["data"]["content"]["text"] == "where is my parcel?").await;
        assert_eq!(asked["data"]["conversation_id"], room);
        agent.ask("watch", json!({"conversations": [room]})).await;
        let version = view(&desk, &room).await["version"].clone();
        for (n, text) in [(1, "It"), (2, "It is"), (3, "It is on")] {
            bot.send_frame("message.stream", words(&room, "a-1", n, text, &version)).await;
        }
        for socket in [&mut visitor, &mut agent] {
            let seen = socket.wait("the last words", |frame| frame["type"] == "message_stream" && frame["data"]["n"] == 3).await;
            assert_eq!(seen["data"], json!({
                "conversation_id": room, "member_id": id, "client_msg_id": "a-1", "n": 3, "text": "It is on", "ttl_ms": 10_000,
            }));
            assert!(seen.get("cursor").is_none());
        }
        let mut said = message("It is on its way.");
        (said["conversation_id"], said["client_msg_id"], said["version"]) = (json!(room), json!("a-1"), version.clone());
        bot.ask("message.send", said).await;
        let entry = visitor.wait("the message", |frame| frame["data"]["content"]["text"] == "It is on its way.").await;
        assert_eq!((&entry["data"]["client_msg_id"], &entry["data"]["sender"]["id"]), (&json!("a-1"), &json!(id)));
        stranger.barrier().await;
        bot.barrier().await;
        for socket in [&mut stranger, &mut bot] {
            assert!(!socket.take_kept().iter().any(|frame| frame["type"] == "message_stream"), "not for everybody");
        }
        let log = desk.visitor.log(&room).await;
        assert_eq!(log.iter().filter(|entry| entry["sender"]["role"] == "bot").count(), 1, "{log:?}");
        app.audit().await;
    }

    /// Words that were collected when the message itself comes are not shown behind it.
    async fn no_words_come_after_the_message(app: TestApp) {
        let desk = app.desk().await;
        let (_, _, client) = bot(&desk).await;
        let room = desk.open("hello").await;
        let (mut bot, mut visitor) = (open(&client, "bo").await, desk.visitor.socket().await);
        let version = view(&desk, &room).await["version"].clone();
        bot.send_frame("message.stream", words(&room, "a-1", 1, "It", &version)).await;
        visitor.wait("the first words", |frame| frame["type"] == "message_stream").await;
        bot.send_frame("message.stream", words(&room, "a-1", 2, "It is", &version)).await;
        let mut said = message("It is.");
        (said["conversation_id"], said["client_msg_id"], said["version"]) = (json!(room), json!("a-1"), version);
        bot.ask("message.send", said).await;
        visitor.wait("the message", |frame| frame["data"]["content"]["text"] == "It is.").await;
        visitor.take_kept();
        // Longer than words are collected.
        tokio::time::sleep(std::time::Duration::from_millis(800)).await;
        visitor.barrier().await;
        assert!(!visitor.take_kept().iter().any(|frame| frame["type"] == "message_stream"));
    }

    /// Who was inside and left sees the words of a bot that answers later no more than its messages.
    async fn who_left_does_not_see_the_words(app: TestApp) {
        let desk = app.desk().await;
        let (_, _, client) = bot(&desk).await;
        let room = desk.open("hello").await;
        desk.agent.claim(&room).await;
        desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        desk.visitor.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        desk.visitor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        let mut bot = open(&client, "bo").await;
        let (mut visitor, mut agent) = (desk.visitor.socket().await, desk.agent.socket().await);
        let version = view(&desk, &room).await["version"].clone();
        bot.send_frame("message.stream", words(&room, "a-1", 1, "It is on", &version)).await;
        visitor.wait("the words", |frame| frame["type"] == "message_stream").await;
        agent.barrier().await;
        assert!(!agent.take_kept().iter().any(|frame| frame["type"] == "message_stream"));
    }

    /// As soon as somebody takes the conversation it is told so, before it has sent anything.
    async fn who_is_not_in_control_shows_nothing(app: TestApp) {
        let desk = app.desk().await;
        let (_, _, client) = bot(&desk).await;
        let mut bot = open(&client, "bo").await;
        let room = desk.open("hello").await;
        let mut visitor = desk.visitor.socket().await;
        let version = view(&desk, &room).await["version"].clone();
        let older = json!(version.as_i64().unwrap() - 1);
        let told = bot.ask_refused("message.stream", words(&room, "a-1", 1, "It", &older), "not_in_control").await;
        assert_eq!((&told["context"]["version"], &told["client_msg_id"]), (&version, &json!("a-1")));
        let mut stale = message("It is");
        (stale["conversation_id"], stale["version"]) = (json!(room), older);
        bot.ask_refused("message.send", stale, "not_in_control").await;
        desk.agent.claim(&room).await;
        bot.ask_refused("message.stream", words(&room, "a-1", 2, "It is", &version), "not_in_control").await;
        let other = desk.second_visitor.open("another").await;
        let foreign = app.desk().await;
        let elsewhere = foreign.open("in another shop").await;
        bot.ask_refused("message.stream", words(&elsewhere, "a-2", 1, "It", &version), "not_found").await;
        let now = view(&desk, &other).await["version"].clone();
        for (wrong, code) in [
            (words(&other, "", 1, "It", &now), "validation_failed"),
            (words(&other, "a b", 1, "It", &now), "validation_failed"),
            (words(&other, "a-3", 0, "It", &now), "validation_failed"),
            (words(&other, "a-3", 1, &"x".repeat(16_385), &now), "validation_failed"),
            (json!({"conversation_id": other, "client_msg_id": "a-3", "n": 1, "text": "It"}), "validation_failed"),
            (json!({"conversation_id": other, "client_msg_id": "a-3", "n": "1", "text": "It", "version": now}), "validation_failed"),
        ] {
            bot.ask_refused("message.stream", wrong, code).await;
        }
        let mut agent = desk.agent.socket().await;
        for socket in [&mut agent, &mut visitor] {
            socket.ask_refused("message.stream", words(&room, "a-4", 1, "It", &version), "forbidden").await;
        }
        visitor.barrier().await;
        assert!(!visitor.take_kept().iter().any(|frame| frame["type"] == "message_stream"));
        // No more than it may show at a time, and those that it shows go on.
        let many: Vec<String> = (0..64).map(|at| format!("m-{at}")).collect();
        for key in &many {
            bot.send_frame("message.stream", words(&other, key, 1, "It", &now)).await;
        }
        bot.ask_refused("message.stream", words(&other, "m-64", 1, "It", &now), "limit_reached").await;
        bot.send_frame("message.stream", words(&other, "m-0", 2, "It is", &now)).await;
        bot.barrier().await;
    }

    /// A socket tells all that its account sees: a key that does not allow to read it opens none, and one that cannot do more
    /// does no more.
    async fn a_key_opens_what_it_may_read(app: TestApp) {
        let desk = app.desk().await;
        let shop = account(&desk, "supervisor").await;
        let (_, few) = key(&desk, &shop, &["read_conversation", "send_message"]).await;
        let (error, code) = refused(&few, app.base(), "forbidden").await;
        assert_eq!(code, 4502);
        let missing: Vec<&str> = error["context"]["operations"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        assert_eq!(missing, ["read_notes", "read_presence", "read_groups", "read_queue", "answer_offer", "read_notifications"]);
        let mut enough = missing.clone();
        enough.push("read_conversation");
        let (_, reader) = key(&desk, &shop, &enough).await;
        let mut socket = open(&reader, "shop").await;
        assert_eq!(socket.ready["token_expires_at"], Value::Null, "it has no end");
        assert_eq!(socket.ready["member"], json!({"id": shop, "role": "supervisor"}));
        let room = desk.open_and_claim("hello").await;
        socket.ask("watch", json!({"conversations": [room], "waiting": true})).await;
        desk.agent.send(&room, "hello!").await;
        socket.wait("what is said", |frame| frame["data"]["content"]["text"] == "hello!").await;
        socket.ask("pull", json!({"conversation_id": room, "after_seq": 0})).await;
        for (frame, data) in [
            ("message.send", json!({"conversation_id": room, "client_msg_id": "k", "kind": "text", "content": {"text": "no"}})),
            ("message.edit", json!({"conversation_id": room, "seq": 2, "kind": "text", "content": {"text": "no"}})),
            ("message.recall", json!({"conversation_id": room, "seq": 2})),
            ("presence", json!({"status": "online"})),
            ("auth", json!({"token": reader.token})),
            ("auth", json!({"token": desk.supervisor.token})),
        ] {
            let error = socket.ask_any(frame, data).await;
            assert_eq!((&error["type"], &error["data"]["code"]), (&json!("error"), &json!("forbidden")), "{frame}: {error}");
        }
        socket.ask_refused("mark_unread", json!({"conversation_id": room, "seq": 2}), "not_a_member").await;
        // A token's socket is not renewed with a key.
        let mut person = desk.supervisor.socket().await;
        person.ask_refused("auth", json!({"token": reader.token}), "token_invalid").await;
        // A bot waits for nobody and watches no queue.
        let (id, _, client) = bot(&desk).await;
        let mut bot = open(&client, "bo").await;
        bot.ask_refused("watch", json!({"waiting": true}), "forbidden").await;
        bot.ask_refused("watch", json!({"conversations": [room]}), "not_found").await;
        let colleagues = desk.supervisor.get("/presence").await.ok();
        assert!(!colleagues.to_string().contains(&id), "{colleagues}");
    }

    /// Whatever ends a key ends its sockets: revoked, changed, from elsewhere, or its account disabled.
    async fn the_end_of_a_key_ends_its_sockets(app: TestApp) {
        let desk = app.desk().await;
        let (id, made, client) = bot(&desk).await;
        let path = format!("/api-keys/{}", made["id"].as_str().unwrap());
        let mut bot = open(&client, "bo").await;
        desk.admin.patch(&path, json!({"name": "another name"})).await.ok();
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        bot.barrier().await;
        let mut more = MAY.to_vec();
        more.push("close");
        desk.admin.patch(&path, json!({"operations": more})).await.ok();
        assert_eq!(bot.expect_close().await, 4006, "it says hello again with what the key allows now");
        let mut bot = open(&client, "bo").await;
        desk.admin.patch(&path, json!({"networks": ["198.51.100.0/24"]})).await.ok();
        assert_eq!(bot.expect_close().await, 4502);
        assert_eq!(refused(&client, app.base(), "address_not_allowed").await.1, 4502);
        desk.admin.patch(&path, json!({"networks": []})).await.ok();
        let sockets = join_all((0..3).map(|at| { let client = &client; async move { open(client, &format!("bo-{at}")).await } })).await;
        desk.admin.delete(&path).await.status(204);
        for mut socket in sockets {
            assert_eq!(socket.expect_close().await, 4501);
        }
        assert_eq!(refused(&client, app.base(), "api_key_invalid").await.1, 4501);
        let (_, client) = key(&desk, &id, &MAY).await;
        let mut bot = open(&client, "bo").await;
        desk.admin.patch(&format!("/members/{id}"), json!({"status": "disabled"})).await.ok();
        assert_eq!(bot.expect_close().await, 4502);
        assert_eq!(refused(&client, app.base(), "account_disabled").await.1, 4502);
    }

    /// A key that ends by itself says when, and its socket goes with it; a later end keeps it.
    async fn a_key_says_when_it_ends(app: TestApp) {
        let desk = app.desk().await;
        let id = account(&desk, "bot").await;
        let end = |ms: i64| json!(app.clock.now().plus(ms));
        let body = json!({"member_id": id, "name": "Short", "operations": MAY, "expires_at": end(600_000)});
        let made = desk.admin.post("/api-keys", body).await.status(201);
        let client = desk.anonymous.with_token(made["secret"].as_str().unwrap());
        let mut bot = open(&client, "bo").await;
        assert_eq!(bot.ready["token_expires_at"], made["api_key"]["expires_at"]);
        let path = format!("/api-keys/{}", made["api_key"]["id"].as_str().unwrap());
        desk.admin.patch(&path, json!({"expires_at": end(1_200_000)})).await.ok();
        // The server looks at the key every second.
        tokio::time::sleep(std::time::Duration::from_secs(8)).await;
        app.advance(700_000).await;
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        bot.barrier().await;
        app.advance(700_000).await;
        assert_eq!(bot.expect_close().await, 4501);
        assert_eq!(refused(&client, app.base(), "api_key_expired").await.1, 4501);
    }

    /// In groups a program sees what a person would, over the socket as well.
    async fn a_program_in_a_group_sees_the_group(app: TestApp) {
        let desk = app.desk().await;
        let (ours, theirs) = (make(&desk, "Parcels").await, make(&desk, "Bills").await);
        let shop = account(&desk, "agent").await;
        let all = [
            "read_conversation", "read_notes", "read_presence", "read_groups", "read_queue", "answer_offer", "read_notifications",
        ];
        let (_, client) = key(&desk, &shop, &all).await;
        let body = json!({"member_type": "member"});
        desk.admin.put(&format!("/groups/{ours}/members/{shop}"), body).await.ok();
        put(&desk.admin, &theirs, &desk.agent, "member").await;
        let mut socket = open(&client, "shop").await;
        socket.ask("watch", json!({"waiting": true})).await;
        let question = |group: &str, text: &str| json!({"group_id": group, "message": message(text)});
        desk.visitor.post("/conversations", question(&theirs, "a bill")).await.status(201);
        let seen = desk.second_visitor.post("/conversations", question(&ours, "a parcel")).await.status(201);
        let queue = socket.expect("queue").await;
        assert_eq!(queue["conversation_id"], seen["conversation"]["id"], "the first that is told is its group's");
    }
}
