//! What a tenant has done with the conversations of agents who are not there.

use deskwire::db::schema::{agent_status, tenant_log};
use deskwire::domain::actor::Principal;
use deskwire::domain::member::Role;
use deskwire::journal::Command;
use deskwire::journal::commands::RequeueAbsent;
use deskwire::journal::wants::PIECE;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::harness::commands::claim;
use crate::harness::{Client, Desk, TestApp, eventually};

async fn decide(desk: &Desk, settings: Value) {
    desk.admin.patch("/tenant", json!({"settings": settings})).await.ok();
}

async fn says(who: &Client, status: &str) {
    who.put("/presence", json!({"status": status})).await.ok();
}

fn rev(app: &TestApp, desk: &Desk) -> i64 {
    let row = tenant_log::table.filter(tenant_log::tenant_id.eq(desk.tenant)).select(tenant_log::rev);
    row.get_result(&mut app.database().connect()).unwrap()
}

/// What every process asks for each few seconds: the agent's conversations are looked at.
async fn requeue(app: &TestApp, desk: &Desk) {
    let agent = desk.seed.agent.member;
    app.submit(Command::new(Principal::System(desk.tenant), RequeueAbsent { agent })).await;
}

async fn status(desk: &Desk, room: &str) -> String {
    desk.supervisor.get(&format!("/conversations/{room}")).await.ok()["status"].as_str().unwrap().to_owned()
}

async fn waits(desk: &Desk, room: &str) {
    eventually("it waits again", || async { (status(desk, room).await == "open").then_some(()) }).await;
}

on_every_database! {
    /// An agent who is offline for longer than the tenant allows loses what it serves, with the reason behind the scenes.
    async fn who_is_offline_for_long_loses_its_conversations(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"presence_grace_seconds": 0, "disconnect_requeue_seconds": 120})).await;
        says(&desk.agent, "online").await;
        let socket = desk.agent.socket().await;
        desk.agent.seen(true).await;
        let room = desk.open_and_claim("hello").await;
        app.advance(300_000).await;
        requeue(&app, &desk).await;
        let path = format!("/conversations/{room}");
        assert_eq!(status(&desk, &room).await, "pending", "it is there");
        socket.close().await;
        desk.agent.seen(false).await;
        app.advance(100_000).await;
        requeue(&app, &desk).await;
        assert_eq!(status(&desk, &room).await, "pending", "not yet");
        // What it was given while it was gone stays as long as anything.
        let late = desk.second_visitor.open("hello?").await;
        let give = json!({"agent_id": desk.agent.id()});
        desk.supervisor.post(&format!("/conversations/{late}/assign"), give).await.ok();
        app.advance(30_000).await;
        waits(&desk, &room).await;
        assert_eq!(status(&desk, &late).await, "pending");
        let told = desk.supervisor.get(&format!("{path}/assignments")).await.ok();
        assert_eq!(told["data"][0]["end_reason"], "agent_absent");
        let backstage = desk.supervisor.get(&path).await.ok()["backstage_id"].as_str().unwrap().to_owned();
        let notes = desk.supervisor.log(&backstage).await;
        assert_eq!(notes.last().unwrap()["content"], json!({"about": "released", "note": "", "reason": "agent_absent"}));
        assert!(notes.last().unwrap()["sender"].is_null());
        for entry in desk.visitor.log(&room).await {
            assert!(!entry.to_string().contains("absent"), "{entry}");
        }
        // What is timed is stored: another process goes on with it.
        let app = app.restarted(|_| {}).await;
        let desk = app.desk_of(desk.seed);
        app.advance(100_000).await;
        waits(&desk, &late).await;
        // Once, however often it is asked.
        let known = rev(&app, &desk);
        requeue(&app, &desk).await;
        assert_eq!(rev(&app, &desk), known);
        let report = deskwire::sync::verify::recompute_all(&mut app.database().connect(), None).unwrap();
        assert_eq!(report.drift, 0, "{report:?}");
    }

    /// Away has a rule of its own, busy none; without a rule everybody keeps everything.
    async fn who_is_away_for_long_loses_its_conversations(app: TestApp) {
        let desk = app.desk().await;
        let _socket = desk.agent.socket().await;
        desk.agent.seen(true).await;
        let room = desk.open_and_claim("hello").await;
        let pending = async |why: &str| {
            requeue(&app, &desk).await;
            assert_eq!(status(&desk, &room).await, "pending", "{why}");
        };
        says(&desk.agent, "away").await;
        app.advance(600_000).await;
        pending("nobody made a rule").await;
        says(&desk.agent, "busy").await;
        decide(&desk, json!({"disconnect_requeue_seconds": 0, "away_requeue_seconds": 60})).await;
        pending("it is busy").await;
        says(&desk.agent, "away").await;
        pending("away for a moment").await;
        decide(&desk, json!({"away_requeue_seconds": null})).await;
        app.advance(61_000).await;
        pending("the rule was taken back").await;
        decide(&desk, json!({"away_requeue_seconds": 60})).await;
        waits(&desk, &room).await;
        // Saying that one is offline is being offline, connected or not.
        desk.agent.claim(&room).await;
        says(&desk.agent, "offline").await;
        waits(&desk, &room).await;
        for wrong in [json!(-1), json!(86_401), json!("60"), json!(1.5)] {
            let body = json!({"settings": {"away_requeue_seconds": wrong}});
            desk.admin.patch("/tenant", body).await.refused(422, "validation_failed");
        }
        for wrong in [json!(601), json!(-1), json!(null)] {
            let body = json!({"settings": {"presence_grace_seconds": wrong}});
            desk.admin.patch("/tenant", body).await.refused(422, "validation_failed");
        }
        let tenant = desk.agent.get("/tenant").await.ok();
        assert_eq!(tenant["settings"]["away_requeue_seconds"], 60);
        assert_eq!(desk.visitor.get("/tenant").await.ok()["settings"].get("away_requeue_seconds"), None);
    }

    /// More than one command can free: all of them go.
    async fn an_absent_agent_loses_all_of_many(app: TestApp) {
        let seed = app.seed().await;
        let mut rooms = Vec::new();
        for _ in 0..PIECE + 5 {
            let visitor = app.seed_member(seed.tenant, Role::Customer).await;
            let room = app.open_room(visitor).await;
            rooms.push(room);
        }
        let claims = rooms.iter().map(|room| claim(seed.agent, *room)).collect();
        for claimed in app.submit_all(claims).await {
            claimed.unwrap();
        }
        let desk = app.desk_of(seed);
        decide(&desk, json!({"disconnect_requeue_seconds": 0})).await;
        eventually("all wait", || async {
            let row = agent_status::table.filter(agent_status::member_id.eq(seed.agent.member)).select(agent_status::current_accept);
            (row.get_result::<i64>(&mut app.database().connect()).unwrap() == 0).then_some(())
        })
        .await;
    }
}
