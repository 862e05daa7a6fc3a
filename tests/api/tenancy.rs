//! P7: every operation of the OpenAPI document, called by every role of another tenant with this tenant's ids. What
//! is somebody else's answers as if it were not there, shows nothing and changes nothing.

use deskwire::db::schema::{auth_session, identity_key, member};
use deskwire::domain::conversation::ParticipantRow;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Desk, TestApp};

/// Stands in everything that the first tenant writes.
const CANARY: &str = "canary-of-the-first-tenant";

on_every_database! {
    /// Ids in the path, in the query and in the body.
    async fn another_tenants_ids_lead_nowhere(app: TestApp) {
        let ours = app.desk().await;
        let theirs = app.desk().await;
        let place = furnish(&app, &ours).await;
        let document = ours.anonymous.get("/openapi.json").await.ok();
        let before = fingerprint(&app, &ours).await;
        let mut called = 0;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
                if path.ends_with("/ws") || !path.starts_with("/api/v1") {
                    continue;
                }
                for (role, client) in theirs.everybody() {
                    call(&document, client, &method, path, operation, (role, &place)).await;
                    called += 1;
                }
            }
        }
        assert!(called > 300, "only {called} calls were made");
        assert_eq!(fingerprint(&app, &ours).await, before, "a foreign call changed something");
    }

    /// The same over the socket: every frame that names a room.
    async fn another_tenants_rooms_are_not_there_on_the_socket(app: TestApp) {
        let ours = app.desk().await;
        let theirs = app.desk().await;
        let place = furnish(&app, &ours).await;
        let before = fingerprint(&app, &ours).await;
        for (role, client) in theirs.everybody().into_iter().skip(1) {
            let hello = json!({"device": "d", "conversations": [[place.room, 0], [place.backstage, 0]]});
            let mut socket = client.socket_with(hello).await;
            for room in [&place.room, &place.backstage] {
                let words = json!({"text": "x"});
                let send = json!({"conversation_id": room, "client_msg_id": "k", "kind": "text", "content": words});
                let edit = json!({"conversation_id": room, "seq": 2, "kind": "text", "content": words});
                let seq = json!({"conversation_id": room, "seq": 2});
                let frames = [
                    ("message.send", send),
                    ("message.edit", edit),
                    ("message.recall", seq.clone()),
                    ("read", seq.clone()),
                    ("mark_unread", seq),
                    ("pull", json!({"conversation_id": room, "after_seq": 0})),
                ];
                for (kind, data) in frames {
                    let reply = socket.ask_any(kind, data).await;
                    assert_eq!(reply["data"]["code"], "not_found", "{role}: {kind} was answered {reply}");
                }
                let reply = socket.ask_any("watch", json!({"conversations": [room]})).await;
                let watched = reply["data"]["conversations"].as_array().is_some_and(|list| !list.is_empty());
                assert!(!watched, "{role} watches a foreign room: {reply}");
                socket.send_frame("typing", json!({"conversation_id": room, "on": true})).await;
            }
            ours.visitor.send(&place.room, CANARY).await;
            socket.barrier().await;
            for frame in socket.take_kept() {
                assert!(!frame.to_string().contains(CANARY), "{role} received {frame}");
            }
        }
        let after = fingerprint(&app, &ours).await;
        assert_eq!(after.members, before.members);
        assert_eq!(after.participants, before.participants, "a position moved");
    }
}

/// What the first tenant owns.
struct Place {
    room: String,
    backstage: String,
    member: String,
    visitor: String,
    session: String,
    key: String,
}

async fn furnish(app: &TestApp, desk: &Desk) -> Place {
    let room = desk.visitor.open(CANARY).await;
    desk.agent.claim(&room).await;
    desk.agent.send(&room, CANARY).await;
    let note = json!({"client_msg_id": "note", "kind": "text", "content": {"text": CANARY}});
    desk.agent.post(&format!("/conversations/{room}/notes"), note).await.ok();
    let labels = json!({"tags": [CANARY], "subject": CANARY});
    desk.agent.patch(&format!("/conversations/{room}"), labels).await.ok();
    desk.admin.patch("/me", json!({"nickname": CANARY})).await.ok();
    let key = desk.admin.post("/identity-keys", json!({"kid": "canary"})).await.ok();
    let store = app.audit().await;
    let backstage = store.rooms[&room.parse().unwrap()].backstage_id.expect("a note makes a backstage room");
    Place {
        room,
        backstage: backstage.to_string(),
        member: desk.agent.id(),
        visitor: desk.visitor.id(),
        session: desk.seed.agent.session.to_string(),
        key: key["id"].as_str().unwrap_or("1").to_owned(),
    }
}

