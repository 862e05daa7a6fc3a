//! Templates in several languages: each receiver is told in the nearest to the one that it reads.

use serde_json::{Value, json};

use super::postbox::{Act, Postbox, Tls, USER};
use super::{expanded, published, rule, sent, tell, text};
use crate::harness::{Client, eventually};

const VARIABLES: &str = r#"[{"name": "number", "type": "string", "required": true, "sample": "7"}]"#;

/// A letter in Chinese, in English, and in Chinese of Taiwan.
fn letter() -> Value {
    let says = |subject: &str| json!({"subject": subject, "text": "{{ number }}"});
    json!({
        "name": "Paid", "channel": "email", "locale": "zh-cn", "email": says("订单 {{ number }}"),
        "translations": [
            {"locale": "en", "email": says("Order {{ number }}")},
            {"locale": "zh-hant-tw", "email": says("訂單 {{ number }}")},
        ],
        "variables": serde_json::from_str::<Value>(VARIABLES).unwrap(),
    })
}

/// An account of a mail server that nobody asks.
async fn silent(admin: &Client) -> String {
    let smtp =
        json!({"host": "127.0.0.1", "port": 9, "security": "none", "from_address": "shop@example.com"});
    let body = json!({"name": "mail", "provider": "smtp", "smtp": smtp});
    let id = text(&admin.post("/channel-accounts", body).await.status(201)["account"]["id"]);
    admin.patch(&format!("/channel-accounts/{id}"), json!({"status": "disabled"})).await.ok();
    id
}

async fn recipient(admin: &Client, name: &str, locale: &str, member: Option<&str>) -> Value {
    let email = format!("{}@mail.example", name.to_lowercase());
    let body = json!({"name": name, "email": email, "locale": locale, "member_id": member});
    let made = admin.post("/message-recipients", body).await.status(201);
    json!({"type": "recipient", "id": made["id"]})
}

/// The address, language and subject of each send of an event.
async fn told(admin: &Client, event: &str) -> Vec<(String, Value, Value)> {
    let trace = expanded(admin, event).await;
    let sends = trace["sends"].as_array().unwrap().iter().map(|one| one["send"].clone());
    let each = sends.map(|send| {
        let message = &send["message"];
        (text(&send["address"]), message["locale"].clone(), message["subject"].clone())
    });
    each.collect()
}

fn is(address: &str, locale: &str, subject: &str) -> (String, Value, Value) {
    (format!("{address}@mail.example"), json!(locale), json!(subject))
}

