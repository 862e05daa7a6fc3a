//! Sockets: who was away misses nothing, gets nothing twice, and is told when it was too slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deskwire::db::DatabaseKind;
use deskwire::sync::cursor::Reader;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::personas::message;
use crate::harness::{Client, Socket, TestApp};

/// All entries of the room among the frames that came so far, in the order of their arrival.
fn seqs(frames: &[Value], room: &str) -> Vec<i64> {
    let of_room = frames.iter().filter(|frame| frame["data"]["conversation_id"] == room);
    of_room
        .flat_map(|frame| match frame["type"].as_str() {
            Some("entries") => frame["data"]["entries"].as_array().cloned().unwrap_or_default(),
            Some("entry") => vec![frame["data"].clone()],
            _ => Vec::new(),
        })
        .map(|entry| entry["seq"].as_i64().unwrap())
        .collect()
}

/// The client's rule: what is known is ignored, what is next is applied, a hole fails the test.
fn apply(have: &mut i64, seqs: &[i64]) {
    for seq in seqs {
        assert!(*seq <= *have + 1, "entry {seq} came after {have}: {seqs:?}");
        *have = (*have).max(*seq);
    }
}

/// Writes so many messages.
async fn write(client: &Client, room: &str, count: usize) {
    for number in 0..count {
        client.send(room, &format!("message {number}")).await;
    }
}

/// Connects with what a client has stored and gives the socket and what was replayed before `live`.
async fn resume(client: &Client, device: &str, cursor: &str, have: &[(&str, i64)]) -> (Socket, Vec<Value>) {
    let hello = json!({"device": device, "cursor": cursor, "conversations": have});
    let mut socket = client.socket_with(hello).await;
    let replayed = socket.take_kept();
    (socket, replayed)
}

on_every_database! {
    /// From every place at which a client may have stopped, it gets exactly what follows.
    async fn a_resume_from_every_place_gives_exactly_what_is_missing(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut places = vec![(desk.agent.socket().await.live, 0)];
        for _ in 0..4 {
            write(&desk.visitor, &room, 2).await;
            let socket = desk.agent.socket().await;
            places.push((socket.live.clone(), desk.agent.log(&room).await.len() as i64));
        }
        let head = places.last().unwrap().1;
        for (cursor, _) in &places {
            for have in 0..=head {
                let (socket, replayed) = resume(&desk.agent, "other", cursor, &[(&room, have)]).await;
                assert_eq!(seqs(&replayed, &room), ((have + 1)..=head).collect::<Vec<_>>(), "from {have}");
                let changed = cursor != &places.last().unwrap().0;
                assert_eq!(socket.ready["rows"].as_array().unwrap().len(), usize::from(changed));
            }
        }
        // A client that claims to have more than there is gets nothing and no failure.
        let (_, replayed) = resume(&desk.agent, "other", &places[0].0, &[(&room, head + 5)]).await;
        assert!(seqs(&replayed, &room).is_empty());
    }

    /// Another history, or a cursor from the future: the client drops everything and starts again.
    async fn a_cursor_of_another_history_is_reset(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let live = desk.agent.socket().await.live;
        let me = &desk.seed.agent;
        let beyond = Reader::of(&app.epoch, me).at(1 << 40).to_string();
        let foreign = Reader::of("elsewhere", me).at(1).to_string();
        let of_another_member = Reader::of(&app.epoch, &desk.seed.visitor).at(1).to_string();
        let here = app.epoch.as_str();
        let cases =
            [(&beyond, here), (&foreign, "elsewhere"), (&live, "elsewhere"), (&of_another_member, here)];
        for (cursor, epoch) in cases {
            let hello = json!({"cursor": cursor, "epoch": epoch, "conversations": [[room, 1]]});
            let mut socket = desk.agent.socket_with(hello).await;
            let reset = socket.expect("reset").await;
            assert_eq!((&reset["all"], &reset["reason"]), (&json!(true), &json!("cursor_reset")));
            assert_eq!(socket.ready["rows"][0]["conversation_id"], room.as_str());
            assert!(seqs(&socket.take_kept(), &room).is_empty());
        }
        let mut socket = Socket::connect(app.base()).await;
        let hello = json!({"token": desk.agent.token, "device": "d", "cursor": "nonsense"});
        socket.ask_refused("hello", hello, "invalid_parameter").await;
        assert_eq!(socket.expect_close().await, 4500);
    }

    /// What is committed in any moment of a hello is neither lost nor out of order.
    async fn connecting_while_others_write_leaves_no_gap(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let over = Arc::new(AtomicBool::new(false));
        let writers = [&desk.visitor, &desk.agent, &desk.visitor].map(|client| {
            let (client, room, over) = (client.clone(), room.clone(), over.clone());
            actix_web::rt::spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    client.post(&format!("/conversations/{room}/messages"), message("x")).await.ok();
                }
            })
        });
        // The visitor's phone loses its connection again and again; some come from the stored cursor, some anew.
        let (mut have, mut cursor) = (0, None::<String>);
        for round in 0..25 {
            let mut hello = json!({"device": "phone", "conversations": [[room, have]]});
            if let Some(cursor) = cursor.as_ref().filter(|_| round % 5 != 0) {
                hello["cursor"] = json!(cursor);
            }
            let mut socket = desk.visitor.socket_with(hello).await;
            apply(&mut have, &seqs(&socket.take_kept(), &room));
            cursor = Some(socket.live.clone());
            for _ in 0..3 {
                let frame = socket.expect_frame("entry").await;
                apply(&mut have, &seqs(&[frame], &room));
            }
            apply(&mut have, &seqs(&socket.take_kept(), &room));
        }
        over.store(true, Ordering::SeqCst);
        join_all(writers).await;
        let hello = json!({"device": "phone", "cursor": cursor, "conversations": [[room, have]]});
        let mut socket = desk.visitor.socket_with(hello).await;
        apply(&mut have, &seqs(&socket.take_kept(), &room));
        assert_eq!(have, desk.visitor.log(&room).await.len() as i64);
    }

    /// More than a replay holds: the client gets the first part, learns the head, and pulls the rest.
    async fn a_long_absence_is_pulled(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let second = desk.second_visitor.open("me too").await;
        let start = desk.agent.socket().await.live;
        desk.agent.claim(&second).await;
        let writers = (0..8).map(|_| write(&desk.visitor, &room, 70));
        join_all(writers).await;
        let hello = [(room.as_str(), 0), (second.as_str(), 0)];
        let (mut socket, replayed) = resume(&desk.agent, "other", &start, &hello).await;
        let mut have = 0;
        apply(&mut have, &seqs(&replayed, &room));
        assert!((100..=500).contains(&have), "{have}");
        let told = replayed.iter().filter(|frame| frame["type"] == "entries");
        let heads: Vec<_> = told.map(|frame| frame["data"]["head_seq"].as_i64().unwrap()).collect();
        assert_eq!(heads.len(), 2);
        let head = desk.agent.log(&room).await.len() as i64;
        assert!(heads.contains(&head));
        while have < head {
            let page = socket.ask("pull", json!({"conversation_id": room, "after_seq": have, "limit": 200})).await;
            let pulled: Vec<_> =
                page["entries"].as_array().unwrap().iter().map(|one| one["seq"].as_i64().unwrap()).collect();
            apply(&mut have, &pulled);
        }
    }
}

