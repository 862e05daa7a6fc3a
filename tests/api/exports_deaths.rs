//! Exports across deaths: whenever the process is killed, the file is whole in the end, and holds every row once.

use std::collections::BTreeSet;

use deskwire::db::DatabaseKind;
use deskwire::db::schema::{export, group_message};
use deskwire::kernel::{ConversationId, ExportId};
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::exports::{PATH, lines, of, path, until};
use crate::exports_ended::fill;
use crate::harness::personas::message;
use crate::harness::process::{Process, kills};
use crate::harness::servers::free_port;
use crate::harness::{TestDatabase, block_on, servers};

/// Rows of the audit log: several steps of an export.
const ROWS: i64 = 30_000;

/// Lets the lease of the dead end, as half a minute would that nobody waits for here. Behind what was stored, the file has what
/// the dead one was about to write.
fn end_lease(database: &TestDatabase) {
    let mut connection = database.connect();
    let rows: Vec<(ExportId, i64, i64)> = export::table
        .filter(export::state.eq("running"))
        .select((export::id, export::fence, export::byte_count))
        .load(&mut connection)
        .unwrap();
    for (id, fence, bytes) in rows {
        let file = database.files().join("exports").join(format!("{id}-{fence}.jsonl.gz"));
        if let Ok(mut text) = std::fs::read(&file) {
            assert!(text.len() as i64 >= bytes, "what is stored is on the disk");
            text.extend_from_slice(b"half of something");
            std::fs::write(&file, text).unwrap();
        }
    }
    diesel::update(export::table).set(export::lease_until.eq(0)).execute(&mut connection).unwrap();
}

fn an_export_survives_kill_9(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = TestDatabase::migrated(kind);
        let folder = database.files();
        let environment = [("DESKWIRE_FILES", folder.to_str().unwrap())];
        let port = free_port();
        let mut process = Process::serve_on(&database.url, port, &environment);
        let seed = database.seed();
        let slug = seed.slug();
        fill(&mut database.connect(), seed.tenant, ROWS);
        let visitor = process.client().with_token(process.visitor_token(&slug).await);
        let opened = visitor.post("/conversations", json!({"message": message("hello")})).await.ok();
        let room = format!("/conversations/{}/messages", opened["conversation"]["id"].as_str().unwrap());
        let texts: Vec<String> = (0..300).map(|n| format!("number {n}")).collect();
        for piece in texts.chunks(50) {
            join_all(piece.iter().map(|text| visitor.post(&room, message(text)))).await;
        }
        let admin = process.client().with_token(process.admin_token(&slug).await);
        let made = admin.post(PATH, json!({})).await.status(201);
        let (mut unfinished, mut grown) = (0, BTreeSet::new());
        for kill in 0..kills(kind) {
            let moment = 300 + u64::from(kill).wrapping_mul(2_654_435_761) % 2_000;
            tokio::time::sleep(std::time::Duration::from_millis(moment)).await;
            process.kill();
            let written: i64 =
                export::table.select(export::line_count).first(&mut database.connect()).unwrap();
            grown.insert(written);
            let open = export::table.filter(export::open_key.is_not_null()).count();
            unfinished += open.get_result::<i64>(&mut database.connect()).unwrap();
            end_lease(&database);
            process = Process::serve_on(&database.url, port, &environment);
        }
        assert!(unfinished > 0, "no kill met it: {grown:?}");
        let admin = process.client().with_token(process.admin_token(&slug).await);
        until(&admin, &made, "done").await;
        let lines = lines(&admin, &made).await;
        let robots: Vec<i64> = of(&lines, "audit_event")
            .filter_map(|line| line["actor_name"].as_str()?.strip_prefix("robot ")?.parse().ok())
            .collect();
        assert!(robots.iter().copied().eq(0..ROWS), "every row once, in order: {} of {ROWS}", robots.len());
        let entries: Vec<(ConversationId, i64)> = group_message::table
            .filter(group_message::rev.le(rev(&admin, &made).await))
            .order((group_message::rev.asc(), group_message::conversation_id.asc(), group_message::seq.asc()))
            .select((group_message::conversation_id, group_message::seq))
            .load(&mut database.connect())
            .unwrap();
        let place = |line: &Value| {
            let log = line["conversation_id"].as_str().unwrap().parse().unwrap();
            (ConversationId(log), line["seq"].as_i64().unwrap())
        };
        let found: Vec<_> = lines
            .iter()
            .filter(|line| line["type"].as_str().unwrap().ends_with("entry"))
            .map(place)
            .collect();
        assert!(found.len() > 300);
        assert_eq!(found, entries);
        let left: Vec<_> = std::fs::read_dir(folder.join("exports")).unwrap().collect();
        assert_eq!(left.len(), 1, "the files of the dead are gone: {left:?}");
        assert_eq!(process.terminate(), Some(0));
    });
}

/// The rev up to which entries are in the file.
async fn rev(by: &crate::harness::Client, made: &Value) -> i64 {
    let bytes = crate::exports::content(by, made, &[]).await.bytes().await.unwrap();
    let first = &crate::exports::unpacked(&bytes)[0];
    assert_eq!(path(made), format!("{PATH}/{}", made["id"].as_str().unwrap()));
    first["rev"].as_i64().unwrap()
}

#[cfg(feature = "sqlite")]
#[test]
fn an_export_survives_kill_9_on_sqlite() {
    an_export_survives_kill_9(DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn an_export_survives_kill_9_on_postgresql() {
    an_export_survives_kill_9(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn an_export_survives_kill_9_on_mysql() {
    an_export_survives_kill_9(DatabaseKind::Mysql);
}
