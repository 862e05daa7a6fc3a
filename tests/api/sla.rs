//! SLA policies and clocks: who may what, what is refused, what is told to whom, and what gives clocks new targets.
//! `sla_oracle` computes every clock once more.

use std::time::Duration;

use deskwire::db::schema::{sla_clock, sla_refresh};
use deskwire::journal::{follower, history};
use deskwire::kernel::{Millis, TenantId};
use deskwire::sla::follower::SLA_CLOCKS;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::groups::make;
use crate::harness::personas::message;
use crate::harness::{Client, TestApp, TestDatabase, eventually};

const PATH: &str = "/sla-policies";
const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

/// Makes a policy.
pub async fn policy(by: &Client, body: Value) -> Value {
    by.post(PATH, body).await.status(201)
}

/// The path of a policy.
pub fn path(policy: &Value) -> String {
    format!("{PATH}/{}", policy["id"].as_str().unwrap())
}

fn is_settled(database: &TestDatabase, tenant: TenantId, now: i64) -> bool {
    let mut connection = database.connect();
    let wanted: i64 = sla_refresh::table
        .filter(sla_refresh::tenant_id.eq(tenant))
        .count()
        .get_result(&mut connection)
        .unwrap();
    let untold: i64 = sla_clock::table
        .filter(sla_clock::tenant_id.eq(tenant))
        .filter(sla_clock::next_at.le(now))
        .count()
        .get_result(&mut connection)
        .unwrap();
    let read = follower::position(&mut connection, SLA_CLOCKS, tenant).unwrap();
    wanted == 0 && untold == 0 && read >= history::head(&mut connection, tenant).unwrap()
}

/// Waits until the clocks have read the log, have their targets, and everything that is due is told.
pub async fn settled(app: &TestApp, tenant: TenantId) {
    eventually("the clocks are settled", || async {
        is_settled(app.database(), tenant, app.clock.now().0).then_some(())
    })
    .await;
}

/// The clocks of a conversation.
pub async fn clocks(by: &Client, room: &str) -> Vec<Value> {
    by.get(&format!("/conversations/{room}/sla-clocks")).await.ok()["data"].as_array().unwrap().clone()
}

fn of<'a>(clocks: &'a [Value], metric: &str) -> &'a Value {
    clocks.iter().rfind(|clock| clock["metric"] == metric).unwrap_or(&Value::Null)
}

fn at(value: &Value) -> i64 {
    serde_json::from_value::<Millis>(value.clone()).unwrap().0
}

/// The notices of warnings and breaches behind a conversation.
pub async fn told(by: &Client, room: &str) -> Vec<Value> {
    let behind = by.get(&format!("/conversations/{room}")).await.ok()["backstage_id"].clone();
    let Some(behind) = behind.as_str() else { return Vec::new() };
    let log = by.log(behind).await;
    log.into_iter().filter(|entry| entry["kind"].as_str().unwrap().starts_with("sla_")).collect()
}

fn kinds(told: &[Value]) -> Vec<(&str, &str)> {
    told.iter()
        .map(|entry| (entry["kind"].as_str().unwrap(), entry["content"]["metric"].as_str().unwrap()))
        .collect()
}

