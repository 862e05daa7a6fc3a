//! What is no API key, and what is no person: forged keys, and service accounts that nobody signs in to.

use deskwire::domain::api_key::issue;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api_keys::{account, key};
use crate::harness::Socket;
use crate::harness::seed::PASSWORD;

on_every_database! {
    /// Whatever looks like a key and is none opens nothing, and too many of them are refused before the store is asked.
    async fn forged_keys_open_nothing(app: TestApp) {
        let app = app.restarted(|settings| settings.anonymous_per_minute = 20).await;
        let desk = app.desk().await;
        let account = account(&desk, "admin").await;
        let (made, bot) = key(&desk, &account, &["read_bans"]).await;
        let secret = bot.token.clone().unwrap();
        let (strange_prefix, strange) = issue();
        let (own_prefix, strange) = (made["prefix"].as_str().unwrap(), strange.expose());
        // The right prefix with another secret, its check made right.
        let said = strange.rsplit_once('_').unwrap().0.replace(&strange_prefix, own_prefix);
        let digest = Sha256::digest(said.as_bytes());
        let check: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        for forged in [strange.to_owned(), format!("{said}_{check}"), format!("{said}_00000000"), "dk_".to_owned(),
            secret[..secret.len() - 1].to_owned(), format!("{secret}0"), secret.to_uppercase().replace("DK_", "dk_")]
        {
            desk.anonymous.with_token(forged).get("/bans").await.refused(401, "api_key_invalid");
        }
        bot.get("/bans").await.ok();
        // A forged one opens no socket either, and the documents ask for none.
        for token in [said.clone() + "_00000000", strange.to_owned()] {
            let mut socket = Socket::connect(app.base()).await;
            socket.ask_refused("hello", json!({"token": token, "device": "bot"}), "api_key_invalid").await;
            assert_eq!(socket.expect_close().await, 4501);
        }
        bot.get("/openapi.json").await.ok();
        let wrong = desk.anonymous.with_token(strange);
        let told = join_all((0..40).map(|_| wrong.get("/bans"))).await;
        assert!(told.iter().any(|answer| answer.code() == "rate_limited"), "nobody was told to wait: {}", told[39]);
    }

    /// A service account is nobody who signs in: not with a password, and not as the tenant's last administrator.
    async fn nobody_signs_in_to_a_service_account(app: TestApp) {
        let desk = app.desk().await;
        let named = |more: Value| {
            let mut body = json!({"role": "admin", "nickname": "n", "service_account": true});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        for (more, pointer) in [
            (json!({"login_name": "bot", "password": PASSWORD}), "/login_name"),
            (json!({"password": PASSWORD}), "/login_name"),
            (json!({"role": "customer"}), "/role"),
            (json!({"nickname": " "}), "/nickname"),
        ] {
            let wrong = desk.admin.post("/members", named(more)).await.refused(422, "validation_failed");
            assert_eq!(wrong["errors"][0]["pointer"], pointer, "{wrong}");
        }
        let account = account(&desk, "admin").await;
        let member = format!("/members/{account}");
        desk.admin.patch(&member, json!({"login_name": "bot"})).await.refused(422, "validation_failed");
        desk.admin.put(&format!("{member}/password"), json!({"password": PASSWORD})).await.refused(403, "forbidden");
        let rights = ["read_members", "manage_members"];
        let (_, bot) = key(&desk, &account, &rights).await;
        // The tenant's only person who runs it stays, whatever a program does.
        let admin = format!("/members/{}", desk.admin.id());
        bot.patch(&admin, json!({"status": "disabled"})).await.refused(409, "last_admin");
        bot.delete(&admin).await.refused(409, "last_admin");
        bot.patch(&admin, json!({"role": "agent"})).await.refused(409, "last_admin");
        let people = desk.admin.get("/members?service_account=false&limit=200").await.ok();
        let programs = desk.admin.get("/members?service_account=true").await.ok();
        assert!(people["data"].as_array().unwrap().iter().all(|one| one["id"] != json!(account)));
        assert_eq!(programs["data"].as_array().unwrap().len(), 1);
    }
}
