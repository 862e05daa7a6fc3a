//! What reaches a webhook, how often, and what is said of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::provider::{Act, Provider, is_signed};
use super::{account, delivery_attempts, rule, says, sent, tell, text, whole_payload};
use crate::harness::{Desk, TestApp, eventually};

/// A tenant with a webhook and a rule for `order.paid`; gives the account and its secret.
async fn wired(app: &TestApp, provider: &Provider, more: Value) -> (Desk, String, String) {
    let desk = app.desk().await;
    let (to, secret) = account(&desk.admin, provider, "webhook", "/webhook").await;
    let template = whole_payload(&desk.admin).await;
    rule(&desk.admin, "order.paid", &template, &to, more).await;
    (desk, to, secret.unwrap())
}

const BROKEN: Act = Act::Answer(500, "", "down");

on_every_database! {
    /// Signed by Standard Webhooks; after a rotation by both secrets for a day, then by the new one.
    async fn a_webhook_is_signed(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to, old) = wired(&app, &provider, json!({})).await;
        let event = tell(&desk.admin, "order.paid", json!({"total": 9.5, "名": "伊娃"})).await;
        let done = sent(&desk.admin, &event, "success").await;
        let got = provider.deliveries("/webhook").remove(0);
        assert!(is_signed(&got, &old));
        assert_eq!((&got.body["type"], &got.body["data"]), (&json!("it.happened"), &json!({"total": 9.5, "名": "伊娃"})));
        assert_eq!(got.headers["webhook-id"], format!("msg_{}", text(&done["send"]["id"])));
        assert_eq!(done["attempts"][0]["outcome"], "accepted");
        assert_eq!(done["attempts"][0]["http_status"], 204);
        let path = format!("/channel-accounts/{to}/rotate_secret");
        let new = text(&desk.admin.post(&path, json!({})).await.ok()["secret"]);
        let event = tell(&desk.admin, "order.paid", json!({})).await;
        sent(&desk.admin, &event, "success").await;
        let got = provider.deliveries("/webhook").remove(1);
        assert!(is_signed(&got, &old) && is_signed(&got, &new));
        app.advance(86_401_000).await;
        let admin = app.client_of(desk.seed.admin);
        let event = tell(&admin, "order.paid", json!({})).await;
        sent(&admin, &event, "success").await;
        let got = provider.deliveries("/webhook").remove(2);
        assert!(!is_signed(&got, &old) && is_signed(&got, &new));
        let counted = r#"deskwire_message_attempts_total{channel="webhook",outcome="accepted"} 3"#;
        eventually("the attempts are counted", || async {
            let told = app.http().get(format!("{}/metrics", app.base())).send().await.unwrap().text().await.unwrap();
            told.lines().any(|line| line == counted).then_some(())
        })
        .await;
    }

    /// A failure, a connection that ends without an answer, then success: the same id each time, three attempts.
    async fn what_failed_is_sent_again_with_the_same_id(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, ..) = wired(&app, &provider, json!({})).await;
        provider.script("/webhook", [BROKEN, Act::Close]);
        let event = tell(&desk.admin, "order.paid", json!({})).await;
        let failed = delivery_attempts(&desk.admin, &event, 1).await;
        let first = &failed["attempts"][0];
        assert_eq!((&first["outcome"], &first["message"]), (&json!("retry"), &json!("down")));
        app.advance(7_000).await;
        let failed = delivery_attempts(&desk.admin, &event, 2).await;
        assert_eq!(failed["attempts"][1]["outcome"], "uncertain", "a receiver of webhooks knows repeats");
        app.advance(400_000).await;
        let done = sent(&desk.admin, &event, "success").await;
        assert_eq!((&done["send"]["attempts"], &done["send"]["last_error"]), (&json!(3), &json!(null)));
        let got = provider.deliveries("/webhook");
        assert_eq!(got.len(), 3);
        assert!(got.iter().all(|one| one.headers["webhook-id"] == got[0].headers["webhook-id"]));
        assert!(got.iter().all(|one| one.raw == got[0].raw));
    }

    /// Being asked to slow down costs no attempt and pauses the account; a change of the account ends the pause.
    async fn slowing_down_costs_nothing(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to, _) = wired(&app, &provider, json!({})).await;
        provider.script("/webhook", [Act::Answer(429, "retry-after: 600\r\n", "")]);
        let event = tell(&desk.admin, "order.paid", json!({})).await;
        let waits = delivery_attempts(&desk.admin, &event, 1).await;
        assert_eq!((&waits["send"]["status"], &waits["send"]["attempts"]), (&json!("unsent"), &json!(0)));
        let path = format!("/channel-accounts/{to}");
        let paused = desk.admin.get(&path).await.ok();
        assert_eq!(paused["pause_reason"], "slow");
        app.advance(300_000).await;
        sent(&desk.admin, &event, "unsent").await;
        assert_eq!(provider.deliveries("/webhook").len(), 1, "sooner than the receiver wished");
        app.advance(301_000).await;
        sent(&desk.admin, &event, "success").await;
        let well = eventually("the account is well", || async {
            let account = desk.admin.get(&path).await.ok();
            account["paused_until"].is_null().then_some(account)
        }).await;
        assert_eq!(well["pause_reason"], json!(null));
    }

    /// 410: the account is at fault; no attempt counts, everything for it waits, and its address can be mended.
    async fn a_wrong_account_holds_its_sends(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to, _) = wired(&app, &provider, json!({})).await;
        provider.always("/webhook", Some(Act::Answer(410, "", "gone")));
        let event = tell(&desk.admin, "order.paid", json!({})).await;
        let held = delivery_attempts(&desk.admin, &event, 1).await;
        assert_eq!((&held["send"]["status"], &held["send"]["attempts"]), (&json!("unsent"), &json!(0)));
        let path = format!("/channel-accounts/{to}");
        assert_eq!(desk.admin.get(&path).await.ok()["pause_reason"], "configuration");
        let second = tell(&desk.admin, "order.paid", json!({"n": 2})).await;
        let waits = sent(&desk.admin, &second, "unsent").await;
        assert_eq!(waits["attempts"], json!([]));
        let mended = desk.admin.patch(&path, json!({"url": provider.url("/mended")})).await.ok();
        assert_eq!(mended["paused_until"], json!(null));
        for event in [&event, &second] {
            sent(&desk.admin, event, "success").await;
        }
        assert_eq!((provider.deliveries("/webhook").len(), provider.deliveries("/mended").len()), (1, 2));
    }

    /// Five failures in a row open the breaker: nothing is tried until its time, then one, and its success frees the rest.
    async fn the_breaker_opens_and_closes(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to, _) = wired(&app, &provider, json!({})).await;
        provider.always("/webhook", Some(BROKEN));
        let batch: Vec<Value> = (0..5).map(|n| json!({"key": "order.paid", "payload": {"n": n}})).collect();
        let told = desk.admin.post("/message-events/batch", json!({"events": batch})).await.status(202);
        let events: Vec<String> = told["data"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect();
        let account = eventually("the breaker is open", || async {
            let account = desk.admin.get(&format!("/channel-accounts/{to}")).await.ok();
            (!account["paused_until"].is_null()).then_some(account)
        })
        .await;
        assert_eq!((&account["pause_reason"], &account["fail_streak"]), (&json!("failures"), &json!(5)));
        let late = tell(&desk.admin, "order.paid", json!({"n": 9})).await;
        sent(&desk.admin, &late, "unsent").await;
        assert_eq!(provider.deliveries("/webhook").len(), 5);
        provider.always("/webhook", None);
        app.advance(70_000).await;
        for event in events.iter().chain([&late]) {
            sent(&desk.admin, event, "success").await;
        }
    }

    /// Cancelled before it goes; not after; retried when it is over; a send of another tenant does not exist.
    async fn sends_are_cancelled_and_retried(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, ..) = wired(&app, &provider, json!({"delay_seconds": 600})).await;
        let other = app.desk().await;
        let event = tell(&desk.admin, "order.paid", json!({})).await;
        let send = text(&sent(&desk.admin, &event, "unsent").await["send"]["id"]);
        let path = format!("/message-sends/{send}");
        for client in [&desk.visitor, &desk.agent, &desk.supervisor] {
            client.post(&format!("{path}/cancel"), json!({})).await.refused(403, "forbidden");
            client.post(&format!("{path}/retry"), json!({})).await.refused(403, "forbidden");
            let body = json!({"resolution": "accepted"});
            client.post(&format!("{path}/resolve"), body).await.refused(403, "forbidden");
        }
        desk.agent.get(&path).await.refused(403, "forbidden");
        desk.agent.get("/message-sends").await.refused(403, "forbidden");
        other.admin.get(&path).await.refused(404, "not_found");
        other.admin.post(&format!("{path}/cancel"), json!({})).await.refused(404, "not_found");
        desk.admin.post(&format!("{path}/retry"), json!({})).await.refused(409, "invalid_transition");
        let body = json!({"resolution": "accepted"});
        desk.admin.post(&format!("{path}/resolve"), body).await.refused(409, "invalid_transition");
        for _ in 0..2 {
            let cancelled = desk.admin.post(&format!("{path}/cancel"), json!({})).await.ok();
            assert_eq!(cancelled["status"], "cancelled");
        }
        app.advance(601_000).await;
        let listed = desk.supervisor.get("/message-sends?status=cancelled").await.ok();
        assert_eq!(listed["data"][0]["id"], json!(send));
        assert_eq!(desk.supervisor.get("/message-sends?status=success").await.ok()["data"], json!([]));
        assert!(provider.deliveries("/webhook").is_empty());
        desk.admin.post(&format!("{path}/retry"), json!({})).await.ok();
        sent(&desk.admin, &event, "success").await;
        desk.admin.post(&format!("{path}/cancel"), json!({})).await.refused(409, "invalid_transition");
        desk.admin.post(&format!("{path}/retry"), json!({})).await.refused(409, "invalid_transition");
        assert_eq!(provider.deliveries("/webhook").len(), 1);
    }

    /// What waits for an account that is deleted fails, and says so.
    async fn what_waits_for_a_deleted_account_fails(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to, _) = wired(&app, &provider, json!({"delay_seconds": 600})).await;
        let event = tell(&desk.admin, "order.paid", json!({})).await;
        let waits = sent(&desk.admin, &event, "unsent").await;
        let rule = text(&waits["send"]["rule_id"]);
        desk.admin.delete(&format!("/message-rules/{rule}")).await.status(204);
        desk.admin.delete(&format!("/channel-accounts/{to}")).await.status(204);
        let failed = sent(&desk.admin, &event, "failed").await;
        assert_eq!(failed["send"]["reason"], "account");
    }

    /// An account that takes two messages a minute gets no third within it, whatever waits; other accounts do not wait.
    async fn an_accounts_limit_holds_and_holds_up_nobody(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to, _) = wired(&app, &provider, json!({})).await;
        let (other, _) = account(&desk.admin, &provider, "webhook", "/other").await;
        let template = whole_payload(&desk.admin).await;
        rule(&desk.admin, "quick", &template, &other, json!({})).await;
        let limit = json!({"limit": {"count": 2, "seconds": 86_400}});
        desk.admin.patch(&format!("/channel-accounts/{to}"), limit).await.ok();
        let events: Vec<Value> = (0..6).map(|n| json!({"key": "order.paid", "payload": {"n": n}})).collect();
        desk.admin.post("/message-events/batch", json!({"events": events})).await.status(202);
        for n in 0..3 {
            let event = tell(&desk.admin, "quick", json!({"n": n})).await;
            sent(&desk.admin, &event, "success").await;
        }
        eventually("two are sent", || async { (provider.deliveries("/webhook").len() == 2).then_some(()) }).await;
        let waiting = desk.admin.get("/message-sends?status=unsent").await.ok();
        assert_eq!(waiting["data"].as_array().unwrap().len(), 4);
        // What cannot go is looked at now and then, and not without a pause: that would take hundreds of reads a second.
        let before = app.db.statements();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let reads = app.db.statements() - before;
        assert!(reads < 200, "{reads} reads while nothing could be done");
        assert_eq!(provider.deliveries("/webhook").len(), 2);
    }
}

