//! Exports: who may, how many at once, what can be read when, and what the audit log tells of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use deskwire::db::AnyConnection;
use deskwire::db::schema::export;
use deskwire::domain::export::{EXPORT_KEPT_MS, ExportRow, ExportState};
use deskwire::domain::member::Role;
use deskwire::journal::{Command, commands};
use deskwire::kernel::{ExportId, MemberId, TenantId};
use diesel::prelude::*;
use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Client, TestApp, eventually};

pub const PATH: &str = "/exports";

/// The path of an export.
pub fn path(made: &Value) -> String {
    format!("{PATH}/{}", made["id"].as_str().unwrap())
}

/// Waits until an export is in this state; gives it.
pub async fn until(by: &Client, made: &Value, state: &str) -> Value {
    let path = path(made);
    eventually(&format!("the export is {state}"), || async {
        let export = by.get(&path).await.ok();
        (export["state"] == state).then_some(export)
    })
    .await
}

/// Has everything exported, or what is kept of a customer; gives the export when it is done.
pub async fn exported(by: &Client, member: Option<&str>) -> Value {
    let made = by.post(PATH, json!({"member_id": member})).await.status(201);
    until(by, &made, "done").await
}

pub async fn content(by: &Client, made: &Value, headers: &[(&str, &str)]) -> Response {
    let mut request = by.request(Method::GET, &format!("{}/content", path(made)));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// The lines of a file, which must be whole.
pub fn unpacked(bytes: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    assert!(text.ends_with('\n'));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (first, last) = (&lines[0], lines.last().unwrap());
    assert_eq!(
        (&first["type"], &first["format"], &last["type"]),
        (&json!("export"), &json!(1), &json!("end"))
    );
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for line in &lines[1..lines.len() - 1] {
        *counts.entry(line["type"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!((&last["counts"], &last["line_count"]), (&json!(counts), &json!(lines.len())));
    lines
}

/// The lines of a finished export, but the first and the last.
pub async fn lines(by: &Client, made: &Value) -> Vec<Value> {
    let answer = content(by, made, &[]).await;
    assert_eq!(answer.status(), 200);
    let bytes = answer.bytes().await.unwrap();
    let mut lines = unpacked(&bytes);
    let now = by.get(&path(made)).await.ok();
    assert_eq!((&now["byte_count"], &now["line_count"]), (&json!(bytes.len()), &json!(lines.len())));
    lines.pop();
    lines.remove(0);
    lines
}

/// Of one type.
pub fn of<'a>(lines: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| line["type"] == kind)
}

/// Keeps every process from writing exports, as one does that works on another tenant's.
pub fn occupy(connection: &mut AnyConnection) {
    let row = ExportRow {
        id: ExportId(1),
        tenant_id: TenantId(1),
        member_id: None,
        state: ExportState::Running,
        requested_by: MemberId(1),
        requested_at: 1,
        started_at: Some(1),
        finished_at: None,
        expires_at: None,
        failure: None,
        open_key: Some(TenantId(1)),
        rev: 0,
        place: None,
        counts: "{}".to_owned(),
        line_count: 0,
        byte_count: 0,
        attempts: 1,
        lease_owner: Some("another process".to_owned()),
        lease_until: i64::MAX,
        fence: 1,
        sweep_at: None,
    };
    diesel::insert_into(export::table).values(row).execute(connection).unwrap();
}

/// Lets them write again.
pub fn release(connection: &mut AnyConnection) {
    diesel::delete(export::table.filter(export::id.eq(1))).execute(connection).unwrap();
}

/// The files of exports.
pub fn files(app: &TestApp) -> BTreeSet<String> {
    let folder = app.database().files().join("exports");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Waits until no file of an export is left.
pub async fn no_files(app: &TestApp) {
    eventually("no file is left", || async { files(app).is_empty().then_some(()) }).await;
}

on_every_database! {
    /// Administrators export, and programs with the right; nobody else, and nothing of another tenant.
    async fn who_exports_what(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let done = exported(&desk.admin, None).await;
        let one = path(&done);
        for (name, client) in desk.everybody().into_iter().filter(|(name, _)| *name != "admin") {
            let expected = if client.token.is_none() { 401 } else { 403 };
            assert_eq!(client.post(PATH, json!({})).await.status, expected, "{name}");
            assert_eq!(client.get(PATH).await.status, expected, "{name}");
            assert_eq!(client.get(&one).await.status, expected, "{name}");
            assert_eq!(client.post(&format!("{one}/cancel"), json!({})).await.status, expected, "{name}");
            assert_eq!(content(client, &done, &[]).await.status().as_u16(), expected, "{name}");
        }
        for path in [one.as_str(), "/exports/1"] {
            other.admin.get(path).await.refused(404, "not_found");
            other.admin.post(&format!("{path}/cancel"), json!({})).await.refused(404, "not_found");
            other.admin.get(&format!("{path}/content")).await.refused(404, "not_found");
        }
        desk.admin.get("/exports/x").await.refused(400, "invalid_parameter");
        assert_eq!(other.admin.get(PATH).await.ok()["data"], json!([]));

        let field = |answer: Value| (answer["errors"][0]["pointer"].clone(), answer["errors"][0]["code"].clone());
        for (member, code) in [
            (desk.agent.id(), "customer_or_staff"),
            (desk.admin.id(), "customer_or_staff"),
            ("1".to_owned(), "invalid"),
            (other.visitor.id(), "invalid"),
        ] {
            let told = desk.admin.post(PATH, json!({"member_id": member})).await.refused(422, "validation_failed");
            assert_eq!(field(told), (json!("/member_id"), json!(code)), "{member}");
        }
        for body in [json!({"member_id": 7}), json!({"member_id": "x"}), json!({"more": 1}), json!([]), json!({"state": "done"})] {
            desk.admin.post(PATH, body).await.refused(422, "validation_failed");
        }
        let (from, into) = (desk.seed.second_visitor, desk.seed.visitor);
        app.submit(Command::new(from, commands::Merge { from: from.member, into: into.member })).await;
        let told = desk.admin.post(PATH, json!({"member_id": desk.second_visitor.id()})).await.refused(422, "validation_failed");
        assert!(told["errors"][0]["detail"].as_str().is_some_and(|text| text.contains(&desk.visitor.id())), "{told}");

        let account = crate::api_keys::account(&desk, "admin").await;
        let (_, program) = crate::api_keys::key(&desk, &account, &["export_data"]).await;
        let (_, without) = crate::api_keys::key(&desk, &account, &["erase_members"]).await;
        let made = exported(&program, Some(&desk.visitor.id())).await;
        assert_eq!(made["requested_by"], json!(account));
        assert!(!lines(&program, &made).await.is_empty());
        without.get(&one).await.refused(403, "forbidden");
        assert_eq!(content(&without, &made, &[]).await.status(), 403);
        let listed = desk.admin.get(&format!("{PATH}?member_id={}", desk.visitor.id())).await.ok();
        assert_eq!((&listed["data"][0]["id"], listed["data"].as_array().unwrap().len()), (&made["id"], 1));
        let page = desk.admin.get(&format!("{PATH}?limit=1&state=done")).await.ok();
        let rest = desk.admin.get(&format!("{PATH}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await.ok();
        assert_eq!((&page["data"][0]["id"], &rest["data"][0]["id"]), (&made["id"], &done["id"]));
        assert_eq!(rest["next_cursor"], Value::Null);
    }

    /// Of twelve requests at once one is taken, and over all tenants one export is written at a time.
    async fn one_at_a_time(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let mut connection = app.database().connect();
        occupy(&mut connection);
        let asked = join_all((0..12).map(|_| desk.admin.post(PATH, json!({})))).await;
        let (made, refused): (Vec<_>, Vec<_>) = asked.into_iter().partition(|answer| answer.status == 201);
        assert_eq!((made.len(), refused.len()), (1, 11));
        let made = made.into_iter().next().unwrap().ok();
        for answer in refused {
            let told = answer.refused(409, "export_unfinished");
            assert_eq!(told["context"]["export_id"], made["id"], "{told}");
        }
        let theirs = other.admin.post(PATH, json!({})).await.status(201);
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        for (by, one) in [(&desk.admin, &made), (&other.admin, &theirs)] {
            assert_eq!(by.get(&path(one)).await.ok()["state"], "waiting");
            by.get(&format!("{}/content", path(one))).await.refused(409, "export_not_ready");
        }
        assert!(files(&app).is_empty());
        let metrics = app.client().request(Method::GET, &format!("{}/metrics", app.base())).send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("deskwire_exports_unfinished 3"), "{metrics}");
        release(&mut connection);
        until(&desk.admin, &made, "done").await;
        until(&other.admin, &theirs, "done").await;
        assert_eq!(files(&app).len(), 2);
        exported(&desk.admin, None).await;
    }

    /// A file is read whole and in parts for a day, and nobody's account but the reader's matters.
    async fn a_file_is_kept_for_a_day(app: TestApp) {
        let desk = app.desk().await;
        desk.open("hello").await;
        let boss = app.client_of(app.seed_member(desk.tenant, Role::Admin).await);
        let made = boss.post(PATH, json!({})).await.status(201);
        desk.admin.delete(&format!("/members/{}", boss.id())).await.status(204);
        let done = until(&desk.admin, &made, "done").await;
        assert_eq!(content(&boss, &done, &[]).await.status(), 403, "its account has ended");
        let whole = content(&desk.admin, &done, &[]).await;
        let header = |answer: &Response, name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header(&whole, "content-type"), "application/gzip");
        assert!(header(&whole, "content-disposition").contains(&format!("export-{}.jsonl.gz", made["id"].as_str().unwrap())));
        assert!(!whole.headers().contains_key("content-encoding"));
        let etag = header(&whole, "etag");
        let whole = whole.bytes().await.unwrap();
        let part = content(&desk.admin, &done, &[("range", "bytes=10-19"), ("if-range", &etag)]).await;
        assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, format!("bytes 10-19/{}", whole.len())));
        assert_eq!(part.bytes().await.unwrap(), whole[10..20]);
        assert_eq!(content(&desk.admin, &done, &[("range", "bytes=99999999-")]).await.status(), 416);
        assert_eq!(content(&desk.admin, &done, &[("if-none-match", &etag)]).await.status(), 304);

        app.advance(EXPORT_KEPT_MS - 60_000).await;
        let desk = app.desk_of(desk.seed);
        assert_eq!(lines(&desk.admin, &done).await.len() + 2, unpacked(&whole).len());
        app.advance(60_000).await;
        assert_eq!(desk.admin.get(&path(&done)).await.ok()["state"], "expired");
        desk.admin.get(&format!("{}/content", path(&done))).await.refused(409, "export_ended");
        desk.admin.post(&format!("{}/cancel", path(&done)), json!({})).await.refused(409, "invalid_transition");
        assert_eq!(desk.admin.get(&format!("{PATH}?state=done")).await.ok()["data"], json!([]));
        assert_eq!(desk.admin.get(&format!("{PATH}?state=expired")).await.ok()["data"][0]["id"], done["id"]);
        no_files(&app).await;
        exported(&desk.admin, None).await;
    }

    /// The audit log tells who asked, who read and who cancelled.
    async fn who_took_data_out_is_told(app: TestApp) {
        let desk = app.desk().await;
        let done = exported(&desk.admin, Some(&desk.visitor.id())).await;
        content(&desk.admin, &done, &[]).await;
        content(&desk.admin, &done, &[("range", "bytes=5-")]).await;
        assert_eq!(content(&desk.agent, &done, &[]).await.status(), 403);
        desk.admin.post(&format!("{}/cancel", path(&done)), json!({})).await.ok();
        desk.admin.post(&format!("{}/cancel", path(&done)), json!({})).await.ok();
        desk.admin.get(&format!("{}/content", path(&done))).await.refused(409, "export_ended");
        let told = desk.admin.get("/audit-events?target_type=export").await.ok();
        let told: Vec<Value> = told["data"].as_array().unwrap().iter()
            .map(|one| json!([one["action"], one["actor_id"], one["target_id"], one["before"], one["after"]]))
            .collect();
        let (admin, id) = (desk.admin.id(), &done["id"]);
        assert_eq!(json!(told), json!([
            ["update", admin, id, {"state": "done"}, {"state": "cancelled"}],
            ["download", admin, id, {}, {}],
            ["download", admin, id, {}, {}],
            ["create", admin, id, {}, {"member_id": desk.visitor.id(), "state": "waiting"}],
        ]));
    }
}
