//! Retention: what old conversations say goes, and nothing else.

use serde_json::{Value, json};

use crate::attachments::{carrying, send, uploaded};
use crate::harness::{Client, Desk, eventually};

const DAY: i64 = 86_400_000;

async fn keep(admin: &Client, days: Value) -> crate::harness::Answer {
    admin.patch("/tenant", json!({"settings": {"retention_days": days}})).await
}

/// A conversation that is over.
async fn over(desk: &Desk, text: &str) -> String {
    let room = desk.open_and_claim(text).await;
    desk.agent
        .post(&format!("/conversations/{room}/close"), json!({"note": format!("{text} note")}))
        .await
        .ok();
    room
}

async fn is_erased(by: &Client, room: &str) -> bool {
    by.log(room).await.last().is_some_and(|entry| entry["kind"] == "erased")
}

async fn erased(by: &Client, room: &str) {
    eventually("the conversation is erased", || async { is_erased(by, room).await.then_some(()) }).await;
}

on_every_database! {
    /// Conversations that ended so many days ago lose their words; open ones, younger ones and other tenants keep theirs.
    async fn old_conversations_lose_their_words(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let old = desk.open_and_claim("old words").await;
        let file = uploaded(&desk.visitor, "old.txt", b"old bytes").await;
        send(&desk.visitor, &old, &carrying("file", &file)).await.status(201);
        desk.agent.patch(&format!("/conversations/{old}"), json!({"subject": "old subject", "tags": ["old"]})).await.ok();
        desk.agent.post(&format!("/conversations/{old}/close"), json!({"note": "old note"})).await.ok();
        let elsewhere = over(&other, "old words elsewhere").await;
        let waiting = desk.second_visitor.open("still open").await;
        app.advance(5 * DAY).await;
        let (desk, other) = (app.desk_of(desk.seed), app.desk_of(other.seed));
        let young = over(&desk, "young words").await;
        keep(&desk.admin, json!(4)).await.ok();
        erased(&desk.admin, &old).await;
        let log = json!(desk.admin.log(&old).await).to_string();
        assert!(!log.contains("old words") && !log.contains("old.txt"), "{log}");
        let view = desk.admin.get(&format!("/conversations/{old}")).await.ok();
        assert_eq!((&view["subject"], &view["tags"]), (&json!(""), &json!([])), "{view}");
        let behind = json!(desk.admin.log(view["backstage_id"].as_str().unwrap()).await).to_string();
        assert!(!behind.contains("old note"), "{behind}");
        eventually("the file is gone", || async {
            let files = walk(&app.database().files());
            (!files.iter().any(|bytes| bytes == b"old bytes")).then_some(())
        })
        .await;
        for (by, room, text) in [
            (&desk.admin, &young, "young words"),
            (&desk.admin, &waiting, "still open"),
            (&other.admin, &elsewhere, "old words elsewhere"),
        ] {
            assert!(json!(by.log(room).await).to_string().contains(text), "{text}");
        }
        // The account is nobody's to erase by time.
        assert_eq!(desk.visitor.get("/me").await.ok()["id"], desk.visitor.id());
        assert_eq!(desk.admin.get(&format!("/members/{}", desk.visitor.id())).await.ok()["nickname"], format!("customer {}", desk.visitor.id()));

        // A note behind it goes as well; what was opened again stays until it is over for so long.
        let note = crate::harness::personas::message("later note");
        let note = desk.supervisor.post(&format!("/conversations/{old}/notes"), note).await.status(201);
        let behind = note["entry"]["conversation_id"].as_str().unwrap().to_owned();
        eventually("the note is erased", || async {
            (!json!(desk.admin.log(&behind).await).to_string().contains("later note")).then_some(())
        })
        .await;
        desk.visitor.post(&format!("/conversations/{young}/reopen"), json!({})).await.ok();
        app.advance(9 * DAY).await;
        let desk = app.desk_of(desk.seed);
        desk.visitor.send(&young, "back again").await;
        desk.agent.claim(&young).await;
        desk.agent.post(&format!("/conversations/{young}/close"), json!({})).await.ok();
        let third = desk.visitor.open("a third").await;
        desk.agent.claim(&third).await;
        desk.agent.post(&format!("/conversations/{third}/close"), json!({})).await.ok();
        assert!(!is_erased(&desk.admin, &young).await);
        app.advance(5 * DAY).await;
        let desk = app.desk_of(desk.seed);
        erased(&desk.admin, &young).await;
        erased(&desk.admin, &third).await;
        app.audit().await;
        let tenant = desk.tenant;
        let report = app.db.read(move |connection| deskwire::sync::verify::recompute_all(connection, Some(tenant))).await.unwrap();
        assert_eq!(report.drift, 0, "{:?}", report.told);
    }

    /// Only administrators set it, within its range; it is told, shown to the staff, and can be taken back.
    async fn who_sets_it_and_how(app: TestApp) {
        let desk = app.desk().await;
        for days in [json!(0), json!(-1), json!(36_501), json!("7"), json!(1.5)] {
            keep(&desk.admin, days).await.refused(422, "validation_failed");
        }
        keep(&desk.supervisor, json!(7)).await.refused(403, "forbidden");
        assert_eq!(keep(&desk.admin, json!(36_500)).await.ok()["settings"]["retention_days"], 36_500);
        assert_eq!(keep(&desk.admin, json!(1)).await.ok()["settings"]["retention_days"], 1);
        assert_eq!(desk.agent.get("/tenant").await.ok()["settings"]["retention_days"], 1);
        assert_eq!(desk.visitor.get("/tenant").await.ok()["settings"].get("retention_days"), None);
        assert_eq!(desk.admin.patch("/tenant", json!({"settings": {}})).await.ok()["settings"]["retention_days"], 1);
        assert_eq!(keep(&desk.admin, Value::Null).await.ok()["settings"]["retention_days"], Value::Null);
        let told = desk.admin.get("/audit-events?target_type=tenant").await.ok().to_string();
        assert!(told.contains("retention_days"), "{told}");
        let room = over(&desk, "kept for ever").await;
        app.advance(400 * DAY).await;
        let desk = app.desk_of(desk.seed);
        // Another tenant's is done meanwhile, so that the task has looked.
        let other = app.desk().await;
        let gone = over(&other, "soon gone").await;
        keep(&other.admin, json!(1)).await.ok();
        app.advance(2 * DAY).await;
        let (desk, other) = (app.desk_of(desk.seed), app.desk_of(other.seed));
        erased(&other.admin, &gone).await;
        assert!(json!(desk.admin.log(&room).await).to_string().contains("kept for ever"));
    }
}

/// The contents of all files below a folder.
fn walk(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => all.extend(walk(&entry.path())),
            false => all.extend(std::fs::read(entry.path())),
        }
    }
    all
}
