//! Handing conversations over, taking them over, and watching without being in them.

use deskwire::sync::verify;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::personas::message;
use crate::harness::{Answer, Client, Desk, Socket, TestApp};

async fn hand_over(who: &Client, room: &str, to: &Client) -> Answer {
    let body = json!({"agent_id": to.id(), "note": "knows the carrier"});
    who.post(&format!("/conversations/{room}/transfer"), body).await
}

async fn take_over(who: &Client, room: &str) -> Answer {
    who.post(&format!("/conversations/{room}/take_over"), json!({"note": "a complaint"})).await
}

/// Somebody of the staff comes to work.
async fn comes(who: &Client) -> Socket {
    let socket = who.socket().await;
    who.put("/presence", json!({"status": "online"})).await.ok();
    who.seen(true).await;
    socket
}

async fn holder(desk: &Desk, room: &str) -> Value {
    desk.admin.get(&format!("/conversations/{room}")).await.ok()["agent"]["id"].clone()
}

async fn decide(desk: &Desk, settings: Value) {
    desk.admin.patch("/tenant", json!({"settings": settings})).await.ok();
}

fn exact(app: &TestApp) {
    let report = verify::recompute_all(&mut app.database().connect(), None).unwrap();
    assert_eq!(report.drift, 0, "{report:?}");
}

