//! P6, the second half: nobody serves more conversations than it accepts, unless its tenant allows that.

use deskwire::sync::verify;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::harness::{Client, Desk, TestApp};

/// The agent accepts so many.
async fn accepts(desk: &Desk, who: &Client, most: i64) {
    desk.admin.patch(&format!("/members/{}", who.id()), json!({"max_accept": most})).await.ok();
}

/// How many conversations this member serves, as a colleague sees it.
async fn served(desk: &Desk, who: &Client) -> i64 {
    let page = desk.supervisor.get("/presence?limit=200").await.ok();
    let rows = page["data"].as_array().unwrap();
    rows.iter().find(|row| row["member"]["id"] == who.id()).unwrap()["current_accept"].as_i64().unwrap()
}

/// Waiting conversations, each of a visitor of its own.
async fn waiting(app: &TestApp, desk: &Desk, number: usize) -> Vec<String> {
    let mut conversations = Vec::new();
    for index in 0..number {
        let body = json!({"tenant": desk.slug, "nickname": format!("Visitor {index}")});
        let made = app.client().post("/visitors", body).await.status(201);
        let visitor = app.client().with_token(made["access_token"].as_str().unwrap());
        conversations.push(visitor.open("hello").await);
    }
    conversations
}

async fn claim(who: &Client, conversation: &str) -> (u16, Value) {
    let answer = who.post(&format!("/conversations/{conversation}/claim"), json!({})).await;
    (answer.status, answer.body.clone())
}

/// What is kept equals what is counted.
fn exact(app: &TestApp) {
    let report = verify::recompute_all(&mut app.database().connect(), None).unwrap();
    assert_eq!(report.drift, 0, "{report:?}");
}

