//! Sign-in, tokens and sessions.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskwire::db::schema::member;
use deskwire::kernel::secret::Secret;
use deskwire::tenants::service as tenants;
use diesel::prelude::*;
use hmac::{Hmac, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha512;

use crate::harness::seed::PASSWORD;
use crate::harness::{Answer, Client, Desk, TestApp, eventually};

const QUARTER_HOUR: i64 = 15 * 60 * 1_000;

fn credentials(desk: &Desk, name: &str, password: &str) -> Value {
    json!({"tenant": desk.slug, "name": name, "password": password})
}

async fn login(desk: &Desk, name: &str, password: &str) -> Answer {
    desk.anonymous.post("/auth/login", credentials(desk, name, password)).await
}

async fn refresh(client: &Client, token: &Value) -> Answer {
    client.anonymous().post("/auth/refresh", json!({"refresh_token": token})).await
}

fn bearer(desk: &Desk, tokens: &Value) -> Client {
    desk.anonymous.with_token(tokens["access_token"].as_str().unwrap())
}

/// A token that is signed with HMAC-SHA-512.
fn hs512(claims: &Value, secret: &str) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let header = encode(json!({"typ": "JWT", "alg": "HS512", "kid": "test"}).to_string());
    let message = format!("{header}.{}", encode(claims.to_string()));
    let mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&message).finalize();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

