//! The queue as a resource: its order, places, honest estimates, and what happens at its limit.

use serde_json::{Value, json};

use crate::harness::{Client, Desk};
use crate::routing::{online, visitor, waits};

async fn order(who: &Client) -> Vec<String> {
    let (mut rooms, mut cursor, mut position) = (Vec::new(), String::new(), 0);
    loop {
        let page = who.get(&format!("/queue?limit=2{cursor}")).await.ok();
        for row in page["data"].as_array().unwrap() {
            position += 1;
            assert_eq!(row["position"], position);
            rooms.push(row["conversation"]["id"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rooms,
        }
    }
}

async fn place(who: &Client, room: &str) -> Value {
    who.get(&format!("/conversations/{room}/queue")).await.ok()
}

async fn urgency(desk: &Desk, room: &str, priority: &str) {
    desk.admin.patch(&format!("/conversations/{room}"), json!({"priority": priority})).await.ok();
}

on_every_database! {
    /// Urgency first, then what came back from an agent, then the longest waiting; both sides see the place.
    async fn the_queue_has_one_order(app: TestApp) {
        let desk = app.desk().await;
        let mut rooms = Vec::new();
        for _ in 0..5 {
            app.advance(1_000).await;
            rooms.push(waits(&app, &desk, json!({})).await);
        }
        let ids: Vec<String> = rooms.iter().map(|(_, room)| room.clone()).collect();
        assert_eq!(order(&desk.agent).await, ids);
        urgency(&desk, &ids[3], "urgent").await;
        urgency(&desk, &ids[0], "low").await;
        let expected = [&ids[3], &ids[1], &ids[2], &ids[4], &ids[0]].map(String::clone);
        assert_eq!(order(&desk.agent).await, expected);
        // What comes back stands before those of its urgency that no agent has had.
        desk.agent.claim(&ids[4]).await;
        assert_eq!(place(&rooms[4].0, &ids[4]).await["position"], Value::Null);
        desk.agent.post(&format!("/conversations/{}/release", ids[4]), json!({})).await.ok();
        let expected = [&ids[3], &ids[4], &ids[1], &ids[2], &ids[0]].map(String::clone);
        assert_eq!(order(&desk.agent).await, expected);
        urgency(&desk, &ids[4], "low").await;
        let expected = [&ids[3], &ids[1], &ids[2], &ids[4], &ids[0]].map(String::clone);
        assert_eq!(order(&desk.supervisor).await, expected);
        for (position, id) in (1..).zip(&expected) {
            let (customer, _) = rooms.iter().find(|(_, room)| room == id).unwrap();
            let seen = place(customer, id).await;
            assert_eq!((seen["position"].as_i64(), seen["waiting_since"].is_string()), (Some(position), true));
            assert_eq!(place(&desk.agent, id).await["position"], position);
        }
        // A customer sees its own place only, and another tenant's queue is another one.
        rooms[0].0.get(&format!("/conversations/{}/queue", ids[1])).await.refused(404, "not_found");
        rooms[0].0.get("/queue").await.refused(403, "forbidden");
        assert_eq!(order(&app.desk().await.agent).await, Vec::<String>::new());
        desk.agent.get("/queue?cursor=x").await.refused(400, "invalid_parameter");
    }

    /// A customer is told its place when it changes; another customer's is not told, nor the same place twice.
    async fn customers_are_told_their_places(app: TestApp) {
        let desk = app.desk().await;
        let (first, ahead) = waits(&app, &desk, json!({})).await;
        let customer = visitor(&app, &desk).await;
        let mut socket = customer.socket().await;
        let mut other = first.socket().await;
        let room = customer.open("hello").await;
        let told = socket.expect("queue_place").await;
        assert_eq!((&told["conversation_id"], told["position"].as_i64()), (&json!(room), Some(2)));
        assert_eq!((told["waiting_since"].is_string(), &told["estimated_wait_seconds"]), (true, &Value::Null));
        desk.agent.claim(&ahead).await;
        let told = socket.expect("queue_place").await;
        assert_eq!((&told["conversation_id"], told["position"].as_i64()), (&json!(room), Some(1)));
        // Who watches a conversation is told of it.
        let (_, behind) = waits(&app, &desk, json!({})).await;
        let mut watcher = desk.supervisor.socket().await;
        watcher.ask("watch", json!({"conversations": [behind]})).await;
        urgency(&desk, &behind, "urgent").await;
        let first_now = |frame: &Value| frame["type"] == "queue_place" && frame["data"]["position"] == 1;
        watcher.wait("the place of what is watched", first_now).await;
        assert_eq!(socket.expect("queue_place").await["position"], 2);
        // Something else moves; the place stays.
        let last = visitor(&app, &desk).await;
        let mut told = last.socket().await;
        last.open("hello").await;
        assert_eq!(told.expect("queue_place").await["position"], 3);
        socket.barrier().await;
        let kept = socket.take_kept();
        assert!(kept.iter().all(|frame| frame["type"] != "queue_place"), "{kept:?}");
        other.barrier().await;
        let strange = |frame: &Value| frame["type"] == "queue_place" && frame["data"]["conversation_id"] != json!(ahead);
        assert!(!other.take_kept().iter().any(strange));
    }

    /// An estimate comes from what happened in the last half hour, or there is none.
    async fn estimates_are_honest(app: TestApp) {
        let desk = app.desk().await;
        online(&desk, &desk.agent, 20).await;
        for _ in 0..4 {
            let (_, room) = waits(&app, &desk, json!({})).await;
            desk.agent.claim(&room).await;
        }
        let (customer, room) = waits(&app, &desk, json!({})).await;
        let (_, behind) = waits(&app, &desk, json!({})).await;
        assert_eq!(place(&customer, &room).await["estimated_wait_seconds"], Value::Null, "four are too few");
        let (_, fifth) = waits(&app, &desk, json!({})).await;
        desk.agent.claim(&fifth).await;
        assert_eq!(place(&customer, &room).await["estimated_wait_seconds"], 360);
        assert_eq!(place(&desk.agent, &behind).await["estimated_wait_seconds"], 720);
        let page = desk.agent.get("/queue").await.ok();
        assert_eq!(page["data"][1]["estimated_wait_seconds"], 720);
        desk.agent.put("/presence", json!({"status": "offline"})).await.ok();
        assert_eq!(place(&customer, &room).await["estimated_wait_seconds"], Value::Null, "nobody is there");
        desk.agent.put("/presence", json!({"status": "online"})).await.ok();
    }

    /// A full queue and a closed one refuse visitors with a code, keep who has a place, and never bind the staff.
    async fn a_full_or_closed_queue_says_so(app: TestApp) {
        let desk = app.desk().await;
        let limit = |queue: Value| json!({"settings": {"queue": queue}});
        desk.admin.patch("/tenant", limit(json!({"limit": 2}))).await.ok();
        let (first, room) = waits(&app, &desk, json!({})).await;
        waits(&app, &desk, json!({})).await;
        let late = visitor(&app, &desk).await;
        let problem = late.post("/conversations", json!({})).await.refused(409, "queue_full");
        assert_eq!((problem["retryable"].as_bool(), problem["context"]["limit"].as_i64(), problem["context"]["waiting"].as_i64()), (Some(true), Some(2), Some(2)));
        // Who has a place finds it.
        assert_eq!(first.post("/conversations", json!({})).await.ok()["conversation"]["id"], room);
        let on_behalf = json!({"customer_id": late.get("/me").await.ok()["id"]});
        let made = desk.agent.post("/conversations", on_behalf).await.status(201);
        desk.agent.claim(made["conversation"]["id"].as_str().unwrap()).await;
        desk.agent.claim(&room).await;
        let next = visitor(&app, &desk).await;
        next.post("/conversations", json!({})).await.status(201);
        desk.admin.patch("/tenant", limit(json!({"limit": null, "open": false}))).await.ok();
        let stranger = visitor(&app, &desk).await;
        stranger.post("/conversations", json!({})).await.refused(409, "queue_closed");
        next.post("/conversations", json!({})).await.ok();
        desk.admin.patch("/tenant", limit(json!({"open": true}))).await.ok();
        stranger.post("/conversations", json!({})).await.status(201);
    }

    /// Many open at once: not one more than the limit waits.
    async fn a_limit_holds_when_many_come_at_once(app: TestApp) {
        let desk = app.desk().await;
        desk.admin.patch("/tenant", json!({"settings": {"queue": {"limit": 5}}})).await.ok();
        let mut visitors = Vec::new();
        for _ in 0..12 {
            visitors.push(visitor(&app, &desk).await);
        }
        let opened = futures_util::future::join_all(visitors.iter().map(|one| one.post("/conversations", json!({})))).await;
        let made = opened.iter().filter(|answer| answer.status == 201).count();
        let refused = opened.iter().filter(|answer| answer.code() == "queue_full").count();
        assert_eq!((made, refused), (5, 7));
        assert_eq!(order(&desk.agent).await.len(), 5);
    }
}
