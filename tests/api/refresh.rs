//! Refresh tokens: lost answers, several tabs, thieves, and accounts that end.

use deskwire::security::refresh::SIBLINGS_MAX;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::seed::PASSWORD;
use crate::harness::{Answer, Client, Desk};

/// Longer than a sibling is tolerated.
const LATER: i64 = 61_000;

async fn refresh(client: &Client, token: &Value) -> Answer {
    client.anonymous().post("/auth/refresh", json!({"refresh_token": token})).await
}

async fn login(desk: &Desk, name: &str, password: &str) -> Answer {
    let body = json!({"tenant": desk.slug, "name": name, "password": password});
    desk.anonymous.post("/auth/login", body).await
}

fn bearer(desk: &Desk, tokens: &Value) -> Client {
    desk.anonymous.with_token(tokens["access_token"].as_str().unwrap())
}

on_every_database! {
    /// A lost answer costs nothing: the same refresh token is good until one of its successors is used.
    async fn lost_refresh_answers_lock_nobody_out(app: TestApp) {
        let desk = app.desk().await;
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        for _ in 0..3 {
            refresh(&desk.anonymous, &tokens["refresh_token"]).await.ok();
        }
        // Many at once, as a browser with many tabs sends them: every one is answered, and every answer is good.
        let tabs = SIBLINGS_MAX - 3;
        let many = (0..tabs).map(|_| refresh(&desk.anonymous, &tokens["refresh_token"]));
        let answers: Vec<Value> = join_all(many).await.into_iter().map(Answer::ok).collect();
        for answer in &answers {
            refresh(&desk.anonymous, &answer["refresh_token"]).await.ok();
        }
        let next = refresh(&desk.anonymous, &answers[0]["refresh_token"]).await.ok();
        bearer(&desk, &next).get("/me").await.ok();
        assert_eq!(next["member"]["id"], desk.agent.id());
    }

    /// A token that was good once and comes back after its successor was used is a copy: the family ends. Made-up
    /// text ends nothing.
    async fn a_thief_of_a_refresh_token_is_caught(app: TestApp) {
        let desk = app.desk().await;
        let first = login(&desk, "agent", PASSWORD).await.ok();
        let session = desk.anonymous.with_token(first["access_token"].as_str().unwrap());
        let second = refresh(&desk.anonymous, &first["refresh_token"]).await.ok();
        let text = second["refresh_token"].as_str().unwrap();
        let (family, _) = text.rsplit_once('_').filter(|(family, _)| family.starts_with("dwr_")).unwrap_or((text, ""));
        let family: Vec<&str> = family.splitn(3, '_').collect();
        let made_up = json!(format!("dwr_{}_{}", family[1], "A".repeat(65)));
        refresh(&desk.anonymous, &made_up).await.refused(401, "token_invalid");
        refresh(&desk.anonymous, &json!("dwr_1_x")).await.refused(401, "token_invalid");
        refresh(&desk.anonymous, &json!("")).await.refused(401, "token_invalid");

        let third = refresh(&desk.anonymous, &second["refresh_token"]).await.ok();
        refresh(&desk.anonymous, &first["refresh_token"]).await.refused(401, "session_revoked");
        refresh(&desk.anonymous, &third["refresh_token"]).await.refused(401, "session_revoked");
        session.get("/me").await.refused(401, "session_revoked");
        bearer(&desk, &third).get("/me").await.refused(401, "session_revoked");
        desk.agent.get("/me").await.ok();
    }

    /// Two tabs of one session that refresh at the same time both go on, again and again. A tab that comes long after
    /// the other one holds a copy.
    async fn two_tabs_that_refresh_at_once_both_stay(app: TestApp) {
        let desk = app.desk().await;
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        let mut tabs = [tokens["refresh_token"].clone(), tokens["refresh_token"].clone()];
        for _ in 0..4 {
            let answers = join_all(tabs.iter().map(|token| refresh(&desk.anonymous, token))).await;
            for (tab, answer) in tabs.iter_mut().zip(answers) {
                let answer = answer.ok();
                bearer(&desk, &answer).get("/me").await.ok();
                *tab = answer["refresh_token"].clone();
            }
            app.advance(10 * 60_000).await;
        }
        // One after the other works as well, within a minute.
        tabs[0] = refresh(&desk.anonymous, &tabs[0]).await.ok()["refresh_token"].clone();
        app.advance(50_000).await;
        tabs[1] = refresh(&desk.anonymous, &tabs[1]).await.ok()["refresh_token"].clone();
        tabs[0] = refresh(&desk.anonymous, &tabs[0]).await.ok()["refresh_token"].clone();
        app.advance(LATER).await;
        refresh(&desk.anonymous, &tabs[1]).await.refused(401, "session_revoked");
        refresh(&desk.anonymous, &tabs[0]).await.refused(401, "session_revoked");
    }

    /// An end that is set or brought forward binds at once, tokens that are out and live sockets included; the account
    /// cannot prolong itself.
    async fn an_end_that_comes_later_binds_what_is_out(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}", desk.second_agent.id());
        let mut socket = desk.second_agent.socket().await;
        let end = app.clock.now().plus(30_000);
        desk.admin.patch(&path, json!({"expires_at": end.to_string()})).await.ok();
        desk.second_agent.get("/me").await.ok();
        app.advance(31_000).await;
        desk.second_agent.get("/me").await.refused(403, "account_disabled");
        desk.second_agent.patch("/me", json!({"nickname": "x"})).await.refused(403, "account_disabled");
        assert_eq!(socket.expect("bye").await["reason"], "account_disabled");
        assert_eq!(socket.expect_close().await, 4_502);
        // An administrator whose time is over does not give itself more.
        let other = app.seed_member(desk.tenant, deskwire::domain::member::Role::Admin).await;
        let own = format!("/members/{}", other.member);
        let past = app.clock.now().plus(-1_000);
        desk.admin.patch(&own, json!({"expires_at": past.to_string()})).await.ok();
        let later = app.clock.now().plus(3_600_000).to_string();
        let answer = app.client_of(other).patch(&own, json!({"expires_at": later})).await;
        assert!(answer.status == 401 || answer.status == 403, "{answer}");
        // Nor does one whose time is not over yet.
        let third = app.seed_member(desk.tenant, deskwire::domain::member::Role::Admin).await;
        let own = format!("/members/{}", third.member);
        desk.admin.patch(&own, json!({"expires_at": later})).await.ok();
        app.client_of(third).patch(&own, json!({"expires_at": null})).await.refused(403, "forbidden");
        // Taken away, it binds no longer.
        desk.admin.patch(&path, json!({"expires_at": null})).await.ok();
        app.client_of(desk.seed.second_agent).get("/me").await.ok();
    }

    /// An account with an end has no token beyond it.
    async fn an_account_that_ends_takes_its_tokens_along(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}", desk.agent.id());
        let end = app.clock.now().plus(60_000);
        desk.admin.patch(&path, json!({"expires_at": end.to_string()})).await.ok();
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        app.advance(61_000).await;
        bearer(&desk, &tokens).get("/me").await.refused(401, "token_expired");
        refresh(&desk.anonymous, &tokens["refresh_token"]).await.refused(403, "account_disabled");
        login(&desk, "agent", PASSWORD).await.refused(403, "account_disabled");
        desk.admin.patch(&path, json!({"expires_at": null})).await.ok();
        refresh(&desk.anonymous, &tokens["refresh_token"]).await.ok();
    }
}
