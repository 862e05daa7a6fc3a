//! Lag, then death: a client that was told that it missed something, and was cut off before it could catch up, comes
//! back with the cursor that it had stored, to another process where there is one, and misses nothing.

use serde_json::{Value, json};

use crate::harness::Socket;

on_every_database! {
    /// The stored cursor moves with durable frames until the lag and not beyond; the resume starts there.
    async fn what_was_missed_before_the_end_is_found_after_it(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut slow = desk.agent.socket_with(json!({"device": "slow"})).await;
        let mut have = desk.agent.log(&room).await.len() as i64;
        let text = "x".repeat(12_000);
        // The connection's own buffers take some megabytes before the server notices anything.
        for _ in 0..40 {
            futures_util::future::join_all((0..16).map(|_| desk.visitor.send(&room, &text))).await;
        }
        let mut cursor = slow.live.clone();
        // The frames in the order of their arrival, up to the lag.
        loop {
            let frame = slow.next().await.expect("the slow socket is told before it is closed");
            match frame["type"].as_str() {
                Some("lag") => break,
                Some("entry" | "entries") => {
                    take(&mut have, &frame);
                    cursor = frame["cursor"].as_str().unwrap_or(&cursor).to_owned();
                }
                _ => {}
            }
        }
        let head = desk.agent.log(&room).await.len() as i64;
        assert!(have < head, "nothing was missed");
        drop(slow);

        let elsewhere = if app.kind().is_server() { app.second().await } else { app.clone() };
        let agent = elsewhere.client_of(desk.seed.agent);
        let hello = json!({"device": "slow", "cursor": cursor, "conversations": [[room, have]]});
        let mut socket = agent.socket_with(hello).await;
        let row = socket.ready["rows"].as_array().unwrap().iter().find(|row| row["conversation_id"] == room.as_str());
        assert_eq!(row.expect("the room has changed")["seq"], head);
        catch_up(&mut socket, &room, &mut have, head).await;
        desk.visitor.send(&room, "after the resume").await;
        let entries = socket.entries_up_to(&room, head + 1).await;
        assert_eq!(entries.last().unwrap()["content"]["text"], "after the resume");
        assert_eq!(have, head);
    }

    /// A lane that does not publish what it committed: the sockets of that process find it by themselves.
    async fn an_unpublished_commit_reaches_the_sockets(app: TestApp) {
        use deskwire::journal::fail_point::{FailAction, FailPoint};
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut socket = desk.agent.socket().await;
        let before = desk.agent.log(&room).await.len() as i64;
        app.journal.fail_points().set(FailPoint::BeforePublish, FailAction::Fail, 1);
        desk.visitor.send(&room, "committed and not told").await;
        let entries = socket.entries_up_to(&room, before + 1).await;
        assert_eq!(entries.last().unwrap()["content"]["text"], "committed and not told");
    }
}

/// Pulls until nothing is missing, by the rules of a client: known entries are ignored, a hole is pulled.
async fn catch_up(socket: &mut Socket, room: &str, have: &mut i64, head: i64) {
    for frame in socket.take_kept() {
        take(have, &frame);
    }
    while *have < head {
        let page = socket.ask("pull", json!({"conversation_id": room, "after_seq": *have})).await;
        let before = *have;
        take(have, &json!({ "data": page }));
        assert!(*have > before, "a pull brought nothing");
    }
}

/// Applies the entries of a frame that follow without a hole.
fn take(have: &mut i64, frame: &Value) {
    let data = &frame["data"];
    let entries = match data["entries"].as_array() {
        Some(entries) => entries.clone(),
        None => vec![data.clone()],
    };
    for entry in entries {
        if entry["seq"] == *have + 1 {
            *have += 1;
        }
    }
}
