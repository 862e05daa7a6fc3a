//! Handing conversations over to a group, with a reason in one word.

use deskwire::sync::verify;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::groups::{make, out, put};
use crate::harness::personas::message;
use crate::harness::{Answer, Client, Desk, TestApp};
use crate::routing::{agent_of, online, route, served_by, waits};

async fn hand_over(who: &Client, room: &str, to: Value) -> Answer {
    who.post(&format!("/conversations/{room}/transfer"), to).await
}

/// To this group, and why.
fn group(id: &str) -> Value {
    json!({"group_id": id, "reason": "wrong_department", "note": "asks for a refund of canary"})
}

async fn list(who: &Client, room: &str, what: &str) -> Vec<Value> {
    who.get(&format!("/conversations/{room}/{what}")).await.ok()["data"].as_array().unwrap().clone()
}

/// What stands behind the conversation, as kind and content.
async fn behind(desk: &Desk, room: &str) -> Vec<(String, Value)> {
    let view = desk.admin.get(&format!("/conversations/{room}")).await.ok();
    let log = desk.admin.log(view["backstage_id"].as_str().unwrap()).await;
    log.iter().map(|entry| (entry["kind"].as_str().unwrap().to_owned(), entry["content"].clone())).collect()
}

/// Two groups: parcels, with the agent, and billing, with the second one.
async fn two(desk: &Desk) -> (String, String) {
    let (parcels, billing) = (make(desk, "Parcels").await, make(desk, "Billing").await);
    put(&desk.admin, &parcels, &desk.agent, "member").await;
    put(&desk.admin, &billing, &desk.second_agent, "member").await;
    (parcels, billing)
}

/// A conversation of parcels that the agent serves.
async fn served(desk: &Desk, parcels: &str) -> String {
    let room = desk.open_and_claim("hello").await;
    desk.agent.patch(&format!("/conversations/{room}"), json!({"group_id": parcels})).await.ok();
    room
}

async fn decide(desk: &Desk, settings: Value) {
    desk.admin.patch("/tenant", json!({"settings": settings})).await.ok();
}

fn exact(app: &TestApp) {
    let report = verify::recompute_all(&mut app.database().connect(), None).unwrap();
    assert_eq!(report.drift, 0, "{report:?}");
}

