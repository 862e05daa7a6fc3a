//! Offered transfers: who serves a conversation keeps it until the one who is asked accepts.

use std::pin::Pin;

use deskwire::sync::verify;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::{Answer, Client, Desk, Socket, TestApp, eventually};
use crate::routing::{agent_of, online, route, waits};

/// Asks somebody to take it.
async fn ask(by: &Client, room: &str, whom: &Client) -> Answer {
    let body =
        json!({"agent_id": whom.id(), "mode": "offer", "reason": "escalation", "note": "a canary complains"});
    by.post(&format!("/conversations/{room}/transfer"), body).await
}

async fn push(by: &Client, room: &str, to: &Client) -> Answer {
    by.post(&format!("/conversations/{room}/transfer"), json!({"agent_id": to.id()})).await
}

async fn take_back(by: &Client, room: &str) -> Answer {
    by.delete(&format!("/conversations/{room}/transfer")).await
}

async fn answer(who: &Client, room: &str, what: &str) -> Answer {
    who.post(&format!("/conversations/{room}/{what}"), Value::Null).await
}

async fn offers(who: &Client, query: &str) -> Vec<Value> {
    who.get(&format!("/offers{query}")).await.ok()["data"].as_array().unwrap().clone()
}

/// Waits until the conversation is offered to nobody; the offers are settled behind the command that ended them.
async fn settled(who: &Client, room: &str) {
    eventually("the offer has ended", || async {
        let left = offers(who, "").await;
        left.iter().all(|offer| offer["conversation_id"] != room).then_some(())
    })
    .await;
}

