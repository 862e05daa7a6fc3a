//! The embedded database and its disk: full, freed, copied while the server writes, and put back.
#![cfg(feature = "sqlite")]

use deskwire::db::DatabaseKind;
use serde_json::json;

use crate::harness::audit::audit;
use crate::harness::personas::message;
use crate::harness::process::{Process, finish};
use crate::harness::{TestDatabase, block_on, eventually};

/// F22: the disk is full, then it is not. Writes are refused with a code that says so, reads go on, the process
/// lives, and what was refused is accepted later under the same key.
#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    block_on(async {
        let database = TestDatabase::migrated(DatabaseKind::Sqlite);
        let process = Process::serve_with_file_limit(&database.url, 2_000_000);
        let visitor = process.client().with_token(process.visitor_token(&database.seed().slug()).await);
        let room = visitor.open("hello").await;
        let path = format!("/conversations/{room}/messages");
        let words = "x".repeat(16_000);
        let mut accepted = 0;
        let refused = loop {
            let body = message(&words);
            let answer = visitor.post(&path, body.clone()).await;
            if answer.status != 201 && answer.status != 200 {
                answer.refused(503, "storage_unavailable");
                break body;
            }
            accepted += 1;
            assert!(accepted < 2_000, "the disk is never full");
        };
        assert!(accepted > 0);
        assert_eq!(visitor.log(&room).await.len(), accepted + 2, "reads go on");
        visitor.post(&path, refused.clone()).await.refused(503, "storage_unavailable");
        for _ in 0..3 {
            let answer = process.client().get_root("/readyz").await;
            assert_eq!((answer.status, answer.code()), (503, "storage_unavailable"), "{answer}");
        }
        process.free_the_disk();
        let client = process.client();
        let ready = || async { (client.get_root("/readyz").await.status == 200).then_some(()) };
        eventually("ready again without any write by a client", ready).await;
        let answer = visitor.post(&path, refused).await.ok();
        assert_eq!(answer["seq"].as_i64(), Some(accepted as i64 + 3), "{answer}");
        assert_eq!(process.terminate(), Some(0));
        let store = audit(&mut database.connect());
        assert_eq!(store.messages(room.parse().unwrap()).len(), accepted + 2);
    });
}

/// A backup is taken while the server writes; after a restore every cursor of the lost future is refused and not
/// quietly resumed, over REST and on the socket.
#[test]
fn a_restore_resets_every_cursor() {
    block_on(async {
        let database = TestDatabase::migrated(DatabaseKind::Sqlite);
        let process = Process::serve(&database.url);
        let visitor = process.client().with_token(process.visitor_token(&database.seed().slug()).await);
        let room = visitor.open("hello").await;
        for number in 0..20 {
            visitor.send(&room, &number.to_string()).await;
        }
        let early = visitor.get("/sync").await.ok()["cursor"].as_str().unwrap().to_owned();
        let copy = database.folder().unwrap().join("copy.db");
        let copy = copy.to_str().unwrap().to_owned();
        let (url, file) = (database.url.clone(), copy.clone());
        let backup = tokio::task::spawn_blocking(move || finish(&["backup", &file], &url));
        let writer = visitor.clone();
        let room_of_writer = room.clone();
        let writing = async move {
            for number in 20..60 {
                writer.send(&room_of_writer, &number.to_string()).await;
            }
        };
        let (backup, ()) = futures_util::future::join(backup, writing).await;
        let backup = backup.unwrap();
        assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
        let late = visitor.get("/sync").await.ok()["cursor"].as_str().unwrap().to_owned();
        let epoch = visitor.socket().await.ready["epoch"].clone();

        let in_use = finish(&["restore", &copy], &database.url);
        assert!(!in_use.status.success(), "restored under a running server");
        let port = process.port();
        assert_eq!(process.terminate(), Some(0));
        let restored = finish(&["restore", &copy], &database.url);
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        let process = Process::serve_on(&database.url, port, &[]);

        // A connection kept from the killed server would only fail.
        let visitor = process.client().with_token(visitor.token.unwrap());
        for cursor in [&early, &late] {
            visitor.get(&format!("/sync?cursor={cursor}")).await.refused(410, "cursor_reset");
            let hello = json!({"cursor": cursor, "epoch": epoch, "conversations": [[room, 10]]});
            let mut socket = visitor.socket_with(hello).await;
            let reset = socket.expect("reset").await;
            assert_eq!((&reset["all"], &reset["reason"]), (&json!(true), &json!("cursor_reset")));
        }
        let log = visitor.log(&room).await;
        assert!(log.len() >= 22 && log.len() < 63, "the copy is from before the end: {}", log.len());
        visitor.send(&room, "life goes on").await;
        assert_eq!(process.terminate(), Some(0));
        audit(&mut database.connect());
    });
}