on_every_database! {
    /// Administrators make, change and delete policies, all of the staff read them, customers and other tenants do not.
    async fn each_role_does_what_it_may(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let body = json!({"name": " Fast ", "first_response_seconds": 60, "priorities": ["urgent", "high", "high"]});
        let made = policy(&desk.admin, body.clone()).await;
        assert_eq!((&made["name"], &made["position"], &made["hours"]), (&json!("Fast"), &json!(0), &json!("calendar_hours")));
        assert_eq!((&made["priorities"], &made["group_ids"]), (&json!(["high", "urgent"]), &json!([])));
        assert_eq!((&made["next_response_seconds"], &made["warn_before_seconds"]), (&Value::Null, &Value::Null));
        for by in [&desk.agent, &desk.supervisor] {
            assert_eq!(by.get(&path(&made)).await.ok(), made);
            assert_eq!(by.get(PATH).await.ok()["data"], json!([made]));
            by.post(PATH, json!({"name": "Mine", "resolution_seconds": 5})).await.refused(403, "forbidden");
            by.patch(&path(&made), json!({"name": "Mine"})).await.refused(403, "forbidden");
            by.delete(&path(&made)).await.refused(403, "forbidden");
        }
        desk.visitor.get(PATH).await.refused(403, "forbidden");
        assert_eq!(other.admin.get(PATH).await.ok()["data"], json!([]));
        other.admin.get(&path(&made)).await.refused(404, "not_found");
        other.admin.patch(&path(&made), json!({"name": "Mine"})).await.refused(404, "not_found");
        other.admin.delete(&path(&made)).await.refused(404, "not_found");
        other.admin.post(PATH, body).await.status(201);
        let room = desk.open_and_claim("a question").await;
        let foreign = format!("/conversations/{room}/sla-clocks");
        other.admin.get(&foreign).await.refused(404, "not_found");
        desk.second_agent.get(&foreign).await.refused(404, "not_found");
        desk.visitor.get(&foreign).await.refused(403, "forbidden");
        desk.agent.get(&foreign).await.ok();
        desk.admin.delete(&path(&made)).await.status(204);
        desk.admin.delete(&path(&made)).await.refused(404, "not_found");
    }

    /// Policies come by their positions, page by page; names are unique; two that are made at once do not break the limit.
    async fn policies_have_an_order_and_an_end(app: TestApp) {
        let desk = app.desk().await;
        let make = |name: String, position: i64| {
            desk.admin.post(PATH, json!({"name": name, "position": position, "resolution_seconds": 9}))
        };
        for (name, position) in [("c", 7), ("a", 0), ("d", 7), ("b", 3)] {
            make(name.to_owned(), position).await.status(201);
        }
        make("a".to_owned(), 9).await.refused(409, "name_taken");
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = desk.agent.get(&format!("{PATH}?limit=3{cursor}")).await.ok();
            names.extend(page["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(names, ["a", "b", "c", "d"]);
        let b = desk.admin.get(PATH).await.ok()["data"][1].clone();
        desk.admin.patch(&path(&b), json!({"name": "a"})).await.refused(409, "name_taken");
        let answers = join_all((0..14).map(|_| make("same".to_owned(), 1))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!((made, answers.len() - made), (1, 13));
        assert!(answers.iter().filter(|answer| answer.status != 201).all(|answer| answer.code() == "name_taken"));
        for first in (5..100).step_by(19) {
            let all = join_all((first..first + 19).map(|number| make(format!("p{number}"), 2))).await;
            all.into_iter().for_each(|answer| drop(answer.status(201)));
        }
        let answers = join_all((0..12).map(|number| make(format!("q{number}"), 2))).await;
        assert!(answers.iter().all(|answer| answer.code() == "limit_reached"), "{answers:?}");
    }

    /// What makes no sense is refused with its place, also when it only does together with what was there.
    async fn nonsense_is_refused(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let foreign = make(&other, "Theirs").await;
        let long = "x".repeat(101);
        for (body, pointer) in [
            (json!({"name": "n"}), ""),
            (json!({"name": "", "resolution_seconds": 5}), "/name"),
            (json!({"name": long, "resolution_seconds": 5}), "/name"),
            (json!({"name": "a\nb", "resolution_seconds": 5}), "/name"),
            (json!({"resolution_seconds": 5}), "/name"),
            (json!({"name": "n", "resolution_seconds": 0}), "/resolution_seconds"),
            (json!({"name": "n", "resolution_seconds": -1}), "/resolution_seconds"),
            (json!({"name": "n", "first_response_seconds": 90 * 86_400 + 1}), "/first_response_seconds"),
            (json!({"name": "n", "next_response_seconds": 1.5}), "/next_response_seconds"),
            (json!({"name": "n", "next_response_seconds": "60"}), "/next_response_seconds"),
            (json!({"name": "n", "resolution_seconds": 60, "first_response_seconds": 5, "warn_before_seconds": 5}), "/warn_before_seconds"),
            (json!({"name": "n", "resolution_seconds": 60, "position": -1}), "/position"),
            (json!({"name": "n", "resolution_seconds": 60, "hours": "lunch"}), "/hours"),
            (json!({"name": "n", "resolution_seconds": 60, "priorities": ["later"]}), "/priorities/0"),
            (json!({"name": "n", "resolution_seconds": 60, "group_ids": [foreign]}), "/group_ids"),
            (json!({"name": "n", "resolution_seconds": 60, "group_ids": [7]}), "/group_ids/0"),
            (json!({"name": "n", "resolution_seconds": 60, "more": 1}), "/more"),
        ] {
            let problem = desk.admin.post(PATH, body.clone()).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        let made = policy(&desk.admin, json!({"name": "n", "resolution_seconds": 60, "warn_before_seconds": 30})).await;
        for (body, pointer) in [
            (json!({"resolution_seconds": null}), ""),
            (json!({"resolution_seconds": 30}), "/warn_before_seconds"),
            (json!({"warn_before_seconds": 60}), "/warn_before_seconds"),
            (json!({"first_response_seconds": 20}), "/warn_before_seconds"),
            (json!({"name": null}), "/name"),
            (json!({"group_ids": null}), "/group_ids"),
            (json!({"hours": null}), "/hours"),
            (json!({"id": "7"}), "/id"),
        ] {
            let problem = desk.admin.patch(&path(&made), body.clone()).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        assert_eq!(desk.admin.get(&path(&made)).await.ok(), made, "nothing changed");
        desk.admin.get(&format!("{PATH}/7")).await.refused(404, "not_found");
        assert_eq!(desk.admin.get(&format!("{PATH}?cursor=x")).await.status, 400);
    }

    /// A customer waits: the staff are warned, then told, on their sockets and by rules of the message centre; the customer
    /// learns nothing. The answer ends it, the next question begins anew, and closing ends everything.
    async fn a_late_answer_is_told_to_the_staff(app: TestApp) {
        let mut desk = app.desk().await;
        let body = json!({
            "name": "Fast", "first_response_seconds": 120, "next_response_seconds": 60, "resolution_seconds": 3_600,
            "warn_before_seconds": 30,
        });
        let fast = policy(&desk.admin, body).await;
        let room = desk.open_and_claim("a question").await;
        settled(&app, desk.tenant).await;
        let now = clocks(&desk.agent, &room).await;
        let first = of(&now, "first_response");
        assert_eq!((&first["state"], &first["policy_id"], &first["policy_name"]), (&json!("running"), &fast["id"], &json!("Fast")));
        assert_eq!(at(&first["due_at"]) - at(&first["started_at"]), 120 * SECOND);
        assert_eq!(of(&now, "next_response"), &Value::Null);
        let mut socket = desk.agent.socket().await;
        app.advance(95 * SECOND).await;
        let warned = socket.wait("a warning", |frame| frame["data"]["kind"] == "sla_warned").await;
        assert_eq!((&warned["data"]["content"]["metric"], &warned["data"]["sender"]), (&json!("first_response"), &Value::Null));
        app.advance(30 * SECOND).await;
        let late = socket.wait("a breach", |frame| frame["data"]["kind"] == "sla_breached").await;
        let content = &late["data"]["content"];
        assert_eq!((&content["due_at"], &content["policy_name"]), (&first["due_at"], &json!("Fast")));
        settled(&app, desk.tenant).await;
        let now = clocks(&desk.agent, &room).await;
        let first = of(&now, "first_response");
        assert_eq!((&first["state"], &first["breached_at"], &first["remaining_ms"]), (&json!("running"), &first["due_at"], &json!(0)));
        assert_eq!(first["warned_at"], warned["data"]["created_at"]);
        desk.agent.send(&room, "an answer").await;
        desk.visitor.send(&room, "and").await;
        settled(&app, desk.tenant).await;
        let now = clocks(&desk.agent, &room).await;
        let next = of(&now, "next_response");
        assert_eq!((&of(&now, "first_response")["state"], &next["state"]), (&json!("met"), &json!("running")));
        assert_eq!(at(&next["due_at"]) - at(&next["started_at"]), 60 * SECOND);
        let note = message("a note answers nobody");
        desk.agent.post(&format!("/conversations/{room}/notes"), note).await.status(201);
        app.advance(20 * SECOND).await;
        let said = desk.agent.send(&room, "in time").await;
        desk.agent.delete(&format!("/conversations/{room}/messages/{}", said["seq"])).await.ok();
        settled(&app, desk.tenant).await;
        assert_eq!(of(&clocks(&desk.agent, &room).await, "next_response")["state"], "met", "what was recalled was said");
        desk.visitor.send(&room, "never mind").await;
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        settled(&app, desk.tenant).await;
        let now = clocks(&desk.agent, &room).await;
        assert_eq!((&of(&now, "next_response")["state"], &of(&now, "resolution")["state"]), (&json!("ended"), &json!("met")));
        assert_eq!(of(&now, "next_response")["breached_at"], Value::Null);
        app.advance(2 * HOUR).await;
        desk = app.desk_of(desk.seed);
        settled(&app, desk.tenant).await;
        let notices = told(&desk.supervisor, &room).await;
        assert_eq!(kinds(&notices), [("sla_warned", "first_response"), ("sla_breached", "first_response")]);
        assert!(!desk.visitor.log(&room).await.iter().any(|entry| entry.to_string().contains("sla_")));
        desk.agent.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        settled(&app, desk.tenant).await;
        let now = clocks(&desk.agent, &room).await;
        assert_eq!(now.len(), 1, "reopening begins anew: {now:?}");
        assert_eq!((&now[0]["metric"], &now[0]["state"]), (&json!("resolution"), &json!("running")));
    }

    /// Outside business hours clocks stand still; other hours, another group, another policy and none give other targets.
    async fn what_changes_gives_new_targets(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({"name": "Office", "first_response_seconds": 600, "hours": "business_hours", "position": 5});
        let office = policy(&desk.admin, body).await;
        let room = desk.visitor.open("a question").await;
        settled(&app, desk.tenant).await;
        let first = async || of(&clocks(&desk.admin, &room).await, "first_response").clone();
        let began = at(&first().await["started_at"]);
        assert_eq!(at(&first().await["due_at"]), began + 600 * SECOND, "without business hours it is always open");
        let never = json!({"name": "Never", "time_zone": "UTC", "weekly": [], "is_default": true});
        let hours = desk.admin.post("/business-hours", never).await.status(201);
        settled(&app, desk.tenant).await;
        let clock = first().await;
        assert_eq!((&clock["state"], &clock["due_at"], &clock["remaining_ms"]), (&json!("paused"), &Value::Null, &Value::Null));
        app.advance(700 * SECOND).await;
        settled(&app, desk.tenant).await;
        assert!(told(&desk.admin, &room).await.is_empty(), "it stands still");
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let always: Vec<Value> = days.iter().map(|day| json!({"day": day, "from": "00:00", "until": "24:00"})).collect();
        let hours = format!("/business-hours/{}", hours["id"].as_str().unwrap());
        desk.admin.patch(&hours, json!({"weekly": always})).await.ok();
        settled(&app, desk.tenant).await;
        let clock = first().await;
        assert_eq!((at(&clock["due_at"]), &clock["breached_at"]), (began + 600 * SECOND, &clock["due_at"]));
        // A group with a policy of its own, which comes before.
        let group = make(&desk, "Parcels").await;
        let body = json!({"name": "Parcels", "first_response_seconds": 4_000, "group_ids": [group], "warn_before_seconds": 9});
        let parcels = policy(&desk.admin, body).await;
        desk.admin.patch(&format!("/conversations/{room}"), json!({"group_id": group})).await.ok();
        settled(&app, desk.tenant).await;
        let clock = first().await;
        assert_eq!((&clock["policy_id"], at(&clock["due_at"])), (&parcels["id"], began + 4_000 * SECOND));
        desk.admin.patch(&path(&parcels), json!({"priorities": ["urgent"]})).await.ok();
        settled(&app, desk.tenant).await;
        assert_eq!(first().await["policy_id"], office["id"]);
        desk.admin.patch(&format!("/conversations/{room}"), json!({"priority": "urgent"})).await.ok();
        settled(&app, desk.tenant).await;
        assert_eq!(first().await["policy_id"], parcels["id"]);
        for one in [&parcels, &office] {
            desk.admin.delete(&path(one)).await.status(204);
        }
        settled(&app, desk.tenant).await;
        let clock = first().await;
        assert_eq!((&clock["state"], &clock["policy_name"], &clock["due_at"]), (&json!("ended"), &Value::Null, &Value::Null));
        let notices = told(&desk.admin, &room).await;
        assert_eq!(kinds(&notices), [("sla_breached", "first_response")], "once, whatever changed");
        // A policy that is made later holds for what is under way, and tells no breach twice.
        policy(&desk.admin, json!({"name": "Late", "first_response_seconds": 5, "resolution_seconds": 6})).await;
        settled(&app, desk.tenant).await;
        let notices = told(&desk.admin, &room).await;
        assert_eq!(kinds(&notices), [("sla_breached", "first_response"), ("sla_breached", "resolution")]);
    }

    /// Twelve conversations are late at the same moment, before three processes: each is told once.
    async fn many_are_told_once_by_several_processes(app: TestApp) {
        let desk = app.desk().await;
        let others = if app.kind().is_server() { vec![app.second().await, app.second().await] } else { Vec::new() };
        policy(&desk.admin, json!({"name": "Fast", "first_response_seconds": 60, "resolution_seconds": 60})).await;
        let mut rooms = Vec::new();
        for _ in 0..12 {
            let visitor = app.seed_member(desk.tenant, deskwire::domain::member::Role::Customer).await;
            rooms.push(app.client_of(visitor).open("a question").await);
        }
        settled(&app, desk.tenant).await;
        app.advance(61 * SECOND).await;
        settled(&app, desk.tenant).await;
        // What a process has read before may come late.
        tokio::time::sleep(Duration::from_secs(2)).await;
        settled(&app, desk.tenant).await;
        for room in &rooms {
            let notices = told(&desk.admin, room).await;
            assert_eq!(kinds(&notices), [("sla_breached", "first_response"), ("sla_breached", "resolution")], "{room}");
        }
        for other in others {
            other.stop().await;
        }
    }

    /// What happened before a tenant's first policy: what is over has no clocks, what is under way has, since its begin.
    async fn the_first_policy_finds_what_is_under_way(app: TestApp) {
        let mut desk = app.desk().await;
        let over = desk.open_and_claim("a question").await;
        desk.agent.post(&format!("/conversations/{over}/close"), json!({})).await.ok();
        let waits = desk.second_visitor.open("another one").await;
        app.advance(HOUR).await;
        desk = app.desk_of(desk.seed);
        assert!(clocks(&desk.admin, &waits).await.is_empty());
        policy(&desk.admin, json!({"name": "Fast", "first_response_seconds": 60, "resolution_seconds": 7_200})).await;
        settled(&app, desk.tenant).await;
        assert!(clocks(&desk.admin, &over).await.is_empty());
        assert!(told(&desk.admin, &over).await.is_empty());
        let notices = told(&desk.admin, &waits).await;
        assert_eq!(kinds(&notices), [("sla_breached", "first_response")]);
        let now = clocks(&desk.admin, &waits).await;
        assert_eq!(at(&of(&now, "resolution")["due_at"]) - at(&of(&now, "resolution")["started_at"]), 2 * HOUR);
    }
}
