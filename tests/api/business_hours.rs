//! Business hours: who says when a desk is open, what is asked of them, and who is told.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::groups::make;
use crate::harness::{Client, Desk};

const PATH: &str = "/business-hours";
/// A Monday, nine o'clock in Shanghai.
const MONDAY: &str = "2026-11-30T01:00:00Z";

fn office(name: &str) -> Value {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday"];
    let weekly: Vec<Value> =
        days.iter().map(|day| json!({"day": day, "from": "09:00", "until": "18:00"})).collect();
    json!({"name": name, "time_zone": "Asia/Shanghai", "weekly": weekly})
}

async fn create(by: &Client, body: Value) -> Value {
    by.post(PATH, body).await.status(201)
}

fn path(hours: &Value) -> String {
    format!("{PATH}/{}", hours["id"].as_str().unwrap())
}

async fn status(by: &Client, query: &str) -> Value {
    by.get(&format!("{PATH}/status?{query}")).await.ok()
}

/// What is wrong with a body, by its pointers.
async fn wrong(by: &Client, change: Value) -> Vec<String> {
    let mut body = office("Wrong");
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    let problem = by.post(PATH, body).await.refused(422, "validation_failed");
    problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["pointer"].as_str().unwrap().to_owned())
        .collect()
}

/// What the visitor's conversation, which waits, is told of the desk.
async fn told(desk: &Desk, room: &str) -> Value {
    desk.visitor.get(&format!("/conversations/{room}/queue")).await.ok()["business_hours"].clone()
}

