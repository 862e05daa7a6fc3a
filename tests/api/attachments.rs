//! Attachments: from the upload to the reader, who may read what, and what is left when a message is recalled.

use std::io::Cursor;
use std::path::Path;

use deskwire::db::schema::{attachment, stored_file, tenant_usage};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::personas::message;
use crate::harness::{Answer, Client, TestApp, eventually};

const DAY: i64 = 86_400_000;

/// A picture of this size; `shade` makes another one.
pub fn png(width: u32, height: u32, shade: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(width, height, image::Rgb([shade, 90, 90]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Announces a file of so many bytes; gives its path.
pub async fn announce(by: &Client, name: &str, size: usize) -> String {
    let made = by.post("/attachments", json!({"name": name, "size": size})).await.status(201);
    let path = format!("/attachments/{}", made["attachment"]["id"].as_str().unwrap());
    let upload = json!({"method": "PUT", "url": format!("/api/v1{path}/content")});
    assert_eq!((&made["upload"], &made["attachment"]["state"]), (&upload, &json!("pending")));
    path
}

pub async fn upload(by: &Client, path: &str, content: &[u8]) -> Answer {
    Answer::of(by.request(Method::PUT, &format!("{path}/content")).body(content.to_vec())).await
}

/// Announces and uploads a file; gives its path.
pub async fn uploaded(by: &Client, name: &str, content: &[u8]) -> String {
    let path = announce(by, name, content.len()).await;
    assert_eq!(upload(by, &path, content).await.ok()["state"], "ready");
    path
}

/// A message that carries an attachment.
pub fn carrying(kind: &str, path: &str) -> Value {
    let mut message = message("");
    message["kind"] = json!(kind);
    message["content"] = json!({"attachment_id": path.trim_start_matches("/attachments/")});
    message
}

pub async fn send(by: &Client, room: &str, message: &Value) -> Answer {
    by.post(&format!("/conversations/{room}/messages"), message.clone()).await
}

/// The address of a content.
async fn link(by: &Client, path: &str, variant: &str) -> String {
    let link = by.get(&format!("{path}/url?variant={variant}")).await.ok();
    link["url"].as_str().unwrap().to_owned()
}

/// Follows a link, with these headers, as a browser without a token.
async fn follow(app: &TestApp, url: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = app.http().get(format!("{}{url}", app.base()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// How many files lie in a folder and the folders in it.
fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

/// Waits until so many files, rows of files and bytes are kept.
pub async fn kept(app: &TestApp, count: usize, bytes: i64) {
    let folder = app.database().files();
    eventually("the files are as they should be", || async {
        let read = |connection: &mut deskwire::db::AnyConnection| {
            let rows: i64 = stored_file::table.count().get_result(connection)?;
            let used: Vec<i64> = tenant_usage::table.select(tenant_usage::bytes).load(connection)?;
            Ok((rows, used.iter().sum::<i64>()))
        };
        let (rows, used) = app.db.read(read).await.ok()?;
        let thumbnails = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let thumbnails = thumbnails.flat_map(|tenant| std::fs::read_dir(tenant.path()).into_iter().flatten());
        let small = thumbnails.flatten().filter(|file| file.path().extension().is_some()).count();
        (rows as usize == count && used == bytes && files(&folder) - small == count).then_some(())
    })
    .await;
}

on_every_database! {
    /// What each side sees of a picture, and what a browser gets.
    async fn a_picture_goes_from_the_visitor_to_the_agent(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("look").await;
        let mut socket = desk.agent.socket().await;
        let picture = png(600, 300, 10);
        let path = uploaded(&desk.visitor, "茶 cup.png", &picture).await;
        let known = desk.visitor.get(&path).await.ok();
        assert_eq!((&known["media_type"], &known["width"]), (&json!("image/png"), &json!(600)));
        desk.agent.get(&path).await.refused(404, "not_found");
        desk.agent.get(&format!("{path}/url")).await.refused(404, "not_found");
        let sent = send(&desk.visitor, &room, &carrying("image", &path)).await.status(201);
        let content = json!({
            "attachment_id": known["id"], "name": "茶 cup.png", "size": picture.len(), "media_type": "image/png",
            "width": 600, "height": 300, "has_thumbnail": true,
        });
        assert_eq!(sent["entry"]["content"], content);
        let seen = socket.wait("the picture", |frame| frame["data"]["kind"] == "image").await;
        assert_eq!(seen["data"]["content"], content);
        let known = desk.agent.get(&path).await.ok();
        assert_eq!((&known["seq"], &known["expires_at"]), (&sent["seq"], &Value::Null));

        let url = link(&desk.agent, &path, "original").await;
        let whole = follow(&app, &url, &[]).await;
        assert_eq!(whole.status().as_u16(), 200);
        assert_eq!(header(&whole, "content-type"), "image/png");
        assert_eq!(header(&whole, "content-disposition"), "inline; filename*=UTF-8''%E8%8C%B6%20cup.png");
        assert_eq!(header(&whole, "x-content-type-options"), "nosniff");
        assert!(header(&whole, "content-security-policy").contains("sandbox"));
        let etag = header(&whole, "etag").to_owned();
        assert_eq!(whole.bytes().await.unwrap(), picture);
        let part = follow(&app, &url, &[("range", "bytes=10-19"), ("if-range", &etag)]).await;
        assert_eq!((part.status().as_u16(), header(&part, "content-length")), (206, "10"));
        assert_eq!(part.bytes().await.unwrap(), picture[10..20]);
        assert_eq!(follow(&app, &url, &[("range", "bytes=1-2"), ("if-range", "\"x\"")]).await.status(), 200);
        assert_eq!(follow(&app, &url, &[("if-none-match", &etag)]).await.status(), 304);
        let beyond = follow(&app, &url, &[("range", "bytes=999999-")]).await;
        assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range").is_empty()), (416, false));
        assert_eq!(beyond.json::<Value>().await.unwrap()["code"], "range_not_satisfiable");

        let url = link(&desk.agent, &path, "thumbnail").await;
        let small = follow(&app, &url, &[]).await;
        assert_eq!(header(&small, "content-type"), "image/jpeg");
        let small = image::load_from_memory(&small.bytes().await.unwrap()).unwrap();
        assert_eq!((small.width(), small.height()), (480, 240));
    }

    /// What is no picture is downloaded, and has no thumbnail.
    async fn a_document_is_downloaded(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("look").await;
        let path = uploaded(&desk.agent, "terms.txt", b"be kind").await;
        send(&desk.agent, &room, &carrying("file", &path)).await.status(201);
        let whole = follow(&app, &link(&desk.visitor, &path, "original").await, &[]).await;
        assert_eq!(header(&whole, "content-type"), "text/plain");
        assert_eq!(header(&whole, "content-disposition"), "attachment; filename*=UTF-8''terms.txt");
        desk.visitor.get(&format!("{path}/url?variant=thumbnail")).await.refused(404, "not_found");
        let found = desk.agent.get("/search/messages?q=terms&kind=file").await.ok();
        assert_eq!(found["data"][0]["message"]["content"]["name"], "terms.txt", "{found}");
        let found = desk.agent.get("/search/messages?q=kind&kind=file").await.ok();
        assert_eq!(found["data"], json!([]), "by their names, not by what is in them");
    }

    /// A message carries an attachment of its sender that is ready, of the right type, and that no other message carries.
    async fn an_attachment_is_sent_once_and_by_its_uploader(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = desk.open_and_claim("look").await;
        let path = uploaded(&desk.visitor, "a.png", &png(4, 4, 1)).await;
        let picture = carrying("image", &path);
        for (by, room) in [(&desk.agent, &room), (&other.visitor, &other.open("x").await)] {
            let problem = send(by, room, &picture).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/content/attachment_id");
        }
        let problem = send(&desk.visitor, &room, &carrying("voice", &path)).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/kind");
        let pending = announce(&desk.visitor, "b.png", 10).await;
        send(&desk.visitor, &room, &carrying("image", &pending)).await.refused(409, "attachment_not_ready");
        desk.visitor.get(&format!("{pending}/url")).await.refused(409, "attachment_not_ready");
        let mut long = carrying("image", &path);
        long["content"]["duration_ms"] = json!(5);
        send(&desk.visitor, &room, &long).await.refused(422, "validation_failed");
        long["content"] = json!({"attachment_id": "1", "url": "https://evil.example/a.png"});
        send(&desk.visitor, &room, &long).await.refused(422, "validation_failed");

        let sent = send(&desk.visitor, &room, &picture).await.status(201);
        assert_eq!(send(&desk.visitor, &room, &picture).await.status(200)["seq"], sent["seq"]);
        let problem = send(&desk.visitor, &room, &carrying("image", &path)).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["code"], "used");
        desk.visitor.delete(&path).await.refused(409, "in_use");
        upload(&desk.visitor, &path, &png(4, 4, 1)).await.ok();
        upload(&desk.visitor, &path, &png(4, 4, 2)).await.refused(422, "upload_mismatch");
        let at = format!("/conversations/{room}/messages/{}", sent["seq"]);
        let edit = json!({"kind": "image", "content": picture["content"]});
        desk.visitor.patch(&at, edit).await.refused(422, "validation_failed");
        let edit = json!({"kind": "text", "content": {"text": "no picture"}});
        desk.visitor.patch(&at, edit).await.refused(422, "validation_failed");
        desk.visitor.delete(&at).await.ok();
        let again = send(&desk.visitor, &room, &picture).await.status(200);
        assert_eq!((&again["seq"], &again["entry"]["content"]), (&sent["seq"], &json!({})));
    }

    /// An opening with a picture is one step: without the picture there is no conversation.
    async fn a_conversation_opens_with_a_picture_or_not_at_all(app: TestApp) {
        let desk = app.desk().await;
        let path = announce(&desk.visitor, "a.png", png(4, 4, 1).len()).await;
        let body = json!({"message": carrying("image", &path)});
        desk.visitor.post("/conversations", body.clone()).await.refused(409, "attachment_not_ready");
        let foreign = json!({"message": carrying("image", &uploaded(&desk.agent, "b.png", &png(4, 4, 2)).await)});
        let problem = desk.visitor.post("/conversations", foreign).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/message/content/attachment_id");
        assert_eq!(desk.visitor.get("/conversations").await.ok()["data"], json!([]));
        upload(&desk.visitor, &path, &png(4, 4, 1)).await.ok();
        let opened = desk.visitor.post("/conversations", body).await.status(201);
        let id = opened["conversation"]["id"].as_str().unwrap();
        assert_eq!(desk.visitor.log(id).await.last().unwrap()["kind"], "image");
    }

    /// Who may read the message may read the file, and nobody else.
    async fn a_file_is_read_by_who_reads_its_message(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = desk.open_and_claim("look").await;
        let path = uploaded(&desk.agent, "secret.txt", b"for the staff only").await;
        let note = desk.agent.post(&format!("/conversations/{room}/notes"), carrying("file", &path)).await;
        note.status(201);
        for (name, client) in desk.everybody() {
            let may = ["agent", "supervisor", "admin"].contains(&name);
            let expected = if may { 200 } else if name == "anonymous" { 401 } else { 404 };
            assert_eq!(client.get(&path).await.status, expected, "{name}");
            assert_eq!(client.get(&format!("{path}/url")).await.status, expected, "{name}");
        }
        for stranger in [&other.admin, &other.visitor] {
            stranger.get(&path).await.refused(404, "not_found");
            stranger.get(&format!("{path}/url")).await.refused(404, "not_found");
            stranger.delete(&path).await.refused(404, "not_found");
            upload(stranger, &path, b"for the staff only").await.refused(404, "not_found");
        }
        // A colleague may read, and still not write.
        upload(&desk.admin, &path, b"for the staff only").await.refused(404, "not_found");
        desk.admin.delete(&path).await.refused(404, "not_found");
    }

    /// A link ends by its time, with its session, and with the sight of the message.
    async fn a_link_ends_with_what_admits(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("look").await;
        let path = uploaded(&desk.visitor, "a.png", &png(4, 4, 1)).await;
        send(&desk.visitor, &room, &carrying("image", &path)).await.status(201);
        desk.admin.post(&format!("/conversations/{room}/members"), json!({"member_id": desk.second_agent.id()})).await.ok();
        let second = link(&desk.second_agent, &path, "original").await;
        let (theirs, mine) = (link(&desk.agent, &path, "original").await, link(&desk.visitor, &path, "original").await);
        for url in [&second, &theirs, &mine] {
            assert_eq!(follow(&app, url, &[]).await.status(), 200);
        }
        let leave = format!("/conversations/{room}/members/{}", desk.second_agent.id());
        desk.second_agent.delete(&leave).await.ok();
        assert_eq!(follow(&app, &second, &[]).await.status(), 404);
        desk.agent.post("/auth/logout", json!({})).await.ok();
        eventually("the link ends with its session", || async {
            (follow(&app, &theirs, &[]).await.status() == 401).then_some(())
        })
        .await;
        assert_eq!(follow(&app, &mine, &[]).await.status(), 200);
        for forged in [mine.replace("dwf_", "dwf_1"), format!("{mine}x"), "/api/v1/files/dwf_".to_owned()] {
            assert_eq!(follow(&app, &forged, &[]).await.status(), 404, "{forged}");
        }
        // Whoever is banned reads nothing, also not by a link.
        let ban = json!({"kind": "member", "value": desk.visitor.id()});
        let ban = desk.admin.post("/bans", ban).await.status(201)["id"].as_str().unwrap().to_owned();
        assert_eq!(follow(&app, &mine, &[]).await.status(), 403);
        desk.admin.delete(&format!("/bans/{ban}")).await.status(204);
        assert_eq!(follow(&app, &mine, &[]).await.status(), 200);
        app.advance(300_000).await;
        let late = follow(&app, &mine, &[]).await;
        assert_eq!(late.status(), 401);
        assert_eq!(late.json::<Value>().await.unwrap()["code"], "token_expired");
    }

    /// A recall takes the file at once for readers, and soon from the disk; equal files of others stay.
    async fn a_recall_takes_the_file(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("look").await;
        let picture = png(30, 30, 1);
        let size = picture.len() as i64;
        let (mut sent, mut links) = (Vec::new(), Vec::new());
        for by in [&desk.visitor, &desk.agent] {
            let path = uploaded(by, "a.png", &picture).await;
            sent.push(send(by, &room, &carrying("image", &path)).await.status(201)["seq"].clone());
            links.push((link(&desk.visitor, &path, "original").await, path));
        }
        kept(&app, 1, size).await;
        let recall = |seq: &Value| format!("/conversations/{room}/messages/{seq}");
        desk.visitor.delete(&recall(&sent[0])).await.ok();
        assert_eq!(follow(&app, &links[0].0, &[]).await.status(), 404);
        desk.visitor.get(&links[0].1).await.refused(404, "not_found");
        eventually("the recalled one has no file any more", || async {
            let parted = |connection: &mut deskwire::db::AnyConnection| {
                let erased = attachment::table.filter(attachment::state.eq("erased"));
                Ok(erased.filter(attachment::stored_file_id.is_null()).count().get_result::<i64>(connection)?)
            };
            (app.db.read(parted).await.ok()? == 1).then_some(())
        })
        .await;
        let whole = |connection: &mut deskwire::db::AnyConnection| {
            let whole = stored_file::table.filter(stored_file::state.eq("ready"));
            Ok(whole.count().get_result::<i64>(connection)?)
        };
        assert_eq!(app.db.read(whole).await.unwrap(), 1, "the other one has it still");
        assert_eq!(follow(&app, &links[1].0, &[]).await.status(), 200);
        desk.visitor.delete(&recall(&sent[0])).await.ok();
        desk.supervisor.delete(&recall(&sent[1])).await.ok();
        assert_eq!(follow(&app, &links[1].0, &[]).await.status(), 404);
        kept(&app, 0, 0).await;
        let words = desk.supervisor.get(&format!("{}/revisions", recall(&sent[0]))).await.ok();
        assert_eq!(words["data"][0]["content"]["name"], "a.png", "supervisors still read what was said");
    }

    /// What no message carries within a day is removed, and what was deleted at once; what is carried stays.
    async fn what_no_message_carries_is_removed(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("look").await;
        let carried = uploaded(&desk.visitor, "carried.txt", b"carried").await;
        send(&desk.visitor, &room, &carrying("file", &carried)).await.status(201);
        let deleted = uploaded(&desk.visitor, "deleted.txt", b"deleted").await;
        kept(&app, 2, 14).await;
        desk.visitor.delete(&deleted).await.status(204);
        desk.visitor.delete(&deleted).await.refused(404, "not_found");
        send(&desk.visitor, &room, &carrying("file", &deleted)).await.refused(422, "validation_failed");
        kept(&app, 1, 7).await;
        let forgotten = uploaded(&desk.visitor, "forgotten.txt", b"forgotten").await;
        let pending = announce(&desk.visitor, "pending.txt", 7).await;
        kept(&app, 2, 16).await;
        app.advance(DAY + 1_000).await;
        kept(&app, 1, 7).await;
        let desk = app.desk_of(desk.seed);
        for path in [forgotten, pending] {
            desk.visitor.get(&path).await.refused(404, "not_found");
        }
        desk.visitor.get(&carried).await.ok();
    }
}
