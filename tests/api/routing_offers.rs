//! Offers: an agent is asked before a conversation is its own.

use serde_json::{Value, json};

use crate::harness::{Client, Desk, TestApp, eventually};
use crate::routing::{agent_of, online, route, served_by, visitor, waits};

/// The agent's offer of this conversation.
async fn offer_of(who: &Client, room: &str) -> Value {
    eventually("it is offered", || async {
        let offers = who.get("/offers").await.ok();
        offers["data"].as_array().unwrap().iter().find(|offer| offer["conversation_id"] == room).cloned()
    })
    .await
}

async fn answer(who: &Client, room: &str, what: &str) -> (u16, Value) {
    let answer = who.post(&format!("/conversations/{room}/{what}"), Value::Null).await;
    (answer.status, answer.body.clone())
}

/// Two agents with room, of whom the first is asked first; offers last half a minute.
async fn asking(desk: &Desk) {
    online(desk, &desk.agent, 5).await;
    online(desk, &desk.second_agent, 5).await;
    route(desk, json!({"strategy": "round_robin", "offer_seconds": 30, "misses_until_away": 2})).await;
}

/// Kinds of what stands behind the conversation.
async fn behind(desk: &Desk, room: &str) -> Vec<String> {
    let view = desk.admin.get(&format!("/conversations/{room}")).await.ok();
    let log = desk.admin.log(view["backstage_id"].as_str().unwrap()).await;
    log.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

on_every_database! {
    /// Offered, declined, offered to the other, accepted; each once more.
    async fn an_offer_is_declined_and_accepted(app: TestApp) {
        let desk = app.desk().await;
        asking(&desk).await;
        let mut socket = desk.agent.socket().await;
        let mut stranger = desk.admin.socket().await;
        let (customer, room) = waits(&app, &desk, json!({})).await;
        let offer = offer_of(&desk.agent, &room).await;
        let told = socket.expect("offer").await;
        assert_eq!((&told["id"], told["state"].as_str()), (&offer["id"], Some("offered")));
        assert_eq!(agent_of(&desk, &room).await, None, "it waits until it is accepted");
        // Who was not asked has nothing to answer; a customer neither, nor another tenant.
        assert_eq!(answer(&desk.second_agent, &room, "accept").await.1["code"], "offer_ended");
        assert_eq!(answer(&customer, &room, "accept").await.0, 403);
        assert_eq!(answer(&app.desk().await.agent, &room, "accept").await.0, 404);
        for _ in 0..2 {
            assert_eq!(answer(&desk.agent, &room, "decline").await.0, 200);
        }
        socket.wait("the end of the offer", |frame| frame["data"]["state"] == "declined").await;
        assert_eq!(answer(&desk.agent, &room, "accept").await.1["code"], "offer_ended");
        offer_of(&desk.second_agent, &room).await;
        for _ in 0..2 {
            let (status, view) = answer(&desk.second_agent, &room, "accept").await;
            assert_eq!((status, view["agent"]["id"].as_str()), (200, Some(desk.second_agent.id().as_str())));
        }
        assert_eq!(answer(&desk.second_agent, &room, "decline").await.1["code"], "offer_ended");
        assert_eq!(behind(&desk, &room).await, ["offered", "declined", "offered"]);
        let log = desk.admin.get(&format!("/conversations/{room}/assignments")).await.ok();
        assert_eq!((log["data"].as_array().unwrap().len(), log["data"][0]["reason"].as_str()), (1, Some("offer")));
        // The visitor reads nothing of it, and no colleague is told.
        let seen: Vec<_> = customer.log(&room).await.iter().map(|entry| entry["kind"].clone()).collect();
        assert_eq!(seen, ["opened", "assigned"]);
        stranger.barrier().await;
        assert!(stranger.take_kept().iter().all(|frame| frame["type"] != "offer"));
    }

    /// Nobody answers: the other is asked; who misses two in a row is away; what was missed cannot be accepted.
    async fn a_missed_offer_goes_on(app: TestApp) {
        let desk = app.desk().await;
        asking(&desk).await;
        let (_, room) = waits(&app, &desk, json!({})).await;
        offer_of(&desk.agent, &room).await;
        app.advance(31_000).await;
        assert_eq!(answer(&desk.agent, &room, "accept").await.1["code"], "offer_ended");
        offer_of(&desk.second_agent, &room).await;
        assert_eq!(answer(&desk.second_agent, &room, "accept").await.0, 200);
        assert_eq!(behind(&desk, &room).await, ["offered", "offer_missed", "offered"]);
        // The second miss in a row.
        desk.second_agent.put("/presence", json!({"status": "busy"})).await.ok();
        let (_, second) = waits(&app, &desk, json!({})).await;
        offer_of(&desk.agent, &second).await;
        app.advance(31_000).await;
        let away = eventually("the agent is away", || async {
            let page = desk.supervisor.get("/presence?status=away").await.ok();
            page["data"].as_array().unwrap().first().cloned()
        })
        .await;
        assert_eq!((&away["member"]["id"], away["reason"].as_str()), (&json!(desk.agent.id()), Some("missed offers")));
        // Nobody is left; whoever comes back is asked, in its turn.
        desk.second_agent.put("/presence", json!({"status": "online"})).await.ok();
        offer_of(&desk.second_agent, &second).await;
    }

    /// The only agent is asked again when its refusal is as old as an offer lasts, and not before.
    async fn a_lone_agent_is_asked_again_after_a_while(app: TestApp) {
        let desk = app.desk().await;
        online(&desk, &desk.agent, 5).await;
        route(&desk, json!({"strategy": "round_robin", "offer_seconds": 30, "misses_until_away": 0})).await;
        let (_, room) = waits(&app, &desk, json!({})).await;
        offer_of(&desk.agent, &room).await;
        assert_eq!(answer(&desk.agent, &room, "decline").await.0, 200);
        let (_, probe) = waits(&app, &desk, json!({})).await;
        offer_of(&desk.agent, &probe).await;
        let explanation = desk.admin.get(&format!("/conversations/{room}/routing/explain")).await.ok();
        let candidates = explanation["candidates"].as_array().unwrap();
        let own = candidates.iter().find(|one| one["member"]["id"] == desk.agent.id()).unwrap();
        assert_eq!(own["obstacles"], json!(["has_offer", "passed_over"]));
        assert_eq!(answer(&desk.agent, &probe, "accept").await.0, 200);
        app.advance(31_000).await;
        offer_of(&desk.agent, &room).await;
    }

    /// Whatever else becomes of the conversation or the agent ends the offer.
    async fn an_offer_that_holds_no_longer_is_withdrawn(app: TestApp) {
        let desk = app.desk().await;
        online(&desk, &desk.agent, 5).await;
        route(&desk, json!({"strategy": "least_loaded", "offer_seconds": 600})).await;
        let mut socket = desk.agent.socket().await;
        let ended = async |socket: &mut crate::harness::Socket, room: &str, state: &str| {
            let ends = |frame: &Value| frame["type"] == "offer" && frame["data"]["state"] == state;
            let frame = socket.wait("the offer's end", |frame| ends(frame) && frame["data"]["conversation_id"] == room).await;
            assert!(frame["data"]["rev"].as_i64() > Some(0));
        };
        // Somebody else claims it.
        let (_, room) = waits(&app, &desk, json!({})).await;
        offer_of(&desk.agent, &room).await;
        desk.supervisor.claim(&room).await;
        ended(&mut socket, &room, "withdrawn").await;
        let (status, problem) = answer(&desk.agent, &room, "accept").await;
        assert_eq!((status, problem["code"].as_str(), problem["context"]["status"].as_str()), (409, Some("offer_ended"), Some("pending")));
        // The agent claims it itself.
        let (_, room) = waits(&app, &desk, json!({})).await;
        offer_of(&desk.agent, &room).await;
        desk.agent.claim(&room).await;
        ended(&mut socket, &room, "accepted").await;
        assert_eq!(answer(&desk.agent, &room, "accept").await.0, 200);
        // The visitor leaves.
        let (customer, room) = waits(&app, &desk, json!({})).await;
        offer_of(&desk.agent, &room).await;
        customer.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        ended(&mut socket, &room, "withdrawn").await;
        // The agent goes away; the tenant stops routing.
        let (_, room) = waits(&app, &desk, json!({})).await;
        offer_of(&desk.agent, &room).await;
        desk.agent.put("/presence", json!({"status": "away"})).await.ok();
        ended(&mut socket, &room, "withdrawn").await;
        desk.agent.put("/presence", json!({"status": "online"})).await.ok();
        offer_of(&desk.agent, &room).await;
        route(&desk, json!({"strategy": "manual"})).await;
        let empty = eventually("no offer is left", || async {
            let offers = desk.agent.get("/offers").await.ok();
            offers["data"].as_array().unwrap().is_empty().then_some(true)
        })
        .await;
        assert!(empty);
    }

    /// Many want to answer at once: one answer holds, and the agent has one offer at a time.
    async fn answers_race(app: TestApp) {
        let desk = app.desk().await;
        online(&desk, &desk.agent, 5).await;
        route(&desk, json!({"strategy": "round_robin", "offer_seconds": 60})).await;
        let mut rooms = Vec::new();
        for _ in 0..3 {
            rooms.push(waits(&app, &desk, json!({})).await.1);
        }
        let rival = visitor(&app, &desk).await;
        let mut dealt: Vec<String> = Vec::new();
        for _ in 0..3 {
            // An offer that somebody's claim ended is listed until it is settled.
            let offers = eventually("another one is offered", || async {
                let offers = desk.agent.get("/offers").await.ok();
                let is_new = |offer: &&Value| !dealt.iter().any(|room| offer["conversation_id"] == room.as_str());
                Some(offers["data"].as_array().unwrap().clone()).filter(|offers| offers.iter().any(|one| is_new(&one)))
            })
            .await;
            assert_eq!(offers.len(), 1, "one at a time");
            let room = offers[0]["conversation_id"].as_str().unwrap().to_owned();
            dealt.push(room.clone());
            let what = ["accept", "decline", "accept", "claim", "accept"];
            let answers = futures_util::future::join_all(what.iter().map(|what| answer(&desk.agent, &room, what))).await;
            let supervisor = desk.supervisor.post(&format!("/conversations/{room}/claim"), json!({})).await;
            let accepted = answers.iter().zip(what).filter(|((status, _), what)| *status == 200 && *what != "decline").count();
            let holder = agent_of(&desk, &room).await;
            assert!(accepted > 0 || supervisor.status == 200, "{answers:?}");
            assert!(holder == Some(desk.agent.id()) || holder == Some(desk.supervisor.id()));
            assert_eq!(answer(&rival, &room, "accept").await.0, 403);
        }
        for room in rooms {
            assert!(agent_of(&desk, &room).await.is_some());
        }
        served_by(&desk, &waits_and_accept(&app, &desk).await, &desk.agent).await;
    }
}

async fn waits_and_accept(app: &TestApp, desk: &Desk) -> String {
    let (_, room) = waits(app, desk, json!({})).await;
    offer_of(&desk.agent, &room).await;
    assert_eq!(answer(&desk.agent, &room, "accept").await.0, 200);
    room
}
