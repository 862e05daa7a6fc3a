//! Routing: waiting conversations find an agent who fits and has room, whatever made that possible.

use serde_json::{Value, json};

use crate::harness::{Client, Desk, TestApp, eventually};

/// Sets how the tenant routes.
pub async fn route(desk: &Desk, routing: Value) {
    desk.admin.patch("/tenant", json!({"settings": {"routing": routing}})).await.ok();
}

/// The member is online, with a live socket until the test ends, and accepts so many.
pub async fn online(desk: &Desk, who: &Client, most: i64) {
    let mut socket = who.socket().await;
    tokio::task::spawn_local(async move { while socket.next().await.is_some() {} });
    desk.admin.patch(&format!("/members/{}", who.id()), json!({"max_accept": most})).await.ok();
    who.put("/presence", json!({"status": "online"})).await.ok();
}

/// A new visitor.
pub async fn visitor(app: &TestApp, desk: &Desk) -> Client {
    let made =
        app.client().post("/visitors", json!({"tenant": desk.slug, "nickname": "V"})).await.status(201);
    app.client().with_token(made["access_token"].as_str().unwrap())
}

/// A conversation of a new visitor, with these fields.
pub async fn waits(app: &TestApp, desk: &Desk, fields: Value) -> (Client, String) {
    let visitor = visitor(app, desk).await;
    let opened = visitor.post("/conversations", fields).await.status(201);
    let id = opened["conversation"]["id"].as_str().unwrap().to_owned();
    (visitor, id)
}

/// Who serves it now; `None` while it waits.
pub async fn agent_of(desk: &Desk, room: &str) -> Option<String> {
    let view = desk.admin.get(&format!("/conversations/{room}")).await.ok();
    view["agent"]["id"].as_str().map(str::to_owned)
}

/// Waits until this member serves it.
pub async fn served_by(desk: &Desk, room: &str, who: &Client) {
    let id = who.id();
    eventually("the agent serves it", || async {
        (agent_of(desk, room).await == Some(id.clone())).then_some(())
    })
    .await;
}

async fn explain(desk: &Desk, room: &str, query: &str) -> Value {
    desk.supervisor.get(&format!("/conversations/{room}/routing/explain{query}")).await.ok()
}

fn of<'a>(explanation: &'a Value, who: &Client) -> &'a Value {
    let candidates = explanation["candidates"].as_array().unwrap();
    candidates.iter().find(|one| one["member"]["id"] == who.id()).unwrap()
}

/// That routing has had its turn: a later conversation, which somebody gets, was given away.
async fn settled(app: &TestApp, desk: &Desk) {
    let (_, probe) = waits(app, desk, json!({"subject": "probe"})).await;
    served_by(desk, &probe, &desk.second_agent).await;
    desk.admin.post(&format!("/conversations/{probe}/close"), json!({})).await.ok();
}

