//! Sockets: the bytes themselves. Frames whose lengths lie, fragments, floods of control frames, the client's Close,
//! what a malformed frame leads to. Seen through a bare TCP connection, and on SQLite only, since no database is
//! asked.
#![cfg(feature = "sqlite")]

use std::time::Duration;

use deskwire::db::DatabaseKind;
use serde_json::{Value, json};

use crate::harness::process::Process;
use crate::harness::raw::{RawSocket, frame, head};
use crate::harness::{Socket, TestApp, TestDatabase, block_on, run};

fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(TestApp) -> F) {
    run(DatabaseKind::Sqlite, test);
}

const TEXT: u8 = 0x81;
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;

#[test]
fn a_frame_is_refused_by_the_length_that_it_announces() {
    on_sqlite(async |app| {
        let desk = app.desk().await;
        // Nothing but the head is sent: the refusal cannot have waited for the payload.
        for length in [16_385, 1 << 32, u64::MAX] {
            let mut socket = RawSocket::connect(app.base()).await;
            socket.write(&head(TEXT, length)).await;
            assert_eq!(socket.closed().await, Some(1009), "{length} before hello");
        }
        let mut socket = RawSocket::live(app.base(), &desk.agent).await;
        socket.write(&frame(TEXT, &vec![b' '; 60_000])).await;
        socket.write(&head(TEXT, 65_537)).await;
        assert_eq!(socket.closed().await, Some(1009), "after hello");
        let mut socket = RawSocket::live(app.base(), &desk.agent).await;
        socket.write(&frame(TEXT_BEGINS, &vec![b' '; 60_000])).await;
        socket.write(&head(GOES_ON, 60_000)).await;
        assert_eq!(socket.closed().await, Some(1009), "fragments count together");
    });
}

/// Frames that announce much, and then bytes without end, before anybody has said hello.
#[test]
fn lying_lengths_take_no_memory() {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    let process = Process::serve(&database.url);
    block_on(async {
        let base = process.base();
        // What starting takes, the documents above all, is not what is looked at.
        process.client().get_root("/healthz").await.ok();
        let before = process.peak();
        let pour = async |opening: Vec<u8>, filling: Vec<u8>| {
            let mut socket = RawSocket::connect(&base).await;
            socket.write(&opening).await;
            for _ in 0..512 {
                // The server may have cut the connection by now.
                if !socket.try_write(&filling).await {
                    break;
                }
            }
        };
        let filling = vec![0_u8; 65_536];
        let fragment = frame(GOES_ON, &[b' '; 2_000]).repeat(32);
        futures_util::future::join_all((0..8).map(|number| match number % 4 {
            0 => pour(head(TEXT, 1 << 32), filling.clone()),
            1 => pour(head(PING, 1 << 40), filling.clone()),
            2 => pour(head(TEXT, u64::MAX), filling.clone()),
            _ => pour(frame(TEXT_BEGINS, b"{"), fragment.clone()),
        }))
        .await;
        let grown = process.peak().saturating_sub(before);
        // 256 MiB were poured in; what a process takes for its first sockets stays far below.
        assert!(grown < 64 << 20, "the memory grew by {} MiB", grown >> 20);
    });
}

#[test]
fn a_malformed_frame_leads_to_what_is_documented() {
    on_sqlite(async |app| {
        let desk = app.desk().await;
        // Bad framing and binary messages end the socket, before hello and after it.
        let framing: [(&str, Vec<u8>); 7] = [
            ("binary", frame(0x82, b"{}")),
            ("a reserved bit", frame(0xc1, b"{}")),
            ("an unknown opcode", frame(0x83, b"{}")),
            ("no mask", vec![0x81, 0x02, b'{', b'}']),
            ("a ping of 126 bytes", frame(PING, &[b'x'; 126])),
            ("a continuation of nothing", frame(0x80, b"{}")),
            ("half a close code", frame(CLOSE, b"x")),
        ];
        for (what, bytes) in framing {
            let mut early = RawSocket::connect(app.base()).await;
            early.write(&bytes).await;
            assert_eq!(early.closed().await, Some(4500), "{what} before hello");
            let mut late = RawSocket::live(app.base(), &desk.agent).await;
            late.write(&bytes).await;
            assert_eq!(late.closed().await, Some(4500), "{what} after hello");
        }
        // What is no frame, or no hello, ends a socket that has said nothing else yet.
        for text in [
            "nope",
            "[]",
            "{}",
            r#"{"type":"hello","data":{"token":5}}"#,
            r#"{"type":"hello","data":{"token":"t"}}"#,
            r#"{"type":"hello","data":{"token":"t","device":"d","more":1}}"#,
            r#"{"type":"hello","data":[]}"#,
            r#"{"type":"hello","surplus":1,"data":{}}"#,
            "\u{0}",
        ] {
            let mut socket = Socket::connect(app.base()).await;
            socket.send_text(text.to_owned()).await;
            let error = socket.expect("error").await;
            assert!(error["code"].is_string());
            assert_eq!(socket.expect_close().await, 4500, "{text}");
        }
        let mut socket = RawSocket::connect(app.base()).await;
        socket.write(&frame(TEXT, b"\xff\xfe")).await;
        assert_eq!(socket.closed().await, Some(4500));
        // A frame of ours that comes too early, or one that is not known, is refused and nothing more.
        let mut early = Socket::connect(app.base()).await;
        early.ask_refused("sync", json!({"cursor": "x"}), "not_ready").await;
        early.ask_refused("fly", json!({}), "unsupported").await;
        early.hello(json!({"token": desk.agent.token, "device": "early"})).await;
    });
}

