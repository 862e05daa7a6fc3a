//! Access tokens of official accounts: one for all workers and processes, renewed before its end, replaced when it is none.

use serde_json::json;

use super::provider::{Act, Provider};
use super::wechat::wired;
use super::wechat_provider::{SEND, TOKEN, calls, delivered};
use super::{delivery_attempts, sent, tell, text};
use crate::harness::{Client, TestApp, eventually};

/// Until when a token that holds for 7200 s is used, in milliseconds.
const RENEWED: i64 = (7_200 - 240) * 1_000;

/// Tells of so many things at once, and waits until all of them are sent.
async fn burst(admin: &Client, name: &str, count: usize) -> Vec<String> {
    let events =
        (0..count).map(|n| json!({"key": "order.shipped", "payload": {"what": format!("{name} {n}")}}));
    let body = json!({"events": events.collect::<Vec<_>>()});
    let made = admin.post("/message-events/batch", body).await.status(202);
    let events: Vec<String> = made["data"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect();
    for event in &events {
        sent(admin, event, "success").await;
    }
    events
}

/// The server, and three more processes where the store takes them.
async fn processes(app: &TestApp) {
    if app.kind().is_server() {
        for _ in 0..3 {
            app.second().await;
        }
    }
}

/// Lets the time pass, the database's, for which nobody asks after a call that failed.
async fn hold() {
    tokio::time::sleep(std::time::Duration::from_millis(1_000)).await;
}

on_every_database! {
    /// However many need one, a token is asked for once until it is about to end, also when the answer is slow.
    async fn one_call_does_for_all(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, account) = wired(&app, &provider, json!({})).await;
        let path = format!("/channel-accounts/{account}");
        desk.admin.patch(&path, json!({"limit": {"count": 1000, "seconds": 1}})).await.ok();
        processes(&app).await;
        provider.always(TOKEN, Some(Act::Wait(500)));
        for round in 1..=3 {
            // Who signed in hours ago signs in again.
            let admin = app.client_of(desk.seed.admin);
            burst(&admin, &format!("round {round}"), 60).await;
            assert_eq!(calls(&provider), round, "one call for each expiry");
            assert_eq!(delivered(&provider).len(), round * 60);
            app.advance(RENEWED).await;
        }
    }

    /// A token that another system ended is replaced once, however many messages found it stale; no attempt is burnt.
    async fn a_stale_token_is_replaced_once(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, _) = wired(&app, &provider, json!({"priority": "urgent"})).await;
        processes(&app).await;
        burst(&desk.admin, "before", 3).await;
        provider.always(TOKEN, Some(Act::Wait(300)));
        for round in 1..=2 {
            provider.revoke();
            for event in burst(&desk.admin, &format!("after {round}"), 20).await {
                let done = sent(&desk.admin, &event, "success").await;
                assert_eq!(done["attempts"].as_array().unwrap().len(), 1, "{done}");
                assert!(!done.to_string().contains("TOKEN"), "{done}");
            }
            assert_eq!(calls(&provider), 1 + round);
        }
    }

    /// A token that is refused again and again holds the message and costs no attempt; one word of it shows no token.
    async fn a_token_that_never_holds_costs_no_attempt(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, _) = wired(&app, &provider, json!({})).await;
        let stale = |code: &str| match code {
            "40014" => Act::Answer(200, "", r#"{"errcode":40014,"errmsg":"TOKEN/0+= is invalid"}"#),
            _ => Act::Answer(200, "", r#"{"errcode":42001,"errmsg":"TOKEN/0+= is over"}"#),
        };
        provider.script(SEND, [stale("42001"), stale("40014")]);
        let event = tell(&desk.admin, "order.shipped", json!({"what": "1"})).await;
        let held = delivery_attempts(&desk.admin, &event, 1).await;
        assert_eq!((&held["send"]["status"], &held["send"]["attempts"]), (&json!("unsent"), &json!(0)));
        let attempt = &held["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["message"]), (&json!("no_token"), &json!("… is invalid")));
        assert_eq!(calls(&provider), 2);
        app.advance(11_000).await;
        sent(&desk.admin, &event, "success").await;
    }

    /// Where no token is to be had, nothing goes out, no attempt is burnt, and the account pauses as after failed sends.
    async fn a_dead_token_endpoint_trips_the_account(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, account) = wired(&app, &provider, json!({})).await;
        provider.always(TOKEN, Some(Act::Answer(500, "", "oops")));
        provider.script(TOKEN, [Act::Close, Act::Answer(200, "", "{}"), Act::Answer(200, "", r#"{"errcode":-1}"#)]);
        let event = tell(&desk.admin, "order.shipped", json!({"what": "1"})).await;
        let path = format!("/channel-accounts/{account}");
        let paused = eventually("the account is paused", || async {
            hold().await;
            app.advance(10_000).await;
            let shown = desk.admin.get(&path).await.ok();
            (!shown["pause_reason"].is_null()).then_some(shown)
        })
        .await;
        assert_eq!((&paused["pause_reason"], &paused["fail_streak"]), (&json!("failures"), &json!(5)));
        let held = delivery_attempts(&desk.admin, &event, 1).await;
        assert_eq!((&held["send"]["status"], &held["send"]["attempts"]), (&json!("unsent"), &json!(0)));
        let outcomes = held["attempts"].as_array().unwrap().iter().map(|one| &one["outcome"]);
        assert!(outcomes.clone().all(|outcome| outcome == "no_token"), "{held}");
        assert_eq!(calls(&provider), 5, "who asked in vain a moment ago does not ask again");
        assert!(provider.deliveries(SEND).is_empty());
        provider.always(TOKEN, None);
        desk.admin.patch(&path, json!({"name": "mended"})).await.ok();
        eventually("it is sent", || async {
            hold().await;
            app.advance(10_000).await;
            let trace = desk.admin.get(&format!("/message-events/{event}")).await.ok();
            (trace["sends"][0]["send"]["status"] == "success").then_some(())
        })
        .await;
    }
}