on_every_database! {
    /// Every event that gives somebody room is enough: opened, closed, came online, limit raised, released, disabled.
    async fn whatever_gives_room_drains_the_queue(app: TestApp) {
        let desk = app.desk().await;
        route(&desk, json!({"strategy": "least_loaded"})).await;
        let (_, first) = waits(&app, &desk, json!({})).await;
        let (_, second) = waits(&app, &desk, json!({})).await;
        let (_, third) = waits(&app, &desk, json!({})).await;
        assert_eq!(agent_of(&desk, &first).await, None, "nobody is online");
        online(&desk, &desk.agent, 1).await;
        served_by(&desk, &first, &desk.agent).await;
        assert_eq!(agent_of(&desk, &second).await, None, "the agent accepts one");
        desk.agent.post(&format!("/conversations/{first}/close"), json!({})).await.ok();
        served_by(&desk, &second, &desk.agent).await;
        desk.admin.patch(&format!("/members/{}", desk.agent.id()), json!({"max_accept": 2})).await.ok();
        served_by(&desk, &third, &desk.agent).await;
        let log = desk.admin.get(&format!("/conversations/{third}/assignments")).await.ok();
        assert_eq!((log["data"][0]["reason"].as_str(), &log["data"][0]["assigned_by"]), (Some("routing"), &Value::Null));
        online(&desk, &desk.second_agent, 3).await;
        let (_, fourth) = waits(&app, &desk, json!({})).await;
        served_by(&desk, &fourth, &desk.second_agent).await;
        // Who gives one back is not given it again while there is somebody else.
        desk.agent.post(&format!("/conversations/{third}/release"), json!({})).await.ok();
        served_by(&desk, &third, &desk.second_agent).await;
        // Whose account is disabled serves nobody; its conversations find another one.
        desk.admin.patch(&format!("/members/{}", desk.agent.id()), json!({"status": "disabled"})).await.ok();
        served_by(&desk, &second, &desk.second_agent).await;
    }

    /// Who is away, busy, offline, full or not of the staff gets nothing; who is manual neither.
    async fn only_who_is_online_and_has_room_is_chosen(app: TestApp) {
        let desk = app.desk().await;
        route(&desk, json!({"strategy": "round_robin"})).await;
        online(&desk, &desk.second_agent, 50).await;
        for status in ["away", "busy", "offline"] {
            desk.agent.put("/presence", json!({"status": status})).await.ok();
            let (_, room) = waits(&app, &desk, json!({})).await;
            served_by(&desk, &room, &desk.second_agent).await;
        }
        online(&desk, &desk.agent, 0).await;
        let (_, room) = waits(&app, &desk, json!({})).await;
        served_by(&desk, &room, &desk.second_agent).await;
        let explanation = explain(&desk, &room, "").await;
        assert_eq!(of(&explanation, &desk.agent)["obstacles"], json!(["full"]));
        assert_eq!(of(&explanation, &desk.supervisor)["obstacles"], json!(["offline"]));
        assert_eq!(explanation["chosen"], desk.second_agent.id());
        route(&desk, json!({"strategy": "manual"})).await;
        let (_, room) = waits(&app, &desk, json!({})).await;
        let dry = explain(&desk, &room, "?strategy=longest_idle").await;
        assert_eq!((dry["chosen"].as_str(), dry["strategy"].as_str()), (Some(desk.second_agent.id().as_str()), Some("longest_idle")));
        assert_eq!(explain(&desk, &room, "").await["chosen"], Value::Null);
        desk.second_agent.claim(&room).await;
    }

    /// Round robin takes turns, least loaded evens out.
    async fn strategies_share_the_work(app: TestApp) {
        let desk = app.desk().await;
        online(&desk, &desk.agent, 40).await;
        online(&desk, &desk.second_agent, 4).await;
        route(&desk, json!({"strategy": "round_robin"})).await;
        let mut got = [0, 0];
        for _ in 0..4 {
            app.advance(1_000).await;
            let (_, room) = waits(&app, &desk, json!({})).await;
            let agent = eventually("it is served", || agent_of(&desk, &room)).await;
            got[usize::from(agent == desk.second_agent.id())] += 1;
        }
        assert_eq!(got, [2, 2], "they take turns");
        route(&desk, json!({"strategy": "least_loaded"})).await;
        for _ in 0..6 {
            let (_, room) = waits(&app, &desk, json!({})).await;
            served_by(&desk, &room, &desk.agent).await;
        }
    }

    /// Required skills are required until they are relaxed; preferred ones decide among those who fit.
    async fn skills_find_their_agent(app: TestApp) {
        let desk = app.desk().await;
        let skilled = json!({"skills": ["refunds:3", "de"]});
        desk.admin.patch(&format!("/members/{}", desk.agent.id()), skilled).await.ok();
        online(&desk, &desk.agent, 10).await;
        online(&desk, &desk.second_agent, 10).await;
        route(&desk, json!({"strategy": "least_loaded", "relax_after_seconds": 60})).await;
        for _ in 0..3 {
            let (_, room) = waits(&app, &desk, json!({"required_skills": ["Refunds:2"]})).await;
            served_by(&desk, &room, &desk.agent).await;
            let (_, room) = waits(&app, &desk, json!({"preferred_skills": ["de"]})).await;
            served_by(&desk, &room, &desk.agent).await;
        }
        let (_, hard) = waits(&app, &desk, json!({"required_skills": ["refunds:4"]})).await;
        settled(&app, &desk).await;
        assert_eq!(agent_of(&desk, &hard).await, None, "nobody has that level");
        let explanation = explain(&desk, &hard, "").await;
        assert_eq!(explanation["required_skills"], json!(["refunds:4"]));
        assert!(explanation["relaxed_at"].is_string());
        assert_eq!(of(&explanation, &desk.agent)["obstacles"], json!(["skill_missing"]));
        app.advance(61_000).await;
        served_by(&desk, &hard, &desk.agent).await;
        // The staff correct what a conversation asks for; that is told behind the scenes only.
        let (visitor, wrong) = waits(&app, &desk, json!({"required_skills": ["lawn mowing"]})).await;
        settled(&app, &desk).await;
        let changed = desk.admin.patch(&format!("/conversations/{wrong}"), json!({"required_skills": null})).await.ok();
        assert!(changed["version"].as_i64() > Some(1));
        served_by(&desk, &wrong, &desk.second_agent).await;
        let seen = visitor.log(&wrong).await;
        assert!(seen.iter().all(|entry| entry["kind"] != "skills_changed"), "{seen:?}");
        let bad = [
            (json!([""]), "/required_skills/0"),
            (json!(["x".repeat(51)]), "/required_skills/0"),
            (json!(vec!["y"; 21]), "/required_skills"),
        ];
        for (skills, pointer) in bad {
            let problem = visitor.post("/conversations", json!({"required_skills": skills})).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer);
        }
    }

    /// Who served the customer last is preferred, unless it is absent.
    async fn a_customer_meets_its_agent_again(app: TestApp) {
        let desk = app.desk().await;
        online(&desk, &desk.agent, 50).await;
        online(&desk, &desk.second_agent, 5).await;
        route(&desk, json!({"strategy": "least_loaded"})).await;
        let (visitor, room) = waits(&app, &desk, json!({})).await;
        eventually("it is served", || agent_of(&desk, &room)).await;
        let give = json!({"agent_id": desk.second_agent.id()});
        desk.supervisor.post(&format!("/conversations/{room}/assign"), give).await.ok();
        desk.second_agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        // Others keep it busier than its colleague, by share.
        for _ in 0..3 {
            let (_, room) = waits(&app, &desk, json!({})).await;
            eventually("it is served", || agent_of(&desk, &room)).await;
            let give = json!({"agent_id": desk.second_agent.id()});
            desk.supervisor.post(&format!("/conversations/{room}/assign"), give).await.ok();
        }
        let again = visitor.open("me again").await;
        served_by(&desk, &again, &desk.second_agent).await;
        desk.second_agent.post(&format!("/conversations/{again}/close"), json!({})).await.ok();
        desk.second_agent.post(&format!("/conversations/{again}/reopen"), json!({})).await.ok();
        served_by(&desk, &again, &desk.second_agent).await;
        desk.second_agent.post(&format!("/conversations/{again}/close"), json!({})).await.ok();
        desk.second_agent.put("/presence", json!({"status": "away"})).await.ok();
        let third = visitor.open("and again").await;
        served_by(&desk, &third, &desk.agent).await;
    }

    /// A group's conversation waits for the group's own people; who joins gets it, who loses its last socket gets nothing.
    async fn a_group_serves_its_own(app: TestApp) {
        let desk = app.desk().await;
        route(&desk, json!({"strategy": "round_robin"})).await;
        online(&desk, &desk.second_agent, 20).await;
        let mut groups = Vec::new();
        for name in ["Refunds", "Parcels"] {
            let made = desk.admin.post("/groups", json!({"name": name})).await.status(201);
            groups.push(made["id"].as_str().unwrap().to_owned());
        }
        let place = |group: &str, who: &Client| format!("/groups/{group}/members/{}", who.id());
        desk.admin.put(&place(&groups[1], &desk.second_agent), json!({"member_type": "member"})).await.ok();
        let (_, refund) = waits(&app, &desk, json!({"group_id": groups[0]})).await;
        let (_, parcel) = waits(&app, &desk, json!({"group_id": groups[1]})).await;
        served_by(&desk, &parcel, &desk.second_agent).await;
        assert_eq!(agent_of(&desk, &refund).await, None);
        let explanation = explain(&desk, &refund, "").await;
        assert_eq!(of(&explanation, &desk.second_agent)["obstacles"], json!(["not_in_group"]));
        let seen = desk.second_agent.get("/queue").await.ok();
        assert_eq!(seen["data"], json!([]), "another group's queue is not shown");
        let place_of = desk.admin.get("/queue").await.ok();
        assert_eq!((&place_of["data"][0]["conversation"]["id"], &place_of["data"][0]["position"]), (&json!(refund), &json!(1)));
        // Who joins the group gets what waits there.
        desk.admin.put(&place(&groups[0], &desk.second_agent), json!({"member_type": "member"})).await.ok();
        served_by(&desk, &refund, &desk.second_agent).await;
        // Who says online without a socket is not there.
        desk.agent.put("/presence", json!({"status": "online"})).await.ok();
        desk.second_agent.put("/presence", json!({"status": "away"})).await.ok();
        let (_, late) = waits(&app, &desk, json!({})).await;
        let explanation = explain(&desk, &late, "").await;
        assert_eq!(of(&explanation, &desk.agent)["obstacles"], json!(["offline"]));
        assert_eq!(agent_of(&desk, &late).await, None);
        let _socket = desk.agent.socket().await;
        served_by(&desk, &late, &desk.agent).await;
    }

    /// What nobody could ever serve is found, and why; what only waits for somebody to come is not.
    async fn stranded_conversations_are_found(app: TestApp) {
        use deskwire::queue::stranded::find;
        let desk = app.desk().await;
        let found = |app: &TestApp| {
            let now = app.clock.now().0;
            find(&mut app.database().connect(), now).unwrap()
        };
        route(&desk, json!({"strategy": "round_robin"})).await;
        let made = desk.admin.post("/groups", json!({"name": "Refunds"})).await.status(201);
        let group = made["id"].as_str().unwrap();
        waits(&app, &desk, json!({})).await;
        waits(&app, &desk, json!({"group_id": group})).await;
        assert_eq!(found(&app), [], "nobody is online, but somebody could come");
        let (_, hard) = waits(&app, &desk, json!({"required_skills": ["juggling"]})).await;
        let stranded = found(&app);
        assert_eq!(stranded.len(), 1);
        assert_eq!((stranded[0].conversation.to_string(), stranded[0].needs.required.len()), (hard, 1));
        // A claim does not ask for skills, nor does routing once they are relaxed.
        route(&desk, json!({"strategy": "manual"})).await;
        assert_eq!(found(&app), []);
        route(&desk, json!({"strategy": "round_robin", "relax_after_seconds": 60})).await;
        assert_eq!(found(&app), []);
        for who in [&desk.agent, &desk.second_agent, &desk.supervisor, &desk.admin] {
            desk.admin.patch(&format!("/members/{}", who.id()), json!({"max_accept": 0})).await.ok();
        }
        assert_eq!(found(&app).len(), 3, "nobody accepts any");
    }

    /// What waited while no process routed is found by the next one.
    async fn a_new_process_finds_who_waits(app: TestApp) {
        let desk = app.desk().await;
        online(&desk, &desk.agent, 3).await;
        let (_, room) = waits(&app, &desk, json!({})).await;
        route(&desk, json!({"strategy": "round_robin"})).await;
        let app = app.restarted(|_| {}).await;
        let admin = app.client().with_token(desk.admin.token.clone().unwrap_or_default());
        eventually("it is served", || async {
            let view = admin.get(&format!("/conversations/{room}")).await.ok();
            view["agent"]["id"].as_str().map(str::to_owned)
        })
        .await;
    }

    /// Bad settings are refused whole, and tell nothing to customers.
    async fn settings_of_routing_are_checked(app: TestApp) {
        let desk = app.desk().await;
        let bad = [
            json!({"routing": {"strategy": "magic"}}),
            json!({"routing": {"offer_seconds": 4}}),
            json!({"routing": {"offer_seconds": 601}}),
            json!({"routing": {"relax_after_seconds": -1}}),
            json!({"routing": {"misses_until_away": null}}),
            json!({"routing": {"unknown": 1}}),
            json!({"routing": null}),
            json!({"queue": {"limit": -1}}),
            json!({"queue": {"limit": "ten"}}),
            json!({"queue": {"open": null}}),
        ];
        for settings in bad {
            desk.admin.patch("/tenant", json!({"settings": settings})).await.refused(422, "validation_failed");
        }
        route(&desk, json!({"strategy": "longest_idle", "offer_seconds": 30, "relax_after_seconds": 90})).await;
        let tenant = desk.agent.get("/tenant").await.ok();
        let routing = &tenant["settings"]["routing"];
        assert_eq!((routing["strategy"].as_str(), routing["offer_seconds"].as_i64()), (Some("longest_idle"), Some(30)));
        route(&desk, json!({"offer_seconds": null})).await;
        let tenant = desk.agent.get("/tenant").await.ok();
        let routing = &tenant["settings"]["routing"];
        assert_eq!((&routing["offer_seconds"], routing["relax_after_seconds"].as_i64()), (&Value::Null, Some(90)));
        let seen = desk.visitor.get("/tenant").await.ok();
        assert!(seen["settings"].get("routing").is_none() && seen["settings"].get("queue").is_none(), "{seen}");
    }
}
