//! Docking: a whole group serves a conversation; who comes into the group and who leaves it.

use deskwire::domain::actor::Principal;
use deskwire::domain::member::Role;
use deskwire::journal::Command;
use deskwire::journal::commands::{FollowGroup, RemoveGroupMember, SetGroupMember};
use deskwire::journal::wants::PIECE;
use deskwire::kernel::{Code, GroupId, Millis};
use deskwire::queue::stranded;
use diesel::RunQueryDsl;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::groups::{make, out, put};
use crate::harness::personas::message;
use crate::harness::{Answer, Client, Desk, eventually};

async fn dock(by: &Client, room: &str, group: &str) -> Answer {
    by.post(&format!("/conversations/{room}/dock"), json!({"group_id": group})).await
}

pub async fn view(by: &Client, room: &str) -> Value {
    by.get(&format!("/conversations/{room}")).await.ok()
}

/// Status, whether a group serves it, and who of the staff does.
pub fn stands(view: &Value) -> (String, bool, Option<String>) {
    let agent = view["agent"]["id"].as_str().map(str::to_owned);
    (view["status"].as_str().unwrap().to_owned(), view["docked"].as_bool().unwrap(), agent)
}

/// Who of the staff is in it, as the administrator sees it.
pub async fn staff_in(desk: &Desk, room: &str) -> Vec<String> {
    let list = desk.admin.get(&format!("/conversations/{room}/members")).await.ok();
    let rows = list["data"].as_array().unwrap().iter().filter(|row| row["member_type"] != "customer");
    let mut ids: Vec<String> = rows.map(|row| row["member"]["id"].as_str().unwrap().to_owned()).collect();
    ids.sort_by_key(|id| id.parse::<i64>().unwrap());
    ids
}

pub fn ids(people: &[&Client]) -> Vec<String> {
    let mut ids: Vec<String> = people.iter().map(|one| one.id()).collect();
    ids.sort_by_key(|id| id.parse::<i64>().unwrap());
    ids
}

/// The inbox row of a conversation; none while one is not in it.
async fn row(who: &Client, room: &str) -> Option<Value> {
    let inbox = who.get("/inbox?limit=200").await.ok();
    inbox["data"].as_array().unwrap().iter().find(|row| row["conversation_id"] == *room).cloned()
}

pub async fn unread(who: &Client, room: &str) -> i64 {
    row(who, room).await.expect("an inbox row")["unread"].as_i64().unwrap()
}

pub async fn serves(desk: &Desk, who: &Client) -> i64 {
    let page = desk.supervisor.get("/presence?limit=200").await.ok();
    let rows = page["data"].as_array().unwrap();
    rows.iter().find(|row| row["member"]["id"] == who.id()).unwrap()["current_accept"].as_i64().unwrap()
}