/// Calls one operation as one foreign role, with the front room's and with the backstage room's id.
async fn call(
    document: &Value,
    client: &Client,
    method: &Method,
    path: &str,
    operation: &Value,
    (role, place): (&str, &Place),
) {
    for room in [&place.room, &place.backstage] {
        let relative = path.strip_prefix("/api/v1").unwrap();
        let id = match relative.split('/').nth(1).unwrap_or_default() {
            "conversations" => room,
            "members" => &place.member,
            "auth" => &place.session,
            "identity-keys" => &place.key,
            _ => &place.visitor,
        };
        let mut filled =
            relative.replace("{id}", id).replace("{member_id}", &place.member).replace("{seq}", "2");
        let names_ours = filled != relative;
        let queries: Vec<String> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["in"] == "query" && one["name"].as_str().unwrap().ends_with("_id"))
            .map(|one| format!("{}={}", one["name"].as_str().unwrap(), place.member))
            .collect();
        if !queries.is_empty() {
            filled = format!("{filled}?{}", queries.join("&"));
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let mut foreign = false;
        let body = schema.is_object().then(|| sample(document, schema, "", place, &mut foreign));
        let answer = client.call(method.clone(), &filled, body.clone()).await;
        let told = format!("{role}: {answer} (body {body:?})");
        assert!(answer.status < 500, "{told}");
        assert!(!answer.body.to_string().contains(CANARY), "{told}");
        if names_ours {
            assert!([401, 403, 404].contains(&answer.status), "{told}");
        }
        if foreign {
            assert!(answer.status >= 400, "an id of another tenant was taken: {told}");
        }
        if path.starts_with("/api/v1/auth/") && method != Method::GET {
            // Signing out changes the caller, who is needed for the next call; a refusal does not.
            assert!(role == "anonymous" || answer.status < 500, "{told}");
        }
    }
}

/// A value that fits a schema; ids are the first tenant's.
fn sample(document: &Value, schema: &Value, name: &str, place: &Place, foreign: &mut bool) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = &document["components"]["schemas"][reference.rsplit('/').next().unwrap()];
        return sample(document, target, reference.rsplit('/').next().unwrap(), place, foreign);
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(first) =
            schema[choice].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null"))
        {
            return sample(document, first, name, place, foreign);
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str().unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    };
    match (kind, name) {
        ("object", "content") => json!({"text": "foreign"}),
        ("object", _) => {
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut value = json!({});
            for (property, inner) in schema["properties"].as_object().into_iter().flatten() {
                if required.contains(&property.as_str())
                    || property.ends_with("_id") && property != "external_id"
                {
                    value[property] = sample(document, inner, property, place, foreign);
                }
            }
            value
        }
        ("array", _) => json!([]),
        ("integer" | "number", _) => json!(1),
        ("boolean", _) => json!(true),
        (_, "MemberId") => {
            *foreign = true;
            json!(place.visitor)
        }
        (_, "ConversationId") => {
            *foreign = true;
            json!(place.room)
        }
        (_, "SessionId" | "TenantId") => json!(place.session),
        (_, "Password") => json!("long enough a password"),
        _ => json!(format!("word-{name}")),
    }
}

/// What the first tenant's tables hold.
#[derive(Debug, PartialEq)]
struct Fingerprint {
    rooms: Vec<String>,
    participants: Vec<String>,
    entries: Vec<String>,
    members: Vec<String>,
}

async fn fingerprint(app: &TestApp, desk: &Desk) -> Fingerprint {
    let store = app.audit().await;
    let tenant = desk.tenant;
    let mut connection = app.database().connect();
    let members: Vec<(i64, String, String, String, Option<i64>)> = member::table
        .filter(member::tenant_id.eq(tenant.0))
        .order(member::id)
        .select((member::id, member::role, member::status, member::nickname, member::deleted_at))
        .load(&mut connection)
        .unwrap();
    let sessions: Vec<(i64, Option<i64>)> = auth_session::table
        .filter(auth_session::tenant_id.eq(tenant.0))
        .order(auth_session::id)
        .select((auth_session::id, auth_session::revoked_at))
        .load(&mut connection)
        .unwrap();
    let keys: Vec<(i64, Option<i64>)> = identity_key::table
        .filter(identity_key::tenant_id.eq(tenant.0))
        .order(identity_key::id)
        .select((identity_key::id, identity_key::revoked_at))
        .load(&mut connection)
        .unwrap();
    let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
    Fingerprint {
        rooms: store.rooms.values().filter(|row| row.tenant_id == tenant).map(|row| text(row)).collect(),
        participants: store
            .participants
            .iter()
            .filter(|row| row.tenant_id == tenant)
            // Moves with the owner's own messages, which it sends while it is spied on.
            .map(|row| text(&ParticipantRow { last_sent_seq: 0, ..row.clone() }))
            .collect(),
        entries: store.entries.iter().filter(|row| row.tenant_id == tenant).map(|row| text(row)).collect(),
        members: [text(&members), text(&sessions), text(&keys)].to_vec(),
    }
}
