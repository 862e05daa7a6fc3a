//! E-mail: accounts of mail servers, and what reaches them.

use deskwire::db::AnyConnection;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::postbox::{Act, Postbox, Tls, USER};
use super::suppressions::forget;
use super::{delivery_attempts, published, rule, sent, tell, text};
use crate::harness::{Client, eventually};

/// Until when a send is left to its worker, and the database's time.
fn lease(mut connection: AnyConnection, send: &str) -> (i64, i64) {
    use deskwire::db::schema::message_send;
    let id: i64 = send.parse().unwrap();
    let until = message_send::table
        .filter(message_send::id.eq(id))
        .select(message_send::lease_until)
        .get_result(&mut connection)
        .unwrap();
    (until, deskwire::db::time::now(&mut connection).unwrap())
}

/// A mail server that is public as far as its name tells.
fn server() -> Value {
    json!({
        "host": "mail.shop.example", "security": "starttls", "username": "shop", "password": "s3cret-word",
        "from_address": "shop@shop.example", "from_name": "Shop",
    })
}

/// An account at the fake, a template, a recipient, and a rule for `order.paid`; gives the account.
pub async fn wired(admin: &Client, postbox: &Postbox, more: Value) -> String {
    let smtp = json!({
        "host": "127.0.0.1", "port": postbox.port, "security": "none", "username": USER.0, "password": USER.1,
        "from_address": "shop@shop.example", "from_name": "商店",
    });
    let body = json!({"name": "Mail", "provider": "smtp", "smtp": smtp});
    let account = text(&admin.post("/channel-accounts", body).await.status(201)["account"]["id"]);
    let email = json!({
        "subject": "Order {{ number }} 已付款", "text": "{{ number }} is paid.", "html": "<p>{{ number }} is paid.</p>",
    });
    let variables = json!([{"name": "number", "type": "string", "required": true, "sample": "1001"}]);
    let body = json!({"name": "Paid", "channel": "email", "email": email, "variables": variables});
    let template = published(admin, body).await;
    let body = json!({"name": "Eva", "email": "Eva@mail.example"});
    let eva = admin.post("/message-recipients", body).await.status(201)["id"].clone();
    let mut body = json!({"recipients": [{"type": "recipient", "id": eva}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    rule(admin, "order.paid", &template, &account, body).await;
    account
}

on_every_database! {
    /// From what happened to the letter in the box, and back to the send, by its Message-ID.
    async fn an_event_becomes_a_letter(app: TestApp) {
        let desk = app.desk().await;
        let postbox = Postbox::start(Tls::Never).await;
        let account = wired(&desk.admin, &postbox, json!({})).await;
        let event = tell(&desk.admin, "order.paid", json!({"number": "<7>"})).await;
        let done = sent(&desk.admin, &event, "success").await;
        let letters = postbox.letters();
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert_eq!((letter.from.as_str(), letter.to.as_str()), ("shop@shop.example", "eva@mail.example"));
        let message_id = format!("<{}@shop.example>", text(&done["send"]["id"]));
        assert_eq!(letter.fields("Message-ID"), std::slice::from_ref(&message_id));
        assert_eq!(done["send"]["provider_message_id"], json!(message_id), "{done}");
        assert!(letter.fields("Subject")[0].starts_with("=?utf-8?b?"));
        assert!(letter.fields("Content-Type")[0].starts_with("multipart/alternative;"));
        assert!(letter.data.contains("\r\n<7> is paid.\r\n") && letter.data.contains("<p>&lt;7&gt; is paid.</p>"));
        let attempt = &done["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["code"]), (&json!("accepted"), &json!("250 2.0.0")));
        let shown = desk.admin.get(&format!("/channel-accounts/{account}")).await.ok();
        assert!(!format!("{done}{shown}").contains(USER.1));
    }

    /// A server that puts off is asked again, with the same Message-ID and date; what its receiver may know twice it knows
    /// by that.
    async fn what_was_put_off_is_the_same_letter_again(app: TestApp) {
        let desk = app.desk().await;
        let postbox = Postbox::start(Tls::Never).await;
        wired(&desk.admin, &postbox, json!({})).await;
        postbox.script([vec![Act::Says("RCPT", "451 4.7.1 greylisted")], vec![Act::Ends("DATA")]]);
        let event = tell(&desk.admin, "order.paid", json!({"number": "7"})).await;
        for attempts in 1..=2 {
            delivery_attempts(&desk.admin, &event, attempts).await;
            app.advance(120_000).await;
        }
        let done = sent(&desk.admin, &event, "success").await;
        let outcomes: Vec<&Value> = done["attempts"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
        assert_eq!(outcomes, ["retry", "retry", "accepted"], "{done}");
        assert_eq!(postbox.letters().len(), 1);
        assert_eq!(
            postbox.letters()[0].fields("Message-ID"),
            [format!("<{}@shop.example>", text(&done["send"]["id"]))]
        );
    }

    /// What may have arrived is not sent again by itself, unless somebody waits for it, and then as the same message.
    async fn a_letter_whose_fate_is_unknown_is_not_sent_twice(app: TestApp) {
        let desk = app.desk().await;
        let postbox = Postbox::start(Tls::Never).await;
        wired(&desk.admin, &postbox, json!({})).await;
        postbox.script([vec![Act::Ends(".")]]);
        let event = tell(&desk.admin, "order.paid", json!({"number": "7"})).await;
        let done = sent(&desk.admin, &event, "uncertain").await;
        assert_eq!(done["attempts"][0]["outcome"], "uncertain", "{done}");
        let message_id = format!("<{}@shop.example>", text(&done["send"]["id"]));
        assert_eq!(done["send"]["provider_message_id"], json!(message_id), "by which it may be found: {done}");
        app.advance(300_000).await;
        assert_eq!(sent(&desk.admin, &event, "uncertain").await["attempts"].as_array().unwrap().len(), 1);
        assert_eq!(postbox.letters().len(), 1);
        let path = format!("/message-sends/{}/retry", text(&done["send"]["id"]));
        desk.admin.post(&path, json!({})).await.ok();
        sent(&desk.admin, &event, "success").await;
        let ids: Vec<Vec<String>> = postbox.letters().iter().map(|one| one.fields("Message-ID")).collect();
        assert_eq!(ids, [[message_id.clone()], [message_id]]);
    }

    /// A receiver that is refused says nothing against the account; a password that is, does.
    async fn refusals_fall_on_whom_they_concern(app: TestApp) {
        let desk = app.desk().await;
        let postbox = Postbox::start(Tls::Never).await;
        let account = wired(&desk.admin, &postbox, json!({})).await;
        let path = format!("/channel-accounts/{account}");
        postbox.script([vec![Act::Says("RCPT", "550 5.1.1 no such user")]]);
        let event = tell(&desk.admin, "order.paid", json!({"number": "7"})).await;
        let failed = sent(&desk.admin, &event, "failed").await;
        assert_eq!(
            (&failed["send"]["reason"], &failed["attempts"][0]["code"]),
            (&json!("recipient"), &json!("550 5.1.1")),
        );
        assert_eq!(desk.admin.get(&path).await.ok()["paused_until"], json!(null));
        // Nothing more is sent to a mailbox that is none.
        forget(&desk.admin).await;
        postbox.script([vec![Act::Says(".", "554 5.6.0 not this")]]);
        let event = tell(&desk.admin, "order.paid", json!({"number": "8"})).await;
        assert_eq!(sent(&desk.admin, &event, "failed").await["send"]["reason"], "content");
        assert_eq!(desk.admin.get(&path).await.ok()["paused_until"], json!(null));
        postbox.script([vec![Act::Says("AUTH", "535 5.7.8 not you")]]);
        let event = tell(&desk.admin, "order.paid", json!({"number": "9"})).await;
        let waits = delivery_attempts(&desk.admin, &event, 1).await;
        assert_eq!((&waits["send"]["status"], &waits["send"]["attempts"]), (&json!("unsent"), &json!(0)), "{waits}");
        assert_eq!(desk.admin.get(&path).await.ok()["pause_reason"], "configuration");
        // Whoever mends the account has what waits tried again at once.
        desk.admin.patch(&path, json!({"name": "Mended"})).await.ok();
        sent(&desk.admin, &event, "success").await;
        assert_eq!(postbox.letters().len(), 1);
    }

    /// A letter that the server thinks about for long holds up no other one of its account, and has its lease meanwhile.
    async fn a_slow_letter_holds_up_no_other(app: TestApp) {
        let desk = app.desk().await;
        let postbox = Postbox::start(Tls::Never).await;
        wired(&desk.admin, &postbox, json!({})).await;
        // Far longer than a worker's turn; the test ends before.
        postbox.script([vec![Act::Waits(".", 300_000)]]);
        let slow = tell(&desk.admin, "order.paid", json!({"number": "slow"})).await;
        eventually("the server has it", || async { (postbox.letters().len() == 1).then_some(()) }).await;
        let quick = tell(&desk.admin, "order.paid", json!({"number": "quick"})).await;
        sent(&desk.admin, &quick, "success").await;
        let status = sent(&desk.admin, &slow, "sending").await["send"]["id"].clone();
        let (left, now) = lease(app.database().connect(), &text(&status));
        // Longer than the reply may take.
        assert!(left - now > 360_000, "{} ms", left - now);
    }

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
