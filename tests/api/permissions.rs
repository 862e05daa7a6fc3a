//! The table of rights at the door: what each role gets from each operation on one conversation that an agent
//! serves, and on the tenant. Each cell has a conversation of its own. An operation that is not in the table fails
//! the test.

use std::collections::BTreeSet;

use deskwire::domain::member::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::personas::message;
use crate::harness::{Client, Desk, TestApp};

/// Statuses in the order: nobody, the customer, another visitor, the serving agent, another agent, a supervisor, an
/// administrator. 404 = may not see it, 403 = may see it and not do it, or is in a role that never may, whatever is
/// there.
type Row = (&'static str, &'static str, fn(&Place) -> Value, [u16; 7]);

/// What the requests of one cell name.
struct Place {
    agent: String,
    second_agent: String,
    group: String,
}

fn nothing(_: &Place) -> Value {
    Value::Null
}

const ROWS: &[Row] = &[
    ("GET", "/conversations", nothing, [401, 200, 200, 200, 200, 200, 200]),
    (
        "POST",
        "/conversations/search",
        |_| json!({"filter": {"field": "status", "operator": "is_set"}}),
        [401, 403, 403, 200, 200, 200, 200],
    ),
    ("GET", "/conversations/{id}/saved-filters", nothing, [401, 403, 403, 200, 404, 200, 200]),
    ("GET", "/saved-filters", nothing, [401, 403, 403, 200, 200, 200, 200]),
    (
        "POST",
        "/saved-filters",
        |_| json!({"name": "f", "filter": {"field": "status", "operator": "is_set"}}),
        [401, 403, 403, 201, 201, 201, 201],
    ),
    ("GET", "/notifications", nothing, [401, 200, 200, 200, 200, 200, 200]),
    ("POST", "/notifications/read", |_| json!({"until": "1"}), [401, 200, 200, 200, 200, 200, 200]),
    ("GET", "/conversations/{id}", nothing, [401, 200, 404, 200, 404, 200, 200]),
    ("PATCH", "/conversations/{id}", |_| json!({"subject": "s"}), [401, 403, 403, 200, 404, 200, 200]),
    ("POST", "/conversations/{id}/claim", nothing, [401, 403, 403, 200, 409, 409, 409]),
    (
        "POST",
        "/conversations/{id}/assign",
        |at| json!({"agent_id": at.second_agent}),
        [401, 403, 403, 403, 404, 200, 200],
    ),
    (
        "POST",
        "/conversations/{id}/transfer",
        |at| json!({"agent_id": at.second_agent}),
        [401, 403, 403, 409, 404, 200, 200],
    ),
    (
        "POST",
        "/conversations/{id}/transfer",
        |at| json!({"group_id": at.group}),
        [401, 403, 403, 200, 404, 200, 200],
    ),
    ("DELETE", "/conversations/{id}/transfer", nothing, [401, 403, 403, 200, 404, 200, 200]),
    ("GET", "/conversations/{id}/transfers", nothing, [401, 403, 403, 403, 404, 200, 200]),
    (
        "POST",
        "/conversations/{id}/dock",
        |at| json!({"group_id": at.group}),
        [401, 403, 403, 200, 404, 200, 200],
    ),
    (
        "POST",
        "/groups/{id}/dock",
        |at| json!({"conversation_ids": [at.group]}),
        [401, 403, 403, 403, 403, 200, 200],
    ),
    ("POST", "/conversations/{id}/take_over", |_| json!({}), [401, 403, 403, 403, 404, 200, 200]),
    ("POST", "/conversations/{id}/hand_off", |_| json!({}), [401, 403, 403, 409, 404, 409, 409]),
    ("POST", "/conversations/{id}/release", |_| json!({}), [401, 403, 403, 200, 404, 200, 200]),
    ("POST", "/conversations/{id}/close", |_| json!({}), [401, 200, 404, 200, 404, 200, 200]),
    ("POST", "/conversations/{id}/reopen", nothing, [401, 409, 404, 409, 404, 409, 409]),
    ("GET", "/conversations/{id}/members", nothing, [401, 200, 404, 200, 404, 200, 200]),
    (
        "POST",
        "/conversations/{id}/members",
        |at| json!({"member_id": at.second_agent}),
        [401, 403, 403, 200, 404, 200, 200],
    ),
    ("DELETE", "/conversations/{id}/members/{member_id}", nothing, [401, 403, 403, 409, 404, 409, 409]),
    ("GET", "/conversations/{id}/assignments", nothing, [401, 403, 403, 403, 404, 200, 200]),
    ("POST", "/conversations/{id}/messages", |_| message("m"), [401, 201, 404, 201, 404, 403, 403]),
    ("GET", "/conversations/{id}/messages", nothing, [401, 200, 404, 200, 404, 200, 200]),
    ("GET", "/conversations/{id}/entries", nothing, [401, 200, 404, 200, 404, 200, 200]),
    ("GET", "/conversations/{id}/messages/{seq}", nothing, [401, 200, 404, 200, 404, 200, 200]),
    (
        "PATCH",
        "/conversations/{id}/messages/{seq}",
        |_| json!({"kind": "text", "content": {"text": "e"}}),
        [401, 200, 404, 403, 404, 403, 403],
    ),
    ("DELETE", "/conversations/{id}/messages/{seq}", nothing, [401, 200, 404, 403, 404, 200, 200]),
    ("GET", "/conversations/{id}/messages/{seq}/revisions", nothing, [401, 403, 404, 403, 404, 200, 200]),
    ("POST", "/conversations/{id}/notes", |_| message("n"), [401, 403, 403, 201, 404, 201, 201]),
    ("GET", "/conversations/{id}/notes", nothing, [401, 403, 403, 200, 404, 200, 200]),
    ("POST", "/conversations/{id}/read", |_| json!({"seq": 2}), [401, 200, 404, 200, 404, 403, 403]),
    ("POST", "/conversations/{id}/mark_unread", |_| json!({"seq": 1}), [401, 200, 404, 200, 404, 403, 403]),
    ("POST", "/conversations/{id}/delivered", |_| json!({"seq": 2}), [401, 204, 404, 204, 404, 403, 403]),
    ("GET", "/inbox", nothing, [401, 200, 200, 200, 200, 200, 200]),
    ("GET", "/sync", nothing, [401, 200, 200, 200, 200, 200, 200]),
    ("GET", "/entries", nothing, [401, 403, 403, 403, 403, 403, 200]),
    ("GET", "/me", nothing, [401, 200, 200, 200, 200, 200, 200]),
    ("PATCH", "/me", |_| json!({"avatar": ""}), [401, 200, 200, 200, 200, 200, 200]),
    ("GET", "/auth/sessions", nothing, [401, 200, 200, 200, 200, 200, 200]),
    ("GET", "/tenant", nothing, [401, 200, 200, 200, 200, 200, 200]),
    ("PATCH", "/tenant", |_| json!({"name": "Shop"}), [401, 403, 403, 403, 403, 403, 200]),
    ("GET", "/identity-keys", nothing, [401, 403, 403, 403, 403, 403, 200]),
    (
        "POST",
        "/identity-keys",
        |_| json!({"kid": message("")["client_msg_id"]}),
        [401, 403, 403, 403, 403, 403, 201],
    ),
    ("GET", "/members", nothing, [401, 403, 403, 200, 200, 200, 200]),
    ("GET", "/members/{agent}", nothing, [401, 403, 403, 404, 404, 200, 200]),
    ("PATCH", "/members/{agent}", |_| json!({"nickname": "n"}), [401, 403, 403, 404, 404, 403, 200]),
    ("GET", "/presence", nothing, [401, 403, 403, 200, 200, 200, 200]),
    ("GET", "/presence/{member_id}/history", nothing, [401, 403, 403, 200, 403, 200, 200]),
    ("PUT", "/presence", |_| json!({"status": "busy"}), [401, 403, 403, 200, 200, 200, 200]),
    ("GET", "/queue", nothing, [401, 403, 403, 200, 200, 200, 200]),
    ("GET", "/conversations/{id}/queue", nothing, [401, 200, 404, 200, 404, 200, 200]),
    ("GET", "/offers", nothing, [401, 403, 403, 200, 200, 200, 200]),
    ("POST", "/conversations/{id}/accept", nothing, [401, 403, 403, 409, 404, 409, 409]),
    ("POST", "/conversations/{id}/decline", nothing, [401, 403, 403, 409, 404, 409, 409]),
    ("GET", "/conversations/{id}/routing/explain", nothing, [401, 403, 403, 200, 404, 200, 200]),
    ("POST", "/members/{agent}/unlock", nothing, [401, 403, 403, 403, 403, 403, 204]),
];