/// A client that does not read costs the others nothing, is told so once it reads, and catches up exactly.
#[test]
#[cfg(feature = "sqlite")]
fn a_slow_reader_is_told_and_catches_up() {
    crate::harness::run(DatabaseKind::Sqlite, async |app: TestApp| {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut slow = desk.agent.socket_with(json!({"device": "slow"})).await;
        let mut quick = desk.visitor.socket().await;
        let quick_room = room.clone();
        let before = desk.visitor.log(&room).await.len() as i64;
        let reading =
            actix_web::rt::spawn(async move { quick.entries_up_to(&quick_room, before + 40 * 16).await });
        let text = "x".repeat(12_000);
        // The connection's own buffers take some megabytes before the server notices anything.
        let (mut early, mut lag) = (Vec::new(), None);
        for _ in 0..40 {
            join_all((0..16).map(|_| desk.visitor.send(&room, &text))).await;
            // Who takes nothing at all for ten seconds is closed, and a loaded machine needs longer than that.
            if lag.is_none() {
                let frame = slow.next().await.unwrap();
                match frame["type"] == "lag" {
                    true => lag = Some(frame["data"].clone()),
                    false => early.push(frame),
                }
            }
        }
        let head = desk.visitor.log(&room).await.len() as i64;
        assert_eq!(head, before + 40 * 16);
        let quick_seqs = reading.await.unwrap();
        let mut have = before;
        let got: Vec<_> = quick_seqs.iter().map(|one| one["seq"].as_i64().unwrap()).collect();
        apply(&mut have, &got);
        assert_eq!(have, head, "the quick one has all");

        let lag = match lag {
            Some(lag) => lag,
            None => slow.expect("lag").await,
        };
        early.extend(slow.take_kept());
        let mut have = before;
        apply(&mut have, &seqs(&early, &room));
        assert!(have < head, "frames were dropped");
        let mut cursor = lag["cursor"].as_str().unwrap().to_owned();
        loop {
            let page = slow.ask("sync", json!({"cursor": cursor})).await;
            cursor = page["cursor"].as_str().unwrap().to_owned();
            if page["more"] == false {
                assert_eq!(page["rows"][0]["seq"], head);
                break;
            }
        }
        while have < head {
            let page = slow.ask("pull", json!({"conversation_id": room, "after_seq": have})).await;
            let pulled: Vec<_> =
                page["entries"].as_array().unwrap().iter().map(|one| one["seq"].as_i64().unwrap()).collect();
            assert!(pulled.len() <= 200 && page.to_string().len() < 400_000);
            apply(&mut have, &pulled);
        }
        desk.visitor.send(&room, "after the lag").await;
        let frame = slow.wait("the next entry", |frame| frame["data"]["seq"] == head + 1).await;
        assert_eq!(frame["data"]["content"]["text"], "after the lag");
    });
}