/// However many processes work on a DingTalk robot, in no window does it get more messages than its limit says.
fn processes_keep_a_limit_together(kind: deskwire::db::DatabaseKind) {
    crate::harness::run(kind, |app| async move {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        if app.kind().is_server() {
            for _ in 0..3 {
                app.second().await;
            }
        }
        let (to, _) = account(&desk.admin, &provider, "dingtalk_robot", "/dingtalk").await;
        let (count, window) = (5, Duration::from_secs(2));
        let limit = json!({"limit": {"count": count, "seconds": window.as_secs()}});
        desk.admin.patch(&format!("/channel-accounts/{to}"), limit).await.ok();
        let template = says(&desk.admin).await;
        rule(&desk.admin, "news", &template, &to, json!({})).await;
        let events: Vec<Value> =
            (0..25).map(|n| json!({"key": "news", "payload": {"text": n.to_string()}})).collect();
        desk.admin.post("/message-events/batch", json!({"events": events})).await.status(202);
        eventually("all are sent", || async { (provider.deliveries("/dingtalk").len() == 25).then_some(()) })
            .await;
        let times: Vec<_> = provider.deliveries("/dingtalk").iter().map(|one| one.at).collect();
        // Times are kept in milliseconds; and who begins late, or is slow, only widens the gap.
        let least = window - Duration::from_millis(5);
        let gaps: Vec<Duration> = times.windows(count + 1).map(|some| some[count] - some[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= least), "{gaps:?}");
    });
}

