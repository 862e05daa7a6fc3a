//! Lifecycle timers: reminders of idle customers and agents, and the automatic end. Time passes by the clock, and what every
//! process submits is submitted here; what the processes do by themselves stands in `timer_looks`.

use std::collections::BTreeSet;

use deskwire::domain::actor::Principal;
use deskwire::journal::Command;
use deskwire::journal::commands::{Recall, RunTimers};
use deskwire::kernel::{Code, ConversationId, TenantId};
use deskwire::sync::verify::recompute_all;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::commands::send;
use crate::harness::{Client, Desk, TestApp};

/// Sets the tenant's timers.
pub async fn decide(desk: &Desk, timers: Value) {
    desk.admin.patch("/tenant", json!({"settings": {"timers": timers}})).await.ok();
}

/// What a process submits.
pub fn timers(tenant: TenantId, rooms: &[&str]) -> Command {
    let conversations: BTreeSet<ConversationId> = rooms.iter().map(|room| room.parse().unwrap()).collect();
    Command::new(Principal::System(tenant), RunTimers { conversations })
}

/// What a process does with what it found. Tells whether anything was due.
pub async fn run(app: &TestApp, desk: &Desk, room: &str) -> bool {
    app.submit(timers(desk.tenant, &[room])).await.rev > 0
}

/// The conversation as the staff see it.
pub async fn view(desk: &Desk, room: &str) -> Value {
    desk.supervisor.get(&format!("/conversations/{room}")).await.ok()
}

/// Where it stands.
pub async fn status(desk: &Desk, room: &str) -> String {
    view(desk, room).await["status"].as_str().unwrap().to_owned()
}

/// The entries of this kind that this reader finds in the conversation.
pub async fn of_kind(who: &Client, room: &str, kind: &str) -> Vec<Value> {
    let log = who.log(room).await;
    log.into_iter().filter(|entry| entry["kind"] == kind).collect()
}

/// The agents who were reminded, in order.
pub async fn reminded(desk: &Desk, room: &str) -> Vec<String> {
    let Some(behind) = view(desk, room).await["backstage_id"].as_str().map(str::to_owned) else {
        return vec![];
    };
    let entries = of_kind(&desk.supervisor, &behind, "agent_idle").await;
    entries.iter().map(|entry| entry["content"]["member_id"].as_str().unwrap().to_owned()).collect()
}

/// Every number is what counting finds.
pub async fn no_drift(app: &TestApp) {
    let report = recompute_all(&mut app.database().connect(), None).unwrap();
    assert_eq!(report.drift, 0, "{report:?}");
}

