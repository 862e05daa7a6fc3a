//! Custom attributes: who makes them, what values they take, and who is shown what.

use std::collections::BTreeSet;
use std::time::Duration;

use deskwire::db::schema::{attribute, conversation_attribute, customer_attribute};
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Client, Desk, eventually};

const PATH: &str = "/attributes";

/// An attribute that is to be made.
pub fn body(target: &str, key: &str, kind: &str) -> Value {
    let choices = if kind == "choice" { json!(["red", "green"]) } else { json!([]) };
    json!({"target": target, "key": key, "title": format!("The {key}"), "kind": kind, "choices": choices})
}

/// Makes an attribute; gives its path.
pub async fn make(by: &Client, target: &str, key: &str, kind: &str) -> String {
    let made = by.post(PATH, body(target, key, kind)).await.status(201);
    format!("{PATH}/{}", made["id"].as_str().unwrap())
}

/// Sets values of a conversation; gives all that it has then.
async fn set(by: &Client, room: &str, values: Value) -> Value {
    let change = json!({"attributes": values});
    by.patch(&format!("/conversations/{room}"), change).await.ok()["attributes"].clone()
}

/// What the log behind a conversation tells of changed attributes.
async fn told(desk: &Desk, room: &str) -> Vec<Value> {
    let conversation = desk.admin.get(&format!("/conversations/{room}")).await.ok();
    let Some(behind) = conversation["backstage_id"].as_str() else { return Vec::new() };
    let log = desk.admin.log(behind).await;
    let told = log.into_iter().filter(|entry| entry["kind"] == "attributes_changed");
    told.map(|entry| entry["content"]["changes"].clone()).collect()
}

