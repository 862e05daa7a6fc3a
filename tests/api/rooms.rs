//! Rooms of the staff: direct ones, free ones, and those of standing groups; who is in them and who sees them.

use deskwire::domain::member::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::groups::{make, out, put};
use crate::harness::personas::message;
use crate::harness::{Client, Desk};

async fn direct(by: &Client, other: &Client) -> Value {
    by.call(reqwest::Method::PUT, &format!("/rooms/direct/{}", other.id()), None).await.ok()
}

async fn room(by: &Client, subject: &str, others: &[&Client]) -> String {
    let members: Vec<String> = others.iter().map(|one| one.id()).collect();
    let made = by.post("/rooms", json!({"subject": subject, "member_ids": members})).await.status(201);
    assert_eq!((made["kind"].as_str(), made["subject"].as_str()), (Some("group"), Some(subject)));
    made["id"].as_str().unwrap().to_owned()
}

/// Who is in it, as (id, member_type), in order of id.
async fn members(by: &Client, room: &str) -> Vec<(String, String)> {
    let list = by.get(&format!("/conversations/{room}/members")).await.ok();
    let mut all: Vec<(String, String)> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&one["member"]["id"]), text(&one["member_type"]))
        })
        .collect();
    all.sort_by_key(|(id, _)| id.parse::<i64>().unwrap());
    all
}

fn expected(people: &[(&Client, &str)]) -> Vec<(String, String)> {
    let mut all: Vec<_> = people.iter().map(|(who, kind)| (who.id(), (*kind).to_owned())).collect();
    all.sort_by_key(|(id, _)| id.parse::<i64>().unwrap());
    all
}

async fn row(who: &Client, room: &str) -> Option<Value> {
    let inbox = who.get("/inbox?limit=200").await.ok();
    inbox["data"].as_array().unwrap().iter().find(|row| row["conversation_id"] == *room).cloned()
}

/// To these the room is not there, whatever they try.
async fn hidden(desk: &Desk, from: &[&Client], room: &str) {
    for who in from {
        let path = format!("/conversations/{room}");
        who.get(&path).await.refused(404, "not_found");
        for list in ["members", "messages", "entries"] {
            who.get(&format!("{path}/{list}")).await.refused(404, "not_found");
        }
        who.post(&format!("{path}/messages"), message("x")).await.refused(404, "not_found");
        who.post(&format!("{path}/read"), json!({"seq": 1})).await.refused(404, "not_found");
        let mut socket = who.socket_with(json!({"device": "curious"})).await;
        socket.ask_refused("watch", json!({"conversations": [room]}), "not_found").await;
        socket.ask_refused("pull", json!({"conversation_id": room, "after_seq": 0}), "not_found").await;
        assert!(row(who, room).await.is_none());
        if who.id() != desk.visitor.id() {
            let me = json!({"member_id": who.id()});
            who.post(&format!("{path}/members"), me).await.refused(404, "not_found");
            who.patch(&path, json!({"subject": "x"})).await.refused(404, "not_found");
            // Who has left hears once more that it did.
            let left = who.delete(&format!("{path}/members/{}", who.id())).await.status;
            assert!([204, 404].contains(&left), "{left}");
        }
    }
}