on_every_database! {
    /// The right words open, in whatever case; whatever does not fit is told nothing more.
    async fn who_knows_the_password_comes_in(app: TestApp) {
        let desk = app.desk().await;
        let tokens = login(&desk, "  AGENT ", PASSWORD).await.status(200);
        assert_eq!(tokens["member"]["id"], desk.agent.id());
        let me = bearer(&desk, &tokens).get("/me").await.ok();
        assert_eq!(me["login_name"], "agent");
        assert!(me["last_login_at"].is_string() && me["last_login_ip"] == "127.0.0.1", "{me}");
        assert!(me.get("password_hash").is_none(), "{me}");

        let unknown = login(&desk, "nobody", PASSWORD).await.refused(401, "invalid_credentials");
        let wrong = login(&desk, "agent", "wrong words").await.refused(401, "invalid_credentials");
        let elsewhere = json!({"tenant": "nowhere", "name": "agent", "password": PASSWORD});
        let elsewhere = desk.anonymous.post("/auth/login", elsewhere).await.refused(401, "invalid_credentials");
        assert_eq!(unknown["detail"], wrong["detail"]);
        assert_eq!(unknown["detail"], elsewhere["detail"]);
        login(&desk, "agent", &format!("{PASSWORD}{}", "x".repeat(80))).await.refused(401, "invalid_credentials");
        let extra = json!({"tenant": desk.slug, "name": "agent", "password": PASSWORD, "role": "admin"});
        desk.anonymous.post("/auth/login", extra).await.refused(422, "validation_failed");
    }

    /// Tokens that were not made here, were changed, or have ended open nothing.
    async fn forged_and_expired_tokens_are_refused(app: TestApp) {
        let desk = app.desk().await;
        let token = desk.agent.token.clone().unwrap();
        desk.anonymous.get("/me").await.refused(401, "unauthenticated");
        let parts: Vec<&str> = token.split('.').collect();
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        claims["role"] = json!("admin");
        let resign = |secret: &str| {
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some("test".to_owned());
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
        };
        let none = encode(&json!({"typ": "JWT", "alg": "none", "kid": "test"}));
        for forged in [
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.{}", parts[0], encode(&claims), parts[2]),
            resign("another secret of at least 32 bytes"),
            hs512(&claims, "0123456789abcdef0123456789abcdef"),
            format!("{token}x"),
            "nonsense".to_owned(),
        ] {
            desk.anonymous.with_token(forged).get("/me").await.refused(401, "token_invalid");
        }
        let basic = desk.anonymous.request(Method::GET, "/me").basic_auth("agent", Some(PASSWORD));
        Answer::of(basic).await.refused(401, "token_invalid");
        app.advance(QUARTER_HOUR + 1_000).await;
        desk.agent.get("/me").await.refused(401, "token_expired");
    }

    /// A new signing key comes in while tokens of the old one are still out.
    async fn keys_rotate_without_signing_anybody_out(app: TestApp) {
        let desk = app.desk().await;
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        let old = "test:0123456789abcdef0123456789abcdef";
        let new = "next:abcdef0123456789abcdef0123456789";
        let rotated = app.restarted(|settings| {
            settings.secrets.jwt_keys = Some(Secret::new(format!("{new},{old}")));
        }).await;
        let there = rotated.client().with_token(tokens["access_token"].as_str().unwrap());
        there.get("/me").await.ok();
        let renewed = refresh(&there, &tokens["refresh_token"]).await.ok();
        let done = rotated.restarted(|settings| settings.secrets.jwt_keys = Some(Secret::new(new))).await;
        let here = done.client();
        here.with_token(renewed["access_token"].as_str().unwrap()).get("/me").await.ok();
        here.with_token(tokens["access_token"].as_str().unwrap()).get("/me").await.refused(401, "token_invalid");
        refresh(&here, &renewed["refresh_token"]).await.ok();
    }

    /// A flood of sign-ins and new visitors from one address is stopped before anything is written.
    async fn a_flood_without_tokens_is_stopped_in_memory(app: TestApp) {
        let desk = app.desk().await;
        let limited = app.restarted(|settings| settings.anonymous_per_minute = 3).await;
        let count = |app: &TestApp| {
            let mut connection = app.database().connect();
            member::table.count().get_result::<i64>(&mut connection).unwrap()
        };
        let before = count(&app);
        let mut refused = 0;
        let ways = [
            (limited.client(), "/visitors"),
            // Neither a token nor another spelling opens a way around.
            (limited.client_of(desk.seed.visitor), "/visitors"),
            (limited.client(), "/%76isitors"),
            (limited.client(), "http://HOST/%61pi/v1/visitors"),
        ];
        for (client, path) in ways.iter().cycle().take(20) {
            let path = path.replace("http://HOST", limited.base());
            let answer = client.post(&path, json!({"tenant": desk.slug})).await;
            if answer.status == 429 {
                assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer}");
                answer.refused(429, "rate_limited");
                refused += 1;
            }
        }
        assert!(refused >= 16, "{refused}");
        assert_eq!(count(&app) - before, 20 - refused);
    }

    /// Devices are listed and signed out one by one or all at once; those of others are not there.
    async fn sessions_are_listed_and_end_at_once(app: TestApp) {
        let desk = app.desk().await;
        let mut devices = Vec::new();
        for device in ["one", "two", "three"] {
            let body = json!({"tenant": desk.slug, "name": "agent", "password": PASSWORD, "device": device});
            devices.push(desk.anonymous.post("/auth/login", body).await.ok());
        }
        let one = bearer(&desk, &devices[0]);
        let page = one.get("/auth/sessions?limit=3").await.ok();
        let names: Vec<&str> =
            page["data"].as_array().unwrap().iter().map(|row| row["device"].as_str().unwrap()).collect();
        assert_eq!(names, ["three", "two", "one"]);
        assert_eq!(page["data"][2]["current"], true);
        let cursor = page["next_cursor"].as_str().unwrap();
        let rest = one.get(&format!("/auth/sessions?limit=3&cursor={cursor}")).await.ok();
        assert_eq!(rest["data"][0]["device"], "seed");
        assert_eq!(rest["next_cursor"], Value::Null);

        let three = page["data"][0]["id"].as_str().unwrap();
        let path = format!("/auth/sessions/{three}");
        desk.supervisor.delete(&path).await.refused(404, "not_found");
        one.delete(&path).await.status(204);
        one.delete(&path).await.refused(404, "not_found");
        bearer(&desk, &devices[2]).get("/me").await.refused(401, "session_revoked");
        refresh(&one, &devices[2]["refresh_token"]).await.refused(401, "session_revoked");
        bearer(&desk, &devices[1]).get("/me").await.ok();

        one.delete("/auth/sessions").await.status(204);
        bearer(&desk, &devices[1]).get("/me").await.refused(401, "session_revoked");
        desk.agent.get("/me").await.refused(401, "session_revoked");
        one.get("/me").await.ok();
        one.post("/auth/logout", json!({})).await.status(204);
        one.get("/me").await.refused(401, "session_revoked");
        desk.second_agent.get("/me").await.ok();
    }

    /// A member has a hundred live sessions at most: one more ends the oldest.
    async fn the_oldest_of_too_many_sessions_ends(app: TestApp) {
        let desk = app.desk().await;
        let first = login(&desk, "agent", PASSWORD).await.ok();
        for _ in 0..98 {
            login(&desk, "agent", PASSWORD).await.ok();
        }
        desk.agent.get("/me").await.ok();
        login(&desk, "agent", PASSWORD).await.ok();
        desk.agent.get("/me").await.refused(401, "session_revoked");
        bearer(&desk, &first).get("/me").await.ok();
    }

    /// Disabling and deleting end what lives; a new role asks for a new token.
    async fn changes_of_a_member_reach_its_tokens_at_once(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}", desk.agent.id());
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        desk.admin.patch(&path, json!({"role": "supervisor"})).await.ok();
        bearer(&desk, &tokens).get("/me").await.refused(401, "token_expired");
        let renewed = refresh(&desk.anonymous, &tokens["refresh_token"]).await.ok();
        assert_eq!(renewed["member"]["role"], "supervisor");
        bearer(&desk, &renewed).get("/members").await.ok();

        desk.admin.patch(&path, json!({"status": "disabled"})).await.ok();
        bearer(&desk, &renewed).get("/me").await.refused(403, "account_disabled");
        refresh(&desk.anonymous, &renewed["refresh_token"]).await.refused(403, "account_disabled");
        login(&desk, "agent", PASSWORD).await.refused(403, "account_disabled");
        login(&desk, "agent", "wrong words").await.refused(401, "invalid_credentials");
        desk.admin.patch(&path, json!({"status": "enabled"})).await.ok();
        login(&desk, "agent", PASSWORD).await.ok();
        refresh(&desk.anonymous, &renewed["refresh_token"]).await.refused(401, "session_revoked");

        desk.admin.delete(&path).await.status(204);
        login(&desk, "agent", PASSWORD).await.refused(401, "invalid_credentials");
        desk.admin.get(&path).await.refused(404, "not_found");
    }

    /// A suspended tenant is closed for all its members, and for nobody else.
    async fn a_suspended_tenant_is_closed(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        tenants::set_suspended(app.app(), &desk.slug, true).await.unwrap();
        desk.agent.get("/me").await.refused(403, "tenant_suspended");
        login(&desk, "agent", PASSWORD).await.refused(403, "tenant_suspended");
        desk.anonymous.post("/visitors", json!({"tenant": desk.slug})).await.refused(403, "tenant_suspended");
        other.agent.get("/me").await.ok();
        tenants::set_suspended(app.app(), &desk.slug, false).await.unwrap();
        desk.agent.get("/me").await.ok();
    }

    /// What one process revokes, another one refuses, and so does one that starts afterwards.
    async fn revocations_reach_every_process(app: TestApp) {
        let desk = app.desk().await;
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        if app.kind().is_server() {
            let second = app.second().await;
            let there = second.client().with_token(tokens["access_token"].as_str().unwrap());
            there.get("/me").await.ok();
            bearer(&desk, &tokens).post("/auth/logout", json!({})).await.status(204);
            eventually("the other process knows", || async {
                (there.get("/me").await.code() == "session_revoked").then_some(())
            }).await;
        } else {
            bearer(&desk, &tokens).post("/auth/logout", json!({})).await.status(204);
        }
        let later = app.restarted(|_| {}).await;
        let there = later.client().with_token(tokens["access_token"].as_str().unwrap());
        there.get("/me").await.refused(401, "session_revoked");
    }

    /// The command line, which is another process, makes administrators and resets passwords beside a running
    /// server.
    async fn a_reset_password_ends_every_session(app: TestApp) {
        use deskwire::security::password::Password;
        use deskwire::members::service;
        let desk = app.desk().await;
        let password = || Password(Secret::new("set by the operator"));
        service::reset_password(app.app(), &desk.slug, " AGENT", password()).await.unwrap();
        eventually("the session is over", || async {
            (desk.agent.get("/me").await.code() == "session_revoked").then_some(())
        }).await;
        login(&desk, "agent", "set by the operator").await.ok();
        service::create_admin(app.app(), &desk.slug, "root", password()).await.unwrap();
        let tokens = login(&desk, "root", "set by the operator").await.ok();
        assert_eq!(tokens["member"]["role"], "admin");
        let unknown = service::reset_password(app.app(), "nowhere", "agent", password()).await;
        assert!(unknown.is_err());
        tokio::time::timeout(Duration::from_secs(60), app.auth.catch_up(&app.db)).await.unwrap().unwrap();
    }
}
