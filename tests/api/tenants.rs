//! Tenants and their identity keys.

use deskwire::db::schema::audit_event;
use deskwire::domain::audit::{AuditAction, AuditTarget};
use deskwire::kernel::{MemberId, TenantId};
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::harness::PLATFORM_KEY;

fn tenant(slug: &str) -> Value {
    json!({
        "slug": slug, "name": "Acme & Söhne",
        "admin": {"login_name": "Root", "password": "password of many words"},
    })
}

on_every_database! {
    /// The platform's key makes tenants; the first administrator can work at once.
    async fn a_tenant_begins_with_an_administrator(app: TestApp) {
        let client = app.client();
        client.post("/tenants", tenant("acme")).await.refused(401, "unauthenticated");
        client.with_token("wrong").post("/tenants", tenant("acme")).await.refused(401, "token_invalid");
        let platform = client.with_token(PLATFORM_KEY);
        let made = platform.post("/tenants", tenant("acme")).await.status(201);
        assert_eq!(made["tenant"]["name"], "Acme & Söhne");
        assert_eq!(made["tenant"]["settings"], json!({
            "edit_window_seconds": 900, "recall_window_seconds": 120,
            "claim_above_max_accept": false, "assign_above_max_accept": false, "only_assignee_answers": false,
            "transfer_above_max_accept": false, "transfer_limit": 10,
            "presence_grace_seconds": 30, "disconnect_requeue_seconds": null, "away_requeue_seconds": null,
            "retention_days": null, "bot": {"member_id": null, "silence_seconds": 30},
            "reopen_window_seconds": null, "rating_window_seconds": 604_800, "timers": {
                "customer_reminder_seconds": null, "agent_reminder_seconds": null, "auto_close_seconds": null,
            },
            "queue": {"open": true, "limit": null}, "routing": {
                "strategy": "manual", "last_agent_first": true, "relax_after_seconds": null, "offer_seconds": null,
                "misses_until_away": 3, "within_business_hours": false,
            },
        }));
        assert_eq!(made["admin"]["login_name"], "root");
        // The tenant is told of it too, as of an act of nobody's in it.
        let tenant_id = made["tenant"]["id"].as_str().unwrap().parse::<TenantId>().unwrap();
        let told: Vec<(Option<MemberId>, AuditAction, AuditTarget, String)> = audit_event::table
            .filter(audit_event::tenant_id.eq(tenant_id))
            .order(audit_event::id.asc())
            .select((audit_event::actor_id, audit_event::action, audit_event::target_type, audit_event::ip))
            .load(&mut app.database().connect())
            .unwrap();
        let told_of = |target| (None, AuditAction::Create, target, "127.0.0.1".to_owned());
        assert_eq!(told, [told_of(AuditTarget::Tenant), told_of(AuditTarget::Member)]);
        platform.post("/tenants", tenant("acme")).await.refused(409, "name_taken");
        let body = json!({"tenant": "acme", "name": "root", "password": "password of many words"});
        let tokens = client.post("/auth/login", body).await.ok();
        let admin = client.with_token(tokens["access_token"].as_str().unwrap());
        assert_eq!(admin.get("/tenant").await.ok()["id"], made["tenant"]["id"]);
        let visitor = client.post("/visitors", json!({"tenant": "acme"})).await.status(201);
        let visitor = client.with_token(visitor["access_token"].as_str().unwrap());
        visitor.open("the log of a new tenant takes entries").await;

        let problem = platform.post("/tenants", json!({
            "slug": "no spaces", "admin": {"login_name": "root", "password": "password of many words"},
        })).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/slug");
        let problem = platform.post("/tenants", json!({
            "slug": "other", "admin": {"login_name": " ", "password": "password of many words"},
        })).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/admin/login_name");
    }

    /// Without a key nobody makes tenants over HTTP, unless sign-up is open: then everybody does.
    async fn sign_up_is_open_only_when_told_so(app: TestApp) {
        let closed = app.restarted(|settings| settings.secrets.platform_key = None).await;
        closed.client().post("/tenants", tenant("acme")).await.refused(403, "forbidden");
        let open = closed.restarted(|settings| settings.sign_up = true).await;
        open.client().post("/tenants", tenant("acme")).await.status(201);
    }

    /// Everybody reads the tenant, administrators change it.
    async fn administrators_change_their_tenant(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        for client in [&desk.visitor, &desk.agent, &desk.supervisor] {
            client.get("/tenant").await.ok();
            client.patch("/tenant", json!({"name": "x"})).await.refused(403, "forbidden");
            client.get("/identity-keys").await.refused(403, "forbidden");
            client.post("/identity-keys", json!({})).await.refused(403, "forbidden");
        }
        let changed = desk.admin.patch("/tenant", json!({"settings": {"recall_window_seconds": 0}})).await.ok();
        assert_eq!(changed["settings"], json!({
            "edit_window_seconds": 900, "recall_window_seconds": 0,
            "claim_above_max_accept": false, "assign_above_max_accept": false, "only_assignee_answers": false,
            "transfer_above_max_accept": false, "transfer_limit": 10,
            "presence_grace_seconds": 30, "disconnect_requeue_seconds": null, "away_requeue_seconds": null,
            "retention_days": null, "bot": {"member_id": null, "silence_seconds": 30},
            "reopen_window_seconds": null, "rating_window_seconds": 604_800, "timers": {
                "customer_reminder_seconds": null, "agent_reminder_seconds": null, "auto_close_seconds": null,
            },
            "queue": {"open": true, "limit": null}, "routing": {
                "strategy": "manual", "last_agent_first": true, "relax_after_seconds": null, "offer_seconds": null,
                "misses_until_away": 3, "within_business_hours": false,
            },
        }));
        let seen = desk.visitor.get("/tenant").await.ok();
        assert_eq!(seen["settings"], json!({
            "edit_window_seconds": 900, "recall_window_seconds": 0, "reopen_window_seconds": null, "rating_window_seconds": 604_800,
        }));
        let changed = desk.admin.patch("/tenant", json!({"name": " New name "})).await.ok();
        assert_eq!((&changed["name"], &changed["settings"]["recall_window_seconds"]), (&json!("New name"), &json!(0)));
        for wrong in [
            json!({"name": " "}),
            json!({"slug": "other"}),
            json!({"settings": {"edit_window_seconds": -1}}),
            json!({"settings": {"edit_window_seconds": 604_801}}),
            json!({"settings": {"unknown": 1}}),
        ] {
            desk.admin.patch("/tenant", wrong).await.refused(422, "validation_failed");
        }
        assert_eq!(other.admin.get("/tenant").await.ok()["name"], "Shop");
    }

    /// The secret of an identity key is shown once; a deleted key is gone, and its name with it.
    async fn identity_keys_are_shown_once(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let key = desk.admin.post("/identity-keys", json!({"kid": "shop"})).await.status(201);
        let secret = key["secret"].as_str().unwrap();
        assert!(secret.len() >= 43);
        let listed = desk.admin.get("/identity-keys").await.ok();
        assert_eq!(listed["data"][0]["kid"], "shop");
        assert!(!listed.to_string().contains(secret));
        desk.admin.post("/identity-keys", json!({"kid": "shop"})).await.refused(409, "name_taken");
        desk.admin.post("/identity-keys", json!({"kid": "no spaces"})).await.refused(422, "validation_failed");
        other.admin.post("/identity-keys", json!({"kid": "shop"})).await.status(201);

        let path = format!("/identity-keys/{}", key["id"].as_str().unwrap());
        other.admin.delete(&path).await.refused(404, "not_found");
        desk.admin.delete(&path).await.status(204);
        desk.admin.delete(&path).await.refused(404, "not_found");
        assert_eq!(desk.admin.get("/identity-keys").await.ok()["data"], json!([]));
        desk.admin.post("/identity-keys", json!({"kid": "shop"})).await.refused(409, "name_taken");
        for _ in 0..10 {
            desk.admin.post("/identity-keys", json!({})).await.status(201);
        }
        desk.admin.post("/identity-keys", json!({})).await.refused(409, "limit_reached");
    }
}