on_every_database! {
    /// The same two have one direct room, whoever asks and however many at once; it works like any log.
    async fn two_have_one_direct_room(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let asked = join_all((0..6).map(|number| {
            let (one, two) = (desk.agent.clone(), desk.supervisor.clone());
            async move {
                let (by, with) = if number % 2 == 0 { (&one, &two) } else { (&two, &one) };
                let path = format!("/rooms/direct/{}", with.id());
                let answer = by.call(reqwest::Method::PUT, &path, None).await;
                (answer.status, answer.ok()["id"].as_str().unwrap().to_owned())
            }
        }));
        let asked = asked.await;
        assert_eq!(asked.iter().filter(|(status, _)| *status == 201).count(), 1, "{asked:?}");
        let id = asked[0].1.clone();
        assert!(asked.iter().all(|(_, found)| *found == id), "{asked:?}");
        let view = direct(&desk.supervisor, &desk.agent).await;
        assert_eq!((view["kind"].as_str(), view["status"].is_null()), (Some("direct"), true));
        let mut between: Vec<String> =
            view["between"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        between.sort();
        let mut two = [desk.agent.id(), desk.supervisor.id()];
        two.sort();
        assert_eq!(between, two);
        // It goes through every route and frame of a log.
        let (mut mine, mut theirs) = (desk.agent.socket().await, desk.supervisor.socket().await);
        desk.agent.send(&id, "lunch?").await;
        let entry = theirs.expect("entry").await;
        assert_eq!((&entry["conversation_id"], entry["content"]["text"].as_str()), (&json!(id), Some("lunch?")));
        let seq = entry["seq"].as_i64().unwrap();
        assert_eq!(row(&desk.supervisor, &id).await.unwrap()["unread"], 1);
        assert_eq!(row(&desk.agent, &id).await.unwrap()["unread"], 0);
        theirs.send_frame("typing", json!({"conversation_id": id, "on": true})).await;
        mine.expect("typing").await;
        desk.supervisor.post(&format!("/conversations/{id}/read"), json!({"seq": seq})).await.ok();
        let receipt = mine.wait("the receipt", |frame| {
            frame["type"] == "receipt" && frame["data"]["staff_read_seq"] == seq
        }).await;
        assert_eq!(receipt["data"]["conversation_id"], json!(id));
        assert_eq!(row(&desk.supervisor, &id).await.unwrap()["unread"], 0);
        desk.supervisor.post(&format!("/conversations/{id}/mark_unread"), json!({"seq": 0})).await.ok();
        assert_eq!(row(&desk.supervisor, &id).await.unwrap()["unread"], 1);
        let path = format!("/conversations/{id}/messages/{seq}");
        desk.agent.patch(&path, json!({"kind": "text", "content": {"text": "dinner?"}})).await.ok();
        theirs.wait("the edit", |frame| frame["data"]["kind"] == "edited").await;
        desk.agent.delete(&path).await.ok();
        theirs.wait("the recall", |frame| frame["data"]["kind"] == "recalled").await;
        // Only the two see it: no role is enough.
        hidden(&desk, &[&desk.admin, &desk.second_agent, &desk.visitor], &id).await;
        other.admin.get(&format!("/conversations/{id}")).await.refused(404, "not_found");
        // Nobody comes in, nobody leaves, it has no name and no state.
        let path = format!("/conversations/{id}");
        let third = json!({"member_id": desk.second_agent.id()});
        desk.agent.post(&format!("{path}/members"), third).await.refused(403, "forbidden");
        for who in [&desk.agent, &desk.supervisor] {
            let place = format!("{path}/members/{}", who.id());
            desk.agent.delete(&place).await.refused(403, "forbidden");
        }
        desk.agent.patch(&path, json!({"subject": "x"})).await.refused(403, "forbidden");
        for action in ["claim", "release", "close", "reopen"] {
            desk.supervisor.post(&format!("{path}/{action}"), json!({})).await.refused(403, "forbidden");
        }
        let body = json!({"agent_id": desk.agent.id()});
        desk.supervisor.post(&format!("{path}/assign"), body).await.refused(403, "forbidden");
        desk.agent.post(&format!("{path}/notes"), message("x")).await.refused(404, "not_found");
        desk.agent.get(&format!("{path}/notes")).await.refused(404, "not_found");
        // Who it cannot be with.
        for with in [&desk.agent, &desk.visitor, &other.agent] {
            let path = format!("/rooms/direct/{}", with.id());
            desk.agent.call(reqwest::Method::PUT, &path, None).await.refused(422, "validation_failed");
        }
        let path = format!("/rooms/direct/{}", desk.agent.id());
        desk.visitor.call(reqwest::Method::PUT, &path, None).await.refused(403, "forbidden");
    }

    /// Neither the lists of conversations nor the feed hold rooms; the inbox and the delta do, and a socket resumes.
    async fn rooms_are_found_where_their_members_look(app: TestApp) {
        let desk = app.desk().await;
        let before = desk.agent.get("/sync").await.ok()["cursor"].as_str().unwrap().to_owned();
        let mut socket = desk.agent.socket_with(json!({"device": "d"})).await;
        let id = room(&desk.supervisor, "Shift", &[&desk.agent]).await;
        let told = socket.expect("inbox").await;
        assert_eq!((&told["conversation_id"], told["conversation"]["kind"].as_str()), (&json!(id), Some("group")));
        socket.close().await;
        desk.supervisor.send(&id, "good morning").await;
        for who in [&desk.agent, &desk.supervisor, &desk.admin] {
            for query in ["", "?status=open", "?sort=waiting", "?unassigned=true"] {
                let list = who.get(&format!("/conversations{query}")).await.ok();
                assert_eq!(list["data"], json!([]), "{query}");
            }
        }
        let feed = desk.admin.get("/entries?include=backstage").await.ok();
        assert_eq!(feed["data"], json!([]));
        let delta = desk.agent.get(&format!("/sync?cursor={before}")).await.ok();
        let rows: Vec<&Value> = delta["rows"].as_array().unwrap().iter().collect();
        assert_eq!((rows.len(), &rows[0]["conversation_id"], &rows[0]["unread"]), (1, &json!(id), &json!(1)));
        let hello = json!({"device": "d", "cursor": before, "conversations": [[id, 0]]});
        let mut socket = desk.agent.socket_with(hello).await;
        socket.barrier().await;
        let log = desk.agent.log(&id).await;
        assert_eq!(log.last().unwrap()["content"]["text"], "good morning");
        assert_eq!(desk.agent.get(&format!("/conversations/{id}")).await.header("etag"), "\"1\"");
        let read = |connection: &mut _| deskwire::sync::verify::recompute_all(connection, None);
        let report = app.app().db.read(read).await.unwrap();
        assert!(report.drift == 0 && report.checked > 0, "{report:?}");
    }

    /// A free room: made with members, others are added, leave, are taken out; the manager's place is handed on.
    async fn a_free_room_has_its_members(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let id = room(&desk.agent, "Shift", &[&desk.second_agent, &desk.agent, &desk.second_agent]).await;
        let (m, n) = ("manager", "member");
        assert_eq!(members(&desk.agent, &id).await, expected(&[(&desk.agent, m), (&desk.second_agent, n)]));
        hidden(&desk, &[&desk.admin, &desk.supervisor, &desk.visitor], &id).await;
        let path = format!("/conversations/{id}");
        let add = async |by: &Client, who: &Client| {
            by.post(&format!("{path}/members"), json!({"member_id": who.id()})).await
        };
        let place = |who: &Client| format!("{path}/members/{}", who.id());
        for wrong in [&desk.visitor, &other.agent] {
            add(&desk.agent, wrong).await.refused(422, "validation_failed");
        }
        add(&desk.second_agent, &desk.supervisor).await.ok();
        add(&desk.second_agent, &desk.supervisor).await.ok();
        add(&desk.agent, &desk.admin).await.ok();
        let four = [(&desk.agent, m), (&desk.second_agent, n), (&desk.supervisor, n), (&desk.admin, n)];
        assert_eq!(members(&desk.admin, &id).await, expected(&four));
        // Everybody in it may name it; a change is based on a version like any other.
        let named = desk.second_agent.patch(&path, json!({"subject": "Night shift"})).await.ok();
        assert_eq!(named["subject"], "Night shift");
        let stale = desk.agent.request(reqwest::Method::PATCH, &path).header("If-Match", "\"1\"");
        let answer = crate::harness::Answer::of(stale.json(&json!({"subject": "x"}))).await;
        answer.refused(412, "version_mismatch");
        for wrong in [json!({"priority": "high"}), json!({"tags": ["x"]}), json!({"group_id": null})] {
            desk.agent.patch(&path, wrong).await.refused(422, "validation_failed");
        }
        desk.second_agent.delete(&place(&desk.admin)).await.refused(403, "forbidden");
        let mut socket = desk.admin.socket().await;
        desk.agent.delete(&place(&desk.admin)).await.status(204);
        assert_eq!(socket.expect("reset").await["reason"], "removed");
        desk.agent.delete(&place(&desk.admin)).await.status(204);
        desk.agent.delete(&place(&desk.visitor)).await.refused(404, "not_found");
        hidden(&desk, &[&desk.admin], &id).await;
        // A supervisor who is in it oversees it. The manager leaves: who came first manages it.
        desk.agent.delete(&place(&desk.agent)).await.status(204);
        desk.agent.delete(&place(&desk.agent)).await.status(204);
        let two = [(&desk.second_agent, m), (&desk.supervisor, n)];
        assert_eq!(members(&desk.second_agent, &id).await, expected(&two));
        desk.supervisor.delete(&place(&desk.second_agent)).await.status(204);
        assert_eq!(members(&desk.supervisor, &id).await, expected(&[(&desk.supervisor, m)]));
        desk.supervisor.delete(&place(&desk.supervisor)).await.status(204);
        desk.supervisor.get(&path).await.refused(404, "not_found");
        for wrong in [json!({}), json!({"subject": ""}), json!({"subject": "a\nb"}), json!({"subject": "x".repeat(201)})] {
            desk.agent.post("/rooms", wrong).await.refused(422, "validation_failed");
        }
        for wrong in [&desk.visitor, &other.agent] {
            let body = json!({"subject": "x", "member_ids": [wrong.id()]});
            desk.agent.post("/rooms", body).await.refused(422, "validation_failed");
        }
        desk.visitor.post("/rooms", json!({"subject": "x"})).await.refused(403, "forbidden");
        desk.anonymous.post("/rooms", json!({"subject": "x"})).await.refused(401, "unauthenticated");
    }

    /// A room has 200 members at most, however they come.
    async fn a_room_is_full_at_two_hundred(app: TestApp) {
        let desk = app.desk().await;
        let mut people = Vec::new();
        for _ in 0..200 {
            people.push(app.seed_member(desk.tenant, Role::Agent).await.member.to_string());
        }
        let body = json!({"subject": "All", "member_ids": people});
        desk.agent.post("/rooms", body).await.refused(409, "limit_reached");
        let body = json!({"subject": "All", "member_ids": people[..198]});
        let made = desk.agent.post("/rooms", body).await.status(201);
        let path = format!("/conversations/{}/members", made["id"].as_str().unwrap());
        let added = join_all(people[198..].iter().map(|who| {
            let (agent, path) = (desk.agent.clone(), path.clone());
            async move { agent.post(&path, json!({"member_id": who})).await.status }
        }));
        let mut statuses = added.await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
    }

    /// Who is in a group is in its room, at once and in both directions, also over the socket and on other processes.
    async fn a_groups_room_follows_the_group(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Returns").await;
        let of = |group: Value| group["room_id"].as_str().map(ToOwned::to_owned);
        assert_eq!(of(desk.agent.get(&format!("/groups/{group}")).await.ok()), None);
        let there = match app.kind().is_server() {
            true => app.second().await,
            false => app.clone(),
        };
        let agent = there.client_of(desk.agent.actor.unwrap());
        let mut socket = agent.socket().await;
        put(&desk.admin, &group, &desk.agent, "member").await;
        let id = of(desk.agent.get(&format!("/groups/{group}")).await.ok()).unwrap();
        assert_eq!(socket.expect("inbox").await["conversation_id"], json!(id));
        let view = agent.get(&format!("/conversations/{id}")).await.ok();
        assert_eq!((view["subject"].as_str(), &view["group_id"]), (Some("Returns"), &json!(group)));
        put(&desk.admin, &group, &desk.supervisor, "manager").await;
        put(&desk.admin, &group, &desk.second_agent, "member").await;
        let (m, n) = ("manager", "member");
        let three = [(&desk.agent, n), (&desk.supervisor, m), (&desk.second_agent, n)];
        assert_eq!(members(&agent, &id).await, expected(&three));
        put(&desk.admin, &group, &desk.agent, "manager").await;
        put(&desk.admin, &group, &desk.supervisor, "member").await;
        let three = [(&desk.agent, m), (&desk.supervisor, n), (&desk.second_agent, n)];
        assert_eq!(members(&agent, &id).await, expected(&three));
        hidden(&desk, &[&desk.admin, &desk.visitor], &id).await;
        desk.supervisor.send(&id, "welcome").await;
        socket.wait("the message", |frame| frame["data"]["content"]["text"] == "welcome").await;
        assert_eq!(row(&agent, &id).await.unwrap()["unread"], 1);
        // The group says who is in it and what it is called.
        let path = format!("/conversations/{id}");
        desk.agent.post(&format!("{path}/members"), json!({"member_id": desk.admin.id()})).await.refused(403, "forbidden");
        for who in [&desk.agent, &desk.second_agent] {
            desk.agent.delete(&format!("{path}/members/{}", who.id())).await.refused(403, "forbidden");
        }
        desk.agent.patch(&path, json!({"subject": "x"})).await.refused(403, "forbidden");
        desk.admin.patch(&format!("/groups/{group}"), json!({"name": "Refunds"})).await.ok();
        socket.wait("the new name", |frame| {
            frame["type"] == "inbox" && frame["data"]["conversation"]["subject"] == "Refunds"
        }).await;
        out(&desk.admin, &group, &desk.agent).await;
        assert_eq!(socket.expect("reset").await["reason"], "removed");
        hidden(&desk, &[&agent], &id).await;
        desk.supervisor.send(&id, "in between").await;
        socket.barrier().await;
        assert!(socket.take_kept().iter().all(|frame| frame["data"]["content"]["text"] != "in between"));
        // Coming back, one reads all of it.
        put(&desk.admin, &group, &desk.agent, "member").await;
        let texts: Vec<Value> = agent.log(&id).await.iter().map(|entry| entry["content"]["text"].clone()).collect();
        assert!(texts.contains(&json!("in between")), "{texts:?}");
        assert_eq!(row(&agent, &id).await.unwrap()["unread"], 0);
        desk.admin.delete(&format!("/groups/{group}")).await.status(204);
        hidden(&desk, &[&agent, &desk.supervisor, &desk.second_agent], &id).await;
    }

    /// Who may not use its account is in no room; a lower role is no reason to leave one; the direct room is found again.
    async fn who_is_gone_leaves_its_rooms(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Returns").await;
        put(&desk.admin, &group, &desk.supervisor, "member").await;
        put(&desk.admin, &group, &desk.agent, "member").await;
        let groups_room =
            desk.agent.get(&format!("/groups/{group}")).await.ok()["room_id"].as_str().unwrap().to_owned();
        let free = room(&desk.supervisor, "Free", &[&desk.agent]).await;
        let two = direct(&desk.agent, &desk.supervisor).await["id"].as_str().unwrap().to_owned();
        // More rooms than one command leaves.
        for number in 0..105 {
            room(&desk.supervisor, &format!("Room {number}"), &[&desk.agent]).await;
        }
        let path = format!("/members/{}", desk.supervisor.id());
        desk.admin.patch(&path, json!({"role": "agent"})).await.ok();
        let demoted = app.client_of(desk.seed.supervisor);
        for id in [&groups_room, &free, &two] {
            assert_eq!(members(&desk.agent, id).await.len(), 2, "a lower role leaves no room");
        }
        drop(demoted);
        desk.admin.patch(&path, json!({"status": "disabled"})).await.ok();
        let inbox = desk.agent.get("/inbox?limit=200").await.ok();
        let rows = inbox["data"].as_array().unwrap();
        assert_eq!(rows.len(), 108);
        for row in rows {
            let id = row["conversation_id"].as_str().unwrap();
            let left = members(&desk.agent, id).await;
            assert_eq!(left.len(), 1, "{row}");
            assert!(id == two || id == groups_room || left[0].1 == "manager", "{row}");
        }
        desk.agent.call(reqwest::Method::PUT, &format!("/rooms/direct/{}", desk.supervisor.id()), None).await.refused(422, "validation_failed");
        desk.admin.patch(&path, json!({"status": "enabled"})).await.ok();
        assert_eq!(direct(&desk.agent, &desk.supervisor).await["id"], json!(two));
        assert_eq!(members(&desk.agent, &two).await.len(), 2);
        assert_eq!(members(&desk.agent, &free).await.len(), 1, "it does not come back by itself");
    }
}