/// Operations whose outcome does not depend on a role's reach: public ones, those on the caller's own session, and
/// those whose own tests judge them.
const ELSEWHERE: &[&str] = &[
    "POST /conversations",
    "POST /rooms",
    "PUT /rooms/direct/{member_id}",
    "GET /search/messages",
    "GET /search/members",
    "GET /search/conversations",
    "POST /attachments",
    "GET /attachments/{id}",
    "DELETE /attachments/{id}",
    "PUT /attachments/{id}/content",
    "GET /attachments/{id}/url",
    "GET /files/{token}",
    "GET /ratings",
    "GET /reports",
    "GET /conversations/{id}/rating",
    "PUT /conversations/{id}/rating",
    "POST /conversations/{id}/rating-links",
    "GET /rating-links/{token}",
    "PUT /rating-links/{token}",
    "GET /audit-events",
    "GET /api-keys",
    "POST /api-keys",
    "GET /api-keys/current",
    "GET /api-keys/{id}",
    "PATCH /api-keys/{id}",
    "DELETE /api-keys/{id}",
    "GET /sla-policies",
    "POST /sla-policies",
    "GET /sla-policies/{id}",
    "PATCH /sla-policies/{id}",
    "DELETE /sla-policies/{id}",
    "GET /conversations/{id}/sla-clocks",
    "GET /attributes",
    "POST /attributes",
    "GET /attributes/{id}",
    "PATCH /attributes/{id}",
    "DELETE /attributes/{id}",
    "GET /members/{id}/attributes",
    "PATCH /members/{id}/attributes",
    "GET /saved-filters/{id}",
    "PATCH /saved-filters/{id}",
    "DELETE /saved-filters/{id}",
    "GET /bans",
    "POST /bans",
    "GET /bans/{id}",
    "PATCH /bans/{id}",
    "DELETE /bans/{id}",
    "GET /erasures",
    "POST /erasures",
    "GET /erasures/{id}",
    "GET /exports",
    "POST /exports",
    "GET /exports/{id}",
    "POST /exports/{id}/cancel",
    "GET /exports/{id}/content",
    "GET /business-hours/status",
    "GET /business-hours",
    "POST /business-hours",
    "GET /business-hours/{id}",
    "PATCH /business-hours/{id}",
    "DELETE /business-hours/{id}",
    "GET /business-hours/{id}/status",
    "GET /canned-replies",
    "POST /canned-replies",
    "GET /canned-replies/{id}",
    "PATCH /canned-replies/{id}",
    "DELETE /canned-replies/{id}",
    "POST /canned-replies/{id}/render",
    "GET /groups",
    "POST /groups",
    "GET /groups/{id}",
    "PATCH /groups/{id}",
    "DELETE /groups/{id}",
    "GET /groups/{id}/members",
    "GET /groups/{id}/members/{member_id}",
    "PUT /groups/{id}/members/{member_id}",
    "DELETE /groups/{id}/members/{member_id}",
    "GET /hooks/{token}",
    "POST /hooks/{token}",
    "GET /unsubscribe/{token}",
    "POST /unsubscribe/{token}",
    "GET /channel-accounts",
    "POST /channel-accounts",
    "GET /channel-accounts/{id}",
    "PATCH /channel-accounts/{id}",
    "DELETE /channel-accounts/{id}",
    "POST /channel-accounts/{id}/rotate_secret",
    "GET /message-templates",
    "POST /message-templates",
    "GET /message-templates/{id}",
    "PATCH /message-templates/{id}",
    "DELETE /message-templates/{id}",
    "POST /message-templates/{id}/publish",
    "POST /message-templates/{id}/preview",
    "POST /message-templates/{id}/test_send",
    "GET /message-templates/{id}/versions",
    "GET /message-recipients",
    "POST /message-recipients",
    "GET /message-recipients/{id}",
    "PATCH /message-recipients/{id}",
    "DELETE /message-recipients/{id}",
    "GET /message-opt-outs",
    "POST /message-opt-outs",
    "DELETE /message-opt-outs/{id}",
    "GET /message-suppressions",
    "POST /message-suppressions",
    "DELETE /message-suppressions/{id}",
    "GET /message-identities",
    "POST /message-identities",
    "DELETE /message-identities/{id}",
    "GET /message-bindings",
    "POST /message-bindings",
    "GET /message-bindings/{id}",
    "POST /message-bindings/{id}/cancel",
    "GET /message-bindings/{id}/qr.svg",
    "GET /message-bindings/{id}/qr.png",
    "GET /message-rules",
    "POST /message-rules",
    "POST /message-rules/simulate",
    "GET /message-rules/{id}",
    "PATCH /message-rules/{id}",
    "DELETE /message-rules/{id}",
    "POST /message-rules/{id}/replay",
    "GET /message-events",
    "POST /message-events",
    "POST /message-events/batch",
    "GET /message-events/{id}",
    "GET /message-sends",
    "GET /message-sends/{id}",
    "POST /message-sends/retry",
    "POST /message-sends/{id}/cancel",
    "POST /message-sends/{id}/retry",
    "POST /message-sends/{id}/resolve",
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/logout",
    "PUT /auth/password",
    "DELETE /auth/sessions",
    "DELETE /auth/sessions/{id}",
    "POST /members",
    "PUT /members/{id}/password",
    "DELETE /members/{id}",
    "DELETE /identity-keys/{id}",
    "POST /tenants",
    "POST /visitors",
    "POST /visitors/identify",
    "GET /ws",
    "GET /openapi.json",
    "GET /asyncapi.json",
];

