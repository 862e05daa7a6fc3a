//! Whose conversations the staff see by their groups: over REST and live, for every role, also while groups change.

use deskwire::domain::member::Role;
use deskwire::journal::wants::PIECE;
use serde_json::{Value, json};

use crate::groups::{make, out, put};
use crate::harness::personas::message;
use crate::harness::{Client, Desk, Socket, TestApp};

/// A new visitor opens a conversation, of this group or of none.
async fn open(app: &TestApp, desk: &Desk, group: Option<&str>) -> String {
    let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
    let body = json!({"group_id": group, "message": message("hello")});
    let opened = visitor.post("/conversations", body).await.status(201);
    opened["conversation"]["id"].as_str().unwrap().to_owned()
}

/// All pages of a list, as ids.
async fn pages(client: &Client, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/conversations?limit=2&{query}{cursor}")).await.ok();
        ids.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return ids,
        }
    }
}

async fn sees(client: &Client, room: &str) -> bool {
    match client.get(&format!("/conversations/{room}")).await.status {
        200 => true,
        404 => false,
        other => panic!("{other}"),
    }
}

/// What each of these sees of these conversations, one after the other and in every list.
async fn check(people: &[&Client], rooms: &[&String], expected: &[&[bool]]) {
    for (who, expected) in people.iter().zip(expected) {
        let mut got = Vec::new();
        for room in rooms {
            got.push(sees(who, room).await);
        }
        assert_eq!(got, *expected, "{:?}", who.actor);
        let seen = |room: &&String, list: &[String]| list.contains(room);
        let newest = pages(who, "").await;
        assert_eq!(
            rooms.iter().map(|room| seen(room, &newest)).collect::<Vec<_>>(),
            *expected,
            "{:?}",
            who.actor
        );
        let mut ordered = newest.clone();
        ordered.sort_by_key(|id| std::cmp::Reverse(id.parse::<i64>().unwrap()));
        ordered.dedup();
        assert_eq!(newest, ordered, "each once, the newest first");
        let mut waiting = pages(who, "sort=waiting").await;
        let mut open = pages(who, "status=open").await;
        waiting.sort();
        open.sort();
        assert_eq!(waiting, open, "both lists hold the same");
        assert!(open.iter().all(|room| newest.contains(room)));
    }
}

async fn give(by: &Client, room: &str, group: Option<&str>) -> Value {
    by.patch(&format!("/conversations/{room}"), json!({"group_id": group})).await.ok()
}

/// What the socket was told of the waiting, as (conversation, waits).
async fn told(socket: &mut Socket) -> Vec<(String, bool)> {
    socket.barrier().await;
    let frames = socket.take_kept();
    let queue = frames.iter().filter(|frame| frame["type"] == "queue");
    queue
        .map(|frame| {
            let data = &frame["data"];
            assert_eq!(data["conversation"].is_object(), data["waiting"] == true);
            (data["conversation_id"].as_str().unwrap().to_owned(), data["waiting"] == true)
        })
        .collect()
}

