//! Uploads: what is refused, what a broken one leaves, how many at once, how much, and who scans.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use deskwire::db::DatabaseKind;
use deskwire::files::MEMBER_UPLOADS;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::attachments::{announce, carrying, kept, png, send, upload, uploaded};
use crate::harness::{Answer, Client, TestApp, TestDatabase, eventually};

/// Sends the head of an upload whose body is announced so, and some bytes of it; the connection stays open.
async fn begin(app: &TestApp, by: &Client, path: &str, framing: &str, bytes: &[u8]) -> tokio::net::TcpStream {
    let request = by.request(Method::PUT, &format!("{path}/content")).build().unwrap();
    let token = request.headers()["authorization"].to_str().unwrap().to_owned();
    let host = app.base().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: {host}\r\nauthorization: {token}\r\n{framing}\r\n\r\n",
        request.url().path()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// A clamd for so many scans that answers with these words.
fn clamd(scans: usize, answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(scans) {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0; 10]).unwrap();
            loop {
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut piece = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut piece).unwrap();
                if piece.is_empty() {
                    break;
                }
            }
            stream.write_all(format!("{answer}\0").as_bytes()).unwrap();
        }
    });
    address
}

on_every_database! {
    /// Each refused upload leaves nothing, and the right content may come afterwards.
    async fn a_content_is_what_was_announced_and_allowed(app: TestApp) {
        let desk = app.desk().await;
        let path = announce(&desk.visitor, "a.png", 12).await;
        upload(&desk.visitor, &path, b"too short").await.refused(422, "upload_mismatch");
        upload(&desk.visitor, &path, b"somewhat too long").await.refused(422, "upload_mismatch");
        for refused in [&b"<svg onload>"[..], b"<!doctype ht", b"\x7fELF\x02\x01\x01\0\0\0\0\0", b"\0\0\0\0\0\0\0\0\0\0\0\0"] {
            upload(&desk.visitor, &path, refused).await.refused(415, "file_type_refused");
        }
        let encoded = desk.visitor.request(Method::PUT, &format!("{path}/content"));
        let encoded = encoded.header("content-encoding", "gzip").body(vec![b'a'; 12]);
        Answer::of(encoded).await.refused(415, "unsupported_media_type");
        // A picture of which nothing but its first bytes is one.
        upload(&desk.visitor, &path, b"\x89PNG\r\n\x1a\n\0\0\0\0").await.refused(415, "file_type_refused");
        // Without a length, byte by byte too many.
        let chunked = "transfer-encoding: chunked\r\nconnection: close";
        let mut endless = begin(&app, &desk.visitor, &path, chunked, b"d\r\none too many.\r\n").await;
        let mut answer = String::new();
        while !answer.contains("payload_too_large") {
            let mut bytes = [0; 1_024];
            let count = tokio::io::AsyncReadExt::read(&mut endless, &mut bytes).await.unwrap();
            assert!(count > 0, "{answer}");
            answer.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        kept(&app, 0, 0).await;
        let ready = upload(&desk.visitor, &path, b"just right..").await.ok();
        assert_eq!((&ready["state"], &ready["media_type"]), (&json!("ready"), &json!("text/plain")));
        upload(&desk.visitor, &path, b"just right..").await.ok();
        upload(&desk.visitor, &path, b"another one.").await.refused(422, "upload_mismatch");
        kept(&app, 1, 12).await;
    }

    /// What is announced is checked before a byte comes.
    async fn an_announcement_has_a_name_and_a_size(app: TestApp) {
        let desk = app.desk().await;
        for (body, pointer) in [
            (json!({"name": "../../etc/passwd", "size": 1}), "/name"),
            (json!({"name": "a\nb", "size": 1}), "/name"),
            (json!({"name": "", "size": 1}), "/name"),
            (json!({"name": "n".repeat(256), "size": 1}), "/name"),
            (json!({"name": "a", "size": 0}), "/size"),
            (json!({"name": "a", "size": -1}), "/size"),
            (json!({"name": "a", "size": "1"}), "/size"),
            (json!({"name": "a"}), "/size"),
            (json!({"name": "a", "size": 1, "state": "ready"}), "/state"),
        ] {
            let problem = desk.visitor.post("/attachments", body.clone()).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        }
        let large = json!({"name": "a", "size": 20_971_521});
        desk.visitor.post("/attachments", large).await.refused(413, "payload_too_large");
        let largest = json!({"name": "a", "size": 20_971_520});
        desk.visitor.post("/attachments", largest).await.status(201);
        app.client().post("/attachments", json!({"name": "a", "size": 1})).await.refused(401, "unauthenticated");
        for _ in 1..100 {
            announce(&desk.visitor, "a", 1).await;
        }
        desk.visitor.post("/attachments", json!({"name": "a", "size": 1})).await.refused(409, "limit_reached");
        announce(&desk.second_visitor, "a", 1).await;
    }

    /// A client that goes away, or stays and says nothing, leaves nothing behind and may come again.
    async fn a_broken_upload_leaves_nothing(app: TestApp) {
        let slow = app.restarted(|settings| settings.body_seconds = 1).await;
        let app = &slow;
        let desk = app.desk().await;
        let path = announce(&desk.visitor, "a.txt", 10).await;
        drop(begin(app, &desk.visitor, &path, "content-length: 10", b"half").await);
        let mut silent = begin(app, &desk.visitor, &path, "content-length: 10", b"half").await;
        let mut answer = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"), "{answer}");
        kept(app, 0, 0).await;
        upload(&desk.visitor, &path, b"whole text").await.ok();
        kept(app, 1, 10).await;
    }

    /// A member who begins uploads and does not end them keeps nobody else out.
    async fn a_member_has_so_many_uploads_at_once(app: TestApp) {
        let desk = app.desk().await;
        let mut open = Vec::new();
        for _ in 0..MEMBER_UPLOADS {
            let path = announce(&desk.visitor, "a.txt", 10).await;
            open.push(begin(&app, &desk.visitor, &path, "content-length: 10", b"half").await);
        }
        let path = announce(&desk.visitor, "b.txt", 10).await;
        eventually("all of them are under way", || async {
            (app.files.upload_turn(desk.seed.visitor.member).is_err()).then_some(())
        })
        .await;
        let refused = upload(&desk.visitor, &path, b"whole text").await;
        assert_eq!((refused.status, refused.code()), (429, "rate_limited"), "{}", refused.body);
        uploaded(&desk.second_visitor, "c.txt", b"another's").await;
        drop(open.pop());
        eventually("one more has room", || async {
            (upload(&desk.visitor, &path, b"whole text").await.status == 200).then_some(())
        })
        .await;
        let other = announce(&desk.visitor, "d.txt", 10).await;
        upload(&desk.visitor, &other, b"whole text").await.ok();
    }

    /// A process that dies in the middle of an upload leaves a row, by which its file is found.
    async fn what_a_dead_process_left_is_found(app: TestApp) {
        use deskwire::db::schema::stored_file::dsl;
        use diesel::{ExpressionMethods, RunQueryDsl};
        let desk = app.desk().await;
        let (tenant, now) = (desk.tenant, app.clock.now().0);
        let write = move |connection: &mut deskwire::db::AnyConnection| {
            let row = (
                dsl::id.eq(77), dsl::tenant_id.eq(tenant), dsl::state.eq("uploading"), dsl::size.eq(5),
                dsl::created_at.eq(now), dsl::sweep_at.eq(now + 600_000),
            );
            deskwire::on!(connection, inner => diesel::insert_into(dsl::stored_file).values(row).execute(inner))?;
            Ok(())
        };
        app.db.write(write).await.unwrap();
        let folder = app.database().files().join(tenant.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("77"), b"half").unwrap();
        uploaded(&desk.visitor, "a.txt", b"whole").await;
        kept(&app, 2, 5).await;
        app.advance(600_000).await;
        kept(&app, 1, 5).await;
        assert!(!folder.join("77").exists());
    }

    /// Equal bytes at once are kept once; of different bytes for one attachment one wins.
    async fn uploads_at_once_do_not_meet(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let paths = join_all((0..12).map(|_| announce(&desk.visitor, "a.txt", 5))).await;
        let done = join_all(paths.iter().map(|path| upload(&desk.visitor, path, b"equal"))).await;
        assert!(done.into_iter().all(|answer| answer.status == 200));
        kept(&app, 1, 5).await;
        uploaded(&other.visitor, "a.txt", b"equal").await;
        kept(&app, 2, 10).await;
        let path = announce(&desk.visitor, "b.txt", 6).await;
        let contents: Vec<String> = (10..22).map(|number| format!("text{number}")).collect();
        let done = join_all(contents.iter().map(|text| upload(&desk.visitor, &path, text.as_bytes()))).await;
        let statuses: Vec<u16> = done.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(done.iter().all(|answer| answer.status == 200 || answer.code() == "upload_mismatch"));
        kept(&app, 3, 16).await;
        // One attachment, many messages at once: one carries it.
        let room = desk.open("look").await;
        let messages: Vec<_> = (0..12).map(|_| carrying("file", &paths[0])).collect();
        let sent = join_all(messages.iter().map(|message| send(&desk.visitor, &room, message))).await;
        assert_eq!(sent.iter().filter(|answer| answer.status == 201).count(), 1);
    }

    /// A tenant keeps as many bytes as it may, and the next one has its own.
    async fn a_tenant_keeps_no_more_than_it_may(app: TestApp) {
        let app = app.restarted(|settings| settings.files.tenant_files_limit = 10).await;
        let (desk, other) = (app.desk().await, app.desk().await);
        let path = announce(&desk.visitor, "a.txt", 6).await;
        let later = announce(&desk.agent, "b.txt", 6).await;
        upload(&desk.visitor, &path, b"first.").await.ok();
        let problem = upload(&desk.agent, &later, b"second").await.refused(413, "quota_exceeded");
        assert_eq!(problem["context"], json!({"bytes": 6, "quota": 10}));
        // What is there already takes no more room.
        upload(&desk.agent, &later, b"first.").await.ok();
        desk.visitor.post("/attachments", json!({"name": "c", "size": 5})).await.refused(413, "quota_exceeded");
        uploaded(&other.visitor, "a.txt", b"first.").await;
        desk.visitor.delete(&path).await.status(204);
        desk.agent.delete(&later).await.status(204);
        kept(&app, 1, 6).await;
        uploaded(&desk.visitor, "c.txt", b"again").await;
    }

    /// Harmful contents are not kept; when nobody scans, nothing is kept either, unless the operator says so.
    async fn contents_are_scanned(app: TestApp) {
        let found = clamd(1, "stream: Eicar FOUND");
        let scanned = app.restarted(|settings| settings.files.clamd = Some(found)).await;
        let desk = scanned.desk().await;
        let path = announce(&desk.visitor, "a.txt", 4).await;
        upload(&desk.visitor, &path, b"evil").await.refused(422, "attachment_infected");
        desk.visitor.get(&path).await.refused(404, "not_found");
        kept(&scanned, 0, 0).await;
        let path = announce(&desk.visitor, "a.txt", 4).await;
        upload(&desk.visitor, &path, b"good").await.refused(503, "scanner_unavailable");
        let clean = clamd(1, "stream: OK");
        let scanned = scanned.restarted(|settings| settings.files.clamd = Some(clean)).await;
        let visitor = scanned.desk_of(desk.seed).visitor;
        upload(&visitor, &path, b"good").await.ok();
        let lenient = scanned.restarted(|settings| {
            settings.files.clamd = Some("127.0.0.1:1".to_owned());
            settings.files.clamd_optional = true;
        });
        let lenient = lenient.await;
        uploaded(&lenient.desk_of(desk.seed).visitor, "b.txt", b"kept").await;
        kept(&lenient, 2, 8).await;
    }

    /// Another process on the same store and folder reads what this one took, and removes what it left.
    async fn processes_share_the_folder(app: TestApp) {
        if !app.kind().is_server() {
            return;
        }
        let second = app.second().await;
        let desk = app.desk().await;
        let there = second.desk_of(desk.seed);
        let room = desk.open("look").await;
        let path = uploaded(&desk.visitor, "a.png", &png(9, 9, 1)).await;
        let sent = send(&there.visitor, &room, &carrying("image", &path)).await.status(201);
        let link = there.visitor.get(&format!("{path}/url")).await.ok();
        let url = format!("{}{}", app.base(), link["url"].as_str().unwrap());
        let read = app.http().get(url).send().await.unwrap();
        assert_eq!(read.bytes().await.unwrap(), png(9, 9, 1));
        there.visitor.delete(&format!("/conversations/{room}/messages/{}", sent["seq"])).await.ok();
        kept(&app, 0, 0).await;
    }
}

/// Without a folder a server database keeps no files, and says so; the rest works.
#[test]
#[cfg(feature = "postgres")]
fn without_a_folder_there_are_no_attachments() {
    let kind = DatabaseKind::Postgresql;
    if !crate::harness::servers::available(kind) {
        return;
    }
    crate::harness::block_on(async {
        let database = Arc::new(TestDatabase::migrated(kind));
        let app =
            TestApp::on(database, deskwire::kernel::Clock::default(), |settings| settings.files.files = None)
                .await;
        let desk = app.desk().await;
        let body = json!({"name": "a", "size": 1});
        desk.visitor.post("/attachments", body).await.refused(409, "attachments_off");
        desk.open("hello").await;
        app.stop().await;
    });
}