on_every_database! {
    /// Every cell of the table.
    async fn every_role_gets_what_the_table_says(app: TestApp) {
        let desk = app.desk().await;
        let group = make(&desk, "Billing").await;
        put(&desk.admin, &group, &desk.supervisor, "member").await;
        let place = Place { agent: desk.agent.id(), second_agent: desk.second_agent.id(), group };
        let mut wrong = Vec::new();
        for (method, path, body, expected) in ROWS {
            let mut got = [0; 7];
            for (column, status) in got.iter_mut().enumerate() {
                let (room, client) = served(&app, &desk, column).await;
                let target = app.seed_member(desk.tenant, Role::Agent).await.member.to_string();
                let filled = path
                    .replace("/groups/{id}", &format!("/groups/{}", place.group))
                    .replace("{id}", &room)
                    .replace("{member_id}", &place.agent)
                    .replace("{agent}", &target)
                    .replace("{seq}", "2");
                let body = Some(body(&place)).filter(|body| !body.is_null());
                *status = client.call(method.parse::<Method>().unwrap(), &filled, body).await.status;
            }
            if got != *expected {
                wrong.push(format!("{method} {path}: expected {expected:?}, got {got:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// A conversation of a new visitor that the agent serves, and the caller of this column.
async fn served(app: &TestApp, desk: &Desk, column: usize) -> (String, Client) {
    let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
    let room = visitor.open("hello").await;
    desk.agent.claim(&room).await;
    let caller = match column {
        0 => desk.anonymous.clone(),
        1 => visitor,
        2 => desk.second_visitor.clone(),
        3 => desk.agent.clone(),
        4 => desk.second_agent.clone(),
        5 => desk.supervisor.clone(),
        _ => desk.admin.clone(),
    };
    (room, caller)
}

/// A new operation has to say who may use it.
#[test]
fn every_operation_is_in_the_table() {
    let document: Value = serde_json::from_str(include_str!("../../openapi/openapi.json")).unwrap();
    let mut missing = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v1") else { continue };
        for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let name = format!("{} {path}", method.to_uppercase());
            let listed = ROWS.iter().any(|(method, path, _, _)| {
                name == format!("{method} {}", path.replace("/members/{agent}", "/members/{id}"))
            });
            if !listed && !ELSEWHERE.contains(&name.as_str()) {
                missing.insert(name);
            }
        }
    }
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}
