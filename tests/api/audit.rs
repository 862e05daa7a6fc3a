//! The audit log: every administrative act, told once, with what changed, to administrators only, and never a secret.

use std::collections::BTreeSet;

use deskwire::db::schema::audit_event;
use deskwire::documents::openapi;
use deskwire::kernel::id::first_id_at;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::audit_acts::{self, PATH, id};
use crate::harness::seed::PASSWORD;
use crate::harness::{Client, eventually};

/// The rights of administrators' acts; what they allow to change is told.
const ADMINISTRATIVE: &[&str] = &[
    "manage_members",
    "manage_tenant",
    "manage_groups",
    "manage_group_members",
    "manage_bans",
    "manage_business_hours",
    "manage_canned_replies",
    "manage_message_centre",
    "manage_attributes",
    "manage_sla_policies",
    "update_customer_attributes",
    "erase_members",
];

/// Everything that an administrator can change, by the rights in the document.
fn administrative() -> BTreeSet<String> {
    let document = openapi::document(deskwire::routes::configure);
    let mut found: BTreeSet<String> =
        ["POST /api-keys", "PATCH /api-keys/{id}", "DELETE /api-keys/{id}"].map(str::to_owned).into();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let rights = operation["x-rights"]["all_of"].as_array().cloned().unwrap_or_default();
            let is_managed = rights.iter().any(|one| ADMINISTRATIVE.contains(&one.as_str().unwrap()));
            if is_managed && method != "get" {
                found.insert(format!("{} {}", method.to_uppercase(), path.trim_start_matches("/api/v1")));
            }
        }
    }
    found
}

async fn listed(by: &Client, query: &str) -> Vec<Value> {
    by.get(&format!("{PATH}?limit=200&{query}")).await.ok()["data"].as_array().unwrap().clone()
}

