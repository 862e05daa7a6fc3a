//! Erasures across deaths and restores: what was asked for is done, whatever happens to the process or the database.

use deskwire::db::DatabaseKind;
use futures_util::future::join_all;
use serde_json::json;

use crate::erasure_left::{MARK, done, files_with_the_word, found};
use crate::harness::personas::message;
use crate::harness::process::{Process, finish, kills};
use crate::harness::servers::free_port;
use crate::harness::{Client, TestDatabase, block_on, servers};

/// Lets the leases of the dead end, as half a minute would that nobody waits for here.
fn end_leases(database: &TestDatabase) {
    use deskwire::db::schema::follower;
    use diesel::prelude::*;
    diesel::update(follower::table)
        .set(follower::lease_until.eq(0))
        .execute(&mut database.connect())
        .unwrap();
}

/// A visitor who says the word many times; gives its account.
async fn talkative(process: &Process, slug: &str) -> String {
    let token = process.visitor_token(slug).await;
    let visitor = process.client().with_token(token);
    let opened = visitor.post("/conversations", json!({"message": message(MARK)})).await.ok();
    let path = format!("/conversations/{}/messages", opened["conversation"]["id"].as_str().unwrap());
    let texts: Vec<String> = (0..400).map(|n| format!("{MARK} number {n}")).collect();
    for piece in texts.chunks(100) {
        join_all(piece.iter().map(|text| visitor.post(&path, message(text)))).await;
    }
    visitor.get("/me").await.ok()["id"].as_str().unwrap().to_owned()
}

async fn admin(process: &Process, slug: &str) -> Client {
    process.client().with_token(process.admin_token(slug).await)
}

fn an_erasure_survives_kill_9(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = TestDatabase::migrated(kind);
        let port = free_port();
        let mut process = Process::serve_on(&database.url, port, &[]);
        let seed = database.seed();
        let slug = seed.slug();
        let mut asked = Vec::new();
        for kill in 0..kills(kind) {
            let person = talkative(&process, &slug).await;
            let made = admin(&process, &slug).await.post("/erasures", json!({"member_id": person})).await;
            asked.push(made.status(201));
            // The task looks every second: kills fall at any moment of its work.
            let moment = u64::from(kill).wrapping_mul(2_654_435_761) % 2_500;
            tokio::time::sleep(std::time::Duration::from_millis(moment)).await;
            process.kill();
            end_leases(&database);
            process = Process::serve_on(&database.url, port, &[]);
        }
        let admin = admin(&process, &slug).await;
        for made in &asked {
            let receipt = done(&admin, made).await;
            let rows = receipt["receipt"].as_array().unwrap();
            let messages = rows.iter().find(|one| one["table"] == "group_message").unwrap();
            assert!(messages["rows"].as_i64().unwrap() > 401, "{receipt}");
        }
        assert_eq!(found(&mut database.connect()), Default::default());
        crate::harness::audit::audit(&mut database.connect());
        assert_eq!(process.terminate(), Some(0));
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn an_erasure_survives_kill_9_on_sqlite() {
    an_erasure_survives_kill_9(DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn an_erasure_survives_kill_9_on_postgresql() {
    an_erasure_survives_kill_9(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn an_erasure_survives_kill_9_on_mysql() {
    an_erasure_survives_kill_9(DatabaseKind::Mysql);
}

fn said(arguments: &[&str], url: &str) -> String {
    let output = finish(arguments, url);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

/// A backup from before an erasure brings the person back, and a restore erases it again, before anybody serves.
#[test]
fn a_restore_erases_again() {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    let slug = database.seed().slug();
    let process = Process::serve(&database.url);
    block_on(async {
        let person = talkative(&process, &slug).await;
        said(&["backup", copy], &database.url);
        let admin = admin(&process, &slug).await;
        let made = admin.post("/erasures", json!({"member_id": person})).await.status(201);
        done(&admin, &made).await;
    });
    assert_eq!(found(&mut database.connect()), Default::default());
    let listed = said(&["erasures"], &database.url);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert_eq!(process.terminate(), Some(0));
    assert!(said(&["restore", copy], &database.url).contains("1 erasures done again"));
    assert_eq!(found(&mut database.connect()), Default::default(), "erased before anybody serves");
    let kept = database.folder().unwrap();
    let with_the_word: Vec<String> =
        files_with_the_word(&kept).into_iter().filter(|file| !file.contains("before-restore")).collect();
    assert_eq!(with_the_word, Vec::<String>::new());

    // A copy that somebody puts in the place by hand is erased by the server that starts on it.
    let file = database.url.trim_start_matches("sqlite:");
    std::fs::copy(copy, file).unwrap();
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{file}{ending}"));
    }
    assert_ne!(found(&mut database.connect()), Default::default(), "the copy holds it");
    let process = Process::serve(&database.url);
    block_on(async {
        let admin = admin(&process, &slug).await;
        let listed = crate::harness::eventually("it is known again", || async {
            admin.get("/erasures").await.ok()["data"].get(0).cloned()
        })
        .await;
        assert_eq!(done(&admin, &listed).await["requested_by"], serde_json::Value::Null);
    });
    assert_eq!(found(&mut database.connect()), Default::default());
    assert_eq!(process.terminate(), Some(0));
}

/// On a server database the operator keeps the list.
#[cfg(feature = "postgres")]
#[test]
fn a_list_is_done_again_on_a_server_database() {
    let kind = DatabaseKind::Postgresql;
    if !servers::available(kind) {
        return;
    }
    let database = TestDatabase::migrated(kind);
    let slug = database.seed().slug();
    let process = Process::serve(&database.url);
    let person = block_on(async { talkative(&process, &slug).await });
    assert_eq!(process.terminate(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("erasures.jsonl");
    let tenant = slug.trim_start_matches("shop-");
    let line = json!({"id": "7", "tenant_id": tenant, "member_id": person, "requested_at": 1});
    std::fs::write(&list, format!("{line}\n")).unwrap();
    let list = list.to_str().unwrap();
    assert!(said(&["restore", "--new-epoch", "--erasures", list], &database.url).contains("1 erasures"));
    assert_eq!(found(&mut database.connect()), Default::default());
    let missing = finish(&["restore", "--new-epoch", "--erasures", "/nowhere/list"], &database.url);
    assert!(!missing.status.success());
}
