//! How exports end before their time: cancelled, taken by an erasure, or because the folder cannot be written. Nothing is left
//! of their files.

use std::time::{Duration, SystemTime};

use deskwire::db::AnyConnection;
#[cfg(feature = "sqlite")]
use deskwire::db::DatabaseKind;
use deskwire::db::schema::{audit_event, export};
use deskwire::domain::audit::{AuditAction, AuditEventRow, AuditTarget};
use deskwire::domain::export::ExportState;
use deskwire::exports::store;
use deskwire::exports::window::{Counts, Window};
use deskwire::kernel::id::first_id_at;
use deskwire::kernel::{AuditEventId, Error, TenantId};
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::erasure_left::done as erased;
use crate::exports::{PATH, content, exported, files, lines, no_files, occupy, path, release, until};
use crate::harness::{Client, TestApp, eventually};

/// Gives a tenant so many rows that writing them takes several steps.
pub fn fill(connection: &mut AnyConnection, tenant: TenantId, rows: i64) {
    // Old ones would be cleaned up meanwhile.
    let hour_ago = deskwire::kernel::Clock::default().now().0 - 3_600_000;
    let first = first_id_at(hour_ago);
    let row = |id: i64| AuditEventRow {
        id: AuditEventId(first + id),
        tenant_id: tenant,
        actor_id: None,
        actor_name: format!("robot {id}"),
        api_key_id: None,
        action: AuditAction::Update,
        target_type: AuditTarget::Tenant,
        target_id: tenant.0,
        facts_before: format!("{{\"name\":\"{}\"}}", "words of no use ".repeat(8)),
        facts_after: format!("{{\"name\":\"{id}\"}}"),
        ip: String::new(),
        request_id: String::new(),
        created_at: hour_ago + id,
    };
    connection
        .transaction(|connection| {
            for piece in (0..rows).collect::<Vec<_>>().chunks(500) {
                for id in piece {
                    diesel::insert_into(audit_event::table).values(row(*id)).execute(connection)?;
                }
            }
            diesel::QueryResult::Ok(())
        })
        .unwrap();
}

/// Waits until a step of an export is stored, or all are.
pub async fn begun(by: &Client, made: &Value) {
    let path = path(made);
    eventually("it is being written", || async {
        (by.get(&path).await.ok()["line_count"].as_i64() > Some(0)).then_some(())
    })
    .await;
}

/// Waits until the store says that no file is left of an export.
async fn swept(app: &TestApp) {
    eventually("the store says that no file is left", || async {
        let ended = export::table.filter(export::state.ne("done"));
        let left = ended.filter(export::sweep_at.is_not_null()).count();
        let left: i64 = left.get_result(&mut app.database().connect()).unwrap();
        (left == 0).then_some(())
    })
    .await;
}

