//! In which order messages go, whose wait, and how long they are kept.

use deskwire::db::schema::{idempotency_key, message_attempt, message_dedupe, message_send};
use deskwire::tenants;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::json;

use super::provider::Provider;
use super::{account, rule, says, sent, tell, text, whole_payload};
use crate::harness::{Answer, eventually};

const DAY: i64 = 86_400_000;

on_every_database! {
    /// Of one account the more urgent ones go first, whatever was told first.
    async fn what_is_urgent_goes_first(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "slack_robot", "/slack").await;
        let path = format!("/channel-accounts/{to}");
        let limit = json!({"status": "disabled", "limit": {"count": 1_000, "seconds": 1}});
        desk.admin.patch(&path, limit).await.ok();
        let template = says(&desk.admin).await;
        let mut last = String::new();
        for priority in ["marketing", "notice", "code", "urgent"] {
            rule(&desk.admin, priority, &template, &to, json!({"priority": priority})).await;
            last = tell(&desk.admin, priority, json!({"text": priority})).await;
            sent(&desk.admin, &last, "unsent").await;
        }
        desk.admin.patch(&path, json!({"status": "active"})).await.ok();
        eventually("all are sent", || async { (provider.deliveries("/slack").len() == 4).then_some(()) }).await;
        let order: Vec<String> = provider.deliveries("/slack").iter().map(|one| text(&one.body["text"])).collect();
        assert_eq!(order, ["News: code", "News: urgent", "News: notice", "News: marketing"]);
        sent(&desk.admin, &last, "success").await;
    }

    /// Nothing goes out for a suspended tenant; what waits goes when it is back, and others do not notice.
    async fn a_suspended_tenant_sends_nothing(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        for (admin, path) in [(&desk.admin, "/webhook"), (&other.admin, "/other")] {
            let (to, _) = account(admin, &provider, "webhook", path).await;
            let template = whole_payload(admin).await;
            rule(admin, "late", &template, &to, json!({"delay_seconds": 60})).await;
        }
        let event = tell(&desk.admin, "late", json!({})).await;
        sent(&desk.admin, &event, "unsent").await;
        let theirs = tell(&other.admin, "late", json!({})).await;
        sent(&other.admin, &theirs, "unsent").await;
        tenants::service::set_suspended(app.app(), &desk.slug, true).await.unwrap();
        app.advance(61_000).await;
        sent(&other.admin, &theirs, "success").await;
        assert_eq!(provider.deliveries("/webhook").len(), 0);
        tenants::service::set_suspended(app.app(), &desk.slug, false).await.unwrap();
        eventually("what waited is sent", || async { (provider.deliveries("/webhook").len() == 1).then_some(()) }).await;
    }

    /// Old events go with their messages, old keys go; what waits stays, and what is young.
    async fn what_is_old_goes_and_what_waits_stays(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let (held, _) = account(&desk.admin, &provider, "webhook", "/held").await;
        desk.admin.patch(&format!("/channel-accounts/{held}"), json!({"status": "disabled"})).await.ok();
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "sent", &template, &to, json!({"dedupe_seconds": 60})).await;
        rule(&desk.admin, "held", &template, &held, json!({})).await;
        let with_key = async |admin: &crate::harness::Client, n: i64| {
            let body = json!({"key": "sent", "payload": {"n": n}});
            let request = admin.request(Method::POST, "/message-events").header("Idempotency-Key", "k");
            Answer::of(request.json(&body)).await
        };
        let old = text(&with_key(&desk.admin, 1).await.status(202)["id"]);
        sent(&desk.admin, &old, "success").await;
        let waits = tell(&desk.admin, "held", json!({})).await;
        sent(&desk.admin, &waits, "unsent").await;
        app.advance(91 * DAY).await;
        let admin = app.client_of(desk.seed.admin);
        with_key(&admin, 2).await.refused(409, "idempotency_conflict");
        let young = tell(&admin, "sent", json!({"n": 3})).await;
        sent(&admin, &young, "success").await;
        let cleaner = app.restarted(|settings| settings.cleaning.cleaning_minutes = 60).await;
        let admin = cleaner.client_of(desk.seed.admin);
        let gone = format!("/message-events/{old}");
        eventually("the old event is gone", || async { (admin.get(&gone).await.status == 404).then_some(()) }).await;
        sent(&admin, &waits, "unsent").await;
        sent(&admin, &young, "success").await;
        let count = || {
            let mut connection = app.database().connect();
            let sends: i64 = message_send::table.count().get_result(&mut connection).unwrap();
            let attempts: i64 = message_attempt::table.count().get_result(&mut connection).unwrap();
            let keys: i64 = idempotency_key::table.count().get_result(&mut connection).unwrap();
            let dedupes: i64 = message_dedupe::table.count().get_result(&mut connection).unwrap();
            (sends, attempts, keys, dedupes)
        };
        eventually("what belonged to it and the keys are gone", || async { (count() == (2, 1, 0, 1)).then_some(()) }).await;
        with_key(&admin, 2).await.status(202);
    }
}
