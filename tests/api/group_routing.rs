//! Groups that are routed otherwise than their tenant: what waits for them, and nothing else, follows their own strategy.

use std::time::{Duration, Instant};

use deskwire::queue::stranded;
use diesel::RunQueryDsl;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::{Client, Desk, eventually};
use crate::routing::{agent_of, online, route, served_by, waits};

/// Sets the own strategy of a group; null takes it away.
async fn strategy(desk: &Desk, group: &str, strategy: Value) -> Value {
    desk.admin.patch(&format!("/groups/{group}"), json!({"routing_strategy": strategy})).await.ok()
}

/// A group with these agents.
async fn group_of(desk: &Desk, name: &str, agents: &[&Client]) -> String {
    let group = make(desk, name).await;
    for agent in agents {
        put(&desk.admin, &group, agent, "member").await;
    }
    group
}

/// By which strategy a conversation is routed, and where that comes from.
async fn routed_by(desk: &Desk, room: &str, query: &str) -> (String, String) {
    let path = format!("/conversations/{room}/routing/explain{query}");
    let told = desk.supervisor.get(&path).await.ok();
    let word = |field: &str| told[field].as_str().unwrap().to_owned();
    (word("strategy"), word("strategy_from"))
}

fn pair(strategy: &str, from: &str) -> (String, String) {
    (strategy.to_owned(), from.to_owned())
}