on_every_database! {
    /// Cancelled while it waits, while it is written, when it is done, twice and by twelve at once.
    async fn a_cancelled_export_leaves_no_file(app: TestApp) {
        let desk = app.desk().await;
        let mut connection = app.database().connect();
        fill(&mut connection, desk.tenant, 12_000);
        occupy(&mut connection);
        let waiting = desk.admin.post(PATH, json!({})).await.status(201);
        let cancelled = desk.admin.post(&format!("{}/cancel", path(&waiting)), json!({})).await.ok();
        assert_eq!((&cancelled["state"], &cancelled["started_at"]), (&json!("cancelled"), &Value::Null));
        release(&mut connection);

        let running = desk.admin.post(PATH, json!({})).await.status(201);
        begun(&desk.admin, &running).await;
        let cancel = format!("{}/cancel", path(&running));
        for answer in join_all((0..12).map(|_| desk.admin.post(&cancel, json!({})))).await {
            assert_eq!(answer.ok()["state"], "cancelled");
        }
        desk.admin.get(&format!("{}/content", path(&running))).await.refused(409, "export_ended");
        swept(&app).await;
        assert!(files(&app).is_empty(), "{:?}", files(&app));

        let done = exported(&desk.admin, None).await;
        assert_eq!(files(&app).len(), 1);
        assert_eq!(desk.admin.post(&format!("{}/cancel", path(&done)), json!({})).await.ok()["state"], "cancelled");
        no_files(&app).await;
        for one in [&waiting, &running, &done] {
            assert_eq!(desk.admin.get(&path(one)).await.ok()["state"], "cancelled");
        }
        let told: i64 = audit_event::table.filter(audit_event::target_type.eq("export"))
            .filter(audit_event::action.eq("update")).count().get_result(&mut connection).unwrap();
        assert_eq!(told, 3, "each is cancelled once");
    }

    /// An erasure takes finished and unfinished exports of the tenant and of the person, and leaves the others.
    async fn an_erasure_takes_exports(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        desk.open_and_claim("secret words").await;
        let whole = exported(&desk.admin, None).await;
        let person = exported(&desk.admin, Some(&desk.visitor.id())).await;
        let stranger = exported(&desk.admin, Some(&desk.second_visitor.id())).await;
        let elsewhere = exported(&other.admin, None).await;
        let mut connection = app.database().connect();
        fill(&mut connection, desk.tenant, 12_000);
        let running = desk.admin.post(PATH, json!({})).await.status(201);
        begun(&desk.admin, &running).await;
        let erasure = desk.admin.post("/erasures", json!({"member_id": desk.visitor.id()})).await.status(201);
        // While it goes on, others are asked for.
        let meanwhile = desk.admin.post(PATH, json!({})).await;
        let receipt = erased(&desk.admin, &erasure).await;
        let mut ended = vec![whole, person, running];
        if meanwhile.status == 201 {
            ended.push(meanwhile.ok());
        }
        for one in &ended {
            let now = desk.admin.get(&path(one)).await.ok();
            if now["state"] == "expired" {
                desk.admin.get(&format!("{}/content", path(one))).await.refused(409, "export_ended");
            } else {
                assert_eq!(one["id"], ended.last().unwrap()["id"], "{now}");
            }
        }
        assert!(receipt["receipt"].as_array().unwrap().iter().any(|one| one["table"] == "export"), "{receipt}");
        for (by, one) in [(&desk.admin, &stranger), (&other.admin, &elsewhere)] {
            assert_eq!(by.get(&path(one)).await.ok()["state"], "done");
            assert!(!lines(by, one).await.is_empty());
        }
        let after = match desk.admin.post(PATH, json!({})).await {
            answer if answer.status == 201 => answer.ok(),
            _ => ended.pop().unwrap(),
        };
        until(&desk.admin, &after, "done").await;
        let text = json!(lines(&desk.admin, &after).await).to_string();
        assert!(!text.contains("secret words"), "an export after an erasure holds what was erased");
        for file in files(&app) {
            let bytes = std::fs::read(app.database().files().join("exports").join(&file)).unwrap();
            let text = json!(crate::exports::unpacked(&bytes)).to_string();
            assert!(!text.contains("secret words"), "{file}");
        }
    }

    /// An export whose folder cannot be written fails with a code, and the next one is written when it can be.
    async fn a_folder_that_cannot_be_written(app: TestApp) {
        let desk = app.desk().await;
        let folder = app.database().files().join("exports");
        std::fs::create_dir_all(app.database().files()).unwrap();
        std::fs::write(&folder, "in the way").unwrap();
        let made = desk.admin.post(PATH, json!({})).await.status(201);
        let failed = until(&desk.admin, &made, "failed").await;
        assert_eq!((&failed["failure"], &failed["expires_at"]), (&json!("storage_unavailable"), &Value::Null));
        desk.admin.get(&format!("{}/content", path(&made))).await.refused(409, "export_ended");
        desk.admin.post(&format!("{}/cancel", path(&made)), json!({})).await.refused(409, "invalid_transition");
        std::fs::remove_file(&folder).unwrap();
        exported(&desk.admin, None).await;
        assert_eq!(files(&app).len(), 1);
    }

    /// A lost file is written anew while it is unfinished; of a finished one the reader is told.
    async fn a_lost_file(app: TestApp) {
        let desk = app.desk().await;
        let mut connection = app.database().connect();
        fill(&mut connection, desk.tenant, 12_000);
        let made = desk.admin.post(PATH, json!({})).await.status(201);
        begun(&desk.admin, &made).await;
        let folder = app.database().files().join("exports");
        for file in files(&app) {
            let _ = std::fs::remove_file(folder.join(file));
        }
        until(&desk.admin, &made, "done").await;
        if files(&app).is_empty() {
            // It was whole already.
            desk.admin.get(&format!("{}/content", path(&made))).await.refused(503, "storage_unavailable");
        } else {
            lines(&desk.admin, &made).await;
        }
        let done = exported(&desk.admin, None).await;
        for file in files(&app) {
            std::fs::remove_file(folder.join(file)).unwrap();
        }
        assert_eq!(content(&desk.admin, &done, &[]).await.status(), 503);
    }

    /// What cannot come further fails, and holds up nobody.
    async fn a_stalled_export_fails(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let mut connection = app.database().connect();
        occupy(&mut connection);
        let made = desk.admin.post(PATH, json!({})).await.status(201);
        let stuck = export::table.filter(export::tenant_id.eq(desk.tenant));
        diesel::update(stuck).set(export::attempts.eq(20)).execute(&mut connection).unwrap();
        let theirs = other.admin.post(PATH, json!({})).await.status(201);
        release(&mut connection);
        assert_eq!(until(&desk.admin, &made, "failed").await["failure"], "stalled");
        until(&other.admin, &theirs, "done").await;
        swept(&app).await;
    }

    /// Whoever was overtaken stores nothing more of an export, though it is still at work.
    async fn an_overtaken_owner_stores_nothing(app: TestApp) {
        let mut connection = app.database().connect();
        let now = app.clock.now().0;
        let window = || Window { bytes: b"line".to_vec(), next: None, counts: Counts::new(), line_count: 1 };
        // Nobody else sees it, since it is not committed.
        let ended = connection.transaction(|connection| {
            occupy(connection);
            let expire = |connection: &mut AnyConnection| {
                let one = export::table.filter(export::id.eq(1));
                diesel::update(one).set(export::lease_until.eq(0)).execute(connection).unwrap();
            };
            assert!(store::take(connection, "first", now).unwrap().is_none(), "somebody works on it");
            expire(connection);
            let first = store::take(connection, "first", now).unwrap().unwrap();
            assert_eq!((first.former, first.row.fence), (1, 2));
            expire(connection);
            let second = store::take(connection, "second", now).unwrap().unwrap();
            assert_eq!((second.former, second.row.fence), (2, 3));
            assert_eq!(store::advance(connection, &first.row, &window(), now).unwrap(), None);
            assert_eq!(store::restart(connection, &first.row).unwrap(), None);
            store::give_back(connection, &first.row).unwrap();
            assert!(store::take(connection, "third", now).unwrap().is_none(), "the first gives nothing back");
            expire(connection);
            let again = store::take(connection, "second", now).unwrap().unwrap();
            assert_eq!(again.row.fence, 3, "its file is its own");
            let done = store::advance(connection, &again.row, &window(), now).unwrap().unwrap();
            assert_eq!((done.state, done.byte_count), (ExportState::Done, 4));
            assert_eq!(store::advance(connection, &again.row, &window(), now).unwrap(), None, "it is over");
            Err::<(), _>(Error::not_found())
        });
        assert!(ended.is_err());
    }

    /// Files that no export needs are removed; those of exports, and other files, stay.
    async fn strange_files_are_removed(app: TestApp) {
        let desk = app.desk().await;
        let done = exported(&desk.admin, None).await;
        let cancelled = exported(&desk.admin, None).await;
        desk.admin.post(&format!("{}/cancel", path(&cancelled)), json!({})).await.ok();
        swept(&app).await;
        let kept = files(&app);
        assert_eq!(kept.len(), 1);
        let folder = app.database().files().join("exports");
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let old = SystemTime::now() - Duration::from_secs(7_200);
        let put = |name: String, time: SystemTime| {
            let file = std::fs::File::create(folder.join(name)).unwrap();
            file.set_modified(time).unwrap();
        };
        put("77-1.jsonl.gz".to_owned(), old);
        put("78-1.jsonl.gz".to_owned(), SystemTime::now());
        put(format!("{}-1.jsonl.gz", id(&cancelled)), SystemTime::now());
        put("notes.txt".to_owned(), old);
        let expected: std::collections::BTreeSet<String> =
            kept.into_iter().chain(["78-1.jsonl.gz".to_owned(), "notes.txt".to_owned()]).collect();
        eventually("strange files are gone", || async { (files(&app) == expected).then_some(()) }).await;
        lines(&desk.admin, &done).await;
    }

    /// Without a folder there are no exports.
    async fn without_a_folder(app: TestApp) {
        let desk = app.desk().await;
        if !app.kind().is_server() {
            return;
        }
        let other = app.restarted(|settings| settings.files.files = None).await;
        let admin = other.desk_of(desk.seed).admin;
        admin.post(PATH, json!({})).await.refused(409, "attachments_off");
        assert_eq!(admin.get(PATH).await.ok()["data"], json!([]));
    }
}

/// What was found to be readable and ended before the download was told of is not handed out: SQLite's one writer ends it while
/// the download waits for its turn.
#[cfg(feature = "sqlite")]
#[test]
fn a_download_that_meets_a_cancellation_is_refused() {
    crate::harness::run(DatabaseKind::Sqlite, |app: TestApp| async move {
        let desk = app.desk().await;
        let done = exported(&desk.admin, None).await;
        let id: i64 = done["id"].as_str().unwrap().parse().unwrap();
        let end = app.db.write(move |connection| {
            std::thread::sleep(Duration::from_secs(1));
            let one = export::table.filter(export::id.eq(id));
            diesel::update(one).set(export::state.eq(ExportState::Cancelled)).execute(connection)?;
            Ok(())
        });
        let (ended, answer) = tokio::join!(end, content(&desk.admin, &done, &[]));
        ended.unwrap();
        assert_eq!(answer.status(), 409);
        let told = desk.admin.get("/audit-events?action=download").await.ok();
        assert_eq!(told["data"], json!([]));
    });
}
