//! Sign-in, tokens, sessions, locks.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskwire::db::schema::member;
use deskwire::kernel::secret::Secret;
use deskwire::tenants::service as tenants;
use diesel::prelude::*;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::seed::PASSWORD;
use crate::harness::{Answer, Client, Desk, TestApp, eventually};

const QUARTER_HOUR: i64 = 15 * 60 * 1_000;

fn credentials(desk: &Desk, name: &str, password: &str) -> Value {
    json!({"tenant": desk.slug, "name": name, "password": password})
}

async fn login(desk: &Desk, name: &str, password: &str) -> Answer {
    desk.anonymous.post("/auth/login", credentials(desk, name, password)).await
}

/// A login that seems to come from this address.
async fn login_from(desk: &Desk, address: &str, name: &str, password: &str) -> Answer {
    let request = desk.anonymous.request(Method::POST, "/auth/login");
    let body = credentials(desk, name, password);
    Answer::of(request.header("x-forwarded-for", address).json(&body)).await
}

async fn refresh(client: &Client, token: &Value) -> Answer {
    client.anonymous().post("/auth/refresh", json!({"refresh_token": token})).await
}

fn bearer(desk: &Desk, tokens: &Value) -> Client {
    desk.anonymous.with_token(tokens["access_token"].as_str().unwrap())
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
        let resign = |algorithm, secret: &str| {
            let mut header = Header::new(algorithm);
            header.kid = Some("test".to_owned());
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
        };
        let none = encode(&json!({"typ": "JWT", "alg": "none", "kid": "test"}));
        for forged in [
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.{}", parts[0], encode(&claims), parts[2]),
            resign(Algorithm::HS256, "another secret of at least 32 bytes"),
            resign(Algorithm::HS512, "0123456789abcdef0123456789abcdef"),
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

    /// A lost answer costs nothing: the same refresh token is good until one of its successors is used.
    async fn lost_refresh_answers_lock_nobody_out(app: TestApp) {
        let desk = app.desk().await;
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        for _ in 0..3 {
            refresh(&desk.anonymous, &tokens["refresh_token"]).await.ok();
        }
        // Twelve at once, as a client in a hurry sends them: every one is answered.
        let many = (0..12).map(|_| refresh(&desk.anonymous, &tokens["refresh_token"]));
        let answers: Vec<Value> = join_all(many).await.into_iter().map(Answer::ok).collect();
        let arrived = answers.last().unwrap();
        let next = refresh(&desk.anonymous, &arrived["refresh_token"]).await.ok();
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

    /// Five failures lock the account for one address. Only the right password is told so, and the lock ends.
    async fn guessing_locks_the_account_for_the_address(app: TestApp) {
        let app = app.restarted(|settings| settings.trust_forwarded = true).await;
        let desk = app.desk().await;
        let from = |address, password| login_from(&desk, address, "agent", password);
        for _ in 0..5 {
            from("192.0.2.1", "wrong words").await.refused(401, "invalid_credentials");
        }
        from("192.0.2.1", "wrong words").await.refused(401, "invalid_credentials");
        from("192.0.2.1", PASSWORD).await.refused(403, "account_locked");
        from("192.0.2.2", PASSWORD).await.ok();
        app.advance(QUARTER_HOUR).await;
        from("192.0.2.1", PASSWORD).await.ok();

        for _ in 0..5 {
            from("192.0.2.3", "wrong words").await.refused(401, "invalid_credentials");
        }
        let admin = app.client_of(desk.seed.admin);
        admin.post(&format!("/members/{}/unlock", desk.agent.id()), json!({})).await.status(204);
        from("192.0.2.3", PASSWORD).await.ok();

        // Who goes on guessing learns nothing more, and locks the account for nobody else.
        for _ in 0..80 {
            from("192.0.2.4", "wrong words").await.refused(401, "invalid_credentials");
        }
        from("192.0.2.4", PASSWORD).await.refused(401, "invalid_credentials");
        from("192.0.2.5", PASSWORD).await.ok();
        // A new password is not locked by the failures of the old one.
        let path = format!("/members/{}/password", desk.agent.id());
        admin.put(&path, json!({"password": "a new password"})).await.status(204);
        from("192.0.2.4", "a new password").await.ok();
    }

    /// Many addresses together lock the account for all, after fifty failures in a row, and no sooner.
    async fn guessing_from_everywhere_locks_the_account_slowly(app: TestApp) {
        let app = app.restarted(|settings| settings.trust_forwarded = true).await;
        let desk = app.desk().await;
        let guess = |number: usize| {
            let desk = &desk;
            async move {
                let address = format!("198.51.100.{}", number / 4);
                login_from(desk, &address, "agent", "wrong words").await.refused(401, "invalid_credentials");
            }
        };
        for round in 0..10 {
            join_all((0..5).map(|one| guess(round * 5 + one))).await;
        }
        let address = "203.0.113.1";
        login_from(&desk, address, "agent", PASSWORD).await.refused(403, "account_locked");
        login_from(&desk, address, "agent", "wrong words").await.refused(401, "invalid_credentials");
        login_from(&desk, address, "second-agent", PASSWORD).await.ok();
        app.advance(QUARTER_HOUR).await;
        login_from(&desk, address, "agent", PASSWORD).await.ok();
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

    /// A new password ends the other devices and the old password.
    async fn a_changed_password_leaves_one_device_signed_in(app: TestApp) {
        let desk = app.desk().await;
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        let here = bearer(&desk, &tokens);
        let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
        let wrong = here.put("/auth/password", change("wrong words", "a new password")).await;
        let wrong = wrong.refused(422, "validation_failed");
        assert_eq!(wrong["errors"][0]["pointer"], "/current_password");
        here.put("/auth/password", change(PASSWORD, "short")).await.refused(422, "validation_failed");
        here.put("/auth/password", change(PASSWORD, "a new password")).await.status(204);
        here.get("/me").await.ok();
        desk.agent.get("/me").await.refused(401, "session_revoked");
        login(&desk, "agent", PASSWORD).await.refused(401, "invalid_credentials");
        login(&desk, "agent", "a new password").await.ok();
        desk.visitor.put("/auth/password", change(PASSWORD, "a new password")).await.refused(403, "forbidden");
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
        tokio::time::timeout(Duration::from_secs(20), app.auth.catch_up(&app.db)).await.unwrap().unwrap();
    }
}