on_every_database! {
    /// A claim above the limit is refused with the numbers; what frees a place makes it possible.
    async fn a_full_agent_claims_nothing(app: TestApp) {
        let desk = app.desk().await;
        accepts(&desk, &desk.agent, 2).await;
        let rooms = waiting(&app, &desk, 4).await;
        for room in &rooms[..2] {
            desk.agent.claim(room).await;
        }
        let (status, problem) = claim(&desk.agent, &rooms[2]).await;
        assert_eq!((status, problem["code"].as_str()), (409, Some("agent_full")));
        let context = &problem["context"];
        assert_eq!((context["current_accept"].as_i64(), context["max_accept"].as_i64()), (Some(2), Some(2)));
        assert_eq!(context["agent_id"], desk.agent.id());
        // Claiming again what one holds takes nothing more, also when one is full.
        desk.agent.claim(&rooms[0]).await;
        assert_eq!(served(&desk, &desk.agent).await, 2);
        // Each way in which a conversation leaves its agent frees one place.
        let path = |what: &str| format!("/conversations/{}/{what}", rooms[0]);
        desk.agent.post(&path("release"), json!({})).await.ok();
        desk.agent.post(&path("release"), json!({})).await.ok();
        assert_eq!(served(&desk, &desk.agent).await, 1);
        desk.agent.claim(&rooms[0]).await;
        desk.agent.post(&path("close"), json!({})).await.ok();
        desk.agent.post(&path("close"), json!({})).await.ok();
        assert_eq!(served(&desk, &desk.agent).await, 1);
        desk.agent.post(&path("reopen"), json!({})).await.ok();
        assert_eq!(served(&desk, &desk.agent).await, 1);
        desk.agent.claim(&rooms[2]).await;
        assert_eq!(claim(&desk.agent, &rooms[0]).await.1["code"], "agent_full");
        let give = json!({"agent_id": desk.second_agent.id()});
        desk.supervisor.post(&format!("/conversations/{}/assign", rooms[2]), give.clone()).await.ok();
        desk.supervisor.post(&format!("/conversations/{}/assign", rooms[2]), give).await.ok();
        assert_eq!((served(&desk, &desk.agent).await, served(&desk, &desk.second_agent).await), (1, 1));
        exact(&app);
    }

    /// Claims and assignments have a switch each; a lowered limit takes nothing away.
    async fn a_tenant_may_allow_more(app: TestApp) {
        let desk = app.desk().await;
        let rooms = waiting(&app, &desk, 4).await;
        accepts(&desk, &desk.agent, 1).await;
        desk.agent.claim(&rooms[0]).await;
        let give = json!({"agent_id": desk.agent.id()});
        let assign = |room: &str| {
            let (who, path, give) = (desk.supervisor.clone(), format!("/conversations/{room}/assign"), give.clone());
            async move { who.post(&path, give).await }
        };
        assign(&rooms[1]).await.refused(409, "agent_full");
        let allow = |claim, assign| {
            json!({"settings": {"claim_above_max_accept": claim, "assign_above_max_accept": assign}})
        };
        let tenant = desk.admin.patch("/tenant", allow(false, true)).await.ok();
        assert_eq!(tenant["settings"]["assign_above_max_accept"], true);
        assign(&rooms[1]).await.ok();
        assert_eq!(claim(&desk.agent, &rooms[2]).await.1["code"], "agent_full");
        desk.admin.patch("/tenant", allow(true, false)).await.ok();
        desk.agent.claim(&rooms[2]).await;
        assign(&rooms[3]).await.refused(409, "agent_full");
        assert_eq!(served(&desk, &desk.agent).await, 3);
        desk.admin.patch("/tenant", allow(false, false)).await.ok();
        accepts(&desk, &desk.agent, 0).await;
        assert_eq!(served(&desk, &desk.agent).await, 3);
        // Nobody is full by being asked for what it has.
        assign(&rooms[1]).await.ok();
        for wrong in [json!("yes"), json!(null), json!(1)] {
            let body = json!({"settings": {"claim_above_max_accept": wrong}});
            desk.admin.patch("/tenant", body).await.refused(422, "validation_failed");
        }
        exact(&app);
    }

    /// Who is disabled serves nothing and is offline; its conversations wait again.
    async fn who_is_disabled_serves_nothing(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        desk.agent.put("/presence", json!({"status": "online"})).await.ok();
        let member = format!("/members/{}", desk.agent.id());
        desk.admin.patch(&member, json!({"status": "disabled"})).await.ok();
        assert_eq!(desk.supervisor.get(&format!("/conversations/{room}")).await.ok()["status"], "open");
        let page = desk.supervisor.get("/presence?limit=200").await.ok();
        assert!(!page["data"].as_array().unwrap().iter().any(|row| row["member"]["id"] == desk.agent.id()));
        desk.admin.patch(&member, json!({"status": "enabled"})).await.ok();
        let row = desk.supervisor.get("/presence?status=offline").await.ok();
        let row = row["data"].as_array().unwrap().iter().find(|row| row["member"]["id"] == desk.agent.id());
        assert_eq!(row.expect("it is offline")["current_accept"], 0);
        exact(&app);
    }

    /// The migration that began to keep the numbers counted what was served already.
    async fn what_was_served_before_is_counted(app: TestApp) {
        let desk = app.desk().await;
        let rooms = waiting(&app, &desk, 3).await;
        for room in &rooms {
            desk.agent.claim(room).await;
        }
        desk.agent.post(&format!("/conversations/{}/close", rooms[0]), json!({})).await.ok();
        let folder = format!("{}/migrations/{}", env!("CARGO_MANIFEST_DIR"), app.kind().name());
        let up = std::fs::read_to_string(format!("{folder}/2026-11-28-000001_agent_status/up.sql")).unwrap();
        let count = up.split_inclusive(';').find(|one| one.contains("INSERT INTO agent_status")).unwrap();
        let mut connection = app.database().connect();
        connection.batch_execute("DELETE FROM agent_status").unwrap();
        connection.batch_execute(count).unwrap();
        assert_eq!(served(&desk, &desk.agent).await, 2);
        exact(&app);
    }

    /// Many claim and are given conversations at once, by two processes where there can be two: never one too many,
    /// none for two agents, and every number is exact when it is quiet.
    async fn no_race_takes_anybody_above_the_limit(app: TestApp) {
        let desk = app.desk().await;
        let (agents, most) = ([&desk.agent, &desk.second_agent], 3);
        for agent in agents {
            accepts(&desk, agent, most).await;
        }
        let rooms = waiting(&app, &desk, 12).await;
        let there = match app.kind().is_server() {
            true => app.second().await,
            false => app.clone(),
        };
        let elsewhere = |client: &Client| there.client_of(client.actor.unwrap());
        for round in 0..3 {
            let tries = rooms.iter().flat_map(|room| {
                let claims = agents.into_iter().flat_map(move |agent| {
                    [agent.clone(), elsewhere(agent)].map(|who| (who, format!("/conversations/{room}/claim"), json!({})))
                });
                let give = json!({"agent_id": desk.agent.id()});
                claims.chain([(elsewhere(&desk.supervisor), format!("/conversations/{room}/assign"), give)])
            });
            let answers = futures_util::future::join_all(
                tries.map(|(who, path, body)| async move { who.post(&path, body).await.status }),
            )
            .await;
            assert!(answers.iter().all(|status| [200, 404, 409].contains(status)), "{answers:?}");
            for agent in agents {
                assert!(served(&desk, agent).await <= most, "round {round}");
            }
            exact(&app);
            let frees = rooms.iter().map(|room| {
                let path = format!("/conversations/{room}/release");
                let who = if room.ends_with(['1', '3', '5']) { elsewhere(&desk.supervisor) } else { desk.supervisor.clone() };
                async move { who.post(&path, json!({})).await.status }
            });
            let freed = futures_util::future::join_all(frees).await;
            assert!(freed.iter().all(|status| *status == 200), "{freed:?}");
            for agent in agents {
                assert_eq!(served(&desk, agent).await, 0);
            }
        }
        exact(&app);
    }
}