on_every_database! {
    /// A customer who does not answer is reminded once, then the conversation ends by itself.
    async fn a_silent_customer_is_reminded_once_and_then_left(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"customer_reminder_seconds": 60, "auto_close_seconds": 120})).await;
        let room = desk.open_and_claim("hello").await;
        app.advance(300_000).await;
        assert!(!run(&app, &desk, &room).await, "it is the agent who does not answer");
        let answer = desk.agent.send(&room, "good morning").await;
        app.advance(50_000).await;
        assert!(!run(&app, &desk, &room).await, "not yet");
        app.advance(10_000).await;
        assert!(run(&app, &desk, &room).await);
        assert!(!run(&app, &desk, &room).await, "once");
        let told = of_kind(&desk.visitor, &room, "customer_idle").await;
        assert_eq!(told.len(), 1);
        assert_eq!((&told[0]["ref_seq"], &told[0]["sender"], &told[0]["content"]), (&answer["seq"], &Value::Null, &json!({})));
        assert_eq!((told[0]["message_type"].as_str(), told[0]["msg_count"].as_i64()), (Some("notice"), Some(2)));
        // The staff say more: silence counts anew, but it is still the same turn.
        desk.agent.send(&room, "are you there?").await;
        app.advance(70_000).await;
        assert!(!run(&app, &desk, &room).await, "reminded already");
        // The customer speaks, and a new turn begins with the next answer.
        desk.visitor.send(&room, "yes").await;
        app.advance(130_000).await;
        assert!(!run(&app, &desk, &room).await, "the customer spoke last");
        desk.agent.send(&room, "good").await;
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!(of_kind(&desk.visitor, &room, "customer_idle").await.len(), 2);
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        let seen = view(&desk, &room).await;
        assert_eq!((&seen["status"], &seen["close_reason"]), (&json!("closed"), &json!("timed_out")));
        assert!(!run(&app, &desk, &room).await, "once");
        let log = desk.visitor.log(&room).await;
        let last = log.last().unwrap();
        assert_eq!((last["kind"].as_str(), &last["content"], &last["sender"]), (Some("closed"), &json!({"reason": "timed_out"}), &Value::Null));
        let served = desk.supervisor.get(&format!("/conversations/{room}/assignments")).await.ok();
        assert_eq!((&served["data"][0]["end_reason"], served["data"].as_array().unwrap().len()), (&json!("timed_out"), 1));
        no_drift(&app).await;
        // No one may give the service's own reason; the customer may go on, or begin anew.
        let other = desk.visitor.open("something else").await;
        assert_ne!(other, room);
        desk.agent.claim(&other).await;
        let path = format!("/conversations/{other}/close");
        desk.agent.post(&path, json!({"reason": "timed_out"})).await.refused(422, "validation_failed");
    }

    /// The agent is reminded behind the scenes, counted from the customer's first unanswered words; each agent once.
    async fn an_agent_who_leaves_a_customer_waiting_is_reminded_once(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"agent_reminder_seconds": 60})).await;
        let room = desk.open_and_claim("hello").await;
        app.advance(40_000).await;
        // Asking again does not begin the wait anew, and a note is no answer.
        desk.visitor.send(&room, "hello?").await;
        desk.agent.post(&format!("/conversations/{room}/notes"), json!({"client_msg_id": "n", "kind": "text", "content": {"text": "who is that?"}})).await.status(201);
        app.advance(10_000).await;
        assert!(!run(&app, &desk, &room).await, "not yet");
        app.advance(10_000).await;
        assert!(run(&app, &desk, &room).await);
        assert!(!run(&app, &desk, &room).await, "once");
        desk.visitor.send(&room, "hello??").await;
        app.advance(70_000).await;
        assert!(!run(&app, &desk, &room).await, "still the same turn");
        assert_eq!(reminded(&desk, &room).await, [desk.agent.id()]);
        for entry in desk.visitor.log(&room).await {
            assert!(!entry.to_string().contains("agent_idle"), "{entry}");
        }
        // Another agent has its own time, and is reminded too.
        let give = json!({"agent_id": desk.second_agent.id()});
        desk.supervisor.post(&format!("/conversations/{room}/assign"), give).await.ok();
        app.advance(50_000).await;
        assert!(!run(&app, &desk, &room).await, "it has just got it");
        app.advance(10_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!(reminded(&desk, &room).await, [desk.agent.id(), desk.second_agent.id()]);
        // Anybody of the staff answers; then nothing is due until the customer speaks.
        desk.second_agent.send(&room, "sorry").await;
        app.advance(100_000).await;
        assert!(!run(&app, &desk, &room).await);
        desk.visitor.send(&room, "well").await;
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!(reminded(&desk, &room).await.len(), 3);
        assert_eq!(status(&desk, &room).await, "pending", "nothing closes it");
        no_drift(&app).await;
    }

    /// Nothing that waits is closed; who gets a conversation later has the whole time.
    async fn what_waits_is_never_closed(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"customer_reminder_seconds": 30, "agent_reminder_seconds": 30, "auto_close_seconds": 60})).await;
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "good morning").await;
        desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        app.advance(300_000).await;
        assert!(!run(&app, &desk, &room).await, "it waits");
        desk.second_agent.claim(&room).await;
        assert!(!run(&app, &desk, &room).await, "it has just been claimed");
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!(status(&desk, &room).await, "closed");
        // Without a word the agent is reminded, and nothing closes.
        let opened = desk.second_visitor.post("/conversations", json!({})).await.status(201);
        let silent = opened["conversation"]["id"].as_str().unwrap().to_owned();
        desk.agent.claim(&silent).await;
        app.advance(300_000).await;
        assert!(run(&app, &desk, &silent).await && !run(&app, &desk, &silent).await);
        assert_eq!((status(&desk, &silent).await, reminded(&desk, &silent).await.len()), ("pending".to_owned(), 1));
    }

    /// An edit is no turn. What the staff recall no longer answers; what the customer recalls still shows that it was there.
    async fn edits_and_recalls_are_no_turns(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"customer_reminder_seconds": 60, "agent_reminder_seconds": 60, "auto_close_seconds": 90})).await;
        let edit = |seq: i64| (format!("/messages/{seq}"), json!({"kind": "text", "content": {"text": "better words"}}));
        let room = desk.open_and_claim("hello").await;
        let question = desk.visitor.log(&room).await.iter().find(|entry| entry["kind"] == "text").unwrap()["seq"].as_i64().unwrap();
        let answer = desk.agent.send(&room, "good morning").await["seq"].as_i64().unwrap();
        app.advance(50_000).await;
        for (who, seq) in [(&desk.agent, answer), (&desk.visitor, question)] {
            let (path, body) = edit(seq);
            who.patch(&format!("/conversations/{room}{path}"), body).await.ok();
        }
        app.advance(10_000).await;
        assert!(run(&app, &desk, &room).await, "the edits did not begin the time anew");
        assert_eq!(of_kind(&desk.visitor, &room, "customer_idle").await.len(), 1);
        // Two answers, of which one is taken back: the other one still stands, at its own time.
        app.advance(10_000).await;
        let twice = desk.agent.send(&room, "good morning").await["seq"].as_i64().unwrap();
        desk.agent.delete(&format!("/conversations/{room}/messages/{twice}")).await.ok();
        app.advance(10_000).await;
        assert!(!run(&app, &desk, &room).await, "80 s");
        // Both are taken back: the customer's question is unanswered, and nothing closes.
        desk.agent.delete(&format!("/conversations/{room}/messages/{answer}")).await.ok();
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!((status(&desk, &room).await, reminded(&desk, &room).await.len()), ("pending".to_owned(), 1));
        // The customer speaks and takes it back: it was there.
        desk.agent.send(&room, "now then").await;
        app.advance(50_000).await;
        let slip = desk.visitor.send(&room, "slip").await["seq"].as_i64().unwrap();
        desk.visitor.delete(&format!("/conversations/{room}/messages/{slip}")).await.ok();
        app.advance(59_000).await;
        assert!(!run(&app, &desk, &room).await, "it is the agent's turn");
        app.advance(1_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!((status(&desk, &room).await, reminded(&desk, &room).await.len()), ("pending".to_owned(), 2));
    }

    /// Off, on, changed and cleared while something is due; what does not fit is refused, and only administrators decide.
    async fn the_settings_hold_at_the_moment_of_the_command(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "good morning").await;
        app.advance(100_000).await;
        assert!(!run(&app, &desk, &room).await, "everything is off");
        decide(&desk, json!({"auto_close_seconds": 60})).await;
        decide(&desk, json!({"auto_close_seconds": 200})).await;
        assert!(!run(&app, &desk, &room).await, "longer");
        decide(&desk, json!({"auto_close_seconds": null})).await;
        app.advance(200_000).await;
        assert!(!run(&app, &desk, &room).await, "off");
        // Switched on with a reminder that is long past too: the end alone is told.
        decide(&desk, json!({"customer_reminder_seconds": 60, "auto_close_seconds": 200})).await;
        assert!(run(&app, &desk, &room).await);
        assert!(of_kind(&desk.visitor, &room, "customer_idle").await.is_empty());
        assert_eq!(status(&desk, &room).await, "closed");

        let refused = async |settings: Value, pointer: &str| {
            let problem = desk.admin.patch("/tenant", json!({"settings": settings})).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        };
        for field in ["customer_reminder_seconds", "agent_reminder_seconds", "auto_close_seconds"] {
            for wrong in [json!(0), json!(-1), json!(2_592_001)] {
                refused(json!({"timers": {field: wrong}}), &format!("/settings/timers/{field}")).await;
            }
            for wrong in [json!("60"), json!(1.5), json!([])] {
                desk.admin.patch("/tenant", json!({"settings": {"timers": {field: wrong}}})).await.refused(422, "validation_failed");
            }
        }
        refused(json!({"timers": {"customer_reminder_seconds": 200}}), "/settings/timers/customer_reminder_seconds").await;
        refused(json!({"timers": {"auto_close_seconds": 60}}), "/settings/timers/auto_close_seconds").await;
        refused(json!({"timers": {"customer_reminder_seconds": 9, "auto_close_seconds": 8}}), "/settings/timers/customer_reminder_seconds").await;
        for wrong in [json!(-1), json!(31_536_001)] {
            refused(json!({"reopen_window_seconds": wrong}), "/settings/reopen_window_seconds").await;
        }
        let kept = json!({"customer_reminder_seconds": 60, "agent_reminder_seconds": null, "auto_close_seconds": 200});
        assert_eq!(desk.agent.get("/tenant").await.ok()["settings"]["timers"], kept);
        assert_eq!(desk.visitor.get("/tenant").await.ok()["settings"].get("timers"), None);
        for who in [&desk.visitor, &desk.agent, &desk.supervisor] {
            who.patch("/tenant", json!({"settings": {"timers": {"auto_close_seconds": 1}}})).await.refused(403, "forbidden");
        }
        decide(&desk, json!({"customer_reminder_seconds": null, "auto_close_seconds": null})).await;
        let off = json!({"customer_reminder_seconds": null, "agent_reminder_seconds": null, "auto_close_seconds": null});
        assert_eq!(desk.agent.get("/tenant").await.ok()["settings"]["timers"], off);
    }

    /// The customer or the agent speaks, or somebody closes, between the look and the command, or in the very same batch.
    async fn who_speaks_at_the_last_moment_is_heard(app: TestApp) {
        let desk = app.desk().await;
        let seed = desk.seed;
        decide(&desk, json!({"agent_reminder_seconds": 60, "auto_close_seconds": 60})).await;
        let room = desk.open_and_claim("hello").await;
        let id: ConversationId = room.parse().unwrap();
        desk.agent.send(&room, "good morning").await;
        app.advance(60_000).await;
        let words = send(seed.visitor, id, "last moment", "wait!");
        let all = vec![words, timers(desk.tenant, &[&room]), timers(desk.tenant, &[&room])];
        for answer in app.submit_all(all).await {
            answer.unwrap();
        }
        assert_eq!(status(&desk, &room).await, "pending");
        app.advance(60_000).await;
        let answers = app.submit_all(vec![send(seed.agent, id, "in time", "yes?"), timers(desk.tenant, &[&room])]).await;
        assert!(answers.into_iter().all(|answer| answer.is_ok()));
        assert!(reminded(&desk, &room).await.is_empty(), "the agent answered");
        app.advance(60_000).await;
        // Late by a moment: the message is refused, the customer knows why, and there is one end.
        let late = vec![timers(desk.tenant, &[&room]), send(seed.visitor, id, "late", "wait!"), timers(desk.tenant, &[&room])];
        let answers = app.submit_all(late).await;
        assert_eq!(answers[1].as_ref().unwrap_err().code, Code::ConversationClosed);
        assert_eq!(of_kind(&desk.visitor, &room, "closed").await.len(), 1);
        assert!(!run(&app, &desk, &room).await, "somebody closed it already");
        // The agent takes its last words back at that moment: the customer waits, whether one batch does both or two.
        let room = desk.second_visitor.open("hello").await;
        desk.agent.claim(&room).await;
        let (conversation, seq) = (room.parse().unwrap(), desk.agent.send(&room, "slip").await["seq"].as_i64().unwrap());
        app.advance(60_000).await;
        let back = Command::new(seed.agent, Recall { conversation, seq });
        for answer in app.submit_all(vec![back, timers(desk.tenant, &[&room])]).await {
            answer.unwrap();
        }
        assert_eq!(status(&desk, &room).await, "pending");
        run(&app, &desk, &room).await;
        assert_eq!(reminded(&desk, &room).await, [desk.agent.id()]);
        // A retry of what was said in time still gets its first answer.
        assert!(app.submit(send(seed.visitor, id, "last moment", "wait!")).await.duplicate);
        no_drift(&app).await;
    }

    /// Only the service itself runs timers, only of its own tenant, and whatever it is given does no harm.
    async fn nobody_else_runs_timers(app: TestApp) {
        let (desk, rival) = (app.desk().await, app.desk().await);
        for desk in [&desk, &rival] {
            decide(desk, json!({"auto_close_seconds": 60})).await;
        }
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "good morning").await;
        let note = json!({"client_msg_id": "n", "kind": "text", "content": {"text": "x"}});
        desk.supervisor.post(&format!("/conversations/{room}/notes"), note).await.status(201);
        let behind = view(&desk, &room).await["backstage_id"].as_str().unwrap().to_owned();
        app.advance(60_000).await;
        let conversations: BTreeSet<ConversationId> = [room.parse().unwrap()].into();
        for actor in [desk.seed.visitor, desk.seed.agent, desk.seed.supervisor, desk.seed.admin] {
            let command = Command::new(actor, RunTimers { conversations: conversations.clone() });
            assert_eq!(app.journal.submit(command).await.unwrap_err().code, Code::Forbidden);
        }
        assert_eq!(app.submit(timers(rival.tenant, &[&room, &behind, "1"])).await.rev, 0, "another tenant's");
        assert_eq!(app.submit(timers(desk.tenant, &[&behind, "1"])).await.rev, 0, "no conversation");
        assert_eq!(app.submit(timers(desk.tenant, &[])).await.rev, 0);
        assert_eq!(status(&desk, &room).await, "pending");
        assert!(app.submit(timers(desk.tenant, &[&behind, "1", &room])).await.rev > 0);
        assert_eq!(status(&desk, &room).await, "closed");
    }

    /// Who docks a conversation gives the group the turn: it is reminded, about nobody, once; then it is as with an agent.
    async fn a_docked_conversation_is_the_groups_turn(app: TestApp) {
        // What is left of the node number's lease then lasts, however slow the machine is.
        app.clock.stop();
        let desk = app.desk().await;
        decide(&desk, json!({"agent_reminder_seconds": 60, "auto_close_seconds": 60})).await;
        let group = make(&desk, "Parcels").await;
        put(&desk.admin, &group, &desk.second_agent, "member").await;
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "good morning").await;
        app.advance(59_000).await;
        desk.agent.post(&format!("/conversations/{room}/dock"), json!({"group_id": group})).await.ok();
        app.advance(59_000).await;
        assert!(!run(&app, &desk, &room).await, "the group has just got it");
        app.advance(1_000).await;
        assert!(run(&app, &desk, &room).await && !run(&app, &desk, &room).await, "once");
        let behind = view(&desk, &room).await["backstage_id"].as_str().unwrap().to_owned();
        let told = of_kind(&desk.second_agent, &behind, "agent_idle").await;
        assert_eq!((told.len(), &told[0]["content"]), (1, &json!({})));
        assert_eq!(status(&desk, &room).await, "pending");
        desk.second_agent.send(&room, "here I am").await;
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!(view(&desk, &room).await["close_reason"], "timed_out");
        no_drift(&app).await;
    }

    /// A merge brings the customer's words: it is the agent's turn, whatever was said in the conversation that goes on.
    async fn a_merge_is_the_agents_turn(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"agent_reminder_seconds": 60, "auto_close_seconds": 60})).await;
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "good morning").await;
        desk.second_visitor.open("it is me again, on another device").await;
        app.advance(50_000).await;
        let merge = deskwire::journal::commands::Merge { from: desk.seed.second_visitor.member, into: desk.seed.visitor.member };
        app.submit(Command::new(desk.seed.second_visitor, merge)).await;
        app.advance(50_000).await;
        assert!(!run(&app, &desk, &room).await, "the turn began with the merge");
        app.advance(10_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!((status(&desk, &room).await, reminded(&desk, &room).await.len()), ("pending".to_owned(), 1));
    }
}
