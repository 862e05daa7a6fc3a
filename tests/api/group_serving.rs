//! Groups that serve as a whole: what comes to them is docked at once, what waits for them as soon as somebody is there.

use deskwire::domain::actor::Principal;
use deskwire::domain::member::Role;
use deskwire::journal::Command;
use deskwire::journal::commands::DockWaiting;
use deskwire::journal::wants::{PIECE, docked_at_once};
use deskwire::kernel::{Code, GroupId};
use deskwire::queue::stranded;
use diesel::RunQueryDsl;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::docking::{ids, kinds, serves, staff_in, stands, unread, view};
use crate::groups::{make, out, put};
use crate::harness::personas::message;
use crate::harness::{Client, Desk, TestApp, eventually};
use crate::routing::{agent_of, online, route, served_by, waits};

async fn serving(desk: &Desk, group: &str, serving: &str) -> Value {
    desk.admin.patch(&format!("/groups/{group}"), json!({"serving": serving})).await.ok()
}

/// A group of these that serves as a whole.
async fn whole(desk: &Desk, name: &str, members: &[&Client]) -> String {
    let group = make(desk, name).await;
    for member in members {
        put(&desk.admin, &group, member, "member").await;
    }
    assert_eq!(serving(desk, &group, "group").await["serving"], "group");
    group
}

/// Status, whether a group serves it, and who of the staff does.
async fn now(desk: &Desk, room: &str) -> (String, bool, Option<String>) {
    stands(&view(&desk.admin, room).await)
}

fn docked() -> (String, bool, Option<String>) {
    ("pending".to_owned(), true, None)
}

fn open() -> (String, bool, Option<String>) {
    ("open".to_owned(), false, None)
}

async fn comes_to_be_docked(desk: &Desk, room: &str) {
    eventually("it is docked", || async { (now(desk, room).await == docked()).then_some(()) }).await;
}

/// Conversations of new visitors that wait for this group.
async fn many(app: &TestApp, desk: &Desk, group: &str, count: usize) -> Vec<String> {
    let mut rooms = Vec::new();
    for _ in 0..count {
        let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
        let opened = visitor.post("/conversations", json!({"group_id": group})).await.status(201);
        rooms.push(opened["conversation"]["id"].as_str().unwrap().to_owned());
    }
    rooms
}