#[test]
fn a_clients_close_is_answered() {
    on_sqlite(async |app| {
        let desk = app.desk().await;
        for (payload, code) in [(&[0x03_u8, 0xe8][..], Some(1000)), (&[], None), (b"\x0f\xa1bye", Some(4001))]
        {
            let mut early = RawSocket::connect(app.base()).await;
            early.write(&frame(CLOSE, payload)).await;
            assert_eq!(early.close_frame().await, Some(code), "before hello");
            let mut live = RawSocket::live(app.base(), &desk.agent).await;
            live.write(&frame(CLOSE, payload)).await;
            assert_eq!(live.close_frame().await, Some(code), "after hello");
        }
        crate::harness::eventually("the places are free", async || {
            (app.connections.open() == 0).then_some(())
        })
        .await;
    });
}

#[test]
fn a_flood_of_control_frames_ends_the_socket() {
    on_sqlite(async |app| {
        let app = app.restarted(|settings| settings.staff_frames_per_second = 20).await;
        let desk = app.desk().await;
        for (what, bytes) in [("pongs", frame(PONG, b"")), ("pings", frame(PING, b"are you there"))] {
            let mut socket = RawSocket::live(app.base(), &desk.agent).await;
            // A few are what a browser sends by itself.
            for _ in 0..10 {
                socket.write(&bytes).await;
            }
            let many = bytes.repeat(100);
            for _ in 0..100 {
                if !socket.try_write(&many).await {
                    break;
                }
            }
            assert_eq!(socket.closed().await, Some(4004), "{what}");
        }
    });
}

#[test]
fn every_wait_has_a_number_in_ready() {
    on_sqlite(async |app| {
        let desk = app.desk().await;
        let socket = desk.visitor.socket().await;
        let limits = socket.ready["limits"].as_array().unwrap();
        let value = |name: &str| {
            let row = limits.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(row["unit"], if name == "hello_frame" { "bytes" } else { "milliseconds" });
            row["value"].as_u64().unwrap()
        };
        assert_eq!(value("ping_interval"), socket.ready["ping_interval_ms"].as_u64().unwrap());
        assert!(value("silence") >= value("ping_interval") * 6 / 5 + value("pong"));
        assert!(value("answer") >= 10_000 && value("hello_frame") > 0);
    });
}

/// What comes behind the request, in the same packet, is the first frame.
#[test]
fn a_hello_in_the_same_packet_as_the_request_is_read() {
    on_sqlite(async |app| {
        let desk = app.desk().await;
        let hello =
            json!({"type": "hello", "data": {"token": desk.agent.token, "device": "hasty"}}).to_string();
        let mut request = RawSocket::request(app.base(), "/api/v1/ws", "");
        request.extend(frame(TEXT, hello.as_bytes()));
        let mut socket = RawSocket::open(app.base()).await;
        socket.write(&request).await;
        assert!(socket.status().await.starts_with("HTTP/1.1 101"));
        let ready: Value = socket.text().await;
        assert_eq!(ready["type"], "ready");
    });
}

/// Requests to upgrade are requests like others as long as they are not accepted.
#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    on_sqlite(async |app| {
        for (path, more, status) in [
            ("/healthz", "", "HTTP/1.1 200"),
            ("/api/v1/nothing", "", "HTTP/1.1 404"),
            ("/api/v1/ws", "Origin: https://evil.example\r\n", "HTTP/1.1 403"),
        ] {
            let mut socket = RawSocket::open(app.base()).await;
            socket.write(&RawSocket::request(app.base(), path, more)).await;
            let answer = socket.status().await;
            assert!(answer.starts_with(status), "{path} {more}: {answer}");
            assert!(answer.to_ascii_lowercase().contains("x-request-id:"), "{answer}");
        }
        // A connection that was refused serves nobody else, and the next one is served.
        tokio::time::timeout(Duration::from_secs(60), app.client().get("/tenants")).await.unwrap();
    });
}
