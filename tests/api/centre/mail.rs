//! E-mail: accounts of mail servers, and what reaches them.

use serde_json::{Value, json};

use super::text;

/// A mail server that is public as far as its name tells.
fn server() -> Value {
    json!({
        "host": "mail.shop.example", "security": "starttls", "username": "shop", "password": "s3cret-word",
        "from_address": "shop@shop.example", "from_name": "Shop",
    })
}

on_every_database! {
    /// Made and changed; the password is shown nowhere, and stays when it is not given again to the same server.
    async fn an_account_of_a_mail_server_lives(app: TestApp) {
        let desk = app.desk().await;
        let body = json!({"name": "Mail", "provider": "smtp", "smtp": server()});
        let made = desk.admin.post("/channel-accounts", body).await.status(201);
        let account = &made["account"];
        assert_eq!(
            (&account["provider"], &account["channel"], &account["host"], &account["limit"], &made["secret"]),
            (&json!("smtp"), &json!("email"), &json!("mail.shop.example"), &json!(null), &json!(null)),
        );
        let path = format!("/channel-accounts/{}", text(&account["id"]));
        let mut changed = server();
        changed["password"] = json!(null);
        changed["port"] = json!(2525);
        let changed = desk.admin.patch(&path, json!({"smtp": changed})).await.ok();
        let mut other = server();
        other["password"] = json!(null);
        other["host"] = json!("mail.other.example");
        let refused = desk.admin.patch(&path, json!({"smtp": other})).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/smtp/password", "{refused}");
        other["password"] = json!("an0ther-word");
        let moved = desk.admin.patch(&path, json!({"smtp": other})).await.ok();
        assert_eq!(moved["host"], "mail.other.example");
        desk.admin.post(&format!("{path}/rotate_secret"), json!({})).await.refused(422, "validation_failed");
        let listed = desk.supervisor.get("/channel-accounts").await.ok();
        for shown in [&made, &changed, &moved, &listed, &refused] {
            let shown = shown.to_string();
            assert!(!shown.contains("s3cret") && !shown.contains("an0ther"), "{shown}");
        }
    }

    /// Servers that are not public, ports that are not those of mail, no TLS, and what is no address.
    async fn what_is_no_public_mail_server_is_refused(app: TestApp) {
        let desk = app.desk().await;
        for (field, value) in [
            ("host", json!("10.0.0.1")),
            ("host", json!("localhost")),
            ("host", json!("::1")),
            ("host", json!("[::ffff:10.0.0.1]")),
            ("host", json!("169.254.169.254")),
            ("host", json!("mail.internal")),
            ("host", json!("167772161")),
            ("host", json!("mail.shop.example\r\nRSET")),
            ("port", json!(6379)),
            ("port", json!(80)),
            ("security", json!("none")),
            ("from_address", json!("shop@shop.example\r\nBcc: all@shop.example")),
            ("from_name", json!("Shop\r\nBcc: all@shop.example")),
            ("reply_to", json!("nobody")),
            ("username", json!(null)),
            ("password", json!(null)),
        ] {
            let mut smtp = server();
            smtp[field] = value.clone();
            let body = json!({"name": "a", "provider": "smtp", "smtp": smtp});
            let refused = desk.admin.post("/channel-accounts", body).await.refused(422, "validation_failed");
            let pointer = text(&refused["errors"][0]["pointer"]);
            assert!(pointer.starts_with("/smtp/"), "{field} {value}: {refused}");
            assert!(!refused.to_string().contains("s3cret"), "{refused}");
        }
        let url = "https://shop.example/hook";
        for (body, pointer) in [
            (json!({"name": "a", "provider": "smtp"}), "/smtp"),
            (json!({"name": "a", "provider": "smtp", "smtp": server(), "url": url}), "/url"),
            (json!({"name": "a", "provider": "webhook", "url": url, "smtp": server()}), "/smtp"),
            (json!({"name": "a", "provider": "webhook"}), "/url"),
            (json!({"name": "a", "provider": "smtp", "smtp": server(), "secret": "x"}), "/secret"),
        ] {
            let refused = desk.admin.post("/channel-accounts", body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        // What the operator allows (the harness: the loopback) may be any port, and without TLS.
        let mut smtp = server();
        smtp["host"] = json!("127.0.0.1");
        smtp["port"] = json!(9);
        smtp["security"] = json!("none");
        let body = json!({"name": "a", "provider": "smtp", "smtp": smtp});
        desk.admin.post("/channel-accounts", body).await.status(201);
    }
}