on_every_database! {
    /// The receiver has it at once, with the note behind it; the former agent is out; the history says from whom.
    async fn an_agent_hands_a_conversation_over(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let (mut giver, mut receiver) = (comes(&desk.agent).await, comes(&desk.second_agent).await);
        let view = hand_over(&desk.agent, &room, &desk.second_agent).await.ok();
        assert_eq!((&view["status"], &view["agent"]["id"]), (&json!("pending"), &json!(desk.second_agent.id())));
        let row = receiver.wait("the row", |frame| frame["type"] == "inbox" && frame["data"]["active"] == true).await;
        assert_eq!(row["data"]["conversation_id"], room.as_str());
        let note = receiver.wait("the note", |frame| frame["data"]["kind"] == "remark").await;
        assert_eq!(note["data"]["content"], json!({"about": "assigned", "note": "knows the carrier"}));
        let reset = giver.expect("reset").await;
        assert_eq!((&reset["conversation_id"], &reset["reason"]), (&json!(room), &json!("removed")));
        // Repeating it changes nothing, though the giver is out.
        let again = hand_over(&desk.agent, &room, &desk.second_agent).await.ok();
        assert_eq!(again["version"], view["version"]);
        let history = desk.supervisor.get(&format!("/conversations/{room}/assignments")).await.ok();
        let [first, second] = history["data"].as_array().unwrap().as_slice() else { panic!("{history}") };
        assert_eq!((&first["reason"], &first["end_reason"], &first["from_agent"]), (&json!("claim"), &json!("reassign"), &Value::Null));
        assert_eq!((&second["reason"], &second["note"]), (&json!("transfer"), &json!("knows the carrier")));
        for who in ["from_agent", "assigned_by"] {
            assert_eq!(second[who]["id"], desk.agent.id(), "{who}");
        }
        for entry in desk.visitor.log(&room).await {
            assert!(!entry.to_string().contains("carrier"), "{entry}");
        }
        desk.agent.get(&format!("/conversations/{room}")).await.refused(404, "not_found");
        exact(&app);
    }

    /// An agent hands over to who is there; a supervisor to anybody.
    async fn only_to_who_is_there(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        desk.second_agent.put("/presence", json!({"status": "online"})).await.ok();
        let absent = async |effective: &str| {
            let refused = hand_over(&desk.agent, &room, &desk.second_agent).await.refused(409, "agent_absent");
            assert_eq!(refused["context"], json!({"agent_id": desk.second_agent.id(), "effective_status": effective}));
            assert_eq!(holder(&desk, &room).await, desk.agent.id());
        };
        absent("offline").await;
        let _socket = comes(&desk.second_agent).await;
        for status in ["away", "offline"] {
            desk.second_agent.put("/presence", json!({"status": status})).await.ok();
            absent(status).await;
        }
        desk.second_agent.put("/presence", json!({"status": "busy"})).await.ok();
        hand_over(&desk.agent, &room, &desk.second_agent).await.ok();
        // The first agent never came.
        desk.visitor.send(&room, "and now?").await;
        hand_over(&desk.second_agent, &room, &desk.agent).await.refused(409, "agent_absent");
        hand_over(&desk.supervisor, &room, &desk.agent).await.ok();
        assert_eq!(holder(&desk, &room).await, desk.agent.id());
    }

    /// To oneself, to nobody, by somebody else, and in other states.
    async fn what_cannot_be_handed_over(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = desk.open("hello").await;
        let path = format!("/conversations/{room}");
        hand_over(&desk.supervisor, &room, &desk.agent).await.refused(409, "invalid_transition");
        hand_over(&desk.supervisor, &room, &desk.supervisor).await.refused(422, "validation_failed");
        take_over(&desk.supervisor, &room).await.refused(409, "invalid_transition");
        desk.agent.claim(&room).await;
        let _sockets = (comes(&desk.agent).await, comes(&desk.second_agent).await);
        for nobody in [&desk.agent, &desk.visitor, &other.agent] {
            hand_over(&desk.agent, &room, nobody).await.refused(422, "validation_failed");
        }
        // Who only joined hands nothing over, and who is not in it sees nothing.
        hand_over(&desk.second_agent, &room, &desk.second_agent).await.refused(404, "not_found");
        desk.agent.post(&format!("{path}/members"), json!({"member_id": desk.second_agent.id()})).await.ok();
        hand_over(&desk.second_agent, &room, &desk.supervisor).await.refused(409, "invalid_transition");
        take_over(&desk.second_agent, &room).await.refused(403, "forbidden");
        for stranger in [&other.agent, &other.admin] {
            hand_over(stranger, &room, &other.second_agent).await.refused(404, "not_found");
        }
        take_over(&other.admin, &room).await.refused(404, "not_found");
        hand_over(&desk.visitor, &room, &desk.agent).await.refused(403, "forbidden");
        desk.admin.patch(&format!("/members/{}", desk.second_agent.id()), json!({"status": "disabled"})).await.ok();
        hand_over(&desk.supervisor, &room, &desk.second_agent).await.refused(422, "validation_failed");
        let long = json!({"agent_id": desk.supervisor.id(), "note": "x".repeat(2_001)});
        desk.agent.post(&format!("{path}/transfer"), long).await.refused(422, "validation_failed");
        desk.agent.post(&format!("{path}/close"), json!({})).await.ok();
        hand_over(&desk.supervisor, &room, &desk.agent).await.refused(409, "invalid_transition");
        take_over(&desk.supervisor, &room).await.refused(409, "invalid_transition");
        exact(&app);
    }

    /// A transfer has a switch of its own, and a take-over the one of claims.
    async fn limits_have_a_switch_each(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        for who in [&desk.second_agent, &desk.supervisor] {
            desk.admin.patch(&format!("/members/{}", who.id()), json!({"max_accept": 0})).await.ok();
        }
        decide(&desk, json!({"claim_above_max_accept": true, "assign_above_max_accept": true})).await;
        hand_over(&desk.supervisor, &room, &desk.second_agent).await.refused(409, "agent_full");
        decide(&desk, json!({"claim_above_max_accept": false, "transfer_above_max_accept": true})).await;
        hand_over(&desk.supervisor, &room, &desk.second_agent).await.ok();
        let full = take_over(&desk.supervisor, &room).await.refused(409, "agent_full");
        assert_eq!(full["context"]["agent_id"], desk.supervisor.id());
        decide(&desk, json!({"claim_above_max_accept": true})).await;
        take_over(&desk.supervisor, &room).await.ok();
        for wrong in [json!(-1), json!(101), json!(null)] {
            let body = json!({"settings": {"transfer_limit": wrong}});
            desk.admin.patch("/tenant", body).await.refused(422, "validation_failed");
        }
        exact(&app);
    }

    /// Straight back is refused until somebody wrote or a minute passed; notes are not words for the visitor.
    async fn no_conversation_goes_straight_back(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let _sockets = (comes(&desk.agent).await, comes(&desk.second_agent).await);
        hand_over(&desk.agent, &room, &desk.second_agent).await.ok();
        desk.second_agent.post(&format!("/conversations/{room}/notes"), message("why me?")).await.ok();
        hand_over(&desk.second_agent, &room, &desk.agent).await.refused(409, "transfer_loop");
        hand_over(&desk.supervisor, &room, &desk.agent).await.refused(409, "transfer_loop");
        desk.visitor.send(&room, "hello?").await;
        hand_over(&desk.second_agent, &room, &desk.agent).await.ok();
        app.advance(59_000).await;
        hand_over(&desk.agent, &room, &desk.second_agent).await.refused(409, "transfer_loop");
        app.advance(1_000).await;
        hand_over(&desk.agent, &room, &desk.second_agent).await.ok();
        // Somebody else is not the way back.
        hand_over(&desk.second_agent, &room, &desk.supervisor).await.refused(409, "agent_absent");
        hand_over(&desk.admin, &room, &desk.supervisor).await.ok();
    }

    /// So many transfers in an hour, and no more; a supervisor still assigns it or takes it over.
    async fn transfers_are_counted(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        decide(&desk, json!({"transfer_limit": 2})).await;
        hand_over(&desk.admin, &room, &desk.second_agent).await.ok();
        hand_over(&desk.admin, &room, &desk.supervisor).await.ok();
        // Released and claimed, it is still the same conversation.
        desk.supervisor.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        desk.agent.claim(&room).await;
        let refused = hand_over(&desk.admin, &room, &desk.second_agent).await.refused(409, "transfer_loop");
        assert_eq!(refused["context"], json!({"transfers": 2, "transfer_limit": 2}));
        let give = json!({"agent_id": desk.second_agent.id()});
        desk.admin.post(&format!("/conversations/{room}/assign"), give).await.ok();
        take_over(&desk.supervisor, &room).await.ok();
        app.advance(3_600_000).await;
        let desk = app.desk_of(desk.seed);
        hand_over(&desk.admin, &room, &desk.second_agent).await.ok();
        decide(&desk, json!({"transfer_limit": 0})).await;
        hand_over(&desk.admin, &room, &desk.agent).await.refused(409, "transfer_loop");
        exact(&app);
    }

    /// A supervisor takes it; the former agent learns it at once and is out; repeating it changes nothing.
    async fn a_supervisor_takes_over(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut former = comes(&desk.agent).await;
        let view = take_over(&desk.supervisor, &room).await.ok();
        assert_eq!((&view["status"], &view["agent"]["id"]), (&json!("pending"), &json!(desk.supervisor.id())));
        assert_eq!(former.expect("reset").await["reason"], "removed");
        assert_eq!(take_over(&desk.supervisor, &room).await.ok()["version"], view["version"]);
        desk.agent.post(&format!("/conversations/{room}/messages"), message("mine")).await.refused(404, "not_found");
        desk.supervisor.send(&room, "good morning").await;
        let history = desk.admin.get(&format!("/conversations/{room}/assignments")).await.ok();
        let last = &history["data"][1];
        assert_eq!((&last["reason"], &last["from_agent"]["id"]), (&json!("take_over"), &json!(desk.agent.id())));
        assert_eq!(last["assigned_by"]["id"], desk.supervisor.id());
        assert_eq!(desk.visitor.log(&room).await[2]["kind"], "assigned");
        // From a supervisor too, and by an administrator.
        take_over(&desk.admin, &room).await.ok();
        exact(&app);
    }

    /// Everybody at once: whatever comes of it, one owner, whom everybody sees, and true numbers.
    async fn one_owner_whatever_happens_at_once(app: TestApp) {
        let desk = app.desk().await;
        let there = match app.kind().is_server() {
            true => app.second().await.desk_of(desk.seed),
            false => desk.clone(),
        };
        let _sockets = (comes(&desk.agent).await, comes(&desk.second_agent).await);
        decide(&desk, json!({"transfer_limit": 100})).await;
        let room = desk.open_and_claim("hello").await;
        for round in 0..8 {
            desk.visitor.send(&room, &format!("{round}")).await;
            let answers = join_all([
                Box::pin(hand_over(&desk.agent, &room, &desk.second_agent)) as std::pin::Pin<Box<dyn Future<Output = Answer>>>,
                Box::pin(hand_over(&there.second_agent, &room, &desk.agent)),
                Box::pin(take_over(&desk.supervisor, &room)),
                Box::pin(take_over(&there.admin, &room)),
                Box::pin(hand_over(&there.supervisor, &room, &desk.agent)),
            ])
            .await;
            assert!(answers.iter().any(|answer| answer.status == 200), "{answers:?}");
            let allowed = [200, 404, 409];
            assert!(answers.iter().all(|answer| allowed.contains(&answer.status)), "{answers:?}");
            let held = holder(&desk, &room).await;
            let history = desk.admin.get(&format!("/conversations/{room}/assignments")).await.ok();
            let rows = history["data"].as_array().unwrap();
            let open: Vec<&Value> = rows.iter().filter(|row| row["ended_at"].is_null()).collect();
            assert_eq!(open.len(), 1, "{history}");
            assert_eq!(open[0]["agent"]["id"], held);
            for pair in rows.windows(2) {
                assert_eq!(pair[1]["from_agent"]["id"], pair[0]["agent"]["id"], "the lineage has a hole: {history}");
            }
            exact(&app);
        }
    }

    /// A supervisor who only watches hears the visitor and the staff, and whispers; it says nothing to the visitor.
    async fn a_supervisor_watches_and_whispers(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let (mut agent, mut visitor) = (desk.agent.socket().await, desk.visitor.socket().await);
        let mut watching = desk.supervisor.socket().await;
        watching.ask("watch", json!({"conversations": [room]})).await;
        desk.visitor.send(&room, "where is my parcel?").await;
        let heard = watching.wait("the question", |frame| frame["data"]["content"]["text"] == "where is my parcel?").await;
        assert_eq!(heard["data"]["conversation_id"], room.as_str());
        desk.agent.post(&format!("/conversations/{room}/notes"), message("no idea")).await.ok();
        let note = watching.wait("the note", |frame| frame["data"]["content"]["text"] == "no idea").await;
        assert_ne!(note["data"]["conversation_id"], room.as_str());
        desk.supervisor.post(&format!("/conversations/{room}/notes"), message("ask the carrier")).await.status(201);
        let whisper = agent.wait("the whisper", |frame| frame["data"]["content"]["text"] == "ask the carrier").await;
        assert_eq!(whisper["data"]["sender"]["id"], desk.supervisor.id());
        let say = json!({"conversation_id": room, "client_msg_id": "m1", "kind": "text", "content": {"text": "hello"}});
        watching.ask_refused("message.send", say, "not_a_member").await;
        let inside = desk.supervisor.get(&format!("/conversations/{room}/members")).await.ok().to_string();
        assert!(!inside.contains(&desk.supervisor.id()), "{inside}");
        visitor.barrier().await;
        let heard = visitor.take_kept();
        assert!(!heard.iter().any(|frame| frame.to_string().contains("carrier")), "{heard:?}");
    }
}
