//! Conversations: opening, the status table, who is in one, what lists show, and that no visitor ever sees what is
//! meant for staff.

use std::collections::HashSet;

use deskwire::domain::member::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::personas::message;

on_every_database! {
    /// A customer has one open conversation; opening again finds it, and a repeated opening is answered alike even
    /// after the close.
    async fn opening_again_finds_the_open_one(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({"subject": "bill", "message": message("hello")});
        let first = desk.visitor.post("/conversations", body.clone()).await.status(201);
        assert_eq!(first["created"], true);
        assert_eq!(first["conversation"]["subject"], "bill");
        assert_eq!(first["conversation"]["status"], "open");
        assert_eq!(first["entry"]["content"]["text"], "hello");
        let room = first["conversation"]["id"].as_str().unwrap();

        let again = desk.visitor.post("/conversations", body.clone()).await.status(200);
        assert_eq!(again["duplicate"], true);
        assert_eq!(again["entry"]["seq"], first["entry"]["seq"]);
        let more = json!({"message": message("still there?")});
        let found = desk.visitor.post("/conversations", more).await.status(200);
        assert_eq!((&found["conversation"]["id"], &found["created"]), (&json!(room), &json!(false)));

        desk.agent.claim(room).await;
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        let late = desk.visitor.post("/conversations", body).await.status(200);
        assert_eq!(late["conversation"]["id"], room);
        assert_eq!(late["entry"]["seq"], first["entry"]["seq"]);
        assert_eq!(desk.visitor.log(room).await.iter().filter(|entry| entry["kind"] == "text").count(), 2);
    }

    /// Staff open on behalf of a customer and must name it; a customer opens its own only.
    async fn staff_open_for_a_customer_of_their_own(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let refused = desk.agent.post("/conversations", json!({})).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/customer_id");
        let body = json!({"customer_id": desk.visitor.id()});
        let opened = desk.agent.post("/conversations", body).await.status(201);
        assert_eq!(opened["conversation"]["customer"]["id"], desk.visitor.id());
        let found = desk.visitor.post("/conversations", json!({})).await.status(200);
        assert_eq!(found["conversation"]["id"], opened["conversation"]["id"]);

        let theirs = json!({"customer_id": desk.second_visitor.id()});
        desk.visitor.post("/conversations", theirs).await.refused(403, "forbidden");
        let foreign = json!({"customer_id": other.visitor.id()});
        desk.agent.post("/conversations", foreign).await.refused(422, "validation_failed");
        let staff = json!({"customer_id": desk.supervisor.id()});
        desk.agent.post("/conversations", staff).await.refused(422, "validation_failed");
    }

    /// Of several who claim at once exactly one wins, and the others learn who.
    async fn a_claim_has_one_winner(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("help").await;
        let path = format!("/conversations/{room}/claim");
        let callers = [&desk.agent, &desk.second_agent, &desk.supervisor, &desk.admin];
        let answers = join_all(callers.iter().map(|caller| caller.post(&path, json!({})))).await;
        let winners: Vec<_> = (0..callers.len()).filter(|index| answers[*index].status == 200).collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        let holder = callers[winners[0]];
        for (caller, answer) in callers.iter().zip(answers) {
            if caller.id() != holder.id() {
                assert_eq!(answer.refused(409, "already_assigned")["context"]["agent_id"], holder.id());
            }
        }
        let again = holder.post(&path, json!({})).await.ok();
        assert_eq!((&again["status"], &again["agent"]["id"]), (&json!("pending"), &json!(holder.id())));
        let path = format!("/conversations/{room}/assignments");
        let assignments = desk.supervisor.get(&path).await.ok();
        assert_eq!(assignments["data"].as_array().unwrap().len(), 1);
        assert_eq!(assignments["data"][0]["reason"], "claim");
    }

    /// The status table: legal moves move, repeated ones change nothing, illegal ones tell the present state.
    async fn the_status_table_holds(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let act = |who: &Client, what: &str, body: Value| {
            let (who, path) = (who.clone(), format!("/conversations/{room}/{what}"));
            async move { who.post(&path, body).await }
        };
        let reopened = act(&desk.supervisor, "reopen", json!({})).await.refused(409, "invalid_transition");
        assert_eq!(reopened["context"]["status"], "pending");
        assert_eq!(act(&desk.agent, "release", json!({})).await.ok()["status"], "open");
        act(&desk.agent, "assign", json!({"agent_id": desk.agent.id()})).await.refused(403, "forbidden");
        let assign = json!({"agent_id": desk.second_agent.id(), "note": "speaks Chinese"});
        let assigned = act(&desk.supervisor, "assign", assign).await.ok();
        assert_eq!(assigned["agent"]["id"], desk.second_agent.id());
        act(&desk.agent, "close", json!({})).await.refused(404, "not_found");

        let closed = act(&desk.second_agent, "close", json!({"reason": "inactive"})).await.ok();
        assert_eq!((&closed["status"], &closed["close_reason"]), (&json!("closed"), &json!("inactive")));
        let version = closed["version"].clone();
        assert_eq!(act(&desk.visitor, "close", json!({})).await.ok()["status"], "closed");
        let seen = desk.supervisor.get(&format!("/conversations/{room}")).await.ok();
        assert_eq!((&seen["version"], &seen["close_reason"]), (&version, &json!("inactive")));
        act(&desk.supervisor, "claim", json!({})).await.refused(409, "invalid_transition");
        act(&desk.supervisor, "release", json!({})).await.refused(409, "invalid_transition");
        let assign = json!({"agent_id": desk.agent.id()});
        act(&desk.supervisor, "assign", assign).await.refused(409, "invalid_transition");
        assert_eq!(act(&desk.visitor, "reopen", json!({})).await.ok()["status"], "open");
        let rows = desk.supervisor.get(&format!("/conversations/{room}/assignments")).await.ok();
        let ends: Vec<_> = rows["data"].as_array().unwrap().iter().map(|row| &row["end_reason"]).collect();
        assert_eq!(ends, [&json!("release"), &json!("close")]);
        desk.agent.get(&format!("/conversations/{room}/assignments")).await.refused(403, "forbidden");
        act(&desk.visitor, "close", json!({"reason": "spam"})).await.refused(422, "validation_failed");
        act(&desk.agent, "close", json!({"why": "x"})).await.refused(422, "validation_failed");
    }

    /// A closed conversation cannot come back while its customer has another open one.
    async fn reopening_beside_an_open_one_is_refused(app: TestApp) {
        let desk = app.desk().await;
        let first = desk.open("one").await;
        desk.visitor.post(&format!("/conversations/{first}/close"), json!({})).await.ok();
        let second = desk.open("two").await;
        assert_ne!(first, second);
        let path = format!("/conversations/{first}/reopen");
        let refused = desk.visitor.post(&path, json!({})).await.refused(409, "open_conversation_exists");
        assert_eq!(refused["context"]["conversation_id"], second);
        let path = format!("/conversations/{first}/messages");
        let refused = desk.visitor.post(&path, message("more")).await.refused(409, "conversation_closed");
        assert_eq!(refused["context"]["open_conversation_id"], second);
    }

    /// Staff come and go; who was taken out sees nothing more.
    async fn members_come_and_go(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let path = format!("/conversations/{room}/members");
        desk.second_agent.get(&path).await.refused(404, "not_found");
        let body = json!({"member_id": desk.second_agent.id()});
        let members = desk.agent.post(&path, body.clone()).await.ok();
        let types: Vec<_> = members["data"].as_array().unwrap().iter().map(|row| row["member_type"].clone()).collect();
        assert_eq!(types, [json!("customer"), json!("manager"), json!("member")]);
        assert_eq!(desk.agent.post(&path, body).await.ok(), members);
        desk.second_agent.send(&room, "I can help").await;
        desk.visitor.post(&path, json!({"member_id": desk.agent.id()})).await.refused(403, "forbidden");
        let visitor = json!({"member_id": desk.second_visitor.id()});
        desk.agent.post(&path, visitor).await.refused(422, "validation_failed");

        let second = format!("{path}/{}", desk.second_agent.id());
        desk.agent.delete(&second).await.refused(403, "forbidden");
        desk.supervisor.delete(&second).await.status(204);
        desk.second_agent.get(&path).await.refused(404, "not_found");
        desk.second_agent.get(&format!("/conversations/{room}/messages")).await.refused(404, "not_found");
        let again = json!({"member_id": desk.second_agent.id()});
        desk.supervisor.post(&path, again).await.ok();
        desk.second_agent.delete(&second).await.status(204);
    }

    /// A change tells absent from null, and says what is wrong with it.
    async fn a_patch_tells_absent_from_null(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let path = format!("/conversations/{room}");
        let body = json!({"subject": "refund", "priority": "urgent", "tags": ["vip", "退款"]});
        let changed = desk.agent.patch(&path, body.clone()).await.ok();
        assert_eq!(changed["tags"], json!(["vip", "退款"]));
        let same = desk.agent.patch(&path, body).await.ok();
        assert_eq!(same["version"], changed["version"]);
        let cleared = desk.agent.patch(&path, json!({"priority": null, "tags": null})).await.ok();
        assert_eq!(
            (&cleared["subject"], &cleared["priority"], &cleared["tags"]),
            (&json!("refund"), &json!("normal"), &json!([]))
        );
        for (body, pointer) in [
            (json!({"status": "open"}), "/status"),
            (json!({"priority": "mad"}), "/priority"),
            (json!({"subject": "x".repeat(201)}), "/subject"),
            (json!({"tags": ["a", "a"]}), "/tags/1"),
            (json!({"tags": ["a\u{0}"]}), "/tags/0"),
        ] {
            let refused = desk.agent.patch(&path, body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer);
        }
        desk.visitor.patch(&path, json!({"subject": "mine"})).await.refused(403, "forbidden");
    }

    /// Lists show what their reader may see, page by page without a row twice or missing.
    async fn lists_show_what_the_reader_may_see(app: TestApp) {
        let desk = app.desk().await;
        let mut rooms = Vec::new();
        for index in 0..7 {
            let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
            rooms.push(visitor.open(&format!("number {index}")).await);
        }
        desk.agent.claim(&rooms[0]).await;
        desk.second_agent.claim(&rooms[1]).await;
        desk.supervisor.post(&format!("/conversations/{}/close", rooms[2]), json!({})).await.ok();
        let pick = |wanted: &[usize]| wanted.iter().map(|index| rooms[*index].clone()).collect::<Vec<_>>();

        let agent = all(&desk.agent, "limit=2").await;
        assert_eq!(agent, pick(&[6, 5, 4, 3, 0]));
        assert_eq!(all(&desk.second_agent, "limit=200").await, pick(&[6, 5, 4, 3, 1]));
        assert_eq!(all(&desk.supervisor, "limit=3").await, pick(&[6, 5, 4, 3, 2, 1, 0]));
        assert_eq!(all(&desk.supervisor, "status=closed").await, pick(&[2]));
        assert_eq!(all(&desk.agent, "status=pending").await, pick(&[0]));
        let served = format!("agent_id={}", desk.second_agent.id());
        assert_eq!(all(&desk.admin, &served).await, pick(&[1]));
        assert_eq!(all(&desk.admin, "unassigned=true&status=open&limit=1").await, pick(&[6, 5, 4, 3]));
        assert!(all(&desk.second_visitor, "limit=50").await.is_empty());
        desk.agent.get("/conversations?limit=0").await.refused(400, "invalid_parameter");
        desk.agent.get("/conversations?limit=201").await.refused(400, "invalid_parameter");
        desk.agent.get("/conversations?cursor=!").await.refused(400, "invalid_parameter");
        desk.agent.get("/conversations?status=odd").await.refused(400, "invalid_parameter");
        desk.agent.get("/conversations?colour=red").await.refused(400, "invalid_parameter");
    }

    /// Another tenant's ids and random ones answer alike, whatever is asked.
    async fn foreign_and_random_ids_do_not_exist(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = desk.open_and_claim("hello").await;
        let note = desk.agent.post(&format!("/conversations/{room}/notes"), message("note")).await.ok();
        let notes = note["entry"]["conversation_id"].as_str().unwrap();
        for id in [room.as_str(), notes, "1", "9223372036854775807"] {
            for who in [&other.agent, &other.supervisor, &other.admin, &other.visitor] {
                for path in ["", "/members", "/messages", "/messages/1", "/entries"] {
                    who.get(&format!("/conversations/{id}{path}")).await.refused(404, "not_found");
                }
                for (path, body) in [
                    ("messages", message("x")),
                    ("read", json!({"seq": 1})),
                    ("mark_unread", json!({"seq": 1})),
                    ("delivered", json!({"seq": 1})),
                    ("close", json!({})),
                    ("reopen", json!({})),
                ] {
                    let answer = who.post(&format!("/conversations/{id}/{path}"), body).await;
                    answer.refused(404, "not_found");
                }
            }
            let supervisor = &other.supervisor;
            for (path, body) in [
                ("claim", json!({})),
                ("release", json!({})),
                ("assign", json!({"agent_id": other.agent.id()})),
                ("members", json!({"member_id": other.agent.id()})),
                ("notes", message("x")),
            ] {
                supervisor.post(&format!("/conversations/{id}/{path}"), body).await.refused(404, "not_found");
            }
            let path = format!("/conversations/{id}");
            supervisor.patch(&path, json!({"subject": "x"})).await.refused(404, "not_found");
            supervisor.delete(&format!("{path}/messages/2")).await.refused(404, "not_found");
            supervisor.get(&format!("{path}/notes")).await.refused(404, "not_found");
            supervisor.get(&format!("{path}/assignments")).await.refused(404, "not_found");
            supervisor.get(&format!("{path}/messages/2/revisions")).await.refused(404, "not_found");
        }
        desk.agent.get("/conversations/abc").await.refused(400, "invalid_parameter");
        desk.agent.get("/conversations/99999999999999999999").await.refused(400, "invalid_parameter");
    }

    /// Unique words in tags, notes and remarks never reach the visitor, wherever it looks.
    async fn no_visitor_sees_what_is_meant_for_staff(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}");
        let word = |name: &str| format!("canary-{name}");
        let agent = &desk.agent;
        agent.patch(&path, json!({"tags": [word("tag")], "priority": "urgent"})).await.ok();
        let note = agent.post(&format!("{path}/notes"), message(&word("note"))).await.status(201);
        let assign = json!({"agent_id": desk.second_agent.id(), "note": word("assign")});
        desk.supervisor.post(&format!("{path}/assign"), assign).await.ok();
        let release = json!({"note": word("release")});
        desk.second_agent.post(&format!("{path}/release"), release).await.ok();
        desk.agent.claim(&room).await;
        desk.agent.send(&room, "good day").await;
        desk.agent.post(&format!("{path}/close"), json!({"note": word("close")})).await.ok();

        let notes = note["entry"]["conversation_id"].as_str().unwrap();
        let seen = desk.agent.get(&format!("{path}/notes?limit=200")).await.ok().to_string();
        for name in ["tag", "note", "assign", "release", "close"] {
            assert!(seen.contains(&word(name)), "{name}: {seen}");
        }
        let mut read = HashSet::new();
        for way in [
            "/conversations".to_owned(),
            path.clone(),
            format!("{path}/members"),
            format!("{path}/messages"),
            format!("{path}/entries"),
            "/inbox".to_owned(),
            "/sync".to_owned(),
        ] {
            let body = desk.visitor.get(&way).await.ok().to_string();
            for secret in ["canary", "urgent", "priority", "backstage", notes, "\"notes\"", "\"tags\""] {
                assert!(!body.contains(secret), "{secret} in {way}: {body}");
            }
            read.insert(way);
        }
        assert_eq!(read.len(), 7);
        for way in ["notes", "assignments", "messages/2/revisions"] {
            desk.visitor.get(&format!("{path}/{way}")).await.refused(403, "forbidden");
        }
        desk.visitor.post(&format!("{path}/notes"), message("x")).await.refused(403, "forbidden");
        for way in ["", "/messages", "/entries", "/members", "/messages/1"] {
            desk.visitor.get(&format!("/conversations/{notes}{way}")).await.refused(404, "not_found");
        }
        desk.visitor.post(&format!("/conversations/{notes}/messages"), message("x")).await.refused(404, "not_found");
        desk.visitor.post(&format!("/conversations/{notes}/read"), json!({})).await.refused(404, "not_found");
    }
}

/// Every id of a list, page by page.
async fn all(who: &Client, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = format!("/conversations?{query}");
    loop {
        let page = who.get(&path).await.ok();
        let rows = page["data"].as_array().unwrap();
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/conversations?{query}&cursor={cursor}"),
            None => return ids,
        }
    }
}
