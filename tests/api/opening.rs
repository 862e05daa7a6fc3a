//! What clients say when they come back: hello and watch, many at once and with many conversations.

use deskwire::domain::member::Role;
use serde_json::{Value, json};

use crate::harness::{Desk, Socket, TestApp};

/// So many conversations of the agent, each with a few entries.
async fn conversations(app: &TestApp, desk: &Desk, count: usize) -> Vec<String> {
    let mut rooms = Vec::new();
    for _ in 0..count {
        let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
        let room = visitor.open("hello").await;
        desk.agent.claim(&room).await;
        rooms.push(room);
    }
    rooms
}

/// How many statements the readers run while this happens; the least of three, since timers read too.
async fn statements(app: &TestApp, mut work: impl AsyncFnMut()) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..3 {
        let before = app.db.statements();
        work().await;
        least = least.min(app.db.statements() - before);
    }
    least
}

fn positions(rooms: &[String]) -> Value {
    rooms.iter().map(|room| json!([room, 1])).collect()
}

on_every_database! {
    /// The number of queries of hello and watch does not depend on how many conversations they name.
    async fn opening_frames_read_in_bulk(app: TestApp) {
        let desk = app.desk().await;
        let rooms = conversations(&app, &desk, 30).await;
        let cursor = desk.agent.socket().await.live;
        let hello = async |rooms: &[String]| {
            let hello = json!({"cursor": cursor, "conversations": positions(rooms)});
            let mut socket = desk.agent.socket_with(hello).await;
            for room in rooms {
                socket.entries_up_to(room, 3).await;
            }
        };
        let few = statements(&app, async || hello(&rooms[..2]).await).await;
        let many = statements(&app, async || hello(&rooms).await).await;
        assert!(many <= few + 3, "hello: {few} statements for 2 conversations, {many} for 30");
        let watch = async |rooms: &[String]| {
            let mut socket = desk.supervisor.socket().await;
            let reply = socket.ask("watch", json!({"conversations": rooms})).await;
            assert_eq!(reply["conversations"].as_array().unwrap().len(), rooms.len());
        };
        let few = statements(&app, async || watch(&rooms[..2]).await).await;
        let many = statements(&app, async || watch(&rooms).await).await;
        assert!(many <= few + 3, "watch: {few} statements for 2 conversations, {many} for 30");
    }

    /// The bound on watches holds however the frames come: with duplicates, and many at once.
    async fn watches_have_a_bound(app: TestApp) {
        let desk = app.desk().await;
        let rooms = conversations(&app, &desk, 3).await;
        let mut socket = desk.supervisor.socket().await;
        let reply = socket.ask("watch", json!({"conversations": [rooms[0], rooms[0], rooms[1]]})).await;
        assert_eq!(reply["conversations"].as_array().unwrap().len(), 2, "{reply}");
        let twice: Vec<_> = std::iter::repeat_n(&rooms[0], 201).collect();
        socket.ask_refused("watch", json!({"conversations": twice}), "limit_reached").await;
        // Four frames at once, each below the bound.
        let more = conversations(&app, &desk, 120).await;
        let first = socket.send_frame("watch", json!({"conversations": more})).await;
        let others = conversations(&app, &desk, 120).await;
        let mut ids = vec![first];
        for _ in 0..3 {
            ids.push(socket.send_frame("watch", json!({"conversations": others})).await);
        }
        let mut outcomes = Vec::new();
        for id in ids {
            let reply = socket.wait("an answer", |frame| frame["reply_to"] == id.as_str()).await;
            outcomes.push(reply["type"] == "ok");
        }
        assert_eq!(outcomes, [true, false, false, false]);
    }

    /// Many devices connect in one instant: all are answered, none is told `busy`.
    async fn many_hellos_at_once_wait_for_their_turn(app: TestApp) {
        let desk = app.desk().await;
        conversations(&app, &desk, 3).await;
        let mut visitors = Vec::new();
        for _ in 0..200 {
            visitors.push(app.client_of(app.seed_member(desk.tenant, Role::Customer).await));
        }
        let hellos = visitors.iter().map(async |visitor| {
            let mut socket = Socket::connect(app.base()).await;
            socket.hello(json!({"token": visitor.token, "device": "d"})).await;
        });
        futures_util::future::join_all(hellos).await;
    }

    /// Whoever meets a conversation live gets its row before its first entry, and its own later ones after.
    async fn the_row_of_a_new_conversation_comes_first(app: TestApp) {
        let desk = app.desk().await;
        let (mut visitor, mut agent) = (desk.visitor.socket().await, desk.agent.socket().await);
        let room = desk.open("hello").await;
        desk.agent.claim(&room).await;
        for socket in [&mut visitor, &mut agent] {
            // Its place in the queue is told and forgotten, whenever that is.
            let of_room = |frame: &Value| {
                frame["data"]["conversation_id"] == room.as_str() && frame["type"] != "queue_place"
            };
            let first = socket.wait("the first frame of the conversation", of_room).await;
            assert_eq!(first["type"], "inbox", "{first}");
        }
        // A member who comes back is told anew.
        let member = json!({"member_id": desk.second_agent.id()});
        let members = format!("/conversations/{room}/members");
        desk.agent.post(&members, member.clone()).await.ok();
        let answer = desk.supervisor.delete(&format!("{members}/{}", desk.second_agent.id())).await;
        assert!(answer.status < 300, "{answer}");
        let mut second = desk.second_agent.socket().await;
        desk.agent.post(&members, member).await.ok();
        let first = second.wait("a durable frame", |frame| frame["cursor"].is_string()).await;
        assert_eq!((&first["type"], &first["data"]["active"]), (&json!("inbox"), &json!(true)), "{first}");
    }

    /// Large entries make short pages, over REST and the socket alike, and every entry comes.
    async fn pages_are_bounded_by_bytes(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let text = "x".repeat(15_000);
        for _ in 0..40 {
            desk.visitor.send(&room, &text).await;
        }
        let page = desk.agent.get(&format!("/conversations/{room}/entries?after_seq=0&limit=200")).await.ok();
        let count = page["data"].as_array().unwrap().len();
        assert!((10..30).contains(&count) && page["more"] == true, "{count} entries in a page");
        let newest = desk.agent.get(&format!("/conversations/{room}/messages?limit=200")).await.ok();
        let rows = newest["data"].as_array().unwrap();
        assert_eq!((rows.last().unwrap()["seq"].as_i64(), &newest["more"]), (Some(43), &json!(true)));
        assert_eq!(desk.agent.log(&room).await.len(), 43);
        let mut socket = desk.agent.socket().await;
        let pulled = socket.ask("pull", json!({"conversation_id": room, "after_seq": 0, "limit": 200})).await;
        assert_eq!(pulled["entries"].as_array().unwrap().len(), count);
        for limit in [1, 3, 42, 43, 44] {
            let path = format!("/conversations/{room}/entries?after_seq=40&limit={limit}");
            let page = desk.agent.get(&path).await.ok();
            let expected = limit.min(3);
            assert_eq!(page["data"].as_array().unwrap().len(), expected);
            assert_eq!(page["more"], limit < 3, "{limit}");
        }
    }
}
