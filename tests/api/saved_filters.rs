//! Saved filters: who has them, who changes them, how many there are, and what becomes of them. What is found by them stands
//! in `saved_filters_search`.

use deskwire::db::schema::saved_filter;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api_keys::{account, key};
use crate::harness::{Client, Desk, eventually};

pub const PATH: &str = "/saved-filters";
pub const SEARCH: &str = "/conversations/search";

pub fn condition(field: &str, operator: &str, value: Value) -> Value {
    json!({"field": field, "operator": operator, "value": value})
}

/// Those that wait.
pub fn open() -> Value {
    condition("status", "equals", json!("open"))
}

/// Saves a filter; gives it.
pub async fn save(by: &Client, name: &str, shared: bool, filter: Value) -> Value {
    by.post(PATH, json!({"name": name, "shared": shared, "filter": filter})).await.status(201)
}

pub fn path(saved: &Value) -> String {
    format!("{PATH}/{}", saved["id"].as_str().unwrap())
}

pub fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// The names of all filters that somebody has, by pages of two.
async fn names(by: &Client) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = by.get(&format!("{PATH}?limit=2{cursor}")).await.ok();
        let data = page["data"].as_array().unwrap();
        names.extend(data.iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}

/// What the audit log tells of saved filters, the newest first.
async fn told(desk: &Desk) -> Vec<(Value, Value, Value)> {
    let page = desk.admin.get("/audit-events?target_type=saved_filter&limit=200").await.ok();
    let events = page["data"].as_array().unwrap();
    events.iter().map(|one| (one["action"].clone(), one["before"].clone(), one["after"].clone())).collect()
}