on_every_database! {
    /// Opened for the group, moved to it, handed over to it, opened again: each is docked in the same command.
    async fn what_comes_to_the_group_is_docked_at_once(app: TestApp) {
        let desk = app.desk().await;
        let group = whole(&desk, "Parcels", &[&desk.agent, &desk.second_agent]).await;
        let mut socket = desk.second_agent.socket().await;
        let body = json!({"group_id": group, "message": message("hello")});
        let opened = desk.visitor.post("/conversations", body.clone()).await.status(201);
        assert_eq!(opened["conversation"]["status"], "pending");
        let room = opened["conversation"]["id"].as_str().unwrap().to_owned();
        let repeated = desk.visitor.post("/conversations", body).await.ok();
        assert_eq!(repeated["conversation"]["id"], room.as_str(), "once more finds it");
        socket.wait("the first words", |frame| frame["data"]["content"]["text"] == "hello").await;
        assert_eq!(now(&desk, &room).await, docked());
        assert_eq!(kinds(&desk.visitor, &room).await, ["opened", "docked", "text"]);
        let log = desk.visitor.log(&room).await;
        assert!(log[1]["sender"].is_null() && log[1]["content"] == json!({}), "the service did it: {}", log[1]);
        assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent, &desk.second_agent]));
        assert_eq!((unread(&desk.agent, &room).await, unread(&desk.second_agent, &room).await), (1, 1));
        assert_eq!((serves(&desk, &desk.agent).await, serves(&desk, &desk.second_agent).await), (0, 0));
        assert_eq!(desk.supervisor.get("/queue").await.ok()["data"], json!([]));
        desk.second_agent.send(&room, "yes?").await;
        // Moved there while it waits; while an agent serves it, it stays the agent's.
        let moved = desk.second_visitor.open("hello").await;
        let to = json!({"group_id": group});
        let answer = desk.supervisor.patch(&format!("/conversations/{moved}"), to.clone()).await.ok();
        assert_eq!(stands(&answer), docked());
        let (_, held) = waits(&app, &desk, json!({})).await;
        desk.agent.claim(&held).await;
        desk.supervisor.patch(&format!("/conversations/{held}"), to.clone()).await.ok();
        assert_eq!(now(&desk, &held).await, ("pending".to_owned(), false, Some(desk.agent.id())));
        // Handed over to it, as often as one likes.
        let path = format!("/conversations/{held}/transfer");
        for _ in 0..2 {
            assert_eq!(stands(&desk.agent.post(&path, to.clone()).await.ok()), docked());
        }
        assert_eq!(kinds(&desk.admin, &held).await, ["opened", "assigned", "released", "docked"]);
        let transfers = desk.admin.get(&format!("/conversations/{held}/transfers")).await.ok();
        assert_eq!(transfers["data"].as_array().unwrap().len(), 1);
        let assignments = desk.admin.get(&format!("/conversations/{held}/assignments")).await.ok();
        assert_eq!((&assignments["data"][0]["end_reason"], serves(&desk, &desk.agent).await), (&json!("group_transfer"), 0));
        // Closed and opened again.
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        for _ in 0..2 {
            desk.visitor.post(&format!("/conversations/{room}/reopen"), json!({})).await;
            assert_eq!(now(&desk, &room).await, docked());
        }
        assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent, &desk.second_agent]));
        // One may still take it alone; what comes back is the group's again.
        desk.agent.claim(&room).await;
        desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        comes_to_be_docked(&desk, &room).await;
        // The end of the group: it waits, and is no group's.
        desk.admin.delete(&format!("/groups/{group}")).await.status(204);
        for room in [room, moved, held] {
            assert_eq!(now(&desk, &room).await, open());
        }
    }

    /// Turned on, also twice and twice at once, all that waits is docked; turned off, what is docked stays, the rest waits.
    async fn the_setting_takes_what_waits_and_leaves_what_is_docked(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Parcels").await;
        for member in [&desk.agent, &desk.second_agent] {
            put(&desk.admin, &group, member, "member").await;
        }
        let rooms = many(&app, &desk, &group, PIECE + 20).await;
        let (_, other) = waits(&app, &desk, json!({})).await;
        let path = format!("/groups/{group}");
        let on = json!({"serving": "group"});
        let answers = join_all([desk.admin.patch(&path, on.clone()), desk.admin.patch(&path, on)]).await;
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.body["serving"] == "group"));
        for room in &rooms {
            assert_eq!(now(&desk, room).await, docked());
        }
        assert_eq!(kinds(&desk.admin, &rooms[0]).await, ["opened", "docked"], "once");
        assert_eq!(staff_in(&desk, &rooms[PIECE]).await, ids(&[&desk.agent, &desk.second_agent]));
        assert_eq!(now(&desk, &other).await, open());
        for _ in 0..2 {
            assert_eq!(serving(&desk, &group, "agent").await["serving"], "agent");
        }
        let late = many(&app, &desk, &group, 1).await;
        // A look of the service changes nothing any more.
        let id: GroupId = group.parse().unwrap();
        app.submit(Command::new(Principal::System(desk.tenant), DockWaiting { group: id })).await;
        assert_eq!((now(&desk, &late[0]).await, now(&desk, &rooms[0]).await), (open(), docked()));
        desk.agent.claim(&late[0]).await;
        // Nobody but the service docks what waits.
        let command = Command::new(desk.admin.actor.unwrap(), DockWaiting { group: id });
        assert_eq!(app.submit_all(vec![command]).await.remove(0).unwrap_err().code, Code::Forbidden);
        let rival = app.desk().await;
        let command = Command::new(Principal::System(rival.tenant), DockWaiting { group: id });
        assert_eq!(app.submit(command).await.rev, 0, "another tenant's group");
    }

    /// While nobody is in the group it waits, and is stranded by no rule; who comes finds it docked.
    async fn an_empty_group_docks_when_somebody_comes(app: TestApp) {
        let desk = app.desk().await;
        let group = whole(&desk, "Parcels", &[]).await;
        let room = many(&app, &desk, &group, 1).await.remove(0);
        assert_eq!(now(&desk, &room).await, open());
        let found = || stranded::find(&mut app.database().connect(), app.clock.now().0).unwrap();
        assert_eq!(found(), []);
        for _ in 0..2 {
            put(&desk.admin, &group, &desk.agent, "member").await;
            assert_eq!(now(&desk, &room).await, docked());
            assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent]));
            out(&desk.admin, &group, &desk.agent).await;
            assert_eq!(now(&desk, &room).await, open(), "nobody is left");
        }
        put(&desk.admin, &group, &desk.second_agent, "member").await;
        assert_eq!((now(&desk, &room).await, found()), (docked(), Vec::new()));
        // Whose account is disabled serves nobody.
        let path = format!("/members/{}", desk.second_agent.id());
        desk.admin.patch(&path, json!({"status": "disabled"})).await.ok();
        eventually("it waits again", || async { (now(&desk, &room).await == open()).then_some(()) }).await;
        let late = many(&app, &desk, &group, 1).await.remove(0);
        assert_eq!((now(&desk, &late).await, found()), (open(), Vec::new()));
        put(&desk.admin, &group, &desk.agent, "member").await;
        for room in [room, late] {
            assert_eq!(now(&desk, &room).await, docked());
        }
    }

    /// A process that nobody told docks what waits.
    async fn the_look_finds_what_waits(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Parcels").await;
        put(&desk.admin, &group, &desk.agent, "member").await;
        let room = many(&app, &desk, &group, 1).await.remove(0);
        let set = format!("UPDATE chat_group SET serving = 'group' WHERE id = {group}");
        diesel::sql_query(set).execute(&mut app.database().connect()).unwrap();
        comes_to_be_docked(&desk, &room).await;
    }

    /// Where the service routes, it gives nobody what the whole group is to serve, also while nobody is in the group.
    async fn routing_leaves_it_to_the_group(app: TestApp) {
        let desk = app.desk().await;
        route(&desk, json!({"strategy": "round_robin"})).await;
        let group = whole(&desk, "Parcels", &[]).await;
        desk.admin.patch(&format!("/groups/{group}"), json!({"routing_strategy": "least_loaded"})).await.ok();
        online(&desk, &desk.agent, 50).await;
        let room = many(&app, &desk, &group, 1).await.remove(0);
        let (_, other) = waits(&app, &desk, json!({})).await;
        served_by(&desk, &other, &desk.agent).await;
        assert_eq!(agent_of(&desk, &room).await, None);
        let told = desk.admin.get(&format!("/conversations/{room}/routing/explain")).await.ok();
        assert_eq!((told["strategy"].as_str(), told["strategy_from"].as_str()), (Some("manual"), Some("group")));
        put(&desk.admin, &group, &desk.agent, "member").await;
        assert_eq!(now(&desk, &room).await, docked());
        for _ in 0..3 {
            desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
            comes_to_be_docked(&desk, &room).await;
        }
        let assignments = desk.admin.get(&format!("/conversations/{room}/assignments")).await.ok();
        assert_eq!(assignments["data"], json!([]));
        // One agent each again: what comes back is routed.
        serving(&desk, &group, "agent").await;
        assert_eq!(now(&desk, &room).await, docked());
        desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        served_by(&desk, &room, &desk.agent).await;
    }

    /// What does not wait needs no place in the queue; a closed desk is closed to all.
    async fn a_full_queue_keeps_nothing_from_the_group(app: TestApp) {
        let desk = app.desk().await;
        let group = whole(&desk, "Parcels", &[&desk.agent]).await;
        let empty = whole(&desk, "Letters", &[]).await;
        desk.admin.patch("/tenant", json!({"settings": {"queue": {"limit": 1}}})).await.ok();
        many(&app, &desk, &empty, 1).await;
        for _ in 0..3 {
            many(&app, &desk, &group, 1).await;
        }
        desk.visitor.post("/conversations", json!({"group_id": empty})).await.refused(409, "queue_full");
        desk.visitor.post("/conversations", json!({})).await.refused(409, "queue_full");
        desk.admin.patch("/tenant", json!({"settings": {"queue": {"open": false}}})).await.ok();
        desk.visitor.post("/conversations", json!({"group_id": group})).await.refused(409, "queue_closed");
    }

    /// Bad words, other roles, other tenants.
    async fn the_setting_is_checked(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let made = desk.admin.post("/groups", json!({"name": "Parcels", "serving": "group"})).await.status(201);
        let path = format!("/groups/{}", made["id"].as_str().unwrap());
        assert_eq!((made["serving"].as_str(), &made["routing_strategy"]), (Some("group"), &Value::Null));
        assert_eq!(desk.admin.post("/groups", json!({"name": "Letters"})).await.status(201)["serving"], "agent");
        for wrong in [Value::Null, json!("everybody"), json!(""), json!(true)] {
            let body = json!({"name": "Else", "serving": wrong});
            desk.admin.post("/groups", body.clone()).await.refused(422, "validation_failed");
            desk.admin.patch(&path, body).await.refused(422, "validation_failed");
        }
        let off = json!({"serving": "agent"});
        desk.supervisor.patch(&path, off.clone()).await.refused(403, "forbidden");
        other.admin.patch(&path, off).await.refused(404, "not_found");
        assert_eq!(desk.admin.patch(&path, json!({"name": "Boxes"})).await.ok()["serving"], "group", "absent: it stays");
    }
}

/// However large the group, one command brings no more than some thousand members into conversations.
#[test]
fn the_larger_the_group_the_smaller_the_pieces() {
    assert_eq!([0, 1, 20, 40, 200, 5_000].map(docked_at_once), [PIECE, PIECE, PIECE, 50, 10, 1]);
}
