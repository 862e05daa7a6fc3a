//! The hub of a worker outlives what clients do at bad moments, and panics: everybody goes on getting entries.

use deskwire::journal::fail_point::{FailAction, FailPoint};
use serde_json::{Value, json};

use crate::harness::{Client, Desk, Socket, eventually};

/// So many sockets that every worker has some.
async fn fleet(client: &Client) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for number in 0..5 {
        sockets.push(client.socket_with(json!({"device": format!("device-{number}")})).await);
    }
    sockets
}

/// Everybody gets the next entry.
async fn all_hear(desk: &Desk, room: &str, sockets: &mut [Socket]) {
    let seq = desk.visitor.send(room, "does everybody hear this?").await["seq"].as_i64().unwrap();
    for socket in sockets {
        socket.entries_up_to(room, seq).await;
    }
}

on_every_database! {
    /// Somebody starts to type and never stops, somebody reports what was delivered again and again: the timers of
    /// the worker keep what they collected, and nobody else notices.
    async fn typing_without_end_and_reports_in_a_row_harm_nobody(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut sockets = fleet(&desk.agent).await;
        let mut reporter = desk.visitor.socket().await;
        for socket in &mut sockets {
            socket.send_frame("typing", json!({"conversation_id": room, "on": true})).await;
        }
        reporter.expect("typing").await;
        for seq in [1, 2, 3] {
            reporter.send_frame("ping", json!({"nonce": "n", "delivered": [[room, seq]]})).await;
            reporter.expect("pong").await;
            // A tick of the timers lies between: a read is answered by it.
            reporter.ask("read", json!({"conversation_id": room, "seq": seq})).await;
        }
        for _ in 0..3 {
            all_hear(&desk, &room, &mut sockets).await;
        }
        let over = |frame: &serde_json::Value| frame["type"] == "typing" && frame["data"]["on"] == false;
        reporter.wait("the end of typing by itself", over).await;
        assert_eq!(app.tasks.restarts().get("hub").copied().unwrap_or(0), 0);
    }

    /// A panic while changes or rows are delivered: counted, told by readiness, and afterwards nothing is missing.
    async fn a_panic_leaves_delivery_complete(app: TestApp) {
        let desk = app.desk().await;
        let (room, other) = (desk.open_and_claim("hello").await, app.desk().await);
        let bystander = other.open_and_claim("hello").await;
        let second = desk.second_visitor.open("hello").await;
        desk.agent.claim(&second).await;
        for (round, point) in [FailPoint::Deliver, FailPoint::DeliverRows].into_iter().enumerate() {
            let mut sockets = fleet(&desk.agent).await;
            let mut others = fleet(&other.agent).await;
            let mut watchers = fleet(&desk.supervisor).await;
            let mut other_watchers = fleet(&other.supervisor).await;
            for (watchers, room) in [(&mut watchers, &second), (&mut other_watchers, &bystander)] {
                for watcher in watchers {
                    watcher.ask("watch", json!({"conversations": [room]})).await;
                }
            }
            app.journal.fail_points().set(point, FailAction::Panic, 1);
            // A command with an inbox row for the agent, so that both points are passed.
            let subject = format!("round {round}");
            desk.agent.patch(&format!("/conversations/{room}"), json!({"subject": subject})).await.ok();
            eventually("the hub was restarted", || async {
                let restarts = app.tasks.restarts().get("hub").copied().unwrap_or(0);
                (restarts == round as u64 + 1).then_some(())
            })
            .await;
            desk.second_visitor.send(&second, "sent while the hub comes up").await;
            let head = desk.agent.log(&second).await.len() as i64;
            let mut lagged = 0;
            for socket in &mut sockets {
                lagged += i32::from(complete(socket, (&second, head), (&room, &subject)).await);
            }
            all_hear(&desk, &room, &mut sockets).await;
            let seq = desk.second_visitor.send(&second, "who watches?").await["seq"].as_i64().unwrap();
            for watcher in &mut watchers {
                lagged += i32::from(watched(watcher, &second, seq).await);
            }
            // What was in work at the panic is told as missed instead of tried again: it could panic each time. The
            // worker that panicked may have only those who watch.
            assert!(lagged > 0, "the worker tried again what it had panicked at");
            all_hear(&other, &bystander, &mut others).await;
            all_hear(&other, &bystander, &mut other_watchers).await;
            let metrics = app.http().get(format!("{}/metrics", app.base())).send().await.unwrap();
            let metrics = metrics.text().await.unwrap();
            let counted = format!("deskwire_task_restarts_total{{task=\"hub\"}} {}", round + 1);
            assert!(metrics.contains(&counted), "{metrics}");
        }
        eventually("the server is ready again", || async {
            (app.client().get_root("/readyz").await.status == 200).then_some(())
        })
        .await;
    }

    /// Two clients come at once as the first of their tenant; the one whose state was read first is answered last.
    /// What was committed between the two readings was handed to neither, and both have it.
    async fn whoever_is_answered_late_misses_nothing(app: TestApp) {
        let desk = app.desk().await;
        let (room, second) = (desk.open_and_claim("hello").await, desk.second_visitor.open("hello").await);
        desk.agent.claim(&second).await;
        app.journal.fail_points().set(FailPoint::Resume, FailAction::Pause, 1);
        let mut early = Socket::connect(app.base()).await;
        early.send_frame("hello", json!({"token": desk.agent.token, "device": "early"})).await;
        eventually("what it missed was read", || async {
            app.journal.fail_points().is_used_up(FailPoint::Resume).then_some(())
        })
        .await;
        desk.agent.patch(&format!("/conversations/{room}"), json!({"subject": "between"})).await.ok();
        let head = desk.second_visitor.send(&second, "between").await["seq"].as_i64().unwrap();
        // Their workers begin to follow the tenant behind what was just committed.
        let mut others = fleet(&desk.agent).await;
        app.journal.fail_points().clear(FailPoint::Resume);
        let live = early.expect("live").await["cursor"].clone();
        complete(&mut early, (&second, head), (&room, "between")).await;
        early.close().await;
        // Who is gone before it has synced finds everything behind the cursor that it was given.
        let again = desk.agent.socket_with(json!({"device": "early", "cursor": live})).await;
        let rows = again.ready["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["conversation_id"] == *room).expect("the row is behind the cursor");
        assert_eq!(row["conversation"]["subject"], "between");
        others.push(again);
        all_hear(&desk, &room, &mut others).await;
    }

    /// A hole in what every worker heard is read from the store once.
    async fn a_hole_is_repaired_once_for_all_workers(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut sockets = fleet(&desk.agent).await;
        let (before, began) = (app.metrics.repairs.get(), std::time::Instant::now());
        app.journal.fail_points().set(FailPoint::BeforePublish, FailAction::Fail, 1);
        desk.visitor.send(&room, "not told").await;
        all_hear(&desk, &room, &mut sockets).await;
        // A worker that has not got it after a while may ask again: on a machine that is busy that is right.
        let again = u64::try_from(began.elapsed().as_millis()).unwrap() / 500;
        let read = app.metrics.repairs.get() - before;
        assert!((1..=1 + 2 * again).contains(&read), "two workers, {read} reads");
    }
}

/// Waits until the device has the log up to its head and the conversation with its subject: by entries, or by syncing
/// after a lag. Tells whether there was one.
async fn complete(socket: &mut Socket, (log, head): (&str, i64), (room, subject): (&str, &str)) -> bool {
    let tells = |frame: &Value| {
        frame["type"] == "lag"
            || frame["type"] == "entry"
                && frame["data"]["conversation_id"] == log
                && frame["data"]["seq"] == head
    };
    let frame = socket.wait("the entry or a lag", tells).await;
    if frame["type"] != "lag" {
        let changed = |frame: &Value| {
            frame["type"] == "inbox"
                && frame["data"]["conversation_id"] == room
                && frame["data"]["conversation"]["subject"] == subject
        };
        socket.wait("the row with the new subject", changed).await;
        return false;
    }
    let page = socket.ask("sync", json!({"cursor": frame["data"]["cursor"]})).await;
    let rows = page["rows"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|row| row["conversation_id"] == id);
    let missed = row(room).unwrap_or_else(|| panic!("the lag does not cover what was missed: {page}"));
    assert_eq!(missed["conversation"]["subject"], subject);
    if row(log).and_then(|row| row["seq"].as_i64()) < Some(head) {
        socket.entries_up_to(log, head).await;
    }
    true
}

/// Who watches gets the entry, or was told that it watches no more. Whether it was told that it missed something.
async fn watched(socket: &mut Socket, room: &str, seq: i64) -> bool {
    let mut lagged = false;
    loop {
        let tells = |frame: &Value| {
            let of_room = frame["data"]["conversation_id"] == room;
            let ends = frame["type"] == "reset" || frame["type"] == "entry" && frame["data"]["seq"] == seq;
            of_room && ends || frame["type"] == "lag"
        };
        let frame = socket.wait("the entry, or the end of the watch", tells).await;
        match frame["type"].as_str() {
            Some("lag") => lagged = true,
            told => return lagged || told == Some("reset"),
        }
    }
}
