//! Sockets: bad frames, floods, silence, limits, Origin, and the way out. None of this touches the database's kind,
//! so it runs on SQLite only.
#![cfg(feature = "sqlite")]

use std::time::Duration;

use deskwire::db::DatabaseKind;
use deskwire::gateway::protocol::table::CLIENT_FRAMES;
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Socket, TestApp, run};

fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(TestApp) -> F) {
    run(DatabaseKind::Sqlite, test);
}

fn code_of(frame: &Value) -> &str {
    frame["data"]["code"].as_str().unwrap_or_default()
}

#[test]
fn bad_frames_are_refused_and_the_socket_lives_on() {
    on_sqlite(async |app| {
        let desk = app.desk().await;
        let mut socket = desk.agent.socket().await;
        for (text, code) in [
            ("nope", "malformed_json"),
            ("{\"type\":\"ping\"", "malformed_json"),
            ("", "malformed_json"),
            ("[]", "validation_failed"),
            ("[\"ping\"]", "validation_failed"),
            ("{}", "validation_failed"),
            (r#"{"type":"ping","extra":1}"#, "validation_failed"),
            (r#"{"type":"ping","data":{"nonce":"a\u0000"}}"#, "validation_failed"),
            (r#"{"type":"ping","data":{"nonce":1}}"#, "validation_failed"),
            (r#"{"type":"ping","data":[]}"#, "validation_failed"),
            (r#"{"type":"ping","id":{},"data":{}}"#, "validation_failed"),
            (r#"{"type":"fly","data":{}}"#, "unsupported"),
            (r#"{"type":"hello","data":{"token":"t","device":"d"}}"#, "unsupported"),
            (r#"{"type":"read","data":{"conversation_id":5,"seq":1}}"#, "validation_failed"),
            (r#"{"type":"read","data":{"conversation_id":"5","seq":-1}}"#, "validation_failed"),
            (r#"{"type":"message.send","data":{"conversation_id":"5"}}"#, "validation_failed"),
        ] {
            socket.send_text(text.to_owned()).await;
            let error = socket.expect_frame("error").await;
            assert_eq!(code_of(&error), code, "{text}: {error}");
        }
        // Text that is no UTF-8, whole and in pieces.
        let text = |bytes: &'static [u8], kind: Data, last: bool| {
            Message::Frame(Frame::message(bytes, OpCode::Data(kind), last))
        };
        socket.send_message(text(b"\xff\xfe", Data::Text, true)).await;
        assert_eq!(code_of(&socket.expect_frame("error").await), "malformed_json");
        socket.send_message(text(b"\"\xe4", Data::Text, false)).await;
        socket.send_message(text(b"\xff\"", Data::Continue, true)).await;
        assert_eq!(code_of(&socket.expect_frame("error").await), "malformed_json");
        // A fragmented frame is a frame.
        socket.send_message(text(br#"{"type":"ping","da"#, Data::Text, false)).await;
        socket.send_message(text(br#"ta":{"nonce":"#, Data::Continue, false)).await;
        socket.send_message(text(br#""pieces"}}"#, Data::Continue, true)).await;
        assert_eq!(socket.expect("pong").await["nonce"], "pieces");
        let numbered = json!({"type": "ping", "id": 7, "data": {"nonce": "n"}});
        socket.send_text(numbered.to_string()).await;
        assert_eq!(socket.expect_frame("pong").await["reply_to"], 7);
    });
}

#[test]
fn frames_that_break_the_protocol_close_the_socket() {
    on_sqlite(async |app| {
        let desk = app.desk().await;
        let mut socket = desk.agent.socket().await;
        socket.send_message(Message::binary(b"{}".to_vec())).await;
        assert_eq!(socket.expect_close().await, 4500);

        let mut socket = desk.agent.socket().await;
        socket.send_text(format!(r#"{{"type":"{}"}}"#, "x".repeat(70_000))).await;
        assert_eq!(socket.expect_close().await, 1009);

        let mut socket = desk.agent.socket().await;
        for part in 0..9 {
            let kind = if part == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(vec![b'x'; 8_000], OpCode::Data(kind), false);
            socket.send_message(Message::Frame(frame)).await;
        }
        assert_eq!(socket.expect_close().await, 1009);
    });
}

#[test]
fn nothing_but_hello_comes_first_and_hello_comes_soon() {
    on_sqlite(async |app| {
        let desk = app.desk().await;
        let mut silent = Socket::connect(app.base()).await;
        let mut hasty = Socket::connect(app.base()).await;
        hasty.ask_refused("sync", json!({"cursor": "x"}), "not_ready").await;
        hasty.ask_refused("auth", json!({"token": desk.agent.token}), "not_ready").await;
        let bad = json!({"token": desk.agent.token, "device": "no spaces"});
        let mut wrong = Socket::connect(app.base()).await;
        wrong.ask_refused("hello", bad, "validation_failed").await;
        assert_eq!(wrong.expect_close().await, 4500);
        let mut forged = Socket::connect(app.base()).await;
        forged.ask_refused("hello", json!({"token": "a.b.c", "device": "d"}), "token_invalid").await;
        assert_eq!(forged.expect_close().await, 4501);
        assert_eq!(silent.expect_close().await, 4005);
        assert_eq!(hasty.expect_close().await, 4005);
    });
}

#[test]
fn too_many_frames_are_refused_and_a_flood_ends_the_socket() {
    on_sqlite(async |app| {
        let app = app
            .restarted(|settings| {
                settings.visitor_frames_per_second = 5;
                settings.staff_frames_per_second = 20;
            })
            .await;
        let desk = app.desk().await;
        let mut visitor = desk.visitor.socket().await;
        let ping = json!({"type": "ping", "data": {"nonce": "n"}}).to_string();
        for _ in 0..40 {
            visitor.send_text(ping.clone()).await;
        }
        let error = visitor.expect("error").await;
        assert_eq!((&error["code"], &error["retryable"]), (&json!("rate_limited"), &json!(true)));
        assert!(error["retry_after_ms"].as_u64().is_some_and(|wait| (1..=1_000).contains(&wait)), "{error}");
        let answered = visitor.take_kept().iter().filter(|frame| frame["type"] == "pong").count();
        assert!((15..=25).contains(&answered), "{answered} of 40 pings were answered");
        // Others are not touched by it.
        desk.agent.socket().await.barrier().await;
        let mut closed = None;
        for _ in 0..1_000 {
            for _ in 0..5 {
                visitor.send_text(ping.clone()).await;
            }
            let next = tokio::time::timeout(Duration::from_millis(50), async {
                loop {
                    match visitor.next().await {
                        Some(frame) if frame["type"] == "bye" => return Some(frame["data"]["code"].clone()),
                        Some(_) => {}
                        None => return None,
                    }
                }
            });
            if let Ok(code) = next.await {
                closed = code;
                break;
            }
        }
        assert_eq!(closed, Some(json!(4004)));
    });
}

#[test]
fn who_does_not_answer_pings_is_gone() {
    on_sqlite(async |app| {
        let app = app.restarted(|settings| settings.ping_seconds = 1).await;
        let desk = app.desk().await;
        let mut answers = desk.visitor.socket().await;
        let url = format!("{}/api/v1/ws", app.base().replacen("http", "ws", 1));
        let (mut mute, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let hello = json!({"type": "hello", "data": {"token": desk.agent.token, "device": "mute"}});
        mute.send(Message::text(hello.to_string())).await.unwrap();
        let closed = actix_web::rt::spawn(async move {
            let mut codes = Vec::new();
            while let Some(Ok(message)) = futures_util::StreamExt::next(&mut mute).await {
                if let Message::Close(Some(frame)) = message {
                    codes.push(u16::from(frame.code));
                }
            }
            codes
        });
        // Who answers is asked about ten times meanwhile and stays.
        while !closed.is_finished() {
            answers.barrier().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(closed.await.unwrap(), [4001]);
        answers.barrier().await;
    });
}

#[test]
fn sockets_are_counted_by_member_and_address() {
    on_sqlite(async |app| {
        let app = app
            .restarted(|settings| {
                settings.sockets_per_member = 2;
                settings.sockets_per_address = 4;
            })
            .await;
        let desk = app.desk().await;
        let mut sockets = Vec::new();
        for device in ["one", "two"] {
            sockets.push(desk.agent.socket_with(json!({"device": device})).await);
        }
        let mut third = Socket::connect(app.base()).await;
        third
            .ask_refused("hello", json!({"token": desk.agent.token, "device": "three"}), "limit_reached")
            .await;
        assert_eq!(third.expect_close().await, 4504);
        // The same device comes again: that is no third one.
        sockets.push(desk.agent.socket_with(json!({"device": "two"})).await);
        assert_eq!(sockets[1].expect_close().await, 4506);
        crate::harness::eventually("the places of closed sockets are free", async || {
            (app.connections.open() == 2).then_some(())
        })
        .await;
        sockets.push(desk.visitor.socket().await);
        sockets.push(desk.second_visitor.socket().await);
        // A browser cannot read the answer to a refused upgrade, so the fifth is let in and told.
        let mut fifth = Socket::connect(app.base()).await;
        let bye = fifth.expect("bye").await;
        assert_eq!((&bye["code"], &bye["reconnect"]), (&json!(4007), &json!(true)));
        assert_eq!(fifth.expect_close().await, 4007);
    });
}

#[test]
fn foreign_origins_and_sub_protocols_are_refused() {
    on_sqlite(async |app| {
        let app =
            app.restarted(|settings| settings.allowed_origins = vec!["https://shop.example".into()]).await;
        let own = app.base().to_owned();
        for origin in ["https://shop.example", own.as_str()] {
            assert!(Socket::try_connect(app.base(), &[("origin", origin)]).await.is_ok(), "{origin}");
        }
        let Err(refused) =
            Socket::try_connect(app.base(), &[("origin", "https://evil.example")]).await.map(drop)
        else {
            panic!("a foreign origin was let in");
        };
        assert!(refused.to_string().contains("403"), "{refused}");
        let other = [("sec-websocket-protocol", "something.else")];
        assert!(Socket::try_connect(app.base(), &other).await.is_err());
        app.client().get("/ws").await.refused(400, "invalid_parameter");
    });
}

/// A client that sends its request byte by byte, or half a frame, holds a socket no longer than others.
#[test]
fn half_a_frame_is_no_hello() {
    on_sqlite(async |app| {
        let address = app.base().trim_start_matches("http://").to_owned();
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "GET /api/v1/ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        // The first bytes of a masked text frame that announces more than ever comes.
        stream.write_all(&[0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 5]).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 101"), "{text}");
        assert!(text.contains("hello_timeout"), "{text}");
        crate::harness::eventually("the place is free", async || (app.connections.open() == 0).then_some(()))
            .await;
    });
}

#[test]
fn a_shutdown_sends_everybody_away_with_advice() {
    on_sqlite(async |app| {
        let app = app.restarted(|settings| settings.drain_seconds = 2).await;
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut sockets = Vec::new();
        for number in 0..10 {
            sockets.push(desk.agent.socket_with(json!({"device": format!("d{number}")})).await);
        }
        let ok = sockets[0].say(&room, "m1", "the last word").await;
        let stopping = app.clone();
        let stopped = actix_web::rt::spawn(async move { stopping.stop().await });
        let waits = sockets.iter_mut().map(async |socket| {
            let bye = socket.expect("bye").await;
            assert_eq!(
                (&bye["code"], &bye["reason"], &bye["reconnect"]),
                (&json!(4000), &json!("draining"), &json!(true))
            );
            assert!(bye["after_ms"].is_u64() && bye["spread_ms"].is_u64());
            assert_eq!(socket.expect_close().await, 4000);
        });
        futures_util::future::join_all(waits).await;
        stopped.await.unwrap();
        let again = app.restarted(|_| {}).await;
        let log = again.client_of(desk.agent.actor.unwrap()).log(&room).await;
        assert_eq!(log.last().unwrap()["seq"], ok["seq"]);
    });
}

/// A frame that no test sends would be tried by clients first.
#[test]
fn every_client_frame_is_sent_by_some_test() {
    let tests = crate::tidy::files("tests/api", ".rs");
    for frame in CLIENT_FRAMES {
        let calls =
            ["ask", "ask_refused", "ask_any", "send_frame"].map(|call| format!("{call}(\"{}\"", frame.name));
        let sent = |text: &str| {
            calls.iter().any(|call| text.contains(call))
                || text.contains(&format!("\"type\": \"{}\"", frame.name))
        };
        assert!(tests.iter().any(|(_, text)| sent(text)), "no test sends {}", frame.name);
    }
}