on_every_database! {
    /// What a person reads stands in its message recipient, or in its account; who reads no language that is there, or of
    /// whom nobody knows, is told the template's own.
    async fn each_is_told_in_its_language(app: TestApp) {
        let desk = app.desk().await;
        let (admin, account) = (&desk.admin, silent(&desk.admin).await);
        let template = published(admin, letter()).await;
        let mut recipients = Vec::new();
        for (name, locale) in [("Ann", "en-gb"), ("Tai", "zh-Hant-TW"), ("Kong", "zh-Hant-HK"), ("Pat", "fr"), ("Nemo", ""), ("Li", "zh-CN")] {
            recipients.push(recipient(admin, name, locale, None).await);
        }
        // Of members: what the account says, also by the person itself; what the message recipient says comes first.
        for (who, locale) in [(&desk.agent, "en"), (&desk.second_agent, "en"), (&desk.supervisor, "fr")] {
            let email = json!({"email": format!("m{}@mail.example", who.id()), "locale": locale});
            admin.patch(&format!("/members/{}", who.id()), email).await.ok();
        }
        let own = desk.agent.patch("/me", json!({"locale": "zh_hant_tw"})).await.ok();
        assert_eq!(own["locale"], "zh-Hant-TW");
        recipients.push(json!({"type": "member", "id": desk.agent.id()}));
        recipients.push(recipient(admin, "Sec", "", Some(&desk.second_agent.id())).await);
        recipients.push(recipient(admin, "Sup", "en", Some(&desk.supervisor.id())).await);
        rule(admin, "order.paid", &template, &account, json!({"recipients": recipients})).await;
        let event = tell(admin, "order.paid", json!({"number": "8"})).await;
        let agent = format!("m{}", desk.agent.id());
        let expected = [
            is("ann", "en", "Order 8"), is("tai", "zh-Hant-TW", "訂單 8"), is("kong", "zh-CN", "订单 8"),
            is("pat", "zh-CN", "订单 8"), is("nemo", "zh-CN", "订单 8"), is("li", "zh-CN", "订单 8"),
            is(&agent, "zh-Hant-TW", "訂單 8"), is("sec", "en", "Order 8"), is("sup", "en", "Order 8"),
        ];
        assert_eq!(told(admin, &event).await, expected);
        let body = json!({"key": "order.paid", "payload": {"number": "8"}});
        let simulated = admin.post("/message-rules/simulate", body).await.ok()["data"][0].clone();
        let locales: Vec<&Value> = simulated["receivers"].as_array().unwrap().iter().map(|one| &one["locale"]).collect();
        assert_eq!(locales, expected.iter().map(|(_, locale, _)| locale).collect::<Vec<_>>());
        assert_eq!((&simulated["message"]["locale"], &simulated["message"]["subject"]), (&json!("zh-CN"), &json!("订单 8")));
    }

    /// A customer reads what its browser, its shop's token or itself said.
    async fn customers_read_too(app: TestApp) {
        let desk = app.desk().await;
        let (admin, account) = (&desk.admin, silent(&desk.admin).await);
        let template = published(admin, letter()).await;
        let recipients = json!({"recipients": [{"type": "customer"}]});
        rule(admin, "order.paid", &template, &account, recipients).await;
        let slug = admin.get("/tenant").await.ok()["slug"].clone();
        let body = json!({"tenant": slug, "locale": "EN-us"});
        let made = app.client().post("/visitors", body).await.status(201);
        assert_eq!(made["member"]["locale"], "en-US", "{made}");
        let id = text(&made["member"]["id"]);
        admin.patch(&format!("/members/{id}"), json!({"email": "eva@mail.example"})).await.ok();
        for (locale, expected) in [(None, ("en", "Order 1")), (Some(""), ("zh-CN", "订单 1")), (Some("zh-Hant-TW"), ("zh-Hant-TW", "訂單 1"))] {
            if let Some(locale) = locale {
                admin.patch(&format!("/members/{id}"), json!({"locale": locale})).await.ok();
            }
            let body = json!({"key": "order.paid", "payload": {"number": "1"}, "customer_id": id});
            let event = text(&admin.post("/message-events", body).await.status(202)["id"]);
            assert_eq!(told(admin, &event).await, [is("eva", expected.0, expected.1)]);
        }
        for wrong in ["Chinese (simplified)", "z", "中文", "zh CN"] {
            let body = json!({"tenant": slug, "locale": wrong});
            app.client().post("/visitors", body).await.refused(422, "validation_failed");
            admin.patch(&format!("/members/{id}"), json!({"locale": wrong})).await.refused(422, "validation_failed");
            let body = json!({"name": "x", "locale": wrong});
            admin.post("/message-recipients", body).await.refused(422, "validation_failed");
        }
    }

    /// What is sent instead is said in the same person's language, decided with the first message.
    async fn a_fallback_is_told_in_the_same_language(app: TestApp) {
        let desk = app.desk().await;
        let (admin, postbox) = (&desk.admin, Postbox::start(Tls::Never).await);
        let smtp = json!({
            "host": "127.0.0.1", "port": postbox.port, "security": "none", "username": USER.0, "password": USER.1,
            "from_address": "shop@shop.example",
        });
        let body = json!({"name": "Mail", "provider": "smtp", "smtp": smtp});
        let mail = text(&admin.post("/channel-accounts", body).await.status(201)["account"]["id"]);
        let body = json!({"name": "Inside", "provider": "in_app"});
        let inside = text(&admin.post("/channel-accounts", body).await.status(201)["account"]["id"]);
        let first = published(admin, letter()).await;
        let body = json!({
            "name": "Instead", "channel": "in_app", "in_app": {"title": "您好 {{ number }}"},
            "translations": [{"locale": "en", "in_app": {"title": "Hello {{ number }}"}}],
            "variables": serde_json::from_str::<Value>(VARIABLES).unwrap(),
        });
        let second = published(admin, body).await;
        let email = json!({"email": "agent@mail.example", "locale": "en-US"});
        admin.patch(&format!("/members/{}", desk.agent.id()), email).await.ok();
        let more = json!({
            "recipients": [{"type": "member", "id": desk.agent.id()}],
            "fallback": {"template_id": second, "account_id": inside},
        });
        rule(admin, "order.paid", &first, &mail, more).await;
        let body = json!({"key": "order.paid", "payload": {"number": "5"}});
        let simulated = admin.post("/message-rules/simulate", body).await.ok()["data"][0].clone();
        assert_eq!(simulated["fallback"]["receivers"][0]["locale"], "en", "{simulated}");
        postbox.script([vec![Act::Says("RCPT", "550 5.1.1 no such user")]]);
        let event = tell(admin, "order.paid", json!({"number": "5"})).await;
        sent(admin, &event, "failed").await;
        let told = eventually("it is told instead", || async {
            let sends = admin.get(&format!("/message-events/{event}")).await.ok()["sends"].clone();
            sends.as_array().unwrap().get(1).filter(|one| one["send"]["status"] == "success").cloned()
        })
        .await;
        let message = &told["send"]["message"];
        assert_eq!((&message["locale"], &message["title"]), (&json!("en"), &json!("Hello 5")));
        let row = desk.agent.get("/notifications").await.ok()["data"][0].clone();
        assert_eq!(row["title"], "Hello 5", "{row}");
    }

    /// What cannot be said in one language fails for those who read it, and for nobody else.
    async fn a_translation_fails_alone(app: TestApp) {
        let desk = app.desk().await;
        let (admin, account) = (&desk.admin, silent(&desk.admin).await);
        let mut body = letter();
        body["email"]["subject"] = json!("订单");
        let template = published(admin, body).await;
        let recipients = [recipient(admin, "Ann", "en", None).await, recipient(admin, "Li", "zh-CN", None).await];
        rule(admin, "order.paid", &template, &account, json!({"recipients": recipients})).await;
        // A subject in two lines.
        let event = tell(admin, "order.paid", json!({"number": "1\n2"})).await;
        let trace = expanded(admin, &event).await;
        let (ann, li) = (&trace["sends"][0]["send"], &trace["sends"][1]["send"]);
        assert_eq!((&ann["status"], &ann["reason"], &ann["message"]), (&json!("failed"), &json!("template"), &Value::Null));
        assert!(ann["last_error"].as_str().unwrap().starts_with("en: /email/subject: "), "{ann}");
        assert_eq!((&li["status"], &li["message"]["subject"]), (&json!("unsent"), &json!("订单")));
        let body = json!({"key": "order.paid", "payload": {"number": "1\n2"}});
        let simulated = admin.post("/message-rules/simulate", body).await.ok()["data"][0].clone();
        let status = |index: usize| simulated["receivers"][index]["status"].clone();
        assert_eq!((status(0), status(1)), (json!("failed"), json!("unsent")), "{simulated}");
    }

    /// Translations are drafted and published with the template, previewed, tried, and stay with their version.
    async fn translations_are_published(app: TestApp) {
        let desk = app.desk().await;
        let (admin, account) = (&desk.admin, silent(&desk.admin).await);
        let template = published(admin, letter()).await;
        let path = format!("/message-templates/{template}");
        let shown = admin.get(&path).await.ok();
        assert_eq!((&shown["locale"], &shown["translations"][1]["locale"]), (&json!("zh-CN"), &json!("zh-Hant-TW")));
        assert_eq!(shown["translations"][0]["email"]["subject"], "Order {{ number }}");
        for (reads, locale, subject) in [("en-GB", "en", "Order 7"), ("zh", "zh-CN", "订单 7"), ("ja", "zh-CN", "订单 7")] {
            let preview = desk.supervisor.post(&format!("{path}/preview"), json!({"locale": reads})).await.ok();
            assert_eq!((&preview["locale"], &preview["subject"]), (&json!(locale), &json!(subject)));
        }
        desk.supervisor.post(&format!("{path}/preview"), json!({"locale": "Chinese!"})).await.refused(422, "validation_failed");
        admin.patch(&format!("/channel-accounts/{account}"), json!({"status": "active"})).await.ok();
        let body = json!({"account_id": account, "address": "eva@mail.example", "locale": "en"});
        let tested = admin.post(&format!("{path}/test_send"), body).await.ok();
        assert_eq!((&tested["rendered"]["locale"], &tested["rendered"]["subject"]), (&json!("en"), &json!("Order 7")));
        admin.patch(&format!("/channel-accounts/{account}"), json!({"status": "disabled"})).await.ok();
        // A draft is no version yet.
        let ann = recipient(admin, "Ann", "en", None).await;
        rule(admin, "order.paid", &template, &account, json!({"recipients": [ann]})).await;
        let change = json!({"translations": [], "locale": null});
        let draft = admin.patch(&path, change).await.ok();
        assert_eq!((&draft["locale"], &draft["translations"], &draft["changed"]), (&Value::Null, &json!([]), &json!(true)));
        let event = tell(admin, "order.paid", json!({"number": "1"})).await;
        assert_eq!(told(admin, &event).await, [is("ann", "en", "Order 1")]);
        admin.post(&format!("{path}/publish"), json!({})).await.ok();
        let later = tell(admin, "order.paid", json!({"number": "1"})).await;
        let (_, locale, subject) = told(admin, &later).await.remove(0);
        assert_eq!((locale, subject), (Value::Null, json!("订单 1")));
        assert_eq!(told(admin, &event).await, [is("ann", "en", "Order 1")]);
        let versions = admin.get(&format!("{path}/versions")).await.ok();
        let count = |index: usize| versions["data"][index]["translations"].as_array().unwrap().len();
        assert_eq!((count(0), count(1), &versions["data"][1]["locale"]), (0, 2, &json!("zh-CN")));
        // Saying the same again changes nothing.
        let same = admin.patch(&path, json!({"translations": [], "locale": null})).await.ok();
        assert_eq!(same["changed"], false);
    }

    /// Each language once, of the template's channel, with its variables; nothing for channels without persons.
    async fn translations_are_checked(app: TestApp) {
        let desk = app.desk().await;
        let email = json!({"subject": "x", "text": "y"});
        let one = |locale: &str, more: Value| {
            let mut one = json!({"locale": locale});
            for (name, value) in more.as_object().unwrap() {
                one[name] = value.clone();
            }
            one
        };
        let many: Vec<Value> = (0..21).map(|index| one(&format!("en-{:03}", 100 + index), json!({"email": email}))).collect();
        let wrong = [
            (json!([one("en", json!({"email": email})), one("EN", json!({"email": email}))]), "/translations/1/locale"),
            (json!([one("zh-cn", json!({"email": email}))]), "/translations/0/locale"),
            (json!([one("English!", json!({"email": email}))]), "/translations/0/locale"),
            (json!([one("en", json!({"sms": {"text": "x"}}))]), "/translations/0/sms"),
            (json!([one("en", json!({"sms": {"text": "x"}, "email": email}))]), "/translations/0"),
            (json!([one("en", json!({}))]), "/translations/0"),
            (json!([one("en", json!({"email": {"subject": "{{ who }}", "text": "y"}}))]), "/translations/0/email/subject"),
            (json!([one("en", json!({"email": {"subject": "x".repeat(501), "text": "y"}}))]), "/translations/0/email/subject"),
            (json!([one("en", json!({"email": {"subject": "{% for x in range(100000) %}x{% endfor %}", "text": "y"}}))]), "/translations/0/email/subject"),
            (json!([one("en", json!({"email": {"subject": "x"}}))]), "/translations/0/email/text"),
            (json!(many), "/translations"),
        ];
        let template = text(&desk.admin.post("/message-templates", letter()).await.status(201)["id"]);
        for (translations, pointer) in wrong {
            let mut body = letter();
            body["translations"] = translations.clone();
            let problem = desk.admin.post("/message-templates", body).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
            let change = json!({"translations": translations});
            let problem = desk.admin.patch(&format!("/message-templates/{template}"), change).await;
            assert_eq!(problem.refused(422, "validation_failed")["errors"][0]["pointer"], pointer);
        }
        // A variable that the draft loses is missed by its translations too.
        let change = json!({"email": email, "variables": []});
        let problem = desk.admin.patch(&format!("/message-templates/{template}"), change).await;
        assert_eq!(problem.refused(422, "validation_failed")["errors"][0]["pointer"], "/translations/0/email/subject");
        let webhook = json!({"name": "all", "channel": "webhook", "webhook": {"type": "it.happened"}, "translations": [one("en", json!({"email": email}))]});
        let problem = desk.admin.post("/message-templates", webhook).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/translations");
        let unknown = json!([{"locale": "en", "email": email, "webhook": {"type": "x"}}]);
        let mut body = letter();
        body["translations"] = unknown;
        desk.admin.post("/message-templates", body).await.refused(422, "validation_failed");
        assert_eq!(desk.admin.get(&format!("/message-templates/{template}")).await.ok()["translations"].as_array().unwrap().len(), 2);
    }
}