on_every_database! {
    /// Where agents claim, one group is routed: its queue is drained when that is set, and nobody else's.
    async fn a_group_is_routed_where_agents_claim(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk, "Refunds", &[&desk.agent]).await;
        // Who is in no group would serve every one.
        group_of(&desk, "Parcels", &[&desk.second_agent]).await;
        online(&desk, &desk.agent, 20).await;
        online(&desk, &desk.second_agent, 20).await;
        let (_, other) = waits(&app, &desk, json!({})).await;
        let (_, first) = waits(&app, &desk, json!({"group_id": group})).await;
        assert_eq!(routed_by(&desk, &first, "").await, pair("manual", "tenant"));
        for _ in 0..2 {
            assert_eq!(strategy(&desk, &group, json!("round_robin")).await["routing_strategy"], "round_robin");
        }
        served_by(&desk, &first, &desk.agent).await;
        assert_eq!(routed_by(&desk, &first, "").await, pair("round_robin", "group"));
        assert_eq!(routed_by(&desk, &first, "?strategy=manual").await, pair("manual", "request"));
        assert_eq!(routed_by(&desk, &other, "").await, pair("manual", "tenant"));
        // What is moved or handed over to the group is routed there too.
        let (_, moved) = waits(&app, &desk, json!({})).await;
        desk.admin.patch(&format!("/conversations/{moved}"), json!({"group_id": group})).await.ok();
        served_by(&desk, &moved, &desk.agent).await;
        let (_, given) = waits(&app, &desk, json!({})).await;
        desk.second_agent.claim(&given).await;
        desk.second_agent.post(&format!("/conversations/{given}/transfer"), json!({"group_id": group})).await.ok();
        served_by(&desk, &given, &desk.agent).await;
        assert_eq!(agent_of(&desk, &other).await, None, "the rest waits for a claim");
        // The group ends: what waited for it waits as everything else does.
        desk.agent.put("/presence", json!({"status": "away"})).await.ok();
        let (_, left) = waits(&app, &desk, json!({"group_id": group})).await;
        desk.admin.delete(&format!("/groups/{group}")).await.status(204);
        assert_eq!(routed_by(&desk, &left, "").await, pair("manual", "tenant"));
    }

    /// Where the service routes, one group's agents claim: they are given everything else, and nothing of the group's.
    async fn a_group_claims_where_others_are_routed(app: TestApp) {
        let desk = app.desk().await;
        route(&desk, json!({"strategy": "least_loaded"})).await;
        let group = group_of(&desk, "Refunds", &[&desk.agent]).await;
        strategy(&desk, &group, json!("manual")).await;
        let (_, first) = waits(&app, &desk, json!({"group_id": group})).await;
        let (_, second) = waits(&app, &desk, json!({"group_id": group})).await;
        online(&desk, &desk.agent, 20).await;
        for _ in 0..3 {
            let (_, other) = waits(&app, &desk, json!({})).await;
            served_by(&desk, &other, &desk.agent).await;
        }
        assert_eq!(agent_of(&desk, &first).await, None);
        assert_eq!(routed_by(&desk, &first, "").await, pair("manual", "group"));
        desk.agent.claim(&first).await;
        desk.agent.post(&format!("/conversations/{first}/close"), json!({})).await.ok();
        let (_, other) = waits(&app, &desk, json!({})).await;
        served_by(&desk, &other, &desk.agent).await;
        assert_eq!(agent_of(&desk, &second).await, None);
        // The tenant's strategy counts again, as soon as that is said.
        assert_eq!(strategy(&desk, &group, Value::Null).await["routing_strategy"], Value::Null);
        served_by(&desk, &second, &desk.agent).await;
        assert_eq!(routed_by(&desk, &second, "").await, pair("least_loaded", "tenant"));
    }

    /// What is offered when the group turns to claims is offered no longer, and counts as no miss.
    async fn offers_end_with_the_strategy(app: TestApp) {
        let desk = app.desk().await;
        route(&desk, json!({"offer_seconds": 30, "misses_until_away": 1})).await;
        let group = group_of(&desk, "Refunds", &[&desk.agent]).await;
        strategy(&desk, &group, json!("round_robin")).await;
        online(&desk, &desk.agent, 20).await;
        let offers = || async { desk.agent.get("/offers").await.ok()["data"].as_array().unwrap().len() };
        for tenant in ["manual", "round_robin"] {
            route(&desk, json!({"strategy": tenant})).await;
            let (_, room) = waits(&app, &desk, json!({"group_id": group})).await;
            eventually("it is offered", || async { (offers().await == 1).then_some(()) }).await;
            strategy(&desk, &group, json!("manual")).await;
            eventually("it is not offered any more", || async { (offers().await == 0).then_some(()) }).await;
            let accept = format!("/conversations/{room}/accept");
            desk.agent.post(&accept, Value::Null).await.refused(409, "offer_ended");
            desk.agent.claim(&room).await;
            strategy(&desk, &group, json!("longest_idle")).await;
        }
        let page = desk.admin.get("/presence?limit=200").await.ok();
        let rows = page["data"].as_array().unwrap();
        let row = rows.iter().find(|row| row["member"]["id"] == desk.agent.id()).unwrap();
        assert_eq!(row["status"], "online");
    }

    /// The customer of a group that is routed meets its agent again, also where the tenant's agents claim.
    async fn the_last_agent_counts_in_the_group(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk, "Refunds", &[&desk.agent, &desk.second_agent]).await;
        strategy(&desk, &group, json!("least_loaded")).await;
        online(&desk, &desk.agent, 50).await;
        online(&desk, &desk.second_agent, 5).await;
        let (visitor, room) = waits(&app, &desk, json!({"group_id": group})).await;
        eventually("it is served", || agent_of(&desk, &room)).await;
        let give = json!({"agent_id": desk.second_agent.id()});
        desk.admin.post(&format!("/conversations/{room}/assign"), give.clone()).await.ok();
        desk.second_agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        let (_, busy) = waits(&app, &desk, json!({"group_id": group})).await;
        eventually("it is served", || agent_of(&desk, &busy)).await;
        desk.admin.post(&format!("/conversations/{busy}/assign"), give).await.ok();
        let again = visitor.post("/conversations", json!({"group_id": group})).await.status(201);
        let again = again["conversation"]["id"].as_str().unwrap();
        served_by(&desk, again, &desk.second_agent).await;
        desk.second_agent.post(&format!("/conversations/{again}/close"), json!({})).await.ok();
        desk.second_agent.post(&format!("/conversations/{again}/reopen"), json!({})).await.ok();
        served_by(&desk, again, &desk.second_agent).await;
    }

    /// A process that nobody told finds what a group's strategy lets be given away.
    async fn the_sweep_knows_the_groups(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk, "Refunds", &[&desk.agent]).await;
        online(&desk, &desk.agent, 3).await;
        let (_, room) = waits(&app, &desk, json!({"group_id": group})).await;
        // What was committed until now is looked at before the strategy is there.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let set = format!("UPDATE chat_group SET routing_strategy = 'round_robin' WHERE id = {group}");
        diesel::sql_query(set).execute(&mut app.database().connect()).unwrap();
        served_by(&desk, &room, &desk.agent).await;
    }

    /// A change of the strategy wakes the routing: nobody waits for the sweep, which comes once a second.
    async fn a_new_strategy_wakes_the_routing(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk, "Refunds", &[&desk.agent]).await;
        online(&desk, &desk.agent, 50).await;
        // After each sweep that gives something away the next one is a second off; a slow machine gets many tries.
        for round in 0..20 {
            strategy(&desk, &group, Value::Null).await;
            let (_, room) = waits(&app, &desk, json!({"group_id": group})).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            strategy(&desk, &group, json!("round_robin")).await;
            let since = Instant::now();
            served_by(&desk, &room, &desk.agent).await;
            if round > 0 && since.elapsed() < Duration::from_millis(300) {
                return;
            }
        }
        panic!("only the sweep finds what a group's new strategy gives away");
    }

    /// Skills that nobody has strand a conversation only where its own strategy asks for them.
    async fn only_what_the_groups_strategy_leaves_is_stranded(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk, "Refunds", &[&desk.agent]).await;
        let wanted = json!({"group_id": group, "required_skills": ["juggling"]});
        let (_, room) = waits(&app, &desk, wanted).await;
        let found = || {
            let found = stranded::find(&mut app.database().connect(), app.clock.now().0).unwrap();
            found.iter().map(|one| one.conversation.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found(), Vec::<String>::new(), "agents claim");
        strategy(&desk, &group, json!("round_robin")).await;
        assert_eq!(found(), [room]);
        route(&desk, json!({"strategy": "round_robin"})).await;
        strategy(&desk, &group, json!("manual")).await;
        assert_eq!(found(), Vec::<String>::new(), "the group's agents claim");
    }

    /// What is no strategy is refused; absent and null are not the same; another tenant has no say.
    async fn strategies_of_groups_are_checked(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let body = json!({"name": "Refunds", "routing_strategy": "longest_idle"});
        let made = desk.admin.post("/groups", body).await.status(201);
        assert_eq!(made["routing_strategy"], "longest_idle");
        let path = format!("/groups/{}", made["id"].as_str().unwrap());
        for wrong in [json!("magic"), json!(""), json!(1), json!({"strategy": "manual"})] {
            let body = json!({"name": "Else", "routing_strategy": wrong});
            desk.admin.post("/groups", body.clone()).await.refused(422, "validation_failed");
            desk.admin.patch(&path, body).await.refused(422, "validation_failed");
        }
        let body = json!({"routing_strategy": "manual"});
        desk.supervisor.patch(&path, body.clone()).await.refused(403, "forbidden");
        other.admin.patch(&path, body).await.refused(404, "not_found");
        assert_eq!(desk.agent.get(&path).await.ok(), made);
        app.advance(1_000).await;
        assert_eq!(desk.admin.patch(&path, json!({"routing_strategy": "longest_idle"})).await.ok(), made);
        let named = desk.admin.patch(&path, json!({"name": "Returns"})).await.ok();
        assert_eq!(named["routing_strategy"], "longest_idle", "absent: it stays");
        let listed = desk.agent.get("/groups").await.ok();
        assert_eq!(listed["data"][0], named);
        let nothing = desk.admin.patch(&path, json!({"routing_strategy": null})).await.ok();
        assert_eq!((&nothing["routing_strategy"], nothing["name"].as_str()), (&Value::Null, Some("Returns")));
        let made = desk.admin.post("/groups", json!({"name": "Else", "routing_strategy": null})).await.status(201);
        assert_eq!(made["routing_strategy"], Value::Null);
    }
}
