//! Reopening: how long a customer may, and to whom the conversation goes.

use deskwire::domain::actor::Principal;
use deskwire::journal::Command;
use deskwire::journal::commands::RunTimers;
use serde_json::{Value, json};

use crate::harness::personas::message;
use crate::harness::{Client, Desk, TestApp};
use crate::routing::{agent_of, online, route, served_by, waits};

async fn window(desk: &Desk, seconds: Value) {
    desk.admin.patch("/tenant", json!({"settings": {"reopen_window_seconds": seconds}})).await.ok();
}

async fn act(who: &Client, room: &str, what: &str) -> crate::harness::Answer {
    who.post(&format!("/conversations/{room}/{what}"), json!({})).await
}

/// What every process does with a conversation of which it believes that something is due.
async fn run(app: &TestApp, desk: &Desk, room: &str) -> bool {
    let conversations = [room.parse().unwrap()].into();
    app.submit(Command::new(Principal::System(desk.tenant), RunTimers { conversations })).await.rev > 0
}

on_every_database! {
    /// For so long the customer may; later it is told why not, and opens a new one. The staff may at any time.
    async fn a_customer_reopens_within_the_window(app: TestApp) {
        let desk = app.desk().await;
        window(&desk, json!(60)).await;
        assert_eq!(desk.visitor.get("/tenant").await.ok()["settings"]["reopen_window_seconds"], 60);
        let room = desk.open_and_claim("hello").await;
        act(&desk.visitor, &room, "reopen").await.refused(409, "invalid_transition");
        act(&desk.visitor, &room, "close").await.ok();
        app.advance(50_000).await;
        assert_eq!(act(&desk.visitor, &room, "reopen").await.ok()["status"], "open");
        act(&desk.visitor, &room, "reopen").await.ok();
        desk.agent.claim(&room).await;
        // The window begins anew with every end.
        app.advance(50_000).await;
        act(&desk.agent, &room, "close").await.ok();
        app.advance(50_000).await;
        act(&desk.visitor, &room, "reopen").await.ok();
        let closed = act(&desk.visitor, &room, "close").await.ok();
        app.advance(70_000).await;
        let problem = act(&desk.visitor, &room, "reopen").await.refused(409, "reopen_expired");
        assert_eq!(problem["context"]["closed_at"], closed["closed_at"], "{problem}");
        desk.visitor.post(&format!("/conversations/{room}/messages"), message("hello?")).await.refused(409, "conversation_closed");
        act(&desk.second_visitor, &room, "reopen").await.refused(404, "not_found");
        assert_eq!(act(&desk.agent, &room, "reopen").await.ok()["status"], "open", "the staff may");
        act(&desk.visitor, &room, "close").await.ok();
        app.advance(70_000).await;
        // With another open one the customer is led there first.
        let other = desk.visitor.open("something else").await;
        assert_ne!(other, room);
        let problem = act(&desk.visitor, &room, "reopen").await.refused(409, "open_conversation_exists");
        assert_eq!(problem["context"]["conversation_id"], other.as_str());
    }

    /// Never, always, and changed while it is closed.
    async fn the_window_is_that_of_the_moment(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        act(&desk.visitor, &room, "close").await.ok();
        app.advance(600_000).await;
        act(&desk.visitor, &room, "reopen").await.ok();
        window(&desk, json!(0)).await;
        act(&desk.visitor, &room, "close").await.ok();
        act(&desk.visitor, &room, "reopen").await.refused(409, "reopen_expired");
        window(&desk, json!(60)).await;
        act(&desk.visitor, &room, "reopen").await.ok();
        act(&desk.visitor, &room, "close").await.ok();
        app.advance(61_000).await;
        act(&desk.visitor, &room, "reopen").await.refused(409, "reopen_expired");
        window(&desk, json!(null)).await;
        act(&desk.visitor, &room, "reopen").await.ok();
    }

    /// A conversation that is reopened is the agent's turn, though the staff had spoken last: it is not closed at once.
    async fn what_is_reopened_is_the_agents_turn(app: TestApp) {
        let desk = app.desk().await;
        let timers = json!({"customer_reminder_seconds": 30, "agent_reminder_seconds": 40, "auto_close_seconds": 60});
        desk.admin.patch("/tenant", json!({"settings": {"timers": timers}})).await.ok();
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "good morning").await;
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!(desk.visitor.get(&format!("/conversations/{room}")).await.ok()["close_reason"], "timed_out");
        act(&desk.visitor, &room, "reopen").await.ok();
        desk.agent.claim(&room).await;
        app.advance(39_000).await;
        assert!(!run(&app, &desk, &room).await, "nothing yet");
        app.advance(61_000).await;
        assert!(run(&app, &desk, &room).await && !run(&app, &desk, &room).await, "the agent is reminded, once");
        assert_eq!(desk.visitor.get(&format!("/conversations/{room}")).await.ok()["status"], "pending");
        for entry in desk.visitor.log(&room).await {
            assert_ne!(entry["kind"], "customer_idle");
        }
        desk.agent.send(&room, "good evening").await;
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        assert_eq!(desk.visitor.get(&format!("/conversations/{room}")).await.ok()["status"], "closed");
    }

    /// Where routing is automatic the agent who served it gets it back while it is there and has room, else another one does.
    async fn a_reopened_conversation_goes_back_to_its_agent(app: TestApp) {
        let desk = app.desk().await;
        route(&desk, json!({"strategy": "least_loaded"})).await;
        online(&desk, &desk.agent, 2).await;
        let (visitor, room) = waits(&app, &desk, json!({"message": message("hello")})).await;
        served_by(&desk, &room, &desk.agent).await;
        let (_, beside) = waits(&app, &desk, json!({})).await;
        served_by(&desk, &beside, &desk.agent).await;
        online(&desk, &desk.second_agent, 2).await;
        // The service itself ends it, which gives the agent room.
        desk.admin.patch("/tenant", json!({"settings": {"timers": {"auto_close_seconds": 60}}})).await.ok();
        desk.agent.send(&room, "good morning").await;
        app.advance(60_000).await;
        assert!(run(&app, &desk, &room).await);
        // The other one serves nobody, and would be chosen.
        act(&visitor, &room, "reopen").await.ok();
        served_by(&desk, &room, &desk.agent).await;
        // Without room it goes to the other one.
        act(&visitor, &room, "close").await.ok();
        desk.admin.patch(&format!("/members/{}", desk.agent.id()), json!({"max_accept": 1})).await.ok();
        act(&visitor, &room, "reopen").await.ok();
        served_by(&desk, &room, &desk.second_agent).await;
        // That one is the last agent now; it goes offline, and the first one has room again.
        act(&visitor, &room, "close").await.ok();
        desk.second_agent.put("/presence", json!({"status": "offline"})).await.ok();
        desk.admin.patch(&format!("/members/{}", desk.agent.id()), json!({"max_accept": 2})).await.ok();
        act(&visitor, &room, "reopen").await.ok();
        served_by(&desk, &room, &desk.agent).await;
    }

    /// What ends by itself gives its agent room, and who waits is served.
    async fn an_automatic_end_drains_the_queue(app: TestApp) {
        let desk = app.desk().await;
        route(&desk, json!({"strategy": "least_loaded"})).await;
        online(&desk, &desk.agent, 1).await;
        let (_, room) = waits(&app, &desk, json!({"message": message("hello")})).await;
        served_by(&desk, &room, &desk.agent).await;
        desk.agent.send(&room, "good morning").await;
        let (_, next) = waits(&app, &desk, json!({})).await;
        assert_eq!(agent_of(&desk, &next).await, None, "the agent accepts one");
        desk.admin.patch("/tenant", json!({"settings": {"timers": {"auto_close_seconds": 1}}})).await.ok();
        served_by(&desk, &next, &desk.agent).await;
        let seen = desk.admin.get(&format!("/conversations/{room}")).await.ok();
        assert_eq!((&seen["status"], &seen["close_reason"]), (&json!("closed"), &json!("timed_out")));
    }

    /// Where agents claim, nobody is given anything: it waits, and the agent who served it hears of it at once.
    async fn with_manual_routing_it_waits_and_its_agent_hears_of_it(app: TestApp) {
        let desk = app.desk().await;
        let mut socket = desk.agent.socket().await;
        desk.agent.put("/presence", json!({"status": "online"})).await.ok();
        let room = desk.open_and_claim("hello").await;
        act(&desk.visitor, &room, "close").await.ok();
        act(&desk.visitor, &room, "reopen").await.ok();
        let told = |frame: &Value| {
            frame["type"] == "entry" && frame["data"]["conversation_id"] == room.as_str() && frame["data"]["kind"] == "reopened"
        };
        socket.wait("that it is reopened", told).await;
        assert_eq!(agent_of(&desk, &room).await, None);
        desk.agent.claim(&room).await;
    }
}
