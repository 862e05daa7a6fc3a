//! Templates: drafts, versions, previews.

use serde_json::{Value, json};

use super::provider::Provider;
use super::{account, rule, sent, tell, text};

fn webhook(data: Value) -> Value {
    let variables = json!([
        {"name": "total", "type": "number", "required": true, "sample": 9.5},
        {"name": "note", "type": "string", "sample": "thanks"},
    ]);
    json!({
        "name": "Paid", "channel": "webhook", "webhook": {"type": "order.paid", "data": data},
        "variables": variables,
    })
}

on_every_database! {
    /// A draft is not sent; what is published goes on while the draft changes; publishing twice is publishing once.
    async fn a_draft_becomes_a_version(app: TestApp) {
        let desk = app.desk().await;
        let made = desk.admin.post("/message-templates", webhook(json!({"total": "{{ total }}"}))).await.status(201);
        assert_eq!((&made["version"], &made["changed"]), (&json!(null), &json!(true)));
        let path = format!("/message-templates/{}", text(&made["id"]));
        let first = desk.admin.post(&format!("{path}/publish"), json!({})).await.ok();
        assert_eq!((&first["version"], &first["changed"]), (&json!(1), &json!(false)));
        let again = desk.admin.post(&format!("{path}/publish"), json!({})).await.ok();
        assert_eq!(again["version"], 1);
        let renamed = desk.admin.patch(&path, json!({"name": "Paid 2"})).await.ok();
        assert_eq!((&renamed["changed"], &renamed["name"]), (&json!(false), &json!("Paid 2")));
        let change = json!({"webhook": {"type": "order.paid", "data": {"sum": "{{ total }}"}}});
        let changed = desk.admin.patch(&path, change).await.ok();
        assert_eq!((&changed["version"], &changed["changed"]), (&json!(1), &json!(true)));
        desk.admin.post(&format!("{path}/publish"), json!({})).await.ok();
        let versions = desk.supervisor.get(&format!("{path}/versions?limit=1")).await.ok();
        assert_eq!(versions["data"][0]["version"], 2);
        let next = format!("{path}/versions?limit=1&cursor={}", text(&versions["next_cursor"]));
        let older = desk.supervisor.get(&next).await.ok();
        assert_eq!(older["data"][0]["webhook"]["data"], json!({"total": "{{ total }}"}));
        assert_eq!(older["next_cursor"], json!(null));
    }

    /// With samples, with a payload, and with one that does not fit.
    async fn a_preview_shows_what_would_be_sent(app: TestApp) {
        let desk = app.desk().await;
        let data = json!({"total": "{{ total }}", "note": "{{ note|default('-') }}"});
        let id = text(&desk.admin.post("/message-templates", webhook(data)).await.status(201)["id"]);
        let path = format!("/message-templates/{id}/preview");
        let preview = |body: Value| async { desk.supervisor.post(&path, body).await };
        let shown = preview(json!({})).await.ok();
        assert_eq!(shown, json!({"type": "order.paid", "data": {"total": 9.5, "note": "thanks"}}));
        let shown = preview(json!({"payload": {"total": 3}})).await.ok();
        assert_eq!(shown["data"], json!({"total": 3, "note": "-"}));
        for payload in [json!({}), json!({"total": "3"}), json!({"total": null})] {
            let refused = preview(json!({"payload": payload})).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], "/payload/total");
        }
    }

    /// What could not be rendered is told where it is written.
    async fn what_cannot_be_rendered_is_refused(app: TestApp) {
        let desk = app.desk().await;
        for (data, pointer) in [
            (json!({"a": ["{{ nobody }}"]}), "/webhook/data/a/0"),
            (json!("{{ total "), "/webhook/data"),
            (json!({"a": "{{ note }}"}), "/webhook/data/a"),
            (json!("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"), "/webhook/data"),
            (json!("x".repeat(17_000)), "/webhook/data"),
        ] {
            let refused = desk.admin.post("/message-templates", webhook(data)).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        let robot = json!({"format": "text", "text": "x"});
        for (body, pointer) in [
            (json!({"name": "a", "channel": "webhook", "robot": robot}), "/webhook"),
            (json!({"name": "a", "channel": "robot"}), "/robot"),
            (json!({"name": "a", "channel": "robot", "robot": robot, "webhook": {"type": "t"}}), "/webhook"),
            (json!({"name": "", "channel": "robot", "robot": robot}), "/name"),
            (json!({"name": "a", "channel": "robot", "robot": {"format": "text", "text": " "}}), "/robot/text"),
            (json!({"name": "a", "channel": "robot", "robot": {"format": "text", "text": "x", "colour": 1}}), "/robot/colour"),
        ] {
            let refused = desk.admin.post("/message-templates", body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        let id = text(&desk.admin.post("/message-templates", webhook(json!({}))).await.status(201)["id"]);
        let path = format!("/message-templates/{id}");
        desk.admin.patch(&path, json!({"robot": robot})).await.refused(422, "validation_failed");
    }

    /// A send that waits is sent as it was made, whatever is published meanwhile.
    async fn what_waits_keeps_its_version(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (account, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = text(&desk.admin.post("/message-templates", webhook(json!("old"))).await.status(201)["id"]);
        let path = format!("/message-templates/{template}");
        desk.admin.post(&format!("{path}/publish"), json!({})).await.ok();
        rule(&desk.admin, "order.paid", &template, &account, json!({"delay_seconds": 60})).await;
        let event = tell(&desk.admin, "order.paid", json!({"total": 1})).await;
        let waits = sent(&desk.admin, &event, "unsent").await;
        assert_eq!(waits["send"]["template_version"], 1);
        desk.admin.patch(&path, json!({"webhook": {"type": "order.paid", "data": "new"}})).await.ok();
        desk.admin.post(&format!("{path}/publish"), json!({})).await.ok();
        assert!(provider.deliveries("/webhook").is_empty(), "before its time");
        app.advance(61_000).await;
        sent(&desk.admin, &event, "success").await;
        assert_eq!(provider.deliveries("/webhook")[0].body["data"], "old");
    }

    /// Other roles and other tenants.
    async fn only_who_may_sees_and_changes(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let id = text(&desk.admin.post("/message-templates", webhook(json!({}))).await.status(201)["id"]);
        let path = format!("/message-templates/{id}");
        for client in [&desk.visitor, &desk.agent] {
            client.get(&path).await.refused(403, "forbidden");
            client.get("/message-templates").await.refused(403, "forbidden");
            client.get(&format!("{path}/versions")).await.refused(403, "forbidden");
            client.post(&format!("{path}/preview"), json!({})).await.refused(403, "forbidden");
        }
        for client in [&desk.agent, &desk.supervisor] {
            client.post("/message-templates", webhook(json!({}))).await.refused(403, "forbidden");
            client.patch(&path, json!({"name": "x"})).await.refused(403, "forbidden");
            client.post(&format!("{path}/publish"), json!({})).await.refused(403, "forbidden");
            client.delete(&path).await.refused(403, "forbidden");
        }
        for answer in [
            other.admin.get(&path).await,
            other.admin.get(&format!("{path}/versions")).await,
            other.admin.post(&format!("{path}/preview"), json!({})).await,
            other.admin.patch(&path, json!({"name": "x"})).await,
            other.admin.post(&format!("{path}/publish"), json!({})).await,
            other.admin.delete(&path).await,
        ] {
            answer.refused(404, "not_found");
        }
        assert_eq!(other.admin.get("/message-templates").await.ok()["data"], json!([]));
    }
}