async fn keys(by: &Client, query: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = by.get(&format!("{PATH}?limit=2{query}{cursor}")).await.ok();
        let data = page["data"].as_array().unwrap();
        found.extend(data.iter().map(|one| one["key"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

on_every_database! {
    /// Administrators make them, the staff read them, nobody else learns of them.
    async fn who_makes_and_reads_them(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        for (key, kind) in [("order", "text"), ("amount", "number"), ("colour", "choice")] {
            make(&desk.admin, "conversation", key, kind).await;
        }
        let own = make(&desk.admin, "customer", "order", "text").await;
        assert_eq!(keys(&desk.agent, "").await, ["order", "amount", "colour", "order"]);
        assert_eq!(keys(&desk.supervisor, "&target=customer").await, ["order"]);
        assert_eq!(keys(&other.admin, "").await, [""; 0]);
        for (name, client) in desk.everybody() {
            let read = match name {
                "anonymous" => 401,
                "visitor" | "second visitor" => 403,
                _ => 200,
            };
            client.get(PATH).await.status(read);
            client.get(&own).await.status(read);
            if name != "admin" {
                let refused = if name == "anonymous" { 401 } else { 403 };
                client.post(PATH, body("customer", "mine", "text")).await.status(refused);
                client.patch(&own, json!({"title": "Mine"})).await.status(refused);
                client.delete(&own).await.status(refused);
            }
        }
        for path in [own.as_str(), "/attributes/1"] {
            other.admin.get(path).await.refused(404, "not_found");
            other.admin.patch(path, json!({"title": "Mine"})).await.refused(404, "not_found");
            other.admin.delete(path).await.refused(404, "not_found");
        }
        // A key belongs to a target and a tenant.
        desk.admin.post(PATH, body("customer", "order", "date")).await.refused(409, "name_taken");
        make(&other.admin, "customer", "order", "date").await;
    }

    /// Wrong ones are refused field by field, and there is an end to how many there are, twelve at once included.
    async fn what_is_refused(app: TestApp) {
        let desk = app.desk().await;
        for (change, pointer) in [
            (json!({"key": ""}), "/key"),
            (json!({"key": "Order"}), "/key"),
            (json!({"key": "a b"}), "/key"),
            (json!({"key": "a".repeat(65)}), "/key"),
            (json!({"title": " "}), "/title"),
            (json!({"title": "x".repeat(101)}), "/title"),
            (json!({"title": "a\nb"}), "/title"),
            (json!({"target": "tenant"}), "/target"),
            (json!({"kind": "list"}), "/kind"),
            (json!({"kind": "choice"}), "/choices"),
            (json!({"choices": ["a"]}), "/choices"),
            (json!({"kind": "choice", "choices": ["a", "a"]}), "/choices/1"),
            (json!({"kind": "choice", "choices": [""]}), "/choices/0"),
            (json!({"kind": "choice", "choices": vec!["a"; 101]}), "/choices"),
            (json!({"visible_to_customer": "yes"}), "/visible_to_customer"),
            (json!({"color": "red"}), "/color"),
        ] {
            let mut wrong = body("customer", "order", "text");
            wrong.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let refused = desk.admin.post(PATH, wrong).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{change}: {refused}");
        }
        let made = make(&desk.admin, "customer", "colour", "choice").await;
        for change in [json!({"kind": "text"}), json!({"key": "other"}), json!({"target": "customer"})] {
            desk.admin.patch(&made, change).await.refused(422, "validation_failed");
        }
        desk.admin.patch(&made, json!({"choices": []})).await.refused(422, "validation_failed");
        for index in 0..93 {
            make(&desk.admin, "customer", &format!("k{index}"), "text").await;
        }
        let same = (0..12).map(|index| desk.admin.post(PATH, body("customer", &format!("last{}", index / 2), "text")));
        let answers = join_all(same).await;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(201), count(409)), (6, 6), "each key once: {answers:?}");
        desk.admin.post(PATH, body("customer", "more", "text")).await.refused(409, "limit_reached");
        make(&desk.admin, "conversation", "more", "text").await;
    }

    /// Values are checked by their kinds, kept, told behind the conversation, and shown to a customer as far as they are
    /// meant for it.
    async fn values_of_a_conversation(app: TestApp) {
        let desk = app.desk().await;
        for kind in ["text", "number", "boolean", "date", "choice"] {
            make(&desk.admin, "conversation", &format!("a_{kind}"), kind).await;
        }
        let shown = make(&desk.admin, "conversation", "shown", "text").await;
        desk.admin.patch(&shown, json!({"visible_to_customer": true})).await.ok();
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}");
        let mut socket = desk.agent.socket().await;
        let all = json!({
            "a_text": "A-1", "a_number": 19.99, "a_boolean": false, "a_date": "2026-02-28", "a_choice": "red",
            "shown": "on its way",
        });
        assert_eq!(set(&desk.agent, &room, all.clone()).await, all);
        let row = socket.wait("the row", |frame| {
            frame["type"] == "inbox" && frame["data"]["conversation"]["attributes"]["a_text"] == "A-1"
        }).await;
        assert_eq!(row["data"]["conversation"]["attributes"], all);
        let visible = json!({"shown": "on its way"});
        assert_eq!(desk.visitor.get(&path).await.ok()["attributes"], visible);
        assert_eq!(desk.visitor.get("/conversations").await.ok()["data"][0]["attributes"], visible);
        assert_eq!(desk.visitor.get("/inbox").await.ok()["data"][0]["conversation"]["attributes"], visible);
        assert_eq!(desk.supervisor.get("/conversations").await.ok()["data"][0]["attributes"], all);

        let version = desk.agent.get(&path).await.ok()["version"].clone();
        set(&desk.agent, &room, json!({"a_text": " A-1 ", "a_number": 19.990, "a_date": "2026-02-28"})).await;
        assert_eq!(desk.agent.get(&path).await.ok()["version"], version, "nothing changed");
        let left = set(&desk.supervisor, &room, json!({"a_number": 20, "a_boolean": null, "a_date": null})).await;
        assert_eq!(left, json!({"a_text": "A-1", "a_number": 20, "a_choice": "red", "shown": "on its way"}));
        let changes = told(&desk, &room).await;
        assert_eq!(changes.len(), 2, "{changes:?}");
        let said: Vec<Value> = changes[1].as_array().unwrap().iter().map(|change| {
            json!([change["key"], change["from"], change["to"]])
        }).collect();
        let expected =
            json!([["a_boolean", false, null], ["a_date", "2026-02-28", null], ["a_number", 19.99, 20]]);
        assert_eq!(json!(said), expected);
        assert_eq!(set(&desk.agent, &room, Value::Null).await, json!({}));
        assert_eq!(told(&desk, &room).await.len(), 3);
        let front = desk.visitor.log(&room).await;
        assert!(!json!(front).to_string().contains("A-1"), "the customer is told nothing");

        for (values, pointer) in [
            (json!({"a_text": 5}), "/attributes/a_text"),
            (json!({"a_number": "5"}), "/attributes/a_number"),
            (json!({"a_number": 0.0001}), "/attributes/a_number"),
            (json!({"a_boolean": "true"}), "/attributes/a_boolean"),
            (json!({"a_date": "2026-02-30"}), "/attributes/a_date"),
            (json!({"a_choice": "blue"}), "/attributes/a_choice"),
            (json!({"a_choice": {"deep": []}}), "/attributes/a_choice"),
            (json!({"a_text": "fine", "unknown": 1}), "/attributes/unknown"),
            (json!([]), "/attributes"),
        ] {
            let answer = desk.agent.patch(&path, json!({"attributes": values})).await;
            let refused = answer.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{values}: {refused}");
        }
        assert_eq!(desk.agent.get(&path).await.ok()["attributes"], json!({}));
        let values = json!({"attributes": {"a_text": "x"}});
        desk.visitor.patch(&path, values.clone()).await.refused(403, "forbidden");
        desk.second_agent.patch(&path, values.clone()).await.refused(404, "not_found");
        app.desk().await.admin.patch(&path, values).await.refused(404, "not_found");
    }

    /// Twelve at once: each change starts from what the one before left.
    async fn many_changes_at_once(app: TestApp) {
        let desk = app.desk().await;
        make(&desk.admin, "conversation", "count", "number").await;
        make(&desk.admin, "customer", "count", "number").await;
        let room = desk.open_and_claim("hello").await;
        let customer = format!("/members/{}/attributes", desk.visitor.id());
        let changes = (1..=12).map(|number| set(&desk.agent, &room, json!({"count": number})));
        join_all(changes).await;
        let changes = (1..=12).map(|number| desk.agent.patch(&customer, json!({"attributes": {"count": number}})));
        join_all(changes).await.into_iter().for_each(|answer| drop(answer.ok()));
        let mut before = Value::Null;
        let mut seen = BTreeSet::new();
        for change in told(&desk, &room).await {
            assert_eq!(change[0]["from"], before, "{change}");
            before = change[0]["to"].clone();
            seen.insert(before.as_i64().unwrap());
        }
        assert_eq!(seen.len(), 12);
        assert_eq!(desk.agent.get(&format!("/conversations/{room}")).await.ok()["attributes"]["count"], before);
        let values: i64 = customer_attribute::table.count().get_result(&mut app.database().connect()).unwrap();
        assert_eq!(values, 1);
    }

    /// Values of customers: of whom one serves, with the audit log as the witness.
    async fn values_of_a_customer(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        make(&desk.admin, "customer", "level", "choice").await;
        let since = make(&desk.admin, "customer", "since", "date").await;
        desk.admin.patch(&since, json!({"visible_to_customer": true})).await.ok();
        let path = format!("/members/{}/attributes", desk.visitor.id());
        let values = |values: Value| json!({"attributes": values});
        desk.agent.get(&path).await.refused(404, "not_found");
        desk.agent.patch(&path, values(json!({"level": "red"}))).await.refused(404, "not_found");
        let room = desk.open_and_claim("hello").await;
        let all = json!({"level": "red", "since": "2020-05-01"});
        let made = desk.agent.patch(&path, values(all.clone())).await.ok();
        assert_eq!(made, values(all.clone()));
        for by in [&desk.agent, &desk.supervisor, &desk.admin] {
            assert_eq!(by.get(&path).await.ok(), values(all.clone()));
        }
        assert_eq!(desk.visitor.get(&path).await.ok(), values(json!({"since": "2020-05-01"})));
        desk.visitor.patch(&path, values(json!({"since": null}))).await.refused(403, "forbidden");
        desk.anonymous.get(&path).await.status(401);
        for by in [&desk.second_visitor, &desk.second_agent, &other.admin] {
            by.get(&path).await.refused(404, "not_found");
        }
        for by in [&desk.second_agent, &other.admin] {
            by.patch(&path, values(json!({"level": "green"}))).await.refused(404, "not_found");
        }
        // An account of the staff, and an attribute of conversations.
        let staff = format!("/members/{}/attributes", desk.agent.id());
        desk.admin.patch(&staff, values(json!({"level": "red"}))).await.refused(404, "not_found");
        make(&desk.admin, "conversation", "order", "text").await;
        desk.admin.patch(&path, values(json!({"order": "A-1"}))).await.refused(422, "validation_failed");
        desk.admin.patch(&path, json!({})).await.refused(422, "validation_failed");
        desk.admin.patch(&path, json!({"attributes": null})).await.refused(422, "validation_failed");

        let left = desk.supervisor.patch(&path, values(json!({"level": "green", "since": null}))).await.ok();
        assert_eq!(left, values(json!({"level": "green"})));
        desk.supervisor.patch(&path, values(json!({"level": "green"}))).await.ok();
        let events = desk.admin.get("/audit-events?target_type=member").await.ok();
        let events = events["data"].as_array().unwrap();
        assert_eq!(events.len(), 2, "{events:?}");
        let before = json!({"attributes.level": "red", "attributes.since": "2020-05-01"});
        let after = json!({"attributes.level": "green", "attributes.since": null});
        assert_eq!((&events[0]["before"], &events[0]["after"]), (&before, &after));
        // Whoever serves it no longer reads nothing more.
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        desk.agent.get(&path).await.refused(404, "not_found");
    }

    /// A choice that a value has stays, whoever is faster; others may go.
    async fn a_choice_in_use_stays(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let customer = format!("/members/{}/attributes", desk.visitor.id());
        for target in ["conversation", "customer"] {
            let made = make(&desk.admin, target, "colour", "choice").await;
            let values = json!({"attributes": {"colour": "red"}});
            let path = if target == "customer" { customer.clone() } else { format!("/conversations/{room}") };
            desk.agent.patch(&path, values.clone()).await.ok();
            let refused = desk.admin.patch(&made, json!({"choices": ["green"]})).await.refused(409, "in_use");
            assert_eq!(refused["context"]["choices"], json!(["red"]));
            let kept = desk.admin.patch(&made, json!({"choices": ["blue", "red"]})).await.ok();
            assert_eq!(kept["choices"], json!(["blue", "red"]));
            desk.agent.patch(&path, json!({"attributes": {"colour": "green"}})).await.refused(422, "validation_failed");
            desk.agent.patch(&path, json!({"attributes": {"colour": "blue"}})).await.ok();
            // One takes the choice away while others set it: never both. SQLite's writer is kept busy meanwhile, so that all
            // of them wait for the same transaction.
            let busy = app.db.write(|_| {
                std::thread::sleep(Duration::from_millis(300));
                Ok(())
            });
            let sets = (0..12).map(|_| desk.agent.patch(&path, values.clone()));
            let take = desk.admin.patch(&made, json!({"choices": ["blue"]}));
            let (busy, sets, take) = futures_util::join!(busy, join_all(sets), take);
            busy.unwrap();
            let red = sets.iter().filter(|answer| answer.status == 200).count();
            assert!((red > 0) == (take.status == 409), "{red} set it, and it {}", take.status);
        }
    }

    /// A deleted attribute is shown nowhere from that moment; what belongs to it goes in the background, and a new one with
    /// its key has none of it.
    async fn a_deleted_one_goes_with_its_values(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let customer = format!("/members/{}/attributes", desk.visitor.id());
        for target in ["conversation", "customer"] {
            make(&desk.admin, target, "order", "text").await;
            make(&desk.admin, target, "kept", "text").await;
        }
        let values = json!({"order": "A-1", "kept": "K-1"});
        set(&desk.agent, &room, values.clone()).await;
        desk.agent.patch(&customer, json!({"attributes": values})).await.ok();
        for one in desk.admin.get(PATH).await.ok()["data"].as_array().unwrap() {
            if one["key"] == "order" {
                let path = format!("{PATH}/{}", one["id"].as_str().unwrap());
                desk.admin.delete(&path).await.status(204);
                desk.admin.delete(&path).await.refused(404, "not_found");
            }
        }
        assert_eq!(keys(&desk.admin, "").await, ["kept", "kept"]);
        let kept = json!({"kept": "K-1"});
        let path = format!("/conversations/{room}");
        assert_eq!(desk.agent.get(&path).await.ok()["attributes"], kept);
        assert_eq!(desk.agent.get(&customer).await.ok()["attributes"], kept);
        let again = json!({"attributes": {"order": "A-2"}});
        desk.agent.patch(&path, again.clone()).await.refused(422, "validation_failed");
        for target in ["conversation", "customer"] {
            make(&desk.admin, target, "order", "number").await;
        }
        assert_eq!(desk.agent.get(&path).await.ok()["attributes"], kept);
        desk.agent.patch(&path, again).await.refused(422, "validation_failed");
        assert_eq!(set(&desk.agent, &room, json!({"order": 2})).await, json!({"kept": "K-1", "order": 2}));
        let rows = || {
            let mut connection = app.database().connect();
            let attributes: i64 = attribute::table.count().get_result(&mut connection).unwrap();
            let conversations: i64 = conversation_attribute::table.count().get_result(&mut connection).unwrap();
            let customers: i64 = customer_attribute::table.count().get_result(&mut connection).unwrap();
            (attributes, conversations, customers)
        };
        assert_eq!(rows(), (6, 3, 2));
        let cleaner = app.restarted(|settings| settings.cleaning.cleaning_minutes = 60).await;
        eventually("what was deleted is gone", || async { (rows() == (4, 2, 1)).then_some(()) }).await;
        cleaner.stop().await;
    }
}