/// Kinds of what stands behind the conversation.
async fn behind(desk: &Desk, room: &str) -> Vec<String> {
    let view = desk.admin.get(&format!("/conversations/{room}")).await.ok();
    let log = desk.admin.log(view["backstage_id"].as_str().unwrap()).await;
    log.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

async fn serves(desk: &Desk, who: &Client) -> i64 {
    let page = desk.admin.get("/presence").await.ok();
    let row = page["data"].as_array().unwrap().iter().find(|row| row["member"]["id"] == who.id()).cloned();
    row.map_or(0, |row| row["current_accept"].as_i64().unwrap())
}

async fn list(desk: &Desk, room: &str, what: &str) -> Vec<Value> {
    desk.admin.get(&format!("/conversations/{room}/{what}")).await.ok()["data"].as_array().unwrap().clone()
}

/// The first agent serves a conversation, and the second is there.
async fn served(desk: &Desk) -> String {
    online(desk, &desk.second_agent, 5).await;
    desk.second_agent.seen(true).await;
    desk.open_and_claim("hello").await
}

async fn told(socket: &mut Socket, room: &str, state: &str) -> Value {
    let fits = |frame: &Value| {
        frame["type"] == "offer"
            && frame["data"]["state"] == state
            && frame["data"]["conversation_id"] == room
    };
    socket.wait(&format!("an offer that is {state}"), fits).await["data"].clone()
}

fn exact(app: &TestApp) {
    let report = verify::recompute_all(&mut app.database().connect(), None).unwrap();
    assert_eq!(report.drift, 0, "{report:?}");
}

on_every_database! {
    /// Who serves it keeps it until the other accepts; then it is a transfer, with its reason and by whose hand. Both at
    /// once and again: one transfer.
    async fn an_agent_accepts_what_a_colleague_offers(app: TestApp) {
        let desk = app.desk().await;
        let room = served(&desk).await;
        let (mut giver, mut receiver) = (desk.agent.socket().await, desk.second_agent.socket().await);
        let view = ask(&desk.agent, &room, &desk.second_agent).await.ok();
        assert_eq!((&view["status"], &view["agent"]["id"]), (&json!("pending"), &json!(desk.agent.id())));
        let offer = told(&mut receiver, &room, "offered").await;
        for (field, value) in [("from_agent_id", json!(desk.agent.id())), ("reason", json!("escalation")), ("note", json!("a canary complains"))] {
            assert_eq!(offer[field], value, "{field}");
            assert_eq!(offers(&desk.second_agent, "").await[0][field], value, "{field}");
        }
        giver.wait("that it is offered", |frame| frame["data"]["kind"] == "offered").await;
        assert_eq!(offers(&desk.agent, "?made=true").await[0]["id"], offer["id"]);
        assert_eq!(offers(&desk.agent, "").await, Vec::<Value>::new());
        assert_eq!((serves(&desk, &desk.agent).await, serves(&desk, &desk.second_agent).await), (1, 0), "nothing is reserved");
        // Twice in a row it is the same offer.
        assert_eq!(ask(&desk.agent, &room, &desk.second_agent).await.ok()["version"], view["version"]);
        // Who was not asked has nothing to answer.
        for (who, status) in [(&desk.agent, 409), (&desk.supervisor, 409), (&desk.visitor, 403), (&app.desk().await.agent, 404)] {
            assert_eq!(answer(who, &room, "accept").await.status, status);
            assert_eq!(answer(who, &room, "decline").await.status, status);
        }
        let (one, two) = futures_util::join!(answer(&desk.second_agent, &room, "accept"), answer(&desk.second_agent, &room, "accept"));
        for view in [one.ok(), two.ok(), answer(&desk.second_agent, &room, "accept").await.ok()] {
            assert_eq!(view["agent"]["id"], desk.second_agent.id());
        }
        told(&mut receiver, &room, "accepted").await;
        giver.wait("the end", |frame| frame["type"] == "reset").await;
        assert_eq!((serves(&desk, &desk.agent).await, serves(&desk, &desk.second_agent).await), (0, 1));
        assert_eq!(behind(&desk, &room).await, ["offered", "remark", "remark"]);
        let assignments = list(&desk, &room, "assignments").await;
        assert_eq!((assignments.len(), &assignments[1]["reason"]), (2, &json!("transfer")));
        assert_eq!(assignments[1]["from_agent"]["id"], desk.agent.id());
        let transfers = list(&desk, &room, "transfers").await;
        assert_eq!((transfers.len(), &transfers[0]["reason"]), (1, &json!("escalation")));
        assert_eq!(transfers[0]["transferred_by"]["id"], desk.agent.id());
        assert!(!json!(desk.visitor.log(&room).await).to_string().contains("canary"));
        // Not straight back, by an offer neither.
        online(&desk, &desk.agent, 5).await;
        desk.agent.seen(true).await;
        ask(&desk.second_agent, &room, &desk.agent).await.refused(409, "transfer_loop");
        exact(&app);
    }

    /// It stays where it was, and who serves it is told; another may be asked then, one at a time; an offer is taken back.
    async fn what_is_declined_or_taken_back_stays(app: TestApp) {
        let desk = app.desk().await;
        let room = served(&desk).await;
        online(&desk, &desk.supervisor, 5).await;
        desk.supervisor.seen(true).await;
        let (mut giver, mut receiver) = (desk.agent.socket().await, desk.second_agent.socket().await);
        take_back(&desk.agent, &room).await.ok();
        ask(&desk.agent, &room, &desk.second_agent).await.ok();
        for _ in 0..2 {
            answer(&desk.second_agent, &room, "decline").await.ok();
        }
        told(&mut receiver, &room, "declined").await;
        giver.wait("that it is declined", |frame| frame["data"]["kind"] == "declined").await;
        answer(&desk.second_agent, &room, "accept").await.refused(409, "offer_ended");
        assert_eq!(agent_of(&desk, &room).await, Some(desk.agent.id()));
        // Asked again, and nobody else meanwhile.
        ask(&desk.agent, &room, &desk.second_agent).await.ok();
        let problem = ask(&desk.agent, &room, &desk.supervisor).await.refused(409, "offer_pending");
        let open = &offers(&desk.second_agent, "").await[0];
        assert_eq!(problem["context"], json!({"agent_id": desk.second_agent.id(), "expires_at": open["expires_at"]}));
        take_back(&desk.second_agent, &room).await.refused(404, "not_found");
        take_back(&desk.visitor, &room).await.refused(403, "forbidden");
        take_back(&app.desk().await.admin, &room).await.refused(404, "not_found");
        let version = take_back(&desk.agent, &room).await.ok()["version"].clone();
        assert_eq!(take_back(&desk.agent, &room).await.ok()["version"], version, "nothing is offered");
        told(&mut receiver, &room, "withdrawn").await;
        giver.wait("that it is withdrawn", |frame| frame["data"]["kind"] == "offer_withdrawn").await;
        answer(&desk.second_agent, &room, "accept").await.refused(409, "offer_ended");
        // A supervisor offers what another serves, and takes it back.
        ask(&desk.admin, &room, &desk.supervisor).await.ok();
        assert_eq!(offers(&desk.admin, "?made=true").await.len(), 1);
        take_back(&desk.admin, &room).await.ok();
        assert_eq!(list(&desk, &room, "transfers").await, Vec::<Value>::new(), "nothing was transferred");
        exact(&app);
    }

    /// Nobody answers: it stays, the staff behind it are told, and nobody is set to away for it.
    async fn a_missed_one_costs_nothing(app: TestApp) {
        let desk = app.desk().await;
        let room = served(&desk).await;
        let mut giver = desk.agent.socket().await;
        route(&desk, json!({"misses_until_away": 1})).await;
        ask(&desk.agent, &room, &desk.second_agent).await.ok();
        app.advance(59_000).await;
        assert_eq!(offers(&desk.second_agent, "").await.len(), 1, "a minute where routing makes no offers");
        app.advance(1_000).await;
        answer(&desk.second_agent, &room, "accept").await.refused(409, "offer_ended");
        giver.wait("that it was missed", |frame| frame["data"]["kind"] == "offer_missed").await;
        assert_eq!(agent_of(&desk, &room).await, Some(desk.agent.id()));
        let away = desk.admin.get("/presence?status=away").await.ok();
        assert_eq!(away["data"], json!([]));
        // As long as routing asks, where it asks.
        route(&desk, json!({"strategy": "round_robin", "offer_seconds": 30})).await;
        ask(&desk.agent, &room, &desk.second_agent).await.ok();
        app.advance(31_000).await;
        answer(&desk.second_agent, &room, "accept").await.refused(409, "offer_ended");
        settled(&desk.second_agent, &room).await;
    }

    /// Whatever else becomes of the conversation ends the offer, and never has it two owners.
    async fn the_conversation_goes_another_way(app: TestApp) {
        let desk = app.desk().await;
        let room = served(&desk).await;
        desk.admin.patch("/tenant", json!({"settings": {"transfer_limit": 100}})).await.ok();
        online(&desk, &desk.supervisor, 5).await;
        let path = format!("/conversations/{room}");
        for (way, body) in [
            ("release", json!({})),
            ("close", json!({})),
            ("take_over", json!({})),
            ("assign", json!({"agent_id": desk.supervisor.id()})),
            ("transfer", json!({"agent_id": desk.supervisor.id()})),
        ] {
            ask(&desk.agent, &room, &desk.second_agent).await.ok();
            desk.admin.post(&format!("{path}/{way}"), body).await.ok();
            let (status, holder) = (desk.admin.get(&path).await.ok()["status"].clone(), agent_of(&desk, &room).await);
            let problem = answer(&desk.second_agent, &room, "accept").await.refused(409, "offer_ended");
            assert_eq!(problem["context"]["status"], status, "{way}");
            assert_eq!(agent_of(&desk, &room).await, holder, "{way}");
            // Back with the agent before the offer may have been settled: it is another term of service.
            if way == "close" {
                desk.admin.post(&format!("{path}/reopen"), json!({})).await.ok();
            }
            app.advance(1).await;
            desk.admin.post(&format!("{path}/assign"), json!({"agent_id": desk.agent.id()})).await.ok();
            answer(&desk.second_agent, &room, "accept").await.refused(409, "offer_ended");
            exact(&app);
        }
        // The one who is asked gets it another way: it has accepted.
        let mut receiver = desk.second_agent.socket().await;
        ask(&desk.agent, &room, &desk.second_agent).await.ok();
        push(&desk.agent, &room, &desk.second_agent).await.ok();
        told(&mut receiver, &room, "accepted").await;
        answer(&desk.second_agent, &room, "accept").await.ok();
        exact(&app);
    }

    /// Who is asked goes, is disabled, or has no room any more: it stays, and who serves it is told.
    async fn who_is_asked_goes(app: TestApp) {
        let desk = app.desk().await;
        let room = served(&desk).await;
        let mut giver = desk.agent.socket().await;
        let member = format!("/members/{}", desk.second_agent.id());
        for change in ["away", "offline", "limit", "full", "disabled"] {
            ask(&desk.agent, &room, &desk.second_agent).await.ok();
            giver.wait("that it is offered", |frame| frame["data"]["kind"] == "offered").await;
            match change {
                "limit" => desk.admin.patch(&member, json!({"max_accept": 0})).await.ok(),
                "full" => {
                    desk.admin.patch(&member, json!({"max_accept": 1})).await.ok();
                    let (_, other) = waits(&app, &desk, json!({})).await;
                    desk.second_agent.claim(&other).await
                }
                "disabled" => desk.admin.patch(&member, json!({"status": "disabled"})).await.ok(),
                status => desk.second_agent.put("/presence", json!({"status": status})).await.ok(),
            };
            giver.wait(change, |frame| frame["data"]["kind"] == "offer_withdrawn").await;
            let late = answer(&desk.second_agent, &room, "accept").await;
            assert!([401, 403, 409].contains(&late.status), "{change}: {late:?}");
            assert_eq!(agent_of(&desk, &room).await, Some(desk.agent.id()), "{change}");
            if change != "disabled" {
                desk.admin.patch(&member, json!({"max_accept": 5})).await.ok();
                desk.second_agent.put("/presence", json!({"status": "busy"})).await.ok();
            }
        }
        exact(&app);
    }

    /// To oneself, to the absent, the full and the foreign, to a group, and of what nobody serves.
    async fn what_is_not_offered(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = served(&desk).await;
        for nobody in [&desk.agent, &desk.visitor, &other.agent] {
            ask(&desk.agent, &room, nobody).await.refused(422, "validation_failed");
        }
        let billing = make(&desk, "Billing").await;
        for (wrong, pointer) in [
            (json!({"group_id": billing, "mode": "offer"}), "/mode"),
            (json!({"agent_id": desk.second_agent.id(), "mode": "beg"}), "/mode"),
        ] {
            let problem = desk.agent.post(&format!("/conversations/{room}/transfer"), wrong).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer);
        }
        // The absent are not asked, by supervisors neither.
        for who in [&desk.agent, &desk.admin] {
            ask(who, &room, &desk.supervisor).await.refused(409, "agent_absent");
        }
        ask(&desk.supervisor, &room, &desk.agent).await.ok();
        assert_eq!(offers(&desk.agent, "").await, Vec::<Value>::new(), "who serves it has it already");
        desk.admin.patch(&format!("/members/{}", desk.second_agent.id()), json!({"max_accept": 0})).await.ok();
        ask(&desk.agent, &room, &desk.second_agent).await.refused(409, "agent_full");
        desk.admin.patch("/tenant", json!({"settings": {"transfer_above_max_accept": true, "transfer_limit": 0}})).await.ok();
        ask(&desk.agent, &room, &desk.second_agent).await.refused(409, "transfer_loop");
        desk.admin.patch("/tenant", json!({"settings": {"transfer_limit": 5}})).await.ok();
        ask(&desk.visitor, &room, &desk.second_agent).await.refused(403, "forbidden");
        ask(&other.admin, &room, &other.agent).await.refused(404, "not_found");
        desk.agent.post(&format!("/conversations/{room}/members"), json!({"member_id": desk.admin.id()})).await.ok();
        ask(&desk.agent, &room, &desk.second_agent).await.ok();
        answer(&desk.second_agent, &room, "accept").await.ok();
        // Where a whole group serves, there is nobody who could hand it over when it is accepted.
        put(&desk.admin, &billing, &desk.agent, "member").await;
        desk.admin.post(&format!("/conversations/{room}/dock"), json!({"group_id": billing})).await.ok();
        ask(&desk.admin, &room, &desk.second_agent).await.refused(409, "invalid_transition");
        let waiting = desk.second_visitor.open("hello").await;
        ask(&desk.admin, &waiting, &desk.second_agent).await.refused(409, "invalid_transition");
        exact(&app);
    }

    /// Who does not see the group's conversation may still take it; what a colleague offers keeps nobody from what waits.
    async fn a_colleague_is_asked_beside_routing(app: TestApp) {
        let desk = app.desk().await;
        let (parcels, billing) = (make(&desk, "Parcels").await, make(&desk, "Billing").await);
        put(&desk.admin, &parcels, &desk.agent, "member").await;
        put(&desk.admin, &billing, &desk.second_agent, "member").await;
        let room = served(&desk).await;
        desk.agent.patch(&format!("/conversations/{room}"), json!({"group_id": parcels})).await.ok();
        ask(&desk.agent, &room, &desk.second_agent).await.ok();
        let (_, queued) = waits(&app, &desk, json!({})).await;
        let explained = desk.admin.get(&format!("/conversations/{queued}/routing/explain?strategy=round_robin")).await.ok();
        assert_eq!(explained["chosen"], desk.second_agent.id());
        route(&desk, json!({"strategy": "round_robin", "offer_seconds": 60})).await;
        eventually("routing asks too", || async { (offers(&desk.second_agent, "").await.len() == 2).then_some(()) }).await;
        desk.second_agent.get(&format!("/conversations/{room}")).await.refused(404, "not_found");
        answer(&desk.second_agent, &room, "accept").await.ok();
        answer(&desk.second_agent, &queued, "accept").await.ok();
        assert_eq!(serves(&desk, &desk.second_agent).await, 2);
        desk.second_agent.get(&format!("/conversations/{room}")).await.ok();
        let reasons: Vec<Value> = [list(&desk, &room, "assignments").await, list(&desk, &queued, "assignments").await]
            .iter()
            .map(|rows| rows.last().unwrap()["reason"].clone())
            .collect();
        assert_eq!(reasons, ["transfer", "offer"]);
        exact(&app);
    }

    /// The answer and the withdrawal are done at the version that they are based on only.
    async fn answers_are_based_on_a_version(app: TestApp) {
        let desk = app.desk().await;
        let room = served(&desk).await;
        let based = async |who: &Client, method: reqwest::Method, way: &str, version: i64| {
            let request = who.request(method, &format!("/conversations/{room}/{way}"));
            Answer::of(request.header("if-match", format!("\"{version}\""))).await
        };
        let (post, delete) = (reqwest::Method::POST, reqwest::Method::DELETE);
        let version = ask(&desk.agent, &room, &desk.second_agent).await.ok()["version"].as_i64().unwrap();
        based(&desk.agent, delete.clone(), "transfer", version - 1).await.refused(412, "version_mismatch");
        based(&desk.second_agent, post.clone(), "accept", version - 1).await.refused(412, "version_mismatch");
        based(&desk.agent, delete, "transfer", version).await.ok();
        let version = ask(&desk.agent, &room, &desk.second_agent).await.ok()["version"].as_i64().unwrap();
        based(&desk.second_agent, post.clone(), "accept", version).await.ok();
        based(&desk.second_agent, post, "accept", version).await.ok();
    }

    /// Everybody at once: one owner or none, and the numbers are true.
    async fn answers_and_moves_race(app: TestApp) {
        let desk = app.desk().await;
        let there = match app.kind().is_server() {
            true => app.second().await.desk_of(desk.seed),
            false => desk.clone(),
        };
        desk.admin.patch("/tenant", json!({"settings": {"transfer_limit": 100}})).await.ok();
        let room = served(&desk).await;
        let path = format!("/conversations/{room}");
        let (over, release) = (format!("{path}/take_over"), format!("{path}/release"));
        for round in 0..8 {
            desk.visitor.send(&room, &format!("{round}")).await;
            ask(&desk.agent, &room, &desk.second_agent).await.ok();
            let rival: Pin<Box<dyn Future<Output = Answer>>> = match round % 4 {
                0 => Box::pin(push(&desk.admin, &room, &desk.supervisor)),
                1 => Box::pin(desk.supervisor.post(&over, json!({}))),
                2 => Box::pin(desk.agent.post(&release, json!({}))),
                _ => Box::pin(take_back(&desk.agent, &room)),
            };
            let answers = join_all([
                Box::pin(answer(&desk.second_agent, &room, "accept")) as Pin<Box<dyn Future<Output = Answer>>>,
                Box::pin(answer(&there.second_agent, &room, "accept")),
                rival,
                Box::pin(answer(&there.second_agent, &room, "decline")),
                Box::pin(push(&there.agent, &room, &desk.second_agent)),
            ])
            .await;
            assert!(answers.iter().all(|answer| answer.status < 500), "{answers:?}");
            let view = desk.admin.get(&path).await.ok();
            let rows = list(&desk, &room, "assignments").await;
            let open: Vec<&Value> = rows.iter().filter(|row| row["ended_at"].is_null()).collect();
            assert_eq!(open.len(), usize::from(view["status"] == "pending"), "{rows:?}");
            assert!(open.iter().all(|row| row["agent"]["id"] == view["agent"]["id"]), "{rows:?}");
            exact(&app);
            app.advance(1).await;
            desk.admin.post(&format!("{path}/assign"), json!({"agent_id": desk.agent.id()})).await.ok();
        }
        settled(&desk.second_agent, &room).await;
        let given = list(&desk, &room, "assignments").await.iter().filter(|row| row["reason"] == "transfer").count();
        assert_eq!(list(&desk, &room, "transfers").await.len(), given);
    }
}
