//! Docking many conversations to a group in one request.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::docking::{ids, kinds, staff_in, stands, view};
use crate::groups::{make, put};
use crate::harness::{Answer, Client};
use crate::routing::waits;

async fn dock(by: &Client, group: &str, rooms: &[&str]) -> Answer {
    by.post(&format!("/groups/{group}/dock"), json!({"conversation_ids": rooms})).await
}

/// What is said of each: the conversation and the code, null when it is docked.
fn told(answer: &Value) -> Vec<(String, Value)> {
    let rows = answer["data"].as_array().unwrap();
    let row = |row: &Value| {
        assert_eq!(row["docked"] == true, row["code"].is_null() && row["detail"].is_null(), "{row}");
        (row["conversation_id"].as_str().unwrap().to_owned(), row["code"].clone())
    };
    rows.iter().map(row).collect()
}

on_every_database! {
    /// Each is answered in its place; what cannot be docked keeps nothing back, and all may be asked again.
    async fn each_is_docked_or_told_why_not(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let group = make(&desk, "Parcels").await;
        for member in [&desk.agent, &desk.second_agent] {
            put(&desk.admin, &group, member, "member").await;
        }
        let (_, first) = waits(&app, &desk, json!({})).await;
        let (_, closed) = waits(&app, &desk, json!({})).await;
        desk.admin.post(&format!("/conversations/{closed}/close"), json!({})).await.ok();
        let (_, held) = waits(&app, &desk, json!({})).await;
        desk.agent.claim(&held).await;
        let (_, foreign) = waits(&app, &other, json!({})).await;
        let rooms = [first.as_str(), &closed, &foreign, &held, "404", &first];
        let expected = [
            (first.clone(), Value::Null),
            (closed.clone(), json!("invalid_transition")),
            (foreign.clone(), json!("not_found")),
            (held.clone(), Value::Null),
            ("404".to_owned(), json!("not_found")),
        ];
        let answers = join_all([dock(&desk.supervisor, &group, &rooms), dock(&desk.admin, &group, &rooms)]).await;
        for answer in answers {
            assert_eq!(told(&answer.ok()), expected);
        }
        assert_eq!(told(&dock(&desk.supervisor, &group, &rooms).await.ok()), expected, "once more");
        for room in [&first, &held] {
            assert_eq!(stands(&view(&desk.admin, room).await), ("pending".to_owned(), true, None));
            assert_eq!(staff_in(&desk, room).await, ids(&[&desk.agent, &desk.second_agent]));
        }
        assert_eq!(kinds(&desk.admin, &first).await, ["opened", "docked"]);
        assert_eq!(stands(&view(&other.admin, &foreign).await).0, "open");
        // A group in which nobody is serves nothing.
        let empty = make(&desk, "Letters").await;
        let answer = dock(&desk.admin, &empty, &[&first]).await.ok();
        assert_eq!(told(&answer), [(first.clone(), json!("group_empty"))]);
        assert_eq!(view(&desk.admin, &first).await["group_id"], group.as_str());
    }

    /// As many as there may be.
    async fn a_hundred_at_once(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Parcels").await;
        put(&desk.admin, &group, &desk.agent, "member").await;
        let mut rooms = Vec::new();
        for _ in 0..100 {
            rooms.push(waits(&app, &desk, json!({})).await.1);
        }
        let named: Vec<&str> = rooms.iter().map(String::as_str).collect();
        let answer = dock(&desk.admin, &group, &named).await.ok();
        assert_eq!(told(&answer), rooms.iter().map(|room| (room.clone(), Value::Null)).collect::<Vec<_>>());
        assert_eq!(desk.admin.get("/queue").await.ok()["data"], json!([]));
    }

    /// Bad lists, other roles, other tenants, a group that is gone.
    async fn what_is_asked_is_checked(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let group = make(&desk, "Parcels").await;
        put(&desk.admin, &group, &desk.agent, "manager").await;
        let (_, room) = waits(&app, &desk, json!({})).await;
        let path = format!("/groups/{group}/dock");
        let long = "x".repeat(2_001);
        for wrong in [
            json!({}),
            json!({"conversation_ids": null}),
            json!({"conversation_ids": []}),
            json!({"conversation_ids": room}),
            json!({"conversation_ids": ["x"]}),
            json!({"conversation_ids": vec![&room; 101]}),
            json!({"conversation_ids": [room], "note": long}),
            json!({"conversation_ids": [room], "group_id": group}),
        ] {
            desk.admin.post(&path, wrong).await.refused(422, "validation_failed");
        }
        for who in [&desk.agent, &desk.second_agent, &desk.visitor] {
            dock(who, &group, &[&room]).await.refused(403, "forbidden");
        }
        dock(&other.admin, &group, &[&room]).await.refused(404, "not_found");
        desk.admin.delete(&format!("/groups/{group}")).await.status(204);
        dock(&desk.admin, &group, &[&room]).await.refused(404, "not_found");
        assert_eq!(stands(&view(&desk.admin, &room).await).0, "open");
    }
}
