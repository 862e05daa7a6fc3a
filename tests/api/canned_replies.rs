//! Canned replies: who reads, changes and uses them, and what they say.

use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::{Client, Desk};

async fn create(by: &Client, scope: &str, group: Option<&str>, shortcut: &str) -> Value {
    let text = "Hello {{ customer.nickname }}";
    let body =
        json!({"scope": scope, "group_id": group, "shortcut": shortcut, "title": "Greeting", "text": text});
    by.post("/canned-replies", body).await.status(201)
}

fn path(reply: &Value) -> String {
    format!("/canned-replies/{}", reply["id"].as_str().unwrap())
}

/// The shortcuts that somebody is shown, by pages of two.
async fn shortcuts(by: &Client, query: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = by.get(&format!("/canned-replies?limit=2{query}{cursor}")).await.ok();
        found.extend(
            page["data"].as_array().unwrap().iter().map(|one| one["shortcut"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// A group with the first agent in it, and a canned reply of each kind.
async fn stocked(desk: &Desk) -> (String, Value, Value, Value, Value) {
    let group = make(desk, "Returns").await;
    put(&desk.admin, &group, &desk.agent, "member").await;
    let of_tenant = create(&desk.admin, "tenant", None, "hi").await;
    let of_group = create(&desk.supervisor, "group", Some(&group), "returns").await;
    let own = create(&desk.agent, "member", None, "hi").await;
    let others = create(&desk.second_agent, "member", None, "hi-2").await;
    (group, of_tenant, of_group, own, others)
}

on_every_database! {
    /// Everybody of the staff sees the tenant's, those of its groups, and its own; nobody sees anybody else's.
    async fn each_sees_what_is_for_it(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (group, of_tenant, of_group, own, others) = stocked(&desk).await;
        create(&desk.admin, "member", None, "mine").await;
        assert_eq!(shortcuts(&desk.agent, "").await, ["hi", "returns", "hi"]);
        assert_eq!(shortcuts(&desk.second_agent, "").await, ["hi", "hi-2"]);
        assert_eq!(shortcuts(&desk.supervisor, "").await, ["hi", "returns"]);
        assert_eq!(shortcuts(&desk.admin, "").await, ["hi", "returns", "mine"]);
        assert_eq!(shortcuts(&desk.agent, "&scope=member").await, ["hi"]);
        assert_eq!(shortcuts(&desk.agent, &format!("&group_id={group}")).await, ["returns"]);
        assert_eq!(shortcuts(&desk.second_agent, &format!("&group_id={group}")).await, [""; 0]);
        assert_eq!(shortcuts(&desk.second_agent, "&shortcut=HI").await, ["hi", "hi-2"]);
        assert_eq!(shortcuts(&desk.second_agent, "&shortcut=h_").await, [""; 0], "no wildcard");
        assert_eq!(shortcuts(&desk.second_agent, "&shortcut=%25").await, [""; 0], "no wildcard");
        assert_eq!(shortcuts(&other.admin, "").await, [""; 0]);
        assert_eq!((&of_group["group_id"], &of_tenant["group_id"]), (&json!(group), &Value::Null));
        for (reply, hidden) in [
            (&of_tenant, vec![&other.admin]),
            (&of_group, vec![&desk.second_agent, &other.admin]),
            (&own, vec![&desk.second_agent, &desk.supervisor, &desk.admin]),
            (&others, vec![&desk.agent, &desk.admin]),
        ] {
            for by in hidden {
                by.get(&path(reply)).await.refused(404, "not_found");
                by.patch(&path(reply), json!({"title": "x"})).await.status(404);
                by.delete(&path(reply)).await.status(404);
            }
        }
        assert_eq!(desk.agent.get(&path(&of_group)).await.ok(), of_group);
        // Whoever leaves the group sees its canned replies no more; nor does anybody when the group is gone.
        crate::groups::out(&desk.admin, &group, &desk.agent).await;
        desk.agent.get(&path(&of_group)).await.refused(404, "not_found");
        desk.admin.delete(&format!("/groups/{group}")).await.status(204);
        desk.admin.get(&path(&of_group)).await.refused(404, "not_found");
        for by in [&desk.visitor, &desk.anonymous] {
            by.get("/canned-replies").await.status(if std::ptr::eq(by, &desk.visitor) { 403 } else { 401 });
        }
    }

    /// Agents change their own only; supervisors and administrators also those of the tenant and of groups.
    async fn who_may_change_them(app: TestApp) {
        let desk = app.desk().await;
        let (group, of_tenant, of_group, own, _) = stocked(&desk).await;
        for reply in [&of_tenant, &of_group] {
            desk.agent.patch(&path(reply), json!({"title": "x"})).await.refused(403, "forbidden");
            desk.agent.delete(&path(reply)).await.refused(403, "forbidden");
        }
        for (scope, group) in [("tenant", Value::Null), ("group", json!(group))] {
            let body = json!({"scope": scope, "group_id": group, "shortcut": "new", "title": "New", "text": "x"});
            desk.agent.post("/canned-replies", body).await.refused(403, "forbidden");
        }
        let changed = desk.agent.patch(&path(&own), json!({"shortcut": " Bye ", "text": "Bye!"})).await.ok();
        assert_eq!((&changed["shortcut"], &changed["text"], &changed["title"]), (&json!("bye"), &json!("Bye!"), &json!("Greeting")));
        assert_eq!(desk.agent.get(&path(&own)).await.ok(), changed);
        desk.supervisor.patch(&path(&of_tenant), json!({"title": "Hello"})).await.ok();
        desk.admin.delete(&path(&of_group)).await.status(204);
        desk.admin.get(&path(&of_group)).await.refused(404, "not_found");
        desk.agent.delete(&path(&own)).await.status(204);
        desk.agent.delete(&path(&own)).await.refused(404, "not_found");
    }

    /// A shortcut stands once for each of the tenant, a group and a member, also when two make it at once.
    async fn a_shortcut_stands_once(app: TestApp) {
        let desk = app.desk().await;
        let (group, of_tenant, ..) = stocked(&desk).await;
        let body = |scope: &str, group: Option<&str>, shortcut: &str| {
            json!({"scope": scope, "group_id": group, "shortcut": shortcut, "title": "t", "text": "x"})
        };
        desk.admin.post("/canned-replies", body("tenant", None, "HI")).await.refused(409, "name_taken");
        desk.admin.post("/canned-replies", body("group", Some(&group), "returns")).await.refused(409, "name_taken");
        let bye = create(&desk.admin, "tenant", None, "bye").await;
        desk.admin.patch(&path(&bye), json!({"shortcut": "hi"})).await.refused(409, "name_taken");
        assert_eq!(desk.admin.patch(&path(&of_tenant), json!({"shortcut": "hi"})).await.ok()["shortcut"], "hi");
        let both = futures_util::future::join_all(
            (0..4).map(|_| desk.agent.post("/canned-replies", body("member", None, "once"))),
        )
        .await;
        let mut answers: Vec<u16> = both.iter().map(|answer| answer.status).collect();
        answers.sort_unstable();
        assert_eq!(answers, [201, 409, 409, 409]);
    }

    /// What a canned reply says in a conversation that the caller sees; each time is a use.
    async fn a_canned_reply_is_rendered_for_a_conversation(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (_, of_tenant, ..) = stocked(&desk).await;
        let text = "Dear {{ customer.nickname }}, {{ agent.nickname }} of {{ tenant.name }} is with you ({{ conversation.id }})";
        desk.admin.patch(&path(&of_tenant), json!({"text": text})).await.ok();
        desk.visitor.patch("/me", json!({"nickname": "Eva {{ agent.nickname }}"})).await.ok();
        desk.agent.patch("/me", json!({"nickname": "Max"})).await.ok();
        let room = desk.open_and_claim("hello").await;
        let render = format!("{}/render", path(&of_tenant));
        let shop = desk.admin.get("/tenant").await.ok()["name"].as_str().unwrap().to_owned();
        let said = desk.agent.post(&render, json!({"conversation_id": room})).await.ok();
        assert_eq!(said, json!({"text": format!("Dear Eva {{{{ agent.nickname }}}}, Max of {shop} is with you ({room})")}));
        desk.supervisor.post(&render, json!({"conversation_id": room})).await.ok();
        assert_eq!(desk.agent.get(&path(&of_tenant)).await.ok()["use_count"], 2);
        // One that the caller does not see, or that is not there, is no conversation.
        let foreign = other.open_and_claim("hello").await;
        for (by, id) in [(&desk.second_agent, room.as_str()), (&desk.agent, foreign.as_str()), (&desk.agent, "7")] {
            let refused = by.post(&render, json!({"conversation_id": id})).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], "/conversation_id");
        }
        desk.visitor.post(&render, json!({"conversation_id": room})).await.refused(403, "forbidden");
        other.agent.post(&render, json!({"conversation_id": foreign})).await.refused(404, "not_found");
        // What is not known of this conversation is refused, and is no use.
        desk.admin.patch(&path(&of_tenant), json!({"text": "About {{ conversation.subject }}"})).await.ok();
        let refused = desk.agent.post(&render, json!({"conversation_id": room})).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/text");
        assert_eq!(desk.agent.get(&path(&of_tenant)).await.ok()["use_count"], 2);
        desk.agent.patch(&format!("/conversations/{room}"), json!({"subject": "Tea"})).await.ok();
        let said = desk.agent.post(&render, json!({"conversation_id": room})).await.ok();
        assert_eq!(said["text"], "About Tea");
    }

    /// What is no canned reply is refused with its place.
    async fn what_cannot_be_said_is_refused(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (group, foreign) = (make(&desk, "Returns").await, make(&other, "Returns").await);
        let body = |name: &str, value: Value| {
            let mut body = json!({"scope": "tenant", "shortcut": "s", "title": "t", "text": "x"});
            body[name] = value;
            body
        };
        for (body, pointer) in [
            (body("shortcut", json!("two words")), "/shortcut"),
            (body("shortcut", json!("")), "/shortcut"),
            (body("shortcut", json!("x".repeat(33))), "/shortcut"),
            (body("title", json!(" ")), "/title"),
            (body("title", json!("a\nb")), "/title"),
            (body("text", json!(" ")), "/text"),
            (body("text", json!("x".repeat(4_001))), "/text"),
            (body("text", json!("{{ customer.phone }}")), "/text"),
            (body("text", json!("{{ customer.nickname")), "/text"),
            (body("text", json!("{% for a in range(1000000) %}{% for b in range(1000000) %}x{% endfor %}{% endfor %}")), "/text"),
            (body("group_id", json!(group)), "/group_id"),
            (body("scope", json!("group")), "/group_id"),
            (json!({"scope": "group", "group_id": foreign, "shortcut": "s", "title": "t", "text": "x"}), "/group_id"),
        ] {
            let refused = desk.admin.post("/canned-replies", body.clone()).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        }
        for body in [body("scope", json!("everybody")), body("color", json!("red")), json!({"scope": "tenant"})] {
            desk.admin.post("/canned-replies", body).await.refused(422, "validation_failed");
        }
        assert_eq!(shortcuts(&desk.admin, "").await, [""; 0]);
    }
}
