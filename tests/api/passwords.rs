//! Passwords: which may be set, by whom, and what a new one ends.

use serde_json::{Value, json};

use crate::harness::seed::PASSWORD;
use crate::harness::{Answer, Client, Desk, PLATFORM_KEY};

async fn login(desk: &Desk, name: &str, password: &str) -> Answer {
    let body = json!({"tenant": desk.slug, "name": name, "password": password});
    desk.anonymous.post("/auth/login", body).await
}

fn bearer(desk: &Desk, tokens: &Value) -> Client {
    desk.anonymous.with_token(tokens["access_token"].as_str().unwrap())
}

fn field(problem: &Value) -> (&str, &str) {
    let field = &problem["errors"][0];
    (field["pointer"].as_str().unwrap(), field["code"].as_str().unwrap())
}

on_every_database! {
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

    /// The store alone, before the journal ends the sessions, as after a crash between the two: nobody refreshes a
    /// session of the old password, and a sign-in that checked the old one brings no session.
    async fn no_session_of_the_old_password_survives_a_crash(app: TestApp) {
        use deskwire::auth::sessions::{self, Beginning, ClientInfo};
        use deskwire::kernel::Code;
        use deskwire::members::store;
        let desk = app.desk().await;
        let tokens = login(&desk, "agent", PASSWORD).await.ok();
        let (tenant, member, now) = (desk.tenant, desk.seed.agent.member, app.clock.now());
        let checked = app.db.read(move |connection| store::find(connection, tenant, member)).await.unwrap().unwrap();
        app.db.write(move |connection| store::set_password(connection, tenant, member, "$2b$04$x", None, now)).await.unwrap();
        let refresh = json!({"refresh_token": tokens["refresh_token"]});
        desk.anonymous.post("/auth/refresh", refresh).await.refused(401, "session_revoked");
        // The sign-in that goes on was checked against the row of before.
        let client = ClientInfo { address: "127.0.0.1".parse().unwrap(), user_agent: String::new() };
        for beginning in [Beginning::SignIn, Beginning::KnownSignIn] {
            let session = sessions::begin(&app, tenant, member, checked.role, None, &client).unwrap();
            let kept = sessions::keep(&app, session, checked.clone(), beginning).await;
            assert_eq!(kept.err().map(|error| error.code), Some(Code::InvalidCredentials), "{beginning:?}");
        }
        login(&desk, "second-agent", PASSWORD).await.ok();
    }

    /// Common passwords, short ones and names are refused by every route that sets one.
    async fn what_is_guessed_first_is_refused_everywhere(app: TestApp) {
        let desk = app.desk().await;
        let second = format!("/members/{}/password", desk.second_agent.id());
        for (password, code) in [
            ("1234567", "too_short"),
            ("😀😀", "too_short"),
            ("password", "too_common"),
            ("        ", "too_common"),
            ("Qwertyuiop", "too_common"),
            ("Second-Agent", "too_common"),
        ] {
            let set = desk.admin.put(&second, json!({"password": password})).await.refused(422, "validation_failed");
            assert_eq!(field(&set), ("/password", code), "{password}");
            let change = json!({"current_password": PASSWORD, "new_password": password});
            let change = desk.second_agent.put("/auth/password", change).await.refused(422, "validation_failed");
            assert_eq!(field(&change), ("/new_password", code), "{password}");
            let member = json!({"role": "agent", "login_name": "second-agent", "password": password});
            let member = desk.admin.post("/members", member).await.refused(422, "validation_failed");
            assert_eq!(field(&member), ("/password", code), "{password}");
            let platform = desk.anonymous.with_token(PLATFORM_KEY);
            let admin = json!({"login_name": "second-agent", "password": password});
            let tenant = platform.post("/tenants", json!({"slug": "new", "admin": admin})).await;
            assert_eq!(field(&tenant.refused(422, "validation_failed")), ("/admin/password", code), "{password}");
        }
        login(&desk, "second-agent", PASSWORD).await.ok();
    }

    /// Characters are counted and not bytes, and every character of a long password counts.
    async fn long_passwords_of_any_script_count_to_their_end(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}/password", desk.agent.id());
        for password in ["密码很长安全".repeat(12), "correct horse battery staple ".repeat(8)] {
            desk.admin.put(&path, json!({"password": password})).await.status(204);
            login(&desk, "agent", &password).await.ok();
            let almost: String = password.chars().take(password.chars().count() - 1).collect();
            login(&desk, "agent", &almost).await.refused(401, "invalid_credentials");
            login(&desk, "agent", &format!("{password}x")).await.refused(401, "invalid_credentials");
        }
        let long = json!({"password": "abc".repeat(86)});
        desk.admin.put(&path, long).await.refused(422, "validation_failed");
    }

    /// Nobody replaces the own password without the present one, administrators included, and a new one is another
    /// one.
    async fn the_own_password_needs_the_present_one(app: TestApp) {
        let desk = app.desk().await;
        let own = format!("/members/{}", desk.admin.id());
        let new = json!({"password": "a password of many words"});
        desk.admin.put(&format!("{own}/password"), new.clone()).await.refused(403, "forbidden");
        desk.admin.patch(&own, new.clone()).await.refused(422, "validation_failed");
        desk.admin.patch("/me", new).await.refused(422, "validation_failed");
        login(&desk, "admin", PASSWORD).await.ok();
        let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
        let same = desk.admin.put("/auth/password", change(PASSWORD, PASSWORD)).await;
        assert_eq!(field(&same.refused(422, "validation_failed")), ("/new_password", "unchanged"));
        // Five wrong guesses lock this door for this device.
        for _ in 0..5 {
            let wrong = desk.admin.put("/auth/password", change("wrong words", "a new password")).await;
            assert_eq!(field(&wrong.refused(422, "validation_failed")), ("/current_password", "invalid"));
        }
        let locked = desk.admin.put("/auth/password", change(PASSWORD, "a new password")).await;
        locked.refused(403, "account_locked");
        login(&desk, "admin", PASSWORD).await.ok();
    }
}