on_every_database! {
    /// It waits in the group's queue, with the reason behind it; the former agent is out and sees it no more; the visitor
    /// learns only that it waits; the history says everything; saying it again changes nothing.
    async fn a_conversation_goes_to_a_group(app: TestApp) {
        let desk = app.desk().await;
        let (parcels, billing) = two(&desk).await;
        let room = served(&desk, &parcels).await;
        let (mut giver, mut receiver) = (desk.agent.socket().await, desk.second_agent.socket().await);
        receiver.ask("watch", json!({"waiting": true})).await;
        let view = hand_over(&desk.agent, &room, group(&billing)).await.ok();
        assert_eq!((&view["status"], &view["agent"], &view["group_id"]), (&json!("open"), &Value::Null, &json!(billing)));
        let told = |frame: &Value| frame["type"] == "queue" && frame["data"]["conversation_id"] == room.as_str();
        assert_eq!(receiver.wait("that it waits", told).await["data"]["waiting"], true);
        let reset = giver.wait("the end", |frame| frame["type"] == "reset").await["data"].clone();
        assert_eq!((&reset["conversation_id"], &reset["reason"]), (&json!(room), &json!("removed")));
        let again = hand_over(&desk.agent, &room, group(&billing)).await.ok();
        assert_eq!(again["version"], view["version"]);
        desk.agent.get(&format!("/conversations/{room}")).await.refused(404, "not_found");
        desk.agent.post(&format!("/conversations/{room}/claim"), Value::Null).await.refused(404, "not_found");
        let why = json!({
            "about": "released", "note": "asks for a refund of canary", "reason": "group_transfer",
            "transfer_reason": "wrong_department",
        });
        let log = behind(&desk, &room).await;
        assert_eq!(log[log.len() - 2..], [
            ("group_changed".to_owned(), json!({"from": parcels, "to": billing})),
            ("remark".to_owned(), why),
        ]);
        let seen = desk.visitor.log(&room).await;
        assert_eq!(seen.last().unwrap()["kind"], "released");
        assert!(!json!(seen).to_string().contains("canary") && !json!(seen).to_string().contains("wrong"), "{seen:?}");
        desk.second_agent.claim(&room).await;
        let assignments = list(&desk.supervisor, &room, "assignments").await;
        assert_eq!(assignments[0]["end_reason"], "group_transfer");
        let transfers = list(&desk.supervisor, &room, "transfers").await;
        let [one] = transfers.as_slice() else { panic!("{transfers:?}") };
        let expected = json!({
            "from_group_id": parcels, "to_group_id": billing, "to_agent": null, "reason": "wrong_department",
            "note": "asks for a refund of canary", "conversation_id": room, "at": assignments[0]["ended_at"],
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&one[field], value, "{field}");
        }
        for who in ["from_agent", "transferred_by"] {
            assert_eq!(one[who]["id"], desk.agent.id(), "{who}");
        }
        let other = app.desk().await;
        other.admin.get(&format!("/conversations/{room}/transfers")).await.refused(404, "not_found");
        exact(&app);
    }

    /// An agent gets it with a reason and without words, and the list holds both kinds.
    async fn a_reason_goes_to_an_agent_too(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let to = |who: &Client, reason: Value| json!({"agent_id": who.id(), "reason": reason});
        hand_over(&desk.supervisor, &room, to(&desk.second_agent, json!("language"))).await.ok();
        let last = behind(&desk, &room).await.pop().unwrap();
        assert_eq!(last, ("remark".to_owned(), json!({"about": "assigned", "note": "", "transfer_reason": "language"})));
        hand_over(&desk.supervisor, &room, to(&desk.admin, Value::Null)).await.ok();
        assert_eq!(behind(&desk, &room).await.len(), 1, "nothing was said");
        hand_over(&desk.supervisor, &room, to(&desk.agent, json!("bored"))).await.refused(422, "validation_failed");
        let reasons: Vec<Value> = list(&desk.admin, &room, "transfers").await.iter().map(|one| one["reason"].clone()).collect();
        assert_eq!(reasons, [json!("language"), Value::Null]);
    }

    /// It comes before those that no agent has had, whatever the queue's limit, and also when the queue is closed.
    async fn it_waits_in_front_however_full_the_queue_is(app: TestApp) {
        let desk = app.desk().await;
        let (parcels, billing) = two(&desk).await;
        let room = served(&desk, &parcels).await;
        let (_, older) = waits(&app, &desk, json!({"group_id": billing})).await;
        decide(&desk, json!({"queue": {"limit": 1, "open": false}})).await;
        hand_over(&desk.agent, &room, group(&billing)).await.ok();
        let queue = desk.second_agent.get("/queue").await.ok();
        let order: Vec<&Value> = queue["data"].as_array().unwrap().iter().map(|one| &one["conversation"]["id"]).collect();
        assert_eq!(order, [&json!(room), &json!(older)]);
        assert_eq!(queue["data"][0]["position"], 1);
    }

    /// Routing gives it to another of the group, though the former agent would be first; when there is nobody else, it
    /// gets it back after a minute.
    async fn routing_passes_the_former_agent_over(app: TestApp) {
        let desk = app.desk().await;
        let (parcels, billing) = two(&desk).await;
        put(&desk.admin, &billing, &desk.agent, "member").await;
        let room = served(&desk, &parcels).await;
        online(&desk, &desk.agent, 5).await;
        desk.agent.seen(true).await;
        route(&desk, json!({"strategy": "round_robin"})).await;
        hand_over(&desk.agent, &room, group(&billing)).await.ok();
        let explained = desk.supervisor.get(&format!("/conversations/{room}/routing/explain")).await.ok();
        let of = |who: &Client| explained["candidates"].as_array().unwrap().iter().find(|one| one["member"]["id"] == who.id()).unwrap().clone();
        assert_eq!(of(&desk.agent)["obstacles"], json!(["passed_over"]));
        online(&desk, &desk.second_agent, 5).await;
        served_by(&desk, &room, &desk.second_agent).await;
        // Handed on within billing: only the first agent is left, and later the second is alone.
        desk.visitor.send(&room, "hello?").await;
        hand_over(&desk.second_agent, &room, group(&billing)).await.ok();
        served_by(&desk, &room, &desk.agent).await;
        desk.visitor.send(&room, "hello!").await;
        desk.second_agent.put("/presence", json!({"status": "away"})).await.ok();
        hand_over(&desk.agent, &room, group(&billing)).await.ok();
        assert_eq!(agent_of(&desk, &room).await, None);
        app.advance(61_000).await;
        served_by(&desk, &room, &desk.agent).await;
        exact(&app);
    }

    /// Both, neither, nobody's group, groups without anybody, by the wrong hands, and in other states.
    async fn what_no_group_gets(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (parcels, billing) = two(&desk).await;
        let waiting = desk.second_visitor.open("hello").await;
        hand_over(&desk.supervisor, &waiting, group(&billing)).await.refused(409, "invalid_transition");
        let room = served(&desk, &parcels).await;
        let foreign = make(&other, "Billing").await;
        put(&other.admin, &foreign, &other.agent, "member").await;
        let ended = make(&desk, "Ended").await;
        put(&desk.admin, &ended, &desk.second_agent, "member").await;
        desk.admin.delete(&format!("/groups/{ended}")).await.status(204);
        let both = json!({"group_id": billing, "agent_id": desk.second_agent.id()});
        for (wrong, pointer) in [
            (json!({}), "/agent_id"),
            (json!({"note": "x", "agent_id": null, "group_id": null}), "/agent_id"),
            (both, "/group_id"),
            (group(&foreign), "/group_id"),
            (group(&ended), "/group_id"),
            (group("404"), "/group_id"),
            (json!({"group_id": billing, "reason": "bored"}), "/reason"),
            (json!({"group_id": billing, "note": "x".repeat(2_001)}), "/note"),
            (json!({"group_id": billing, "to": "x"}), "/to"),
        ] {
            let problem = hand_over(&desk.agent, &room, wrong.clone()).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{wrong}: {problem}");
        }
        // Nobody, nobody but the agent itself, nobody whose account may be used.
        let empty = make(&desk, "Empty").await;
        for _ in 0..2 {
            let problem = hand_over(&desk.agent, &room, group(&empty)).await.refused(409, "group_empty");
            assert_eq!(problem["context"], json!({"group_id": empty}));
            put(&desk.admin, &empty, &desk.agent, "member").await;
        }
        hand_over(&desk.agent, &room, group(&parcels)).await.refused(409, "group_empty");
        desk.admin.patch(&format!("/members/{}", desk.second_agent.id()), json!({"status": "disabled"})).await.ok();
        hand_over(&desk.supervisor, &room, group(&billing)).await.refused(409, "group_empty");
        // Who is not in it, who only joined, a customer, and another tenant.
        put(&desk.admin, &billing, &desk.supervisor, "member").await;
        hand_over(&desk.visitor, &room, group(&billing)).await.refused(403, "forbidden");
        for stranger in [&other.agent, &other.admin, &desk.supervisor] {
            hand_over(stranger, &room, group(&billing)).await.refused(404, "not_found");
        }
        assert_eq!(agent_of(&desk, &room).await, Some(desk.agent.id()));
        assert_eq!(list(&desk.admin, &room, "transfers").await, Vec::<Value>::new());
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        hand_over(&desk.admin, &room, group(&billing)).await.refused(409, "invalid_transition");
        exact(&app);
    }

    /// Who only joined hands nothing over; who left the group in the meantime does not count.
    async fn a_group_that_empties_at_the_same_time(app: TestApp) {
        let desk = app.desk().await;
        let (parcels, billing) = two(&desk).await;
        let room = served(&desk, &parcels).await;
        desk.agent.post(&format!("/conversations/{room}/members"), json!({"member_id": desk.second_agent.id()})).await.ok();
        hand_over(&desk.second_agent, &room, group(&billing)).await.refused(409, "invalid_transition");
        out(&desk.admin, &billing, &desk.second_agent).await;
        hand_over(&desk.agent, &room, group(&billing)).await.refused(409, "group_empty");
        for round in 0..4 {
            put(&desk.admin, &billing, &desk.second_agent, "member").await;
            desk.visitor.send(&room, &format!("{round}")).await;
            let leave = format!("/groups/{billing}/members/{}", desk.second_agent.id());
            let (given, _) = futures_util::join!(hand_over(&desk.agent, &room, group(&billing)), desk.admin.delete(&leave));
            match given.status {
                200 => {
                    assert_eq!(agent_of(&desk, &room).await, None);
                    desk.admin.post(&format!("/conversations/{room}/assign"), json!({"agent_id": desk.agent.id()})).await.ok();
                    desk.agent.patch(&format!("/conversations/{room}"), json!({"group_id": parcels})).await.ok();
                }
                _ => assert_eq!(given.code(), "group_empty"),
            }
        }
        exact(&app);
    }

    /// Back to the group or the agent that it came from is refused until somebody wrote or a minute passed, and all
    /// transfers are counted together.
    async fn no_circle_goes_through_groups(app: TestApp) {
        let desk = app.desk().await;
        let (parcels, billing) = two(&desk).await;
        put(&desk.admin, &billing, &desk.supervisor, "member").await;
        put(&desk.admin, &parcels, &desk.supervisor, "member").await;
        let room = served(&desk, &parcels).await;
        let agent = |who: &Client| json!({"agent_id": who.id()});
        hand_over(&desk.agent, &room, group(&billing)).await.ok();
        desk.second_agent.claim(&room).await;
        desk.second_agent.post(&format!("/conversations/{room}/notes"), message("why us?")).await.ok();
        hand_over(&desk.second_agent, &room, group(&parcels)).await.refused(409, "transfer_loop");
        hand_over(&desk.supervisor, &room, agent(&desk.agent)).await.refused(409, "transfer_loop");
        // Within the group is not the way back; the second time in a row it is a circle.
        hand_over(&desk.second_agent, &room, group(&billing)).await.ok();
        desk.supervisor.claim(&room).await;
        hand_over(&desk.supervisor, &room, group(&billing)).await.refused(409, "transfer_loop");
        app.advance(59_000).await;
        hand_over(&desk.supervisor, &room, agent(&desk.second_agent)).await.refused(409, "transfer_loop");
        app.advance(1_000).await;
        hand_over(&desk.supervisor, &room, agent(&desk.second_agent)).await.ok();
        desk.visitor.send(&room, "hello?").await;
        hand_over(&desk.second_agent, &room, group(&parcels)).await.ok();
        desk.agent.claim(&room).await;
        decide(&desk, json!({"transfer_limit": 4})).await;
        desk.visitor.send(&room, "hello!").await;
        let problem = hand_over(&desk.agent, &room, group(&billing)).await.refused(409, "transfer_loop");
        assert_eq!(problem["context"], json!({"transfers": 4, "transfer_limit": 4}));
        // A supervisor has a way out.
        desk.supervisor.post(&format!("/conversations/{room}/take_over"), json!({})).await.ok();
        app.advance(3_600_000).await;
        let desk = app.desk_of(desk.seed);
        hand_over(&desk.supervisor, &room, group(&billing)).await.ok();
        assert_eq!(list(&desk.admin, &room, "transfers").await.len(), 5);
        exact(&app);
    }

    /// Only at the version that it is based on; what holds already succeeds at any.
    async fn it_is_based_on_a_version(app: TestApp) {
        let desk = app.desk().await;
        let (parcels, billing) = two(&desk).await;
        let room = served(&desk, &parcels).await;
        let version = desk.agent.get(&format!("/conversations/{room}")).await.ok()["version"].as_i64().unwrap();
        let based = async |version: i64| {
            let request = desk.agent.request(reqwest::Method::POST, &format!("/conversations/{room}/transfer"));
            Answer::of(request.header("if-match", format!("\"{version}\"")).json(&group(&billing))).await
        };
        based(version - 1).await.refused(412, "version_mismatch");
        assert_eq!(agent_of(&desk, &room).await, Some(desk.agent.id()));
        let (one, two) = futures_util::join!(based(version), based(version));
        assert_eq!((one.status, two.status), (200, 200), "one of them finds it done");
        assert_eq!(list(&desk.admin, &room, "transfers").await.len(), 1);
        based(version - 1).await.ok();
    }

    /// Everybody at once: never two owners, a history without a hole, true numbers.
    async fn one_owner_or_none_whatever_happens_at_once(app: TestApp) {
        let desk = app.desk().await;
        let there = match app.kind().is_server() {
            true => app.second().await.desk_of(desk.seed),
            false => desk.clone(),
        };
        let (parcels, billing) = two(&desk).await;
        decide(&desk, json!({"transfer_limit": 100})).await;
        let room = served(&desk, &parcels).await;
        for round in 0..6 {
            desk.visitor.send(&room, &format!("{round}")).await;
            let answers = join_all([
                Box::pin(hand_over(&desk.agent, &room, group(&billing))) as std::pin::Pin<Box<dyn Future<Output = Answer>>>,
                Box::pin(hand_over(&there.agent, &room, group(&billing))),
                Box::pin(desk.supervisor.post(&format!("/conversations/{room}/take_over"), json!({}))),
                Box::pin(there.agent.post(&format!("/conversations/{room}/release"), json!({}))),
                Box::pin(there.second_agent.post(&format!("/conversations/{room}/claim"), json!({}))),
                Box::pin(hand_over(&there.admin, &room, json!({"agent_id": desk.second_agent.id()}))),
            ])
            .await;
            let allowed = [200, 403, 404, 409];
            assert!(answers.iter().all(|answer| allowed.contains(&answer.status)), "{answers:?}");
            let view = desk.admin.get(&format!("/conversations/{room}")).await.ok();
            let rows = list(&desk.admin, &room, "assignments").await;
            let open: Vec<&Value> = rows.iter().filter(|row| row["ended_at"].is_null()).collect();
            assert_eq!(open.len(), usize::from(view["status"] == "pending"), "{rows:?}");
            assert!(open.iter().all(|row| row["agent"]["id"] == view["agent"]["id"]), "{rows:?}");
            exact(&app);
            desk.admin.post(&format!("/conversations/{room}/assign"), json!({"agent_id": desk.agent.id()})).await.ok();
            desk.admin.patch(&format!("/conversations/{room}"), json!({"group_id": parcels})).await.ok();
        }
        let given = list(&desk.admin, &room, "assignments").await.iter().filter(|row| row["end_reason"] == "group_transfer").count();
        let written = list(&desk.admin, &room, "transfers").await.iter().filter(|row| row["to_group_id"] == json!(billing)).count();
        assert_eq!(given, written);
    }

    /// The longest note, of the longest letters, is kept whole wherever it stands.
    async fn long_notes_are_kept(app: TestApp) {
        let desk = app.desk().await;
        let (parcels, billing) = two(&desk).await;
        let room = served(&desk, &parcels).await;
        let note = "🦜".repeat(2_000);
        let give = json!({"agent_id": desk.supervisor.id(), "note": note});
        desk.admin.post(&format!("/conversations/{room}/assign"), give).await.ok();
        hand_over(&desk.supervisor, &room, json!({"group_id": billing, "note": note})).await.ok();
        assert_eq!(list(&desk.admin, &room, "assignments").await[1]["note"], note);
        assert_eq!(list(&desk.admin, &room, "transfers").await[0]["note"], note);
    }
}
