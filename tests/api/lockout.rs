//! The locks against guessing: what they stop, whom they leave alone, and what they tell.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::seed::PASSWORD;
use crate::harness::{Answer, Desk, TestApp};

const QUARTER_HOUR: i64 = 15 * 60 * 1_000;

/// A sign-in that seems to come from this address, with more in its body.
async fn login_with(desk: &Desk, address: &str, name: &str, password: &str, more: Value) -> Answer {
    let mut body = json!({"tenant": desk.slug, "name": name, "password": password});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let request = desk.anonymous.request(Method::POST, "/auth/login");
    Answer::of(request.header("x-forwarded-for", address).json(&body)).await
}

async fn login(desk: &Desk, address: &str, password: &str) -> Answer {
    login_with(desk, address, "agent", password, json!({})).await
}

async fn start(app: &TestApp) -> (TestApp, Desk) {
    let app = app.restarted(|settings| settings.trusted_proxies = 1).await;
    let desk = app.desk().await;
    (app, desk)
}

/// Sixty wrong passwords from twelve addresses.
async fn guess_from_everywhere(desk: &Desk) {
    for address in 0..12 {
        let address = format!("198.51.100.{address}");
        for answer in join_all((0..5).map(|_| login(desk, &address, "wrong words"))).await {
            answer.refused(401, "invalid_credentials");
        }
    }
}

on_every_database! {
    /// Five failures lock the account for one address. An address that the account does not know learns nothing: the
    /// right password is answered like a wrong one.
    async fn a_lock_tells_strangers_nothing(app: TestApp) {
        let (app, desk) = start(&app).await;
        let from = |address, password| login(&desk, address, password);
        for _ in 0..5 {
            from("192.0.2.1", "wrong words").await.refused(401, "invalid_credentials");
        }
        let wrong = from("192.0.2.1", "wrong words").await.refused(401, "invalid_credentials");
        let right = from("192.0.2.1", PASSWORD).await.refused(401, "invalid_credentials");
        assert_eq!((&wrong["detail"], &wrong["errors"]), (&right["detail"], &right["errors"]));
        from("192.0.2.2", PASSWORD).await.ok();
        app.advance(QUARTER_HOUR).await;
        from("192.0.2.1", PASSWORD).await.ok();

        // Now the address is known: its owner is told why, a few times, and only with the right password.
        for _ in 0..5 {
            from("192.0.2.1", "wrong words").await.refused(401, "invalid_credentials");
        }
        for _ in 0..5 {
            from("192.0.2.1", PASSWORD).await.refused(403, "account_locked");
        }
        from("192.0.2.1", PASSWORD).await.refused(401, "invalid_credentials");
        let admin = app.client_of(desk.seed.admin);
        admin.post(&format!("/members/{}/unlock", desk.agent.id()), json!({})).await.status(204);
        from("192.0.2.1", PASSWORD).await.ok();

        // Who goes on guessing locks the account for nobody else, and a new password is not locked by old failures.
        for _ in 0..80 {
            from("192.0.2.4", "wrong words").await.refused(401, "invalid_credentials");
        }
        from("192.0.2.4", PASSWORD).await.refused(401, "invalid_credentials");
        from("192.0.2.5", PASSWORD).await.ok();
        let path = format!("/members/{}/password", desk.agent.id());
        admin.put(&path, json!({"password": "a new password"})).await.status(204);
        from("192.0.2.4", "a new password").await.ok();
    }

    /// Many addresses together lock the account after fifty failures in a row, and only for addresses and devices that
    /// it does not know.
    async fn strangers_lock_out_no_known_address_and_no_known_device(app: TestApp) {
        let (app, desk) = start(&app).await;
        let home = "203.0.113.1";
        let session = login(&desk, home, PASSWORD).await.ok();
        let device = json!({"refresh_token": session["refresh_token"]});
        guess_from_everywhere(&desk).await;
        let elsewhere = "203.0.113.77";
        let wrong = login(&desk, elsewhere, "wrong words").await.refused(401, "invalid_credentials");
        let right = login(&desk, elsewhere, PASSWORD).await.refused(401, "invalid_credentials");
        assert_eq!(wrong["detail"], right["detail"], "a locked account answers alike");
        login(&desk, home, PASSWORD).await.ok();
        login_with(&desk, elsewhere, "second-agent", PASSWORD, json!({})).await.ok();
        // The device proves itself, also after it signed out and on a new address.
        desk.anonymous.with_token(session["access_token"].as_str().unwrap()).post("/auth/logout", json!({})).await.status(204);
        login_with(&desk, "203.0.113.78", "agent", PASSWORD, device.clone()).await.ok();
        // It proves nothing for another account, and made-up text proves nothing at all.
        guess_from_everywhere(&desk).await;
        let made_up = json!({"refresh_token": format!("dwr_{}_{}", desk.agent.id(), "A".repeat(65))});
        login_with(&desk, "203.0.113.79", "agent", PASSWORD, made_up).await.refused(401, "invalid_credentials");
        let other = login_with(&desk, "203.0.113.80", "second-agent", PASSWORD, json!({})).await.ok();
        let other = json!({"refresh_token": other["refresh_token"]});
        login_with(&desk, "203.0.113.81", "agent", PASSWORD, other).await.refused(401, "invalid_credentials");
        app.advance(QUARTER_HOUR).await;
        login(&desk, "203.0.113.82", PASSWORD).await.ok();
    }

    /// The own failures lock a device too, and only that one.
    async fn a_known_device_is_locked_by_its_own_failures(app: TestApp) {
        let (_app, desk) = start(&app).await;
        let session = login(&desk, "203.0.113.1", PASSWORD).await.ok();
        let device = json!({"refresh_token": session["refresh_token"]});
        for _ in 0..5 {
            let wrong = login_with(&desk, "203.0.113.1", "agent", "wrong words", device.clone()).await;
            wrong.refused(401, "invalid_credentials");
        }
        login_with(&desk, "203.0.113.1", "agent", PASSWORD, device).await.refused(403, "account_locked");
        login(&desk, "203.0.113.1", PASSWORD).await.ok();
    }
}
