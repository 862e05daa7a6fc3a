//! Ratings: who may rate what and when, to whom a rating belongs, and who sees it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::{Client, Desk, TestApp};

const DAY: i64 = 86_400_000;

fn path(room: &str) -> String {
    format!("/conversations/{room}/rating")
}

async fn rate(by: &Client, room: &str, score: i64, comment: &str) -> crate::harness::Answer {
    by.put(&path(room), json!({"score": score, "comment": comment})).await
}

async fn close(by: &Client, room: &str) {
    by.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
}

/// A conversation of this visitor that this agent answered, and that is over.
async fn served(visitor: &Client, agent: &Client) -> String {
    let room = visitor.open("hello").await;
    agent.claim(&room).await;
    agent.send(&room, "hello!").await;
    close(agent, &room).await;
    room
}

/// The notices about ratings that stand behind a conversation.
async fn notices(by: &Client, room: &str) -> Vec<Value> {
    let behind = by.get(&format!("/conversations/{room}")).await.ok()["backstage_id"].clone();
    let Some(behind) = behind.as_str() else { return Vec::new() };
    by.log(behind).await.into_iter().filter(|entry| entry["kind"] == "rated").collect()
}

/// The scores that somebody is shown, by pages of two.
async fn scores(by: &Client, query: &str) -> Vec<i64> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = by.get(&format!("/ratings?limit=2{query}{cursor}")).await.ok();
        found.extend(page["data"].as_array().unwrap().iter().map(|one| one["score"].as_i64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn window(desk: &Desk, seconds: i64) {
    desk.admin.patch("/tenant", json!({"settings": {"rating_window_seconds": seconds}})).await.ok();
}

/// The people of a tenant with new tokens: the old ones end when the clock is moved.
fn again(app: &TestApp, desk: &Desk) -> Desk {
    app.desk_of(desk.seed)
}

on_every_database! {
    /// From the opening to the change of the rating, with what the customer's client is told at each step.
    async fn each_end_is_rated_once(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let state = desk.visitor.get(&path(&room)).await.ok();
        assert_eq!(state, json!({"state": "not_closed", "close_seq": null, "until": null, "rating": null}));
        rate(&desk.visitor, &room, 5, "").await.refused(409, "invalid_transition");
        // Nobody has answered.
        close(&desk.visitor, &room).await;
        let state = desk.visitor.get(&path(&room)).await.ok();
        assert_eq!((&state["state"], &state["until"]), (&json!("not_answered"), &Value::Null), "{state}");
        rate(&desk.visitor, &room, 1, "").await.refused(409, "not_answered");
        desk.visitor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        desk.agent.claim(&room).await;
        desk.agent.send(&room, "hello!").await;
        close(&desk.agent, &room).await;
        let state = desk.visitor.get(&path(&room)).await.ok();
        assert_eq!((&state["state"], &state["rating"]), (&json!("asked"), &Value::Null), "{state}");
        let first = rate(&desk.visitor, &room, 4, " quick ").await.ok();
        let rating = &first["rating"];
        assert_eq!((&first["state"], &rating["score"], &rating["comment"]), (&json!("answered"), &json!(4), &json!("quick")));
        assert_eq!((&rating["agent_id"], &rating["customer_id"]), (&json!(desk.agent.id()), &json!(desk.visitor.id())));
        assert_eq!(rating["close_seq"], state["close_seq"]);
        assert_eq!(rate(&desk.visitor, &room, 4, "quick").await.ok(), first, "said twice");
        assert_eq!(notices(&desk.agent, &room).await.len(), 1);
        let second = rate(&desk.visitor, &room, 2, "").await.ok();
        assert_eq!((&second["rating"]["id"], &second["rating"]["comment"]), (&rating["id"], &json!("")));
        let told = notices(&desk.agent, &room).await;
        assert_eq!(told[0]["content"], json!({"close_seq": rating["close_seq"], "score": 4, "comment": "quick", "changed": false}));
        assert_eq!(told[1]["content"], json!({"close_seq": rating["close_seq"], "score": 2, "changed": true}));
        assert_eq!(told[1]["sender"]["id"], desk.visitor.id());
        let seen = desk.visitor.log(&room).await;
        assert!(seen.iter().all(|entry| entry["kind"] != "rated"), "{seen:?}");
        // What is rated is one end; the next one is rated anew, and belongs to who served then.
        desk.supervisor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        rate(&desk.visitor, &room, 2, "").await.refused(409, "invalid_transition");
        desk.second_agent.claim(&room).await;
        close(&desk.second_agent, &room).await;
        rate(&desk.visitor, &room, 5, "").await.refused(409, "not_answered");
        desk.supervisor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        desk.second_agent.claim(&room).await;
        desk.second_agent.send(&room, "once more").await;
        close(&desk.second_agent, &room).await;
        let third = rate(&desk.visitor, &room, 5, "").await.ok();
        assert_eq!(third["rating"]["agent_id"], desk.second_agent.id());
        assert_eq!(scores(&desk.admin, "").await, [5, 2]);
        for by in [&desk.agent, &desk.second_agent, &desk.supervisor] {
            assert_eq!(by.get(&path(&room)).await.ok(), third, "who is in it, or sees all");
        }
    }

    /// It is the customer who rates, and what it says has a form.
    async fn only_the_customer_rates(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = served(&desk.visitor, &desk.agent).await;
        for by in [&desk.agent, &desk.supervisor, &desk.admin] {
            rate(by, &room, 5, "").await.refused(403, "forbidden");
        }
        for by in [&desk.second_visitor, &desk.second_agent, &other.visitor, &other.admin] {
            rate(by, &room, 5, "").await.refused(404, "not_found");
            by.get(&path(&room)).await.refused(404, "not_found");
        }
        desk.anonymous.get(&path(&room)).await.status(401);
        for (body, pointer) in [
            (json!({"score": 0}), "/score"),
            (json!({"score": 6}), "/score"),
            (json!({"score": 4.5}), "/score"),
            (json!({"score": "5"}), "/score"),
            (json!({"comment": "good"}), "/score"),
            (json!({"score": 5, "comment": "é".repeat(2_001)}), "/comment"),
            (json!({"score": 5, "comment": "\u{0}"}), "/comment"),
            (json!({"score": 5, "agent_id": desk.agent.id()}), "/agent_id"),
        ] {
            let problem = desk.visitor.put(&path(&room), body.clone()).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        assert_eq!(scores(&desk.admin, "").await, [0_i64; 0]);
        let longest = "é".repeat(2_000);
        assert_eq!(rate(&desk.visitor, &room, 5, &longest).await.ok()["rating"]["comment"], longest);
        // What stands behind it, and rooms of the staff, are rated by nobody.
        let behind = desk.agent.get(&format!("/conversations/{room}")).await.ok()["backstage_id"].clone();
        desk.visitor.get(&path(behind.as_str().unwrap())).await.refused(404, "not_found");
        desk.admin.get(&path(behind.as_str().unwrap())).await.refused(404, "not_found");
        let room = desk.admin.post("/rooms", json!({"subject": "Staff", "member_ids": [desk.agent.id()]})).await.status(201);
        desk.agent.get(&path(room["id"].as_str().unwrap())).await.refused(404, "not_found");
    }

    /// The tenant says how long a conversation may be rated; a rating may be changed for a day.
    async fn there_is_a_time_for_it(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        window(&desk, 60).await;
        let room = served(&desk.visitor, &desk.agent).await;
        app.advance(60_000).await;
        let state = desk.visitor.get(&path(&room)).await.ok();
        assert_eq!((&state["state"], &state["until"]), (&json!("expired"), &Value::Null), "{state}");
        rate(&desk.visitor, &room, 5, "").await.refused(409, "rating_ended");
        window(&desk, 0).await;
        let never = served(&desk.visitor, &desk.agent).await;
        rate(&desk.visitor, &never, 5, "").await.refused(409, "rating_ended");
        window(&desk, 3_600).await;
        assert_eq!(rate(&desk.visitor, &never, 3, "").await.ok()["rating"]["score"], 3);
        window(&desk, 0).await;
        // What was said can be said otherwise for a day, whatever the tenant asks now.
        app.advance(DAY - 1).await;
        let desk = again(&app, &desk);
        rate(&desk.visitor, &never, 4, "").await.ok();
        app.advance(1).await;
        let state = desk.visitor.get(&path(&never)).await.ok();
        assert_eq!((&state["state"], &state["until"], &state["rating"]["score"]), (&json!("answered"), &Value::Null, &json!(4)));
        rate(&desk.visitor, &never, 4, "").await.ok();
        rate(&desk.visitor, &never, 5, "").await.refused(409, "rating_ended");
        for wrong in [json!(-1), json!(31_536_001), json!("1"), Value::Null] {
            let body = json!({"settings": {"rating_window_seconds": wrong}});
            desk.admin.patch("/tenant", body).await.refused(422, "validation_failed");
        }
    }

    /// Many at once come to one rating, each of them told or found.
    async fn many_at_once_are_one_rating(app: TestApp) {
        let desk = app.desk().await;
        let room = served(&desk.visitor, &desk.agent).await;
        let answers = join_all((0..10).map(|index| rate(&desk.visitor, &room, 1 + index % 5, ""))).await;
        let ids: Vec<Value> = answers.into_iter().map(|answer| answer.ok()["rating"]["id"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(scores(&desk.admin, "").await.len(), 1);
        let last = notices(&desk.agent, &room).await.pop().unwrap();
        assert_eq!(last["content"]["score"], desk.visitor.get(&path(&room)).await.ok()["rating"]["score"]);
    }

    /// Agents see what was said of their own work, supervisors of groups what was said of these, the others all.
    async fn ratings_are_seen_by_whom_they_concern(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let group = make(&desk, "Returns").await;
        put(&desk.admin, &group, &desk.second_agent, "member").await;
        for (visitor, agent, score) in
            [(&desk.visitor, &desk.agent, 1), (&desk.second_visitor, &desk.agent, 2), (&desk.visitor, &desk.agent, 3)]
        {
            let room = served(visitor, agent).await;
            rate(visitor, &room, score, "").await.ok();
        }
        let body = json!({"group_id": group, "message": crate::harness::personas::message("hello")});
        let opened = desk.second_visitor.post("/conversations", body).await.status(201);
        let room = opened["conversation"]["id"].as_str().unwrap().to_owned();
        desk.second_agent.claim(&room).await;
        desk.second_agent.send(&room, "hello!").await;
        close(&desk.second_agent, &room).await;
        rate(&desk.second_visitor, &room, 5, "").await.ok();
        assert_eq!(scores(&desk.admin, "").await, [5, 3, 2, 1]);
        assert_eq!(scores(&desk.supervisor, "").await, [5, 3, 2, 1]);
        assert_eq!(scores(&desk.agent, "").await, [3, 2, 1]);
        assert_eq!(scores(&desk.second_agent, "").await, [5]);
        assert_eq!(scores(&other.admin, "").await, [0_i64; 0]);
        desk.visitor.get("/ratings").await.refused(403, "forbidden");
        desk.anonymous.get("/ratings").await.status(401);
        assert_eq!(scores(&desk.admin, &format!("&agent_id={}", desk.agent.id())).await, [3, 2, 1]);
        assert_eq!(scores(&desk.agent, &format!("&agent_id={}", desk.second_agent.id())).await, [0_i64; 0]);
        assert_eq!(scores(&desk.admin, &format!("&group_id={group}")).await, [5]);
        assert_eq!(scores(&desk.admin, &format!("&customer_id={}", desk.second_visitor.id())).await, [5, 2]);
        assert_eq!(scores(&desk.admin, "&score=2").await, [2]);
        let page = desk.admin.get("/ratings?score=2").await.ok();
        let at = page["data"][0]["rated_at"].as_str().unwrap().to_owned();
        assert!(scores(&desk.admin, &format!("&from={at}")).await.contains(&2));
        assert!(!scores(&desk.admin, &format!("&until={at}")).await.contains(&2));
        for wrong in ["score=0", "score=6", "score=x", "agent_id=x", "from=yesterday", "limit=0", "cursor=x", "x=1"] {
            desk.admin.get(&format!("/ratings?{wrong}")).await.refused(400, "invalid_parameter");
        }
        // A supervisor of another group sees what is no group's.
        let sales = make(&desk, "Sales").await;
        put(&desk.admin, &sales, &desk.supervisor, "member").await;
        assert_eq!(scores(&desk.supervisor, "").await, [3, 2, 1]);
        put(&desk.admin, &group, &desk.supervisor, "member").await;
        assert_eq!(scores(&desk.supervisor, "").await, [5, 3, 2, 1]);
    }

    /// Whoever has a link rates on behalf of the customer, until it ends; nobody else can make one that holds.
    async fn a_link_rates_one_end(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        window(&desk, 600).await;
        let room = desk.open_and_claim("hello").await;
        let links = format!("/conversations/{room}/rating-links");
        for by in [&desk.visitor, &desk.agent, &desk.supervisor] {
            by.post(&links, json!({})).await.refused(403, "forbidden");
        }
        desk.admin.post(&links, json!({})).await.refused(409, "invalid_transition");
        close(&desk.agent, &room).await;
        desk.admin.post(&links, json!({})).await.refused(409, "not_answered");
        desk.supervisor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        desk.agent.claim(&room).await;
        desk.agent.send(&room, "hello!").await;
        close(&desk.agent, &room).await;
        app.desk().await.admin.post(&links, json!({})).await.refused(404, "not_found");
        let made = desk.admin.post(&links, json!({})).await.status(201);
        let token = made["token"].as_str().unwrap().to_owned();
        let link = format!("/rating-links/{token}");
        let shown = desk.anonymous.get(&link).await.ok();
        assert_eq!((&shown["state"], &shown["score"], &shown["until"]), (&json!("asked"), &Value::Null, &made["expires_at"]));
        assert_eq!(shown["agent_nickname"], desk.agent.get("/me").await.ok()["nickname"]);
        assert_eq!(scores(&desk.admin, "").await, [0_i64; 0], "reading rates nothing");
        for wrong in [json!({"score": 9}), json!({}), json!({"score": 5, "x": 1})] {
            desk.anonymous.put(&link, wrong).await.refused(422, "validation_failed");
        }
        let said = desk.anonymous.put(&link, json!({"score": 2, "comment": "slow"})).await.ok();
        assert_eq!((&said["state"], &said["score"], &said["comment"]), (&json!("answered"), &json!(2), &json!("slow")));
        assert_eq!(desk.visitor.get(&path(&room)).await.ok()["rating"]["score"], 2);
        assert_eq!(notices(&desk.agent, &room).await[0]["sender"]["id"], desk.visitor.id());
        for forged in ["x", "dwk_", &token[..token.len() - 1], &token.replace("dwk_", "dwk_1"), &format!("{token}x")] {
            desk.anonymous.get(&format!("/rating-links/{forged}")).await.refused(404, "not_found");
            desk.anonymous.put(&format!("/rating-links/{forged}"), json!({"score": 5})).await.refused(404, "not_found");
        }
        // A customer who is locked out rates by no link either.
        let member = format!("/members/{}", desk.visitor.id());
        desk.admin.patch(&member, json!({"status": "disabled"})).await.ok();
        desk.anonymous.put(&link, json!({"score": 5})).await.refused(403, "account_disabled");
        desk.admin.patch(&member, json!({"status": "enabled"})).await.ok();
        // While it goes on there is nothing to rate; the next end is another matter.
        desk.supervisor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        desk.anonymous.put(&link, json!({"score": 5})).await.refused(409, "invalid_transition");
        desk.agent.claim(&room).await;
        desk.agent.send(&room, "hello again!").await;
        close(&desk.agent, &room).await;
        desk.anonymous.get(&link).await.refused(409, "rating_ended");
        desk.anonymous.put(&link, json!({"score": 5})).await.refused(409, "rating_ended");
        assert_eq!(scores(&desk.admin, "").await, [2]);
        let made = desk.admin.post(&links, json!({})).await.status(201);
        let link = format!("/rating-links/{}", made["token"].as_str().unwrap());
        deskwire::tenants::service::set_suspended(app.app(), &desk.slug, true).await.unwrap();
        desk.anonymous.get(&link).await.refused(403, "tenant_suspended");
        desk.anonymous.put(&link, json!({"score": 5})).await.refused(403, "tenant_suspended");
        deskwire::tenants::service::set_suspended(app.app(), &desk.slug, false).await.unwrap();
        app.advance(600_000).await;
        desk.anonymous.get(&link).await.refused(409, "rating_ended");
        desk.anonymous.put(&link, json!({"score": 5})).await.refused(409, "rating_ended");
    }
}
