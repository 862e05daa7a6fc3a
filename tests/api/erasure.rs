//! Erasing persons: who may, whom, how often; what readers see of it; and what is written meanwhile.

use std::collections::BTreeSet;

use deskwire::db::DatabaseKind;
use deskwire::db::schema::{audit_event, erasure};
use deskwire::domain::member::Role;
use deskwire::journal::{Command, commands};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::erasure_left::done;
use crate::harness::eventually;
use crate::harness::personas::message;

const PATH: &str = "/erasures";

fn of(member: &str) -> Value {
    json!({"member_id": member})
}

on_every_database! {
    /// Administrators erase customers of their tenant; nobody else anybody, and nobody the staff.
    async fn who_erases_whom(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let customer = desk.second_visitor.id();
        for (name, client) in desk.everybody().into_iter().filter(|(name, _)| *name != "admin") {
            let expected = if client.token.is_none() { 401 } else { 403 };
            assert_eq!(client.post(PATH, of(&customer)).await.status, expected, "{name}");
            assert_eq!(client.get(PATH).await.status, expected, "{name}");
            assert_eq!(client.get(&format!("{PATH}/1")).await.status, expected, "{name}");
        }
        let field = |answer: Value| (answer["errors"][0]["pointer"].clone(), answer["errors"][0]["code"].clone());
        for (body, code) in [
            (of(&desk.agent.id()), "customer_or_staff"),
            (of(&desk.admin.id()), "customer_or_staff"),
            (of("1"), "invalid"),
            (of(&other.visitor.id()), "invalid"),
        ] {
            let told = desk.admin.post(PATH, body.clone()).await.refused(422, "validation_failed");
            assert_eq!(field(told), (json!("/member_id"), json!(code)), "{body}");
        }
        for body in [json!({}), json!({"member_id": 7}), json!({"member_id": null}), json!({"member_id": "x"}),
            json!({"member_id": customer, "more": 1}), json!([])] {
            desk.admin.post(PATH, body).await.refused(422, "validation_failed");
        }
        // A visitor who was recognised is erased with the customer that it is.
        let (from, into) = (desk.seed.second_visitor, desk.seed.visitor);
        let room = desk.second_visitor.open("before signing in").await;
        app.submit(Command::new(from, commands::Merge { from: from.member, into: into.member })).await;
        let told = desk.admin.post(PATH, of(&customer)).await.refused(422, "validation_failed");
        assert!(told["errors"][0]["detail"].as_str().is_some_and(|text| text.contains(&desk.visitor.id())), "{told}");
        let made = desk.admin.post(PATH, of(&desk.visitor.id())).await.status(201);
        assert_eq!((&made["state"], &made["requested_by"]), (&json!("running"), &json!(desk.admin.id())));
        done(&desk.admin, &made).await;
        let log = desk.admin.log(&room).await;
        assert!(!json!(log).to_string().contains("before signing in"), "{log:?}");
        let gone = desk.admin.get(&format!("/members/{customer}")).await;
        assert_eq!(gone.status, 404);
        desk.visitor.get("/me").await.refused(403, "account_disabled");

        // Another tenant's administrator sees nothing of it.
        let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
        other.admin.get(&path).await.refused(404, "not_found");
        assert_eq!(other.admin.get(PATH).await.ok()["data"], json!([]));
        assert_eq!(desk.admin.get(&format!("{PATH}?state=running")).await.ok()["data"], json!([]));
        let listed = desk.admin.get(&format!("{PATH}?member_id={}&state=done", desk.visitor.id())).await.ok();
        assert_eq!(listed["data"][0]["id"], made["id"]);
        let account = crate::api_keys::account(&desk, "admin").await;
        let (_, program) = crate::api_keys::key(&desk, &account, &["erase_members"]).await;
        assert_eq!(program.get(&path).await.ok()["state"], "done");
    }

    /// On SQLite a reader may keep former content in the log of the database: so long the erasure is not done, and not lost.
    async fn a_reader_of_the_database_is_waited_for(app: TestApp) {
        if app.kind() != DatabaseKind::Sqlite {
            return;
        }
        let desk = app.desk().await;
        desk.open("something private").await;
        let mut reader = app.database().connect();
        reader.batch_execute("BEGIN; SELECT COUNT(*) FROM member;").unwrap();
        let made = desk.admin.post(PATH, of(&desk.visitor.id())).await.status(201);
        let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
        eventually("all but the log is empty", || async {
            let told = desk.admin.get(&path).await.ok();
            let is_taken = told["receipt"].to_string().contains("search_posting");
            (is_taken || told["state"] == "done").then_some(())
        })
        .await;
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(desk.admin.get(&path).await.ok()["state"], "running");
        reader.batch_execute("COMMIT").unwrap();
        let told = done(&desk.admin, &made).await;
        let members: Vec<&Value> = told["receipt"].as_array().unwrap().iter().filter(|one| one["table"] == "member").collect();
        assert_eq!(members, [&json!({"table": "member", "rows": 1})], "{told}");
    }

    /// Twelve at once are one erasure, and asking again erases what came since; one without conversations is done as well.
    async fn once_twice_and_twelve_times(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let asked = join_all((0..12).map(|_| desk.admin.post(PATH, of(&desk.visitor.id())))).await;
        let mut ids = BTreeSet::new();
        for answer in asked {
            assert!([200, 201, 503].contains(&answer.status), "{}", answer.status);
            if answer.status != 503 {
                ids.insert(answer.body["id"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(ids.len(), 1);
        let rows: i64 = erasure::table.count().get_result(&mut app.database().connect()).unwrap();
        let told: i64 = audit_event::table.filter(audit_event::target_type.eq("erasure")).count()
            .get_result(&mut app.database().connect()).unwrap();
        assert_eq!((rows, told), (1, 1), "an erasure under way is not begun, nor told, again");
        let first = done(&desk.admin, &json!({"id": ids.first().unwrap()})).await;
        let before = desk.admin.log(&room).await;

        // Somebody writes about the person, later.
        let note = desk.supervisor.post(&format!("/conversations/{room}/notes"), message("she called again")).await.status(201);
        let behind = note["entry"]["conversation_id"].as_str().unwrap();
        let again = desk.admin.post(PATH, of(&desk.visitor.id())).await.status(200);
        assert_eq!(again["id"], first["id"]);
        done(&desk.admin, &again).await;
        assert!(!json!(desk.supervisor.log(behind).await).to_string().contains("called again"));
        assert_eq!(desk.admin.log(&room).await, before, "what was erased is told once");
        let third = desk.admin.post(PATH, of(&desk.visitor.id())).await.status(200);
        let third = done(&desk.admin, &third).await;
        let ends: Vec<_> = desk.supervisor.log(behind).await.iter().map(|one| one["kind"].clone()).collect();
        assert_eq!(ends.iter().filter(|kind| **kind == "erased").count(), 1, "{ends:?} {third}");

        let alone = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
        let made = desk.admin.post(PATH, of(&alone.id())).await.status(201);
        done(&desk.admin, &made).await;
        alone.get("/me").await.refused(403, "account_disabled");
    }

    /// Readers are told, keep their numbers, and read nothing any more, whatever was written while it went on.
    async fn readers_are_told(app: TestApp) {
        let desk = app.desk().await;
        let mut rooms = Vec::new();
        for text in ["one", "two"] {
            let room = desk.open_and_claim(text).await;
            desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
            rooms.push(room);
        }
        let room = desk.open_and_claim("secret word").await;
        for piece in 0..5 {
            let texts: Vec<String> = (0..50).map(|n| format!("secret {piece} {n}")).collect();
            join_all(texts.iter().map(|text| desk.visitor.send(&room, text))).await;
        }
        let mut socket = desk.agent.socket().await;
        let made = desk.admin.post(PATH, of(&desk.visitor.id())).await.status(201);
        // Answers come until the conversation is closed; notes and edits after that too.
        for n in 0..40 {
            desk.agent.post(&format!("/conversations/{room}/messages"), message(&format!("secret answer {n}"))).await;
            desk.agent.post(&format!("/conversations/{room}/notes"), message(&format!("secret note {n}"))).await;
        }
        let entry = socket.wait("the notice", |frame| frame["type"] == "entry" && frame["data"]["kind"] == "erased"
            && frame["data"]["conversation_id"] == room).await;
        let through = entry["data"]["content"]["through_seq"].as_i64().unwrap();
        assert_eq!(through + 1, entry["data"]["seq"].as_i64().unwrap());
        assert_eq!(entry["data"]["sender"], Value::Null);
        done(&desk.admin, &made).await;
        // What was written behind it is erased when it is asked for once more.
        let again = desk.admin.post(PATH, of(&desk.visitor.id())).await.status(200);
        done(&desk.admin, &again).await;
        rooms.push(room.clone());
        for room in &rooms {
            let log = desk.admin.log(room).await;
            assert!(!json!(log).to_string().contains("secret"), "{log:?}");
            for (index, entry) in log.iter().enumerate() {
                assert_eq!(entry["seq"], index + 1);
                let erased = entry["kind"] == "erased" || !entry["erased_at"].is_null();
                assert!(erased, "{entry}");
                if entry["message_type"] == "message" {
                    assert_eq!((&entry["content"], entry.get("client_msg_id")), (&json!({}), None), "{entry}");
                }
            }
            assert_eq!(log.last().unwrap()["kind"], "erased");
        }
        let inbox = desk.agent.get("/inbox?limit=200").await.ok().to_string();
        assert!(!inbox.contains("secret"), "{inbox}");
        let row = desk.agent.get("/inbox?limit=200").await.ok();
        let row = row["data"].as_array().unwrap().iter().find(|row| row["conversation_id"] == room).unwrap().clone();
        assert_eq!(row["last_entry"]["kind"], "erased", "{row}");
        let view = desk.admin.get(&format!("/conversations/{room}")).await.ok();
        assert_eq!((&view["status"], &view["close_reason"]), (&json!("closed"), &json!("customer_deleted")));
        let message = desk.agent.log(&room).await.into_iter().find(|one| one["sender"]["id"] == desk.agent.id() && one["message_type"] == "message");
        if let Some(message) = message {
            let path = format!("/conversations/{room}/messages/{}", message["seq"]);
            let edit = json!({"kind": "text", "content": {"text": "back"}});
            desk.agent.patch(&path, edit).await.refused(409, "message_recalled");
        }
        app.audit().await;
        let tenant = desk.tenant;
        let report = app.db.read(move |connection| deskwire::sync::verify::recompute_all(connection, Some(tenant))).await.unwrap();
        assert_eq!(report.drift, 0, "{:?}", report.told);
    }
}