pub async fn kinds(who: &Client, room: &str) -> Vec<String> {
    who.log(room).await.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

/// A group with the two agents, and a conversation that waits.
async fn two(desk: &Desk) -> (String, String) {
    let group = make(desk, "Parcels").await;
    put(&desk.admin, &group, &desk.agent, "manager").await;
    put(&desk.admin, &group, &desk.second_agent, "member").await;
    (group, desk.visitor.open("hello").await)
}

on_every_database! {
    /// All read, all answer, each has its own unread; the customer sees one conversation; nobody's limit is touched.
    async fn a_group_serves_together(app: TestApp) {
        let desk = app.desk().await;
        let (group, room) = two(&desk).await;
        let settings = json!({"settings": {"only_assignee_answers": true}});
        desk.admin.patch("/tenant", settings).await.ok();
        desk.agent.claim(&room).await;
        assert_eq!(serves(&desk, &desk.agent).await, 1);
        let mut visitor = desk.visitor.socket().await;
        let mut second = desk.second_agent.socket().await;
        let docked = dock(&desk.agent, &room, &group).await.ok();
        assert_eq!(stands(&docked), ("pending".to_owned(), true, None));
        assert_eq!((docked["group_id"].as_str(), docked["assigned_at"].is_null()), (Some(group.as_str()), true));
        assert_eq!(serves(&desk, &desk.agent).await, 0);
        assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent, &desk.second_agent]));
        assert_eq!(desk.agent.get("/queue").await.ok()["data"], json!([]));
        let told = visitor.wait("docked", |frame| frame["data"]["kind"] == "docked").await;
        assert_eq!(told["data"]["content"], json!({}));
        assert_eq!(desk.visitor.get("/conversations").await.ok()["data"].as_array().unwrap().len(), 1);
        desk.visitor.send(&room, "one").await;
        desk.visitor.send(&room, "two").await;
        second.wait("two", |frame| frame["data"]["content"]["text"] == "two").await;
        assert_eq!((unread(&desk.agent, &room).await, unread(&desk.second_agent, &room).await), (2, 2));
        desk.agent.post(&format!("/conversations/{room}/read"), json!({})).await.ok();
        assert_eq!((unread(&desk.agent, &room).await, unread(&desk.second_agent, &room).await), (0, 2));
        // Any of them may answer, also where only the assignee may.
        desk.agent.send(&room, "yes?").await;
        desk.second_agent.send(&room, "me too").await;
        assert_eq!((unread(&desk.agent, &room).await, unread(&desk.visitor, &room).await), (1, 2));
        assert_eq!(kinds(&desk.visitor, &room).await, ["opened", "text", "assigned", "docked", "text", "text", "text", "text"]);
        let assignments = desk.admin.get(&format!("/conversations/{room}/assignments")).await.ok();
        assert_eq!(assignments["data"][0]["end_reason"], "docked");
        desk.supervisor.post(&format!("/conversations/{room}/messages"), message("x")).await.refused(403, "not_a_member");
    }

    /// Access follows the group at once, in both directions, as often as one likes.
    async fn access_follows_the_group(app: TestApp) {
        let desk = app.desk().await;
        let (group, room) = two(&desk).await;
        dock(&desk.agent, &room, &group).await.ok();
        desk.visitor.send(&room, "before").await;
        let newcomer = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        newcomer.get(&format!("/conversations/{room}")).await.refused(404, "not_found");
        let mut socket = newcomer.socket().await;
        for turn in 1..=2 {
            put(&desk.agent, &group, &newcomer, "member").await;
            assert_eq!((unread(&newcomer, &room).await, view(&newcomer, &room).await["docked"].as_bool()), (0, Some(true)));
            desk.visitor.send(&room, &format!("turn {turn}")).await;
            socket.wait("live", |frame| frame["data"]["content"]["text"] == format!("turn {turn}").as_str()).await;
            assert_eq!(unread(&newcomer, &room).await, 1);
            newcomer.send(&room, "here").await;
            out(&desk.agent, &group, &newcomer).await;
            newcomer.get(&format!("/conversations/{room}")).await.refused(404, "not_found");
            newcomer.post(&format!("/conversations/{room}/messages"), message("x")).await.refused(404, "not_found");
            assert!(row(&newcomer, &room).await.is_none());
        }
        desk.visitor.send(&room, "not for the newcomer").await;
        socket.barrier().await;
        let heard = socket.take_kept();
        assert!(heard.iter().all(|frame| frame["data"]["content"]["text"] != "not for the newcomer"), "{heard:?}");
        let seen = kinds(&desk.visitor, &room).await;
        let count = |kind: &str| seen.iter().filter(|one| *one == kind).count();
        assert_eq!((count("joined"), count("left")), (2, 2));
        // Who also joined by itself stays when it leaves the group.
        desk.supervisor.post(&format!("/conversations/{room}/members"), json!({"member_id": desk.supervisor.id()})).await;
        put(&desk.admin, &group, &desk.supervisor, "member").await;
        out(&desk.admin, &group, &desk.supervisor).await;
        assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent, &desk.second_agent, &desk.supervisor]));
    }

    /// Between the change of the group and what follows it, the group's word counts already.
    async fn nothing_is_open_until_the_rows_follow(app: TestApp) {
        let desk = app.desk().await;
        let (group, room) = two(&desk).await;
        let id: GroupId = group.parse().unwrap();
        dock(&desk.agent, &room, &group).await.ok();
        let (admin, agent) = (desk.admin.actor.unwrap(), desk.second_agent.actor.unwrap());
        app.submit(Command::new(admin, RemoveGroupMember { group: id, member: agent.member })).await;
        let path = format!("/conversations/{room}");
        desk.second_agent.get(&path).await.refused(404, "not_found");
        desk.second_agent.post(&format!("{path}/messages"), message("x")).await.refused(404, "not_found");
        // The task does what nobody else did.
        eventually("the row follows", || async { row(&desk.second_agent, &room).await.is_none().then_some(()) }).await;
        assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent]));
        app.submit(Command::new(admin, SetGroupMember { group: id, member: agent.member, member_type: None })).await;
        desk.second_agent.get(&path).await.ok();
        eventually("the row follows", || async { row(&desk.second_agent, &room).await }).await;
        desk.second_agent.send(&room, "back").await;
        // Nobody but the service has rows follow.
        let command = Command::new(admin, FollowGroup { group: id, member: agent.member });
        let refused = app.submit_all(vec![command]).await.remove(0).unwrap_err();
        assert_eq!(refused.code, Code::Forbidden);
        let command = Command::new(Principal::System(desk.tenant), FollowGroup { group: id, member: agent.member });
        assert!(!app.submit(command).await.more);
    }

    /// One takes it alone, it is given to one, taken over, released, closed and opened again, docked elsewhere: whoever is
    /// in it by the group leaves, and whose work it is counts.
    async fn docking_ends_in_every_way(app: TestApp) {
        let desk = app.desk().await;
        let (group, room) = two(&desk).await;
        let path = |what: &str| format!("/conversations/{room}/{what}");
        let again = || async {
            assert_eq!(stands(&dock(&desk.supervisor, &room, &group).await.ok()), ("pending".to_owned(), true, None));
            assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent, &desk.second_agent]));
            let numbers = (serves(&desk, &desk.agent).await, serves(&desk, &desk.second_agent).await);
            assert_eq!((numbers, serves(&desk, &desk.supervisor).await), ((0, 0), 0));
        };
        again().await;
        desk.visitor.send(&room, "unread").await;
        let claimed = desk.second_agent.claim(&room).await;
        assert_eq!(stands(&claimed), ("pending".to_owned(), false, Some(desk.second_agent.id())));
        assert_eq!((staff_in(&desk, &room).await, serves(&desk, &desk.second_agent).await), (ids(&[&desk.second_agent]), 1));
        assert_eq!(unread(&desk.second_agent, &room).await, 1, "what it had not read is still unread");
        desk.agent.get(&format!("/conversations/{room}")).await.refused(404, "not_found");
        desk.agent.post(&path("claim"), json!({})).await.refused(409, "already_assigned");
        again().await;
        let body = json!({"agent_id": desk.agent.id()});
        desk.supervisor.post(&path("assign"), body.clone()).await.ok();
        assert_eq!((staff_in(&desk, &room).await, serves(&desk, &desk.agent).await), (ids(&[&desk.agent]), 1));
        again().await;
        desk.supervisor.post(&path("take_over"), json!({})).await.ok();
        assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.supervisor]));
        again().await;
        let other = json!({"agent_id": desk.second_agent.id()});
        desk.agent.post(&path("transfer"), other).await.refused(409, "invalid_transition");
        let released = desk.second_agent.post(&path("release"), json!({"note": "we are too few"})).await.ok();
        assert_eq!(stands(&released), ("open".to_owned(), false, None));
        assert!(staff_in(&desk, &room).await.is_empty());
        desk.second_agent.post(&path("release"), json!({})).await.ok();
        again().await;
        let elsewhere = make(&desk, "Letters").await;
        put(&desk.admin, &elsewhere, &desk.supervisor, "member").await;
        put(&desk.admin, &elsewhere, &desk.agent, "member").await;
        dock(&desk.agent, &room, &elsewhere).await.ok();
        assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent, &desk.supervisor]));
        again().await;
        desk.agent.post(&path("close"), json!({})).await.ok();
        assert_eq!(stands(&view(&desk.second_agent, &room).await), ("closed".to_owned(), false, None));
        let reopened = desk.second_agent.post(&path("reopen"), json!({})).await.ok();
        assert_eq!(stands(&reopened), ("open".to_owned(), false, None));
        assert!(staff_in(&desk, &room).await.is_empty());
    }

    /// What a group serves waits no more: who watches the queue is told, the others move up, and no list shows it as
    /// served by nobody.
    async fn what_is_docked_leaves_the_queue(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Parcels").await;
        put(&desk.admin, &group, &desk.agent, "member").await;
        // Both are the group's already, so that docking is all that happens.
        let open = |who: Client| {
            let body = json!({"group_id": group, "message": message("hello")});
            async move {
                let opened = who.post("/conversations", body).await.status(201);
                opened["conversation"]["id"].as_str().unwrap().to_owned()
            }
        };
        let room = open(desk.visitor.clone()).await;
        let mut behind = desk.second_visitor.socket().await;
        let second = open(desk.second_visitor.clone()).await;
        let place = |position: i64| move |frame: &Value| {
            frame["type"] == "queue_place" && frame["data"]["position"] == position
        };
        behind.wait("the second place", place(2)).await;
        let mut watching = desk.supervisor.socket().await;
        watching.ask("watch", json!({"waiting": true})).await;
        let unserved = || async {
            let page = desk.supervisor.get("/conversations?unassigned=true").await.ok();
            page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(unserved().await, [second.clone(), room.clone()]);
        dock(&desk.agent, &room, &group).await.ok();
        let gone = |frame: &Value| frame["type"] == "queue" && frame["data"]["conversation_id"] == room.as_str();
        assert_eq!(watching.wait("it waits no more", gone).await["data"]["waiting"], false);
        behind.wait("the first place", place(1)).await;
        assert_eq!(unserved().await, [second]);
        desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        assert_eq!(watching.wait("it waits again", gone).await["data"]["waiting"], true);
    }

    /// Twice in a row, several at once, and by whoever may not.
    async fn docking_is_refused_and_repeated(app: TestApp) {
        let (desk, foreign) = (app.desk().await, app.desk().await);
        let (group, room) = two(&desk).await;
        let (empty, theirs, gone) = (make(&desk, "Empty").await, make(&foreign, "Parcels").await, make(&desk, "Gone").await);
        desk.admin.delete(&format!("/groups/{gone}")).await.status(204);
        for missing in [&theirs, &gone] {
            dock(&desk.agent, &room, missing).await.refused(422, "validation_failed");
        }
        let problem = dock(&desk.agent, &room, &empty).await.refused(409, "group_empty");
        assert_eq!(problem["context"]["group_id"], empty.as_str());
        // An account that came to its end serves nobody, also before the group has noticed.
        let soon = app.clock.now().0 + 60_000;
        let ends = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        let end = json!({"expires_at": Millis(soon)});
        desk.admin.patch(&format!("/members/{}", ends.id()), end).await.ok();
        put(&desk.admin, &empty, &ends, "member").await;
        app.advance(61_000).await;
        dock(&desk.agent, &room, &empty).await.refused(409, "group_empty");
        for body in [json!({}), json!({"group_id": 7}), json!({"group_id": group, "why": "x"})] {
            desk.agent.post(&format!("/conversations/{room}/dock"), body).await.refused(422, "validation_failed");
        }
        let long = json!({"group_id": group, "note": "x".repeat(2_001)});
        desk.agent.post(&format!("/conversations/{room}/dock"), long).await.refused(422, "validation_failed");
        dock(&desk.visitor, &room, &group).await.refused(403, "forbidden");
        dock(&foreign.supervisor, &room, &group).await.refused(404, "not_found");
        desk.second_agent.claim(&room).await;
        dock(&desk.agent, &room, &group).await.refused(404, "not_found");
        let stranger = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        desk.second_agent.post(&format!("/conversations/{room}/members"), json!({"member_id": stranger.id()})).await.ok();
        dock(&stranger, &room, &group).await.refused(409, "invalid_transition");
        let all = join_all((0..6).map(|_| dock(&desk.second_agent, &room, &group))).await;
        assert!(all.iter().all(|answer| answer.status == 200), "{all:?}");
        assert_eq!(kinds(&desk.visitor, &room).await.iter().filter(|kind| *kind == "docked").count(), 1);
        // Who joined by itself stays; the group's own are there by the group.
        assert_eq!(staff_in(&desk, &room).await, ids(&[&desk.agent, &desk.second_agent, &stranger]));
        let path = format!("/conversations/{room}");
        desk.agent.patch(&path, json!({"group_id": null})).await.refused(409, "invalid_transition");
        desk.agent.patch(&path, json!({"subject": "lost parcel"})).await.ok();
        let own = format!("{path}/members/{}", desk.agent.id());
        desk.agent.delete(&own).await.refused(409, "invalid_transition");
        desk.admin.delete(&own).await.refused(409, "invalid_transition");
        put(&desk.admin, &group, &stranger, "member").await;
        let own = format!("{path}/members/{}", stranger.id());
        desk.admin.delete(&own).await.refused(409, "invalid_transition");
        let claim = format!("{path}/claim");
        let claims = join_all([&desk.agent, &desk.second_agent].map(|who| who.post(&claim, json!({})))).await;
        let mut codes: Vec<u16> = claims.iter().map(|answer| answer.status).collect();
        codes.sort_unstable();
        assert_eq!(codes, [200, 409]);
        desk.admin.post(&format!("{path}/close"), json!({})).await.ok();
        dock(&desk.admin, &room, &group).await.refused(409, "invalid_transition");
    }

    /// A group that nobody is in serves nobody: what was docked to it waits again, at the head.
    async fn nobody_is_stranded_with_an_empty_group(app: TestApp) {
        let desk = app.desk().await;
        let (group, room) = two(&desk).await;
        dock(&desk.agent, &room, &group).await.ok();
        out(&desk.admin, &group, &desk.second_agent).await;
        assert_eq!(stands(&view(&desk.admin, &room).await).0, "pending");
        out(&desk.admin, &group, &desk.agent).await;
        assert_eq!(stands(&view(&desk.admin, &room).await), ("open".to_owned(), false, None));
        let notes = desk.admin.get(&format!("/conversations/{room}/notes?after_seq=0")).await.ok();
        let why = notes["data"].as_array().unwrap().iter().find(|entry| entry["content"]["about"] == "released");
        assert_eq!(why.unwrap()["content"]["reason"], "group_empty");
        // An account that is disabled leaves its groups, and what follows comes by itself.
        put(&desk.admin, &group, &desk.agent, "member").await;
        dock(&desk.agent, &room, &group).await.ok();
        let path = format!("/members/{}", desk.agent.id());
        desk.admin.patch(&path, json!({"status": "disabled"})).await.ok();
        eventually("it waits again", || async {
            (stands(&view(&desk.admin, &room).await).0 == "open").then_some(())
        })
        .await;
        assert!(staff_in(&desk, &room).await.is_empty());
        // The end of the group.
        put(&desk.admin, &group, &desk.second_agent, "member").await;
        dock(&desk.second_agent, &room, &group).await.ok();
        desk.admin.delete(&format!("/groups/{group}")).await.status(204);
        let view = view(&desk.admin, &room).await;
        assert_eq!((stands(&view), view["group_id"].is_null()), (("open".to_owned(), false, None), true));
        assert!(staff_in(&desk, &room).await.is_empty());
        // What no rule would mend is at least found.
        let lost = make(&desk, "Lost").await;
        put(&desk.admin, &lost, &desk.second_agent, "member").await;
        dock(&desk.second_agent, &room, &lost).await.ok();
        let stranded = || stranded::find(&mut app.database().connect(), app.clock.now().0).unwrap();
        assert!(stranded().iter().all(|one| !one.docked));
        let vanish = format!("UPDATE group_member SET left_at = 1 WHERE group_id = {lost}");
        diesel::sql_query(vanish).execute(&mut app.database().connect()).unwrap();
        let docked: Vec<String> =
            stranded().iter().filter(|one| one.docked).map(|one| one.conversation.to_string()).collect();
        assert_eq!(docked, [room]);
    }

    /// More conversations than one command moves: all follow, those that are closed too.
    async fn many_conversations_follow_in_pieces(app: TestApp) {
        let desk = app.desk().await;
        let (group, first) = two(&desk).await;
        let mut rooms = vec![first];
        for _ in 0..PIECE + 20 {
            let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
            rooms.push(visitor.open("hello").await);
        }
        for room in &rooms {
            dock(&desk.agent, room, &group).await.ok();
        }
        let newcomer = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        put(&desk.admin, &group, &newcomer, "member").await;
        let inside = || async {
            let page = newcomer.get("/inbox?limit=200").await.ok();
            page["data"].as_array().unwrap().len()
        };
        // The room of the group is there too.
        assert_eq!(inside().await, rooms.len() + 1);
        desk.agent.post(&format!("/conversations/{}/close", rooms[0]), json!({})).await.ok();
        newcomer.get(&format!("/conversations/{}", rooms[0])).await.ok();
        out(&desk.admin, &group, &newcomer).await;
        assert_eq!(inside().await, 0);
        newcomer.get(&format!("/conversations/{}", rooms[0])).await.refused(404, "not_found");
        for room in &rooms[1..] {
            assert_eq!(staff_in(&desk, room).await, ids(&[&desk.agent, &desk.second_agent]));
        }
    }

    /// What one process docks, the sockets of another hear.
    async fn other_processes_follow(app: TestApp) {
        let desk = app.desk().await;
        let (group, room) = two(&desk).await;
        let there = match app.kind().is_server() {
            true => app.second().await,
            false => app.clone(),
        };
        let newcomer = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        let mut socket = there.client_of(newcomer.actor.unwrap()).socket().await;
        dock(&desk.agent, &room, &group).await.ok();
        put(&desk.admin, &group, &newcomer, "member").await;
        desk.visitor.send(&room, "for everybody").await;
        socket.wait("the message", |frame| frame["data"]["content"]["text"] == "for everybody").await;
        there.client_of(newcomer.actor.unwrap()).send(&room, "heard").await;
    }
}