on_every_database! {
    /// Each operation that changes what administrators keep is told, and no other way of making this test pass is left: a
    /// new one fails it.
    async fn every_act_is_told(app: TestApp) {
        let desk = app.desk().await;
        let done = audit_acts::all(&desk).await;
        let all = administrative();
        assert!(all.len() > 35, "{all:?}");
        assert_eq!(all.difference(&done).collect::<Vec<_>>(), Vec::<&String>::new(), "told by no act");

        // What was said in secret stands nowhere.
        let stored: Vec<(String, String)> = audit_event::table
            .select((audit_event::facts_before, audit_event::facts_after))
            .load(&mut app.database().connect())
            .unwrap();
        let stored = format!("{stored:?}");
        for secret in [PASSWORD, "s3cret", "another horse battery", "hash", "dk_"] {
            assert!(!stored.contains(secret), "{secret} stands in {stored}");
        }
    }

    /// What is refused, what changes nothing, and what members do to themselves is not told.
    async fn what_does_not_happen_is_not_told(app: TestApp) {
        let desk = app.desk().await;
        let ban = json!({"kind": "ip", "value": "203.0.113.9"});
        let path = format!("/bans/{}", id(&desk.supervisor.post("/bans", ban.clone()).await.status(201)));
        desk.supervisor.post("/bans", ban).await.refused(409, "name_taken");
        desk.agent.delete(&path).await.refused(403, "forbidden");
        desk.supervisor.patch(&path, json!({"reason": ""})).await.ok();
        desk.admin.patch(&format!("/members/{}", desk.agent.id()), json!({"role": "agent"})).await.ok();
        desk.admin.patch("/tenant", json!({})).await.ok();
        desk.agent.patch("/me", json!({"nickname": "Me"})).await.ok();
        let own = json!({"scope": "member", "shortcut": "hi", "title": "t", "text": "x"});
        desk.agent.post("/canned-replies", own).await.status(201);
        let told = listed(&desk.admin, "").await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0]["action"], &told[0]["actor_id"]), (&json!("create"), &json!(desk.supervisor.id())));
    }

    /// Twelve changes at once are twelve events, and each says what it found and what it left.
    async fn changes_at_once_are_each_told(app: TestApp) {
        let desk = app.desk().await;
        let ban = desk.admin.post("/bans", json!({"kind": "ip", "value": "203.0.113.9"})).await.status(201);
        let path = format!("/bans/{}", id(&ban));
        let change = |at: usize| desk.admin.patch(&path, json!({"reason": format!("reason {at}")}));
        // The closure's body needs the path as long as its answer.
        join_all((0..12).map(|at| { let change = &change; async move { change(at).await.ok() } })).await;
        let told = listed(&desk.admin, &format!("target_id={}&action=update", id(&ban))).await;
        assert_eq!(told.len(), 12, "{told:?}");
        let mut seen = BTreeSet::from([String::new()]);
        for event in told.iter().rev() {
            seen.insert(event["after"]["reason"].as_str().unwrap().to_owned());
        }
        let from: BTreeSet<String> =
            told.iter().map(|event| event["before"]["reason"].as_str().unwrap().to_owned()).collect();
        assert_eq!(from.len(), 12, "each found what another left: {told:?}");
        assert!(from.is_subset(&seen), "{told:?}");
    }

    /// Administrators and programs that may read it; filters and pages; the operator and programs by name.
    async fn who_reads_it_and_how(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        for (_, client) in desk.everybody() {
            let expected = match &client.token {
                None => 401,
                token if *token == desk.admin.token => 200,
                _ => 403,
            };
            client.get(PATH).await.status(expected);
        }
        let account = crate::api_keys::account(&desk, "admin").await;
        let (key, program) = crate::api_keys::key(&desk, &account, &["read_audit", "manage_bans"]).await;
        let ban = program.post("/bans", json!({"kind": "ip", "value": "203.0.113.9"})).await.status(201);
        let told = listed(&program, &format!("api_key_id={}", id(&key))).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (&told[0]["actor_id"], &told[0]["actor_name"], &told[0]["target_id"]),
            (&json!(account), &json!("Shop system"), &ban["id"])
        );
        assert_eq!(listed(&desk.admin, "target_type=ban").await, told);
        assert_eq!(listed(&desk.admin, &format!("actor_id={account}")).await, told);
        assert_eq!(listed(&desk.admin, "action=create").await.len(), 3);
        assert_eq!(listed(&desk.admin, "action=delete").await, Vec::<Value>::new());
        assert_eq!(listed(&other.admin, "").await, Vec::<Value>::new());
        let at = told[0]["created_at"].as_str().unwrap();
        assert_eq!(listed(&desk.admin, &format!("target_type=ban&from={at}")).await.len(), 1);
        assert_eq!(listed(&desk.admin, &format!("target_type=ban&until={at}")).await.len(), 0);
        let first = desk.admin.get(&format!("{PATH}?limit=2")).await.ok();
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = desk.admin.get(&format!("{PATH}?limit=2&cursor={cursor}")).await.ok();
        let all = listed(&desk.admin, "").await;
        let pages = [first["data"].as_array().unwrap().clone(), second["data"].as_array().unwrap().clone()].concat();
        assert_eq!(pages, all);
        for wrong in ["action=fly", "target_type=x", "actor_id=x", "from=yesterday", "limit=0", "color=red"] {
            desk.admin.get(&format!("{PATH}?{wrong}")).await.refused(400, "invalid_parameter");
        }
        deskwire::tenants::service::set_suspended(&app, &desk.slug, true).await.unwrap();
        deskwire::tenants::service::set_suspended(&app, &desk.slug, false).await.unwrap();
        let told = eventually("the tenant is open again", || async {
            let answer = desk.admin.get(&format!("{PATH}?target_type=tenant")).await;
            (answer.status == 200).then_some(answer.body)
        }).await;
        let told = told["data"].as_array().unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!((&told[1]["actor_id"], &told[1]["after"]), (&Value::Null, &json!({"suspended": true})));
        assert_eq!((&told[0]["before"], &told[0]["ip"]), (&json!({"suspended": true}), &json!("")));
    }

    /// What is older than the operator keeps is forgotten, and nothing else.
    async fn what_is_old_is_forgotten(app: TestApp) {
        let desk = app.desk().await;
        desk.admin.post("/bans", json!({"kind": "ip", "value": "203.0.113.9"})).await.status(201);
        let old = first_id_at(app.clock.now().0 - 11 * 86_400_000);
        let mut row = audit_event::table
            .select(deskwire::domain::audit::AuditEventRow::as_select())
            .first(&mut app.database().connect())
            .unwrap();
        row.id = deskwire::kernel::AuditEventId(old);
        diesel::insert_into(audit_event::table).values(&row).execute(&mut app.database().connect()).unwrap();
        let cleaner = app.restarted(|settings| {
            settings.cleaning.cleaning_minutes = 60;
            settings.cleaning.audit_days = 10;
        }).await;
        let admin = cleaner.desk_of(desk.seed).admin;
        eventually("the old event is forgotten", || async { (listed(&admin, "").await.len() == 1).then_some(()) }).await;
    }
}