on_every_database! {
    /// The rule of sight, role by role: waiting, served and closed, of the own group, of another, of none.
    async fn everybody_sees_what_its_groups_say(app: TestApp) {
        let desk = app.desk().await;
        let (own, another) = (make(&desk, "Own").await, make(&desk, "Another").await);
        let stranger = app.client_of(app.seed_member(desk.tenant, Role::Agent).await);
        let overseer = app.client_of(app.seed_member(desk.tenant, Role::Supervisor).await);
        let mut rooms = Vec::new();
        for group in [Some(&own), Some(&another), None] {
            let group = group.map(String::as_str);
            let waiting = open(&app, &desk, group).await;
            let served = open(&app, &desk, group).await;
            stranger.claim(&served).await;
            let closed = open(&app, &desk, group).await;
            desk.admin.post(&format!("/conversations/{closed}/close"), json!({})).await.ok();
            rooms.extend([waiting, served, closed]);
        }
        let all: Vec<&String> = rooms.iter().collect();
        for who in [&desk.agent, &desk.supervisor, &desk.admin] {
            put(&desk.admin, &own, who, "member").await;
        }
        let (t, f) = (true, false);
        // In order: waiting, served by somebody else, closed.
        let [mine, others, nobodys] = [[t, f, f], [f, f, f], [t, f, f]];
        check(
            &[&desk.agent, &desk.second_agent, &desk.supervisor, &overseer, &desk.admin, &desk.visitor],
            &all,
            &[
                &[mine, others, nobodys].concat(),
                // Who is in no group sees everything that waits.
                &[[t, f, f]; 3].concat(),
                // A supervisor sees its groups' and nobody's in every state; one in no group, and administrators, all.
                &[[t; 3], [f; 3], [t; 3]].concat(),
                &[t; 9],
                &[t; 9],
                &[f; 9],
            ],
        )
        .await;
        // What one is in, one sees whatever its group.
        check(&[&stranger], &all, &[&[t, t, f, t, t, f, t, t, f]]).await;
        let filter = |group: &str| format!("group_id={group}");
        assert_eq!(pages(&desk.admin, &filter(&another)).await.len(), 3);
        assert_eq!(pages(&desk.supervisor, &filter(&another)).await.len(), 0);
        assert_eq!(pages(&desk.supervisor, &filter(&own)).await.len(), 3);
        assert_eq!(pages(&desk.agent, &filter(&own)).await, [rooms[0].clone()]);
        assert_eq!(pages(&stranger, &format!("{}&agent_id={}", filter(&another), stranger.id())).await, [rooms[4].clone()]);
        // Acting follows seeing.
        let path = |room: &str, what: &str| format!("/conversations/{room}/{what}");
        desk.agent.post(&path(&rooms[3], "claim"), json!({})).await.refused(404, "not_found");
        let body = json!({"agent_id": desk.second_agent.id()});
        desk.supervisor.post(&path(&rooms[3], "assign"), body.clone()).await.refused(404, "not_found");
        desk.supervisor.get(&path(&rooms[4], "entries")).await.refused(404, "not_found");
        desk.supervisor.get(&path(&rooms[4], "notes")).await.refused(404, "not_found");
        desk.supervisor.post(&path(&rooms[4], "close"), json!({})).await.refused(404, "not_found");
        desk.supervisor.post(&path(&rooms[1], "assign"), body).await.ok();
        // Claiming lets in, releasing lets out again.
        desk.agent.claim(&rooms[0]).await;
        give(&desk.agent, &rooms[0], Some(&another)).await;
        assert!(sees(&desk.agent, &rooms[0]).await);
        desk.agent.post(&path(&rooms[0], "release"), json!({})).await.ok();
        assert!(!sees(&desk.agent, &rooms[0]).await && sees(&desk.second_agent, &rooms[0]).await);
    }

    /// Coming into a group and leaving it counts from the next request on, in both directions, on every process.
    async fn sight_follows_membership_at_once(app: TestApp) {
        let desk = app.desk().await;
        let (own, another) = (make(&desk, "Own").await, make(&desk, "Another").await);
        let there = match app.kind().is_server() {
            true => app.second().await,
            false => app.clone(),
        };
        let agent = there.client_of(desk.agent.actor.unwrap());
        let room = open(&app, &desk, Some(&another)).await;
        assert!(sees(&agent, &room).await);
        put(&desk.admin, &own, &desk.agent, "member").await;
        assert!(!sees(&agent, &room).await);
        agent.post(&format!("/conversations/{room}/claim"), json!({})).await.refused(404, "not_found");
        put(&desk.admin, &another, &desk.agent, "member").await;
        assert!(sees(&agent, &room).await);
        out(&desk.admin, &another, &desk.agent).await;
        assert!(!sees(&agent, &room).await);
        give(&desk.admin, &room, Some(&own)).await;
        assert!(sees(&agent, &room).await);
        give(&desk.admin, &room, Some(&another)).await;
        out(&desk.admin, &own, &desk.agent).await;
        assert!(sees(&agent, &room).await, "in no group all are seen");
    }

    /// A conversation is opened as a group's, changed to another's, to none; what is wrong is refused; visitors are not
    /// shown whose matter they are.
    async fn a_conversation_is_a_groups_matter(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (first, second) = (make(&desk, "First").await, make(&desk, "Second").await);
        let foreign = make(&other, "Foreign").await;
        let body = json!({"group_id": first, "message": message("hello")});
        let opened = desk.visitor.post("/conversations", body).await.status(201);
        assert!(opened["conversation"].get("group_id").is_none(), "{opened}");
        let room = opened["conversation"]["id"].as_str().unwrap();
        // The open one is found, whatever group is named, also one that is not there.
        for group in [&second, &foreign] {
            let found = desk.visitor.post("/conversations", json!({"group_id": group})).await.status(200);
            assert_eq!(found["conversation"]["id"], room);
        }
        let path = format!("/conversations/{room}");
        let view = desk.admin.get(&path).await.ok();
        assert_eq!(view["group_id"], json!(first));
        let version = view["version"].as_i64().unwrap();
        let same = give(&desk.admin, room, Some(&first)).await;
        assert_eq!(same["version"].as_i64(), Some(version), "nothing changed");
        let moved = give(&desk.admin, room, Some(&second)).await;
        assert_eq!((&moved["group_id"], moved["version"].as_i64()), (&json!(second), Some(version + 1)));
        assert_eq!(give(&desk.admin, room, None).await["group_id"], Value::Null);
        desk.admin.patch(&path, json!({"subject": "s"})).await.ok();
        let notes = moved["backstage_id"].as_str().unwrap();
        let changes: Vec<Value> = desk.admin.log(notes).await;
        let changes: Vec<&Value> = changes.iter().map(|entry| &entry["content"]).collect();
        assert_eq!(changes, [&json!({"from": first, "to": second}), &json!({"from": second, "to": null})]);
        let deleted = make(&desk, "Deleted").await;
        desk.admin.delete(&format!("/groups/{deleted}")).await.status(204);
        for wrong in [&foreign, &deleted, &"7".to_owned()] {
            let refused = desk.admin.patch(&path, json!({"group_id": wrong})).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], "/group_id");
            desk.second_visitor.post("/conversations", json!({"group_id": wrong})).await.refused(422, "validation_failed");
        }
        desk.visitor.patch(&path, json!({"group_id": first})).await.refused(403, "forbidden");
        desk.agent.patch(&path, json!({"group_id": first})).await.refused(403, "not_a_member");
        // If-Match holds it, too.
        let stale = desk.admin.request(reqwest::Method::PATCH, &path).header("If-Match", "\"1\"");
        let answer = crate::harness::Answer::of(stale.json(&json!({"group_id": first}))).await;
        answer.refused(412, "version_mismatch");
        // A customer filters by nothing that it is not shown.
        assert_eq!(pages(&desk.visitor, &format!("group_id={first}")).await, [room]);
    }

    /// Deleting a group leaves no conversation that nobody sees: what is open is no group's, in pieces; what is closed
    /// is no group's when it is opened again.
    async fn a_deleted_group_strands_nothing(app: TestApp) {
        let desk = app.desk().await;
        let (group, own) = (make(&desk, "Group").await, make(&desk, "Own").await);
        put(&desk.admin, &own, &desk.agent, "member").await;
        put(&desk.admin, &group, &desk.second_agent, "manager").await;
        let closed = open(&app, &desk, Some(&group)).await;
        desk.admin.post(&format!("/conversations/{closed}/close"), json!({})).await.ok();
        let served = open(&app, &desk, Some(&group)).await;
        desk.second_agent.claim(&served).await;
        let mut rooms = Vec::new();
        // More than one command loads: waiting ones and served ones are counted apart.
        for _ in 0..PIECE + 2 {
            rooms.push(open(&app, &desk, Some(&group)).await);
        }
        assert!(!sees(&desk.agent, &rooms[0]).await);
        desk.admin.delete(&format!("/groups/{group}")).await.status(204);
        let list = desk.admin.get("/conversations?limit=200").await.ok();
        for row in list["data"].as_array().unwrap() {
            let expected = if row["id"] == json!(closed) { json!(group) } else { Value::Null };
            assert_eq!(row["group_id"], expected, "{row}");
        }
        assert!(sees(&desk.agent, &rooms[0]).await && sees(&desk.agent, &rooms[PIECE + 1]).await);
        assert!(!sees(&desk.agent, &served).await);
        assert!(desk.admin.get("/groups").await.ok()["data"].as_array().unwrap().len() == 1);
        let of = format!("/groups?member_id={}", desk.second_agent.id());
        assert_eq!(desk.admin.get(&of).await.ok()["data"], json!([]));
        let reopened = desk.admin.post(&format!("/conversations/{closed}/reopen"), json!({})).await.ok();
        assert_eq!(reopened["group_id"], Value::Null);
        assert!(sees(&desk.agent, &closed).await);
    }

    /// Who watches the waiting is told of those within its sight, and of those that come into it or leave it.
    async fn watchers_of_the_waiting_are_told_what_they_may_see(app: TestApp) {
        let desk = app.desk().await;
        let (own, another) = (make(&desk, "Own").await, make(&desk, "Another").await);
        put(&desk.admin, &own, &desk.agent, "member").await;
        put(&desk.admin, &own, &desk.supervisor, "member").await;
        let people = [&desk.agent, &desk.second_agent, &desk.supervisor, &desk.admin];
        let mut sockets = Vec::new();
        for who in people {
            let mut socket = who.socket().await;
            socket.ask("watch", json!({"waiting": true})).await;
            sockets.push(socket);
        }
        let mine = open(&app, &desk, Some(&own)).await;
        let others = open(&app, &desk, Some(&another)).await;
        let nobodys = open(&app, &desk, None).await;
        let news = [(mine.clone(), true), (others.clone(), true), (nobodys.clone(), true)];
        let within = [news[0].clone(), news[2].clone()];
        for (socket, limited) in sockets.iter_mut().zip([true, false, true, false]) {
            socket.wait("the last one", |frame| frame["data"]["conversation_id"] == json!(nobodys)).await;
            let mut got = told(socket).await;
            got.push((nobodys.clone(), true));
            assert_eq!(got, if limited { within.to_vec() } else { news.to_vec() });
        }
        // It moves out of sight and into it; whoever sees it all along is told again.
        give(&desk.admin, &mine, Some(&another)).await;
        give(&desk.admin, &others, Some(&own)).await;
        desk.second_agent.claim(&nobodys).await;
        for (socket, limited) in sockets.iter_mut().zip([true, false, true, false]) {
            socket.wait("the claim", |frame| {
                frame["type"] == "queue" && frame["data"]["conversation_id"] == json!(nobodys)
            }).await;
            assert_eq!(told(socket).await, [(mine.clone(), !limited), (others.clone(), true)]);
        }
        desk.admin.post(&format!("/conversations/{mine}/close"), json!({})).await.ok();
        desk.admin.post(&format!("/conversations/{others}/close"), json!({})).await.ok();
        for (socket, limited) in sockets.iter_mut().zip([true, false, true, false]) {
            socket.wait("the last close", |frame| {
                frame["type"] == "queue" && frame["data"]["conversation_id"] == json!(others)
            }).await;
            let before = if limited { vec![] } else { vec![(mine.clone(), false)] };
            assert_eq!(told(socket).await, before);
        }
    }

    /// While one watches, coming into groups and leaving them counts at once, on every process; the own sockets are
    /// told, nobody else's.
    async fn watchers_follow_their_membership_live(app: TestApp) {
        let desk = app.desk().await;
        let (own, another) = (make(&desk, "Own").await, make(&desk, "Another").await);
        let there = match app.kind().is_server() {
            true => app.second().await,
            false => app.clone(),
        };
        let mut socket = there.client_of(desk.agent.actor.unwrap()).socket().await;
        let mut colleague = desk.second_agent.socket().await;
        let mut visitor = desk.visitor.socket().await;
        socket.ask("watch", json!({"waiting": true})).await;
        let mut step = 0;
        let mut see = async |socket: &mut Socket, expected: bool| {
            step += 1;
            let room = open(&app, &desk, Some(&another)).await;
            let last = open(&app, &desk, None).await;
            socket.wait("one of no group", |frame| {
                frame["type"] == "queue" && frame["data"]["conversation_id"] == json!(last)
            }).await;
            let got = told(socket).await;
            assert_eq!(got.contains(&(room, true)), expected, "step {step}: {got:?}");
        };
        see(&mut socket, true).await;
        put(&desk.admin, &own, &desk.agent, "member").await;
        let notice = socket.expect("group").await;
        assert_eq!((&notice["group_id"], notice["member_type"].as_str()), (&json!(own), Some("member")));
        assert!(notice["rev"].as_i64() > Some(0));
        see(&mut socket, false).await;
        put(&desk.admin, &another, &desk.agent, "manager").await;
        assert_eq!(socket.expect("group").await["member_type"], "manager");
        see(&mut socket, true).await;
        out(&desk.admin, &another, &desk.agent).await;
        assert_eq!(socket.expect("group").await["member_type"], Value::Null);
        see(&mut socket, false).await;
        desk.admin.delete(&format!("/groups/{own}")).await.status(204);
        assert_eq!(socket.expect("group").await["group_id"], json!(own));
        see(&mut socket, true).await;
        for quiet in [&mut colleague, &mut visitor] {
            quiet.barrier().await;
            assert!(quiet.take_kept().iter().all(|frame| frame["type"] != "group"));
        }
    }

    /// A watched conversation goes out of sight when the member comes into other groups, or the conversation becomes
    /// another group's matter: the watch ends, and nothing more of it comes, not even notes.
    async fn watches_end_with_sight(app: TestApp) {
        let desk = app.desk().await;
        let (own, another) = (make(&desk, "Own").await, make(&desk, "Another").await);
        let body = json!({"group_id": another, "message": message("hello")});
        let opened = desk.visitor.post("/conversations", body).await.status(201);
        let room = opened["conversation"]["id"].as_str().unwrap().to_owned();
        let mut supervisor = desk.supervisor.socket().await;
        let watch = json!({"conversations": [room]});
        supervisor.ask("watch", watch.clone()).await;
        desk.visitor.send(&room, "seen").await;
        assert_eq!(supervisor.expect("entry").await["content"]["text"], "seen");
        put(&desk.admin, &own, &desk.supervisor, "member").await;
        let reset = supervisor.expect("reset").await;
        assert_eq!((&reset["conversation_id"], reset["reason"].as_str()), (&json!(room), Some("unwatched")));
        supervisor.ask_refused("watch", watch.clone(), "not_found").await;
        let quiet = async |supervisor: &mut Socket| {
            desk.visitor.send(&room, "unseen").await;
            desk.admin.post(&format!("/conversations/{room}/notes"), message("unseen")).await.ok();
            give(&desk.admin, &open(&app, &desk, None).await, Some(&own)).await;
            supervisor.barrier().await;
            let frames = supervisor.take_kept();
            assert!(!format!("{frames:?}").contains("unseen"), "{frames:?}");
        };
        quiet(&mut supervisor).await;
        give(&desk.admin, &room, Some(&own)).await;
        supervisor.ask("watch", watch.clone()).await;
        desk.visitor.send(&room, "seen again").await;
        supervisor.wait("the message", |frame| frame["data"]["content"]["text"] == "seen again").await;
        give(&desk.admin, &room, Some(&another)).await;
        let reset = supervisor.expect("reset").await;
        assert_eq!(reset["reason"], "unwatched");
        supervisor.take_kept();
        quiet(&mut supervisor).await;
        // Gaining sight ends no watch.
        give(&desk.admin, &room, Some(&own)).await;
        supervisor.ask("watch", watch).await;
        put(&desk.admin, &another, &desk.supervisor, "member").await;
        supervisor.expect("group").await;
        desk.visitor.send(&room, "still").await;
        supervisor.wait("the message", |frame| frame["data"]["content"]["text"] == "still").await;
    }
}