#[test]
fn a_process_on_sqlite_keeps_a_limit() {
    processes_keep_a_limit_together(deskwire::db::DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn processes_on_postgresql_keep_a_limit_together() {
    processes_keep_a_limit_together(deskwire::db::DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn processes_on_mysql_keep_a_limit_together() {
    processes_keep_a_limit_together(deskwire::db::DatabaseKind::Mysql);
}

/// Two processes on one store: each message goes out once.
fn two_processes_send_each_once(kind: deskwire::db::DatabaseKind) {
    crate::harness::run(kind, |app| async move {
        let provider = Provider::start().await;
        let second = app.second().await;
        let (desk, ..) = wired(&app, &provider, json!({})).await;
        let on_second = second.client_of(desk.seed.admin);
        for round in 0..5 {
            let events: Vec<Value> =
                (0..100).map(|n| json!({"key": "order.paid", "payload": {"round": round, "n": n}})).collect();
            let by = if round % 2 == 0 { &desk.admin } else { &on_second };
            by.post("/message-events/batch", json!({"events": events})).await.status(202);
        }
        eventually("all are sent", || async { (provider.deliveries("/webhook").len() >= 500).then_some(()) })
            .await;
        eventually("nothing is under way", || async {
            let mut live = 0;
            for status in ["unsent", "sending"] {
                let page = desk.admin.get(&format!("/message-sends?status={status}")).await.ok();
                live += page["data"].as_array().unwrap().len();
            }
            (live == 0).then_some(())
        })
        .await;
        let ids: std::collections::BTreeSet<String> =
            provider.deliveries("/webhook").iter().map(|one| one.headers["webhook-id"].clone()).collect();
        assert_eq!((ids.len(), provider.deliveries("/webhook").len()), (500, 500));
    });
}

#[cfg(feature = "postgres")]
#[test]
fn two_processes_on_postgresql_send_each_once() {
    two_processes_send_each_once(deskwire::db::DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn two_processes_on_mysql_send_each_once() {
    two_processes_send_each_once(deskwire::db::DatabaseKind::Mysql);
}