on_every_database! {
    /// Own ones are one's own, for everybody else they are not there; shared ones are everybody's.
    async fn whose_filters_are(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let own = save(&desk.agent, "Mine", false, open()).await;
        assert_eq!((&own["owner_id"], &own["filter"]), (&json!(desk.agent.id()), &open()));
        let shared = save(&desk.supervisor, "Ours", true, open()).await;
        let second = save(&desk.agent, " Mine too ", false, open()).await;
        assert_eq!(second["name"], "Mine too");
        assert_eq!(names(&desk.agent).await, ["Mine", "Ours", "Mine too"]);
        assert_eq!(names(&desk.supervisor).await, ["Ours"]);
        assert_eq!(names(&desk.second_agent).await, ["Ours"]);
        assert_eq!(names(&desk.admin).await, ["Ours"]);
        assert_eq!(names(&other.admin).await, [""; 0]);
        for by in [&desk.second_agent, &desk.supervisor, &desk.admin, &other.admin] {
            by.get(&path(&own)).await.refused(404, "not_found");
            by.patch(&path(&own), json!({"name": "x"})).await.refused(404, "not_found");
            by.delete(&path(&own)).await.refused(404, "not_found");
            by.post(SEARCH, json!({"filter_id": own["id"]})).await.refused(404, "not_found");
        }
        for by in [&other.admin, &other.agent] {
            by.get(&path(&shared)).await.refused(404, "not_found");
            by.patch(&path(&shared), json!({"name": "x"})).await.refused(404, "not_found");
            by.delete(&path(&shared)).await.refused(404, "not_found");
            by.post(SEARCH, json!({"filter_id": shared["id"]})).await.refused(404, "not_found");
        }
        for (by, status) in [(&desk.visitor, 403), (&desk.anonymous, 401)] {
            by.get(PATH).await.status(status);
            by.post(PATH, json!({"name": "x", "filter": open()})).await.status(status);
            by.get(&path(&shared)).await.status(status);
            by.patch(&path(&shared), json!({"name": "x"})).await.status(status);
            by.delete(&path(&shared)).await.status(status);
            by.post(SEARCH, json!({"filter": open()})).await.status(status);
        }
        let room = desk.open("hello").await;
        assert_eq!(ids(&desk.second_agent.post(SEARCH, json!({"filter_id": shared["id"]})).await.ok()), [room]);
        desk.agent.delete(&path(&own)).await.status(204);
        desk.agent.delete(&path(&own)).await.refused(404, "not_found");
        assert_eq!(names(&desk.agent).await, ["Ours", "Mine too"]);
    }

    /// Shared ones are made, changed and deleted by who oversees; only their owner takes them back; the audit log tells of
    /// them, and never of what somebody keeps for itself.
    async fn who_shares_filters(app: TestApp) {
        let desk = app.desk().await;
        let own = save(&desk.agent, "Mine", false, open()).await;
        desk.agent.patch(&path(&own), json!({"name": "My own"})).await.ok();
        let body = json!({"name": "Ours", "shared": true, "filter": open()});
        desk.agent.post(PATH, body).await.refused(403, "forbidden");
        desk.agent.patch(&path(&own), json!({"shared": true})).await.refused(403, "forbidden");
        assert_eq!(told(&desk).await, []);

        let ours = save(&desk.supervisor, "Ours", false, open()).await;
        assert_eq!((told(&desk).await, names(&desk.agent).await), (vec![], vec!["My own".to_owned()]));
        let shared = desk.supervisor.patch(&path(&ours), json!({"shared": true})).await.ok();
        assert_eq!((&shared["shared"], &shared["filter"]), (&json!(true), &open()));
        desk.agent.patch(&path(&ours), json!({"name": "x"})).await.refused(403, "forbidden");
        desk.agent.patch(&path(&ours), json!({"shared": false})).await.refused(403, "forbidden");
        desk.agent.delete(&path(&ours)).await.refused(403, "forbidden");
        let changed = desk.admin.patch(&path(&ours), json!({"name": "All of ours"})).await.ok();
        assert_eq!((&changed["name"], &changed["owner_id"]), (&json!("All of ours"), &json!(desk.supervisor.id())));
        desk.admin.patch(&path(&ours), json!({"shared": false})).await.refused(403, "forbidden");
        assert_eq!(desk.admin.get(&path(&ours)).await.ok(), changed, "nothing came of it");
        desk.admin.patch(&path(&ours), json!({})).await.ok();
        desk.supervisor.patch(&path(&ours), json!({"shared": false})).await.ok();
        desk.admin.get(&path(&ours)).await.refused(404, "not_found");
        desk.supervisor.patch(&path(&ours), json!({"shared": true})).await.ok();
        desk.admin.delete(&path(&ours)).await.status(204);
        desk.supervisor.get(&path(&ours)).await.refused(404, "not_found");
        let facts = |name: &str| json!({"name": name, "shared": true, "filter": open()});
        let expected = [
            (json!("delete"), facts("All of ours"), json!({})),
            (json!("create"), json!({}), facts("All of ours")),
            (json!("delete"), facts("All of ours"), json!({})),
            (json!("update"), json!({"name": "Ours"}), json!({"name": "All of ours"})),
            (json!("create"), json!({}), facts("Ours")),
        ];
        let seen = told(&desk).await.into_iter().map(|(action, before, after)| {
            let object = |facts: Value| if facts.is_null() { json!({}) } else { facts };
            (action, object(before), object(after))
        });
        assert_eq!(seen.collect::<Vec<_>>(), expected);
    }

    /// A program has the filters of its account, and what its key does not allow is refused.
    async fn programs_have_filters_of_their_own(app: TestApp) {
        let desk = app.desk().await;
        let supervisor = account(&desk, "supervisor").await;
        let (_, reads) = key(&desk, &supervisor, &["read_conversation"]).await;
        let (_, uses) = key(&desk, &supervisor, &["use_saved_filters"]).await;
        let (_, searches) = key(&desk, &supervisor, &["use_saved_filters", "read_conversation"]).await;
        let (_, shares) = key(&desk, &supervisor, &["use_saved_filters", "share_saved_filters"]).await;
        reads.get(PATH).await.refused(403, "forbidden");
        let room = desk.open("hello").await;
        let met = format!("/conversations/{room}/saved-filters");
        for by in [&reads, &uses] {
            by.post(SEARCH, json!({"filter": open()})).await.refused(403, "forbidden");
            by.get(&met).await.refused(403, "forbidden");
        }
        let own = save(&uses, "A program's", false, condition("agent_id", "not_equals", json!("me"))).await;
        assert_eq!(own["owner_id"], json!(supervisor));
        uses.patch(&path(&own), json!({"shared": true})).await.refused(403, "forbidden");
        uses.post(PATH, json!({"name": "x", "shared": true, "filter": open()})).await.refused(403, "forbidden");
        assert_eq!(ids(&searches.post(SEARCH, json!({"filter_id": own["id"]})).await.ok()), [room.as_str()]);
        assert_eq!(ids(&searches.get(&met).await.ok()), ids(&json!({"data": [own]})));
        shares.patch(&path(&own), json!({"shared": true})).await.ok();
        uses.delete(&path(&own)).await.refused(403, "forbidden");
        assert_eq!(names(&desk.agent).await, ["A program's"]);
        let bot = account(&desk, "bot").await;
        let (_, bot) = key(&desk, &bot, &["use_saved_filters"]).await;
        save(&bot, "A bot's", false, open()).await;
        bot.post(PATH, json!({"name": "x", "shared": true, "filter": open()})).await.refused(403, "forbidden");
    }

    /// What a deleted member kept for itself is removed by the clean-up; what it shared stays and can be used and deleted.
    async fn what_a_deleted_member_leaves(app: TestApp) {
        let desk = app.desk().await;
        save(&desk.supervisor, "Mine", false, open()).await;
        let shared = save(&desk.supervisor, "Ours", true, open()).await;
        save(&desk.agent, "Another's", false, open()).await;
        desk.admin.delete(&format!("/members/{}", desk.supervisor.id())).await.status(204);
        let left = || {
            let of = saved_filter::table.order(saved_filter::id).select(saved_filter::name);
            of.load::<String>(&mut app.database().connect()).unwrap()
        };
        assert_eq!(left(), ["Mine", "Ours", "Another's"]);
        let cleaned = app.restarted(|settings| settings.cleaning.cleaning_minutes = 60).await;
        eventually("it is removed", || async { (left() == ["Ours", "Another's"]).then_some(()) }).await;
        let desk = cleaned.desk_of(desk.seed);
        let room = desk.open("hello").await;
        assert_eq!(ids(&desk.agent.post(SEARCH, json!({"filter_id": shared["id"]})).await.ok()), [room]);
        desk.admin.patch(&path(&shared), json!({"name": "Still ours"})).await.ok();
        desk.admin.patch(&path(&shared), json!({"shared": false})).await.refused(403, "forbidden");
        desk.admin.delete(&path(&shared)).await.status(204);
    }

    /// There is an end to how many are kept, for oneself and shared, also when many come at once.
    async fn how_many_there_may_be(app: TestApp) {
        let desk = app.desk().await;
        for (by, shared) in [(&desk.agent, false), (&desk.supervisor, true)] {
            for _ in 0..99 {
                save(by, "One of many", shared, open()).await;
            }
            let body = json!({"name": "Last", "shared": shared, "filter": open()});
            let answers = join_all((0..12).map(|_| by.post(PATH, body.clone()))).await;
            let made = answers.iter().filter(|answer| answer.status == 201).count();
            assert_eq!(made, 1, "{answers:?}");
            for refused in answers.into_iter().filter(|answer| answer.status != 201) {
                refused.refused(409, "limit_reached");
            }
        }
        // Who shares has room for itself, and another agent has too.
        let own = save(&desk.supervisor, "Mine", false, open()).await;
        save(&desk.second_agent, "Another's", false, open()).await;
        desk.supervisor.patch(&path(&own), json!({"shared": true})).await.refused(409, "limit_reached");
        desk.supervisor.patch(&path(&own), json!({"name": "Still mine"})).await.ok();
        // One that is full can be changed, and has room again when one is deleted.
        let page = desk.agent.get(&format!("{PATH}?limit=1")).await.ok();
        let first = &page["data"][0];
        desk.agent.patch(&path(first), json!({"name": "The first"})).await.ok();
        desk.agent.delete(&path(first)).await.status(204);
        save(&desk.agent, "Again", false, open()).await;
        desk.agent.post(PATH, json!({"name": "x", "filter": open()})).await.refused(409, "limit_reached");
    }

    /// Changes of one filter at once wait for each other: none is lost, and it is deleted once.
    async fn changes_at_once(app: TestApp) {
        let desk = app.desk().await;
        let shared = save(&desk.supervisor, "Ours", true, open()).await;
        let closed = condition("status", "equals", json!("closed"));
        let path = path(&shared);
        let mut changes = Vec::new();
        for index in 0..12 {
            changes.push(match index % 2 {
                0 => desk.admin.patch(&path, json!({"name": "All of ours"})),
                _ => desk.supervisor.patch(&path, json!({"filter": closed})),
            });
        }
        for changed in join_all(changes).await {
            changed.ok();
        }
        let is = desk.agent.get(&path).await.ok();
        assert_eq!((&is["name"], &is["filter"]), (&json!("All of ours"), &closed), "a change took another one back");
        assert_eq!(told(&desk).await.len(), 3, "what changed nothing is not told");
        let deleted = join_all((0..12).map(|_| desk.admin.delete(&path))).await;
        assert_eq!(deleted.iter().filter(|answer| answer.status == 204).count(), 1);
        for refused in deleted.into_iter().filter(|answer| answer.status != 204) {
            refused.refused(404, "not_found");
        }
        assert_eq!(told(&desk).await.len(), 4);
    }

    /// Whatever is sent instead of a filter is refused with its place.
    async fn what_is_refused(app: TestApp) {
        let desk = app.desk().await;
        let kept = save(&desk.agent, "Mine", false, open()).await;
        let deep = |levels| (0..levels).fold(open(), |inner, _| json!({"not": inner}));
        for (wrong, pointer) in [
            (deep(5), "/filter/not/not/not/not"),
            (deep(20), "/filter/not/not/not/not"),
            (json!({"all": []}), "/filter/all"),
            (json!({"all": vec![open(); 21]}), "/filter/all"),
            (json!("open"), "/filter"),
            (json!([open()]), "/filter"),
            (condition("agent", "equals", json!("me")), "/filter/field"),
            (condition("tenant_id", "equals", json!("1")), "/filter/field"),
            (condition("attributes.x' OR '1'='1", "equals", json!("1")), "/filter/field"),
            (condition("subject", "equals", json!("a\u{0}b")), "/filter/value"),
            (condition("subject", "equals", json!("x".repeat(60_000))), "/filter/value"),
            (json!({"all": vec![condition("subject", "equals", json!("x".repeat(10_000))); 10]}), "/filter"),
        ] {
            for answer in [
                desk.agent.post(SEARCH, json!({"filter": wrong})).await,
                desk.agent.post(PATH, json!({"name": "x", "filter": wrong})).await,
                desk.agent.patch(&path(&kept), json!({"filter": wrong})).await,
            ] {
                let refused = answer.refused(422, "validation_failed");
                assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
            }
        }
        desk.agent.post(SEARCH, json!({"filter": deep(60)})).await.refused(422, "validation_failed");
        let abyss = format!("{{\"filter\":{}1{}}}", "[".repeat(1_000), "]".repeat(1_000));
        let request = desk.agent.request(reqwest::Method::POST, SEARCH);
        let answer = request.header("content-type", "application/json").body(abyss).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 422);
        let huge = json!({"filter": condition("subject", "contains", json!("x".repeat(4_000_000)))});
        desk.agent.post(SEARCH, huge).await.refused(413, "payload_too_large");
        for (body, pointer) in [
            (json!({}), "/filter"),
            (json!({"filter": null, "filter_id": null}), "/filter"),
            (json!({"filter": open(), "filter_id": kept["id"]}), "/filter"),
            (json!({"filter": open(), "color": 1}), "/color"),
            (json!({"filter": open(), "limit": 0}), "/limit"),
            (json!({"filter": open(), "limit": 201}), "/limit"),
            (json!({"filter": open(), "cursor": "x"}), "/cursor"),
            (json!({"filter": open(), "cursor": "bm90IGpzb24"}), "/cursor"),
        ] {
            let refused = desk.agent.post(SEARCH, body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        for body in [
            json!({"filter": open()}),
            json!({"name": "", "filter": open()}),
            json!({"name": "  ", "filter": open()}),
            json!({"name": "x".repeat(101), "filter": open()}),
            json!({"name": "x"}),
            json!({"name": "x", "filter": null}),
            json!({"name": "x", "filter": open(), "shared": "yes"}),
            json!({"name": "x", "filter": open(), "owner_id": desk.admin.id()}),
        ] {
            desk.agent.post(PATH, body).await.refused(422, "validation_failed");
        }
        for body in [json!({"name": null}), json!({"shared": null}), json!({"filter": null}), json!({"id": "1"})] {
            desk.agent.patch(&path(&kept), body).await.refused(422, "validation_failed");
        }
        desk.agent.get(&format!("{PATH}?limit=0")).await.refused(400, "invalid_parameter");
        desk.agent.get(&format!("{PATH}?cursor=x")).await.refused(400, "invalid_parameter");
        for gone in ["1", "9223372036854775807"] {
            desk.agent.get(&format!("{PATH}/{gone}")).await.refused(404, "not_found");
            desk.agent.post(SEARCH, json!({"filter_id": gone})).await.refused(404, "not_found");
        }
        assert_eq!(desk.agent.get(&path(&kept)).await.ok(), kept, "nothing came of it");
    }
}
