//! The tenant's feed: every entry once, in commit order, and notes only for those who ask by name.

use deskwire::db::schema::tenant_log;
use deskwire::domain::member::Role;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::personas::message;

on_every_database! {
    /// The pages hold every entry of the tenant's support rooms once, in order of rev, and nothing of another tenant.
    async fn the_feed_holds_every_entry_once(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let mut rooms = Vec::new();
        for _ in 0..3 {
            let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
            let room = visitor.open("hello").await;
            desk.agent.claim(&room).await;
            desk.agent.post(&format!("/conversations/{room}/notes"), message("canary")).await.ok();
            visitor.send(&room, "more").await;
            rooms.push(room);
        }
        other.open("elsewhere").await;
        let mut logs = Vec::new();
        for room in &rooms {
            logs.extend(desk.supervisor.log(room).await);
        }
        logs.sort_by_key(|entry| entry["rev"].as_i64());
        let (feed, cursor) = follow(&desk.admin, "limit=2", None).await;
        assert_eq!(feed, logs);
        let (none, same) = follow(&desk.admin, "limit=2", Some(&cursor)).await;
        assert_eq!((none.len(), &same), (0, &cursor));

        let (all, _) = follow(&desk.admin, "include=backstage&limit=3", None).await;
        let notes: Vec<_> = all.iter().filter(|entry| entry["content"]["text"] == "canary").collect();
        assert_eq!((notes.len(), all.len()), (3, logs.len() + 3));
        assert_eq!(follow(&other.admin, "limit=200", None).await.0.len(), 2);
    }

    /// A filter that matches nothing still moves the cursor.
    async fn a_cursor_moves_when_nothing_matches(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let (none, first) = follow(&desk.admin, "kind=recalled&limit=1", None).await;
        assert!(none.is_empty());
        desk.agent.send(&room, "more").await;
        let (none, second) = follow(&desk.admin, "kind=recalled&limit=1", Some(&first)).await;
        assert!(none.is_empty());
        assert_ne!(first, second);
        let (closed, _) = follow(&desk.admin, "kind=text&limit=1", None).await;
        assert_eq!(closed.len(), 2);
    }

    /// Reads and other changes take revs without entries: a long stretch of them ends no feed and hides nothing.
    async fn a_stretch_without_entries_is_passed(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("before").await;
        diesel::update(tenant_log::table.filter(tenant_log::tenant_id.eq(desk.tenant)))
            .set(tenant_log::rev.eq(tenant_log::rev + 120_000))
            .execute(&mut app.database().connect())
            .unwrap();
        desk.visitor.send(&room, "after").await;
        let (texts, cursor) = follow(&desk.admin, "kind=text&limit=1", None).await;
        let texts: Vec<_> = texts.iter().map(|entry| entry["content"]["text"].clone()).collect();
        assert_eq!(texts, ["before", "after"]);
        assert_eq!(follow(&desk.admin, "limit=1", Some(&cursor)).await, (Vec::new(), cursor));
    }

    /// Only administrators follow a whole tenant.
    async fn the_feed_is_for_administrators(app: TestApp) {
        let desk = app.desk().await;
        for who in [&desk.visitor, &desk.agent, &desk.supervisor] {
            who.get("/entries").await.refused(403, "forbidden");
        }
        desk.anonymous.get("/entries").await.refused(401, "unauthenticated");
        for bad in ["limit=0", "after=x", "kind=odd", "include=everything", "before=1"] {
            desk.admin.get(&format!("/entries?{bad}")).await.refused(400, "invalid_parameter");
        }
        assert_eq!(desk.admin.get("/entries").await.ok()["data"], json!([]));
    }
}

async fn follow(who: &Client, query: &str, after: Option<&str>) -> (Vec<Value>, String) {
    let (mut entries, mut after) = (Vec::new(), after.map(str::to_owned));
    loop {
        let cursor = after.map(|cursor| format!("&after={cursor}")).unwrap_or_default();
        let page = who.get(&format!("/entries?{query}{cursor}")).await.ok();
        entries.extend(page["data"].as_array().unwrap().iter().cloned());
        let next = page["next_cursor"].as_str().unwrap().to_owned();
        if page["more"] == false {
            return (entries, next);
        }
        after = Some(next);
    }
}