on_every_database! {
    /// From nothing to a group's own hours and back: each desk has its own, the tenant's, or none.
    async fn each_desk_has_its_hours(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Returns").await;
        let at = |at: &str| format!("at={at}");
        let of = |group: &str, at: &str| format!("group_id={group}&at={at}");
        let always = json!({"open": true, "opens_at": null, "closes_at": null, "time_zone": null});
        assert_eq!(status(&desk.visitor, "").await, always);
        let office = create(&desk.admin, office("Office")).await;
        assert_eq!(office["exceptions"], json!([]));
        assert_eq!((&office["group_ids"], &office["is_default"]), (&json!([]), &json!(false)));
        assert_eq!(status(&desk.visitor, &at(MONDAY)).await, always, "they are nobody's yet");
        let office = desk.admin.patch(&path(&office), json!({"is_default": true})).await.ok();
        let open = json!({"open": true, "opens_at": null, "closes_at": "2026-11-30T10:00:00.000Z", "time_zone": "Asia/Shanghai"});
        assert_eq!(status(&desk.visitor, &at(MONDAY)).await, open);
        assert_eq!(status(&desk.visitor, &of(&group, MONDAY)).await, open, "the group has none of its own");
        let closed = status(&desk.visitor, &at("2026-11-30T10:00:00Z")).await;
        assert_eq!(closed, json!({"open": false, "opens_at": "2026-12-01T01:00:00.000Z", "closes_at": null, "time_zone": "Asia/Shanghai"}));
        let night = json!({
            "name": "Night", "time_zone": "UTC", "weekly": [{"day": "sunday", "from": "22:00", "until": "26:00"}],
            "exceptions": [{"from_date": "2026-12-06", "name": "Party"}], "group_ids": [group],
        });
        let night = create(&desk.admin, night).await;
        assert_eq!(night["exceptions"], json!([{"from_date": "2026-12-06", "until_date": "2026-12-06", "name": "Party", "intervals": []}]));
        let own = status(&desk.visitor, &of(&group, MONDAY)).await;
        assert_eq!((&own["closes_at"], &own["time_zone"]), (&json!("2026-11-30T02:00:00.000Z"), &json!("UTC")));
        let own = desk.agent.get(&format!("{}/status?at=2026-12-06T23:00:00Z", path(&night))).await.ok();
        assert_eq!(own["opens_at"], "2026-12-13T22:00:00.000Z", "the party");
        // Another has the group now; the first has lost it.
        desk.admin.patch(&path(&office), json!({"group_ids": [group, group]})).await.ok();
        assert_eq!(desk.agent.get(&path(&night)).await.ok()["group_ids"], json!([]));
        assert_eq!(desk.agent.get(&path(&office)).await.ok()["group_ids"], json!([group]));
        assert_eq!(status(&desk.visitor, &of(&group, MONDAY)).await, open);
        // So with the tenant's.
        desk.admin.patch(&path(&night), json!({"is_default": true})).await.ok();
        assert_eq!(desk.agent.get(&path(&office)).await.ok()["is_default"], false);
        assert_eq!(status(&desk.visitor, &at(MONDAY)).await["time_zone"], "UTC");
        desk.admin.delete(&path(&night)).await.status(204);
        assert_eq!(status(&desk.visitor, &at(MONDAY)).await, always);
        desk.admin.delete(&format!("/groups/{group}")).await.status(204);
        assert_eq!(desk.agent.get(&path(&office)).await.ok()["group_ids"], json!([]), "the group is gone");
        assert_eq!(status(&desk.visitor, &of(&group, MONDAY)).await, always);
    }

    /// Administrators make them, the staff read them, everybody asks whether the desk is open; no other tenant is seen.
    async fn each_role_does_what_it_may(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let hours = create(&desk.admin, office("Office")).await;
        let one = path(&hours);
        for by in [&desk.agent, &desk.supervisor, &desk.visitor] {
            by.post(PATH, office("Mine")).await.refused(403, "forbidden");
            by.patch(&one, json!({"name": "Mine"})).await.refused(403, "forbidden");
            by.delete(&one).await.refused(403, "forbidden");
        }
        for by in [&desk.agent, &desk.supervisor, &desk.admin] {
            assert_eq!(by.get(PATH).await.ok()["data"], json!([hours]));
            assert_eq!(by.get(&one).await.ok(), hours);
        }
        for path in [PATH.to_owned(), one.clone(), format!("{one}/status")] {
            desk.visitor.get(&path).await.refused(403, "forbidden");
            desk.anonymous.get(&path).await.refused(401, "unauthenticated");
        }
        desk.anonymous.get(&format!("{PATH}/status")).await.refused(401, "unauthenticated");
        assert_eq!(other.admin.get(PATH).await.ok()["data"], json!([]));
        other.admin.get(&one).await.refused(404, "not_found");
        other.admin.get(&format!("{one}/status")).await.refused(404, "not_found");
        other.admin.patch(&one, json!({"name": "Mine"})).await.refused(404, "not_found");
        other.admin.delete(&one).await.refused(404, "not_found");
        let group = make(&desk, "Returns").await;
        let body = json!({"group_ids": [group]});
        let theirs = create(&other.admin, office("Office")).await;
        let problem = other.admin.patch(&path(&theirs), body).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/group_ids");
        desk.admin.delete(&one).await.status(204);
        desk.admin.delete(&one).await.refused(404, "not_found");
    }

    /// Nonsense is refused with its place, and changes nothing.
    async fn nonsense_is_refused(app: TestApp) {
        let desk = app.desk().await;
        let by = &desk.admin;
        let week = |from: &str, until: &str| json!({"weekly": [{"day": "monday", "from": from, "until": until}]});
        assert_eq!(wrong(by, json!({"name": " ", "time_zone": "Mars/Phobos"})).await, ["/name", "/time_zone"]);
        for (from, until, pointer) in [
            ("24:00", "25:00", "/weekly/0/from"),
            ("9:00", "18:00", "/weekly/0/from"),
            ("09:00", "48:01", "/weekly/0/until"),
            ("09:00", "09:00", "/weekly/0/until"),
            ("22:00", "06:00", "/weekly/0/until"),
            ("09:00", "late", "/weekly/0/until"),
        ] {
            assert_eq!(wrong(by, week(from, until)).await, [pointer], "{from} {until}");
        }
        let eleven = vec![json!({"day": "monday", "from": "09:00", "until": "10:00"}); 11];
        assert_eq!(wrong(by, json!({"weekly": eleven})).await, ["/weekly"]);
        let days = |from: &str, until: &str| json!({"from_date": from, "until_date": until});
        for (exception, pointer) in [
            (days("2026-02-29", "2026-03-01"), "/exceptions/0/from_date"),
            (days("2026-12-24", "2026-12-23"), "/exceptions/0/until_date"),
            (days("2026-12-24", "2028-12-24"), "/exceptions/0/until_date"),
            (days("2026-12-24", "soon"), "/exceptions/0/until_date"),
            (json!({"from_date": "2026-12-24", "intervals": [{"from": "10:00", "until": "9:00"}]}), "/exceptions/0/intervals/0/until"),
        ] {
            assert_eq!(wrong(by, json!({"exceptions": [exception]})).await, [pointer], "{exception}");
        }
        let twice = json!({"exceptions": [days("2026-12-26", "2026-12-27"), days("2026-12-24", "2026-12-26")]});
        assert_eq!(wrong(by, twice).await, ["/exceptions"]);
        let many: Vec<Value> = (0..401).map(|_| days("2026-12-24", "2026-12-24")).collect();
        assert_eq!(wrong(by, json!({"exceptions": many})).await, ["/exceptions"]);
        assert_eq!(wrong(by, json!({"group_ids": ["1"]})).await, ["/group_ids"]);
        for body in [json!({"weekly": [{"day": "Funday", "from": "09:00", "until": "10:00"}]}), json!({"weekly": [], "more": 1})] {
            let answer = by.post(PATH, body).await;
            assert_eq!(answer.status, 422, "{answer}");
        }
        for query in ["at=noon", "at=2026-11-30", "group_id=x", "more=1"] {
            let answer = desk.visitor.get(&format!("{PATH}/status?{query}")).await;
            assert_eq!(answer.status, 400, "{query}: {answer}");
        }
        assert_eq!(by.get(PATH).await.ok()["data"], json!([]));
        create(by, office("Office")).await;
        for index in 2..100 {
            create(by, office(&format!("Shop {index}"))).await;
        }
        by.post(PATH, office("Office")).await.refused(409, "name_taken");
        let second = create(by, office("Shop")).await;
        by.patch(&path(&second), json!({"name": "Office", "is_default": true})).await.refused(409, "name_taken");
        assert_eq!(by.get(&path(&second)).await.ok(), second, "nothing of it was done");
        by.post(PATH, office("One more")).await.refused(409, "limit_reached");
    }

    /// Who waits is told with its place; of many changes at once, one has the tenant's.
    async fn who_waits_is_told(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.visitor.open("hello").await;
        assert_eq!(told(&desk, &room).await["open"], true);
        let never = json!({"name": "Never", "time_zone": "UTC", "weekly": [], "is_default": true});
        let never = create(&desk.admin, never).await;
        let closed = json!({"open": false, "opens_at": null, "closes_at": null, "time_zone": "UTC"});
        assert_eq!(told(&desk, &room).await, closed);
        desk.visitor.send(&room, "are you there?").await;
        let always = create(&desk.admin, json!({"name": "Always", "time_zone": "UTC", "weekly": []})).await;
        let mine = json!({"is_default": true});
        let (never, always) = (path(&never), path(&always));
        for _ in 0..3 {
            let at_once = (0..12).map(|index| desk.admin.patch([&never, &always][index % 2], mine.clone()));
            join_all(at_once).await.into_iter().for_each(|answer| drop(answer.ok()));
            let list = desk.admin.get(PATH).await.ok();
            let defaults = list["data"].as_array().unwrap().iter().filter(|one| one["is_default"] == true).count();
            assert_eq!(defaults, 1, "{list}");
        }
    }
}
